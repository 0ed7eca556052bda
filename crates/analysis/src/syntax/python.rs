//! Lowering of Python.
//!
//! Text that is Python from its first byte to its last is read by [`whole`]. What follows here reads the rest from the tree of a parser that
//! finds its way around what is broken.

use std::rc::Rc;

use tree_sitter::{Node, TreeCursor};

use super::strings::{decode, prefix};
use super::tree::{
    Argument, ArgumentKind, BinaryOperator, Comparison, ComprehensionKind, Constant, Expression, ExpressionId,
    ExpressionKind, Function, Handler, Lowered, MatchCase, Module, Parameter, SequenceKind, Span, Statement,
    StatementKind, TextPiece,
};
use crate::syntax::Part;

/// Python refuses more indentation than this.
const MAX_BLOCK_DEPTH: usize = 100;

/// Python's tokenizer refuses more open brackets than this.
const MAX_OPEN_BRACKETS: usize = 200;

/// Lowers a parsed file. Where the text is not Python, what is around it is lowered all the same.
pub(crate) fn lower(source: &str, root: Node<'_>) -> Lowered {
    let mut lowering = Lowering { source, module: Module::default(), operands: Vec::new(), error: None };
    lowering.error = first_error(source, root);
    let body = lowering.block(root, 0);
    lowering.module.body = body;
    Lowered { module: lowering.module, error: lowering.error }
}

fn span(node: Node<'_>) -> Span {
    Span { start: node.start_byte(), end: node.end_byte() }
}

/// The first place that is not Python: what the parser says, and what its grammar lets pass.
fn first_error(source: &str, root: Node<'_>) -> Option<Span> {
    // Brackets do not nest deeper than there are any, and then only the frame of blocks is left to be looked at.
    let num_brackets = count_brackets(source);
    let is_whole = !root.has_error() && num_brackets <= MAX_OPEN_BRACKETS;
    let mut cursor = root.walk();
    let mut open_brackets = 0_usize;
    loop {
        let node = cursor.node();
        let kind = node.kind();
        let is_wrong = match kind {
            "print_statement" | "exec_statement" => true,
            // The grammar takes a head without a body.
            "block" => !has_statement(node),
            "(" | "[" | "{" => {
                open_brackets += 1;
                open_brackets > MAX_OPEN_BRACKETS
            }
            ")" | "]" | "}" => {
                open_brackets = open_brackets.saturating_sub(1);
                false
            }
            _ => false,
        };
        if is_wrong || node.is_error() || node.is_missing() {
            return Some(span(node));
        }
        let moves = if is_whole && !has_blocks(kind) { past(&mut cursor) } else { advance(&mut cursor) };
        if !moves {
            return None;
        }
    }
}

/// How many brackets open: none nest deeper.
fn count_brackets(source: &str) -> usize {
    source.bytes().filter(|byte| matches!(byte, b'(' | b'[' | b'{')).count()
}

/// Whether there are statements below a node of this kind.
fn has_blocks(kind: &str) -> bool {
    matches!(
        kind,
        "module"
            | "block"
            | "if_statement"
            | "elif_clause"
            | "else_clause"
            | "for_statement"
            | "while_statement"
            | "try_statement"
            | "except_clause"
            | "except_group_clause"
            | "finally_clause"
            | "with_statement"
            | "function_definition"
            | "class_definition"
            | "decorated_definition"
            | "match_statement"
            | "case_clause"
    )
}

/// Whether there is more in a block than comments.
fn has_statement(block: Node<'_>) -> bool {
    let mut cursor = block.walk();
    block.named_children(&mut cursor).any(|child| !child.is_extra())
}

/// Moves to the next node in the order of the text; false at the end.
fn advance(cursor: &mut TreeCursor<'_>) -> bool {
    cursor.goto_first_child() || past(cursor)
}

/// Moves to what follows a node and all that is in it; false at the end.
fn past(cursor: &mut TreeCursor<'_>) -> bool {
    loop {
        if cursor.goto_next_sibling() {
            return true;
        }
        if !cursor.goto_parent() {
            return false;
        }
    }
}

