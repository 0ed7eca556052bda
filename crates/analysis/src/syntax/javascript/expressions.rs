//! Lowering of expressions, with a work list instead of recursion.

use std::rc::Rc;

use super::text::{decode, integer};
use super::{Lowering, Node, THIS, field, is_function, named_children, span};
use crate::syntax::Part;
use crate::syntax::{
    Argument, ArgumentKind, BinaryOperator, Comparison, Constant, ExpressionId, ExpressionKind, SequenceKind, Span,
    TextPiece,
};

/// What to do next while an expression is lowered.
pub(super) enum Work<'tree> {
    Visit(Node<'tree>),
    Build(Build, ExpressionId, Span),
    /// A leaf that is not in the text.
    Leaf(ExpressionKind, Span),
    Start(Span),
    /// The operand `depth` below the top is taken to be `truth`.
    Assume(usize, bool, Span),
    End(Span),
}

/// How to make an expression from the operands on top of the stack.
pub(super) enum Build {
    Attribute(Rc<str>),
    Subscript,
    Call(Vec<ArgumentKind>),
    New(Vec<ArgumentKind>),
    Binary(BinaryOperator),
    /// A number, whatever it was made from.
    Number(usize),
    Not,
    Negate,
    Boolean {
        is_and: bool,
    },
    Compare(Comparison),
    Conditional,
    List(usize),
    Dictionary(Vec<bool>),
    Splat,
    Named,
    Await,
    Yield(usize),
    Text(Vec<Option<Rc<str>>>),
    /// The value of the last of these.
    Last(usize),
    Other(usize),
}

impl<'tree> Lowering<'tree> {
    fn pop(&mut self) -> ExpressionId {
        self.operands.pop().expect("every build follows the visits of its operands")
    }

    fn pop_many(&mut self, count: usize) -> Vec<ExpressionId> {
        self.operands.split_off(self.operands.len() - count)
    }

    /// Lowers one expression and everything below it.
    pub(super) fn expression(&mut self, node: Node<'tree>) -> ExpressionId {
        let mut work = vec![Work::Visit(node)];
        while let Some(next) = work.pop() {
            match next {
                Work::Visit(node) => self.visit(node, &mut work),
                Work::Build(build, first, place) => {
                    let kind = self.build(build);
                    let id = self.emit(kind, place, first);
                    self.operands.push(id);
                }
                Work::Leaf(kind, place) => self.leaf(kind, place),
                Work::Start(place) => {
                    self.single(ExpressionKind::ScopeStart, place);
                }
                Work::Assume(depth, truth, place) => {
                    let test = self.operands[self.operands.len() - 1 - depth];
                    self.single(ExpressionKind::ScopeAssume { test, truth }, place);
                }
                Work::End(place) => {
                    self.single(ExpressionKind::ScopeEnd, place);
                }
            }
        }
        self.pop()
    }

    pub(super) fn leaf(&mut self, kind: ExpressionKind, place: Span) {
        let id = self.single(kind, place);
        self.operands.push(id);
    }

