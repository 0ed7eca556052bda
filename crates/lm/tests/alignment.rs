//! Alignment of tokens with their text, held against what the tokenizers library says when it encodes and when it decodes.
//!
//! The tokenizers in `tests/fixtures/tokenizers` are of every kind that models use (`scripts/train-test-tokenizers` made them), the
//! bundled model's is one more. `CODEWARD_TOKENIZERS` may name a folder whose subfolders hold a `tokenizer.json` each, of
//! published models: the ignored test reads those.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use std::ops::Range;
use std::path::{Path, PathBuf};

use codeward_lm::{Aligner, AlignmentError, Tokenizer as Bundled};
use rayon::prelude::*;
use tokenizers::{Encoding, Tokenizer};

const NUM_PROGRAMS: u64 = 10_000;

/// A stream of numbers from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((number ^ (number >> 31)) % limit as u64) as usize
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

const NAMES: [&str; 18] = [
    "path",
    "user_name",
    "x",
    "getElementById",
    "i",
    "größe",
    "数据",
    "Cursor",
    "MAX_LEN",
    "strncpy",
    "os.path.join",
    "__init__",
    "données",
    "fmt.Sprintf",
    "данные",
    "self.items",
    "buf2",
    "_",
];
const TEXTS: [&str; 14] = [
    "'SELECT * FROM t WHERE a = ?'",
    "\"naïve – façade\"",
    "'🦀🔥'",
    "\"\\n\\x00\"",
    "'👩‍👩‍👧 family'",
    "\"don't do not .\"",
    "\"<|im_end|>\"",
    "'  '",
    "`tpl ${x}`",
    "'مرحبا'",
    "'e\u{301}'",
    "\"<0xE2>\"",
    "'▁ ##ing </w>'",
    "\"\u{10ffff}\"",
];
const SIGNS: [&str; 12] = [" + ", "==", " != ", ".", "->", "::", ", ", " % ", " && ", "<<=", "//", "*"];

fn expression(draw: &mut Draw, depth: usize) -> String {
    match draw.below(if depth == 0 { 3 } else { 6 }) {
        0 => draw.of(&NAMES).to_owned(),
        1 => draw.of(&TEXTS).to_owned(),
        2 => draw.below(100_000).to_string(),
        3 => format!("{}({})", draw.of(&NAMES), expression(draw, depth - 1)),
        4 => format!("{}{}{}", expression(draw, depth - 1), draw.of(&SIGNS), expression(draw, depth - 1)),
        _ => format!("{}[{}]", draw.of(&NAMES), expression(draw, depth - 1)),
    }
}

/// A program that nobody wrote, in the manner of one of the task languages.
fn program(seed: u64) -> String {
    let mut draw = Draw(seed);
    let mut text =
        String::from(draw.of(&["", "", "\n", "  ", "```python\n", "#include <stdio.h>\n", "package main\n\n"]));
    for _ in 0..=draw.below(4) {
        text += &statement(&mut draw);
    }
    text
}

fn statement(draw: &mut Draw) -> String {
    let indent = draw.of(&["", "    ", "\t", "        ", "\t\t", " "]);
    let value = expression(draw, 2);
    let name = draw.of(&NAMES);
    match draw.below(8) {
        0 => format!("{indent}def {name}({value}):\n"),
        1 => format!("{indent}{name} = {value}\n"),
        2 => format!("{indent}if ({value}) {{ return {name}; }}\n"),
        3 => format!("{indent}char {name}[{value}];\r\n"),
        4 => format!("{indent}const {name} = ({value}) => {{}};\n\n"),
        5 => format!("{indent}return {value}"),
        6 => format!("{indent}# {value}  \n"),
        _ => format!("{indent}{name} := {value}\n"),
    }
}

#[derive(Default, Clone, Copy)]
struct Count {
    programs: usize,
    tokens: usize,
    shared: usize,
    lossless: usize,
}

/// What the library decodes. Its decoder for suffixes cannot take a sequence of markers alone.
fn read(library: &Tokenizer, ids: &[u32]) -> String {
    let is_marker =
        |&id: &u32| library.id_to_token(id).is_none_or(|token| library.get_added_vocabulary().is_special_token(&token));
    if ids.iter().all(is_marker) { String::new() } else { library.decode(ids, true).unwrap() }
}

