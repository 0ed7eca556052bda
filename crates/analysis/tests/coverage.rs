//! How many rules and weakness classes there are, and that the classes that tasks for training and public benchmarks are about are among them.
//! The tables in `docs/analysis.md` are written by `UPDATE_REFERENCE=1 cargo test -p codeward-analysis --test coverage`.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use codeward_analysis::{Language, RuleInfo, rules};

/// What is promised of all languages together.
const LEAST_RULES: usize = 200;
const LEAST_CLASSES: usize = 60;

/// Languages, each with those whose rules it is read by.
const LANGUAGES: &[(&str, &[Language])] = &[
    ("Python", &[Language::Python]),
    ("JavaScript", &[Language::JavaScript]),
    ("TypeScript", &[Language::JavaScript, Language::TypeScript]),
    ("Java", &[Language::Java]),
    ("Go", &[Language::Go]),
    ("C", &[Language::C]),
    ("C++", &[Language::C, Language::Cpp]),
];

/// The quota with which the tasks of SecCoderX are published: 18 classes. Its paper speaks of 24 and does not list them.
const SECCODERX: &[u16] = &[20, 22, 78, 79, 89, 94, 119, 120, 125, 190, 200, 276, 295, 327, 416, 476, 732, 787];

/// The classes of those of CWEval's tasks that are public to us.
const CWEVAL: &[u16] = &[
    20, 22, 78, 79, 95, 117, 119, 120, 125, 131, 134, 170, 190, 326, 327, 329, 347, 468, 476, 643, 676, 760, 787, 918,
    943, 1333,
];

/// The classes of CyberSecEval's tasks in the languages that are read.
const CYBERSECEVAL: &[u16] = &[
    22, 78, 79, 89, 94, 95, 119, 120, 121, 185, 200, 208, 242, 276, 295, 312, 319, 327, 328, 330, 335, 338, 345, 347,
    352, 377, 416, 502, 589, 590, 611, 643, 665, 676, 680, 770, 798, 908, 918, 1240,
];

/// Classes of benchmarks that go by another name with us, and why.
const OTHERWISE: &[(u16, u16, &str)] = &[
    (185, 1333, "an expression from a variable is reported for what it can do: take very long"),
    (589, 477, "what its tasks are about are methods that nobody should call any longer"),
    (665, 477, "what its tasks are about is a pointer class that the language has given up"),
    (1240, 327, "its tasks are about DES, a broken cipher, not one of somebody's own making"),
];

/// Classes of the quota that are not reported in a language, and why.
const GAPS: &[(&str, u16, &str)] = &[
    ("Python", 190, "integers do not wrap"),
    ("JavaScript", 190, "numbers do not wrap"),
    ("TypeScript", 190, "numbers do not wrap"),
    ("Java", 190, "not done: which sums matter is not to be seen in one file"),
    ("JavaScript", 476, "not done: no type says what may be undefined"),
    ("TypeScript", 476, "its own compiler says so"),
    ("Go", 476, "not done: results beside an error are hardly ever read before it"),
    ("C", 94, "nothing in the language evaluates code"),
    ("C++", 94, "nothing in the language evaluates code"),
];

/// Classes that only programs have that look after their memory themselves.
const OF_MEMORY: &[u16] = &[119, 120, 125, 416, 787];

/// Narrower classes that are reports of a wider one.
const CHILDREN: &[(u16, &[u16])] = &[(200, &[208, 209, 497, 532]), (276, &[732])];

fn of(languages: &[Language]) -> Vec<&'static RuleInfo> {
    rules().filter(|rule| languages.contains(&rule.language())).collect()
}

fn classes<'r>(rules: impl IntoIterator<Item = &'r RuleInfo>) -> BTreeSet<u16> {
    rules.into_iter().flat_map(|rule| rule.cwe).map(|class| class.0).collect()
}

/// Whether there is a rule for a class, or for one directly below it.
fn has(classes: &BTreeSet<u16>, class: u16) -> bool {
    let children = CHILDREN.iter().find(|(parent, _)| *parent == class).map_or(&[][..], |(_, children)| children);
    classes.contains(&class) || children.iter().any(|child| classes.contains(child))
}

