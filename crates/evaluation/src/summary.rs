//! Before and after side by side, per split, weakness class and task family.

use std::collections::{BTreeMap, BTreeSet};

use codeward_records::{Cwe, Judged};
use serde::Serialize;

use crate::metrics::{PairedChange, Rates, paired_change};

/// What an evaluation before and one after training say together. Serialises to the shape that `quickstart --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The model before training.
    pub before: Side,
    /// The model after training.
    pub after: Side,
    /// After minus before over pairs.
    pub change: Changes,
    /// Per split and weakness class, ordered.
    pub per_cwe: Vec<CweRow>,
    /// Per split and task family, ordered.
    pub per_family: Vec<FamilyRow>,
}

/// One side's rates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// By split.
    pub splits: BTreeMap<String, Rates>,
}

/// Paired differences.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changes {
    /// By split; only splits that both sides have.
    pub splits: BTreeMap<String, PairedChange>,
}

/// One weakness class within one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CweRow {
    /// The split.
    pub split: String,
    /// The class.
    pub cwe: Cwe,
    /// Its short name.
    pub name: &'static str,
    /// Rates before; `n` is 0 when there were no rows.
    pub before: Rates,
    /// Rates after.
    pub after: Rates,
    /// After minus before over pairs.
    pub change: PairedChange,
}

/// One task family within one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FamilyRow {
    /// The split.
    pub split: String,
    /// The family.
    pub family: String,
    /// The weakness class of its tasks.
    pub cwe: Cwe,
    /// Rates before; `n` is 0 when there were no rows.
    pub before: Rates,
    /// Rates after.
    pub after: Rates,
    /// After minus before over pairs.
    pub change: PairedChange,
}

impl Summary {
    /// Summarises both sides; either may be empty. `seed` decides the resamples behind every interval.
    ///
    /// Intervals here and in the report agree when both use the seed of the run's manifest.
    pub fn from_rows(before: &[Judged], after: &[Judged], seed: u64) -> Self {
        let change = compare(before, after, |row| row.split.clone(), seed)
            .into_iter()
            .filter(|(_, group)| group.before.n + group.before.unscored > 0)
            .filter(|(_, group)| group.after.n + group.after.unscored > 0)
            .map(|(split, group)| (split, group.change))
            .collect();
        let per_cwe = compare(before, after, |row| (row.split.clone(), row.cwe), seed)
            .into_iter()
            .map(|((split, cwe), Group { before, after, change })| CweRow {
                split,
                cwe,
                name: cwe.name(),
                before,
                after,
                change,
            })
            .collect();
        let per_family = compare(before, after, |row| (row.split.clone(), row.cwe, row.family.clone()), seed)
            .into_iter()
            .map(|((split, cwe, family), Group { before, after, change })| FamilyRow {
                split,
                family,
                cwe,
                before,
                after,
                change,
            })
            .collect();
        Self {
            before: Side { splits: Rates::by_key(before, |row| row.split.clone(), seed) },
            after: Side { splits: Rates::by_key(after, |row| row.split.clone(), seed) },
            change: Changes { splits: change },
            per_cwe,
            per_family,
        }
    }

    /// The splits of either side, ordered.
    pub fn splits(&self) -> BTreeSet<&str> {
        self.before.splits.keys().chain(self.after.splits.keys()).map(String::as_str).collect()
    }

    /// The terminal table: a row per split and metric, then one per weakness class.
    pub fn table(&self) -> String {
        crate::table::render(self)
    }
}

struct Group {
    before: Rates,
    after: Rates,
    change: PairedChange,
}

fn compare<K: Ord>(before: &[Judged], after: &[Judged], key: impl Fn(&Judged) -> K, seed: u64) -> BTreeMap<K, Group> {
    let mut sides: BTreeMap<K, (Vec<&Judged>, Vec<&Judged>)> = BTreeMap::new();
    for row in before {
        sides.entry(key(row)).or_default().0.push(row);
    }
    for row in after {
        sides.entry(key(row)).or_default().1.push(row);
    }
    let compared = sides.into_iter().map(|(key, (before, after))| {
        let change = paired_change(before.iter().copied(), after.iter().copied(), seed);
        (key, Group { before: Rates::from_rows(before, seed), after: Rates::from_rows(after, seed), change })
    });
    compared.collect()
}
