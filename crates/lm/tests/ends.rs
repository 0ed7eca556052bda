//! End tokens and stop strings.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use std::path::{Path, PathBuf};

use codeward_lm::{
    Ends, EngineOptions, LanguageModel, Model, ModelConfig, Prompt, SamplingParams, Tokenizer, TokenizerError, start,
};
use proptest::prelude::*;
use tempfile::TempDir;

/// A folder with a tokenizer of each kind that models use, and settings beside it.
fn tokenizer(kind: &str, settings: &[(&str, &str)]) -> (TempDir, Result<Tokenizer, TokenizerError>) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokenizers").join(kind);
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixture, folder.path().join("tokenizer.json")).unwrap();
    for (name, text) in settings {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let tokenizer = Tokenizer::load(folder.path());
    (folder, tokenizer)
}

/// The name of some marker of a tokenizer file.
fn any_marker(kind: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokenizers").join(kind);
    let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let marker = file["added_tokens"].as_array().unwrap().iter().find(|token| token["special"] == true).unwrap();
    marker["content"].as_str().unwrap().to_owned()
}

fn of_kind(kind: &str) -> Tokenizer {
    let settings = serde_json::json!({"eos_token": any_marker(kind)}).to_string();
    tokenizer(kind, &[("tokenizer_config.json", &settings)]).1.unwrap()
}

const KINDS: [&str; 5] =
    ["byte-level.json", "gemma-bpe.json", "metaspace-bpe.json", "sentencepiece-bpe.json", "unigram.json"];

/// The first place at which a completion that grows token by token ends, and the text that is left.
fn stop_at(tokenizer: &Tokenizer, stop: &[&str], tokens: &[u32]) -> Option<(usize, String)> {
    let stop: Vec<String> = stop.iter().map(|&text| text.to_owned()).collect();
    let ends = Ends::new(tokenizer, &stop);
    (1..=tokens.len()).find_map(|count| {
        let at = ends.cut(&tokens[..count])?;
        Some((count, tokenizer.decode(&tokens[..count])[..at].to_owned()))
    })
}

/// The same by definition: look through the whole text after each token.
fn by_definition(tokenizer: &Tokenizer, stop: &[&str], tokens: &[u32]) -> Option<(usize, String)> {
    (1..=tokens.len()).find_map(|count| {
        let text = tokenizer.decode(&tokens[..count]);
        let at = stop.iter().filter_map(|string| text.find(string)).min()?;
        Some((count, text[..at].to_owned()))
    })
}

#[test]
fn a_stop_string_ends_the_text_where_it_begins_whatever_its_tokens_are() {
    let text = "def größe(a):\n    return a\n\n\ndef naïve():\n    pass\n";
    for kind in KINDS {
        let tokenizer = of_kind(kind);
        let tokens = tokenizer.encode(text);
        let whole = tokenizer.decode(&tokens);
        for stop in ["\n\n", "\n\n\n", "turn a", "ße", "a):\n  ", "ï", "pass\n", "def", "d"] {
            let (count, left) = stop_at(&tokenizer, &[stop], &tokens).unwrap_or_else(|| panic!("{kind}: {stop:?}"));
            assert_eq!(left, whole[..whole.find(stop).unwrap()], "{kind}: {stop:?}");
            assert_eq!(by_definition(&tokenizer, &[stop], &tokens), Some((count, left)), "{kind}: {stop:?}");
        }
        assert_eq!(stop_at(&tokenizer, &["nowhere", "passe"], &tokens), None, "{kind}");
    }
}

#[test]
fn a_character_that_tokens_split_counts_when_it_is_whole() {
    // Without merges every byte is a token: the crab takes four.
    let tokenizer = Tokenizer::train_bpe(std::iter::empty(), 257).unwrap();
    let tokens = tokenizer.encode("a🦀b");
    assert_eq!(tokens.len(), 6);
    assert_eq!(stop_at(&tokenizer, &["🦀"], &tokens), Some((5, "a".to_owned())));
    // Another character of the same first three bytes is none.
    assert_eq!(stop_at(&tokenizer, &["🦁"], &tokens), None);
    // What ends inside a character waits for nothing.
    assert_eq!(stop_at(&tokenizer, &["a"], &tokens), Some((1, String::new())));
    // Bytes that never become a character do not hide what comes after them.
    let broken = [&tokens[..3], &tokenizer.encode("xy")].concat();
    assert_eq!(stop_at(&tokenizer, &["y"], &broken), Some((5, "a\u{fffd}x".to_owned())));
}

