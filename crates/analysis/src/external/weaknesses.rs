//! What the rules of external analysers are about, from a table of ours.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use codeward_records::{Cwe, Level};
use serde::Deserialize;

use super::analyser::Analyser;

const TABLE: &str = include_str!("weaknesses.toml");

/// What is known of a rule besides what its analyser says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known<'a> {
    pub(super) cwe: &'a [Cwe],
    pub(super) severity: Option<Level>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    cwe: Vec<u16>,
    severity: Option<Level>,
}

struct Entry {
    cwe: Vec<Cwe>,
    severity: Option<Level>,
}

type Rules = BTreeMap<String, Entry>;

static RULES: LazyLock<BTreeMap<String, Rules>> = LazyLock::new(|| {
    let table: BTreeMap<String, BTreeMap<String, Row>> =
        toml::from_str(TABLE).expect("the table is part of this program");
    let entry = |row: Row| Entry { cwe: row.cwe.into_iter().map(Cwe).collect(), severity: row.severity };
    let rules = |rules: BTreeMap<String, Row>| rules.into_iter().map(|(rule, row)| (rule, entry(row))).collect();
    table.into_iter().map(|(analyser, rows)| (analyser, rules(rows))).collect()
});

/// What the table says of a rule.
pub(super) fn of(analyser: Analyser, rule: &str) -> Known<'static> {
    let rules = RULES.get(analyser.name());
    let by_beginning = |rules: &'static Rules| {
        let mut begun = rules.iter().filter_map(|(name, entry)| Some((name.strip_suffix('*')?, entry)));
        begun.find(|(beginning, _)| rule.starts_with(beginning)).map(|(_, entry)| entry)
    };
    let entry = rules.and_then(|rules| rules.get(rule).or_else(|| by_beginning(rules)));
    entry.map_or(Known { cwe: &[], severity: None }, |entry| Known { cwe: &entry.cwe, severity: entry.severity })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_is_an_analyser_and_every_row_says_something() {
        for (analyser, rules) in &*RULES {
            assert!(analyser.parse::<Analyser>().is_ok(), "{analyser}");
            assert!(rules.values().all(|entry| !entry.cwe.is_empty()), "{analyser}");
        }
        assert_eq!(of(Analyser::Bandit, "B608").cwe, [Cwe(89)]);
        assert_eq!(of(Analyser::ClangTidy, "clang-analyzer-core.uninitialized.Assign").cwe, [Cwe(457)]);
        assert_eq!(of(Analyser::Gcc, "-Wanalyzer-double-free").severity, Some(Level::High));
        assert_eq!(of(Analyser::Gcc, "-Wunknown"), Known { cwe: &[], severity: None });
        assert_eq!(of(Analyser::Semgrep, "B608"), Known { cwe: &[], severity: None });
    }
}
