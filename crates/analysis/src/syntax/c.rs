//! Lowering of the parser's tree of C, and of C++, whose tree has the same shapes and some more.

mod declarations;
mod errors;
mod expressions;
mod literals;
mod macros;
mod statements;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use tree_sitter::{Node, Tree};

use super::tree::{
    Constant, Expression, ExpressionId, ExpressionKind, Function, FunctionId, Lowered, Module, Span, Statement,
    StatementKind,
};
use crate::parse::parse;
use crate::syntax::Part;

/// Blocks and expressions nested deeper than this are not read.
const MAX_DEPTH: usize = 100;

/// What is put before a function that says no type, as the parser cannot read it otherwise.
const TYPE: &str = "int ";

/// Lowers a parsed file of C. Where the text is not C, what is around it is lowered all the same.
pub(crate) fn lower(source: &str, root: Node<'_>) -> Lowered {
    read(source, root, &tree_sitter_c::LANGUAGE.into())
}

/// Lowers a parsed file of C++.
pub(crate) fn lower_cpp(source: &str, root: Node<'_>) -> Lowered {
    read(source, root, &tree_sitter_cpp::LANGUAGE.into())
}

fn read(source: &str, root: Node<'_>, grammar: &tree_sitter::Language) -> Lowered {
    if !root.has_error() {
        return read_shifted(source, root, 0);
    }
    if let Some(whole) = macros::without_torn_comment(source)
        && let Ok(tree) = parse(grammar, &whole)
    {
        // The end of a comment is not torn twice: this ends.
        return read(&whole, tree.root_node(), grammar);
    }
    let shift = if errors::lacks_type(source) { TYPE.len() } else { 0 };
    let typed = format!("{}{source}", &TYPE[..shift]);
    let mut best = if shift > 0 { parse(grammar, &typed).ok().map(|tree| (&typed, tree)) } else { None };
    let num_errors =
        |tree: &Option<(&String, Tree)>| errors::count(tree.as_ref().map_or(root, |(_, tree)| tree.root_node()));
    let plain = macros::without_macros(&typed).filter(|_| num_errors(&best) > 0);
    if let Some(plain) = &plain {
        let cleared = parse(grammar, plain).ok().map(|tree| (plain, tree));
        if cleared.is_some() && num_errors(&cleared) < num_errors(&best) {
            best = cleared;
        }
    }
    match best {
        Some((text, tree)) => read_shifted(text, tree.root_node(), shift),
        None => read_shifted(source, root, 0),
    }
}

/// Lowers a text that starts this many bytes before the one that spans are counted in.
fn read_shifted(source: &str, root: Node<'_>, shift: usize) -> Lowered {
    let error = errors::first_error(source, root);
    let error = error.map(|span| Span { start: span.start.saturating_sub(shift), end: span.end.saturating_sub(shift) });
    let mut lowering = Lowering {
        source,
        shift,
        module: Module::default(),
        error,
        macros: BTreeMap::new(),
        closures: VecDeque::new(),
    };
    let mut body = Vec::new();
    lowering.items(root, 0, &mut body);
    lowering.finish_closures();
    lowering.module.body = body;
    Lowered { module: lowering.module, error: lowering.error }
}

fn span(node: Node<'_>) -> Span {
    Span { start: node.start_byte(), end: node.end_byte() }
}

/// The named children of a node, without comments.
fn named_children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    let mut children = Vec::with_capacity(node.named_child_count());
    if cursor.goto_first_child() {
        loop {
            let child = cursor.node();
            if child.is_named() && !child.is_extra() {
                children.push(child);
            }
            if !cursor.goto_next_sibling() {
                break;
            }
        }
    }
    children
}

struct Lowering<'s, 't> {
    source: &'s str,
    /// How far the text starts before the one that spans are counted in.
    shift: usize,
    module: Module,
    error: Option<Span>,
    /// Macros and enumerators that are a plain literal.
    macros: BTreeMap<Rc<str>, Constant>,
    /// Functions without a name, whose bodies are read once the statement around them is.
    closures: VecDeque<(FunctionId, Node<'t>)>,
}

impl<'t> Lowering<'_, 't> {
    /// Where a node stands in the text that was given.
    fn place(&self, node: Node<'_>) -> Span {
        let span = span(node);
        Span { start: span.start.saturating_sub(self.shift), end: span.end.saturating_sub(self.shift) }
    }

    fn text(&self, node: Node<'_>) -> &str {
        self.source.get(node.byte_range()).unwrap_or_default()
    }

    fn shared(&self, node: Node<'_>) -> Rc<str> {
        self.text(node).into()
    }

    fn next_id(&self) -> ExpressionId {
        ExpressionId::try_from(self.module.expressions.len()).expect("a file has fewer bytes than an id has values")
    }

    fn emit(&mut self, kind: ExpressionKind, span: Span, first: ExpressionId) -> ExpressionId {
        let id = self.next_id();
        self.module.expressions.push(Expression { kind, span, first });
        id
    }

    /// An expression that nothing is known of.
    fn nothing(&mut self, span: Span) -> ExpressionId {
        let first = self.next_id();
        self.emit(ExpressionKind::Other(Vec::new()), span, first)
    }

    fn add_function(&mut self, function: Function) -> FunctionId {
        let id =
            FunctionId::try_from(self.module.functions.len()).expect("a file has fewer bytes than an id has values");
        self.module.functions.push(function);
        id
    }

    fn too_deep(&mut self, node: Node<'_>) {
        self.error.get_or_insert(self.place(node));
    }

    /// Reads the bodies of closures that wait.
    fn finish_closures(&mut self) {
        while let Some((id, body)) = self.closures.pop_front() {
            let mut statements = Vec::new();
            self.block(body, 0, &mut statements);
            self.module.functions[id as usize].body = statements;
        }
    }

    /// What stands outside functions.
    fn items(&mut self, node: Node<'t>, depth: usize, out: &mut Vec<Statement>) {
        if depth > MAX_DEPTH {
            self.too_deep(node);
            return;
        }
        for child in named_children(node) {
            self.item(child, depth, out);
        }
    }

    fn item(&mut self, node: Node<'t>, depth: usize, out: &mut Vec<Statement>) {
        match node.kind() {
            "function_definition" | "inline_method_definition" => {
                if let Some(id) = self.function(node) {
                    out.push(Statement { kind: StatementKind::Function(id), span: self.place(node) });
                }
                self.finish_closures();
            }
            "preproc_def" => self.remember_macro(node),
            "preproc_if"
            | "preproc_ifdef"
            | "preproc_elif"
            | "preproc_else"
            | "linkage_specification"
            | "declaration_list"
            | "namespace_definition"
            | "template_declaration"
            | "field_declaration_list"
            | "ERROR"
            | "class_specifier"
            | "struct_specifier"
            | "union_specifier"
            | "field_declaration" => {
                self.items(node, depth + 1, out);
            }
            "enum_specifier" => self.remember_enumerators(node),
            "type_definition" => {
                if let Some(kind) = node.part("type") {
                    self.item(kind, depth + 1, out);
                }
            }
            "declaration" => {
                if let Some(kind) = node.part("type")
                    && kind.kind().ends_with("_specifier")
                    && !kind.kind().starts_with("sized")
                {
                    self.item(kind, depth + 1, out);
                }
                self.statement(node, depth + 1, out);
            }
            kind if kind.ends_with("_statement") => self.statement(node, depth + 1, out),
            _ => {}
        }
    }
}
