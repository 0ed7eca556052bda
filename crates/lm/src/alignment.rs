//! Which bytes of a completion each sampled token gave.
//!
//! A reward points at places in the text, an update needs numbers for tokens. Encoding the text again would not do: a policy may
//! sample any of the many token sequences that read the same. So the alignment starts from the sampled ids and repeats what the
//! tokenizer's decoder does with them, step by step, carrying along for every byte the token it came from.
//!
//! | decoder | who gets the bytes that no token spells |
//! |---|---|
//! | byte-level | tokens may split a character: each has the bytes it gave |
//! | byte fallback (`<0xE2>`) | as above |
//! | WordPiece, or none | the space between two tokens belongs to the second |
//! | any | bytes that are no text come out as U+FFFD, which belongs to the last token that took part |
//! | any | markers, and what a decoder cuts off at the ends, leave empty spans |

use std::ops::Range;
use std::path::Path;

use tokenizers::decoders::DecoderWrapper;
use tokenizers::pre_tokenizers::metaspace::PrependScheme;
use tokenizers::utils::SysRegex;

use crate::tokenizer::{Tokenizer, TokenizerError, byte_alphabet, read_tokenizer};

/// What WordPiece decoders tidy when asked to: these spellings, one after the other.
const TIDIED: [(&str, &str); 11] = [
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
];

/// Why tokens could not be laid over a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlignmentError {
    /// The tokenizer has no such token, so nobody knows what it stands for.
    #[error("token {index} has the id {id}, which the tokenizer does not know")]
    UnknownToken {
        /// Its place in the sequence.
        index: usize,
        /// The id.
        id: u32,
    },
    /// The text is not what the tokens read as: cut, completed, or from elsewhere.
    #[error("the tokens read as {decoded} bytes and the text has {text}; they part at byte {at}")]
    TextDiffers {
        /// The first byte that differs.
        at: usize,
        /// Bytes that the tokens give.
        decoded: usize,
        /// Bytes of the text.
        text: usize,
    },
    /// The last token before the completion and the first one in it make one character between them.
    #[error("the completion starts inside a character")]
    SplitCharacter,
    /// The decoder moves text from one token to another, so that the tokens' spans do not lie in order.
    #[error("the bytes from {at} on belong to no token in order")]
    NotCovered {
        /// The first byte without a token.
        at: usize,
    },
}

/// Lays sampled tokens over the text that they read as; for any `tokenizer.json`.
///
/// ```
/// use codeward_lm::Tokenizer;
///
/// let tokenizer = Tokenizer::train_bpe(["return a + b".to_owned()].into_iter(), 300)?;
/// let aligner = tokenizer.aligner()?;
/// let tokens = tokenizer.encode("é = 1");
/// // The first character takes two bytes and, for this tokenizer, two tokens.
/// assert_eq!(aligner.align(&tokens, "é = 1")?[..2], [0..1, 1..2]);
/// assert!(aligner.align(&tokens, "é = 12").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Aligner {
    /// By id.
    vocabulary: Vec<Entry>,
    decoder: Vec<Step>,
}

/// What the vocabulary says of an id.
#[derive(Debug, Clone)]
enum Entry {
    Unknown,
    /// A marker: no text.
    Marker,
    Text(Box<str>),
}

/// One step of a decoder. All steps but `Suffix` and `Ctc` are causal.
#[derive(Debug)]
enum Step {
    /// Characters stand for bytes; all pieces become one.
    ByteLevel { byte_of: Box<[Option<u8>; 0x180]> },
    /// Runs of `<0xE2>` become characters.
    ByteFallback,
    /// All pieces become one.
    Fuse,
    /// Up to so many of a character go from both ends of each piece.
    Strip { character: char, start: usize, stop: usize },
    /// Occurrences are replaced in each piece.
    Replace { pattern: Pattern, content: String },
    /// A character stands for a space, and for nothing in the first piece where one is put before the text.
    Metaspace { character: char, is_prepended: bool },
    /// Pieces that do not continue a word start with a space.
    WordPiece { prefix: String, tidy: bool },
    /// The end of a word is marked; all but the last piece get a space there.
    Suffix { suffix: String },
    /// Repeated pieces count once.
    Ctc { pad: String, delimiter: String, tidy: bool },
    /// A space before each piece but the first.
    Spaced,
}

/// What is looked for.
#[derive(Debug)]
enum Pattern {
    Text(String),
    Regular(SysRegex),
}

impl Pattern {
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        match self {
            Self::Text(wanted) => text.match_indices(wanted).map(|(at, found)| at..at + found.len()).collect(),
            Self::Regular(regex) => regex.find_iter(text).map(|(start, end)| start..end).collect(),
        }
    }
}

