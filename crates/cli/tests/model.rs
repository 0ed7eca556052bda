//! `codeward model` as scripts and people meet it.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the binary under test and may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn codeward(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_codeward")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lm/tests/fixtures/gguf").join(name);
    path.to_str().unwrap().to_owned()
}

fn assert_complains(output: &Output, error: &str) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(text(&output.stdout), "", "{stderr}");
    assert!(stderr.starts_with("error: ") && stderr.contains(error), "{stderr}");
}

#[test]
fn inspect_says_what_the_bundled_model_is() {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/codeward-tiny");
    let folder = folder.to_str().unwrap();
    let output = codeward(&["model", "inspect", folder]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    assert!(stdout.contains("family         Qwen2ForCausalLM\n"), "{stdout}");
    assert!(stdout.contains("layers 4, width 256, feed-forward width 640, heads 4, key and value heads 2"), "{stdout}");
    assert!(stdout.contains("tokenizer      byte-level BPE, 2048 tokens, 1 of them added"), "{stdout}");
    let json: Value = serde_json::from_slice(&codeward(&["model", "inspect", folder, "--json"]).stdout).unwrap();
    // Four layers of 196,608 + 491,520 in matrices and 1,024 in vectors, the table, and the last norm.
    let num_parameters = 4 * (196_608 + 491_520 + 1024) + 2048 * 256 + 256;
    assert_eq!(json["num_parameters"], num_parameters);
    assert_eq!(json["memory_bytes"]["weights"], 4 * num_parameters);
    assert_eq!((&json["supported"], &json["chat_templates"]), (&Value::Bool(true), &serde_json::json!([])));
}

#[test]
fn a_gguf_file_becomes_a_folder_that_says_the_same() {
    let place = tempfile::tempdir().unwrap();
    for (family, kind) in [("qwen2", "byte-level BPE"), ("gemma3", "SentencePiece BPE")] {
        let folder = place.path().join(family).to_str().unwrap().to_owned();
        let file = fixture(&format!("{family}.gguf"));
        let output = codeward(&["model", "convert", &file, &folder, "--precision", "bf16"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains(kind), "{}", text(&output.stdout));
        let look = |path: &str| -> Value {
            serde_json::from_slice(&codeward(&["model", "inspect", path, "--json"]).stdout).unwrap()
        };
        let (before, after) = (look(&file), look(&folder));
        for key in ["family", "num_parameters", "shapes", "chat_templates", "supported", "tokenizer"] {
            assert_eq!(before[key], after[key], "{family} {key}");
        }
        assert_eq!(after["stored"][0]["type"], "BF16");
        // A second time, it would overwrite.
        assert_complains(&codeward(&["model", "convert", &file, &folder]), "is there already");
    }
}

/// The qwen2 fixture is a model that this crate runs.
#[test]
fn a_converted_model_writes() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("model").to_str().unwrap().to_owned();
    codeward(&["model", "convert", &fixture("qwen2.gguf"), &folder]);
    let output = codeward(&["generate", "--model", &folder, "--prompt", "hello", "--max-new-tokens", "4", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let row: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(row["num_tokens"].as_u64().unwrap() <= 4, "{row}");
}

#[test]
fn an_adapter_is_merged_into_its_model() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lm/tests/fixtures");
    let place = tempfile::tempdir().unwrap();
    let base = place.path().join("base");
    std::fs::create_dir(&base).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(fixtures.join("parity/qwen2").join(name), base.join(name)).unwrap();
    }
    std::fs::write(base.join("chat_template.jinja"), "{{ messages }}").unwrap();
    let adapter = fixtures.join("adapters/qwen2-some");
    let (base, adapter) = (base.to_str().unwrap(), adapter.to_str().unwrap());
    let folder = place.path().join("merged");
    let merge = |adapter: &str| codeward(&["model", "merge", base, adapter, folder.to_str().unwrap()]);
    assert_complains(&merge(base), "adapter_config.json");
    assert!(!folder.exists());
    let output = merge(adapter);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    assert!(stdout.ends_with("merged: rank 1, factor 3, q_proj v_proj up_proj\n"), "{stdout}");
    assert_eq!(std::fs::read_to_string(folder.join("chat_template.jinja")).unwrap(), "{{ messages }}");
    // `W + 3 B A`, with a rank of one.
    let model = codeward_lm::Model::load(Path::new(base)).unwrap();
    let numbers = codeward_lm::Adapter::load(Path::new(adapter), model.config()).unwrap();
    let merged = codeward_lm::Model::load(&folder).unwrap();
    let name = "layers.1.self_attn.v_proj";
    let weight = format!("model.{name}.weight");
    let [a, b] =
        ["A", "B"].map(|which| numbers.tensor(&format!("base_model.model.model.{name}.lora_{which}.weight")).unwrap());
    let (before, after) = (model.tensor(&weight).unwrap(), merged.tensor(&weight).unwrap());
    let width = a.len();
    for (row, b) in b.iter().enumerate() {
        for (column, a) in a.iter().enumerate() {
            let at = row * width + column;
            assert!((before[at] + 3.0 * b * a - after[at]).abs() < 1e-6);
        }
    }
    assert_eq!(model.tensor("model.norm.weight"), merged.tensor("model.norm.weight"));
    assert_complains(&merge(adapter), "is there already");
}

#[test]
fn what_cannot_be_converted_leaves_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(fixture("llama.gguf")).unwrap();
    let file = place.path().join("cut.gguf");
    // A whole header, and half of the numbers; then numbers that are none.
    std::fs::write(&file, &bytes[..bytes.len() - 4000]).unwrap();
    let folder = place.path().join("model");
    let convert = |name: &Path| codeward(&["model", "convert", name.to_str().unwrap(), folder.to_str().unwrap()]);
    assert_complains(&convert(&file), "past the end");
    let mut broken = bytes.clone();
    let length = broken.len();
    broken[length - 128..].fill(0xff);
    std::fs::write(&file, &broken).unwrap();
    assert_complains(&convert(&file), "not finite");
    assert_complains(&convert(Path::new("/nowhere.gguf")), "/nowhere.gguf");
    assert_complains(&codeward(&["model", "inspect", "/nowhere.gguf"]), "/nowhere.gguf");
    assert_complains(&codeward(&["model", "inspect", place.path().to_str().unwrap()]), "config.json");
    let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["cut.gguf"]);
}