    /// Handles a node: leaves are emitted, the rest becomes work for its parts and then for itself.
    fn visit(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>) {
        let first = self.next_id();
        let place = span(node);
        let constant = |value: Constant| ExpressionKind::Constant(value);
        match node.kind() {
            "identifier"
            | "property_identifier"
            | "private_property_identifier"
            | "shorthand_property_identifier"
            | "shorthand_property_identifier_pattern"
            | "type_identifier"
            | "super"
            | "meta_property"
            | "nested_identifier"
            | "import" => {
                let text = if node.kind() == "import" { "require" } else { self.text(node) };
                self.leaf(ExpressionKind::Name(text.into()), place);
            }
            "this" => self.leaf(ExpressionKind::Name(THIS.into()), place),
            "true" | "false" => self.leaf(constant(Constant::Boolean(node.kind() == "true")), place),
            "null" | "undefined" => self.leaf(constant(Constant::None), place),
            "number" => {
                let text = self.text(node);
                let float = || Constant::Float(text.replace('_', "").parse().unwrap_or(f64::NAN));
                let value = integer(text).map_or_else(float, Constant::Integer);
                self.leaf(constant(value), place);
            }
            "string" | "jsx_text" => {
                let value = self.string_value(node);
                self.leaf(constant(Constant::Text(value)), place);
            }
            "template_string" => self.visit_template(node, work, first),
            "regex" => self.visit_regex(node, work, first),
            kind if is_function(kind) => {
                let function = self.enqueue(node, "".into());
                self.leaf(ExpressionKind::Closure(function), place);
            }
            "class" => self.visit_class(node, work, first),
            "object" => self.visit_object(node, work, first),
            "array" => then(work, Build::List(named_children(node).len()), first, place, named_children(node)),
            "member_expression" => {
                let name = node.part("property").map_or_else(|| "".into(), |child| self.name(child));
                then(work, Build::Attribute(name), first, place, vec![field(node, "object")]);
            }
            "subscript_expression" => self.visit_subscript(node, work, first),
            "call_expression" => Self::visit_call(node, "function", work, first),
            "new_expression" => Self::visit_call(node, "constructor", work, first),
            "binary_expression" => Self::visit_binary(node, work, first),
            "unary_expression" => Self::visit_unary(node, work, first),
            "ternary_expression" => {
                work.push(Work::Build(Build::Conditional, first, place));
                work.push(Work::End(place));
                work.push(Work::Visit(field(node, "alternative")));
                work.extend([Work::Assume(1, false, place), Work::Start(place), Work::End(place)]);
                work.push(Work::Visit(field(node, "consequence")));
                work.extend([Work::Assume(0, true, place), Work::Start(place)]);
                work.push(Work::Visit(field(node, "condition")));
            }
            "assignment_expression" => {
                let parts = vec![field(node, "left"), field(node, "right")];
                then(work, Build::Named, first, place, parts);
            }
            "augmented_assignment_expression" => {
                work.push(Work::Build(Build::Named, first, place));
                work.push(Work::Build(Build::Binary(Self::augmented(node)), first, place));
                work.push(Work::Visit(field(node, "right")));
                work.push(Work::Visit(field(node, "left")));
                work.push(Work::Visit(field(node, "left")));
            }
            "spread_element" | "rest_pattern" => one(work, Build::Splat, first, node),
            "await_expression" => one(work, Build::Await, first, node),
            "yield_expression" => {
                let parts: Vec<_> = named_children(node).into_iter().take(1).collect();
                then(work, Build::Yield(parts.len()), first, place, parts);
            }
            "sequence_expression" => {
                let parts = named_children(node);
                then(work, Build::Last(parts.len()), first, place, parts);
            }
            // Transparent: the span stays that of what is inside.
            "parenthesized_expression"
            | "as_expression"
            | "satisfies_expression"
            | "non_null_expression"
            | "instantiation_expression"
            | "jsx_expression"
            | "computed_property_name"
            | "template_substitution" => match named_children(node).first() {
                Some(inside) => work.push(Work::Visit(*inside)),
                None => self.leaf(ExpressionKind::Other(Vec::new()), place),
            },
            // `<Type>value`.
            "type_assertion" => match named_children(node).last() {
                Some(inside) => work.push(Work::Visit(*inside)),
                None => self.leaf(ExpressionKind::Other(Vec::new()), place),
            },
            "jsx_element" | "jsx_self_closing_element" | "jsx_opening_element" => self.visit_jsx(node, work, first),
            kind => {
                let is_text = |part: &Node<'_>| {
                    let kind = part.kind();
                    !kind.ends_with("_statement")
                        && !kind.ends_with("_declaration")
                        && !kind.ends_with("statement_block")
                        && !kind.contains("type_")
                        && !kind.ends_with("_clause")
                };
                let parts: Vec<_> = if kind.ends_with("_type") || kind.starts_with("type_") {
                    Vec::new()
                } else {
                    named_children(node).into_iter().filter(is_text).collect()
                };
                then(work, Build::Other(parts.len()), first, place, parts);
            }
        }
    }

    pub(super) fn string_value(&self, node: Node<'_>) -> Rc<str> {
        let text = self.text(node);
        if node.kind() == "jsx_text" {
            return text.into();
        }
        let inside = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
        decode(inside).into()
    }

    fn visit_template(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let place = span(node);
        let (mut pieces, mut holes) = (Vec::new(), Vec::new());
        let mut from = node.start_byte() + 1;
        for child in named_children(node).into_iter().filter(|child| child.kind() == "template_substitution") {
            if from < child.start_byte() {
                pieces.push(Some(decode(&self.source[from..child.start_byte()]).into()));
            }
            pieces.push(None);
            holes.push(child);
            from = child.end_byte();
        }
        let end = node.end_byte().saturating_sub(1);
        if from < end {
            pieces.push(Some(decode(&self.source[from..end]).into()));
        }
        if holes.is_empty() {
            let text = pieces.pop().flatten().unwrap_or_else(|| "".into());
            self.leaf(ExpressionKind::Constant(Constant::Text(text)), place);
        } else {
            then(work, Build::Text(pieces), first, place, holes);
        }
    }

    /// `/pattern/flags` is a call of `RegExp`.
    fn visit_regex(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let place = span(node);
        let part = |name: &'static str| node.part(name).map_or("", |child| self.text(child)).into();
        let (pattern, flags) = (part("pattern"), part("flags"));
        work.push(Work::Build(Build::Call(vec![ArgumentKind::Positional; 2]), first, place));
        work.push(Work::Leaf(ExpressionKind::Constant(Constant::Text(flags)), place));
        work.push(Work::Leaf(ExpressionKind::Constant(Constant::Text(pattern)), place));
        work.push(Work::Leaf(ExpressionKind::Name("RegExp".into()), place));
    }

    fn visit_class(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let members = node.part("body").map_or_else(Vec::new, named_children);
        let methods: Vec<_> = members.into_iter().filter(|member| member.kind() == "method_definition").collect();
        work.push(Work::Build(Build::Other(methods.len()), first, span(node)));
        for method in methods.into_iter().rev() {
            let name = self.property_name(method);
            let function = self.enqueue(method, name);
            work.push(Work::Leaf(ExpressionKind::Closure(function), span(method)));
        }
    }

    /// The name of a property or method, where it is written out.
    pub(super) fn property_name(&self, node: Node<'_>) -> Rc<str> {
        let key = node.part("key").or_else(|| node.part("name"));
        match key {
            Some(key) if key.kind() == "string" => self.string_value(key),
            Some(key) => self.name(key),
            None => "".into(),
        }
    }

    fn visit_object(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let (mut has_key, mut steps) = (Vec::new(), Vec::new());
        for entry in named_children(node) {
            match entry.kind() {
                "pair" => {
                    let (key, value) = (field(entry, "key"), field(entry, "value"));
                    let name = self.property_name(entry);
                    steps.push(self.key(key));
                    steps.push(self.named_value(value, name));
                    has_key.push(true);
                }
                "shorthand_property_identifier" => {
                    let key = Constant::Text(self.name(entry));
                    steps.push(Work::Leaf(ExpressionKind::Constant(key), span(entry)));
                    steps.push(Work::Visit(entry));
                    has_key.push(true);
                }
                "method_definition" => {
                    let name = self.property_name(entry);
                    let key = ExpressionKind::Constant(Constant::Text(Rc::clone(&name)));
                    steps.push(Work::Leaf(key, span(field(entry, "name"))));
                    let function = self.enqueue(entry, name);
                    steps.push(Work::Leaf(ExpressionKind::Closure(function), span(entry)));
                    has_key.push(true);
                }
                "spread_element" => {
                    steps.push(Work::Visit(entry.named_child(0).unwrap_or(entry)));
                    has_key.push(false);
                }
                _ => {}
            }
        }
        work.push(Work::Build(Build::Dictionary(has_key), first, span(node)));
        work.extend(steps.into_iter().rev());
    }

    fn key(&self, key: Node<'tree>) -> Work<'tree> {
        let text = match key.kind() {
            "string" => self.string_value(key),
            "property_identifier" | "number" => self.name(key),
            _ => return Work::Visit(key),
        };
        Work::Leaf(ExpressionKind::Constant(Constant::Text(text)), span(key))
    }

    fn visit_subscript(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let place = span(node);
        let (object, index) = (field(node, "object"), field(node, "index"));
        let is_name = |text: &str| {
            !text.is_empty()
                && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$')
                && !text.starts_with(|c: char| c.is_ascii_digit())
        };
        // `value["name"]` is `value.name`.
        if index.kind() == "string" {
            let name = self.string_value(index);
            if is_name(&name) {
                then(work, Build::Attribute(name), first, place, vec![object]);
                return;
            }
        }
        then(work, Build::Subscript, first, place, vec![object, index]);
    }

    fn visit_call(node: Node<'tree>, callee: &'static str, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let (mut kinds, mut parts) = (Vec::new(), Vec::new());
        if let Some(list) = node.part("arguments") {
            for argument in named_children(list) {
                match argument.kind() {
                    // The parts of a tagged template are its tag's arguments.
                    kind if list.kind() == "template_string" && kind != "template_substitution" => {}
                    "spread_element" => {
                        kinds.push(ArgumentKind::Splat);
                        parts.push(argument.named_child(0).unwrap_or(argument));
                    }
                    _ => {
                        kinds.push(ArgumentKind::Positional);
                        parts.push(argument);
                    }
                }
            }
        }
        let build = if callee == "constructor" { Build::New(kinds) } else { Build::Call(kinds) };
        work.push(Work::Build(build, first, span(node)));
        work.extend(parts.into_iter().rev().map(Work::Visit));
        // Parentheses around a callee do not hide whose method it is.
        let mut function = field(node, callee);
        while function.kind() == "parenthesized_expression" {
            let Some(inside) = named_children(function).first().copied() else { break };
            function = inside;
        }
        work.push(Work::Visit(function));
    }

    fn visit_binary(node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let place = span(node);
        let (left, right) = (field(node, "left"), field(node, "right"));
        let operator = node.part("operator").map_or("", |child| child.kind());
        let build = match operator {
            "&&" | "||" | "??" => {
                let is_and = operator == "&&";
                work.push(Work::Build(Build::Boolean { is_and }, first, place));
                work.push(Work::End(place));
                work.push(Work::Visit(right));
                work.push(Work::Assume(0, is_and, place));
                work.push(Work::Start(place));
                work.push(Work::Visit(left));
                return;
            }
            "+" => Build::Binary(BinaryOperator::Add),
            "|" => Build::Binary(BinaryOperator::Or),
            "*" => Build::Binary(BinaryOperator::Multiply),
            "==" | "===" => Build::Compare(Comparison::Equal),
            "!=" | "!==" => Build::Compare(Comparison::NotEqual),
            "<" => Build::Compare(Comparison::Less),
            "<=" => Build::Compare(Comparison::LessEqual),
            ">" => Build::Compare(Comparison::Greater),
            ">=" => Build::Compare(Comparison::GreaterEqual),
            "in" => Build::Compare(Comparison::In),
            "instanceof" => Build::Other(2),
            _ => Build::Number(2),
        };
        then(work, build, first, place, vec![left, right]);
    }

    fn visit_unary(node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let place = span(node);
        let argument = field(node, "argument");
        let build = match node.part("operator").map_or("", |child| child.kind()) {
            "!" => Build::Not,
            "-" => Build::Negate,
            "+" | "~" => Build::Number(1),
            "typeof" => {
                work.push(Work::Build(Build::Call(vec![ArgumentKind::Positional]), first, place));
                work.push(Work::Visit(argument));
                work.push(Work::Leaf(ExpressionKind::Name("typeof".into()), place));
                return;
            }
            _ => Build::Other(1),
        };
        then(work, build, first, place, vec![argument]);
    }

    /// An element is its attributes, under names that begin with `@`, and what stands in it.
    fn visit_jsx(&mut self, node: Node<'tree>, work: &mut Vec<Work<'tree>>, first: ExpressionId) {
        let place = span(node);
        let opening = node.part("open_tag").unwrap_or(node);
        let attributes = named_children(opening).into_iter().filter(|part| part.kind() == "jsx_attribute");
        let mut steps = Vec::new();
        let mut has_key = Vec::new();
        for attribute in attributes {
            let parts = named_children(attribute);
            let Some(name) = parts.first() else { continue };
            let key = Constant::Text(format!("@{}", self.text(*name)).into());
            steps.push(Work::Leaf(ExpressionKind::Constant(key), span(attribute)));
            match parts.get(1) {
                Some(value) => steps.push(Work::Visit(*value)),
                None => steps.push(Work::Leaf(ExpressionKind::Constant(Constant::Boolean(true)), span(*name))),
            }
            has_key.push(true);
        }
        let is_child =
            |part: &Node<'_>| matches!(part.kind(), "jsx_expression" | "jsx_element" | "jsx_self_closing_element");
        let children: Vec<_> =
            if opening == node { Vec::new() } else { named_children(node).into_iter().filter(is_child).collect() };
        work.push(Work::Build(Build::Other(children.len() + 1), first, place));
        work.extend(children.into_iter().rev().map(Work::Visit));
        work.push(Work::Build(Build::Dictionary(has_key), first, span(opening)));
        work.extend(steps.into_iter().rev());
    }

    pub(super) fn augmented(node: Node<'_>) -> BinaryOperator {
        match node.part("operator").map_or("", |child| child.kind()) {
            "+=" => BinaryOperator::Add,
            _ => BinaryOperator::Other,
        }
    }

    /// A value that a name is given: a function takes the name.
    fn named_value(&mut self, value: Node<'tree>, name: Rc<str>) -> Work<'tree> {
        if is_function(value.kind()) {
            let function = self.enqueue(value, name);
            return Work::Leaf(ExpressionKind::Closure(function), span(value));
        }
        Work::Visit(value)
    }

    fn build(&mut self, build: Build) -> ExpressionKind {
        match build {
            Build::Attribute(name) => ExpressionKind::Attribute { base: self.pop(), name },
            Build::Subscript => {
                let index = self.pop();
                ExpressionKind::Subscript { base: self.pop(), index }
            }
            Build::Call(kinds) => {
                let arguments = self.arguments(kinds);
                ExpressionKind::Call { callee: self.pop(), arguments }
            }
            Build::New(kinds) => {
                let arguments = self.arguments(kinds);
                ExpressionKind::New { callee: self.pop(), arguments }
            }
            Build::Binary(operator) => {
                let right = self.pop();
                ExpressionKind::Binary { operator, left: self.pop(), right }
            }
            Build::Number(count) => {
                let parts = self.pop_many(count);
                let first = self.module.expression(parts[0]).first;
                let place = self.module.span(parts[0]);
                let inner = self.emit(ExpressionKind::Other(parts), place, first);
                ExpressionKind::Cast { kind: "number".into(), value: inner }
            }
            Build::Not => ExpressionKind::Not(self.pop()),
            Build::Negate => ExpressionKind::Negate(self.pop()),
            Build::Boolean { is_and } => {
                let right = self.pop();
                ExpressionKind::Boolean { is_and, left: self.pop(), right }
            }
            Build::Compare(link) => {
                let right = self.pop();
                ExpressionKind::Compare { left: self.pop(), links: vec![(link, right)] }
            }
            Build::Conditional => {
                let otherwise = self.pop();
                let body = self.pop();
                ExpressionKind::Conditional { body, test: self.pop(), otherwise }
            }
            Build::List(count) => ExpressionKind::Sequence { kind: SequenceKind::List, items: self.pop_many(count) },
            Build::Dictionary(has_key) => {
                let mut entries = Vec::with_capacity(has_key.len());
                for is_pair in has_key.into_iter().rev() {
                    let value = self.pop();
                    entries.push((is_pair.then(|| self.pop()), value));
                }
                entries.reverse();
                ExpressionKind::Dictionary(entries)
            }
            Build::Splat => ExpressionKind::Splat(self.pop()),
            Build::Named => {
                let value = self.pop();
                ExpressionKind::Named { target: self.pop(), value }
            }
            Build::Await => ExpressionKind::Await(self.pop()),
            Build::Yield(count) => ExpressionKind::Yield((count > 0).then(|| self.pop())),
            Build::Text(pieces) => {
                let holes = pieces.iter().filter(|piece| piece.is_none()).count();
                let mut holes = self.pop_many(holes).into_iter();
                let pieces = pieces.into_iter().filter_map(|piece| match piece {
                    Some(text) => Some(TextPiece::Literal(text)),
                    None => holes.next().map(|value| TextPiece::Hole { value, conversion: None, format: None }),
                });
                ExpressionKind::Text(pieces.collect())
            }
            Build::Last(count) => match self.pop_many(count).last() {
                Some(last) => ExpressionKind::Cast { kind: "".into(), value: *last },
                None => ExpressionKind::Other(Vec::new()),
            },
            Build::Other(count) => ExpressionKind::Other(self.pop_many(count)),
        }
    }

    fn arguments(&mut self, kinds: Vec<ArgumentKind>) -> Vec<Argument> {
        let values = self.pop_many(kinds.len());
        kinds.into_iter().zip(values).map(|(kind, value)| Argument { kind, value }).collect()
    }
}

fn then<'tree>(work: &mut Vec<Work<'tree>>, build: Build, first: ExpressionId, place: Span, parts: Vec<Node<'tree>>) {
    work.push(Work::Build(build, first, place));
    work.extend(parts.into_iter().rev().map(Work::Visit));
}

/// A build of exactly one part; the first where there are more.
fn one<'tree>(work: &mut Vec<Work<'tree>>, build: Build, first: ExpressionId, node: Node<'tree>) {
    let parts: Vec<_> = named_children(node).into_iter().take(1).collect();
    let build = if parts.is_empty() { Build::Other(0) } else { build };
    then(work, build, first, span(node), parts);
}
