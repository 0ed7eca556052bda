//! Lowering of the parser's tree of Java.

mod statements;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use tree_sitter::{Node, TreeCursor};

use super::strings::{Prefix, decode};
use super::tree::{
    Argument, ArgumentKind, BinaryOperator, Comparison, Constant, Expression, ExpressionId, ExpressionKind, Function,
    FunctionId, Handler, Lowered, MatchCase, Module, Parameter, SequenceKind, Span, Statement, StatementKind,
};
use crate::syntax::Part;

/// Blocks nested deeper than this are reported as an error.
const MAX_BLOCK_DEPTH: usize = 100;

/// Types that say nothing of what a value is.
const VAGUE_TYPES: &[&str] = &["var", "Object", "String", "CharSequence", "T", "E", "K", "V", "R"];

/// Lowers a parsed file. Where the text is not Java, what is around it is lowered all the same.
pub(crate) fn lower(source: &str, root: Node<'_>) -> Lowered {
    let mut lowering = Lowering {
        source,
        module: Module::default(),
        operands: Vec::new(),
        types: BTreeMap::new(),
        queue: VecDeque::new(),
        error: None,
    };
    lowering.error = first_error(root).map(|node| span(node));
    let body = lowering.block(root, 0);
    lowering.module.body = body;
    if lowering.error.is_some() {
        // In a torn text a loose `return` must not hide the functions that follow it.
        let defines = |kind: &StatementKind| matches!(kind, StatementKind::Function(_) | StatementKind::Class { .. });
        lowering.module.body.sort_by_key(|statement| match &statement.kind {
            StatementKind::Import(_) => 0,
            kind if defines(kind) => 1,
            _ => 2,
        });
    }
    while let Some(waiting) = lowering.queue.pop_front() {
        lowering.finish(waiting);
    }
    Lowered { module: lowering.module, error: lowering.error }
}

/// Walks every token once, with a cursor instead of recursion.
fn first_error(root: Node<'_>) -> Option<Node<'_>> {
    let mut cursor = root.walk();
    loop {
        let node = cursor.node();
        if node.is_error() || node.is_missing() {
            return Some(node);
        }
        let goes_in = node.has_error() && cursor.goto_first_child();
        if !goes_in && !past(&mut cursor) {
            return None;
        }
    }
}

/// Moves to what follows a node; false at the end.
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
    /// A name that stands nowhere as an expression: a type, or a variable of a pattern.
    Name(Rc<str>, Span),
    /// The number that `++` adds.
    One(Span),
    Mark(Mark, Span),
}

/// How to make an expression from the operands on top of the stack.
enum Build {
    Attribute(Rc<str>),
    Subscript,
    Call(usize),
    New(usize),
    Cast(Rc<str>),
    Binary(BinaryOperator),
    Not,
    Negate,
    Invert,
    Boolean {
        is_and: bool,
    },
    Compare(Comparison),
    Conditional,
    Sequence(usize),
    Lambda,
    Named,
    /// `target += value` as an expression.
    Augment(BinaryOperator),
    Other(usize),
}

enum Mark {
    Start,
    /// The operand `depth` below the top is taken to be `truth`.
    Assume {
        depth: usize,
        truth: bool,
    },
    Parameters(Vec<Rc<str>>),
    Closure(FunctionId),
    End,
}

/// A function whose body is lowered once the statement that it stands in is.
struct Waiting<'tree> {
    function: FunctionId,
    body: Node<'tree>,
    types: BTreeMap<Rc<str>, Rc<str>>,
}

struct Lowering<'source, 'tree> {
    source: &'source str,
    module: Module,
    operands: Vec<ExpressionId>,
    /// Declared types of variables.
    types: BTreeMap<Rc<str>, Rc<str>>,
    queue: VecDeque<Waiting<'tree>>,
    error: Option<Span>,
}

fn span(node: Node<'_>) -> Span {
    span_between(node, node)
}