/// Text whose every byte knows the place of its token in the sequence.
#[derive(Debug, Default, Clone)]
struct Piece {
    text: String,
    owners: Vec<u32>,
}

impl Piece {
    fn push(&mut self, text: &str, owner: u32) {
        self.text.push_str(text);
        self.owners.resize(self.text.len(), owner);
    }

    fn append(&mut self, from: &Self, range: Range<usize>) {
        self.text.push_str(&from.text[range.clone()]);
        self.owners.extend_from_slice(&from.owners[range]);
    }

    /// With these ranges, in order, replaced. What comes instead belongs to the last token of what was there.
    fn replaced(self, found: &[Range<usize>], content: &str) -> Self {
        if found.is_empty() {
            return self;
        }
        let mut result = Self::default();
        let mut end = 0;
        for range in found {
            result.append(&self, end..range.start);
            if let Some(&owner) = self.owners[..range.end].last().or(self.owners.first()) {
                result.push(content, owner);
            }
            end = range.end;
        }
        result.append(&self, end..self.text.len());
        result
    }

    fn replaced_text(self, from: &str, content: &str) -> Self {
        let found: Vec<_> = self.text.match_indices(from).map(|(at, found)| at..at + found.len()).collect();
        self.replaced(&found, content)
    }

    fn tidied(self) -> Self {
        TIDIED.into_iter().fold(self, |piece, (from, content)| piece.replaced_text(from, content))
    }
}

impl Tokenizer {
    /// What lays sampled tokens over their text. Making it reads the whole vocabulary: make it once.
    ///
    /// # Errors
    /// If the decoder has a pattern that cannot be understood.
    pub fn aligner(&self) -> Result<Aligner, TokenizerError> {
        Aligner::new(self.inner())
    }
}

impl Aligner {
    /// Reads a `tokenizer.json`. No settings file and no end token are needed.
    ///
    /// # Errors
    /// If the file is missing or is not a tokenizer that we understand.
    pub fn read(path: &Path) -> Result<Self, TokenizerError> {
        Self::new(&read_tokenizer(path)?)
    }

    fn new(tokenizer: &tokenizers::Tokenizer) -> Result<Self, TokenizerError> {
        let added = tokenizer.get_added_vocabulary();
        let last = tokenizer.get_vocab(true).into_values().max();
        let entry = |id: u32| {
            // The form that decoders see differs from the content of tokens that are normalised when they are read.
            match added.simple_id_to_token(id).or_else(|| tokenizer.id_to_token(id)) {
                None => Entry::Unknown,
                Some(text) if added.is_special_token(&text) => Entry::Marker,
                Some(text) => Entry::Text(text.into()),
            }
        };
        let vocabulary = last.map_or_else(Vec::new, |last| (0..=last).map(entry).collect());
        let mut decoder = Vec::new();
        match tokenizer.get_decoder() {
            Some(wrapper) => add_steps(wrapper, &mut decoder)?,
            None => decoder.push(Step::Spaced),
        }
        Ok(Self { vocabulary, decoder })
    }

    /// The text that tokens read as, markers left out.
    ///
    /// # Errors
    /// If the tokenizer does not know one of the tokens.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, AlignmentError> {
        Ok(self.trace(tokens)?.text)
    }

    /// The byte span of each token in the completion that the tokens, decoded alone, read as: adjacent, in order, and covering all of
    /// it. A span may start and end inside a character that several tokens make.
    ///
    /// # Errors
    /// If a token is unknown or the tokens do not read as this text, to the byte.
    pub fn align(&self, tokens: &[u32], completion: &str) -> Result<Vec<Range<usize>>, AlignmentError> {
        self.align_after(&[], tokens, completion)
    }

    /// As [`Aligner::align`] for a completion that was decoded together with the tokens before it. SentencePiece decoders drop
    /// a space at the start of a text, so the two readings differ.
    ///
    /// # Errors
    /// As [`Aligner::align`], or if the completion starts inside a character.
    pub fn align_after(
        &self,
        prompt: &[u32],
        tokens: &[u32],
        completion: &str,
    ) -> Result<Vec<Range<usize>>, AlignmentError> {
        let decoded = self.trace(&[prompt, tokens].concat())?;
        let first = prompt.len() as u32;
        let offset = decoded.owners.iter().position(|&owner| owner >= first).unwrap_or(decoded.text.len());
        let text = decoded.text.get(offset..).ok_or(AlignmentError::SplitCharacter)?;
        if text != completion {
            let at = text.bytes().zip(completion.bytes()).take_while(|(ours, theirs)| ours == theirs).count();
            return Err(AlignmentError::TextDiffers { at, decoded: text.len(), text: completion.len() });
        }
        let owners = &decoded.owners[offset..];
        let mut end = 0;
        let spans = (first..first + tokens.len() as u32)
            .map(|owner| {
                let start = end;
                end += owners[start..].iter().take_while(|&&other| other == owner).count();
                start..end
            })
            .collect();
        if end < owners.len() { Err(AlignmentError::NotCovered { at: end }) } else { Ok(spans) }
    }

    /// Decodes while noting the token behind each byte.
    fn trace(&self, tokens: &[u32]) -> Result<Piece, AlignmentError> {
        let mut pieces = Vec::with_capacity(tokens.len());
        for (index, &id) in tokens.iter().enumerate() {
            match self.vocabulary.get(id as usize).unwrap_or(&Entry::Unknown) {
                Entry::Unknown => return Err(AlignmentError::UnknownToken { index, id }),
                Entry::Marker => {}
                Entry::Text(text) => {
                    pieces.push(Piece { text: text.to_string(), owners: vec![index as u32; text.len()] });
                }
            }
        }
        Ok(joined(&self.decoder.iter().fold(pieces, |pieces, step| step.apply(pieces))))
    }
}

