//! What every target does: the first byte says whether the rest is the text itself or the choices for mutating the corpus.

#[path = "../../examples/fuzz_analysis/checks.rs"]
mod checks;
#[path = "../../examples/fuzz_analysis/corpus.rs"]
mod corpus;
#[path = "../../examples/fuzz_analysis/mutation.rs"]
mod mutation;

use codeward_analysis::{Language, MAX_BYTES, analyse};
use mutation::Choices;

/// Choices read from the fuzzer's bytes; zeros after their end, so that every mutation comes to its end.
struct Bytes<'d>(&'d [u8]);

impl Choices for Bytes<'_> {
    fn below(&mut self, count: usize) -> usize {
        let mut number = 0_usize;
        let mut reach = 1_usize;
        while reach < count {
            let Some((first, rest)) = self.0.split_first() else { break };
            number = (number << 8) | usize::from(*first);
            reach <<= 8;
            self.0 = rest;
        }
        number % count
    }
}

/// Analyses one text and checks what has to hold of it.
///
/// # Panics
///
/// If something does not hold: that is what the fuzzer looks for.
pub fn check(language: Language, data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let text = match kind {
        b'\x01' => mutation::mutate(corpus::corpus(language), MAX_BYTES, &mut Bytes(rest)),
        b'\x02' => mutation::noise(300, &mut Bytes(rest)),
        // Files of the corpus begin with a letter or another mark: they are taken whole.
        _ => String::from_utf8_lossy(data).into_owned(),
    };
    if let Ok(analysis) = analyse(language, &text) {
        checks::spans(&text, &analysis).unwrap_or_else(|reason| panic!("{language}: {reason}"));
    }
}
