//! Which part of a completion is the code.

use std::ops::Range;

/// The bytes of the completion that hold the program: the inside of the first fenced block if there is one, else everything.
///
/// Chat models wrap code in a fence and talk around it; base models write code alone.
pub fn code_span(completion: &str) -> Range<usize> {
    let mut start = None;
    let mut at = 0;
    for line in completion.split_inclusive('\n') {
        let is_fence = line.trim_start().starts_with("```");
        match (is_fence, start) {
            (true, None) => start = Some(at + line.len()),
            (true, Some(from)) => return from..at,
            (false, _) => {}
        }
        at += line.len();
    }
    match start {
        Some(from) => from..completion.len(),
        None => 0..completion.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fenced_block_or_everything() {
        let inside = |text: &'static str| &text[code_span(text)];
        assert_eq!(inside("x = 1\n"), "x = 1\n");
        assert_eq!(inside("Sure:\n```python\nx = 1\n```\nDone.\n```\ny\n```\n"), "x = 1\n");
        assert_eq!(inside("```\nx = 1\n"), "x = 1\n");
        assert_eq!(inside("```"), "");
        assert_eq!(inside(""), "");
    }
}
