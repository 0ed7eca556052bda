//! Sub-trees by what their s-expressions say, each as one hash, computed from the leaves upwards.
//!
//! The package prints every sub-tree and looks each print of the reference up in the list of the candidate's, which is quadratic
//! twice over. A hash says the same as a print: the kinds of the named nodes below, and their fields. Only sub-trees with errors
//! are printed; in a text where that would be quadratic too, or of more than 400 levels, missing tokens that the grammar hides
//! and unexpected characters do not tell sub-trees apart.

use super::hash::mix;
use super::tree::{Node, NodeId, Outline, State};

/// Marks that keep the forms of a node apart.
const NAMED: u64 = 1;
const MISSING_NAMED: u64 = 2;
const MISSING_ANONYMOUS: u64 = 3;
const ANONYMOUS: u64 = 4;
const CHILD: u64 = 5;

/// The hashes of all sub-trees with more than one node, and of the whole tree, sorted.
pub(super) fn sub_trees(outline: &Outline) -> Vec<u64> {
    let nodes = &outline.nodes;
    let mut hashes = vec![0; nodes.len()];
    for id in (0..nodes.len()).rev() {
        hashes[id] = hash(nodes, id, &hashes);
    }
    let is_counted = |id: &NodeId| *id == 0 || nodes[*id].end > *id + 1;
    let mut counted: Vec<u64> = (0..nodes.len()).filter(is_counted).map(|id| hashes[id]).collect();
    counted.sort_unstable();
    counted
}

fn hash(nodes: &[Node], id: NodeId, hashes: &[u64]) -> u64 {
    let node = &nodes[id];
    if let Some(print) = node.print {
        return mix(1, print);
    }
    let kind = u64::from(node.kind_id) << 8;
    let mut sequence = match node.state {
        State::Named => mix(0, kind | NAMED),
        State::Missing { is_named: true } => mix(0, kind | MISSING_NAMED),
        State::Missing { is_named: false } => mix(0, kind | MISSING_ANONYMOUS),
        State::Anonymous => mix(0, kind | ANONYMOUS),
    };
    let mut child = id + 1;
    while child < node.end {
        if nodes[child].state == State::Anonymous {
            // It is not printed, but what it has below it is.
            child += 1;
        } else {
            sequence = mix(sequence, mix(u64::from(nodes[child].field_id) << 8 | CHILD, hashes[child]));
            child = nodes[child].end;
        }
    }
    sequence
}
