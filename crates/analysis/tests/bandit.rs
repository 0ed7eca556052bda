//! The rules for Python against what Bandit reports on its own examples: at least 95 % of the findings in scope are found on the
//! same line, and whatever differs has its reason here, in both directions.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use codeward_analysis::{Language, analyse};
use codeward_records::Finding;

/// What must be found of the findings in scope.
const LEAST_SHARE: f64 = 0.95;

/// Checks of Bandit that are not ours to repeat, with the reason.
const OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("B101", "an assertion is no weakness in itself"),
    ("B401", IMPORT),
    ("B402", IMPORT),
    ("B403", IMPORT),
    ("B404", IMPORT),
    ("B405", IMPORT),
    ("B406", IMPORT),
    ("B407", IMPORT),
    ("B408", IMPORT),
    ("B409", IMPORT),
    ("B411", IMPORT),
    ("B412", IMPORT),
    ("B413", IMPORT),
    ("B415", IMPORT),
    (
        "B603",
        "a program started from a list of arguments without a shell is what we advise; input in it has rules of its own",
    ),
    ("B606", "starting a program without a shell is what we advise; input in it has rules of its own"),
];

const IMPORT: &str = "an import does nothing; the use of the module is reported at the call";

/// Findings of Bandit in scope that we do not make, on purpose.
const NOT_MADE: &[(&str, &str, usize, &str)] = &[
    ("tarfile_extractall.py", "B202", 32, "an empty list of members extracts nothing"),
    ("tarfile_extractall.py", "B202", 38, "the module has no such function: the call fails"),
    ("jinja2_templating.py", "B701", 29, "what an unknown function returns is not known to be false"),
];

/// Findings of ours where Bandit has none, with the reason.
const EXTRAS: &[(&str, &str, &[usize], &str)] = &[
    ("django_sql_injection_extra.py", "py/raw-sql-expression", &[3, 8, 9, 10], NOTED),
    ("django_sql_injection_raw.py", "py/raw-sql-expression", &[4], NOTED),
    ("mark_safe_secure.py", "py/markup-trusted", &[5, 6, 7, 8], NOTED),
    ("markupsafe_markup_xss.py", "py/markup-trusted", &[7, 8, 12, 13], NOTED),
    ("mark_safe_insecure.py", "py/html-unescaped", &[6], "parameters are put into tags without being escaped"),
    ("os-chmod.py", "py/loose-permissions", &[19], "everyone may run the file"),
    ("os-chmod.py", "py/group-permissions", &[18], "the group may run the file"),
    ("tarfile_extractall.py", "py/path-traversal", &[7, 13, 19, 25], "a parameter names the file that is opened"),
];

/// Findings that both make, Bandit at the first line of the call and we at the argument that is to blame, further down: rule, and
/// both lines.
const NARROWER: &[(&str, &str, usize, usize)] = &[
    ("huggingface_unsafe_download.py", "py/unpinned-model", 13, 15),
    ("huggingface_unsafe_download.py", "py/unpinned-model", 19, 21),
    ("huggingface_unsafe_download.py", "py/unpinned-model", 31, 33),
    ("huggingface_unsafe_download.py", "py/unpinned-model", 37, 39),
    ("huggingface_unsafe_download.py", "py/unpinned-model", 64, 67),
    ("huggingface_unsafe_download.py", "py/unpinned-model", 71, 74),
    ("huggingface_unsafe_download.py", "py/unpinned-model", 84, 86),
    ("huggingface_unsafe_download.py", "py/unpinned-model", 90, 92),
    ("jinja2_templating.py", "py/autoescape-off", 11, 13),
    ("weak_cryptographic_key_sizes.py", "py/short-key", 42, 43),
    ("weak_cryptographic_key_sizes.py", "py/short-key", 55, 56),
];

const NOTED: &str = "our note is about the interface, whatever it is given";

struct Example {
    file: String,
    code: String,
    /// Check and line.
    findings: Vec<(String, usize)>,
}

fn examples() -> Vec<Example> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bandit/examples.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let text_of = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let read = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let findings = row["findings"].as_array().unwrap().iter();
        let findings =
            findings.map(|pair| (text_of(&pair[0]), usize::try_from(pair[1].as_u64().unwrap()).unwrap())).collect();
        Example { file: text_of(&row["file"]), code: text_of(&row["code"]), findings }
    };
    text.lines().map(read).collect()
}

