//! Lowering of the parser's tree of Go.
//!
//! A composite literal becomes [`ExpressionKind::New`] with its fields as keywords, so that rules read it as they read a call; methods
//! become members of a class named after their receiver's type; `range` becomes a call that yields keys and elements.

mod statements;

use std::rc::Rc;

use tree_sitter::{Node, TreeCursor};

use super::strings::{Prefix, decode};
use super::tree::{
    Argument, ArgumentKind, BinaryOperator, Comparison, Constant, Expression, ExpressionId, ExpressionKind, Function,
    FunctionId, Lowered, Module, SequenceKind, Span,
};
use crate::syntax::Part;

/// Deeper blocks are reported as an error.
const MAX_BLOCK_DEPTH: usize = 120;

/// Lowers a parsed file. Where the text is not Go, what is around it is lowered all the same.
pub(crate) fn lower(source: &str, root: Node<'_>) -> Lowered {
    let mut lowering = Lowering {
        source,
        module: Module::default(),
        operands: Vec::new(),
        closures: Vec::new(),
        breaks_leave_switch: false,
        error: first_error(root),
    };
    let body = lowering.file(root);
    // What closures do stands behind everything else; closures inside them join the end of the list.
    let mut next = 0;
    while let Some((function, node)) = lowering.closures.get(next).copied() {
        lowering.closure_body(function, node);
        next += 1;
    }
    lowering.module.body = body;
    Lowered { module: lowering.module, error: lowering.error }
}

fn span(node: Node<'_>) -> Span {
    Span { start: node.start_byte(), end: node.end_byte() }
}

