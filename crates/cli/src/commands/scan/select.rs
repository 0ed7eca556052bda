//! Which rules are meant: by code, by name, by the beginning of either, or by weakness class.

use codeward_analysis::{RuleInfo, rules};
use codeward_records::Cwe;

/// A word that stands for one or more rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selector {
    /// `CWE-89`.
    Class(Cwe),
    /// `CW-PY-089-1`, `CW-PY`, `py/sql-string-built`, `py/sql`, in small letters.
    Beginning(String),
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    ///
    /// When no rule is meant: a slip of the pen must not pass for a clean file. The text says what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let selector = match text.to_ascii_uppercase().parse::<Cwe>() {
            Ok(class) => Self::Class(class),
            Err(_) => Self::Beginning(text.to_ascii_lowercase()),
        };
        if rules().any(|rule| selector.matches(rule)) {
            return Ok(selector);
        }
        Err(match closest(text) {
            Some(known) => format!("no rule is called {text:?}; did you mean {known}?"),
            None => format!("no rule is called {text:?}"),
        })
    }

    /// Whether a rule is meant. The beginning of a name ends where a word of it ends: `CW-C` is not `CW-CPP-121-1`.
    pub(crate) fn matches(&self, rule: &RuleInfo) -> bool {
        match self {
            Self::Class(class) => rule.cwe.contains(class),
            Self::Beginning(beginning) => [rule.code, rule.name].iter().any(|name| begins(name, beginning)),
        }
    }
}

fn begins(name: &str, beginning: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let Some(rest) = name.strip_prefix(beginning) else { return false };
    !beginning.is_empty() && (rest.is_empty() || rest.starts_with(['-', '/']) || beginning.ends_with(['-', '/']))
}

/// The rule whose code or name is fewest letters away, if it is near.
fn closest(text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    let names = rules().flat_map(|rule| [rule.name, rule.code]);
    let near = names.map(|name| (distance(&text, &name.to_ascii_lowercase()), name)).min()?;
    (near.0 <= 3).then_some(near.1)
}

/// Insertions, removals and replacements of bytes between two words.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, byte) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, theirs) in other.bytes().enumerate() {
            let replaced = diagonal + usize::from(byte != theirs);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(text: &str) -> Vec<&'static str> {
        let selector = Selector::parse(text).unwrap();
        let mut codes: Vec<_> = rules().filter(|rule| selector.matches(rule)).map(|rule| rule.code).collect();
        codes.sort_unstable();
        codes
    }

    #[test]
    fn rules_are_chosen_by_code_name_beginning_and_class() {
        assert_eq!(chosen("CW-PY-089-1"), ["CW-PY-089-1"]);
        assert_eq!(chosen("py/sql-string-built"), ["CW-PY-089-1"]);
        assert_eq!(chosen("py/sql"), ["CW-PY-089-1", "CW-PY-089-2", "CW-PY-089-3"]);
        assert_eq!(chosen("cw-py-089"), ["CW-PY-089-1", "CW-PY-089-2", "CW-PY-089-3", "CW-PY-089-4"]);
        assert!(chosen("CW-PY").len() > 50 && chosen("CW-PY") == chosen("py/"));
        let class = chosen("cwe-095");
        assert!(class.contains(&"CW-PY-095-1") && !class.contains(&"CW-PY-089-1"), "{class:?}");
        assert!(chosen("CWE-94").len() > 1);
    }

    #[test]
    fn a_beginning_ends_where_a_word_ends() {
        assert!(begins("CW-CPP-121-1", "cw-cpp") && !begins("CW-CPP-121-1", "cw-c"));
        assert!(begins("py/sql-x", "py/") && !begins("py/sql-x", "py/s") && !begins("py/sql-x", ""));
    }

    #[test]
    fn what_means_no_rule_is_an_error_that_helps() {
        for (wrong, says) in [
            ("py/sql-string-build", "no rule is called \"py/sql-string-build\"; did you mean py/sql-string-built?"),
            ("CWE-9999", "no rule is called \"CWE-9999\""),
            ("", "no rule is called \"\""),
        ] {
            assert_eq!(Selector::parse(wrong), Err(says.to_owned()));
        }
    }
}