/// The steps of a decoder, nested sequences laid flat.
fn add_steps(wrapper: &DecoderWrapper, steps: &mut Vec<Step>) -> Result<(), TokenizerError> {
    steps.push(match wrapper {
        DecoderWrapper::Sequence(sequence) => {
            return sequence.get_decoders().iter().try_for_each(|decoder| add_steps(decoder, steps));
        }
        DecoderWrapper::ByteLevel(_) => {
            let mut byte_of = Box::new([None; 0x180]);
            for (character, byte) in byte_alphabet() {
                byte_of[character as usize] = Some(byte);
            }
            Step::ByteLevel { byte_of }
        }
        DecoderWrapper::ByteFallback(_) => Step::ByteFallback,
        DecoderWrapper::Fuse(_) => Step::Fuse,
        DecoderWrapper::Strip(strip) => Step::Strip { character: strip.content, start: strip.start, stop: strip.stop },
        DecoderWrapper::Replace(replace) => {
            let form = serde_json::to_value(replace).expect("a replacement is plain data");
            let pattern = match (form["pattern"]["String"].as_str(), form["pattern"]["Regex"].as_str()) {
                (Some(text), _) => Pattern::Text(text.to_owned()),
                (None, regex) => Pattern::Regular(
                    SysRegex::new(regex.unwrap_or_default())
                        .map_err(|error| TokenizerError::Decoder { reason: error.to_string() })?,
                ),
            };
            Step::Replace { pattern, content: replace.content.clone() }
        }
        DecoderWrapper::Metaspace(metaspace) => Step::Metaspace {
            character: metaspace.get_replacement(),
            is_prepended: metaspace.get_prepend_scheme() != PrependScheme::Never,
        },
        DecoderWrapper::WordPiece(pieces) => Step::WordPiece { prefix: pieces.prefix.clone(), tidy: pieces.cleanup },
        DecoderWrapper::BPE(suffixed) => Step::Suffix { suffix: suffixed.suffix.clone() },
        DecoderWrapper::CTC(ctc) => {
            Step::Ctc { pad: ctc.pad_token.clone(), delimiter: ctc.word_delimiter_token.clone(), tidy: ctc.cleanup }
        }
    });
    Ok(())
}

fn joined(pieces: &[Piece]) -> Piece {
    let mut result = Piece::default();
    for piece in pieces {
        result.append(piece, 0..piece.text.len());
    }
    result
}

