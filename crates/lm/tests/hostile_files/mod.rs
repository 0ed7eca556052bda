//! Reads files that may hold anything. Each answer but a panic, an endless loop or a full memory is right.

use std::io::Cursor;
use std::path::PathBuf;

use codeward_lm::{ChatRequest, ChatTemplate, GgufFile, GgufModel, Model, Moment, Tokenizer};
use serde_json::json;

/// Reads a GGUF file: container, model, tokenizer and, where they are small, all tensors.
pub(crate) fn read_gguf(data: &[u8]) {
    let Ok(file) = GgufFile::new(Cursor::new(data)) else { return };
    for entry in file.tensors() {
        assert!(entry.num_elements() <= 8 * data.len(), "a tensor is no larger than its bytes say");
    }
    let Ok(mut model) = GgufModel::new(file) else { return };
    let _ = model.tokenizer();
    for name in model.tensors().iter().map(|tensor| tensor.name.clone()).collect::<Vec<_>>() {
        let _ = model.read(&name);
    }
}

/// The shape of the model in the corpus: two layers would only make it slower.
pub(crate) const CONFIG: &str = r#"{"architectures": ["Qwen2ForCausalLM"], "hidden_size": 4, "intermediate_size": 4, "num_hidden_layers": 1,
    "num_attention_heads": 1, "num_key_value_heads": 1, "vocab_size": 4, "max_position_embeddings": 8, "tie_word_embeddings": true,
    "bos_token_id": null, "eos_token_id": 0}"#;

/// A folder for the files of one process.
fn folder() -> PathBuf {
    let shared = PathBuf::from("/dev/shm");
    let place = if shared.is_dir() { shared } else { std::env::temp_dir() };
    let folder = place.join(format!("codeward-hostile-{}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::create_dir_all(&folder).expect("the folder for temporary files can be written");
    folder
}

/// Loads a checkpoint. The first byte says which file the rest is: the weights, the configuration, or the list of shards.
pub(crate) fn read_checkpoint(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let folder = folder();
    let name = match kind {
        b'c' => "config.json",
        b'i' => "model.safetensors.index.json",
        _ => "model.safetensors",
    };
    std::fs::write(folder.join("config.json"), CONFIG).expect("the folder can be written");
    std::fs::write(folder.join(name), rest).expect("the folder can be written");
    if let Ok(model) = Model::load(&folder) {
        assert_eq!(model.tensor_names().count(), 14, "all tensors are there");
    }
    std::fs::remove_dir_all(&folder).expect("the folder was just made");
}

/// Loads a tokenizer and uses it.
pub(crate) fn read_tokenizer(data: &[u8]) {
    let folder = folder();
    std::fs::write(folder.join("tokenizer.json"), data).expect("the folder can be written");
    let settings = json!({"eos_token": "<|endoftext|>"}).to_string();
    std::fs::write(folder.join("tokenizer_config.json"), settings).expect("the folder can be written");
    if let Ok(tokenizer) = Tokenizer::load(&folder) {
        let tokens = tokenizer.encode("def f(x):\n    return x + 1  # größe 🙂");
        let _ = tokenizer.decode(&tokens);
    }
    std::fs::remove_dir_all(&folder).expect("the folder was just made");
}

/// Reads a chat template and renders a conversation with it.
pub(crate) fn read_template(data: &[u8]) {
    let Ok(template) = ChatTemplate::parse(&String::from_utf8_lossy(data)) else { return };
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a\nb"}]},
        {"role": "assistant", "content": "<think>x</think> y", "tool_calls": [{"function": {"name": "f", "arguments": {"n": 1.5}}}]},
    ]);
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"properties": {"n": {"type": "number"}}}}}]);
    let now = Moment::date(2026, 11, 3);
    let request = ChatRequest {
        messages: &messages,
        add_generation_prompt: true,
        tools: Some(&tools),
        now: Some(&now),
        ..ChatRequest::default()
    };
    let _ = template.render(&request);
}