/// The span made larger until it holds whole characters.
fn whole(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = (0..=span.start).rev().find(|&at| text.is_char_boundary(at)).unwrap();
    start..(span.end..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap()
}

/// Spans lie side by side, cover the text, and each prefix of the tokens reads as the text up to its end.
fn check_spans(library: &Tokenizer, ids: &[u32], text: &str, spans: &[Range<usize>], draw: &mut Draw, trims: bool) {
    assert_eq!(spans.len(), ids.len());
    let mut next = 0;
    for span in spans {
        assert_eq!(span.start, next, "{ids:?}");
        next = span.end;
    }
    assert_eq!(next, text.len());
    for _ in 0..3 {
        let num_tokens = 1 + draw.below(ids.len().max(1));
        let Some(end) = spans.get(num_tokens - 1).map(|span| span.end).filter(|&end| text.is_char_boundary(end)) else {
            continue;
        };
        let prefix = read(library, &ids[..num_tokens]);
        if trims {
            assert_eq!(prefix.trim_end(), text[..end].trim_end());
        } else {
            assert_eq!(prefix, text[..end], "{num_tokens} tokens of {ids:?}");
        }
    }
}

/// Where the library says that each token came from when it read the program.
///
/// A sign that the encoder put before the text has no place of its own there. All byte tokens of a run of letters outside the
/// vocabulary have the place of the run.
fn check_sources(source: &str, text: &str, spans: &[Range<usize>], encoding: &Encoding, count: &mut Count) {
    count.lossless += usize::from(source == text);
    for (index, span) in spans.iter().enumerate().filter(|(_, span)| !span.is_empty()) {
        let (start, end) = encoding.get_offsets()[index];
        let ours = whole(text, span);
        count.shared += usize::from(ours != *span);
        let theirs = &source[start..end];
        if encoding.get_tokens()[index].starts_with("<0x") {
            assert!(source != text || (start <= ours.start && ours.end <= end), "{span:?} in {source:?}");
        } else if source == text {
            assert_eq!(text[ours.clone()].trim(), theirs.trim(), "{span:?} in {source:?}");
            // Not only the same letters, the same place, but for white space at the ends.
            let lead = |slice: &str| slice.len() - slice.trim_start().len();
            if !theirs.trim().is_empty() {
                assert_eq!(ours.start + lead(&text[ours]), start + lead(theirs), "{span:?} in {source:?}");
            }
        } else if theirs.is_ascii() && text[ours.clone()].is_ascii() {
            assert!(text[ours].trim().eq_ignore_ascii_case(theirs.trim()), "{span:?} of {text:?} from {source:?}");
        }
    }
}

fn check_program(library: &Tokenizer, aligner: &Aligner, seed: u64, trims: bool) -> Count {
    let mut draw = Draw(seed ^ 0x5eed);
    let source = program(seed);
    let mut count = Count { programs: 1, ..Count::default() };

    let encoding = library.encode(source.as_str(), false).unwrap();
    let ids = encoding.get_ids();
    let text = read(library, ids);
    let spans = aligner.align(ids, &text).unwrap();
    check_spans(library, ids, &text, &spans, &mut draw, trims);
    check_sources(&source, &text, &spans, &encoding, &mut count);
    count.tokens += ids.len();

    // Ids that the encoder would not give for the text that they read as: the parts of the program, read one by one.
    let mut parts = Vec::new();
    let mut rest = source.as_str();
    while !rest.is_empty() {
        let cut = whole(rest, &(0..(1 + draw.below(7)).min(rest.len()))).end;
        parts.extend_from_slice(library.encode_fast(&rest[..cut], false).unwrap().get_ids());
        rest = &rest[cut..];
    }
    if !parts.is_empty() {
        let text = read(library, &parts);
        let spans = aligner.align(&parts, &text).unwrap();
        check_spans(library, &parts, &text, &spans, &mut draw, trims);
    }

    // Ids as a bad policy draws them; bytes need not be text.
    let size = library.get_vocab_size(true);
    let any: Vec<u32> = (0..=draw.below(12))
        .map(|_| {
            // Bytes and markers come first in vocabularies; half of the draws are from there.
            let limit = if draw.below(2) == 0 { 300 } else { size };
            draw.below(limit.min(size)) as u32
        })
        .filter(|&id| library.id_to_token(id).is_some())
        .collect();
    if !any.is_empty() {
        let text = read(library, &any);
        let spans = aligner.align(&any, &text).unwrap();
        assert_eq!(spans.last().map(|span| span.end), Some(text.len()), "{any:?}");
        assert!(spans.windows(2).all(|pair| pair[0].end == pair[1].start), "{any:?}");
    }
    count
}

fn check_tokenizer(path: &Path, num_programs: u64) -> Count {
    let library = Tokenizer::from_file(path).unwrap();
    let aligner = Aligner::read(path).unwrap();
    // Its decoder is not causal: the space at the end of a word comes with the next.
    let trims = path.ends_with("suffix-bpe.json");
    (0..num_programs).into_par_iter().map(|seed| check_program(&library, &aligner, seed, trims)).reduce(
        Count::default,
        |one, other| Count {
            programs: one.programs + other.programs,
            tokens: one.tokens + other.tokens,
            shared: one.shared + other.shared,
            lossless: one.lossless + other.lossless,
        },
    )
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokenizers").join(name)
}

/// The kind checked, that tokens which share a character were met where the kind has them, and that programs came back whole.
fn check_fixture(path: &Path, shares: bool, is_lossless: bool) {
    let count = check_tokenizer(path, NUM_PROGRAMS);
    assert_eq!(count.programs, 10_000);
    assert!(count.tokens > 300_000, "{}", count.tokens);
    assert_eq!(count.shared > 0, shares, "{}", count.shared);
    // A space before the text is dropped by decoders that expect one, so not every program is the same.
    assert_eq!(count.lossless > 6_000, is_lossless, "{}", count.lossless);
}

#[test]
fn byte_level_pairs_are_aligned() {
    check_fixture(&fixture("byte-level.json"), true, true);
}

#[test]
fn the_bundled_models_tokens_are_aligned() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/codeward-tiny/tokenizer.json");
    check_fixture(&path, true, true);
}

