//! Each rule by a weak example and a sound one. In the weak one, `«` and `»` stand around the spans that must be found.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use std::collections::BTreeSet;

use codeward_analysis::{Example, Language, RuleInfo, analyse, rules};

/// Takes the marks out of an example: the text, and the marked texts with their places.
fn unmarked(example: &str) -> (String, BTreeSet<(usize, usize)>) {
    let (mut text, mut spans, mut open) = (String::new(), BTreeSet::new(), Vec::new());
    for letter in example.chars() {
        match letter {
            '«' => open.push(text.len()),
            '»' => {
                spans.insert((open.pop().unwrap(), text.len()));
            }
            _ => text.push(letter),
        }
    }
    (text, spans)
}

fn examples() -> impl Iterator<Item = (&'static RuleInfo, &'static Example)> {
    rules().flat_map(|rule| rule.examples.iter().map(move |example| (rule, example)))
}

fn language_of(code: &str) -> Language {
    match code.split('-').nth(1).unwrap() {
        "PY" => Language::Python,
        "JS" => Language::JavaScript,
        "JAVA" => Language::Java,
        "GO" => Language::Go,
        "C" => Language::C,
        "CPP" => Language::Cpp,
        other => panic!("{other} is no language"),
    }
}

#[test]
fn each_rule_finds_the_marked_spans_of_the_weak_example_and_nothing_in_the_sound_one() {
    for (rule, Example { weak, sound }) in examples() {
        let language = language_of(rule.code);
        let rule = rule.name;
        let spans_of = |source: &str| {
            let analysis = analyse(language, source).unwrap();
            assert_eq!(analysis.syntax_error, None, "{rule}\n{source}");
            let found = analysis.findings.into_iter().filter(|finding| finding.rule == rule);
            found.map(|finding| (finding.start_byte, finding.end_byte)).collect::<BTreeSet<_>>()
        };
        let (text, marked) = unmarked(weak);
        let found = spans_of(&text);
        let shown: Vec<_> = found.iter().map(|(start, end)| &text[*start..*end]).collect();
        assert_eq!(found, marked, "{rule} found {shown:?} in\n{text}");
        assert_eq!(spans_of(sound), BTreeSet::new(), "{rule} in\n{sound}");
    }
}

#[test]
fn each_rule_has_its_own_code_and_name_and_an_example() {
    let codes: BTreeSet<&str> = rules().map(|rule| rule.code).collect();
    let names: BTreeSet<&str> = rules().map(|rule| rule.name).collect();
    assert_eq!((codes.len(), names.len()), (rules().count(), rules().count()));
    for rule in rules() {
        assert!(!rule.examples.is_empty() && !rule.fix.is_empty(), "{}", rule.name);
        let class = rule.cwe[0].to_string().replace("CWE-", "");
        assert!(rule.code.split('-').nth(2).unwrap().trim_start_matches('0') == class, "{} {class}", rule.code);
    }
}

#[test]
fn each_message_is_one_sentence_and_each_finding_repeats_its_rule() {
    for (rule, Example { weak, .. }) in examples() {
        let name = rule.name;
        assert!(!rule.cwe.is_empty() && !rule.summary.ends_with('.'), "{name}");
        let (text, _) = unmarked(weak);
        for finding in
            analyse(language_of(rule.code), &text).unwrap().findings.iter().filter(|finding| finding.rule == name)
        {
            assert!(!finding.message.ends_with('.') && finding.message.len() > 20, "{name}: {}", finding.message);
            assert_eq!(
                (finding.severity, finding.confidence, finding.cwe.as_slice()),
                (rule.severity, rule.confidence, rule.cwe)
            );
        }
    }
}
