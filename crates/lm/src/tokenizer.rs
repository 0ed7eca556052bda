//! Text to token ids and back, in the `tokenizer.json` format.
//!
//! Text is data: a marker such as `<|endoftext|>` that is spelled out in a prompt becomes ordinary tokens, so that
//! nobody can end a text or forge a turn from inside it. [`Tokenizer::token_id`] gives the id of a real marker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::{ModelWrapper, TrainerWrapper};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior};

use crate::weights::{LoadError, SaveError, create_folder, read_text, write_text};

const TOKENIZER_FILE: &str = "tokenizer.json";
const SETTINGS_FILE: &str = "tokenizer_config.json";
const TEMPLATE_FILE: &str = "chat_template.jinja";
const GENERATION_FILE: &str = "generation_config.json";
const CONFIG_FILE: &str = "config.json";
/// The marker that ends a text in tokenizers we train, and the first guess in others.
const END_OF_TEXT: &str = "<|endoftext|>";
/// Longer tokens are whole phrases of the training text.
const LONGEST_TOKEN: usize = 24;
/// How text is cut before merging, so that a name has the same tokens wherever it stands and can be copied from a prompt
/// piece by piece. Alternatives in order: line ends with the indentation that follows, so that a line's depth is one token; a
/// keyword with the spaces around it; a word with the space before it; underscores; a single digit; signs with the spaces
/// around them; other space.
const PIECES: &str = concat!(
    r"[\r\n]+[ \t]*",
    r"| ?\b(?:and|as|assert|class|def|del|elif|else|except|for|from|if|import|in|is|lambda|not|or|raise|return|while|with|yield) ",
    r"| ?\p{L}+|_+|\p{N}| ?[^\s\p{L}\p{N}_]+ ?|[^\S\r\n]+",
);

/// Turns text into token ids and back.
///
/// ```
/// use codeward_lm::Tokenizer;
///
/// let texts = ["def add(a, b):\n    return a + b\n".to_owned()];
/// let tokenizer = Tokenizer::train_bpe(texts.into_iter(), 300)?;
/// let tokens = tokenizer.encode("return a + 1");
/// assert_eq!(tokenizer.decode(&tokens), "return a + 1");
/// # Ok::<(), codeward_lm::TokenizerError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    eos_token: String,
    /// What ends a text, the tokenizer's own end token first.
    end_ids: Vec<u32>,
    /// What else the checkpoint says of text, for those who read what is saved.
    kept: KeptSettings,
    vocab_size: usize,
    /// The bytes that each token stands for; empty for markers. Only for byte-level tokenizers.
    token_bytes: Option<Vec<Vec<u8>>>,
}

/// What a checkpoint says of text beside its tokens.
#[derive(Debug, Clone, Default)]
struct KeptSettings {
    /// Chat templates and special tokens, by their keys in `tokenizer_config.json`.
    settings: Map<String, Value>,
    /// The contents of `chat_template.jinja`.
    template: Option<String>,
}

/// Why a tokenizer could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// A file is missing or unreadable.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The file is not a tokenizer that we understand.
    #[error("cannot understand the tokenizer {path:?}: {reason}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// Nothing says which token ends a text.
    #[error("{path:?} names no end token, and the vocabulary has no {END_OF_TEXT}")]
    NoEndToken {
        /// The settings file.
        path: PathBuf,
    },
    /// The settings name an end token that the vocabulary does not have.
    #[error("the end token {token:?} of {path:?} is not in the vocabulary")]
    UnknownEndToken {
        /// The settings file.
        path: PathBuf,
        /// The token.
        token: String,
    },
    /// What ends a text is not said in numbers.
    #[error("{path:?} has end tokens that are neither an id nor a list of ids")]
    InvalidEndTokens {
        /// The settings file.
        path: PathBuf,
    },
    /// A byte-level vocabulary holds all bytes and the end token.
    #[error("a vocabulary of {found} is too small, expected at least {least}")]
    TooSmall {
        /// What was asked for.
        found: usize,
        /// The least that works.
        least: usize,
    },
    /// The decoder has a pattern that is no regular expression.
    #[error("cannot understand the tokenizer's decoder: {reason}")]
    Decoder {
        /// What the parser says.
        reason: String,
    },
    /// Training failed.
    #[error("cannot train the tokenizer: {reason}")]
    Training {
        /// What the trainer says.
        reason: String,
    },
}

