//! The tokenizer inside a GGUF file, as the `tokenizer.json` and `tokenizer_config.json` that Hugging Face readers take.
//!
//! A GGUF file has tokens, their kinds, and merges or scores, but only a name for how text is cut before merging; what
//! stands behind each name is written out here. Only names whose rule was compared with the published tokenizer are
//! taken (`tests/fixtures/gguf/make_cuttings.py`), and that of DeepSeek-Coder, which is as llama.cpp has it: a rule that is nearly
//! right gives other tokens than the model was trained on, and nobody would see it. llama.cpp has one rule for several names
//! whose published tokenizers differ in what its check does not reach, such as normalisation, so its table is no proof.
//! SentencePiece vocabularies have scores instead of merges: the merges follow from them.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::error::GgufError;
use super::reader::MetadataValue;

/// SentencePiece's sign for a space.
const SPACE: &str = "\u{2581}";
/// The most work for finding merges, in bytes compared; a vocabulary of 262,144 takes a fiftieth.
const MOST_SPLIT_BYTES: usize = 1 << 30;

/// A tokenizer in Hugging Face form.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufTokenizer {
    /// What goes into `tokenizer.json`.
    pub tokenizer_json: Value,
    /// What goes into `tokenizer_config.json`, chat template included.
    pub settings_json: Value,
    /// What kind it is, in a few words.
    pub kind: String,
}

/// The kinds of tokens, as the file numbers them.
mod token_kind {
    pub(super) const NORMAL: u32 = 1;
    pub(super) const UNKNOWN: u32 = 2;
    pub(super) const CONTROL: u32 = 3;
    pub(super) const USER_DEFINED: u32 = 4;
    pub(super) const BYTE: u32 = 6;
}

fn invalid<T>(reason: impl Into<String>) -> Result<T, GgufError> {
    Err(GgufError::Tokenizer { reason: reason.into() })
}

/// What the metadata says of the tokenizer.
struct Vocabulary<'a> {
    metadata: &'a BTreeMap<String, MetadataValue>,
    tokens: &'a [String],
    /// One for each token.
    kinds: Vec<u32>,
}

