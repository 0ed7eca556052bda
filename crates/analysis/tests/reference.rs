//! The reference pages in `docs/rules` are the rules' own words. `UPDATE_REFERENCE=1 cargo test -p codeward-analysis --test reference` writes them anew.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use codeward_analysis::{Language, RuleInfo, rules};
use codeward_records::{Cwe, Level};

const NOTE: &str = "<!-- Written by `UPDATE_REFERENCE=1 cargo test -p codeward-analysis --test reference`. Change the rules' files instead. -->";

/// Pages with the language that each is about.
const PAGES: [(Language, &str); 7] = [
    (Language::Python, "Python"),
    (Language::JavaScript, "JavaScript and TypeScript"),
    (Language::TypeScript, "TypeScript alone"),
    (Language::Java, "Java"),
    (Language::Go, "Go"),
    (Language::C, "C"),
    (Language::Cpp, "C++"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules")
}

fn of(language: Language) -> Vec<&'static RuleInfo> {
    let mut chosen: Vec<_> = rules().filter(|rule| rule.language() == language).collect();
    chosen.sort_by_key(|rule| (rule.cwe[0], rule.code));
    chosen
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Low => "low",
        Level::Medium => "medium",
        Level::High => "high",
    }
}

fn page(title: &str, rules: &[&RuleInfo]) -> String {
    let mut out = format!(
        "{NOTE}\n\n# Rules for {title}\n\n| code | name | weakness | severity | confidence |\n|---|---|---|---|---|\n"
    );
    for rule in rules {
        let classes: Vec<_> = rule.cwe.iter().map(ToString::to_string).collect();
        let anchor = rule.code.to_lowercase();
        let (severity, confidence) = (level(rule.severity), level(rule.confidence));
        writeln!(
            out,
            "| [{}](#{anchor}) | `{}` | {} | {severity} | {confidence} |",
            rule.code,
            rule.name,
            classes.join(", ")
        )
        .unwrap();
    }
    for rule in rules {
        write!(out, "\n## {}\n\n`{}`\n\n{}", rule.code, rule.name, rule.markdown()).unwrap();
    }
    out
}

fn index(pages: &[(Language, &str)]) -> String {
    let classes: BTreeSet<Cwe> = rules().flat_map(|rule| rule.cwe).copied().collect();
    let mut out = format!(
        "{NOTE}\n\n# Rules\n\n{} rules, which report {} classes of weakness. `codeward explain CODE` shows one of them at the terminal, `codeward explain CWE-89` those for a class.\n\n| language | rules |\n|---|---|\n",
        rules().count(),
        classes.len()
    );
    for (language, title) in pages {
        writeln!(out, "| [{title}]({language}.md) | {} |", of(*language).len()).unwrap();
    }
    out.push_str("\n| class | rules |\n|---|---|\n");
    for class in classes {
        let mut links: Vec<_> = rules()
            .filter(|rule| rule.cwe.contains(&class))
            .map(|rule| format!("[{}]({}.md#{})", rule.code, rule.language(), rule.code.to_lowercase()))
            .collect();
        links.sort();
        writeln!(out, "| {class} {} | {} |", class.name(), links.join(" ")).unwrap();
    }
    out
}

#[test]
fn the_reference_pages_say_what_the_rules_say() {
    let pages: Vec<_> = PAGES.into_iter().filter(|(language, _)| !of(*language).is_empty()).collect();
    let mut expected: Vec<(String, String)> =
        pages.iter().map(|(language, title)| (format!("{language}.md"), page(title, &of(*language)))).collect();
    expected.push(("README.md".to_owned(), index(&pages)));
    let update = std::env::var_os("UPDATE_REFERENCE").is_some();
    if update {
        fs::create_dir_all(folder()).unwrap();
    }
    for (name, text) in &expected {
        let path = folder().join(name);
        if update {
            fs::write(&path, text).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        let stale = written.lines().zip(text.lines()).position(|(one, other)| one != other);
        assert!(
            written == *text,
            "{} is stale from line {}: UPDATE_REFERENCE=1 cargo test -p codeward-analysis --test reference",
            path.display(),
            stale.unwrap_or_else(|| written.lines().count().min(text.lines().count())) + 1
        );
    }
    let names: BTreeSet<_> = expected.iter().map(|(name, _)| name.clone()).collect();
    let found: BTreeSet<_> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, names, "a page of a language that has no rules");
}
