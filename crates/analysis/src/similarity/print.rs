//! Sub-trees with errors by their s-expressions.
//!
//! The tree prints what cannot be reached in it otherwise: missing tokens that the grammar hides, and the character at which reading
//! failed. The print of a whole tree holds those of its sub-trees, so that one is enough: it is read back from left to right,
//! beside the tree.

use tree_sitter::{Node, Tree, TreeCursor};

use super::hash::{mix, quick};

/// Marks that keep the pieces of a print apart.
const CHILD: u64 = 1;
const FIELD: u64 = 2;
const MISSING: u64 = 3;
const WHOLE: u64 = 4;

/// The hashes of all sub-trees that have errors and more than one node, and of the whole tree, sorted: equal for equal s-expressions.
pub(super) fn broken_sub_trees(tree: &Tree) -> Vec<u64> {
    let items = items(&tree.root_node().to_sexp());
    let mut hashes = Vec::new();
    let mut cursor = tree.walk();
    // The next item of the print.
    let mut next = 0;
    loop {
        let node = cursor.node();
        // A missing token is a leaf: it has no item.
        let item = if is_item(node) { items.get(next) } else { None };
        let is_broken = node.has_error();
        if is_broken && (node.child_count() > 0 || node.parent().is_none()) {
            hashes.push(item.map_or_else(|| mix(WHOLE, quick(node.to_sexp().as_bytes())), |item| item.hash));
        }
        next = match item {
            Some(item) if !is_broken => item.end,
            Some(_) => next + 1,
            None => next,
        };
        // Below a node without errors all is skipped with its item.
        let is_done = item.is_some() && !is_broken;
        if (is_done || !cursor.goto_first_child()) && !go_on(&mut cursor) {
            break;
        }
    }
    hashes.sort_unstable();
    hashes
}

fn is_item(node: Node<'_>) -> bool {
    node.is_named() && !node.is_missing()
}

/// To the next node that is not below this one.
fn go_on(cursor: &mut TreeCursor<'_>) -> bool {
    while !cursor.goto_next_sibling() {
        if !cursor.goto_parent() {
            return false;
        }
    }
    true
}

/// A named node in a print.
struct Item {
    hash: u64,
    /// One past the last item below it.
    end: usize,
}

/// The named nodes of a print, in its order. Missing tokens are part of what their parents say.
fn items(print: &str) -> Vec<Item> {
    let bytes = print.as_bytes();
    let mut items: Vec<Item> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'(' => {
                let label = &bytes[at + 1..label_end(bytes, at + 1)];
                at += 1 + label.len();
                let is_missing = label.starts_with(b"MISSING ");
                if let Some(parent) = open.last().filter(|_| is_missing) {
                    items[*parent].hash = mix(items[*parent].hash, mix(MISSING, quick(label)));
                    at += 1;
                    continue;
                }
                open.push(items.len());
                items.push(Item { hash: quick(label), end: 0 });
            }
            b')' => {
                at += 1;
                let Some(closed) = open.pop() else { break };
                items[closed].end = items.len();
                let hash = mix(CHILD, items[closed].hash);
                if let Some(parent) = open.last() {
                    items[*parent].hash = mix(items[*parent].hash, hash);
                }
            }
            b' ' => at += 1,
            _ => {
                let length = bytes[at..].iter().take_while(|byte| !matches!(byte, b' ' | b'(')).count();
                if let Some(parent) = open.last() {
                    items[*parent].hash = mix(items[*parent].hash, mix(FIELD, quick(&bytes[at..at + length])));
                }
                at += length;
            }
        }
    }
    items
}

