//! What ends a completion before the limit on its tokens: end tokens, and texts.
//!
//! A stop string ends a completion as soon as the completion's text has it, wherever its tokens begin and end, and the text
//! is cut where it begins. The tokens stay as they were sampled, with their log-probabilities: what the policy did is not
//! what the reader sees, and an update needs the former.

use std::collections::BTreeSet;

use crate::tokenizer::Tokenizer;

/// What ends a completion.
#[derive(Debug, Clone, Default)]
pub struct Ends<'a> {
    /// Tokens that end a completion; they belong to it.
    pub tokens: Vec<u32>,
    strings: Option<StopStrings<'a>>,
}

/// Texts that end a completion.
#[derive(Debug, Clone)]
struct StopStrings<'a> {
    tokenizer: &'a Tokenizer,
    strings: Vec<String>,
    /// Tokens without text.
    markers: BTreeSet<u32>,
    /// Tokens such as `<0xE2>`. Decoders read a run of them as a whole.
    byte_tokens: BTreeSet<u32>,
    /// As many tokens with text as the longest string may lie in, and some before it, as decoders treat the first apart.
    window: usize,
}

impl<'a> Ends<'a> {
    /// These tokens and nothing else.
    pub fn tokens(tokens: &[u32]) -> Self {
        Self { tokens: tokens.to_vec(), strings: None }
    }

    /// The tokenizer's end tokens, and the texts in `stop`. A text that is the name of a marker, such as `<|im_end|>`, stands
    /// for the marker, which has no text of its own.
    ///
    /// # Panics
    /// If a text is empty.
    pub fn new(tokenizer: &'a Tokenizer, stop: &[String]) -> Self {
        let mut tokens = tokenizer.end_ids().to_vec();
        let mut strings = Vec::new();
        for text in stop {
            assert!(!text.is_empty(), "a text that ends a completion is not empty");
            match tokenizer.marker_id(text) {
                Some(id) if tokens.contains(&id) => {}
                Some(id) => tokens.push(id),
                None => strings.push(text.clone()),
            }
        }
        let longest = strings.iter().map(String::len).max();
        let strings = longest.map(|longest| StopStrings {
            tokenizer,
            strings,
            markers: tokenizer.marker_ids().collect(),
            byte_tokens: (0..=u8::MAX).filter_map(|byte| tokenizer.token_id(&format!("<0x{byte:02X}>"))).collect(),
            window: longest + 3,
        });
        Self { tokens, strings }
    }

    /// Whether the last of a completion's tokens completes a stop string, and if so, how many bytes of the text that
    /// [`Tokenizer::decode`] gives for them come before it.
    pub fn cut(&self, tokens: &[u32]) -> Option<usize> {
        self.strings.as_ref()?.cut(tokens)
    }
}

impl StopStrings<'_> {
    fn cut(&self, tokens: &[u32]) -> Option<usize> {
        let (last, before) = tokens.split_last()?;
        if self.markers.contains(last) {
            return None;
        }
        // The end of the text first: that costs the same however long the completion is.
        let end = self.tokenizer.decode(&self.end(tokens));
        if !self.strings.iter().any(|string| end.contains(string)) {
            return None;
        }
        let text = self.tokenizer.decode(tokens);
        let before = self.tokenizer.decode(before);
        // A character that is not complete yet comes out as a replacement.
        let before = before.trim_end_matches(char::REPLACEMENT_CHARACTER).len();
        // What was complete before came too early to count.
        let start = |string: &String| {
            let mut from = (before + 1).saturating_sub(string.len()).min(text.len());
            while !text.is_char_boundary(from) {
                from += 1;
            }
            text[from..].find(string.as_str()).map(|at| from + at)
        };
        self.strings.iter().filter_map(start).min()
    }

    /// The last tokens with text, enough to see any string that the last one completes.
    fn end(&self, tokens: &[u32]) -> Vec<u32> {
        let mut end = Vec::with_capacity(self.window);
        for &token in tokens.iter().rev().filter(|token| !self.markers.contains(token)) {
            end.push(token);
            if end.len() >= self.window && !self.byte_tokens.contains(&token) {
                break;
            }
        }
        end.reverse();
        end
    }
}