#[test]
fn sentencepiece_pairs_with_byte_fallback_are_aligned() {
    check_fixture(&fixture("sentencepiece-bpe.json"), true, true);
}

#[test]
fn pairs_with_byte_fallback_and_no_space_before_are_aligned() {
    check_fixture(&fixture("gemma-bpe.json"), true, true);
}

#[test]
fn unigrams_with_byte_fallback_are_aligned() {
    check_fixture(&fixture("unigram.json"), true, true);
}

#[test]
fn metaspace_pairs_are_aligned() {
    check_fixture(&fixture("metaspace-bpe.json"), false, false);
}

#[test]
fn word_pieces_are_aligned() {
    check_fixture(&fixture("wordpiece.json"), false, false);
}

#[test]
fn pairs_with_a_suffix_are_aligned() {
    check_fixture(&fixture("suffix-bpe.json"), false, false);
}

#[test]
#[ignore = "needs CODEWARD_TOKENIZERS, a folder of published tokenizers"]
fn published_tokenizers_are_aligned() {
    let folder = std::env::var_os("CODEWARD_TOKENIZERS").expect("CODEWARD_TOKENIZERS names a folder");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path().join("tokenizer.json");
        if path.exists() {
            let count = check_tokenizer(&path, NUM_PROGRAMS);
            eprintln!(
                "{}: {} tokens, {} share a character, {} programs came back whole",
                path.display(),
                count.tokens,
                count.shared,
                count.lossless
            );
            checked += 1;
        }
    }
    assert!(checked > 0);
}

fn ids_of(library: &Tokenizer, tokens: &[&str]) -> Vec<u32> {
    tokens.iter().map(|token| library.token_to_id(token).unwrap_or_else(|| panic!("{token} is no token"))).collect()
}