impl TokenizerError {
    /// What the user can do about it, where we know.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Load(error) => error.hint(),
            Self::NoEndToken { .. } => Some("add \"eos_token\" to tokenizer_config.json"),
            Self::UnknownEndToken { .. } => Some("check that both tokenizer files belong together"),
            Self::InvalidEndTokens { .. } => Some("eos_token_id is a number or a list of numbers"),
            Self::Invalid { .. } | Self::Decoder { .. } | Self::TooSmall { .. } | Self::Training { .. } => None,
        }
    }
}

impl Tokenizer {
    /// Reads `tokenizer.json` and, for the end tokens, `tokenizer_config.json` and `generation_config.json` or `config.json`
    /// from a checkpoint folder.
    ///
    /// # Errors
    /// If a file is missing or broken, or no end token is known.
    pub fn load(folder: &Path) -> Result<Self, TokenizerError> {
        let inner = read_tokenizer(&folder.join(TOKENIZER_FILE))?;
        let path = folder.join(SETTINGS_FILE);
        let settings = read_settings(&path)?;
        let named = &settings["eos_token"];
        let named = named.as_str().or_else(|| named["content"].as_str()).map(str::to_owned);
        let token = named.as_deref().unwrap_or(END_OF_TEXT);
        match (inner.token_to_id(token), &named) {
            (Some(id), _) => {
                let mut tokenizer = Self::new(inner, token.to_owned(), id);
                let further = further_end_ids(folder)?;
                tokenizer.end_ids.extend(further.into_iter().filter(|&other| other != id));
                tokenizer.kept = KeptSettings::new(folder, &settings)?;
                Ok(tokenizer)
            }
            (None, Some(token)) => Err(TokenizerError::UnknownEndToken { path, token: token.clone() }),
            (None, None) => Err(TokenizerError::NoEndToken { path }),
        }
    }

    /// Trains a byte-level byte-pair encoding. The same texts in the same order give the same tokenizer.
    ///
    /// The end token `<|endoftext|>` has id 0. The vocabulary comes out smaller if the texts have fewer pairs to merge.
    ///
    /// # Errors
    /// If `vocab_size` is below 257.
    pub fn train_bpe(texts: impl Iterator<Item = String>, vocab_size: usize) -> Result<Self, TokenizerError> {
        const LEAST: usize = 257;
        if vocab_size < LEAST {
            return Err(TokenizerError::TooSmall { found: vocab_size, least: LEAST });
        }
        let failed = |error: tokenizers::Error| TokenizerError::Training { reason: error.to_string() };
        let split = Split::new(SplitPattern::Regex(PIECES.to_owned()), SplitDelimiterBehavior::Isolated, false)
            .map_err(failed)?;
        // No space is put before the text, and the pieces above are the only cuts.
        let bytes = ByteLevel::new(false, true, false);
        let mut inner = tokenizers::Tokenizer::new(ModelWrapper::from(BPE::default()));
        inner.with_pre_tokenizer(Some(PreTokenizerWrapper::from(Sequence::new(vec![split.into(), bytes.into()]))));
        inner.with_decoder(Some(DecoderWrapper::from(ByteLevelDecoder::default())));
        let trainer = BpeTrainer::builder()
            .vocab_size(vocab_size)
            .min_frequency(2)
            .show_progress(false)
            .max_token_length(Some(LONGEST_TOKEN))
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .special_tokens(vec![AddedToken::from(END_OF_TEXT, true)])
            .build();
        let texts: Vec<String> = texts.collect();
        inner.train(&mut TrainerWrapper::from(trainer), texts.into_iter()).map_err(failed)?;
        let eos_id = inner.token_to_id(END_OF_TEXT).expect("the trainer adds the marker it was given");
        Ok(Self::new(inner, END_OF_TEXT.to_owned(), eos_id))
    }

