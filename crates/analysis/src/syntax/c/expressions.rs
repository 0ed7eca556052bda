//! Lowering of expressions.

use std::rc::Rc;

use tree_sitter::Node;

use super::literals::number;
use super::{Constant, ExpressionId, ExpressionKind, Function, Lowering, MAX_DEPTH, named_children};
use crate::syntax::Part;
use crate::syntax::{Argument, ArgumentKind, BinaryOperator, Comparison, SequenceKind};

/// Casts of C++ that are written as calls.
const CASTS: &[&str] = &["static_cast", "reinterpret_cast", "const_cast", "dynamic_cast"];

/// Macros of the kernel that only say how likely a condition is.
const LIKELY: &[&str] = &["likely", "unlikely", "__builtin_expect", "G_LIKELY", "G_UNLIKELY", "LIKELY", "UNLIKELY"];

pub(super) fn augmented(operator: &str) -> BinaryOperator {
    binary(operator.trim_end_matches('='))
}

fn binary(operator: &str) -> BinaryOperator {
    match operator {
        "+" => BinaryOperator::Add,
        "-" => BinaryOperator::Subtract,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        "%" => BinaryOperator::Modulo,
        "|" => BinaryOperator::Or,
        _ => BinaryOperator::Other,
    }
}

fn comparison(operator: &str) -> Option<Comparison> {
    Some(match operator {
        "==" => Comparison::Equal,
        "!=" | "not_eq" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterEqual,
        _ => return None,
    })
}

