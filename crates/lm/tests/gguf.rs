//! GGUF files against what other readers make of them, and hostile ones.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::io::Cursor;
use std::path::{Path, PathBuf};

use codeward_lm::{GgufError, GgufFile, GgufModel, GgufTokenizer};
use gguf_bytes::{GgufBytes, array, flag, floats, integers, number, raw, text, texts, tiny_llama};
use safetensors::SafeTensors;
use serde_json::Value;
use tokenizers::{
    NormalizedString, Normalizer as _, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _,
};

mod gguf_bytes;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gguf").join(name)
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// The numbers of every stored type are those that the Python package `gguf` computes, to the bit.
#[test]
fn every_stored_type_gives_the_reference_numbers() {
    let mut file = GgufFile::open(&fixture("types.gguf")).unwrap();
    let expected = numbers(&std::fs::read(fixture("types.f32")).unwrap());
    assert_eq!(file.tensors().len(), 11);
    for index in 0..file.tensors().len() {
        let entry = file.tensors()[index].clone();
        assert_eq!(entry.name, entry.stored.name());
        assert_eq!(entry.shape, [2, 512]);
        let mut found = vec![0.0; 1024];
        file.read(index, 0, &mut found).unwrap();
        assert!(found.iter().any(|number| *number != 0.0));
        let expected = &expected[1024 * index..][..1024];
        let differing = found.iter().zip(expected).filter(|(one, other)| one.to_bits() != other.to_bits()).count();
        assert_eq!(differing, 0, "{}: {:?} against {:?}", entry.name, &found[..4], &expected[..4]);
        // A part is the same as that part of the whole.
        let mut part = vec![0.0; 256];
        file.read(index, 512, &mut part).unwrap();
        assert_eq!(part, found[512..768], "{}", entry.name);
    }
}

/// Names, shapes and numbers, rows turned back and norms shifted, are those that transformers reads from the same files.
#[test]
fn every_family_gives_the_tensors_of_transformers() {
    for family in ["llama", "qwen2", "qwen3", "gemma3"] {
        let mut model = GgufModel::open(&fixture(&format!("{family}.gguf"))).unwrap();
        let bytes = std::fs::read(fixture(&format!("{family}.safetensors"))).unwrap();
        let expected = SafeTensors::deserialize(&bytes).unwrap();
        let mut names: Vec<String> = model.tensors().iter().map(|tensor| tensor.name.clone()).collect();
        names.sort();
        let mut expected_names: Vec<String> = expected.names().iter().map(ToString::to_string).collect();
        expected_names.sort();
        assert_eq!(names, expected_names, "{family}");
        for name in &names {
            let view = expected.tensor(name).unwrap();
            let tensor = model.tensors().iter().find(|tensor| tensor.name == *name).unwrap();
            assert_eq!(tensor.shape, view.shape(), "{family} {name}");
            assert_eq!(model.read(name).unwrap(), numbers(view.data()), "{family} {name}");
        }
    }
}

#[test]
fn rows_are_the_rows_of_the_whole() {
    let mut model = GgufModel::open(&fixture("llama.gguf")).unwrap();
    for index in 0..model.tensors().len() {
        let tensor = model.tensors()[index].clone();
        let whole = model.read(&tensor.name).unwrap();
        let (width, first) = (tensor.row_length(), tensor.num_rows() / 2);
        let mut rows = vec![0.0; whole.len() - first * width];
        model.read_rows(index, first, &mut rows).unwrap();
        assert_eq!(rows, whole[first * width..], "{}", tensor.name);
    }
}