impl Step {
    fn apply(&self, pieces: Vec<Piece>) -> Vec<Piece> {
        match self {
            Self::ByteLevel { byte_of } => vec![from_byte_level(&pieces, byte_of)],
            Self::ByteFallback => from_byte_fallback(pieces),
            Self::Fuse => vec![joined(&pieces)],
            &Self::Strip { character, start, stop } => {
                pieces.iter().map(|piece| stripped(piece, character, start, stop)).collect()
            }
            Self::Replace { pattern, content } => pieces
                .into_iter()
                .map(|piece| {
                    let found = pattern.find(&piece.text);
                    piece.replaced(&found, content)
                })
                .collect(),
            &Self::Metaspace { character, is_prepended } => {
                let mut buffer = [0; 4];
                let sign = &*character.encode_utf8(&mut buffer);
                let instead = |index| if index == 0 && is_prepended { "" } else { " " };
                pieces.into_iter().enumerate().map(|(index, piece)| piece.replaced_text(sign, instead(index))).collect()
            }
            Self::WordPiece { prefix, tidy } => pieces
                .into_iter()
                .enumerate()
                .map(|(index, piece)| {
                    let piece = if index == 0 { piece } else { continued(&piece, prefix) };
                    if *tidy { piece.tidied() } else { piece }
                })
                .collect(),
            Self::Suffix { suffix } => {
                let num_pieces = pieces.len();
                let instead = |index| if index + 1 == num_pieces { "" } else { " " };
                pieces
                    .into_iter()
                    .enumerate()
                    .map(|(index, piece)| piece.replaced_text(suffix, instead(index)))
                    .collect()
            }
            Self::Ctc { pad, delimiter, tidy } => {
                let mut pieces = pieces;
                pieces.dedup_by(|piece, earlier| piece.text == earlier.text);
                let decoded = pieces.into_iter().map(|piece| {
                    let piece = piece.replaced_text(pad, "");
                    if *tidy { piece.tidied().replaced_text(delimiter, " ") } else { piece }
                });
                decoded.filter(|piece| !piece.text.is_empty()).collect()
            }
            Self::Spaced => pieces
                .into_iter()
                .enumerate()
                .map(|(index, piece)| if index == 0 { piece } else { spaced(&piece, 0) })
                .collect(),
        }
    }
}

/// The piece from this byte on, after a space that belongs to its first token.
fn spaced(piece: &Piece, from: usize) -> Piece {
    let mut result = Piece::default();
    if let Some(&owner) = piece.owners.first() {
        result.push(" ", owner);
    }
    result.append(piece, from..piece.text.len());
    result
}

/// A piece of WordPiece that is not the first.
fn continued(piece: &Piece, prefix: &str) -> Piece {
    if !piece.text.starts_with(prefix) {
        return spaced(piece, 0);
    }
    let mut result = Piece::default();
    result.append(piece, prefix.len()..piece.text.len());
    result
}

fn stripped(piece: &Piece, character: char, start: usize, stop: usize) -> Piece {
    let at_start = piece.text.chars().take(start).take_while(|&other| other == character).count();
    let at_end = piece.text.chars().rev().take(stop).take_while(|&other| other == character).count();
    let from = at_start * character.len_utf8();
    let to = piece.text.len() - at_end * character.len_utf8();
    let mut result = Piece::default();
    result.append(piece, from..to.max(from));
    result
}

/// The pieces' bytes as text. What is no UTF-8 becomes replacement characters, one for each maximal part of a character.
fn from_byte_level(pieces: &[Piece], byte_of: &[Option<u8>; 0x180]) -> Piece {
    let mut bytes = Vec::new();
    let mut owners = Vec::new();
    for piece in pieces {
        let byte = |character: char| byte_of.get(character as usize).copied().flatten();
        if piece.text.chars().all(|character| byte(character).is_some()) {
            for (at, character) in piece.text.char_indices() {
                bytes.extend(byte(character));
                owners.push(piece.owners[at]);
            }
        } else {
            // Added tokens are often plain text.
            bytes.extend_from_slice(piece.text.as_bytes());
            owners.extend_from_slice(&piece.owners);
        }
    }
    let mut result = Piece::default();
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        let end = at + chunk.valid().len();
        result.text.push_str(chunk.valid());
        result.owners.extend_from_slice(&owners[at..end]);
        at = end + chunk.invalid().len();
        if at > end {
            result.push(char::REPLACEMENT_CHARACTER.encode_utf8(&mut [0; 3]), owners[at - 1]);
        }
    }
    result
}

/// Runs of byte tokens as text; a run that is no UTF-8 is a replacement character for each of its bytes.
fn from_byte_fallback(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut result = Vec::with_capacity(pieces.len());
    let mut run = (Vec::new(), Vec::new());
    let finish = |(bytes, owners): (Vec<u8>, Vec<u32>), result: &mut Vec<Piece>| match String::from_utf8(bytes) {
        Ok(text) if text.is_empty() => {}
        Ok(text) => result.push(Piece { text, owners }),
        Err(_) => result.extend(owners.into_iter().map(|owner| {
            let mut piece = Piece::default();
            piece.push(char::REPLACEMENT_CHARACTER.encode_utf8(&mut [0; 3]), owner);
            piece
        })),
    };
    for piece in pieces {
        if let Some(byte) = byte_token(&piece.text) {
            run.0.push(byte);
            run.1.push(piece.owners[0]);
        } else {
            finish(std::mem::take(&mut run), &mut result);
            result.push(piece);
        }
    }
    finish(run, &mut result);
    result
}

/// The byte that a token such as `<0xE2>` stands for.
fn byte_token(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}
