//! The rules against the references of the benchmark: every vulnerable one is flagged, no secure one is.

mod family;

use codeward_analysis::{Language, analyse};
use codeward_records::{Finding, Level};

use family::{Reference, families};

/// Findings that count against a reference.
fn weighty(source: &str) -> Vec<Finding> {
    let analysis = analyse(Language::Python, source).expect("references are small");
    assert_eq!(analysis.syntax_error, None, "{source}");
    analysis.findings.into_iter().filter(|finding| finding.severity >= Level::Medium).collect()
}

/// Secure references that hold another weakness than the one their family is about, with that weakness.
const OTHER_WEAKNESSES: &[(&str, &str, &str)] = &[
    ("cwe377_export_temp", "secure_mkstemp", "py/csv-formula"),
    ("cwe377_export_temp", "secure_named", "py/csv-formula"),
    ("cwe611_feed_title", "secure_minidom", "py/xml-entity-expansion"),
    ("cwe611_feed_title", "secure_tree", "py/xml-entity-expansion"),
];

fn other_weakness(family: &str, reference: &Reference) -> Option<&'static str> {
    let known = OTHER_WEAKNESSES.iter().find(|(folder, stem, _)| *folder == family && *stem == reference.stem);
    known.map(|(_, _, rule)| *rule)
}

#[test]
fn every_vulnerable_reference_is_flagged_and_no_secure_one_is() {
    let mut wrong = Vec::new();
    let mut num_references = 0;
    for family in families() {
        for reference in &family.references {
            num_references += 1;
            for rendered in &reference.rendered {
                let found = weighty(rendered);
                let rules: Vec<_> = found.iter().map(|finding| finding.rule.as_str()).collect();
                let is_right = if reference.is_secure {
                    match other_weakness(&family.folder, reference) {
                        Some(rule) => rules == [rule],
                        None => rules.is_empty(),
                    }
                } else {
                    !rules.is_empty()
                };
                if !is_right {
                    wrong.push(format!("{}/{}: {rules:?}\n{rendered}", family.folder, reference.stem));
                    break;
                }
            }
        }
    }
    assert!(num_references > 100, "only {num_references} references were found");
    assert!(wrong.is_empty(), "{} of {num_references} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_finding_of_a_vulnerable_reference_names_the_weakness_of_its_family() {
    let (mut num_vulnerable, mut num_named) = (0_u32, 0_u32);
    let mut others = Vec::new();
    for family in families() {
        for reference in family.references.iter().filter(|reference| !reference.is_secure) {
            num_vulnerable += 1;
            let found = weighty(&reference.rendered[0]);
            if found.iter().any(|finding| finding.cwe.iter().any(|cwe| cwe.to_string() == family.cwe)) {
                num_named += 1;
            } else {
                others.push(format!("{}/{}", family.folder, reference.stem));
            }
        }
    }
    let share = f64::from(num_named) / f64::from(num_vulnerable);
    assert!(share > 0.9, "{share} of the findings name the family's own class; others: {others:?}");
}