#[test]
fn of_overlapping_strings_the_first_to_be_complete_decides_and_the_earliest_begins() {
    let tokenizer = Tokenizer::train_bpe(std::iter::empty(), 257).unwrap();
    let stop = |stop: &[&str], text: &str| stop_at(&tokenizer, stop, &tokenizer.encode(text));
    // The shorter one is complete first.
    assert_eq!(stop(&["abcd", "bc"], "xabcd"), Some((4, "xa".to_owned())));
    // One is the beginning of the other.
    assert_eq!(stop(&["ab", "abc"], "xabc"), Some((3, "x".to_owned())));
    // Complete with the same token: the text is cut at the longer.
    assert_eq!(stop(&["bc", "abc"], "xabc"), Some((4, "x".to_owned())));
    // A beginning that leads nowhere, and then the whole.
    assert_eq!(stop(&["aab"], "aaaab"), Some((5, "aa".to_owned())));
    assert_eq!(stop(&["\n\n"], "\nx\n\n"), Some((4, "\nx".to_owned())));
}

#[test]
fn one_token_may_hold_a_stop_string_and_more() {
    let text = "aaaa bbbb ".repeat(50);
    let tokenizer = Tokenizer::train_bpe([text].into_iter(), 300).unwrap();
    let tokens = tokenizer.encode("aaaa bbbb");
    assert!(tokens.len() <= 2, "{tokens:?}");
    assert_eq!(stop_at(&tokenizer, &["aa"], &tokens), Some((1, String::new())));
    assert_eq!(stop_at(&tokenizer, &["bb"], &tokens), Some((2, "aaaa ".to_owned())));
}

#[test]
fn names_of_markers_stand_for_markers() {
    for kind in KINDS {
        let (tokenizer, marker) = (of_kind(kind), any_marker(kind));
        let ends = Ends::new(&tokenizer, &[marker.clone(), "\n".to_owned()]);
        assert_eq!(ends.tokens, [tokenizer.marker_id(&marker).unwrap()], "{kind}");
        // The marker has no text, so it neither is nor hides a stop string.
        let tokens = [tokenizer.encode("a"), ends.tokens.clone(), tokenizer.encode("\n")].concat();
        assert!(ends.cut(&tokens[..2]).is_none() && ends.cut(&tokens).is_some(), "{kind}");
    }
}