fn is_on(finding: &Finding, line: usize) -> bool {
    (finding.line..=finding.end_line).contains(&line)
}

/// The lines of a file where both make a finding, theirs and ours, with our rule.
fn narrower(file: &str) -> impl Iterator<Item = (&'static str, usize, usize)> {
    let of_file = NARROWER.iter().filter(move |(known, ..)| *known == file);
    of_file.map(|(_, rule, theirs, ours)| (*rule, *theirs, *ours))
}

fn found(example: &Example) -> Vec<Finding> {
    analyse(Language::Python, &example.code).unwrap_or_else(|error| panic!("{}: {error}", example.file)).findings
}

#[test]
fn at_least_95_percent_of_the_findings_in_scope_are_found_on_their_line() {
    let mut by_check: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let mut missed = Vec::new();
    for example in examples() {
        let ours = found(&example);
        for (check, line) in &example.findings {
            if OUT_OF_SCOPE.iter().any(|(known, _)| known == check) {
                continue;
            }
            let is_found = ours.iter().any(|finding| is_on(finding, *line));
            let count = by_check.entry(check.clone()).or_default();
            *count = (count.0 + u32::from(is_found), count.1 + 1);
            let is_on_purpose =
                NOT_MADE.iter().any(|(file, known, at, _)| *file == example.file && known == check && at == line);
            let is_narrower = narrower(&example.file).any(|(rule, theirs, line_of_ours)| {
                theirs == *line && ours.iter().any(|finding| finding.rule == rule && finding.line == line_of_ours)
            });
            if !is_found && !is_on_purpose && !is_narrower {
                missed.push(format!("{check} {}:{line}", example.file));
            }
        }
    }
    let num_found: u32 = by_check.values().map(|(found, _)| found).sum();
    let num_all: u32 = by_check.values().map(|(_, all)| all).sum();
    let share = f64::from(num_found) / f64::from(num_all);
    println!("{num_found} of {num_all} findings in scope, {:.1} %, over {} checks", share * 100.0, by_check.len());
    assert!(num_all > 450, "only {num_all} findings are in scope");
    assert!(share >= LEAST_SHARE, "{share:.3}");
    assert!(missed.is_empty(), "missed, and no reason given: {missed:#?}");
}

#[test]
fn every_check_out_of_scope_is_one_of_bandit_and_has_one_reason() {
    let checks: BTreeSet<String> =
        examples().into_iter().flat_map(|example| example.findings).map(|(check, _)| check).collect();
    let listed: BTreeSet<_> = OUT_OF_SCOPE.iter().map(|(check, _)| *check).collect();
    assert_eq!(listed.len(), OUT_OF_SCOPE.len());
    for (check, reason) in OUT_OF_SCOPE {
        assert!(checks.contains(*check) && !reason.is_empty(), "{check} has no finding in the examples");
    }
}

#[test]
fn every_finding_beyond_has_its_reason() {
    let mut unexplained = Vec::new();
    let mut used = BTreeSet::new();
    for example in examples() {
        let lines: Vec<&str> = example.code.lines().collect();
        for finding in found(&example) {
            if example.findings.iter().any(|(_, line)| is_on(&finding, *line)) {
                continue;
            }
            // Comments that silence Bandit do not silence us. They may stand a line or two beside the finding.
            let near = finding.line.saturating_sub(3)..(finding.end_line + 2).min(lines.len());
            if lines[near].iter().any(|line| line.contains("nosec")) {
                continue;
            }
            if narrower(&example.file).any(|(rule, _, ours)| rule == finding.rule && ours == finding.line) {
                continue;
            }
            let reason = EXTRAS.iter().position(|(file, rule, at, _)| {
                *file == example.file && *rule == finding.rule && at.contains(&finding.line)
            });
            match reason {
                Some(reason) => {
                    used.insert(reason);
                }
                None => unexplained.push(format!("{} {}:{}", finding.rule, example.file, finding.line)),
            }
        }
    }
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    assert_eq!(used.len(), EXTRAS.len(), "a reason explains nothing");
}

#[test]
fn what_is_not_made_is_not_made() {
    for example in examples() {
        let ours = found(&example);
        for (file, check, line, reason) in NOT_MADE.iter().filter(|(file, ..)| *file == example.file) {
            assert!(!ours.iter().any(|finding| is_on(finding, *line)), "{check} {file}:{line}: {reason}");
            assert!(example.findings.iter().any(|(known, at)| known == check && at == line), "{check} {file}:{line}");
        }
    }
}
