//! Sub-trees by what their s-expressions say, each as one hash, computed from the leaves upwards.
//!
//! The package prints every sub-tree and looks each print of the reference up in the list of the candidate's, which is quadratic
//! twice over. A hash says the same as a print: the kinds of the named nodes below, and their fields. Sub-trees with errors are
//! printed, but only where two texts have some of the same structure: no others can be equal. In a text of which the sub-trees with
//! errors have more than 200,000 nodes together, or of more than 400 levels, missing tokens that the grammar hides and unexpected
//! characters do not tell sub-trees apart.

use std::sync::OnceLock;

use tree_sitter::Tree;

use super::hash::{common, mix};
use super::print::broken_sub_trees;
use super::tree::{Node, NodeId, Outline, State};

/// Marks that keep the forms of a node apart.
const NAMED: u64 = 1;
const MISSING_NAMED: u64 = 2;
const MISSING_ANONYMOUS: u64 = 3;
const ANONYMOUS: u64 = 4;
const CHILD: u64 = 5;

/// How many nodes may be printed, each as often as sub-trees with errors hold it.
const PRINTED_NODES: usize = 200_000;

/// The deepest tree of which anything is printed: printing is recursive, on a stack that is not ours.
const PRINTED_LEVELS: usize = 400;

/// The sub-trees with more than one node, and the whole tree, which may have only one.
#[derive(Debug, Clone)]
pub(super) struct SubTrees {
    /// The hashes of those that are known by their structure, sorted.
    sound: Vec<u64>,
    broken: Option<Broken>,
}

/// Sub-trees with errors.
#[derive(Debug, Clone)]
struct Broken {
    tree: Tree,
    /// Their hashes by structure, sorted: sub-trees of which these differ have different prints.
    structures: Vec<u64>,
    prints: OnceLock<Vec<u64>>,
}

impl Broken {
    fn prints(&self) -> &[u64] {
        self.prints.get_or_init(|| broken_sub_trees(&self.tree))
    }
}

impl SubTrees {
    /// Those of a text; `hashes` is a list to work in.
    pub(super) fn of(tree: Tree, outline: &Outline, hashes: &mut Vec<u64>) -> Self {
        let nodes = &outline.nodes;
        let is_printed = nodes[0].has_error && is_printed(outline);
        let is_counted = |id: NodeId| id == 0 || nodes[id].end() > id + 1;
        hashes.clear();
        hashes.resize(nodes.len(), 0);
        let (mut sound, mut structures) = (Vec::with_capacity(nodes.len() / 2 + 1), Vec::new());
        for id in (0..nodes.len()).rev() {
            hashes[id] = hash(nodes, id, hashes);
            if is_counted(id) {
                let list = if is_printed && nodes[id].has_error { &mut structures } else { &mut sound };
                list.push(hashes[id]);
            }
        }
        sound.sort_unstable();
        structures.sort_unstable();
        let broken = is_printed.then(|| Broken { tree, structures, prints: OnceLock::new() });
        Self { sound, broken }
    }

    /// How many there are; never none.
    pub(super) fn len(&self) -> usize {
        self.sound.len() + self.broken.as_ref().map_or(0, |broken| broken.structures.len())
    }

    /// How many of these the other has too, as `count` counts what two sorted lists share.
    pub(super) fn shared(&self, other: &Self, count: fn(&[u64], &[u64]) -> usize) -> usize {
        let broken = match (&self.broken, &other.broken) {
            (Some(own), Some(others)) if common(&own.structures, &others.structures) > 0 => {
                count(own.prints(), others.prints())
            }
            _ => 0,
        };
        count(&self.sound, &other.sound) + broken
    }
}

/// Whether what a text has of sub-trees with errors is told apart by their prints: all of them or none, so that equal ones stay equal.
fn is_printed(outline: &Outline) -> bool {
    let broken = outline.nodes.iter().enumerate().filter(|(_, node)| node.has_error);
    outline.levels <= PRINTED_LEVELS && broken.map(|(id, node)| node.end() - id).sum::<usize>() < PRINTED_NODES
}

fn hash(nodes: &[Node], id: NodeId, hashes: &[u64]) -> u64 {
    let node = &nodes[id];
    let kind = u64::from(node.kind_id) << 8;
    let mut sequence = match node.state {
        State::Named => mix(0, kind | NAMED),
        State::Missing { is_named: true } => mix(0, kind | MISSING_NAMED),
        State::Missing { is_named: false } => mix(0, kind | MISSING_ANONYMOUS),
        State::Anonymous => mix(0, kind | ANONYMOUS),
    };
    let mut child = id + 1;
    while child < node.end() {
        if nodes[child].state == State::Anonymous {
            // It is not printed, but what it has below it is.
            child += 1;
        } else {
            sequence = mix(sequence, mix(u64::from(nodes[child].field_id) << 8 | CHILD, hashes[child]));
            child = nodes[child].end();
        }
    }
    sequence
}