    fn new(mut inner: tokenizers::Tokenizer, eos_token: String, eos_id: u32) -> Self {
        inner.set_encode_special_tokens(true);
        let vocabulary = inner.get_vocab(true);
        // Ids may have gaps; a table by id must reach the last.
        let vocab_size = vocabulary.values().max().map_or(0, |&last| last as usize + 1);
        let byte_level = matches!(inner.get_decoder(), Some(DecoderWrapper::ByteLevel(_)));
        let token_bytes = byte_level.then(|| token_bytes(&inner, vocab_size));
        Self { inner, eos_token, end_ids: vec![eos_id], kept: KeptSettings::default(), vocab_size, token_bytes }
    }

    /// Writes `tokenizer.json` and `tokenizer_config.json`, and where a checkpoint had them, its chat template and a
    /// `generation_config.json` with its end tokens; each file appears whole or not at all.
    ///
    /// # Errors
    /// If the folder or a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), SaveError> {
        create_folder(folder)?;
        let text = self.inner.to_string(true).expect("a tokenizer is plain data");
        write_text(&folder.join(TOKENIZER_FILE), &(text + "\n"))?;
        let mut settings = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": self.eos_token,
            "pad_token": self.eos_token,
            "clean_up_tokenization_spaces": false,
        });
        for (key, value) in &self.kept.settings {
            settings[key] = value.clone();
        }
        write_json(&folder.join(SETTINGS_FILE), &settings)?;
        if let Some(template) = &self.kept.template {
            write_text(&folder.join(TEMPLATE_FILE), template)?;
        }
        if self.end_ids.len() > 1 {
            write_json(&folder.join(GENERATION_FILE), &json!({"eos_token_id": self.end_ids}))?;
        }
        Ok(())
    }

    /// The tokens of a text. Nothing is added, and markers in the text are ordinary text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let encoding = self.inner.encode_fast(text, false).expect("a tokenizer that was loaded takes any text");
        encoding.get_ids().to_vec()
    }

    /// The tokens of a text in which markers are markers, as in what a chat template writes. Nothing is added.
    pub fn encode_with_markers(&self, text: &str) -> Vec<u32> {
        let mut inner = self.inner.clone();
        inner.set_encode_special_tokens(false);
        let encoding = inner.encode_fast(text, false).expect("a tokenizer that was loaded takes any text");
        encoding.get_ids().to_vec()
    }

    /// The first marker that is spelled out in a text.
    pub fn marker_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        let names = self.inner.get_added_tokens_decoder().into_values().filter(|token| token.special);
        let found = names.filter_map(|token| text.find(&token.content).map(|at| &text[at..at + token.content.len()]));
        found.min_by_key(|found| (found.as_ptr(), std::cmp::Reverse(found.len())))
    }

    /// The text of tokens, without markers. Bytes that are no UTF-8 become replacement characters.
    pub fn decode(&self, tokens: &[u32]) -> String {
        match &self.token_bytes {
            Some(_) => String::from_utf8_lossy(&self.bytes(tokens)).into_owned(),
            None => self.inner.decode(tokens, true).expect("a decoder takes any known tokens"),
        }
    }

    pub(crate) fn inner(&self) -> &tokenizers::Tokenizer {
        &self.inner
    }

    fn bytes(&self, tokens: &[u32]) -> Vec<u8> {
        let table = self.token_bytes.as_deref().unwrap_or_default();
        tokens.iter().filter_map(|&token| table.get(token as usize)).flatten().copied().collect()
    }

    /// The id of the token that ends a text.
    pub fn eos_id(&self) -> u32 {
        self.end_ids[0]
    }

    /// The ids of all tokens that end a text by what the checkpoint says, [`Tokenizer::eos_id`] first.
    pub fn end_ids(&self) -> &[u32] {
        &self.end_ids
    }

    /// The id of a marker by its name.
    pub fn marker_id(&self, name: &str) -> Option<u32> {
        let id = self.inner.token_to_id(name)?;
        self.inner.get_added_tokens_decoder().get(&id).is_some_and(|token| token.special).then_some(id)
    }

    pub(crate) fn marker_ids(&self) -> impl Iterator<Item = u32> + use<> {
        let markers: BTreeMap<u32, AddedToken> = self.inner.get_added_tokens_decoder().into_iter().collect();
        markers.into_iter().filter(|(_, token)| token.special).map(|(id, _)| id)
    }

    /// The id of a token or marker by its name in the file.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// One more than the largest id.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }
}

/// What every tokenizer must take: letters, a byte that no text has, and the last character of all.
const PROBE: &str = "a\u{0}é \u{10fffd}\n";