impl<'t> Lowering<'_, 't> {
    /// The expression in a field, or an empty one where a broken text has none.
    pub(super) fn field(&mut self, node: Node<'t>, name: &'static str, depth: usize) -> ExpressionId {
        match node.part(name) {
            Some(child) => self.expression(child, depth + 1),
            None => self.nothing(self.place(node)),
        }
    }

    pub(super) fn expression(&mut self, node: Node<'t>, depth: usize) -> ExpressionId {
        let mut node = node;
        while matches!(node.kind(), "parenthesized_expression" | "argument_list") && node.named_child_count() == 1 {
            match node.named_child(0) {
                Some(inner) => node = inner,
                None => break,
            }
        }
        if depth > MAX_DEPTH {
            self.too_deep(node);
            return self.nothing(self.place(node));
        }
        let first = self.next_id();
        match node.kind() {
            "identifier" | "this" | "qualified_identifier" | "field_identifier" | "template_function" => {
                self.name(node)
            }
            "number_literal" => {
                let constant = number(self.text(node));
                self.constant(constant, node)
            }
            "char_literal" => {
                let constant = self.character(node);
                self.constant(constant, node)
            }
            "string_literal" | "concatenated_string" | "raw_string_literal" => {
                let text = self.string(node);
                self.constant(Some(Constant::Text(text.into())), node)
            }
            "true" => self.constant(Some(Constant::Boolean(true)), node),
            "false" => self.constant(Some(Constant::Boolean(false)), node),
            "null" | "nullptr" => self.constant(Some(Constant::None), node),
            "call_expression" => self.call(node, depth),
            "field_expression" => self.member(node, depth),
            "subscript_expression" => {
                let base = self.field(node, "argument", depth);
                let name = if node.part("index").is_some() { "index" } else { "indices" };
                let index = self.field(node, name, depth);
                self.emit(ExpressionKind::Subscript { base, index }, self.place(node), first)
            }
            "binary_expression" => self.binary(node, depth),
            "unary_expression" | "pointer_expression" => self.unary(node, depth),
            "assignment_expression" => self.assignment_expression(node, depth),
            "update_expression" => self.update(node, depth),
            "conditional_expression" => self.conditional(node, depth),
            "cast_expression" => {
                let value = self.field(node, "value", depth);
                let kind: Rc<str> = node.part("type").map_or_else(|| "".into(), |kind| self.shared(kind));
                self.emit(ExpressionKind::Cast { kind, value }, self.place(node), first)
            }
            "sizeof_expression" => self.size_of(node, depth),
            "new_expression" => self.new_expression(node, depth),
            "delete_expression" => {
                let callee = if self.text(node).contains("[]") { "delete[]" } else { "delete" };
                let callee = self.emit(ExpressionKind::Name(callee.into()), self.place(node), first);
                let arguments = self.arguments(named_children(node), depth);
                self.emit(ExpressionKind::Call { callee, arguments }, self.place(node), first)
            }
            "lambda_expression" => self.closure(node),
            "initializer_list" | "compound_literal_expression" => {
                let parts = named_children(node).into_iter().filter(|part| part.kind() != "type_descriptor");
                let items = parts.map(|part| self.expression(part, depth + 1)).collect();
                self.emit(ExpressionKind::Sequence { kind: SequenceKind::List, items }, self.place(node), first)
            }
            "initializer_pair" => self.field(node, "value", depth),
            "type_descriptor" | "primitive_type" | "type_identifier" => {
                let text = self.shared(node);
                self.emit(ExpressionKind::Name(text), self.place(node), first)
            }
            "comma_expression" => {
                self.field(node, "left", depth);
                let last = self.field(node, "right", depth);
                self.emit(ExpressionKind::Splat(last), self.place(node), first)
            }
            _ => {
                let parts: Vec<_> =
                    named_children(node).into_iter().filter(|part| part.kind() != "compound_statement").collect();
                let parts = parts.into_iter().map(|part| self.expression(part, depth + 1)).collect();
                self.emit(ExpressionKind::Other(parts), self.place(node), first)
            }
        }
    }

    fn constant(&mut self, constant: Option<Constant>, node: Node<'_>) -> ExpressionId {
        let first = self.next_id();
        let kind = constant.map_or(ExpressionKind::Other(Vec::new()), ExpressionKind::Constant);
        self.emit(kind, self.place(node), first)
    }

    fn name(&mut self, node: Node<'_>) -> ExpressionId {
        let first = self.next_id();
        let text = self.text(node);
        let kind = match self.macros.get(text) {
            Some(constant) => ExpressionKind::Constant(constant.clone()),
            None if matches!(text, "NULL" | "nullptr") => ExpressionKind::Constant(Constant::None),
            None if matches!(text, "true" | "TRUE") => ExpressionKind::Constant(Constant::Boolean(true)),
            None if matches!(text, "false" | "FALSE") => ExpressionKind::Constant(Constant::Boolean(false)),
            None => {
                let name = text.strip_prefix("::").unwrap_or(text);
                let name = name.strip_prefix("std::").unwrap_or(name);
                let name = name.split('<').next().unwrap_or(name);
                ExpressionKind::Name(name.into())
            }
        };
        self.emit(kind, self.place(node), first)
    }

    fn arguments(&mut self, nodes: Vec<Node<'t>>, depth: usize) -> Vec<Argument> {
        let argument = |value| Argument { kind: ArgumentKind::Positional, value };
        nodes.into_iter().map(|node| argument(self.expression(node, depth + 1))).collect()
    }

    fn call(&mut self, node: Node<'t>, depth: usize) -> ExpressionId {
        let first = self.next_id();
        let nodes = node.part("arguments").map(named_children).unwrap_or_default();
        if let Some(function) = node.part("function") {
            let text = self.text(function);
            let name = text.split('<').next().unwrap_or(text);
            if let ([only, ..], true) = (nodes.as_slice(), LIKELY.contains(&name)) {
                return self.expression(*only, depth + 1);
            }
            if let ([only], true) = (nodes.as_slice(), CASTS.contains(&name)) {
                let kind: Rc<str> =
                    text.split_once('<').map_or("", |(_, rest)| rest.trim_end_matches('>')).trim().into();
                let value = self.expression(*only, depth + 1);
                return self.emit(ExpressionKind::Cast { kind, value }, self.place(node), first);
            }
        }
        let callee = self.field(node, "function", depth);
        let arguments = self.arguments(nodes, depth);
        self.emit(ExpressionKind::Call { callee, arguments }, self.place(node), first)
    }

    /// `a.b`; `p->b` is `(*p).b`.
    fn member(&mut self, node: Node<'t>, depth: usize) -> ExpressionId {
        let first = self.next_id();
        let mut base = self.field(node, "argument", depth);
        if node.part("operator").is_some_and(|operator| operator.kind() == "->") {
            base = self.emit(ExpressionKind::Dereference(base), self.module.span(base), first);
        }
        let name: Rc<str> = node.part("field").map_or_else(|| "".into(), |field| self.shared(field));
        self.emit(ExpressionKind::Attribute { base, name }, self.place(node), first)
    }

    fn binary(&mut self, node: Node<'t>, depth: usize) -> ExpressionId {
        let first = self.next_id();
        let operator = node.part("operator").map_or("", |operator| operator.kind());
        let left = self.field(node, "left", depth);
        if matches!(operator, "&&" | "||" | "and" | "or") {
            let is_and = matches!(operator, "&&" | "and");
            let here = self.module.span(left);
            let mark = self.next_id();
            self.emit(ExpressionKind::ScopeStart, here, mark);
            let mark = self.next_id();
            self.emit(ExpressionKind::ScopeAssume { test: left, truth: is_and }, here, mark);
            let right = self.field(node, "right", depth);
            let mark = self.next_id();
            self.emit(ExpressionKind::ScopeEnd, here, mark);
            return self.emit(ExpressionKind::Boolean { is_and, left, right }, self.place(node), first);
        }
        let right = self.field(node, "right", depth);
        if matches!(operator, "<<" | ">>")
            && let Some(name) = self.stream_operator(left, operator)
        {
            let at = self.next_id();
            let callee = self.emit(ExpressionKind::Name(name.into()), self.place(node), at);
            let argument = |value| Argument { kind: ArgumentKind::Positional, value };
            let arguments = vec![argument(left), argument(right)];
            return self.emit(ExpressionKind::Call { callee, arguments }, self.place(node), first);
        }
        let kind = match comparison(operator) {
            Some(comparison) => ExpressionKind::Compare { left, links: vec![(comparison, right)] },
            None => ExpressionKind::Binary { operator: binary(operator), left, right },
        };
        self.emit(kind, self.place(node), first)
    }

    /// Whether a shift is one of a stream of C++: the call that stands for it.
    fn stream_operator(&self, left: ExpressionId, operator: &str) -> Option<&'static str> {
        let name = if operator == "<<" { "<<" } else { "cin>>" };
        match &self.module.expression(left).kind {
            ExpressionKind::Name(stream) => {
                let is_output =
                    ["out", "err", "ss", "oss", "stream", "os", "log"].iter().any(|end| stream.ends_with(end));
                let is_input = matches!(stream.as_ref(), "cin");
                (if operator == "<<" { is_output && self.source.contains("std::") } else { is_input }).then_some(name)
            }
            ExpressionKind::Call { callee, .. } => match &self.module.expression(*callee).kind {
                ExpressionKind::Name(inner) if inner.as_ref() == name => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    fn unary(&mut self, node: Node<'t>, depth: usize) -> ExpressionId {
        let first = self.next_id();
        let operator = node.part("operator").map_or("", |operator| operator.kind());
        let inner = self.field(node, "argument", depth);
        let kind = match operator {
            "!" | "not" => ExpressionKind::Not(inner),
            "-" => ExpressionKind::Negate(inner),
            "~" => ExpressionKind::Invert(inner),
            "*" => ExpressionKind::Dereference(inner),
            "&" => ExpressionKind::Address(inner),
            _ => ExpressionKind::Splat(inner),
        };
        self.emit(kind, self.place(node), first)
    }

    /// An assignment whose value is used.
    fn assignment_expression(&mut self, node: Node<'t>, depth: usize) -> ExpressionId {
        let first = self.next_id();
        let target = self.field(node, "left", depth);
        let mut value = self.field(node, "right", depth);
        let operator = node.part("operator").map_or("=", |operator| operator.kind());
        if operator != "=" {
            let kind = ExpressionKind::Binary { operator: augmented(operator), left: target, right: value };
            value = self.emit(kind, self.place(node), first);
        }
        self.emit(ExpressionKind::Named { target, value }, self.place(node), first)
    }

    /// `++i` is `i = i + 1`; `i++` is one less than that.
    fn update(&mut self, node: Node<'t>, depth: usize) -> ExpressionId {
        let first = self.next_id();
        let here = self.place(node);
        let target = self.field(node, "argument", depth);
        let operator = node.part("operator");
        let is_up = operator.is_none_or(|operator| operator.kind() == "++");
        let is_prefix = operator.is_some_and(|operator| operator.start_byte() == node.start_byte());
        let (change, back) = if is_up {
            (BinaryOperator::Add, BinaryOperator::Subtract)
        } else {
            (BinaryOperator::Subtract, BinaryOperator::Add)
        };
        let at = self.next_id();
        let one = self.emit(ExpressionKind::Constant(Constant::Integer(1)), here, at);
        let value = self.emit(ExpressionKind::Binary { operator: change, left: target, right: one }, here, first);
        let named = self.emit(ExpressionKind::Named { target, value }, here, first);
        if is_prefix {
            return named;
        }
        self.emit(ExpressionKind::Binary { operator: back, left: named, right: one }, here, first)
    }

    fn conditional(&mut self, node: Node<'t>, depth: usize) -> ExpressionId {
        let first = self.next_id();
        let test = self.field(node, "condition", depth);
        let here = self.module.span(test);
        let mut sides = Vec::new();
        for (name, truth) in [("consequence", true), ("alternative", false)] {
            let mark = self.next_id();
            self.emit(ExpressionKind::ScopeStart, here, mark);
            let mark = self.next_id();
            self.emit(ExpressionKind::ScopeAssume { test, truth }, here, mark);
            // GNU C leaves out a consequence that is the condition itself.
            let side = if node.part(name).is_some() { self.field(node, name, depth) } else { test };
            sides.push(side);
            let mark = self.next_id();
            self.emit(ExpressionKind::ScopeEnd, here, mark);
        }
        let kind = ExpressionKind::Conditional { body: sides[0], test, otherwise: sides[1] };
        self.emit(kind, self.place(node), first)
    }

    /// `sizeof` is a call of that name, of a value or of a type's text.
    fn size_of(&mut self, node: Node<'t>, depth: usize) -> ExpressionId {
        let first = self.next_id();
        let callee = self.emit(ExpressionKind::Name("sizeof".into()), self.place(node), first);
        let value = match (node.part("value"), node.part("type")) {
            (Some(value), _) => self.expression(value, depth + 1),
            (None, Some(kind)) => self.expression(kind, depth + 1),
            (None, None) => self.nothing(self.place(node)),
        };
        let arguments = vec![Argument { kind: ArgumentKind::Positional, value }];
        self.emit(ExpressionKind::Call { callee, arguments }, self.place(node), first)
    }

    /// `new T[n]` is a call of `new[]` with the number; `new T(x)` names its type.
    fn new_expression(&mut self, node: Node<'t>, depth: usize) -> ExpressionId {
        let first = self.next_id();
        let kind: Rc<str> = node.part("type").map_or_else(|| "".into(), |kind| self.shared(kind));
        if let Some(declarator) = node.part("declarator") {
            let callee = self.emit(ExpressionKind::Name("new[]".into()), self.place(node), first);
            let length = self.field(declarator, "length", depth);
            let at = self.next_id();
            let kind = self.emit(ExpressionKind::Name(kind), self.place(node), at);
            let argument = |value| Argument { kind: ArgumentKind::Positional, value };
            let arguments = vec![argument(length), argument(kind)];
            return self.emit(ExpressionKind::Call { callee, arguments }, self.place(node), first);
        }
        let callee = self.emit(ExpressionKind::Name(kind), self.place(node), first);
        let nodes = node.part("arguments").map(named_children).unwrap_or_default();
        let arguments = self.arguments(nodes, depth);
        self.emit(ExpressionKind::New { callee, arguments }, self.place(node), first)
    }

    fn closure(&mut self, node: Node<'t>) -> ExpressionId {
        let first = self.next_id();
        let list = node.part("declarator").and_then(|node| node.part("parameters"));
        let parameters = self.parameters(list);
        let id = self.add_function(Function { name: "".into(), parameters, decorators: Vec::new(), body: Vec::new() });
        if let Some(body) = node.part("body") {
            self.closures.push_back((id, body));
        }
        self.emit(ExpressionKind::Closure(id), self.place(node), first)
    }
}