#[test]
fn end_tokens_are_those_of_the_checkpoint() {
    let named = r#"{"eos_token": "<|endoftext|>"}"#;
    let ends = |files: &[(&str, &str)]| {
        let mut settings = vec![("tokenizer_config.json", named)];
        settings.extend_from_slice(files);
        let (_folder, tokenizer) = tokenizer("byte-level.json", &settings);
        tokenizer.map(|tokenizer| tokenizer.end_ids().to_vec())
    };
    let own = ends(&[]).unwrap();
    assert_eq!(own.len(), 1);
    let own = own[0];
    assert_eq!(ends(&[("config.json", r#"{"eos_token_id": 7}"#)]).unwrap(), [own, 7]);
    assert_eq!(ends(&[("config.json", r#"{"eos_token_id": [9, 8]}"#)]).unwrap(), [own, 9, 8]);
    // What sampling is to use goes before what the model has, and null says nothing.
    let config = ("config.json", r#"{"eos_token_id": [9, 8]}"#);
    assert_eq!(ends(&[config, ("generation_config.json", r#"{"eos_token_id": [5, 6]}"#)]).unwrap(), [own, 5, 6]);
    assert_eq!(ends(&[config, ("generation_config.json", r#"{"eos_token_id": null}"#)]).unwrap(), [own, 9, 8]);
    for broken in [r#"{"eos_token_id": "x"}"#, r#"{"eos_token_id": [-1]}"#, r#"{"eos_token_id": 4294967296}"#] {
        let error = ends(&[("generation_config.json", broken)]).unwrap_err();
        assert!(
            matches!(&error, TokenizerError::InvalidEndTokens { path } if path.ends_with("generation_config.json"))
        );
        assert!(error.hint().is_some());
    }
}

#[test]
fn what_is_saved_ends_alike_and_keeps_the_template() {
    let settings = r#"{"eos_token": "<|endoftext|>", "chat_template": "{{ messages }}", "model_max_length": 9}"#;
    let files = [
        ("tokenizer_config.json", settings),
        ("generation_config.json", r#"{"eos_token_id": [3, 4]}"#),
        ("chat_template.jinja", "{{ bos_token }}"),
    ];
    let (_folder, tokenizer) = tokenizer("byte-level.json", &files);
    let (tokenizer, copy) = (tokenizer.unwrap(), tempfile::tempdir().unwrap());
    tokenizer.save(copy.path()).unwrap();
    assert_eq!(Tokenizer::load(copy.path()).unwrap().end_ids(), tokenizer.end_ids());
    let written = std::fs::read_to_string(copy.path().join("tokenizer_config.json")).unwrap();
    assert!(written.contains(r#""chat_template": "{{ messages }}""#), "{written}");
    assert_eq!(std::fs::read_to_string(copy.path().join("chat_template.jinja")).unwrap(), "{{ bos_token }}");
}

/// A model that writes noise in bytes.
fn noise(tokenizer: &Tokenizer) -> Box<dyn LanguageModel> {
    let config = ModelConfig {
        hidden_size: 32,
        intermediate_size: 48,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: 16,
        vocab_size: tokenizer.vocab_size(),
        max_position_embeddings: 400,
        ..ModelConfig::tiny()
    };
    start(Model::init(config, 5), &EngineOptions::default()).unwrap()
}

#[test]
fn sampling_stops_at_the_string_and_keeps_what_was_sampled() {
    let tokenizer = Tokenizer::train_bpe(std::iter::empty(), 257).unwrap();
    let mut model = noise(&tokenizer);
    let prompt = tokenizer.encode("x = ");
    let rows: Vec<Prompt<'_>> = (0..60).map(|seed| Prompt { tokens: &prompt, seed }).collect();
    let free = SamplingParams { max_new_tokens: 200, ..SamplingParams::default() };
    let whole = model.complete(&rows, &Ends::new(&tokenizer, &[]), &free).unwrap();
    // One of them is what some row begins with.
    let texts = whole.iter().map(|row| row.text(&tokenizer));
    let first = texts.filter_map(|text| text.chars().next()).find(char::is_ascii_graphic).unwrap();
    let stop = ["a".to_owned(), first.to_string()];
    let ends = Ends::new(&tokenizer, &stop);
    let cut = model.complete(&rows, &ends, &free).unwrap();
    let params = SamplingParams { min_new_tokens: 20, ..free };
    let later = model.complete(&rows, &ends, &params).unwrap();
    let (mut num_stopped, mut num_first) = (0, 0);
    for ((whole, cut), later) in whole.iter().zip(&cut).zip(&later) {
        // The draws are the same, up to the stop.
        assert_eq!(cut.tokens, whole.tokens[..cut.tokens.len()]);
        assert_eq!(cut.logprobs, whole.logprobs[..cut.tokens.len()]);
        let text = whole.text(&tokenizer);
        match text.find(['a', first]) {
            Some(at) => {
                num_stopped += 1;
                num_first += usize::from(at == 0);
                assert_eq!((cut.text(&tokenizer), cut.text_end, cut.stopped), (text[..at].to_owned(), Some(at), true));
                assert!(cut.tokens.len() < whole.tokens.len() || text.ends_with(['a', first]));
            }
            None => assert_eq!(cut, whole),
        }
        // Before the least number of tokens a string is text like any other.
        assert!(later.tokens.len() >= 20);
        if let Some(at) = later.text_end {
            let early = tokenizer.decode(&later.tokens[..19]).len();
            assert!(at >= early, "{at} in {:?}", later.text(&tokenizer));
            let text = later.text(&tokenizer);
            assert!(!text.bytes().skip(early).any(|byte| byte == b'a' || char::from(byte) == first));
        }
    }
    assert!(num_stopped > 10 && num_first > 0, "{num_stopped} stopped, {num_first} at the first token");
    assert!(later.iter().any(|row| row.text_end.is_some()));
}

#[test]
fn markers_are_found_in_text_and_read_in_what_a_template_writes() {
    let tokenizer = of_kind("byte-level.json");
    let marker = any_marker("byte-level.json");
    let text = format!("a{marker}b");
    assert_eq!(tokenizer.marker_in(&text), Some(marker.as_str()));
    assert_eq!(tokenizer.marker_in("a plain text"), None);
    let id = tokenizer.marker_id(&marker).unwrap();
    assert!(tokenizer.encode_with_markers(&text).contains(&id));
    assert!(!tokenizer.encode(&text).contains(&id));
    assert_eq!(tokenizer.encode_with_markers("a plain text"), tokenizer.encode("a plain text"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn windows_see_what_whole_texts_show(text in "[ab\\n é🦀]{0,40}", stop in prop::collection::vec("[ab\\n é🦀]{1,4}", 1..4)) {
        static TOKENIZERS: std::sync::OnceLock<Vec<Tokenizer>> = std::sync::OnceLock::new();
        for tokenizer in TOKENIZERS.get_or_init(|| KINDS.map(of_kind).into()) {
            let tokens = tokenizer.encode(&text);
            let stop: Vec<&str> = stop.iter().map(String::as_str).collect();
            prop_assert_eq!(stop_at(tokenizer, &stop, &tokens), by_definition(tokenizer, &stop, &tokens));
        }
    }
}