fn span_between(first: Node<'_>, last: Node<'_>) -> Span {
    Span { start: first.start_byte(), end: last.end_byte() }
}

impl<'source, 'tree> Lowering<'source, 'tree> {
    fn text(&self, node: Node<'_>) -> &'source str {
        &self.source[node.byte_range()]
    }

    fn name(&self, node: Node<'_>) -> Rc<str> {
        self.text(node).into()
    }

    /// The text of the node in a field.
    fn field_name(&self, node: Node<'_>, field: &'static str) -> Rc<str> {
        node.part(field).map_or_else(|| "".into(), |child| self.name(child))
    }

    /// A type without its arguments and annotations.
    fn erased(&self, node: Node<'_>) -> Rc<str> {
        let mut erased = String::new();
        let mut depth = 0_usize;
        for letter in self.text(node).chars() {
            match letter {
                '<' => depth += 1,
                '>' => depth = depth.saturating_sub(1),
                letter if depth == 0 && !letter.is_whitespace() => erased.push(letter),
                _ => {}
            }
        }
        erased.into()
    }

    fn emit(&mut self, kind: ExpressionKind, span: Span, first: ExpressionId) -> ExpressionId {
        let id = self.next_id();
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
    fn expression(&mut self, node: Node<'tree>) -> ExpressionId {
        let mut work = vec![Work::Visit(node)];
        while let Some(next) = work.pop() {
            match next {
                Work::Visit(node) => self.visit(node, &mut work),
                Work::Build { build, first, span } => {
                    let kind = self.build(build, span);
                    let id = self.emit(kind, span, first);
                    self.operands.push(id);
                }
                Work::Name(name, span) => self.leaf_at(ExpressionKind::Name(name), span),
                Work::One(span) => self.leaf_at(ExpressionKind::Constant(Constant::Integer(1)), span),
                Work::Mark(mark, span) => self.mark(mark, span),
            }
        }
        self.pop()
    }

    /// An expression read as the type that its variable was declared with.
    fn expression_as(&mut self, node: Node<'tree>, kind: Option<Rc<str>>) -> ExpressionId {
        let first = self.next_id();
        let value = self.expression(node);
        match kind.filter(|kind| !VAGUE_TYPES.contains(&kind.as_ref())) {
            Some(kind) => self.emit(ExpressionKind::Cast { kind, value }, self.module.span(value), first),
            None => value,
        }
    }

    fn mark(&mut self, mark: Mark, span: Span) {
        let kind = match mark {
            Mark::Start => ExpressionKind::ScopeStart,
            Mark::Assume { depth, truth } => {
                let test = self.operands[self.operands.len() - 1 - depth];
                ExpressionKind::ScopeAssume { test, truth }
            }
            Mark::Parameters(names) => ExpressionKind::ScopeParameters(names),
            Mark::Closure(function) => ExpressionKind::Closure(function),
            Mark::End => ExpressionKind::ScopeEnd,
        };
        let id = self.next_id();
        self.emit(kind, span, id);
    }

    fn leaf_at(&mut self, kind: ExpressionKind, span: Span) {
        let first = self.next_id();
        let id = self.emit(kind, span, first);
        self.operands.push(id);
    }

    fn leaf(&mut self, kind: ExpressionKind, node: Node<'_>) {
        let span = span(node);
        self.leaf_at(kind, span);
    }

    /// Handles a node: leaves are emitted, the rest becomes work for its parts and then for itself.
    fn visit(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>) {
        let first = self.next_id();
        let place = span(node);
        let then = |work: &mut Vec<Work<'tree>>, build: Build, parts: Vec<Node<'tree>>| {
            work.push(Work::Build { build, first, span: place });
            work.extend(parts.into_iter().rev().map(Work::Visit));
        };
        match node.kind() {
            "identifier" | "scoped_identifier" | "type_identifier" | "scoped_type_identifier" | "super" => {
                let name = self.name(node);
                self.leaf(ExpressionKind::Name(name), node);
            }
            "this" => self.leaf(ExpressionKind::Name("self".into()), node),
            "string_literal" | "character_literal" => {
                let text = literal_text(self.text(node));
                self.leaf(ExpressionKind::Constant(Constant::Text(text.into())), node);
            }
            "true" => self.leaf(ExpressionKind::Constant(Constant::Boolean(true)), node),
            "false" => self.leaf(ExpressionKind::Constant(Constant::Boolean(false)), node),
            "null_literal" => self.leaf(ExpressionKind::Constant(Constant::None), node),
            kind if kind.ends_with("_literal") && kind != "class_literal" => {
                let value = number(self.text(node), kind);
                self.leaf(ExpressionKind::Constant(value), node);
            }
            "class_literal" => then(work, Build::Attribute("class".into()), vec![first_part(node)]),
            "field_access" => {
                let name = self.field_name(node, "field");
                match node.part("object") {
                    // A field is read like any other variable.
                    Some(object) if object.kind() == "this" => self.leaf(ExpressionKind::Name(name), node),
                    Some(object) => then(work, Build::Attribute(name), vec![object]),
                    None => self.leaf(ExpressionKind::Name(name), node),
                }
            }
            "method_reference" => {
                let name = node.child(node.child_count().saturating_sub(1) as u32).map_or("", |last| self.text(last));
                then(work, Build::Attribute(name.into()), vec![first_part(node)]);
            }
            "array_access" => then(work, Build::Subscript, fields(node, &["array", "index"])),
            "method_invocation" => self.visit_call(node, work, first),
            "object_creation_expression" => self.visit_new(node, work, first),
            "array_creation_expression" => self.visit_array(node, work, first),
            "array_initializer" | "element_value_array_initializer" => {
                let parts = named_children(node);
                then(work, Build::Sequence(parts.len()), parts);
            }
            "binary_expression" => Self::visit_binary(node, work, first),
            "unary_expression" => {
                let build = match operator(node) {
                    "-" => Build::Negate,
                    "~" => Build::Invert,
                    "!" => Build::Not,
                    _ => Build::Other(1),
                };
                then(work, build, fields(node, &["operand"]));
            }
            "update_expression" => {
                let sign = if self.text(node).contains("--") { BinaryOperator::Subtract } else { BinaryOperator::Add };
                work.push(Work::Build { build: Build::Augment(sign), first, span: place });
                work.push(Work::One(place));
                work.push(Work::Visit(first_part(node)));
            }
            "assignment_expression" => self.visit_assignment(node, work, first),
            "instanceof_expression" => self.visit_instance_of(node, work, first),
            "cast_expression" => {
                let kind = node.part("type").map_or_else(|| "".into(), |kind| self.erased(kind));
                then(work, Build::Cast(kind), fields(node, &["value"]));
            }
            "ternary_expression" => self.visit_conditional(node, work, first),
            "lambda_expression" => self.visit_lambda(node, work, first),
            "marker_annotation" | "annotation" => self.visit_annotation(node, work, first),
            // A pair of parentheses is transparent. The span stays that of what is inside.
            "parenthesized_expression" | "expression_statement" | "element_value_pair" => {
                match named_children(node).last() {
                    Some(inside) => work.push(Work::Visit(*inside)),
                    None => self.leaf(ExpressionKind::Other(Vec::new()), node),
                }
            }
            "switch_expression" => {
                let parts = switch_values(node);
                then(work, Build::Other(parts.len()), parts);
            }
            _ => {
                let parts: Vec<_> =
                    named_children(node).into_iter().filter(|part| !is_statement(part.kind())).collect();
                then(work, Build::Other(parts.len()), parts);
            }
        }
    }

    fn visit_call(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let place = span(node);
        let arguments = node.part("arguments").map_or_else(Vec::new, named_children);
        work.push(Work::Build { build: Build::Call(arguments.len()), first, span: place });
        work.extend(arguments.into_iter().rev().map(Work::Visit));
        let name = node.part("name").unwrap_or(node);
        let method = self.name(name);
        match node.part("object") {
            Some(object) => {
                let span = span_between(object, name);
                work.push(Work::Build { build: Build::Attribute(method), first, span });
                work.push(Work::Visit(object));
            }
            None => work.push(Work::Name(method, span(name))),
        }
    }

    fn visit_new(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let place = span(node);
        let arguments = node.part("arguments").map_or_else(Vec::new, named_children);
        let kind = node.part("type").unwrap_or(node);
        work.push(Work::Build { build: Build::New(arguments.len()), first, span: place });
        work.extend(arguments.into_iter().rev().map(Work::Visit));
        let members = named_children(node).into_iter().find(|part| part.kind() == "class_body");
        // A subclass without a name may do anything else than the class it extends.
        let erased = self.erased(kind);
        let named = if members.is_some() { format!("<{erased}>").into() } else { erased };
        work.push(Work::Name(named, span(kind)));
        for member in members.map_or_else(Vec::new, named_children) {
            if member.kind() == "method_declaration"
                && let Some(body) = member.part("body")
            {
                let function = self.declare_function(member, Vec::new());
                self.wait(function, body);
                work.push(Work::Mark(Mark::Closure(function), span(member)));
            }
        }
    }

    fn visit_array(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        if let Some(value) = node.part("value") {
            let parts = named_children(value);
            work.push(Work::Build { build: Build::Sequence(parts.len()), first, span: span(node) });
            work.extend(parts.into_iter().rev().map(Work::Visit));
            return;
        }
        let sizes: Vec<_> = named_children(node)
            .into_iter()
            .filter(|part| part.kind() == "dimensions_expr")
            .filter_map(|part| named_children(part).last().copied())
            .collect();
        let kind = node.part("type").unwrap_or(node);
        work.push(Work::Build { build: Build::New(sizes.len()), first, span: span(node) });
        work.extend(sizes.into_iter().rev().map(Work::Visit));
        work.push(Work::Name(format!("{}[]", self.erased(kind)).into(), span(kind)));
    }

    fn visit_binary(node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let place = span(node);
        let build = match operator(node) {
            sign @ ("&&" | "||") => {
                let is_and = sign == "&&";
                work.push(Work::Build { build: Build::Boolean { is_and }, first, span: place });
                work.push(Work::Mark(Mark::End, place));
                work.extend(fields(node, &["right"]).into_iter().map(Work::Visit));
                work.push(Work::Mark(Mark::Assume { depth: 0, truth: is_and }, place));
                work.push(Work::Mark(Mark::Start, place));
                work.extend(fields(node, &["left"]).into_iter().map(Work::Visit));
                return;
            }
            "==" => Build::Compare(Comparison::Equal),
            "!=" => Build::Compare(Comparison::NotEqual),
            "<" => Build::Compare(Comparison::Less),
            "<=" => Build::Compare(Comparison::LessEqual),
            ">" => Build::Compare(Comparison::Greater),
            ">=" => Build::Compare(Comparison::GreaterEqual),
            sign => Build::Binary(binary_operator(sign)),
        };
        work.push(Work::Build { build, first, span: place });
        work.extend(fields(node, &["left", "right"]).into_iter().rev().map(Work::Visit));
    }

    fn visit_assignment(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let place = span(node);
        let build = match operator(node) {
            "=" => Build::Named,
            sign => Build::Augment(binary_operator(sign.trim_end_matches('='))),
        };
        work.push(Work::Build { build, first, span: place });
        let kind = self.declared_type(node);
        if let Some(kind) = kind {
            work.push(Work::Build { build: Build::Cast(kind), first: first + 1, span: place });
        }
        work.extend(fields(node, &["left", "right"]).into_iter().rev().map(Work::Visit));
    }

    /// The type that the variable on the left of an assignment was declared with.
    fn declared_type(&self, node: Node<'_>) -> Option<Rc<str>> {
        let left = node.part("left").filter(|left| left.kind() == "identifier")?;
        let kind = self.types.get(self.text(left))?;
        (operator(node) == "=" && !VAGUE_TYPES.contains(&kind.as_ref())).then(|| Rc::clone(kind))
    }

    fn visit_instance_of(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let place = span(node);
        let Some(left) = node.part("left") else {
            return self.leaf(ExpressionKind::Other(Vec::new()), node);
        };
        if let (Some(name), Some(kind)) = (node.part("name"), node.part("right")) {
            work.push(Work::Build { build: Build::Other(1), first, span: place });
            work.push(Work::Build { build: Build::Named, first, span: place });
            work.push(Work::Build { build: Build::Cast(self.erased(kind)), first: first + 1, span: place });
            work.push(Work::Visit(left));
            work.push(Work::Name(self.name(name), span(name)));
            return;
        }
        work.push(Work::Build { build: Build::Other(1), first, span: place });
        work.push(Work::Visit(left));
    }

    fn visit_conditional(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let place = span(node);
        let &[test, body, otherwise] = fields(node, &["condition", "consequence", "alternative"]).as_slice() else {
            return self.leaf(ExpressionKind::Other(Vec::new()), node);
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

    fn visit_lambda(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let place = span(node);
        let Some(body) = node.part("body") else {
            return self.leaf(ExpressionKind::Other(Vec::new()), node);
        };
        let only = if body.kind() == "block" { only_value(body) } else { Some(body) };
        let Some(value) = only else {
            let function = self.declare_function(node, Vec::new());
            self.wait(function, body);
            return self.leaf(ExpressionKind::Closure(function), node);
        };
        let parameters = node.part("parameters").map_or_else(Vec::new, |list| self.parameters(list));
        let names = parameters.into_iter().map(|parameter| parameter.name).collect();
        work.push(Work::Build { build: Build::Lambda, first, span: place });
        work.push(Work::Mark(Mark::End, place));
        work.push(Work::Visit(value));
        work.push(Work::Mark(Mark::Parameters(names), place));
        work.push(Work::Mark(Mark::Start, place));
    }

    /// An annotation reads as a call: its rules are told of it in the same way.
    fn visit_annotation(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let name = node.part("name").unwrap_or(node);
        let arguments = node.part("arguments").map_or_else(Vec::new, named_children);
        work.push(Work::Build { build: Build::Call(arguments.len()), first, span: span(node) });
        work.extend(arguments.into_iter().rev().map(Work::Visit));
        work.push(Work::Name(format!("@{}", self.text(name)).into(), span(name)));
    }

    fn build(&mut self, build: Build, span: Span) -> ExpressionKind {
        match build {
            Build::Attribute(name) => ExpressionKind::Attribute { base: self.pop(), name },
            Build::Subscript => {
                let index = self.pop();
                ExpressionKind::Subscript { base: self.pop(), index }
            }
            Build::Call(count) => {
                let arguments = self.arguments(count);
                ExpressionKind::Call { callee: self.pop(), arguments }
            }
            Build::New(count) => {
                let arguments = self.arguments(count);
                ExpressionKind::New { callee: self.pop(), arguments }
            }
            Build::Cast(kind) => ExpressionKind::Cast { kind, value: self.pop() },
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
            Build::Compare(comparison) => {
                let right = self.pop();
                ExpressionKind::Compare { left: self.pop(), links: vec![(comparison, right)] }
            }
            Build::Conditional => {
                let otherwise = self.pop();
                let body = self.pop();
                ExpressionKind::Conditional { body, test: self.pop(), otherwise }
            }
            Build::Sequence(count) => {
                ExpressionKind::Sequence { kind: SequenceKind::List, items: self.pop_many(count) }
            }
            Build::Lambda => ExpressionKind::Lambda { body: self.pop() },
            Build::Named => {
                let value = self.pop();
                ExpressionKind::Named { target: self.pop(), value }
            }
            Build::Augment(operator) => {
                let right = self.pop();
                let target = self.pop();
                let first = self.module.expression(target).first;
                let value = self.emit(ExpressionKind::Binary { operator, left: target, right }, span, first);
                ExpressionKind::Named { target, value }
            }
            Build::Other(count) => ExpressionKind::Other(self.pop_many(count)),
        }
    }

    fn arguments(&mut self, count: usize) -> Vec<Argument> {
        let values = self.pop_many(count).into_iter();
        values.map(|value| Argument { kind: ArgumentKind::Positional, value }).collect()
    }
}

fn named_children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !child.is_extra()).collect()
}

/// The first part of a node, which a broken text may lack.
fn first_part(node: Node<'_>) -> Node<'_> {
    named_children(node).first().copied().or_else(|| node.child(0)).unwrap_or(node)
}

/// The nodes in these fields, as many as there are.
fn fields<'tree>(node: Node<'tree>, names: &[&'static str]) -> Vec<Node<'tree>> {
    let found: Vec<_> = names.iter().filter_map(|name| node.part(name)).collect();
    // A broken text may lack a part; one of the others then stands for it, so that each build has its operands.
    match found.last() {
        Some(last) if found.len() < names.len() => {
            let last = *last;
            found.iter().copied().chain(std::iter::repeat(last)).take(names.len()).collect()
        }
        Some(_) => found,
        None => vec![node.child(0).unwrap_or(node); names.len()],
    }
}

fn operator(node: Node<'_>) -> &str {
    node.part("operator").map_or("", |child| child.kind())
}

fn binary_operator(sign: &str) -> BinaryOperator {
    match sign {
        "+" => BinaryOperator::Add,
        "-" => BinaryOperator::Subtract,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        "%" => BinaryOperator::Modulo,
        "|" => BinaryOperator::Or,
        _ => BinaryOperator::Other,
    }
}

fn is_statement(kind: &str) -> bool {
    kind.ends_with("_statement") && kind != "expression_statement"
        || kind.ends_with("_declaration")
        || matches!(kind, "block" | "class_body" | "modifiers" | "switch_block")
}

/// The value of a block that does nothing but return it.
fn only_value(block: Node<'_>) -> Option<Node<'_>> {
    let statements = named_children(block);
    let [only] = statements.as_slice() else { return None };
    (only.kind() == "return_statement").then(|| named_children(*only).first().copied()).flatten()
}

/// The values that a `switch` used as an expression can have.
fn switch_values(node: Node<'_>) -> Vec<Node<'_>> {
    let rules = node.part("body").map_or_else(Vec::new, named_children);
    let values = rules.into_iter().filter(|rule| rule.kind() == "switch_rule").filter_map(|rule| {
        let last = named_children(rule).last().copied()?;
        (last.kind() == "expression_statement").then_some(last)
    });
    values.collect()
}

/// The value of a text, a text block or a character.
fn literal_text(literal: &str) -> String {
    let body = match literal.strip_prefix("\"\"\"") {
        Some(block) => {
            block.strip_suffix("\"\"\"").unwrap_or(block).trim_start_matches([' ', '\t']).trim_start_matches('\n')
        }
        None => literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default(),
    };
    decode(body, Prefix::default())
}

fn number(text: &str, kind: &str) -> Constant {
    let text = text.replace('_', "");
    if kind.contains("floating") {
        let digits = text.trim_end_matches(['f', 'F', 'd', 'D']);
        return Constant::Float(digits.parse().unwrap_or(f64::NAN));
    }
    let text = text.trim_end_matches(['l', 'L']).to_ascii_lowercase();
    let (digits, base) = match (text.strip_prefix("0x"), text.strip_prefix("0b")) {
        (Some(digits), _) => (digits, 16),
        (_, Some(digits)) => (digits, 2),
        _ if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        _ => (text.as_str(), 10),
    };
    i64::from_str_radix(digits, base).map_or(Constant::Float(f64::INFINITY), Constant::Integer)
}