/// Reads a `tokenizer.json`.
pub(crate) fn read_tokenizer(path: &Path) -> Result<tokenizers::Tokenizer, TokenizerError> {
    let text = read_text(path, "the tokenizer")?;
    let invalid = |reason: String| TokenizerError::Invalid { path: path.to_owned(), reason };
    // The parser panics on some texts that are no JSON, so that is asked first, and on some tables that are none.
    serde_json::from_str::<serde::de::IgnoredAny>(&text).map_err(|error| invalid(error.to_string()))?;
    let parsed = std::panic::catch_unwind(|| {
        let tokenizer: tokenizers::Tokenizer = text.parse()?;
        // One that has no token for what it does not know fails here rather than in the middle of a text.
        tokenizer.encode_fast(PROBE, false)?;
        Ok::<_, tokenizers::Error>(tokenizer)
    });
    match parsed {
        Ok(parsed) => parsed.map_err(|error| invalid(error.to_string())),
        Err(_) => Err(invalid("a part of it is broken".to_owned())),
    }
}

/// A JSON file of settings; nothing if it is not there.
fn read_settings(path: &Path) -> Result<Value, LoadError> {
    match read_text(path, "settings") {
        Ok(text) => serde_json::from_str(&text).map_err(|source| LoadError::Json { path: path.to_owned(), source }),
        Err(LoadError::MissingFile { .. }) => Ok(Value::Null),
        Err(error) => Err(error),
    }
}

fn write_json(path: &Path, value: &Value) -> Result<(), SaveError> {
    let text = serde_json::to_string_pretty(value).expect("settings are plain data");
    write_text(path, &(text + "\n"))
}

/// The end tokens that sampling is to use, or, where nothing says that, those of the model.
fn further_end_ids(folder: &Path) -> Result<Vec<u32>, TokenizerError> {
    for name in [GENERATION_FILE, CONFIG_FILE] {
        let path = folder.join(name);
        let ids = read_settings(&path)?["eos_token_id"].take();
        let ids = match ids {
            Value::Null => continue,
            Value::Array(ids) => ids,
            id => vec![id],
        };
        let id = |id: &Value| id.as_u64().and_then(|id| u32::try_from(id).ok());
        let ids: Option<Vec<u32>> = ids.iter().map(id).collect();
        return ids.ok_or(TokenizerError::InvalidEndTokens { path });
    }
    Ok(Vec::new())
}