/// What to do next while an expression is lowered.
enum Work<'tree> {
    Visit(Node<'tree>),
    Build {
        build: Build,
        first: ExpressionId,
        span: Span,
    },
    /// A scope mark that needs operands already lowered.
    Mark(Mark, Span),
}

/// How to make an expression from the operands on top of the stack.
enum Build {
    Attribute(Rc<str>),
    Subscript,
    Slice { has_lower: bool, has_upper: bool, has_step: bool },
    Call(Vec<ArgumentKind>),
    Binary(BinaryOperator),
    Not,
    Negate,
    Invert,
    Boolean { is_and: bool },
    Compare(Vec<Comparison>),
    Conditional,
    Sequence(SequenceKind, usize),
    Dictionary(Vec<bool>),
    Comprehension(ComprehensionKind),
    Lambda(usize),
    Splat,
    Named,
    Await,
    Yield(usize),
    Joined(usize),
    Text(Vec<RawPiece>),
    Other(usize),
}

/// One piece of an f-string whose value is still an operand.
enum RawPiece {
    Literal(Rc<str>),
    Hole { conversion: Option<char>, format: Option<Rc<str>> },
}

enum Mark {
    Start,
    /// The operand `depth` below the top is taken to be `truth`.
    Assume {
        depth: usize,
        truth: bool,
    },
    /// The top operands are a target above its iterable; both are dropped.
    Bind,
    Guard,
    Parameters(Vec<Rc<str>>),
    End,
}

struct Lowering<'source> {
    source: &'source str,
    module: Module,
    operands: Vec<ExpressionId>,
    error: Option<Span>,
}