/// One past what stands behind a parenthesis: the name of a kind, a missing token or an unexpected character.
fn label_end(print: &[u8], start: usize) -> usize {
    let rest = &print[start..];
    let (quoted, close): (&[u8], &[u8]) = if rest.starts_with(b"MISSING \"") {
        (b"MISSING \"", b"\")")
    } else if rest.starts_with(b"UNEXPECTED '") {
        (b"UNEXPECTED '", b"')")
    } else if rest.starts_with(b"MISSING ") || rest.starts_with(b"UNEXPECTED ") {
        (b"", b")")
    } else {
        return start + rest.iter().position(|byte| matches!(byte, b' ' | b')')).unwrap_or(rest.len());
    };
    // The token may be a parenthesis or a quote itself: it is not empty.
    let from = quoted.len() + usize::from(!quoted.is_empty());
    let found = rest.get(from..).and_then(|rest| rest.windows(close.len()).position(|window| window == close));
    found.map_or(print.len(), |found| start + from + found + close.len() - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::grammar::Grammar;
    use super::super::syntax::SubTrees;
    use super::super::tree::Outline;
    use super::super::{LANGUAGES, hash};
    use super::*;
    use crate::language::Language;

    #[test]
    fn prints_are_cut_at_their_parentheses() {
        let print = "(module (ERROR (UNEXPECTED '(') (UNEXPECTED ''') (UNEXPECTED '\\n') (UNEXPECTED 233)) (call left: (MISSING \")\") right: (name)) (MISSING _newline))";
        let items = items(print);
        let ends: Vec<usize> = items.iter().map(|item| item.end).collect();
        assert_eq!(ends, [8, 6, 3, 4, 5, 6, 8, 8]);
    }

    #[test]
    fn what_only_the_print_shows_tells_sub_trees_apart() {
        for (one, other) in [("x = $", "x = ?"), ("def f(a $ b): pass", "def f(a ? b): pass")] {
            let [trees, others] = [one, other].map(|text| broken_sub_trees(&parse(Language::Python, text)));
            assert!(!trees.is_empty() && trees.len() == others.len() && trees != others, "{one}");
        }
    }

    fn parse(language: Language, text: &str) -> Tree {
        let grammar = Grammar::of(language).unwrap();
        crate::parse::parse(&grammar.parses, text).unwrap()
    }

    /// The prints of the sub-trees that count, each by itself.
    fn printed(tree: &Tree, is_wanted: impl Fn(&Node<'_>) -> bool) -> Vec<String> {
        let mut prints = Vec::new();
        let mut nodes = vec![tree.root_node()];
        while let Some(node) = nodes.pop() {
            let is_counted = node.child_count() > 0 || node == tree.root_node();
            prints.extend((is_counted && is_wanted(&node)).then(|| node.to_sexp()));
            nodes.extend(node.children(&mut tree.walk()));
        }
        prints
    }

    fn is_broken(node: &Node<'_>) -> bool {
        node.has_error()
    }

    fn sub_trees(language: Language, text: &str) -> SubTrees {
        let (grammar, tree) = (Grammar::of(language).unwrap(), parse(language, text));
        let mut outline = Outline::new(grammar);
        outline.read(grammar, &tree, text);
        SubTrees::of(tree, &outline, &mut Vec::new())
    }

    /// How often each of the values occurs, in order.
    fn counts<T: Ord>(mut values: Vec<T>) -> Vec<usize> {
        values.sort_unstable();
        let mut counts: Vec<usize> = values.chunk_by(|one, other| one == other).map(<[T]>::len).collect();
        counts.sort_unstable();
        counts
    }

    const PIECES: [&str; 35] = [
        "x",
        "y",
        " = ",
        "(",
        ")",
        "{",
        "}",
        "[",
        "\n",
        "\n  ",
        ";",
        ":",
        ", ",
        "if ",
        "else ",
        "for ",
        "not ",
        " in ",
        "def f(",
        "int ",
        "return ",
        "1",
        "1_",
        "'",
        "\"",
        "@",
        "?",
        "$",
        "\\",
        "#",
        "#define X",
        "ü",
        "名",
        "R\"(",
        "not in ",
    ];

    fn any_text() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn hashes_are_equal_where_prints_are(
            language in prop::sample::select(LANGUAGES.to_vec()),
            texts in prop::collection::vec(any_text(), 2),
        ) {
            let trees: Vec<Tree> = texts.iter().map(|text| parse(language, text)).collect();
            let has_error = |tree: &&Tree| tree.root_node().has_error();
            let prints: Vec<String> = trees.iter().flat_map(|tree| printed(tree, is_broken)).collect();
            let hashes: Vec<u64> = trees.iter().filter(has_error).flat_map(broken_sub_trees).collect();
            prop_assert_eq!(counts(prints), counts(hashes));
        }

        #[test]
        fn sub_trees_are_shared_where_their_prints_are(
            language in prop::sample::select(LANGUAGES.to_vec()),
            one in any_text(),
            other in any_text(),
            more in any_text(),
        ) {
            // They have the beginning in common.
            let texts = [format!("{one}{other}"), format!("{one}{more}")];
            let prints = texts.each_ref().map(|text| printed(&parse(language, text), |_| true));
            let present = prints[0].iter().filter(|print| prints[1].contains(*print)).count();
            let mut left = prints[1].clone();
            let mut is_left = |print: &&String| {
                let place = left.iter().position(|other| other == *print);
                place.map(|place| left.swap_remove(place)).is_some()
            };
            let common = prints[0].iter().filter(|print| is_left(print)).count();
            let sub_trees = texts.each_ref().map(|text| sub_trees(language, text));
            prop_assert_eq!(sub_trees[0].len(), prints[0].len());
            prop_assert_eq!(sub_trees[0].shared(&sub_trees[1], hash::common), common);
            prop_assert_eq!(sub_trees[0].shared(&sub_trees[1], hash::present), present);
        }
    }
}
