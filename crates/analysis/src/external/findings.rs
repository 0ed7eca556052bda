//! What an analyser says, before it is a [`Finding`] of ours.

use std::collections::BTreeMap;

use codeward_records::{Cwe, Finding, Level};

use super::analyser::Analyser;
use super::error::ExternalError;
use super::place::{Counting, Lines, Place};
use super::weaknesses;
use crate::report::{line_starts, position};

/// One result, in the analyser's own terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The analyser's name for the rule.
    pub(super) rule: String,
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) severity: Level,
    pub(super) confidence: Level,
    /// The classes it names itself.
    pub(super) cwe: Vec<Cwe>,
}

/// What an analyser says of each file, by the name that the file was given.
pub(super) type Answers = BTreeMap<String, Result<Vec<Said>, ExternalError>>;

/// Findings beyond these are dropped: nobody reads them, and a file can be written to have any number.
const MAX_FINDINGS: usize = 1000;
const MAX_MESSAGE: usize = 500;

/// The findings of a file.
pub(super) fn findings(
    analyser: Analyser,
    counting: Counting,
    source: &str,
    said: Vec<Said>,
) -> Result<Vec<Finding>, ExternalError> {
    let lines = Lines::new(source, counting);
    let starts = line_starts(source);
    let mut findings = Vec::new();
    for one in said.into_iter().take(MAX_FINDINGS) {
        let span = lines.span(one.place).ok_or_else(|| ExternalError::Garbled {
            analyser,
            reason: format!("{} is said to be at {:?}, where there is nothing", one.rule, one.place),
        })?;
        let known = weaknesses::of(analyser, &one.rule);
        let cwe = match known.cwe {
            [] => one.cwe,
            known => known.to_vec(),
        };
        let (line, column) = position(&starts, span.start);
        let (end_line, end_column) = position(&starts, span.end);
        findings.push(Finding {
            code: format!("{analyser}/{}", one.rule),
            rule: format!("{analyser}/{}", one.rule),
            cwe,
            severity: known.severity.unwrap_or(one.severity),
            confidence: one.confidence,
            start_byte: span.start,
            end_byte: span.end,
            line,
            column,
            end_line,
            end_column,
            message: shorten(&one.message),
            trace: vec![],
        });
    }
    findings.sort_by(|one, other| {
        (one.start_byte, one.end_byte, &one.rule, &one.message).cmp(&(
            other.start_byte,
            other.end_byte,
            &other.rule,
            &other.message,
        ))
    });
    findings.dedup_by(|one, other| {
        (one.start_byte, one.end_byte, &one.rule) == (other.start_byte, other.end_byte, &other.rule)
    });
    Ok(findings)
}

/// One line of at most a few hundred characters: it may repeat what the file says.
fn shorten(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_MESSAGE) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line,
    }
}

/// Classes in text such as `CWE-119!/CWE-120: Buffer copy`.
pub(super) fn classes(text: &str) -> Vec<Cwe> {
    let number = |part: &str| {
        let digits = &part[..part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len())];
        digits.parse().ok().map(Cwe)
    };
    let upper = text.to_ascii_uppercase();
    let mut found = Vec::new();
    for class in upper.split("CWE-").skip(1).filter_map(number) {
        if !found.contains(&class) {
            found.push(class);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::place::{Breaks, Unit};
    use super::*;

    const COUNTING: Counting = Counting { unit: Unit::Bytes, breaks: Breaks::Newline };

    fn said(rule: &str, line: usize) -> Said {
        Said {
            rule: rule.to_owned(),
            place: Place::Start { line, column: 1 },
            message: "a  b\nc".to_owned(),
            severity: Level::Low,
            confidence: Level::High,
            cwe: vec![Cwe(1)],
        }
    }

    #[test]
    fn a_place_that_is_not_there_is_no_finding_and_not_nothing() {
        let all = findings(Analyser::Cppcheck, COUNTING, "gets(x)\n", vec![said("r", 9)]);
        assert!(matches!(all, Err(ExternalError::Garbled { .. })));
    }

    #[test]
    fn what_is_said_twice_is_found_once() {
        let all = findings(Analyser::Cppcheck, COUNTING, "gets(x)\n", vec![said("r", 1), said("r", 1), said("q", 1)]);
        let all = all.unwrap();
        assert_eq!(all.iter().map(|one| one.rule.as_str()).collect::<Vec<_>>(), ["cppcheck/q", "cppcheck/r"]);
        assert_eq!((all[0].start_byte, all[0].end_byte, all[0].message.as_str()), (0, 4, "a b c"));
    }

    #[test]
    fn classes_are_read_out_of_text() {
        assert_eq!(classes("CWE-119!/CWE-120, cwe-20: x"), [Cwe(119), Cwe(120), Cwe(20)]);
        assert_eq!(classes("external/cwe/cwe-022"), [Cwe(22)]);
        assert_eq!(classes("CWE-, none, CWE-99999999"), []);
    }
}
