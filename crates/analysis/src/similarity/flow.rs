//! Which values come from which: the edges between the names of a text, as the package draws them.
//!
//! The text is read in order with a table of where each name was last set. A use of a name that is in the table *comes from*
//! itself; the target of an assignment is *computed from* each name and literal of its right side. Branches start from the same
//! table and are joined after it; loop bodies are read twice. What the package leaves out is left out here: Python's `for` with
//! an `else` has no body, C and C++ are read by the rules for C#, whose declarations they do not share, and where a field is
//! missing from a broken tree, or a text is assigned to as many parts as it has itself, the whole file has no edges. Each edge
//! then names its ends by the order in which names appear, so that the names themselves do not count.
//!
//! There are two lists of edges. The package's has its sources in the order of Python sets wherever two were joined. The other
//! one has them by first appearance, so that a consistent change of names changes nothing, and goes on where the package gives a
//! file up.

mod braces;
mod names;
mod python;
mod walk;

use crate::language::Language;

use super::hash::mix;
use super::tree::Outline;
use names::Names;
use walk::{Item, Stop, Walk};

/// The deepest tree with edges. The package's walk is recursive and stops at Python's limit of 1,000 calls, counted from its
/// caller's: this is how deep it comes when a module calls it. A deeper text counts as one without edges.
pub(super) const MAX_DEPTH: usize = 992;

/// The edges of one text, as sorted hashes.
#[derive(Debug, Clone, Default)]
pub(super) struct DataFlow {
    /// With sources in the order of Python's sets.
    pub package: Vec<u64>,
    /// With sources by first appearance.
    pub ordered: Vec<u64>,
}

/// The walk was stopped by its budget.
#[derive(Debug)]
pub(super) struct TooComplex;

impl DataFlow {
    /// The edges of a text; `budget` bounds the walk, which repeats the bodies of nested loops.
    pub(super) fn of(language: Language, outline: &Outline, budget: usize) -> Result<Self, TooComplex> {
        if outline.depth > MAX_DEPTH {
            return Ok(Self::default());
        }
        let mut walk = Walk::new(language, outline, budget, false);
        let ran = walk.run();
        if ran == Err(Stop::Raised) {
            walk = Walk::new(language, outline, budget, true);
        }
        let has_raised = walk.is_lenient;
        let ran = if has_raised { walk.run() } else { ran };
        ran.map_err(|_| TooComplex)?;
        let edges = merged(&mut walk)?;
        let ordered = normalised(outline, &edges, Names::ordered);
        if has_raised {
            return Ok(Self { package: Vec::new(), ordered });
        }
        let is_same = edges.iter().all(|edge| edge.names.package() == edge.names.ordered());
        let package = if is_same { ordered.clone() } else { normalised(outline, &edges, Names::package) };
        Ok(Self { package, ordered })
    }
}

/// One edge for each token that has a source or is one, in the order of the text.
fn merged(walk: &mut Walk<'_>) -> Result<Vec<Item>, TooComplex> {
    let mut items = std::mem::take(&mut walk.items);
    items.retain(|item| walk.is_used[item.token]);
    items.sort_by_key(|item| item.token);
    let mut edges: Vec<Item> = Vec::new();
    for item in items {
        match edges.last_mut() {
            Some(edge) if edge.token == item.token => {
                walk.spend(edge.names.package().len() + item.names.package().len()).map_err(|_| TooComplex)?;
                edge.relation = item.relation;
                edge.names = walk.join(&edge.names, &item.names);
            }
            _ => edges.push(item),
        }
    }
    Ok(edges)
}

/// The edges with numbers for names, hashed and sorted.
fn normalised(outline: &Outline, edges: &[Item], sources: fn(&Names) -> &[usize]) -> Vec<u64> {
    let mut numbers: Vec<Option<u64>> = vec![None; outline.names.len()];
    let mut count = 0;
    let mut number = |name: usize| {
        *numbers[name].get_or_insert_with(|| {
            count += 1;
            count
        })
    };
    let hash = |edge: &Item| {
        let start = mix(0, edge.relation as u64);
        let sources = sources(&edge.names).iter().fold(start, |sequence, name| mix(sequence, number(*name)));
        mix(sources, number(outline.tokens[edge.token].name))
    };
    let mut hashes: Vec<u64> = edges.iter().map(hash).collect();
    hashes.sort_unstable();
    hashes
}