impl<'a> Vocabulary<'a> {
    fn new(metadata: &'a BTreeMap<String, MetadataValue>) -> Result<Self, GgufError> {
        let Some(MetadataValue::Texts(tokens)) = metadata.get("tokenizer.ggml.tokens") else {
            return invalid("it has no list of tokens");
        };
        let mut seen = HashSet::with_capacity(tokens.len());
        if let Some(token) = tokens.iter().find(|token| !seen.insert(token.as_str())) {
            return invalid(format!("token {token:?} is there twice"));
        }
        let kinds = match metadata.get("tokenizer.ggml.token_type") {
            None => vec![token_kind::NORMAL; tokens.len()],
            Some(MetadataValue::Numbers(kinds)) if kinds.len() == tokens.len() => {
                kinds.iter().map(|&kind| kind as u32).collect()
            }
            Some(_) => return invalid("it has not one token type for each token"),
        };
        Ok(Self { metadata, tokens, kinds })
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        match self.metadata.get(key) {
            Some(MetadataValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn flag(&self, key: &str) -> Option<bool> {
        match self.metadata.get(key) {
            Some(MetadataValue::Bool(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// The token that a key names by its id, if it does.
    fn named(&self, key: &str) -> Result<Option<(usize, &'a str)>, GgufError> {
        let id = match self.metadata.get(key) {
            None | Some(MetadataValue::Negative(-1)) => return Ok(None),
            Some(MetadataValue::Unsigned(id)) if *id == u64::from(u32::MAX) => return Ok(None),
            Some(MetadataValue::Unsigned(id)) => usize::try_from(*id).ok(),
            Some(_) => None,
        };
        match id.and_then(|id| Some((id, self.tokens.get(id)?))) {
            Some((id, token)) => Ok(Some((id, token))),
            None => invalid(format!("{key} is not the id of a token")),
        }
    }

    /// Token to id, for all tokens.
    fn ids(&self) -> Map<String, Value> {
        self.tokens.iter().enumerate().map(|(id, token)| (token.clone(), json!(id))).collect()
    }

    /// Markers, and tokens that are found in text before anything else is done to it.
    fn added_tokens(&self) -> Vec<Value> {
        let is_added = |kind| matches!(kind, token_kind::CONTROL | token_kind::UNKNOWN | token_kind::USER_DEFINED);
        let added = self.tokens.iter().zip(&self.kinds).enumerate();
        added
            // An empty token would be found everywhere.
            .filter(|(_, (token, kind))| is_added(**kind) && !token.is_empty())
            .map(|(id, (token, &kind))| {
                json!({
                    "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": kind != token_kind::USER_DEFINED,
                })
            })
            .collect()
    }
}

impl GgufTokenizer {
    /// Reads the tokenizer from a file's metadata.
    ///
    /// # Errors
    /// If there is none, it does not hold together, or it is of a kind that this crate does not read.
    pub fn from_metadata(metadata: &BTreeMap<String, MetadataValue>) -> Result<Self, GgufError> {
        let vocabulary = Vocabulary::new(metadata)?;
        let (body, kind, adds_begin) = match vocabulary.text("tokenizer.ggml.model") {
            Some("gpt2") => byte_level(&vocabulary)?,
            Some("llama") => sentence_piece(&vocabulary)?,
            Some(other) => return invalid(format!("its kind is {other:?}, expected \"gpt2\" or \"llama\"")),
            None => return invalid("the file does not say of what kind it is"),
        };
        let adds_begin = vocabulary.flag("tokenizer.ggml.add_bos_token").unwrap_or(adds_begin);
        let adds_end = vocabulary.flag("tokenizer.ggml.add_eos_token").unwrap_or(false);
        let begin = vocabulary.named("tokenizer.ggml.bos_token_id")?;
        let end = vocabulary.named("tokenizer.ggml.eos_token_id")?;
        let mut json = Map::new();
        json.insert("version".to_owned(), json!("1.0"));
        json.insert("truncation".to_owned(), Value::Null);
        json.insert("padding".to_owned(), Value::Null);
        json.insert("added_tokens".to_owned(), json!(vocabulary.added_tokens()));
        json.insert("normalizer".to_owned(), body.normalizer);
        json.insert("pre_tokenizer".to_owned(), body.pre_tokenizer);
        let template = post_processor(begin.filter(|_| adds_begin), end.filter(|_| adds_end));
        json.insert("post_processor".to_owned(), template);
        json.insert("decoder".to_owned(), body.decoder);
        json.insert("model".to_owned(), body.model);
        let mut settings = Map::new();
        settings.insert("tokenizer_class".to_owned(), json!("PreTrainedTokenizerFast"));
        settings.insert("clean_up_tokenization_spaces".to_owned(), json!(false));
        settings.insert("add_bos_token".to_owned(), json!(adds_begin));
        settings.insert("add_eos_token".to_owned(), json!(adds_end));
        for (name, key) in [
            ("bos_token", "tokenizer.ggml.bos_token_id"),
            ("eos_token", "tokenizer.ggml.eos_token_id"),
            ("unk_token", "tokenizer.ggml.unknown_token_id"),
            ("pad_token", "tokenizer.ggml.padding_token_id"),
        ] {
            if let Some((_, token)) = vocabulary.named(key)? {
                settings.insert(name.to_owned(), json!(token));
            }
        }
        if let Some(template) = vocabulary.text("tokenizer.chat_template") {
            settings.insert("chat_template".to_owned(), json!(template));
        }
        let (tokenizer_json, settings_json) = (Value::Object(json), Value::Object(settings));
        // What does not load here would not load anywhere.
        match tokenizer_json.to_string().parse::<tokenizers::Tokenizer>() {
            Ok(_) => Ok(Self { tokenizer_json, settings_json, kind }),
            Err(error) => invalid(error.to_string()),
        }
    }
}

/// The parts of `tokenizer.json` that depend on the kind.
struct Body {
    normalizer: Value,
    pre_tokenizer: Value,
    decoder: Value,
    model: Value,
}

/// Puts the markers around a text.
fn post_processor(begin: Option<(usize, &str)>, end: Option<(usize, &str)>) -> Value {
    if begin.is_none() && end.is_none() {
        return Value::Null;
    }
    let piece = |marker: Option<(usize, &str)>, kind: u8| {
        marker.map(|(_, token)| json!({"SpecialToken": {"id": token, "type_id": kind}}))
    };
    let sequence = |name: &str, kind: u8| {
        let text = Some(json!({"Sequence": {"id": name, "type_id": kind}}));
        [piece(begin, kind), text, piece(end, kind)].into_iter().flatten().collect::<Vec<_>>()
    };
    let mut special = Map::new();
    for (id, token) in [begin, end].into_iter().flatten() {
        special.insert(token.to_owned(), json!({"id": token, "ids": [id], "tokens": [token]}));
    }
    let pair = [sequence("A", 0), sequence("B", 1)].concat();
    json!({
        "type": "TemplateProcessing",
        "single": sequence("A", 0),
        "pair": pair,
        "special_tokens": special,
    })
}

/// How a byte-level tokenizer cuts text before merging.
struct Cutting {
    /// The names under which files ask for it.
    names: &'static [&'static str],
    normalizer: Option<&'static str>,
    steps: &'static [Step],
    /// Whether a piece that is a token is taken whole, without merging.
    takes_whole: bool,
    /// Whether texts begin with the marker where the file does not say.
    adds_begin: bool,
}

/// One step of cutting.
enum Step {
    /// Each match is a piece of its own.
    Split(&'static str),
    /// Each digit is a piece of its own.
    Digits,
    /// GPT-2's pattern.
    Gpt2,
}

const CUTTINGS: [Cutting; 5] = [
    Cutting { names: &["gpt-2"], normalizer: None, steps: &[Step::Gpt2], takes_whole: false, adds_begin: false },
    Cutting {
        names: &["smollm"],
        normalizer: None,
        steps: &[Step::Digits, Step::Gpt2],
        takes_whole: false,
        adds_begin: false,
    },
    Cutting {
        names: &["llama-bpe", "llama3", "llama-v3"],
        normalizer: None,
        steps: &[Step::Split(concat!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}",
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ))],
        takes_whole: true,
        adds_begin: true,
    },
    Cutting {
        names: &["qwen2"],
        normalizer: Some("NFC"),
        steps: &[Step::Split(concat!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ))],
        takes_whole: false,
        adds_begin: false,
    },
    Cutting {
        names: &["deepseek-coder"],
        normalizer: None,
        steps: &[
            Step::Split(r"[\r\n]"),
            Step::Split(r"\s?\p{L}+"),
            Step::Split(r"\s?\p{P}+"),
            Step::Split("[一-龥ࠀ-一가-\u{d7ff}]+"),
            Step::Digits,
        ],
        takes_whole: false,
        adds_begin: true,
    },
];

impl Cutting {
    fn pre_tokenizer(&self) -> Value {
        let cuts_as_gpt2 = self.steps.iter().any(|step| matches!(step, Step::Gpt2));
        let mut steps: Vec<Value> = Vec::new();
        for step in self.steps {
            match step {
                Step::Split(pattern) => steps.push(json!({
                    "type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false,
                })),
                Step::Digits => steps.push(json!({"type": "Digits", "individual_digits": true})),
                // Part of the last step.
                Step::Gpt2 => {}
            }
        }
        steps.push(byte_level_step(cuts_as_gpt2));
        json!({"type": "Sequence", "pretokenizers": steps})
    }
}

fn byte_level_step(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex})
}

/// Byte-level byte-pair encoding, as GPT-2 introduced it.
fn byte_level(vocabulary: &Vocabulary<'_>) -> Result<(Body, String, bool), GgufError> {
    let Some(name) = vocabulary.text("tokenizer.ggml.pre") else {
        return invalid("it does not name a rule by which text is cut before merging (tokenizer.ggml.pre)");
    };
    let Some(cutting) = CUTTINGS.iter().find(|cutting| cutting.names.contains(&name)) else {
        let known: Vec<&str> = CUTTINGS.iter().flat_map(|cutting| cutting.names).copied().collect();
        return invalid(format!(
            "it cuts text by the rule {name:?}, which was not compared with the published tokenizer; compared were {}",
            known.join(", ")
        ));
    };
    let Some(MetadataValue::Texts(merges)) = vocabulary.metadata.get("tokenizer.ggml.merges") else {
        return invalid("it has no list of merges");
    };
    let mut pairs = Vec::with_capacity(merges.len());
    for merge in merges {
        match merge.split_once(' ') {
            Some((left, right)) if !right.contains(' ') => pairs.push(json!([left, right])),
            _ => return invalid(format!("merge {merge:?} is not a pair")),
        }
    }
    let body = Body {
        normalizer: cutting.normalizer.map_or(Value::Null, |kind| json!({"type": kind})),
        pre_tokenizer: cutting.pre_tokenizer(),
        decoder: byte_level_step(true),
        model: json!({
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": cutting.takes_whole, "vocab": vocabulary.ids(), "merges": pairs,
        }),
    };
    Ok((body, format!("byte-level BPE, cut as {name}"), cutting.adds_begin))
}

/// SentencePiece byte-pair encoding with single bytes for what it does not know.
fn sentence_piece(vocabulary: &Vocabulary<'_>) -> Result<(Body, String, bool), GgufError> {
    let scores = match vocabulary.metadata.get("tokenizer.ggml.scores") {
        Some(MetadataValue::Numbers(scores)) if scores.len() == vocabulary.tokens.len() => scores,
        _ => return invalid("it has not one score for each token"),
    };
    if scores.iter().any(|score| score.is_nan()) {
        return invalid("a score is not a number");
    }
    let unknown = vocabulary.kinds.iter().position(|&kind| kind == token_kind::UNKNOWN);
    let has_bytes = vocabulary.kinds.contains(&token_kind::BYTE);
    let adds_space = vocabulary.flag("tokenizer.ggml.add_space_prefix").unwrap_or(true);
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE});
    let mut decoder = vec![
        json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    let mut normalizers = Vec::new();
    if adds_space {
        normalizers.push(json!({"type": "Prepend", "prepend": SPACE}));
        decoder.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    normalizers.push(replace);
    let body = Body {
        normalizer: json!({"type": "Sequence", "normalizers": normalizers}),
        pre_tokenizer: Value::Null,
        decoder: json!({"type": "Sequence", "decoders": decoder}),
        model: json!({
            "type": "BPE", "dropout": null, "unk_token": unknown.map(|id| &vocabulary.tokens[id]),
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true,
            "byte_fallback": has_bytes, "ignore_merges": false, "vocab": vocabulary.ids(),
            "merges": merges_by_score(vocabulary, scores)?,
        }),
    };
    Ok((body, "SentencePiece BPE".to_owned(), true))
}

/// Every way to put a token together from two others, best score first. SentencePiece joins the two neighbours whose
/// union has the best score, which is what a list of merges in this order does.
fn merges_by_score(vocabulary: &Vocabulary<'_>, scores: &[f64]) -> Result<Vec<Value>, GgufError> {
    // Markers and single bytes never come out of text.
    let is_piece = |kind| !matches!(kind, token_kind::CONTROL | token_kind::UNKNOWN | token_kind::BYTE);
    let pieces = || vocabulary.tokens.iter().enumerate().filter(|(id, _)| is_piece(vocabulary.kinds[*id]));
    let ids: HashMap<&str, usize> = pieces().map(|(id, token)| (token.as_str(), id)).collect();
    let cost = pieces().try_fold(0_usize, |sum, (_, token)| sum.checked_add(token.len().checked_mul(token.len())?));
    if cost.is_none_or(|cost| cost > MOST_SPLIT_BYTES) {
        return invalid("its tokens are too long");
    }
    let mut merges: Vec<(f64, usize, usize)> = Vec::new();
    for (id, token) in pieces() {
        let first = merges.len();
        for (cut, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(cut);
            if let (Some(&left), Some(&right)) = (ids.get(left), ids.get(right)) {
                merges.push((scores[id], left, right));
            }
        }
        merges[first..].sort_by_key(|&(_, left, right)| (left, right));
    }
    let length = |id: usize| vocabulary.tokens[id].chars().count();
    merges.sort_by(|one, other| {
        let by_score = other.0.total_cmp(&one.0);
        by_score.then_with(|| (length(other.1), length(other.2)).cmp(&(length(one.1), length(one.2))))
    });
    let token = |id: usize| &vocabulary.tokens[id];
    Ok(merges.into_iter().map(|(_, left, right)| json!([token(left), token(right)])).collect())
}
