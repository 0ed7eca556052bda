//! Calls that ask something of their arguments.

use crate::flow::classes::Classes;
use crate::flow::dialect::Question;
use crate::flow::interpreter::Interpreter;
use crate::flow::value::{Fact, Shape, Truth, ValueRef};

/// Tests of single characters: whoever calls one looks at the text letter by letter.
const LETTERS: &[&str] = &["isalnum", "isalpha", "isdigit", "isxdigit", "strspn", "strcspn", "strpbrk"];

/// Words in the name of a function that looks its argument over.
const VALIDATING: &[&str] = &["valid", "safe", "correct", "allowed", "whitelist", "permitted", "sanit", "verify"];

/// What follows from the result of a call, and what holds whenever the call returns.
pub(super) fn predicate(_: &Interpreter<'_>, question: &Question<'_>) -> (Option<Truth>, Vec<Fact>) {
    let path = question.path.rsplit("::").next().unwrap_or(question.path);
    let Some(first) = question.argument(0) else { return (None, Vec::new()) };
    let all = |value: &ValueRef| {
        let mut facts = value.facts(Classes::ALL);
        facts.extend(value.taints.iter().flat_map(|taint| taint.keys().map(|key| (key, Classes::ALL))));
        facts
    };
    if LETTERS.contains(&path) {
        return (None, all(first));
    }
    if matches!(path, "regexec" | "regex_match" | "fnmatch") {
        let text = if path == "regex_match" { Some(first) } else { question.argument(1) };
        let facts = text.map(all).unwrap_or_default();
        let truth = if path == "regex_match" {
            Truth { when_true: facts, when_false: Vec::new() }
        } else {
            Truth { when_true: Vec::new(), when_false: facts }
        };
        return (Some(truth), Vec::new());
    }
    let literal =
        question.argument(1).and_then(|second| second.characters().map(str::to_owned).or_else(|| letter(second)));
    if let ("strstr" | "strchr" | "strrchr" | "memchr", Some(text)) = (path, literal) {
        let harmless = match text.as_str() {
            ".." | "../" | "/" | "." => Classes::PATH,
            ";" | "&" | "|" | "`" | "$" => Classes::SHELL,
            "'" | "\"" => Classes::SQL | Classes::XPATH,
            "%" => Classes::FORMAT,
            _ => return (None, Vec::new()),
        };
        return (Some(Truth { when_true: Vec::new(), when_false: first.facts(harmless) }), Vec::new());
    }
    if matches!(path, "strncmp" | "memcmp" | "strcmp" | "strcasecmp") {
        let is_resolved = |value: &ValueRef| value.labels.has(crate::flow::Labels::RESOLVED_PATH);
        let sides = [question.argument(0), question.argument(1)];
        if let Some(resolved) = sides.iter().flatten().find(|value| is_resolved(value)) {
            return (Some(Truth { when_true: Vec::new(), when_false: resolved.facts(Classes::PATH) }), Vec::new());
        }
        if let (true, Some(fixed)) = (path.ends_with("cmp") && !path.starts_with("strn"), question.argument(1))
            && fixed.constant.is_some()
        {
            return (Some(Truth { when_true: Vec::new(), when_false: first.facts(Classes::ALL) }), Vec::new());
        }
        return (None, Vec::new());
    }
    let lower = path.to_ascii_lowercase();
    if VALIDATING.iter().any(|word| lower.contains(word)) && !matches!(first.shape, Shape::Function(_)) {
        return (None, all(first));
    }
    (None, Vec::new())
}

/// A character's code as a text.
fn letter(value: &ValueRef) -> Option<String> {
    let code = u32::try_from(value.integer()?).ok()?;
    char::from_u32(code).map(String::from)
}