impl<'source> Lowering<'source> {
    fn text(&self, node: Node<'_>) -> &'source str {
        &self.source[node.byte_range()]
    }

    fn name(&self, node: Node<'_>) -> Rc<str> {
        self.text(node).into()
    }

    fn emit(&mut self, kind: ExpressionKind, span: Span, first: ExpressionId) -> ExpressionId {
        let id = self.module.expressions.len() as ExpressionId;
        self.module.expressions.push(Expression { kind, span, first });
        id
    }

    fn next_id(&self) -> ExpressionId {
        self.module.expressions.len() as ExpressionId
    }

    fn pop(&mut self) -> ExpressionId {
        self.operands.pop().expect("every build follows the visits of its operands")
    }

    fn pop_many(&mut self, count: usize) -> Vec<ExpressionId> {
        self.operands.split_off(self.operands.len() - count)
    }

    /// Lowers one expression and everything below it.
    fn expression(&mut self, node: Node<'_>) -> ExpressionId {
        let mut work = vec![Work::Visit(node)];
        while let Some(next) = work.pop() {
            match next {
                Work::Visit(node) => self.visit(node, &mut work),
                Work::Build { build, first, span } => {
                    let kind = self.build(build);
                    let id = self.emit(kind, span, first);
                    self.operands.push(id);
                }
                Work::Mark(mark, span) => self.mark(mark, span),
            }
        }
        self.pop()
    }

    fn mark(&mut self, mark: Mark, span: Span) {
        let kind = match mark {
            Mark::Start => ExpressionKind::ScopeStart,
            Mark::Assume { depth, truth } => {
                let test = self.operands[self.operands.len() - 1 - depth];
                ExpressionKind::ScopeAssume { test, truth }
            }
            Mark::Bind => {
                let iterable = self.pop();
                let target = self.pop();
                ExpressionKind::ScopeBind { target, iterable }
            }
            Mark::Guard => {
                let test = self.pop();
                ExpressionKind::ScopeAssume { test, truth: true }
            }
            Mark::Parameters(names) => ExpressionKind::ScopeParameters(names),
            Mark::End => ExpressionKind::ScopeEnd,
        };
        let id = self.next_id();
        self.emit(kind, span, id);
    }

    fn leaf(&mut self, kind: ExpressionKind, node: Node<'_>) {
        let first = self.next_id();
        let id = self.emit(kind, span(node), first);
        self.operands.push(id);
    }

    /// Handles a node: leaves are emitted, the rest becomes work for its parts and then for itself.
    fn visit<'tree>(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>) {
        let first = self.next_id();
        let place = span(node);
        let then = |work: &mut Vec<Work<'tree>>, build: Build, parts: Vec<Node<'tree>>| {
            work.push(Work::Build { build, first, span: place });
            work.extend(parts.into_iter().rev().map(Work::Visit));
        };
        match node.kind() {
            "identifier" | "dotted_name" | "keyword_identifier" => {
                let name = self.name(node);
                self.leaf(ExpressionKind::Name(name), node);
            }
            "integer" => {
                let value = parse_integer(self.text(node)).map_or(Constant::Float(f64::INFINITY), Constant::Integer);
                self.leaf(ExpressionKind::Constant(value), node);
            }
            "float" => {
                let value = self.text(node).replace('_', "").parse().unwrap_or(f64::NAN);
                self.leaf(ExpressionKind::Constant(Constant::Float(value)), node);
            }
            "true" => self.leaf(ExpressionKind::Constant(Constant::Boolean(true)), node),
            "false" => self.leaf(ExpressionKind::Constant(Constant::Boolean(false)), node),
            "none" => self.leaf(ExpressionKind::Constant(Constant::None), node),
            "string" => self.visit_string(node, work, first),
            "concatenated_string" => {
                let parts = named_children(node);
                then(work, Build::Joined(parts.len()), parts);
            }
            "attribute" => {
                let name = node.part("attribute").map_or_else(|| "".into(), |child| self.name(child));
                then(work, Build::Attribute(name), field(node, "object"));
            }
            "subscript" => Self::visit_subscript(node, work, first),
            "slice" => Self::visit_slice(node, work, first),
            "call" => self.visit_call(node, work, first),
            "binary_operator" => {
                let operator = binary_operator(node.part("operator").map_or("", |child| child.kind()));
                then(work, Build::Binary(operator), both(node, "left", "right"));
            }
            "boolean_operator" => {
                let is_and = node.part("operator").is_some_and(|child| child.kind() == "and");
                work.push(Work::Build { build: Build::Boolean { is_and }, first, span: place });
                work.push(Work::Mark(Mark::End, place));
                work.extend(field(node, "right").into_iter().map(Work::Visit));
                work.push(Work::Mark(Mark::Assume { depth: 0, truth: is_and }, place));
                work.push(Work::Mark(Mark::Start, place));
                work.extend(field(node, "left").into_iter().map(Work::Visit));
            }
            "not_operator" => then(work, Build::Not, field(node, "argument")),
            "unary_operator" => {
                let build = match node.part("operator").map_or("", |child| child.kind()) {
                    "-" => Build::Negate,
                    "~" => Build::Invert,
                    _ => Build::Other(1),
                };
                then(work, build, field(node, "argument"));
            }
            "comparison_operator" => {
                let parts = named_children(node);
                let links = comparisons(node);
                if parts.len() == links.len() + 1 {
                    then(work, Build::Compare(links), parts);
                } else {
                    then(work, Build::Other(parts.len()), parts);
                }
            }
            "conditional_expression" => Self::visit_conditional(node, work, first),
            "tuple" | "expression_list" | "pattern_list" | "tuple_pattern" | "subject" => {
                let parts = named_children(node);
                then(work, Build::Sequence(SequenceKind::Tuple, parts.len()), parts);
            }
            "list" | "list_pattern" => {
                let parts = named_children(node);
                then(work, Build::Sequence(SequenceKind::List, parts.len()), parts);
            }
            "set" => {
                let parts = named_children(node);
                then(work, Build::Sequence(SequenceKind::Set, parts.len()), parts);
            }
            "dictionary" => Self::visit_dictionary(node, work, first),
            "list_comprehension" => self.visit_comprehension(node, ComprehensionKind::List, work, first),
            "set_comprehension" => self.visit_comprehension(node, ComprehensionKind::Set, work, first),
            "dictionary_comprehension" => self.visit_comprehension(node, ComprehensionKind::Dictionary, work, first),
            "generator_expression" => self.visit_comprehension(node, ComprehensionKind::Generator, work, first),
            "lambda" => self.visit_lambda(node, work, first),
            "list_splat" | "list_splat_pattern" | "dictionary_splat" | "dictionary_splat_pattern" => {
                let parts = named_children(node);
                if parts.len() == 1 {
                    then(work, Build::Splat, parts);
                } else {
                    then(work, Build::Other(parts.len()), parts);
                }
            }
            "named_expression" => then(work, Build::Named, both(node, "name", "value")),
            "await" => {
                let parts = named_children(node);
                if parts.len() == 1 {
                    then(work, Build::Await, parts);
                } else {
                    then(work, Build::Other(parts.len()), parts);
                }
            }
            "yield" => {
                let parts = named_children(node);
                let count = parts.len().min(1);
                then(work, Build::Yield(count), parts.into_iter().take(1).collect());
            }
            // A pair of parentheses is transparent. The span stays that of what is inside.
            "parenthesized_expression" | "as_pattern_target" | "keyword_argument" | "if_clause" => {
                let parts = named_children(node);
                match parts.last() {
                    Some(inside) => work.push(Work::Visit(*inside)),
                    None => self.leaf(ExpressionKind::Other(Vec::new()), node),
                }
            }
            _ => {
                let parts: Vec<_> =
                    named_children(node).into_iter().filter(|part| !is_statement(part.kind())).collect();
                then(work, Build::Other(parts.len()), parts);
            }
        }
    }

