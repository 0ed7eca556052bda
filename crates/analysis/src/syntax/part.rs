//! A node's child in a field, without comparing the field's name with all that the grammar has.

use std::cell::RefCell;
use std::num::NonZeroU16;

use tree_sitter::{Language, Node};

/// Slots of a thread's table; all grammars together ask for about eighty fields.
const NUM_SLOTS: usize = 512;

struct Known {
    name: &'static str,
    grammar: Language,
    /// The field's number, if the grammar has such a field.
    id: Option<NonZeroU16>,
}

thread_local! {
    static KNOWN: RefCell<Vec<Option<Known>>> = RefCell::new(std::iter::repeat_with(|| None).take(NUM_SLOTS).collect());
}

/// What tree-sitter does by name, by number: the number is looked up once for a name in the program's text and a grammar.
pub(crate) trait Part<'tree> {
    /// The child in this field.
    fn part(&self, name: &'static str) -> Option<Node<'tree>>;
}

impl<'tree> Part<'tree> for Node<'tree> {
    fn part(&self, name: &'static str) -> Option<Node<'tree>> {
        self.child_by_field_id(field_id(*self, name)?.get())
    }
}

fn field_id(node: Node<'_>, name: &'static str) -> Option<NonZeroU16> {
    let grammar = node.language();
    KNOWN.with_borrow_mut(|known| {
        // Where the name lies in the program is as good as what it says, and the tables of two grammars seldom meet in a slot.
        let place = name.as_ptr() as usize;
        let slot = &mut known[(place.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) % NUM_SLOTS];
        match slot {
            Some(known) if std::ptr::eq(known.name, name) && known.grammar == *grammar => known.id,
            _ => {
                let id = grammar.field_id_for_name(name);
                *slot = Some(Known { name, grammar: (*grammar).clone(), id });
                id
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    #[test]
    fn a_field_is_found_by_number_as_by_name_in_grammars_by_turns() {
        let grammars: [(Language, &str); 3] = [
            (tree_sitter_python::LANGUAGE.into(), "def f(a): return a.b\nclass A(B): pass\n"),
            (tree_sitter_c::LANGUAGE.into(), "int f(int a) { return a + 1; }"),
            (tree_sitter_go::LANGUAGE.into(), "package p\nfunc f(a int) int { return a + 1 }\n"),
        ];
        let names =
            ["name", "body", "parameters", "left", "right", "type", "declarator", "result", "superclasses", "nothing"];
        let mut num_found = 0;
        for _ in 0..2 {
            for (grammar, source) in &grammars {
                let tree = parse(grammar, source).unwrap();
                let mut nodes = vec![tree.root_node()];
                while let Some(node) = nodes.pop() {
                    for name in names {
                        let found = node.part(name);
                        assert_eq!(found, node.child_by_field_name(name), "{name} of {node}");
                        num_found += usize::from(found.is_some());
                    }
                    nodes.extend((0..node.child_count()).filter_map(|at| node.child(at as u32)));
                }
            }
        }
        assert!(num_found > 30, "{num_found}");
    }
}