impl KeptSettings {
    fn new(folder: &Path, settings: &Value) -> Result<Self, LoadError> {
        const KEYS: [&str; 4] = ["bos_token", "pad_token", "unk_token", "chat_template"];
        let key =
            |key: &str| settings.get(key).filter(|value| !value.is_null()).map(|value| (key.to_owned(), value.clone()));
        let template = match read_text(&folder.join(TEMPLATE_FILE), "the chat template") {
            Ok(template) => Some(template),
            Err(LoadError::MissingFile { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Self { settings: KEYS.into_iter().filter_map(key).collect(), template })
    }
}

/// The bytes of every token: its characters by the byte-level alphabet, or nothing for a marker.
fn token_bytes(inner: &tokenizers::Tokenizer, vocab_size: usize) -> Vec<Vec<u8>> {
    let byte_of = byte_alphabet();
    let markers = inner.get_added_tokens_decoder();
    (0..vocab_size as u32)
        .map(|id| {
            let token = inner.id_to_token(id).unwrap_or_default();
            match markers.get(&id) {
                Some(marker) if marker.special => Vec::new(),
                // An added token that is no marker stands for its own text.
                Some(_) => token.into_bytes(),
                None => token.chars().filter_map(|character| byte_of.get(&character).copied()).collect(),
            }
        })
        .collect()
}

/// The byte behind each character of the byte-level alphabet: printable Latin-1 stands for itself, the other bytes
/// follow from 256 on, in order.
pub(crate) fn byte_alphabet() -> BTreeMap<char, u8> {
    let mut shifted = 256..;
    (0..=u8::MAX)
        .map(|byte| {
            let printable = matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
            let code = if printable { u32::from(byte) } else { shifted.next().expect("the range has no end") };
            (char::from_u32(code).expect("below the surrogates"), byte)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn corpus() -> impl Iterator<Item = String> {
        (0..40).map(|i| {
            format!(
                "def read_{i}(path, user_name):\n    if not path.startswith('/srv/'):\n        raise ValueError(path)\n    \
                 with open(path) as handle:\n        return handle.read() + {i}\n\n\n# größer – naïve {i}\n"
            )
        })
    }

    fn trained() -> Tokenizer {
        Tokenizer::train_bpe(corpus(), 400).unwrap()
    }

    fn texts_of(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
        tokenizer.encode(text).iter().map(|&token| tokenizer.decode(&[token])).collect()
    }

    #[test]
    fn indentation_is_one_token_and_digits_stand_alone() {
        let tokenizer = trained();
        let tokens = texts_of(&tokenizer, "x = 1234\n        return handle");
        assert_eq!(tokens[4..8], ["1", "2", "3", "4"].map(String::from), "{tokens:?}");
        assert!(tokens.contains(&"\n        ".to_owned()), "{tokens:?}");
        assert!(tokens.contains(&"return ".to_owned()), "{tokens:?}");
    }

    #[test]
    fn training_is_deterministic() {
        let first = trained().inner.to_string(false).unwrap();
        for _ in 0..3 {
            assert_eq!(trained().inner.to_string(false).unwrap(), first);
        }
    }

    #[test]
    fn markers_in_text_are_text() {
        let tokenizer = trained();
        let tokens = tokenizer.encode("a<|endoftext|>b");
        assert!(!tokens.contains(&tokenizer.eos_id()));
        assert_eq!(tokenizer.decode(&tokens), "a<|endoftext|>b");
        assert_eq!(tokenizer.token_id("<|endoftext|>"), Some(0));
        // A real marker leaves no text.
        assert_eq!(tokenizer.decode(&[tokens[0], tokenizer.eos_id(), tokens[0]]), "aa");
    }

    #[test]
    fn saving_and_loading_gives_the_same_tokenizer() {
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = trained();
        tokenizer.save(folder.path()).unwrap();
        let loaded = Tokenizer::load(folder.path()).unwrap();
        let text = "def read_7(path):\n\tnaïve\r\n";
        assert_eq!(loaded.encode(text), tokenizer.encode(text));
        assert_eq!((loaded.eos_id(), loaded.vocab_size()), (0, tokenizer.vocab_size()));
        assert_eq!(loaded.inner.to_string(false).unwrap(), tokenizer.inner.to_string(false).unwrap());
    }

    #[test]
    fn errors_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = Tokenizer::load(folder.path()).unwrap_err();
        assert!(
            matches!(&error, TokenizerError::Load(LoadError::MissingFile { path, .. }) if path.ends_with("tokenizer.json"))
        );
        std::fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
        let error = Tokenizer::load(folder.path()).unwrap_err();
        assert!(matches!(error, TokenizerError::Invalid { .. }), "{error}");
        trained().save(folder.path()).unwrap();
        std::fs::write(folder.path().join("tokenizer_config.json"), r#"{"eos_token": {"content": "<end>"}}"#).unwrap();
        let error = Tokenizer::load(folder.path()).unwrap_err();
        assert!(matches!(&error, TokenizerError::UnknownEndToken { token, .. } if token == "<end>"), "{error}");
        assert!(error.hint().is_some());
        let error = Tokenizer::train_bpe(corpus(), 256).unwrap_err();
        assert_eq!(error.to_string(), "a vocabulary of 256 is too small, expected at least 257");
    }

    #[test]
    fn decoding_agrees_with_the_library() {
        let tokenizer = trained();
        for tokens in [tokenizer.encode("größer\n    x = 1"), vec![200, 150, 9, 399, 0, 77]] {
            assert_eq!(tokenizer.decode(&tokens), tokenizer.inner.decode(&tokens, true).unwrap());
        }
    }

    proptest! {
        #[test]
        fn any_text_survives(text in any::<String>()) {
            static TRAINED: std::sync::OnceLock<Tokenizer> = std::sync::OnceLock::new();
            let tokenizer = TRAINED.get_or_init(trained);
            let tokens = tokenizer.encode(&text);
            prop_assert_eq!(tokenizer.decode(&tokens), text);
        }
    }
}