    fn visit_string<'tree>(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let children = all_children(node);
        let opening = children.first().filter(|child| child.kind() == "string_start");
        let prefix = opening.map_or_else(Default::default, |child| prefix(self.text(*child)));
        let mut literal_from = opening.map_or(node.start_byte(), Node::end_byte);
        let mut pieces = Vec::new();
        let mut holes = Vec::new();
        let push_literal = |pieces: &mut Vec<RawPiece>, from: usize, to: usize| {
            if from < to {
                pieces.push(RawPiece::Literal(decode(&self.source[from..to], prefix).into()));
            }
        };
        for child in &children {
            match child.kind() {
                "interpolation" => {
                    push_literal(&mut pieces, literal_from, child.start_byte());
                    literal_from = child.end_byte();
                    let Some(value) = child.part("expression") else { continue };
                    let conversion = child.part("type_conversion").map(|child| self.text(child));
                    let format = child.part("format_specifier").map(|child| self.text(child));
                    pieces.push(RawPiece::Hole {
                        conversion: conversion.and_then(|text| text.chars().nth(1)),
                        format: format.map(|text| text.trim_start_matches(':').into()),
                    });
                    holes.push(value);
                }
                "string_end" => push_literal(&mut pieces, literal_from, child.start_byte()),
                _ => {}
            }
        }
        if holes.is_empty() {
            let text: String = pieces
                .iter()
                .map(|piece| if let RawPiece::Literal(text) = piece { text.as_ref() } else { "" })
                .collect();
            let constant = if prefix.is_bytes { Constant::Bytes(text.into()) } else { Constant::Text(text.into()) };
            self.leaf(ExpressionKind::Constant(constant), node);
        } else {
            work.push(Work::Build { build: Build::Text(pieces), first, span: span(node) });
            work.extend(holes.into_iter().rev().map(Work::Visit));
        }
    }

    fn visit_subscript<'tree>(node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let indices = many(node, "subscript");
        let place = span(node);
        work.push(Work::Build { build: Build::Subscript, first, span: place });
        if indices.len() == 1 {
            work.push(Work::Visit(indices[0]));
        } else {
            // The tuple's first operand is not lowered yet; its range only matters to whole statements.
            work.push(Work::Build { build: Build::Sequence(SequenceKind::Tuple, indices.len()), first, span: place });
            work.extend(indices.into_iter().rev().map(Work::Visit));
        }
        work.extend(field(node, "value").into_iter().map(Work::Visit));
    }

    fn visit_slice<'tree>(node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let (mut parts, mut colons, mut present) = (Vec::new(), 0, [false; 3]);
        for child in all_children(node) {
            if child.kind() == ":" {
                colons += 1;
            } else if child.is_named() && !child.is_extra() && colons < 3 {
                present[colons] = true;
                parts.push(child);
            }
        }
        let build = Build::Slice { has_lower: present[0], has_upper: present[1], has_step: present[2] };
        work.push(Work::Build { build, first, span: span(node) });
        work.extend(parts.into_iter().rev().map(Work::Visit));
    }

    fn visit_call<'tree>(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let mut kinds = Vec::new();
        let mut parts = Vec::new();
        if let Some(list) = node.part("arguments") {
            if list.kind() == "generator_expression" {
                kinds.push(ArgumentKind::Positional);
                parts.push(list);
            } else {
                for argument in named_children(list) {
                    let (kind, value) = match argument.kind() {
                        "keyword_argument" => {
                            let Some(value) = argument.part("value") else { continue };
                            let name = argument.part("name").map_or_else(|| "".into(), |n| self.name(n));
                            (ArgumentKind::Keyword(name), value)
                        }
                        "list_splat" => (ArgumentKind::Splat, argument.named_child(0).unwrap_or(argument)),
                        "dictionary_splat" => (ArgumentKind::DoubleSplat, argument.named_child(0).unwrap_or(argument)),
                        _ => (ArgumentKind::Positional, argument),
                    };
                    kinds.push(kind);
                    parts.push(value);
                }
            }
        }
        work.push(Work::Build { build: Build::Call(kinds), first, span: span(node) });
        work.extend(parts.into_iter().rev().map(Work::Visit));
        work.extend(field(node, "function").into_iter().map(Work::Visit));
    }

    fn visit_conditional<'tree>(node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let parts = named_children(node);
        let place = span(node);
        let &[body, test, otherwise] = parts.as_slice() else {
            work.push(Work::Build { build: Build::Other(parts.len()), first, span: place });
            work.extend(parts.into_iter().rev().map(Work::Visit));
            return;
        };
        work.push(Work::Build { build: Build::Conditional, first, span: place });
        work.push(Work::Mark(Mark::End, place));
        work.push(Work::Visit(otherwise));
        work.push(Work::Mark(Mark::Assume { depth: 1, truth: false }, place));
        work.push(Work::Mark(Mark::Start, place));
        work.push(Work::Mark(Mark::End, place));
        work.push(Work::Visit(body));
        work.push(Work::Mark(Mark::Assume { depth: 0, truth: true }, place));
        work.push(Work::Mark(Mark::Start, place));
        work.push(Work::Visit(test));
    }

    fn visit_dictionary<'tree>(node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let (mut has_key, mut parts) = (Vec::new(), Vec::new());
        for entry in named_children(node) {
            if entry.kind() == "pair" {
                let pair = both(entry, "key", "value");
                if pair.len() == 2 {
                    has_key.push(true);
                    parts.extend(pair);
                }
            } else {
                has_key.push(false);
                parts.push(entry.named_child(0).unwrap_or(entry));
            }
        }
        work.push(Work::Build { build: Build::Dictionary(has_key), first, span: span(node) });
        work.extend(parts.into_iter().rev().map(Work::Visit));
    }

    fn visit_comprehension<'tree>(
        &mut self,
        node: Node<'tree>,
        kind: ComprehensionKind,
        work: &mut Vec<Work<'tree>>,
        first: ExpressionId,
    ) {
        let place = span(node);
        let mut steps = vec![Work::Mark(Mark::Start, place)];
        let mut element = Vec::new();
        for child in named_children(node) {
            match child.kind() {
                "for_in_clause" => {
                    let sources = many(child, "right").into_iter().filter(Node::is_named).collect::<Vec<_>>();
                    let target = field(child, "left");
                    if let (Some(source), Some(target)) = (sources.first(), target.first()) {
                        steps.extend([Work::Visit(*target), Work::Visit(*source), Work::Mark(Mark::Bind, span(child))]);
                    }
                }
                "if_clause" => steps.extend([Work::Visit(child), Work::Mark(Mark::Guard, span(child))]),
                "pair" => element = both(child, "key", "value"),
                _ => element = vec![child],
            }
        }
        let kind = if element.len() == 2 {
            kind
        } else if kind == ComprehensionKind::Dictionary {
            ComprehensionKind::Set
        } else {
            kind
        };
        if element.is_empty() {
            self.leaf(ExpressionKind::Other(Vec::new()), node);
            return;
        }
        steps.extend(element.into_iter().map(Work::Visit));
        steps.push(Work::Mark(Mark::End, place));
        steps.push(Work::Build { build: Build::Comprehension(kind), first, span: place });
        work.extend(steps.into_iter().rev());
    }

    fn visit_lambda<'tree>(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let place = span(node);
        let (mut names, mut defaults) = (Vec::new(), Vec::new());
        if let Some(parameters) = node.part("parameters") {
            for parameter in named_children(parameters) {
                let named = parameter.part("name").unwrap_or(parameter);
                names.push(self.text(named).trim_start_matches('*').into());
                defaults.extend(parameter.part("value"));
            }
        }
        work.push(Work::Build { build: Build::Lambda(defaults.len()), first, span: place });
        work.push(Work::Mark(Mark::End, place));
        match node.part("body") {
            Some(body) => work.push(Work::Visit(body)),
            None => self.leaf(ExpressionKind::Other(Vec::new()), node),
        }
        work.push(Work::Mark(Mark::Parameters(names), place));
        work.push(Work::Mark(Mark::Start, place));
        work.extend(defaults.into_iter().rev().map(Work::Visit));
    }

    fn build(&mut self, build: Build) -> ExpressionKind {
        match build {
            Build::Attribute(name) => ExpressionKind::Attribute { base: self.pop(), name },
            Build::Subscript => {
                let index = self.pop();
                ExpressionKind::Subscript { base: self.pop(), index }
            }
            Build::Slice { has_lower, has_upper, has_step } => {
                if has_step {
                    self.pop();
                }
                let upper = has_upper.then(|| self.pop());
                let lower = has_lower.then(|| self.pop());
                ExpressionKind::Slice { lower, upper }
            }
            Build::Call(kinds) => {
                let values = self.pop_many(kinds.len());
                let arguments = kinds.into_iter().zip(values).map(|(kind, value)| Argument { kind, value }).collect();
                ExpressionKind::Call { callee: self.pop(), arguments }
            }
            Build::Binary(operator) => {
                let right = self.pop();
                ExpressionKind::Binary { operator, left: self.pop(), right }
            }
            Build::Not => ExpressionKind::Not(self.pop()),
            Build::Negate => ExpressionKind::Negate(self.pop()),
            Build::Invert => ExpressionKind::Invert(self.pop()),
            Build::Boolean { is_and } => {
                let right = self.pop();
                ExpressionKind::Boolean { is_and, left: self.pop(), right }
            }
            Build::Compare(links) => {
                let rights = self.pop_many(links.len());
                ExpressionKind::Compare { left: self.pop(), links: links.into_iter().zip(rights).collect() }
            }
            Build::Conditional => {
                let otherwise = self.pop();
                let body = self.pop();
                ExpressionKind::Conditional { body, test: self.pop(), otherwise }
            }
            Build::Sequence(kind, count) => ExpressionKind::Sequence { kind, items: self.pop_many(count) },
            Build::Dictionary(has_key) => {
                let count = has_key.iter().map(|has| 1 + usize::from(*has)).sum();
                let mut values = self.pop_many(count).into_iter();
                let mut next = || values.next().expect("one operand for each key and value");
                let entries = has_key.into_iter().map(|has| (has.then(&mut next), next())).collect::<Vec<_>>();
                ExpressionKind::Dictionary(entries)
            }
            Build::Comprehension(kind) => {
                let element = self.pop();
                let key = (kind == ComprehensionKind::Dictionary).then(|| self.pop());
                ExpressionKind::Comprehension { key, element }
            }
            Build::Lambda(defaults) => {
                let body = self.pop();
                self.pop_many(defaults);
                ExpressionKind::Lambda { body }
            }
            Build::Splat => ExpressionKind::Splat(self.pop()),
            Build::Named => {
                let value = self.pop();
                ExpressionKind::Named { target: self.pop(), value }
            }
            Build::Await => ExpressionKind::Await(self.pop()),
            Build::Yield(count) => ExpressionKind::Yield((count == 1).then(|| self.pop())),
            Build::Joined(count) => ExpressionKind::Joined(self.pop_many(count)),
            Build::Text(pieces) => {
                let holes = pieces.iter().filter(|piece| matches!(piece, RawPiece::Hole { .. })).count();
                let mut values = self.pop_many(holes).into_iter();
                let pieces = pieces.into_iter().map(|piece| match piece {
                    RawPiece::Literal(text) => TextPiece::Literal(text),
                    RawPiece::Hole { conversion, format } => {
                        let value = values.next().expect("one operand for each hole");
                        TextPiece::Hole { value, conversion, format }
                    }
                });
                ExpressionKind::Text(pieces.collect())
            }
            Build::Other(count) => ExpressionKind::Other(self.pop_many(count)),
        }
    }
}

