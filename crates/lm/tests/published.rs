//! Published models, which are not part of the repository: run where somebody has them.

use codeward_lm::{GgufModel, Precision, convert_gguf};
use serde_json::Value;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} says where to look"))
}

/// `CODEWARD_GGUF` is a GGUF file, and `CODEWARD_TOKENS` a JSON list of `{"text", "tokens"}` by another reader of it, such as
/// llama.cpp without special tokens. Every text must have the same tokens here, and come back from them.
#[test]
#[ignore = "needs a published model and another reader's tokens"]
fn texts_have_the_tokens_of_another_reader() {
    let model = GgufModel::open(variable("CODEWARD_GGUF").as_ref()).unwrap();
    let converted = model.tokenizer().unwrap();
    let is_sentence_piece = converted.kind.starts_with("SentencePiece");
    let mut tokenizer: tokenizers::Tokenizer = converted.tokenizer_json.to_string().parse().unwrap();
    tokenizer.set_encode_special_tokens(true);
    let cases = std::fs::read_to_string(variable("CODEWARD_TOKENS")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&cases).unwrap();
    let (mut num_tokens, mut num_wrong, mut num_lost) = (0, 0, 0);
    for case in &cases {
        let text = case["text"].as_str().unwrap();
        let expected: Vec<u32> = serde_json::from_value(case["tokens"].clone()).unwrap();
        let found = tokenizer.encode_fast(text, false).unwrap().get_ids().to_vec();
        num_tokens += found.len();
        if found != expected {
            num_wrong += 1;
            println!("{text:?}\n  here  {found:?}\n  there {expected:?}");
        }
        // SentencePiece writes a space with a sign of its own, and cannot tell that sign in a text from a space.
        let expected = if is_sentence_piece { text.replace('\u{2581}', " ") } else { text.to_owned() };
        if tokenizer.decode(&found, false).unwrap() != expected {
            num_lost += 1;
            println!("does not come back: {text:?}");
        }
    }
    println!("{} texts, {num_tokens} tokens, {num_wrong} differ, {num_lost} do not come back", cases.len());
    assert_eq!((num_wrong, num_lost), (0, 0));
}

/// Converts `CODEWARD_GGUF` into the folder `CODEWARD_OUT`.
#[test]
#[ignore = "needs a published model"]
fn a_published_model_is_converted() {
    let folder = variable("CODEWARD_OUT");
    let begun = std::time::Instant::now();
    let converted = convert_gguf(variable("CODEWARD_GGUF").as_ref(), folder.as_ref(), Precision::F32).unwrap();
    println!("{converted:?} in {:?}", begun.elapsed());
    println!("{:#?}", codeward_lm::inspect(folder.as_ref()).unwrap());
}
