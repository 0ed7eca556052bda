//! Pairs of a weak program and its repair, from the references of a task.

use codeward_analysis::similarity::{Prepared, ast_similarity};
use codeward_records::{Language, Reference, ReferenceKind, Task};

use crate::credit::RepairPair;

/// Each reference of one kind with the one of the other kind that is most like it, without doubles.
pub fn repair_pairs(task: &Task) -> Vec<RepairPair> {
    let of = |kind: ReferenceKind| task.references.iter().filter(move |reference| reference.kind == kind);
    let nearest = |reference: &Reference, kind: ReferenceKind| {
        let likeness = |other: &Reference| likeness(task.language, &reference.code, &other.code);
        of(kind).max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
    };
    let forward = of(ReferenceKind::Vulnerable)
        .filter_map(|vulnerable| Some((vulnerable, nearest(vulnerable, ReferenceKind::Secure)?)));
    let backward =
        of(ReferenceKind::Secure).filter_map(|secure| Some((nearest(secure, ReferenceKind::Vulnerable)?, secure)));
    let mut pairs: Vec<RepairPair> = Vec::new();
    for (vulnerable, secure) in forward.chain(backward) {
        let pair = RepairPair { vulnerable: vulnerable.code.clone(), secure: secure.code.clone(), cwe: Some(task.cwe) };
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs
}

fn likeness(language: Language, one: &str, other: &str) -> f64 {
    match (Prepared::new(language.into(), one), Prepared::new(language.into(), other)) {
        (Ok(one), Ok(other)) => ast_similarity(&one, &other).unwrap_or(0.0),
        _ => 0.0,
    }
}