mod statements;
pub(crate) mod whole;

fn parse_integer(text: &str) -> Option<i64> {
    let text = text.replace('_', "").to_ascii_lowercase();
    let (digits, radix) = match text.get(..2) {
        Some("0x") => (&text[2..], 16),
        Some("0o") => (&text[2..], 8),
        Some("0b") => (&text[2..], 2),
        // Python 2 wrote octal with a bare zero.
        _ if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        _ => (text.as_str(), 10),
    };
    i64::from_str_radix(digits.trim_end_matches(['l', 'j']), radix).ok()
}

fn binary_operator(token: &str) -> BinaryOperator {
    match token {
        "+" | "+=" => BinaryOperator::Add,
        "-" | "-=" => BinaryOperator::Subtract,
        "*" | "*=" => BinaryOperator::Multiply,
        "/" | "/=" => BinaryOperator::Divide,
        "%" | "%=" => BinaryOperator::Modulo,
        "|" | "|=" => BinaryOperator::Or,
        _ => BinaryOperator::Other,
    }
}

fn comparisons(node: Node<'_>) -> Vec<Comparison> {
    let mut cursor = node.walk();
    let operators = node.children_by_field_name("operators", &mut cursor).collect::<Vec<_>>();
    operators
        .into_iter()
        .filter_map(|operator| {
            Some(match operator.kind() {
                "==" => Comparison::Equal,
                "!=" | "<>" => Comparison::NotEqual,
                "<" => Comparison::Less,
                "<=" => Comparison::LessEqual,
                ">" => Comparison::Greater,
                ">=" => Comparison::GreaterEqual,
                "in" => Comparison::In,
                "not in" => Comparison::NotIn,
                "is" => Comparison::Is,
                "is not" => Comparison::IsNot,
                _ => return None,
            })
        })
        .collect()
}

fn is_statement(kind: &str) -> bool {
    kind.ends_with("_statement")
        || kind.ends_with("_definition")
        || matches!(kind, "block" | "comment" | "line_continuation")
}

/// The named children that are not comments.
fn named_children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !child.is_extra()).collect()
}

fn all_children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.children(&mut cursor).collect()
}

fn many<'tree>(node: Node<'tree>, name: &str) -> Vec<Node<'tree>> {
    let mut cursor = node.walk();
    node.children_by_field_name(name, &mut cursor).collect()
}

/// The child in this field; the node's first child stands in where a broken text has none.
fn field<'tree>(node: Node<'tree>, name: &'static str) -> Vec<Node<'tree>> {
    vec![node.part(name).or_else(|| node.child(0)).unwrap_or(node)]
}

fn both<'tree>(node: Node<'tree>, left: &'static str, right: &'static str) -> Vec<Node<'tree>> {
    let mut parts = field(node, left);
    parts.extend(field(node, right));
    parts
}