#[test]
fn there_are_as_many_rules_and_classes_as_promised() {
    let (num_rules, num_classes) = (rules().count(), classes(rules()).len());
    assert!(num_rules >= LEAST_RULES && num_classes >= LEAST_CLASSES, "{num_rules} rules, {num_classes} classes");
}

#[test]
fn the_classes_of_tasks_and_benchmarks_have_rules() {
    let all = classes(rules());
    let lists = [("SecCoderX", SECCODERX), ("CWEval", CWEVAL), ("CyberSecEval", CYBERSECEVAL)];
    for (name, list) in lists {
        for class in list {
            let otherwise = OTHERWISE.iter().find(|(theirs, ..)| theirs == class).map(|(_, ours, _)| ours);
            assert!(all.contains(otherwise.unwrap_or(class)), "{name}: CWE-{class}");
        }
    }
    for (theirs, _, reason) in OTHERWISE {
        assert!(!all.contains(theirs), "CWE-{theirs} has a rule of its own, so this is no reason: {reason}");
    }
}

#[test]
fn the_classes_of_the_quota_have_rules_in_every_language_that_can_have_them() {
    let mut wrong = Vec::new();
    for (language, languages) in LANGUAGES {
        let own = classes(of(languages));
        let manages_memory = matches!(*language, "C" | "C++");
        for class in SECCODERX.iter().filter(|class| manages_memory || !OF_MEMORY.contains(class)) {
            let gap = GAPS.iter().find(|(where_, known, _)| where_ == language && known == class);
            match (has(&own, *class), gap) {
                (false, None) => wrong.push(format!("{language}: no rule for CWE-{class}")),
                (true, Some((_, _, reason))) => wrong.push(format!("{language}: CWE-{class} is no gap: {reason}")),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The tables of the document.
fn tables() -> String {
    let all = rules().count();
    let mut out = format!(
        "{all} rules report {} classes.\n\n| language | rules | classes |\n|---|---|---|\n",
        classes(rules()).len()
    );
    for (name, languages) in LANGUAGES {
        let rules = of(languages);
        writeln!(out, "| {name} | {} | {} |", rules.len(), classes(rules.iter().copied()).len()).unwrap();
    }
    let (_, first) = LANGUAGES[0];
    assert!(!of(first).is_empty(), "the table is about rules that there are");
    let names: Vec<_> = LANGUAGES.iter().map(|(name, _)| *name).collect();
    write!(
        out,
        "\nRules for the classes of SecCoderX's quota:\n\n| class | {} |\n|---{}|\n",
        names.join(" | "),
        "|---".repeat(names.len())
    )
    .unwrap();
    for class in SECCODERX {
        let count = |(_, languages): &(&str, &[Language])| {
            let children =
                CHILDREN.iter().find(|(parent, _)| parent == class).map_or(&[][..], |(_, children)| children);
            let is_meant = |rule: &&&RuleInfo| rule.cwe.iter().any(|own| own.0 == *class || children.contains(&own.0));
            let count = of(languages).iter().filter(is_meant).count();
            if count == 0 { "–".to_owned() } else { count.to_string() }
        };
        let counts: Vec<_> = LANGUAGES.iter().map(count).collect();
        writeln!(out, "| CWE-{class} | {} |", counts.join(" | ")).unwrap();
    }
    out
}

#[test]
fn the_tables_of_the_document_say_what_the_rules_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/analysis.md");
    let text = fs::read_to_string(&path).unwrap();
    let (start, end) = (
        "<!-- coverage: written by UPDATE_REFERENCE=1 cargo test -p codeward-analysis --test coverage -->\n",
        "<!-- end of coverage -->",
    );
    let (before, rest) = text.split_once(start).expect("the document has a place for the tables");
    let (written, after) = rest.split_once(end).expect("the place for the tables has an end");
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&path, [before, start, &tables(), end, after].concat()).unwrap();
    } else {
        assert_eq!(written, tables(), "stale: UPDATE_REFERENCE=1 cargo test -p codeward-analysis --test coverage");
    }
}