/// The configuration agrees with what transformers reads, in every key that it reads.
#[test]
fn every_family_gives_the_configuration_of_transformers() {
    for family in ["llama", "qwen2", "qwen3", "gemma3"] {
        let model = GgufModel::open(&fixture(&format!("{family}.gguf"))).unwrap();
        let text = std::fs::read_to_string(fixture(&format!("{family}.json"))).unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        for (key, expected) in expected.as_object().unwrap() {
            if key == "unk_token_id" {
                continue; // A setting of the tokenizer.
            }
            let found = &model.config()[key];
            match (found.as_f64(), expected.as_f64()) {
                (Some(found), Some(expected)) => assert!((found - expected).abs() <= 1e-6 * expected, "{family} {key}"),
                _ => assert_eq!(found, expected, "{family} {key}"),
            }
        }
    }
    let config = GgufModel::open(&fixture("gemma3.gguf")).unwrap().config().clone();
    assert_eq!(config["layer_types"], serde_json::json!(["sliding_attention"]));
    assert_eq!((&config["query_pre_attn_scalar"], &config["rope_local_base_freq"]), (&8.into(), &10_000.0.into()));
    assert_eq!(config["architectures"][0], "Gemma3ForCausalLM");
}

fn open(bytes: &[u8]) -> Result<GgufModel<Cursor<&[u8]>>, GgufError> {
    GgufModel::new(GgufFile::new(Cursor::new(bytes))?)
}

fn refused(file: &GgufBytes) -> String {
    open(&file.build()).expect_err("the file is refused").to_string()
}

fn loaded(tokenizer: &GgufTokenizer) -> tokenizers::Tokenizer {
    tokenizer.tokenizer_json.to_string().parse().unwrap()
}

#[test]
fn the_hand_made_model_is_read() {
    let bytes = tiny_llama().build();
    let mut model = open(&bytes).unwrap();
    // Embedding and output 64 each, queries 64, keys, values and three matrices of the MLP 32 each, three norms.
    assert_eq!(model.num_parameters(), 64 + 64 + 64 + 5 * 32 + 3 * 8);
    // Rows of the first head in the file: 0 1 2 3, pairs apart: 0 2 1 3.
    let query = model.read("model.layers.0.self_attn.q_proj.weight").unwrap();
    assert_eq!(query.iter().step_by(8).copied().collect::<Vec<f32>>(), [0.0, 1.0, 0.5, 1.5, 2.0, 3.0, 2.5, 3.5]);
    assert_eq!(model.config()["rms_norm_eps"], 1e-5);
    assert_eq!(model.config()["tie_word_embeddings"], true);
    let tokenizer = model.tokenizer().unwrap();
    assert_eq!(loaded(&tokenizer).encode_fast("abcd", true).unwrap().get_ids(), [5, 6]);
    assert_eq!(tokenizer.settings_json["eos_token"], "<s>");
}

