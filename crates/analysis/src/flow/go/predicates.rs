//! Calls and attributes that say something about a value.

use std::rc::Rc;

use crate::flow::classes::{Classes, Labels};
use crate::flow::conditions::{harmless_lacking, inside, starts_with};
use crate::flow::dialect::Question;
use crate::flow::interpreter::Interpreter;
use crate::flow::pattern_facts;
use crate::flow::value::{Fact, Shape, Truth, Value, ValueRef};

/// Attributes that say something about their owner.
pub(super) fn attribute(value: &mut Value, base: &ValueRef, name: &str) {
    match name {
        "Host" => value.stand_for(base, Classes::HOST),
        "Scheme" | "Method" | "Proto" => {
            for taint in &mut value.taints {
                taint.classes = taint.classes & Classes::LINES;
            }
        }
        "Size" | "ContentLength" | "UncompressedSize64" => value.stand_for(base, Classes::SIZE),
        "TLS" | "Valid" => value.taints.clear(),
        _ if is_looked_up(base) => value.taints.clear(),
        _ => {}
    }
}

/// Whether a value is what a function of elsewhere found by a name or number, so that its parts are not the input that it was asked with.
fn is_looked_up(value: &Value) -> bool {
    let Shape::Called { receiver, positional, .. } = &value.shape else { return false };
    let is_known = value.path_text().contains('/') || value.path_text().is_empty();
    let holds_input = |value: &ValueRef| {
        let path = value.path_text();
        ["net/http.Request()", "gin.Context()", "echo.Context()", "fiber.Ctx()", "[]byte()"]
            .iter()
            .any(|kind| path.starts_with(kind))
            || value.path_text().ends_with("Body")
    };
    !is_known
        && !positional.is_empty()
        && positional.iter().chain(receiver).all(|operand| !holds_input(operand))
        && positional.iter().any(|operand| !operand.taints.is_empty())
}

/// A pattern as the engine of other languages reads it: `$` is the end of the text, not of its last line.
pub(super) fn pattern(text: &str) -> String {
    match text.strip_suffix('$') {
        Some(start) if !start.ends_with('\\') && !text.contains("(?m") => format!("{start}\\Z"),
        _ => text.to_owned(),
    }
}

/// Functions that fail when their argument is no number, address or identifier.
const CONVERSIONS: &[&str] = &[
    "strconv.Atoi",
    "strconv.ParseInt",
    "strconv.ParseUint",
    "strconv.ParseFloat",
    "strconv.ParseBool",
    "uuid.Parse",
    "uuid.FromString",
    "bson.ObjectIDFromHex",
    "primitive.ObjectIDFromHex",
    "time.Parse",
];

/// What follows from the result of a call that asks a question; of several results the last one answers.
pub(super) fn predicate(_: &Interpreter<'_>, question: &Question<'_>) -> (Option<Truth>, Vec<Fact>) {
    (truth(question), Vec::new())
}

