//! A piece of source with carets under a span, for a terminal.
//!
//! The source may have been written by anybody: what would move the cursor, change colours or turn the direction of writing is shown by its
//! number, and counted as wide as it is shown.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar as _;

/// Tabs reach to the next multiple of this many cells.
const TAB: usize = 4;

/// Longer lines are cut around the span.
const MAX_CELLS: usize = 120;

/// Cells of a cut line before the span.
const LEAD: usize = 30;

/// Spans of more lines show the first two and the last.
const MAX_LINES: usize = 4;

/// The lines of a span with carets under it. `margin` is put before each line.
pub(crate) fn excerpt(source: &str, start: usize, end: usize, margin: &str) -> String {
    let first_line = source[..start].rfind('\n').map_or(0, |at| at + 1);
    let first_number = source[..start].matches('\n').count() + 1;
    // A span that ends with its line feed does not reach into the next line.
    let last = source[start..end].trim_end_matches(['\n', '\r']).len() + start;
    let (mut lines, mut at) = (Vec::new(), first_line);
    for line in source[first_line..].split('\n') {
        lines.push((first_number + lines.len(), at, line.trim_end_matches('\r')));
        at += line.len() + 1;
        if at > last {
            break;
        }
    }
    let width = lines.last().map_or(1, |(number, ..)| number.to_string().len());
    let mut out = String::new();
    let num_lines = lines.len();
    for (index, (number, at, line)) in lines.into_iter().enumerate() {
        if num_lines > MAX_LINES && (2..num_lines - 1).contains(&index) {
            if index == 2 {
                let _ = writeln!(out, "{margin}{:width$} ...", "");
            }
            continue;
        }
        let indent = if index == 0 { 0 } else { line.len() - line.trim_start().len() };
        let from = start.saturating_sub(at).max(indent).min(line.len());
        let to = last.saturating_sub(at).clamp(from, line.len());
        let (shown, carets) = marked(line, from, to);
        let _ = writeln!(out, "{margin}{number:>width$} | {shown}");
        let _ = writeln!(out, "{margin}{:width$} | {carets}", "");
    }
    out
}

/// A line as it is shown, and the line of carets for the bytes `from..to` of it.
fn marked(line: &str, from: usize, to: usize) -> (String, String) {
    let mut cells: Vec<(String, usize)> = Vec::new();
    let (mut at, mut start, mut end) = (0, None, None);
    for (byte, letter) in line.char_indices() {
        if byte >= from && start.is_none() {
            start = Some((at, cells.len()));
        }
        if byte >= to && end.is_none() {
            end = Some(at);
        }
        let shown = if letter == '\t' { " ".repeat(TAB - at % TAB) } else { visible_letter(letter) };
        let width = if letter == '\t' { shown.len() } else { width(&shown) };
        at += width;
        cells.push((shown, width));
    }
    let (start, first) = start.unwrap_or((at, cells.len()));
    let end = end.unwrap_or(at).max(start + 1);
    if at <= MAX_CELLS {
        let text: String = cells.into_iter().map(|(shown, _)| shown).collect();
        return (text.trim_end().to_owned(), format!("{}{}", " ".repeat(start), "^".repeat(end - start)));
    }
    let (mut before, mut skipped) = (0, first);
    while skipped > 0 && before + cells[skipped - 1].1 <= LEAD {
        skipped -= 1;
        before += cells[skipped].1;
    }
    let mut text = String::from(if skipped > 0 { "…" } else { "" });
    let lead = usize::from(skipped > 0) + before;
    let mut total = lead - before;
    for (shown, width) in &cells[skipped..] {
        if total + width > MAX_CELLS {
            text.push('…');
            break;
        }
        total += width;
        text.push_str(shown);
    }
    let carets = (end - start).min(total.saturating_sub(lead)).max(1);
    (text.trim_end().to_owned(), format!("{}{}", " ".repeat(lead), "^".repeat(carets)))
}

fn width(text: &str) -> usize {
    text.chars().map(|letter| letter.width().unwrap_or(0)).sum()
}

/// Text from elsewhere on one line, with nothing in it that a terminal would obey.
pub(crate) fn visible(text: &str) -> String {
    text.chars().map(visible_letter).collect()
}

fn visible_letter(letter: char) -> String {
    let turns =
        matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if letter.is_control() || turns { format!("<U+{:04X}>", u32::from(letter)) } else { letter.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str, span: &str) -> String {
        let start = source.find(span).unwrap();
        excerpt(source, start, start + span.len(), "")
    }

    #[test]
    fn carets_stand_under_the_span_whatever_comes_before_it() {
        assert_eq!(shown("a\nf(x, y)\n", "x"), "2 | f(x, y)\n  |   ^\n");
        assert_eq!(shown("\tf(x)", "x"), "1 |     f(x)\n  |       ^\n");
        assert_eq!(shown("a\tf(x)", "x"), "1 | a   f(x)\n  |       ^\n");
        // Two cells each; the combining mark takes none.
        assert_eq!(shown("'漢字', x", "x"), "1 | '漢字', x\n  |         ^\n");
        assert_eq!(shown("漢 = 字", "字"), "1 | 漢 = 字\n  |      ^^\n");
        assert_eq!(shown("e\u{301} = x", "x"), "1 | e\u{301} = x\n  |     ^\n");
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_by_number() {
        assert_eq!(shown("'\u{1b}[2J', x", "x"), "1 | '<U+001B>[2J', x\n  |                ^\n");
        assert_eq!(shown("a\u{202e} = x\r\nb", "x"), "1 | a<U+202E> = x\n  |             ^\n");
        assert_eq!(visible("a\nb\u{7}\u{feff}c"), "a<U+000A>b<U+0007><U+FEFF>c");
    }

    #[test]
    fn an_empty_span_and_the_end_of_the_file_have_a_caret() {
        assert_eq!(excerpt("f(:", 2, 2, "  "), "  1 | f(:\n    |   ^\n");
        assert_eq!(excerpt("ab", 2, 2, ""), "1 | ab\n  |   ^\n");
        assert_eq!(excerpt("", 0, 0, ""), "1 | \n  | ^\n");
        assert_eq!(excerpt("a\n", 2, 2, ""), "2 | \n  | ^\n");
        assert_eq!(excerpt("ab\ncd\n", 0, 3, ""), "1 | ab\n  | ^^\n");
    }

    #[test]
    fn spans_of_several_lines_are_marked_line_by_line() {
        let source = "f(a,\n  b)\n";
        assert_eq!(excerpt(source, 2, 8, ""), "1 | f(a,\n  |   ^^\n2 |   b)\n  |   ^\n");
        let long = "(1,\n2,\n3,\n4,\n5)";
        assert_eq!(excerpt(long, 0, long.len(), ""), "1 | (1,\n  | ^^^\n2 | 2,\n  | ^^\n  ...\n5 | 5)\n  | ^^\n");
    }

    #[test]
    fn long_lines_are_cut_around_the_span() {
        let source = format!("{}x{}", "a".repeat(500), "b".repeat(500));
        let out = excerpt(&source, 500, 501, "");
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0], format!("1 | …{}x{}…", "a".repeat(30), "b".repeat(88)));
        assert_eq!(lines[1], format!("  | {}^", " ".repeat(31)));
        let whole = excerpt(&source, 0, source.len(), "");
        assert_eq!(whole.lines().nth(1).unwrap(), format!("  | {}", "^".repeat(120)));
    }
}