/// Walks every token once, with a cursor instead of recursion.
fn first_error(root: Node<'_>) -> Option<Span> {
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

/// Moves to the next node in the order of the text that may hold an error; false at the end.
fn advance(cursor: &mut TreeCursor<'_>) -> bool {
    if cursor.node().has_error() && cursor.goto_first_child() {
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

/// What to do next while an expression is lowered.
enum Work<'tree> {
    Visit(Node<'tree>),
    Build { build: Build, first: ExpressionId, span: Span },
    Mark(Mark, Span),
}

/// How to make an expression from the operands on top of the stack.
enum Build {
    Attribute(Rc<str>),
    Subscript,
    Slice { has_lower: bool, has_upper: bool },
    Call(Vec<ArgumentKind>),
    New(Vec<ArgumentKind>),
    Binary(BinaryOperator),
    Compare(Comparison),
    Not,
    Negate,
    Invert,
    Address,
    Dereference,
    Boolean { is_and: bool },
    Sequence(SequenceKind, usize),
    Dictionary(usize),
    Cast(Rc<str>),
    Other(usize),
}

enum Mark {
    Start,
    Assume(bool),
    End,
}

struct Lowering<'source, 'tree> {
    source: &'source str,
    module: Module,
    operands: Vec<ExpressionId>,
    /// Function literals whose bodies are still to be lowered.
    closures: Vec<(FunctionId, Node<'tree>)>,
    /// Whether a `break` here leaves a `switch` and not a loop.
    breaks_leave_switch: bool,
    error: Option<Span>,
}

impl<'source, 'tree> Lowering<'source, 'tree> {
    fn text(&self, node: Node<'_>) -> &'source str {
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

    fn next_id(&self) -> ExpressionId {
        u32::try_from(self.module.expressions.len()).expect("a file has fewer expressions than bytes")
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
                    let kind = self.build(build);
                    let id = self.emit(kind, span, first);
                    self.operands.push(id);
                }
                Work::Mark(mark, span) => self.mark(&mark, span),
            }
        }
        self.pop()
    }

    fn mark(&mut self, mark: &Mark, span: Span) {
        let kind = match mark {
            Mark::Start => ExpressionKind::ScopeStart,
            Mark::Assume(truth) => {
                let test = *self.operands.last().expect("the left side was lowered before the mark");
                ExpressionKind::ScopeAssume { test, truth: *truth }
            }
            Mark::End => ExpressionKind::ScopeEnd,
        };
        let id = self.next_id();
        self.emit(kind, span, id);
    }

    fn leaf(&mut self, kind: ExpressionKind, span: Span) {
        let first = self.next_id();
        let id = self.emit(kind, span, first);
        self.operands.push(id);
    }

    /// Handles a node: leaves are emitted, the rest becomes work for its parts and then for itself.
    fn visit(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>) {
        let first = self.next_id();
        let place = span(node);
        let then = |work: &mut Vec<Work<'tree>>, build: Build, parts: Vec<Node<'tree>>| {
            work.push(Work::Build { build, first, span: place });
            work.extend(parts.into_iter().rev().map(Work::Visit));
        };
        if let Some(constant) = self.constant(node) {
            self.leaf(ExpressionKind::Constant(constant), place);
            return;
        }
        match node.kind() {
            "func_literal" => self.visit_closure(node),
            "selector_expression" => {
                let name = node.part("field").map_or_else(|| "".into(), |child| self.name(child));
                then(work, Build::Attribute(name), vec![field(node, "operand")]);
            }
            "index_expression" => then(work, Build::Subscript, vec![field(node, "operand"), field(node, "index")]),
            "slice_expression" => Self::visit_slice(node, work, first),
            "call_expression" => self.visit_call(node, work, first),
            "composite_literal" => self.visit_composite(node, work, first),
            "literal_value" => Self::visit_literal_value(node, work, first),
            "type_conversion_expression" => {
                let kind = self.type_text(node.part("type"));
                // What is converted is what matters, so its place stands for the whole.
                let inside = field(node, "operand");
                work.push(Work::Build { build: Build::Cast(kind), first, span: span(inside) });
                work.push(Work::Visit(inside));
            }
            "type_assertion_expression" => {
                let kind = self.type_text(node.part("type"));
                then(work, Build::Cast(kind), vec![field(node, "operand")]);
            }
            "binary_expression" => self.visit_binary(node, work, first),
            "unary_expression" => {
                let build = match node.part("operator").map_or("", |child| child.kind()) {
                    "-" => Build::Negate,
                    "^" => Build::Invert,
                    "!" => Build::Not,
                    "&" => Build::Address,
                    "*" => Build::Dereference,
                    _ => Build::Other(1),
                };
                then(work, build, vec![field(node, "operand")]);
            }
            "expression_list" => {
                let parts = named_children(node);
                match parts.as_slice() {
                    [only] => work.push(Work::Visit(*only)),
                    _ => then(work, Build::Sequence(SequenceKind::Tuple, parts.len()), parts),
                }
            }
            // A pair of parentheses is transparent. The span stays that of what is inside.
            "parenthesized_expression" | "literal_element" | "variadic_argument" => match named_children(node).last() {
                Some(inside) => work.push(Work::Visit(*inside)),
                None => self.leaf(ExpressionKind::Other(Vec::new()), place),
            },
            "type_instantiation_expression" => work.push(Work::Visit(field(node, "type"))),
            kind if is_name(kind) => {
                let name = self.type_text(Some(node));
                self.leaf(ExpressionKind::Name(name), place);
            }
            _ => {
                let parts: Vec<_> =
                    named_children(node).into_iter().filter(|part| !is_statement(part.kind())).collect();
                then(work, Build::Other(parts.len()), parts);
            }
        }
    }

    fn constant(&self, node: Node<'_>) -> Option<Constant> {
        Some(match node.kind() {
            "int_literal" => parse_integer(self.text(node)).map_or(Constant::Float(f64::INFINITY), Constant::Integer),
            "float_literal" => Constant::Float(self.text(node).replace('_', "").parse().unwrap_or(f64::NAN)),
            "raw_string_literal" => Constant::Text(self.text(node).trim_matches('`').into()),
            "interpreted_string_literal" => Constant::Text(self.unquoted(node, '"')),
            "rune_literal" => Constant::Text(self.unquoted(node, '\'')),
            "true" => Constant::Boolean(true),
            "false" => Constant::Boolean(false),
            "nil" => Constant::None,
            _ => return None,
        })
    }

    fn unquoted(&self, node: Node<'_>, quote: char) -> Rc<str> {
        let text = self.text(node);
        let inside = text.strip_prefix(quote).unwrap_or(text);
        let inside = inside.strip_suffix(quote).unwrap_or(inside);
        decode(inside, Prefix::default()).into()
    }

    fn visit_closure(&mut self, node: Node<'tree>) {
        let function = self.reserve("function literal".into());
        self.closures.push((function, node));
        self.leaf(ExpressionKind::Closure(function), span(node));
    }

    /// A place in the list of functions, to be filled in later.
    fn reserve(&mut self, name: Rc<str>) -> FunctionId {
        let id = u32::try_from(self.module.functions.len()).expect("a file has fewer functions than bytes");
        let function = Function { name, parameters: Vec::new(), decorators: Vec::new(), body: Vec::new() };
        self.module.functions.push(function);
        id
    }

    fn visit_slice(node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let (lower, upper) = (node.part("start"), node.part("end"));
        let place = span(node);
        work.push(Work::Build { build: Build::Subscript, first, span: place });
        let build = Build::Slice { has_lower: lower.is_some(), has_upper: upper.is_some() };
        // A slice's own expressions start behind those of what is sliced; nothing is read by that range alone.
        work.push(Work::Build { build, first, span: place });
        work.extend([upper, lower].into_iter().flatten().map(Work::Visit));
        work.push(Work::Visit(field(node, "operand")));
    }

    fn visit_call(&self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let arguments = node.part("arguments").map_or_else(Vec::new, named_children);
        let callee = field(node, "function");
        // `string(b)` and the like read as calls. Conversions to whole numbers stay calls: rules look at them.
        if let ([only], "identifier") = (arguments.as_slice(), callee.kind())
            && is_basic_type(self.text(callee))
        {
            work.push(Work::Build { build: Build::Cast(self.name(callee)), first, span: span(*only) });
            work.push(Work::Visit(*only));
            return;
        }
        let kind = |argument: &Node<'_>| match argument.kind() {
            "variadic_argument" => ArgumentKind::Splat,
            _ => ArgumentKind::Positional,
        };
        let kinds = arguments.iter().map(kind).collect();
        work.push(Work::Build { build: Build::Call(kinds), first, span: span(node) });
        work.extend(arguments.into_iter().rev().map(Work::Visit));
        work.push(Work::Visit(callee));
    }

    /// `T{a, b}` and `T{name: a}`: a list, a table, or a structure with fields.
    fn visit_composite(&self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let (kind, body) = (field(node, "type"), field(node, "body"));
        let place = span(node);
        let elements = named_children(body);
        match kind.kind() {
            "array_type" | "slice_type" | "implicit_length_array_type" => {
                let values: Vec<_> = elements.iter().filter_map(|element| value_of(*element)).collect();
                let build = Build::Sequence(SequenceKind::List, values.len());
                work.push(Work::Build { build, first, span: place });
                work.extend(values.into_iter().rev().map(Work::Visit));
            }
            "map_type" => Self::push_entries(&elements, place, work, first),
            _ => {
                let mut kinds = Vec::new();
                for element in &elements {
                    kinds.push(match element.part("key") {
                        Some(key) => ArgumentKind::Keyword(self.name(key)),
                        None => ArgumentKind::Positional,
                    });
                }
                work.push(Work::Build { build: Build::New(kinds), first, span: place });
                work.extend(elements.iter().rev().map(|element| Work::Visit(value_of(*element).unwrap_or(*element))));
                work.push(Work::Visit(kind));
            }
        }
    }

    /// `{...}` inside a literal whose type says what it is.
    fn visit_literal_value(node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let elements = named_children(node);
        let place = span(node);
        if elements.iter().any(|element| element.kind() == "keyed_element") {
            Self::push_entries(&elements, place, work, first);
        } else {
            let build = Build::Sequence(SequenceKind::List, elements.len());
            work.push(Work::Build { build, first, span: place });
            work.extend(elements.into_iter().rev().map(Work::Visit));
        }
    }

    fn push_entries(elements: &[Node<'tree>], place: Span, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let pairs: Vec<_> =
            elements.iter().filter_map(|element| Some([element.part("key")?, element.part("value")?])).collect();
        work.push(Work::Build { build: Build::Dictionary(pairs.len()), first, span: place });
        work.extend(pairs.into_iter().flatten().rev().map(Work::Visit));
    }

    fn visit_binary(&self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let operator = node.part("operator").map_or("", |child| child.kind());
        let (left, right) = (field(node, "left"), field(node, "right"));
        let place = span(node);
        if matches!(operator, "&&" | "||") {
            let is_and = operator == "&&";
            work.push(Work::Build { build: Build::Boolean { is_and }, first, span: place });
            work.push(Work::Mark(Mark::End, place));
            work.push(Work::Visit(right));
            work.push(Work::Mark(Mark::Assume(is_and), place));
            work.push(Work::Mark(Mark::Start, place));
            work.push(Work::Visit(left));
            return;
        }
        let is_nil = right.kind() == "nil" || self.text(right) == "nil";
        let build = match operator {
            "==" if is_nil => Build::Compare(Comparison::Is),
            "!=" if is_nil => Build::Compare(Comparison::IsNot),
            "==" => Build::Compare(Comparison::Equal),
            "!=" => Build::Compare(Comparison::NotEqual),
            "<" => Build::Compare(Comparison::Less),
            "<=" => Build::Compare(Comparison::LessEqual),
            ">" => Build::Compare(Comparison::Greater),
            ">=" => Build::Compare(Comparison::GreaterEqual),
            _ => Build::Binary(binary_operator(operator)),
        };
        work.push(Work::Build { build, first, span: place });
        work.push(Work::Visit(right));
        work.push(Work::Visit(left));
    }

    fn build(&mut self, build: Build) -> ExpressionKind {
        match build {
            Build::Attribute(name) => ExpressionKind::Attribute { base: self.pop(), name },
            Build::Subscript => {
                let index = self.pop();
                ExpressionKind::Subscript { base: self.pop(), index }
            }
            Build::Slice { has_lower, has_upper } => {
                let upper = has_upper.then(|| self.pop());
                ExpressionKind::Slice { lower: has_lower.then(|| self.pop()), upper }
            }
            Build::Call(kinds) => {
                let (callee, arguments) = self.call_parts(kinds);
                ExpressionKind::Call { callee, arguments }
            }
            Build::New(kinds) => {
                let (callee, arguments) = self.call_parts(kinds);
                ExpressionKind::New { callee, arguments }
            }
            Build::Binary(operator) => {
                let right = self.pop();
                ExpressionKind::Binary { operator, left: self.pop(), right }
            }
            Build::Compare(operator) => {
                let right = self.pop();
                ExpressionKind::Compare { left: self.pop(), links: vec![(operator, right)] }
            }
            Build::Not => ExpressionKind::Not(self.pop()),
            Build::Negate => ExpressionKind::Negate(self.pop()),
            Build::Invert => ExpressionKind::Invert(self.pop()),
            Build::Address => ExpressionKind::Address(self.pop()),
            Build::Dereference => ExpressionKind::Dereference(self.pop()),
            Build::Boolean { is_and } => {
                let right = self.pop();
                ExpressionKind::Boolean { is_and, left: self.pop(), right }
            }
            Build::Sequence(kind, count) => ExpressionKind::Sequence { kind, items: self.pop_many(count) },
            Build::Dictionary(count) => {
                let parts = self.pop_many(2 * count);
                ExpressionKind::Dictionary(parts.chunks_exact(2).map(|pair| (Some(pair[0]), pair[1])).collect())
            }
            Build::Cast(kind) => ExpressionKind::Cast { kind, value: self.pop() },
            Build::Other(count) => ExpressionKind::Other(self.pop_many(count)),
        }
    }

    fn call_parts(&mut self, kinds: Vec<ArgumentKind>) -> (ExpressionId, Vec<Argument>) {
        let values = self.pop_many(kinds.len());
        let arguments = kinds.into_iter().zip(values).map(|(kind, value)| Argument { kind, value }).collect();
        (self.pop(), arguments)
    }

    /// A type's text without pointers and blanks: `*http.Request` is `http.Request`.
    fn type_text(&self, node: Option<Node<'_>>) -> Rc<str> {
        let Some(node) = node else { return "".into() };
        let text = self.text(node).trim_start_matches(['*', '&', '(', ' ']);
        let text = text.split_once('[').filter(|(before, _)| !before.is_empty()).map_or(text, |(before, _)| before);
        if text.len() > 80 { "".into() } else { text.into() }
    }
}

/// The value of an element of a composite literal.
fn value_of(element: Node<'_>) -> Option<Node<'_>> {
    if element.kind() == "keyed_element" { element.part("value") } else { Some(element) }
}

fn is_name(kind: &str) -> bool {
    matches!(
        kind,
        "identifier"
            | "type_identifier"
            | "package_identifier"
            | "field_identifier"
            | "qualified_type"
            | "generic_type"
            | "pointer_type"
            | "slice_type"
            | "array_type"
            | "map_type"
            | "channel_type"
            | "function_type"
            | "struct_type"
            | "interface_type"
            | "blank_identifier"
            | "iota"
            | "label_name"
    )
}

fn is_basic_type(name: &str) -> bool {
    matches!(name, "string" | "byte" | "rune" | "float32" | "float64" | "bool" | "any" | "error")
}

fn is_statement(kind: &str) -> bool {
    kind.ends_with("_statement") || kind.ends_with("_declaration") || matches!(kind, "block" | "comment")
}

fn parse_integer(text: &str) -> Option<i64> {
    let digits = text.replace('_', "").to_ascii_lowercase();
    let (digits, radix) = match digits.get(..2) {
        Some("0x") => (&digits[2..], 16),
        Some("0o") => (&digits[2..], 8),
        Some("0b") => (&digits[2..], 2),
        Some(start) if start.starts_with('0') => (&digits[1..], 8),
        _ => (digits.as_str(), 10),
    };
    i64::from_str_radix(digits, radix).ok()
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

/// The named children that are not comments.
fn named_children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !child.is_extra()).collect()
}

/// The child in this field; the node's first child stands in where a broken text has none.
fn field<'tree>(node: Node<'tree>, name: &'static str) -> Node<'tree> {
    node.part(name).or_else(|| node.child(0)).unwrap_or(node)
}
