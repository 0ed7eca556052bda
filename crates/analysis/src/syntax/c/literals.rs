//! Literals: numbers, characters, strings, and macros that stand for them.

use tree_sitter::Node;

use super::{Constant, Lowering, named_children};
use crate::syntax::Part;
use crate::syntax::strings::{Prefix, decode};

/// The value of a number as it is written.
pub(super) fn number(text: &str) -> Option<Constant> {
    let plain: String = text.chars().filter(|letter| *letter != '\'').collect::<String>().to_ascii_lowercase();
    let (digits, radix) = if let Some(rest) = plain.strip_prefix("0x") {
        (rest, 16)
    } else if let Some(rest) = plain.strip_prefix("0b") {
        (rest, 2)
    } else if plain.len() > 1 && plain.starts_with('0') && !plain.contains(['.', 'e']) {
        (&plain[1..], 8)
    } else {
        (plain.as_str(), 10)
    };
    let whole = digits.trim_end_matches(['u', 'l', 'z']);
    if whole.is_empty() && radix == 8 {
        return Some(Constant::Integer(0));
    }
    if let Ok(value) = u64::from_str_radix(whole, radix) {
        return Some(Constant::Integer(value.cast_signed()));
    }
    plain.trim_end_matches(['f', 'l']).parse().ok().map(Constant::Float)
}

impl Lowering<'_, '_> {
    /// The text of a string literal, or of several that stand side by side.
    pub(super) fn string(&self, node: Node<'_>) -> String {
        match node.kind() {
            "concatenated_string" => named_children(node).into_iter().map(|part| self.string(part)).collect(),
            "string_literal" => {
                let text = self.text(node);
                let body = text.split_once('"').map_or("", |(_, rest)| rest);
                decode(body.strip_suffix('"').unwrap_or(body), Prefix::default())
            }
            "raw_string_literal" => {
                let text = self.text(node);
                let body = text.split_once('(').map_or("", |(_, rest)| rest);
                body.rsplit_once(')').map_or(body, |(body, _)| body).to_owned()
            }
            // A macro between literals, such as `PRIu64`.
            _ => String::new(),
        }
    }

    pub(super) fn character(&self, node: Node<'_>) -> Option<Constant> {
        let text = self.text(node);
        let body = text.split_once('\'').map(|(_, rest)| rest)?;
        let decoded = decode(body.strip_suffix('\'').unwrap_or(body), Prefix::default());
        decoded.chars().next().map(|letter| Constant::Integer(i64::from(u32::from(letter))))
    }

    /// `#define NAME 10`.
    pub(super) fn remember_macro(&mut self, node: Node<'_>) {
        let (Some(name), Some(value)) = (node.part("name"), node.part("value")) else {
            return;
        };
        let value = self.text(value).trim();
        let bare = value.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(value).trim();
        let constant = if let Some(text) = bare.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            (!text.contains('"')).then(|| Constant::Text(decode(text, Prefix::default()).into()))
        } else {
            number(bare).or_else(|| self.macros.get(bare).cloned())
        };
        if let Some(constant) = constant {
            let name = self.shared(name);
            self.macros.insert(name, constant);
        }
    }

    /// `enum { NAME = 10, NEXT }`.
    pub(super) fn remember_enumerators(&mut self, node: Node<'_>) {
        let Some(body) = node.part("body") else { return };
        let mut next = Some(0_i64);
        for item in named_children(body) {
            let Some(name) = item.part("name") else { continue };
            if let Some(value) = item.part("value") {
                next = match number(self.text(value)) {
                    Some(Constant::Integer(value)) => Some(value),
                    _ => None,
                };
            }
            if let Some(value) = next {
                let name = self.shared(name);
                self.macros.insert(name, Constant::Integer(value));
                next = value.checked_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_value_that_a_compiler_gives_them() {
        assert_eq!(number("0x1F"), Some(Constant::Integer(31)));
        assert_eq!(number("0755"), Some(Constant::Integer(0o755)));
        assert_eq!(number("0"), Some(Constant::Integer(0)));
        assert_eq!(number("4'096UL"), Some(Constant::Integer(4096)));
        assert_eq!(number("1.5f"), Some(Constant::Float(1.5)));
        assert_eq!(number("NAME"), None);
    }
}
