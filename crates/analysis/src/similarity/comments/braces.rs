//! C, C++, Java, JavaScript and Go: a comment becomes one space.
//!
//! The package looks for the leftmost of four patterns: `//` to the end of the line, `/*` to the next `*/`, and texts between
//! single or between double quotes with backslashes that escape, over line ends too. A mark that opens none of them is an
//! ordinary character, and so is one inside a JavaScript expression `/['"]/`: what follows it is then read as text.

/// The text with a space for each comment.
pub(super) fn without_comments(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut kept = String::with_capacity(source.len());
    let mut quotes = [Quote::new(b'\''), Quote::new(b'"')];
    // All bytes that decide are ASCII, so every cut lies between characters.
    let (mut at, mut copied) = (0, 0);
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' => {
                let Some(end) = comment_end(source, at) else {
                    at += 1;
                    continue;
                };
                kept.push_str(&source[copied..at]);
                kept.push(' ');
                copied = end;
                end
            }
            b'\'' => quotes[0].end(bytes, at).unwrap_or(at + 1),
            b'"' => quotes[1].end(bytes, at).unwrap_or(at + 1),
            _ => at + 1,
        };
        at = end;
    }
    kept.push_str(&source[copied..]);
    kept
}

/// One past the last byte of the comment that begins at a slash.
fn comment_end(source: &str, at: usize) -> Option<usize> {
    let rest = source[at..].strip_prefix('/')?;
    if rest.starts_with('/') {
        return Some(rest.find('\n').map_or(source.len(), |length| at + 1 + length));
    }
    let length = rest.strip_prefix('*')?.find("*/")?;
    Some(at + "/*".len() + length + "*/".len())
}

/// The search for the end of texts in one kind of quotes.
struct Quote {
    mark: u8,
    /// Places from which the end of the source was reached once already: a mark that leads there opens nothing either.
    leads_nowhere: Vec<bool>,
}

impl Quote {
    fn new(mark: u8) -> Self {
        Self { mark, leads_nowhere: Vec::new() }
    }

    /// One past the mark that closes the text whose opening mark is at `start`.
    fn end(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        let mut at = start + 1;
        while at < bytes.len() && !self.leads_nowhere.get(at).is_some_and(|known| *known) {
            match bytes[at] {
                b'\\' => at += 2,
                byte if byte == self.mark => return Some(at + 1),
                _ => at += 1,
            }
        }
        self.remember(bytes, start + 1);
        None
    }

    fn remember(&mut self, bytes: &[u8], start: usize) {
        self.leads_nowhere.resize(bytes.len(), false);
        let mut at = start;
        while at < bytes.len() && !self.leads_nowhere[at] {
            self.leads_nowhere[at] = true;
            at += if bytes[at] == b'\\' { 2 } else { 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_become_spaces_and_texts_stay() {
        assert_eq!(without_comments("a /* b\n */ c // d\ne"), "a   c  \ne");
        assert_eq!(without_comments(r#"s = "a // b"; t = '\'/*'; // x"#), r#"s = "a // b"; t = '\'/*';  "#);
        // Nothing closes these, so they open nothing.
        assert_eq!(without_comments("a /* b // c"), "a /* b  ");
        assert_eq!(without_comments("it's // a\n\"b"), "it's  \n\"b");
        assert_eq!(without_comments("don't // 'ü"), "don't // 'ü");
    }

    #[test]
    fn many_quotes_that_close_nothing_take_no_quadratic_time() {
        let text = r"'\".repeat(32 * 1024);
        let started = std::time::Instant::now();
        assert!(without_comments(&text).starts_with(r"'\'"));
        assert!(started.elapsed().as_secs_f64() < 2.0);
    }
}
