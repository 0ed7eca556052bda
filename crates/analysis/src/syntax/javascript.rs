//! Lowering of the parser's tree of JavaScript and TypeScript.
//!
//! Functions wait in a queue and are lowered when no expression is in progress, so that their bodies stand outside the range of the
//! expression in which they are written. Patterns that take a value apart are spelled out as one assignment for each name.

mod expressions;
mod functions;
mod patterns;
mod statements;
mod text;

use std::collections::VecDeque;
use std::rc::Rc;

use tree_sitter::{Node, TreeCursor};

use super::tree::{Expression, ExpressionId, ExpressionKind, FunctionId, Lowered, Module, Span};
use crate::syntax::Part;

/// Blocks nested deeper than this are refused.
const MAX_BLOCK_DEPTH: usize = 100;

/// The name of what a function belongs to.
const THIS: &str = "this";

/// Lowers a parsed file. Where the text is not JavaScript, what is around it is lowered all the same.
pub(crate) fn lower(source: &str, root: Node<'_>) -> Lowered {
    let mut lowering = Lowering {
        source,
        module: Module::default(),
        operands: Vec::new(),
        error: first_error(root),
        waiting: VecDeque::new(),
        num_hidden: 0,
        is_in_switch: false,
        is_torn: false,
    };
    // In a part of a file, what is left of a function's end is no end of the file.
    lowering.is_torn = lowering.error.is_some();
    let body = lowering.block(root, 0);
    lowering.is_torn = false;
    lowering.module.body = body;
    while let Some((id, node)) = lowering.waiting.pop_front() {
        lowering.function_body(id, node);
    }
    Lowered { module: lowering.module, error: lowering.error }
}

struct Lowering<'tree> {
    source: &'tree str,
    module: Module,
    operands: Vec<ExpressionId>,
    error: Option<Span>,
    /// Functions whose parameters and bodies are not lowered yet.
    waiting: VecDeque<(FunctionId, Node<'tree>)>,
    /// Names made up for values that are taken apart.
    num_hidden: usize,
    /// The nearest statement that `break` leaves is a `switch`.
    is_in_switch: bool,
    /// What is lowered stands in no function that could be left.
    is_torn: bool,
}

impl<'tree> Lowering<'tree> {
    fn text(&self, node: Node<'_>) -> &'tree str {
        &self.source[node.byte_range()]
    }

    fn name(&self, node: Node<'_>) -> Rc<str> {
        self.text(node).into()
    }

    fn emit(&mut self, kind: ExpressionKind, span: Span, first: ExpressionId) -> ExpressionId {
        let id = self.next_id();
        self.module.expressions.push(Expression { kind, span, first });
        id
    }

    /// An expression that is made of no others.
    fn single(&mut self, kind: ExpressionKind, span: Span) -> ExpressionId {
        let first = self.next_id();
        self.emit(kind, span, first)
    }

    fn next_id(&self) -> ExpressionId {
        self.module.expressions.len() as ExpressionId
    }

    /// A name that no program can use.
    fn hidden_name(&mut self) -> Rc<str> {
        self.num_hidden += 1;
        format!("%{}", self.num_hidden).into()
    }
}

fn span(node: Node<'_>) -> Span {
    Span { start: node.start_byte(), end: node.end_byte() }
}

/// Walks every token once, with a cursor instead of recursion.
fn first_error(root: Node<'_>) -> Option<Span> {
    if !root.has_error() {
        return None;
    }
    let mut cursor = root.walk();
    loop {
        let node = cursor.node();
        if node.is_error() || node.is_missing() {
            return Some(span(node));
        }
        if !advance(&mut cursor) {
            return None;
        }
    }
}

/// Moves to the next node in the order of the text; false at the end.
fn advance(cursor: &mut TreeCursor<'_>) -> bool {
    if cursor.goto_first_child() {
        return true;
    }
    loop {
        if cursor.goto_next_sibling() {
            return true;
        }
        if !cursor.goto_parent() {
            return false;
        }
    }
}

/// The named children that are not comments.
fn named_children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !child.is_extra()).collect()
}

fn many<'tree>(node: Node<'tree>, name: &str) -> Vec<Node<'tree>> {
    let mut cursor = node.walk();
    node.children_by_field_name(name, &mut cursor).collect()
}

/// The child in this field; the node's first child stands in where a broken text has none.
fn field<'tree>(node: Node<'tree>, name: &'static str) -> Node<'tree> {
    node.part(name).or_else(|| node.child(0)).unwrap_or(node)
}

fn is_function(kind: &str) -> bool {
    matches!(
        kind,
        "function_expression"
            | "function"
            | "arrow_function"
            | "generator_function"
            | "method_definition"
            | "function_declaration"
            | "generator_function_declaration"
    )
}
