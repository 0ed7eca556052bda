//! Writing HTML so that data cannot become markup.
//!
//! Tag and attribute names are `&'static str`, which data read from a file cannot be; everything else goes through
//! [`escape`]. There is no way to append a string unescaped.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

/// HTML under construction.
#[derive(Debug, Default)]
pub(super) struct Html(String);

/// A start tag whose attributes are still being written.
#[must_use = "a tag is closed by one of `text`, `within`, `empty`"]
pub(super) struct Tag<'a> {
    html: &'a mut Html,
    name: &'static str,
}

impl Html {
    pub(super) fn into_string(self) -> String {
        self.0
    }

    /// The document's first line.
    pub(super) fn doctype(&mut self) {
        self.0.push_str("<!doctype html>\n");
    }

    /// The page's own style sheet. The only text that is not escaped: `style` is a raw text element.
    pub(super) fn style(&mut self, sheet: &'static str) {
        self.0.push_str("<style>\n");
        self.0.push_str(sheet);
        self.0.push_str("</style>\n");
    }

    /// Starts an element.
    pub(super) fn tag(&mut self, name: &'static str) -> Tag<'_> {
        let _ = write!(self.0, "<{name}");
        Tag { html: self, name }
    }

    /// Text between tags.
    pub(super) fn text(&mut self, text: impl Display) {
        self.0.push_str(&escape(&text.to_string()));
    }

    /// A line break in the source, to keep the file readable.
    pub(super) fn line(&mut self) {
        self.0.push('\n');
    }
}

impl Tag<'_> {
    /// Adds an attribute.
    pub(super) fn attr(self, name: &'static str, value: impl Display) -> Self {
        let _ = write!(self.html.0, " {name}=\"{}\"", escape(&value.to_string()));
        self
    }

    /// Adds the class attribute.
    pub(super) fn class(self, value: &'static str) -> Self {
        self.attr("class", value)
    }

    /// Adds a length or position to two decimals.
    pub(super) fn at(self, name: &'static str, value: f64) -> Self {
        self.attr(name, (value * 100.0).round() / 100.0)
    }

    /// Ends an element that holds `text` alone.
    pub(super) fn text(self, text: impl Display) {
        self.within(|html| html.text(text));
    }

    /// Ends an element that holds what `content` writes.
    pub(super) fn within(self, content: impl FnOnce(&mut Html)) {
        let Tag { html, name } = self;
        html.0.push('>');
        content(html);
        let _ = write!(html.0, "</{name}>");
    }

    /// Ends an element without content: a void HTML element or an SVG shape.
    pub(super) fn empty(self) {
        self.html.0.push_str("/>");
    }
}

/// Escapes text for element content and for quoted attribute values.
///
/// Besides the characters of the syntax, those that could make a reader see other text than is there become visible:
/// control characters turn into their pictures, and directional and zero-width formatting characters, which reorder or
/// hide code, into their code point in brackets. A carriage return stays one, as a reference the parser does not fold.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| replacement(c).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match replacement(c) {
            Some(written) => out.push_str(&written),
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn replacement(c: char) -> Option<Cow<'static, str>> {
    Some(match c {
        '&' => "&amp;".into(),
        '<' => "&lt;".into(),
        '>' => "&gt;".into(),
        '"' => "&quot;".into(),
        '\'' => "&#39;".into(),
        '\r' => "&#13;".into(),
        '\n' | '\t' => return None,
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c))?.to_string().into(),
        '\u{7f}' => "\u{2421}".into(),
        '\u{80}'..='\u{9f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => format!("[U+{:04X}]", u32::from(c)).into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn syntax_is_escaped_and_tags_balance() {
        let mut html = Html::default();
        html.tag("p").attr("title", "\" onload='x' <&>").within(|html| {
            html.text("a </p><script>");
            html.tag("br").empty();
        });
        assert_eq!(
            html.into_string(),
            "<p title=\"&quot; onload=&#39;x&#39; &lt;&amp;&gt;\">a &lt;/p&gt;&lt;script&gt;<br/></p>"
        );
    }

    #[test]
    fn what_hides_or_reorders_text_becomes_visible() {
        assert_eq!(escape("a\u{202e}b\u{2066}\u{200b}"), "a[U+202E]b[U+2066][U+200B]");
        assert_eq!(escape("\0\u{1b}[31m\u{7f}\r\n\t"), "\u{2400}\u{241b}[31m\u{2421}&#13;\n\t");
        assert!(matches!(escape("plain\ttext\n"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn escaped_text_holds_no_syntax(text in any::<String>()) {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            for after in escaped.split('&').skip(1) {
                prop_assert!(["amp;", "lt;", "gt;", "quot;", "#39;", "#13;"].iter().any(|known| after.starts_with(known)));
            }
        }
    }
}