fn truth(question: &Question<'_>) -> Option<Truth> {
    let argument = |at: usize| question.argument(at);
    let when_true = |facts: Vec<Fact>| Some(Truth { when_true: facts, when_false: Vec::new() });
    let when_false = |facts: Vec<Fact>| Some(Truth { when_true: Vec::new(), when_false: facts });
    match (question.path, argument(0), argument(1)) {
        ("strings.HasPrefix" | "bytes.HasPrefix", Some(text), Some(prefix)) => Some(has_prefix(text, prefix)),
        ("strings.HasSuffix", Some(text), Some(suffix)) if suffix.text().is_some() => {
            let host =
                if suffix.text().is_some_and(|text| text.starts_with('.')) { Classes::HOST } else { Classes::NONE };
            when_true(text.facts(Classes::EXTENSION | host))
        }
        ("strings.HasSuffix", Some(text), Some(_)) => when_true(text.facts(Classes::HOST)),
        ("strings.Contains" | "strings.ContainsRune" | "strings.ContainsAny", Some(text), Some(part)) => {
            let part = part.characters()?;
            let lacking = if question.path == "strings.ContainsAny" {
                part.chars().fold(Classes::NONE, |all, letter| all | harmless_lacking(&letter.to_string()))
            } else {
                harmless_lacking(part)
            };
            let options = if part == "-" { Classes::OPTION } else { Classes::NONE };
            when_false(text.facts(lacking | options))
        }
        ("path/filepath.IsLocal" | "io/fs.ValidPath", Some(path), _) => when_true(path.facts(Classes::PATH)),
        ("path/filepath.IsAbs" | "path.IsAbs", Some(path), _) => when_false(path.facts(Classes::PATH_ABSOLUTE)),
        ("strings.EqualFold", Some(one), Some(other)) if other.taints.is_empty() => when_true(one.facts(Classes::ALL)),
        ("slices.Contains" | "lo.Contains", Some(list), Some(value)) if list.taints.is_empty() => {
            when_true(value.facts(Classes::ALL))
        }
        ("regexp.MatchString", Some(known), Some(text)) => {
            Some(pattern_facts::truth(&pattern(known.characters()?), "search", text))
        }
        ("net.ParseIP" | "net/netip.ParseAddr", Some(text), _) => {
            let facts = text.facts(Classes::ALL.without(Classes::REQUEST_HOST));
            Some(if question.path == "net.ParseIP" {
                Truth { when_true: facts, when_false: Vec::new() }
            } else {
                Truth { when_true: Vec::new(), when_false: facts }
            })
        }
        (path, Some(text), _) if CONVERSIONS.contains(&path) => {
            when_false(text.facts(Classes::ALL.without(Classes::SIZE)))
        }
        _ => method_truth(question),
    }
}

fn method_truth(question: &Question<'_>) -> Option<Truth> {
    let receiver = question.receiver?;
    let when_true = |facts: Vec<Fact>| Some(Truth { when_true: facts, when_false: Vec::new() });
    match (question.method, question.argument(0)) {
        ("MatchString" | "Match", Some(text)) => {
            let known = match (&receiver.shape, receiver.path_text()) {
                (Shape::Called { positional, .. }, "regexp.MustCompile()" | "regexp.Compile()") => positional.first(),
                _ => None,
            };
            match known.and_then(|known| known.characters()) {
                Some(known) => Some(pattern_facts::truth(&pattern(known), "search", text)),
                // A pattern that this file does not show was written to check something.
                None => when_true(text.facts(Classes::ALL)),
            }
        }
        ("IsLoopback" | "IsPrivate" | "IsLinkLocalUnicast" | "IsUnspecified", None) => {
            Some(Truth { when_true: Vec::new(), when_false: receiver.facts(Classes::REQUEST_HOST) })
        }
        ("IsAbs", None) => Some(Truth { when_true: Vec::new(), when_false: receiver.facts(Classes::HOST) }),
        _ => None,
    }
}

/// `strings.HasPrefix(text, prefix)`.
fn has_prefix(text: &ValueRef, prefix: &ValueRef) -> Truth {
    let mut truth = starts_with(text, prefix);
    if let Shape::Called { positional, .. } = &text.shape {
        // `..` at the start of what leads from a folder to a file says that the file is outside.
        if text.path_text() == "path/filepath.Rel()"
            && prefix.text().is_some_and(|prefix| prefix.starts_with(".."))
            && let Some(path) = positional.get(1)
        {
            truth.when_false.extend(inside(path));
            truth.when_false.extend(text.facts(Classes::PATH));
        }
    }
    let is_separated = prefix.labels.has(Labels::ENDS_WITH_SEPARATOR) || ends_with_separator(prefix);
    if is_separated && prefix.text() != Some("/") && text.labels.has(Labels::RESOLVED_PATH) {
        truth.when_true.extend(inside(text));
    }
    truth
}

fn ends_with_separator(prefix: &ValueRef) -> bool {
    let Shape::Text(pieces) = &prefix.shape else { return false };
    pieces.last().is_some_and(|last| match last {
        crate::flow::Piece::Literal(text) => text.ends_with('/'),
        crate::flow::Piece::Hole { value, .. } => Rc::clone(value).labels.has(Labels::ENDS_WITH_SEPARATOR),
    })
}