#[test]
fn tokens_that_make_one_character_have_a_byte_each() {
    let path = fixture("sentencepiece-bpe.json");
    let library = Tokenizer::from_file(&path).unwrap();
    let aligner = Aligner::read(&path).unwrap();
    // U+1F980 is F0 9F A6 80.
    let ids = ids_of(&library, &["▁", "=", "<0xF0>", "<0x9F>", "<0xA6>", "<0x80>", "</s>"]);
    assert_eq!(aligner.align(&ids, "=🦀").unwrap(), [0..0, 0..1, 1..2, 2..3, 3..4, 4..5, 5..5]);
    // After a prompt the space is there, and the completion starts with it.
    let prompt = ids_of(&library, &["▁", "="]);
    assert_eq!(aligner.align_after(&prompt, &ids, " =🦀").unwrap(), [0..1, 1..2, 2..3, 3..4, 4..5, 5..6, 6..6]);
    // Cut off, each byte is a replacement character; the library reads it so.
    assert_eq!(read(&library, &ids[1..4]), "=\u{fffd}\u{fffd}");
    assert_eq!(aligner.align(&ids[1..4], "=\u{fffd}\u{fffd}").unwrap(), [0..1, 1..4, 4..7]);
    // A completion that starts inside a character has no text of its own.
    assert_eq!(aligner.align_after(&ids[..4], &ids[4..], ""), Err(AlignmentError::SplitCharacter));

    let aligner = Aligner::read(&fixture("byte-level.json")).unwrap();
    let library = Tokenizer::from_file(fixture("byte-level.json")).unwrap();
    let ids = ids_of(&library, &["=", "ð", "Ł", "¦", "Ģ"]);
    assert_eq!(aligner.align(&ids, "=🦀").unwrap(), [0..1, 1..2, 2..3, 3..4, 4..5]);
    // Byte-level decoders give one replacement character for all of a broken one; it is the last token's.
    assert_eq!(aligner.align(&ids[..4], "=\u{fffd}").unwrap(), [0..1, 1..1, 1..1, 1..4]);
}

#[test]
fn word_pieces_have_the_space_before_them() {
    let path = fixture("wordpiece.json");
    let library = Tokenizer::from_file(&path).unwrap();
    let aligner = Aligner::read(&path).unwrap();
    let ids = ids_of(&library, &["[CLS]", "x", "##x", "=", "x", ".", "x"]);
    let text = read(&library, &ids);
    // The tidying takes the space before the full stop.
    assert_eq!(text, "xx = x. x");
    assert_eq!(aligner.align(&ids, &text).unwrap(), [0..0, 0..1, 1..2, 2..4, 4..6, 6..7, 7..9]);
}

#[test]
fn what_the_tokens_do_not_read_as_is_an_error() {
    let path = fixture("byte-level.json");
    let library = Tokenizer::from_file(&path).unwrap();
    let aligner = Aligner::read(&path).unwrap();
    let ids = library.encode("return x", false).unwrap().get_ids().to_vec();
    let differs = |at, text| Err(AlignmentError::TextDiffers { at, decoded: 8, text });
    assert_eq!(aligner.align(&ids, "return x;"), differs(8, 9));
    assert_eq!(aligner.align(&ids, "return"), differs(6, 6));
    assert_eq!(aligner.align(&ids, "retürn x"), differs(3, 9));
    assert_eq!(aligner.align(&[ids[0], 999_999], "?"), Err(AlignmentError::UnknownToken { index: 1, id: 999_999 }));
    assert_eq!(aligner.align(&[], ""), Ok(Vec::new()));
    assert!(aligner.align(&[], "x").is_err());
    let error = aligner.align(&ids, "return").unwrap_err();
    assert_eq!(error.to_string(), "the tokens read as 8 bytes and the text has 6; they part at byte 6");
}

#[test]
fn a_models_tokenizer_gives_its_aligner() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/codeward-tiny");
    let tokenizer = Bundled::load(&folder).unwrap();
    let text = "def größe(x):\n    return x\n";
    let mut tokens = tokenizer.encode(text);
    tokens.push(tokenizer.eos_id());
    let spans = tokenizer.aligner().unwrap().align(&tokens, text).unwrap();
    let parts: Vec<_> = spans.iter().filter_map(|span| text.get(span.clone())).collect();
    assert_eq!(parts[..2], ["def ", "g"], "{parts:?}");
    assert_eq!(spans.last(), Some(&(text.len()..text.len())));
}