/// Biases of Llama are stored in pairs too.
#[test]
fn biases_of_llama_come_apart() {
    let bytes = tiny_llama()
        .tensor("blk.0.attn_q.bias", &[8], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
        .tensor("blk.0.attn_k.bias", &[4], &[0.0, 1.0, 2.0, 3.0])
        .tensor("blk.0.attn_v.bias", &[4], &[0.0, 1.0, 2.0, 3.0])
        .tensor("blk.0.attn_output.bias", &[8], &[0.0; 8])
        .build();
    let mut model = open(&bytes).unwrap();
    let bias = model.read("model.layers.0.self_attn.q_proj.bias").unwrap();
    assert_eq!(bias, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
    assert_eq!(model.read("model.layers.0.self_attn.v_proj.bias").unwrap(), [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(model.config()["attention_bias"], true);
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = tiny_llama().build();
    for length in 0..bytes.len() {
        let error = open(&bytes[..length]).err();
        assert!(error.is_some(), "cut at {length} of {}", bytes.len());
    }
    assert!(open(&bytes).is_ok());
}

/// Any one byte of the header may be anything: the answer is a model or an error, and comes at once.
#[test]
fn a_changed_byte_never_panics() {
    let bytes = tiny_llama().build();
    let header = bytes.len() - tiny_llama().tensors.iter().map(|tensor| tensor.4.len()).sum::<usize>();
    let mut num_refused = 0;
    for at in 0..header {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = value;
            match open(&changed) {
                Err(_) => num_refused += 1,
                Ok(mut model) => {
                    let _ = model.tokenizer();
                    for name in model.tensors().iter().map(|tensor| tensor.name.clone()).collect::<Vec<_>>() {
                        let _ = model.read(&name);
                    }
                }
            }
        }
    }
    assert!(num_refused > header, "{num_refused} of {}", 5 * header);
}

#[test]
fn what_is_no_gguf_file_is_refused() {
    let error = |bytes: &[u8]| GgufFile::new(Cursor::new(bytes)).err().unwrap().to_string();
    assert!(error(b"PK\x03\x04 and more").contains("not a GGUF file"));
    assert!(error(b"").contains("ends inside the magic number"));
    assert!(error(b"GGUF\x01\0\0\0").contains("version 1"));
    assert!(error(b"GGUF\x04\0\0\0").contains("version 4"));
    assert!(error(b"GGUF\0\0\0\x03").contains("big-endian"));
}

#[test]
fn counts_that_lie_are_refused() {
    let huge = |change: fn(&mut GgufBytes)| {
        let mut file = tiny_llama();
        change(&mut file);
        refused(&file)
    };
    assert!(huge(|file| file.num_tensors = Some(u64::MAX)).contains("number of tensors"));
    assert!(huge(|file| file.num_keys = Some(u64::MAX / 2)).contains("number of metadata keys"));
    // Within the limit, beyond the file.
    assert!(huge(|file| file.num_tensors = Some(60_000)).contains("directory of tensors"));
    let with = |value| refused(&tiny_llama().key("x", value));
    assert!(with(array(8, u64::MAX, b"")).contains("array elements"));
    assert!(with(array(10, 1 << 21, b"")).contains("metadata array"));
    assert!(with(raw(8, &u64::MAX.to_le_bytes())).contains("ends inside a metadata value"));
    assert!(with(array(9, 1, &[0; 32])).contains("array of arrays"));
    assert!(with(array(77, 1, &[0; 32])).contains("unknown type 77"));
    assert!(with(raw(13, &[0; 8])).contains("unknown type 13"));
    assert!(with(raw(8, b"\x02\0\0\0\0\0\0\0\xc3\x28")).contains("not UTF-8"));
}

#[test]
fn dimensions_that_lie_are_refused() {
    let with = |dimensions: &[u64], kind: u32, offset: u64| {
        let mut file = tiny_llama();
        file.tensors.push(("x".to_owned(), dimensions.to_vec(), kind, offset, vec![0; 64]));
        refused(&file)
    };
    let free = 32 * 64;
    assert!(with(&[u64::MAX, 2], 0, free).contains("more elements"));
    assert!(with(&[1 << 32, 1 << 32, 1 << 32, 1 << 32], 0, free).contains("more elements"));
    assert!(with(&[1 << 61], 1, free).contains("more elements"));
    assert!(with(&[1 << 40], 0, free).contains("past the end"));
    assert!(with(&[8, 0], 0, free).contains("no elements"));
    assert!(with(&[], 0, free).contains("no dimension"));
    assert!(with(&[1, 1, 1, 1, 1], 0, free).contains("number of dimensions"));
    assert!(with(&[33], 8, free).contains("whole blocks"));
    assert!(with(&[8], 99, free).contains("type 99"));
    assert!(with(&[8], 0, 5).contains("multiple of the file's alignment"));
    assert!(with(&[8], 0, u64::MAX - 31).contains("past the end"));
    assert!(with(&[8], 0, 0).contains("over another tensor"));
}

#[test]
fn what_is_there_twice_is_refused() {
    let mut file = tiny_llama();
    file.keys.push(file.keys[0].clone());
    assert!(refused(&file).contains("\"general.architecture\" is there twice"));
    let mut file = tiny_llama();
    file.tensors[1].0 = "token_embd.weight".to_owned();
    assert!(refused(&file).contains("\"token_embd.weight\" is there twice"));
}

#[test]
fn alignments_that_are_none_are_refused() {
    for found in [0, 3, 1 << 20] {
        let error = refused(&tiny_llama().key("general.alignment", number(found)));
        assert!(error.contains(&format!("alignment of {found}")), "{error}");
    }
    assert!(refused(&tiny_llama().key("general.alignment", text("32"))).contains("general.alignment"));
}

#[test]
fn models_that_are_not_read_are_refused_by_name() {
    let with = |key: &str, value| refused(&tiny_llama().key(key, value));
    assert!(with("general.architecture", text("mamba")).contains("\"mamba\""));
    assert!(with("llama.expert_count", number(8)).contains("llama.expert_count = 8"));
    assert!(with("llama.rope.dimension_count", number(2)).contains("rope.dimension_count = 2"));
    assert!(with("llama.rope.scaling.type", text("longrope")).contains("longrope"));
    assert!(with("llama.attention.head_count", number(0)).contains("head_count"));
    assert!(with("llama.attention.head_count_kv", integers(&[1, 2])).contains("one number for each layer"));
    assert!(with("llama.block_count", number(2)).contains("\"blk.1.attn_norm.weight\" is missing"));
    assert!(with("llama.embedding_length", number(16)).contains("shape [8, 8], expected [8, 16]"));
    let error = refused(&tiny_llama().tensor("blk.0.extra.weight", &[8], &[0.0; 8]));
    assert!(error.contains("\"blk.0.extra.weight\" has no place"));
    let mut file = tiny_llama();
    file.keys.retain(|(key, _)| key != "llama.context_length");
    assert!(refused(&file).contains("\"llama.context_length\" is missing"));
}

#[test]
fn numbers_that_are_not_finite_are_refused_when_read() {
    let mut file = tiny_llama();
    file.tensors[0].4[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let bytes = file.build();
    let error = open(&bytes).unwrap().read("model.embed_tokens.weight").unwrap_err();
    assert!(matches!(error, GgufError::NotFinite { name } if name == "token_embd.weight"));
}

/// Merges follow from scores: the best union first, whatever the order of the tokens.
#[test]
fn a_vocabulary_with_scores_becomes_merges() {
    let file = tiny_llama()
        .key("tokenizer.ggml.model", text("llama"))
        .key("tokenizer.ggml.tokens", texts(&["<unk>", "<s>", "<0x21>", "▁", "a", "b", "▁a", "ab"]))
        .key("tokenizer.ggml.token_type", integers(&[2, 3, 6, 1, 1, 1, 1, 1]))
        .key("tokenizer.ggml.scores", floats(&[0.0, 0.0, 0.0, -1.0, -2.0, -3.0, -5.0, -4.0]))
        .key("tokenizer.ggml.bos_token_id", number(1))
        .key("tokenizer.ggml.add_bos_token", flag(true));
    let bytes = file.build();
    let tokenizer = open(&bytes).unwrap().tokenizer().unwrap();
    let loaded = loaded(&tokenizer);
    // "▁ab": "ab" has the better score; "!" is a byte; "<s>" goes before.
    assert_eq!(loaded.encode_fast("ab!", true).unwrap().get_ids(), [1, 3, 7, 2]);
    assert_eq!(loaded.decode(&[1, 3, 7, 2, 3, 4], true).unwrap(), "ab! a");
    assert_eq!(tokenizer.settings_json["add_bos_token"], true);

    let bytes = file.key("tokenizer.ggml.add_space_prefix", flag(false)).build();
    let loaded = self::loaded(&open(&bytes).unwrap().tokenizer().unwrap());
    assert_eq!(loaded.encode_fast("ab a", false).unwrap().get_ids(), [7, 6]);
    assert_eq!(loaded.decode(&[3, 4], true).unwrap(), " a");
}

#[test]
fn tokenizers_that_do_not_hold_together_are_refused() {
    let with = |key: &str, value| {
        let bytes = tiny_llama().key(key, value).build();
        open(&bytes).unwrap().tokenizer().unwrap_err().to_string()
    };
    assert!(with("tokenizer.ggml.model", text("rwkv")).contains("\"rwkv\""));
    // A rule that is nearly right would give other tokens without a word.
    for name in ["nobody", "default", "exaone", "command-r", "falcon3", "jina-es", "smaug-bpe", "deepseek-r1-qwen"] {
        let error = with("tokenizer.ggml.pre", text(name));
        assert!(error.contains(&format!("by the rule {name:?}, which was not compared")), "{error}");
    }
    let mut unnamed = tiny_llama();
    unnamed.keys.retain(|(key, _)| key != "tokenizer.ggml.pre");
    let error = open(&unnamed.build()).unwrap().tokenizer().unwrap_err();
    assert!(error.to_string().contains("does not name a rule"), "{error}");
    assert!(error.hint().is_some());
    assert!(with("tokenizer.ggml.tokens", texts(&["a", "a"])).contains("twice"));
    assert!(with("tokenizer.ggml.tokens", number(3)).contains("no list of tokens"));
    assert!(with("tokenizer.ggml.token_type", integers(&[1])).contains("one token type"));
    assert!(with("tokenizer.ggml.merges", texts(&["ab"])).contains("not a pair"));
    assert!(with("tokenizer.ggml.merges", texts(&["a z"])).contains("cannot be used"));
    assert!(with("tokenizer.ggml.bos_token_id", number(99)).contains("bos_token_id"));
    assert!(with("tokenizer.ggml.model", text("llama")).contains("one score"));
}

/// The pieces into which a text is cut before merging, with the bytes as GPT-2's letters.
fn pieces(tokenizer: &tokenizers::Tokenizer, text: &str) -> Vec<String> {
    let mut normalized = NormalizedString::from(text);
    if let Some(normalizer) = tokenizer.get_normalizer() {
        normalizer.normalize(&mut normalized).unwrap();
    }
    let mut cut = PreTokenizedString::from(normalized);
    tokenizer.get_pre_tokenizer().unwrap().pre_tokenize(&mut cut).unwrap();
    let splits = cut.get_splits(OffsetReferential::Original, OffsetType::Byte);
    splits.into_iter().map(|(piece, _, _)| piece.to_owned()).filter(|piece| !piece.is_empty()).collect()
}

fn cutting(name: &str) -> (GgufTokenizer, tokenizers::Tokenizer) {
    let bytes = tiny_llama().key("tokenizer.ggml.pre", text(name)).build();
    let tokenizer = open(&bytes).unwrap().tokenizer().unwrap();
    let loaded = loaded(&tokenizer);
    (tokenizer, loaded)
}

/// Texts are cut as the published tokenizers cut them (`make_cuttings.py`).
#[test]
fn texts_are_cut_as_published_tokenizers_cut_them() {
    let cuttings: Value = serde_json::from_slice(&std::fs::read(fixture("cuttings.json")).unwrap()).unwrap();
    let texts: Vec<String> = serde_json::from_value(cuttings["texts"].clone()).unwrap();
    for name in ["gpt-2", "llama-bpe", "qwen2", "smollm"] {
        let rule = &cuttings["rules"][name];
        let (tokenizer, loaded) = cutting(name);
        assert_eq!(tokenizer.tokenizer_json["model"]["ignore_merges"], rule["takes_whole"], "{name}");
        let expected: Vec<Vec<String>> = serde_json::from_value(rule["pieces"].clone()).unwrap();
        assert_eq!(expected.len(), texts.len());
        for (text, expected) in texts.iter().zip(expected) {
            assert_eq!(pieces(&loaded, text), expected, "{name} {text:?}");
        }
    }
}

/// DeepSeek-Coder's rule, step by step: line ends, words, punctuation, Chinese and Korean, digits.
#[test]
fn deepseek_coder_cuts_in_five_steps() {
    let (tokenizer, loaded) = cutting("deepseek-coder");
    assert_eq!(tokenizer.tokenizer_json["model"]["ignore_merges"], false);
    for (text, expected) in [
        ("def f(x):\r\n  return 12", &["def", "Ġf", "(", "x", "):", "č", "Ċ", "Ġ", "Ġreturn", "Ġ", "1", "2"][..]),
        ("a_b c+d $x", &["a", "_", "b", "Ġc", "+", "d", "Ġ$", "x"]),
        ("it's  !?", &["it", "'", "s", "Ġ", "Ġ!?"]),
        // Words of Chinese are letters, and cut off from what follows.
        ("中文1", &["ä¸Ńæĸĩ", "1"]),
    ] {
        assert_eq!(pieces(&loaded, text), expected, "{text:?}");
    }
}

/// The seed of the GGUF corpus. `WRITE_SEED=1 cargo test -p codeward-lm --test gguf` writes it.
#[test]
fn the_seed_is_the_hand_made_model() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/gguf/llama");
    let bytes = tiny_llama().build();
    if std::env::var_os("WRITE_SEED").is_some() {
        std::fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}
