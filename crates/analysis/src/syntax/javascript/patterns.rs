//! Patterns that take a value apart, spelled out as assignments.

use std::rc::Rc;

use super::{Lowering, Node, field, named_children, span};
use crate::syntax::Part;
use crate::syntax::{Constant, ExpressionId, ExpressionKind, Span, Statement, StatementKind};

impl<'tree> Lowering<'tree> {
    /// Assigns the parts of the value under a name to the names of a pattern.
    pub(super) fn take_apart(
        &mut self,
        pattern: Node<'tree>,
        from: &Rc<str>,
        place: Span,
        out: &mut Vec<Statement>,
        depth: usize,
    ) {
        if depth == 0 {
            self.error.get_or_insert(span(pattern));
            return;
        }
        for (at, part) in named_children(pattern).into_iter().enumerate() {
            let (key, mut target) = match part.kind() {
                "pair_pattern" => (Some(field(part, "key")), field(part, "value")),
                "object_assignment_pattern" => (Some(field(part, "left")), part),
                "shorthand_property_identifier_pattern" => (Some(part), part),
                _ => (None, part),
            };
            let mut default = None;
            if matches!(target.kind(), "object_assignment_pattern" | "assignment_pattern") {
                default = target.part("right");
                target = field(target, "left");
            }
            let base = self.single(ExpressionKind::Name(Rc::clone(from)), place);
            let is_rest = target.kind() == "rest_pattern";
            let value = match key {
                _ if is_rest => base,
                Some(key) if key.kind() == "computed_property_name" => {
                    let index = self.expression(key);
                    self.emit(ExpressionKind::Subscript { base, index }, span(key), base)
                }
                Some(key) => {
                    let name = if key.kind() == "string" { self.string_value(key) } else { self.name(key) };
                    self.emit(ExpressionKind::Attribute { base, name }, span(key), base)
                }
                None => {
                    let index = ExpressionKind::Constant(Constant::Integer(at as i64));
                    let index = self.single(index, span(part));
                    self.emit(ExpressionKind::Subscript { base, index }, span(part), base)
                }
            };
            if is_rest {
                target = target.named_child(0).unwrap_or(target);
            }
            self.bind(target, value, default, out, depth);
        }
    }

    /// Gives a value to a name, a place or a pattern.
    pub(super) fn bind(
        &mut self,
        target: Node<'tree>,
        value: ExpressionId,
        default: Option<Node<'tree>>,
        out: &mut Vec<Statement>,
        depth: usize,
    ) {
        let place = span(target);
        let push = |out: &mut Vec<Statement>, target: ExpressionId| {
            out.push(Statement { kind: StatementKind::Assign { targets: vec![target], value }, span: place });
        };
        if matches!(target.kind(), "object_pattern" | "array_pattern") {
            let hidden = self.hidden_name();
            let name = self.single(ExpressionKind::Name(Rc::clone(&hidden)), place);
            push(out, name);
            let from = self.module.span(value);
            self.take_apart(target, &hidden, from, out, depth - 1);
            return;
        }
        let id = self.expression(target);
        push(out, id);
        if let (Some(default), ExpressionKind::Name(name)) = (default, self.module.expression(id).kind.clone()) {
            self.default(&name, default, place, out);
        }
    }

    /// What a name is when it was given nothing.
    pub(super) fn default(&mut self, name: &Rc<str>, default: Node<'tree>, place: Span, out: &mut Vec<Statement>) {
        let left = self.single(ExpressionKind::Name(Rc::clone(name)), place);
        let right = self.expression(default);
        let right_span = self.module.span(right);
        let value = self.emit(ExpressionKind::Boolean { is_and: false, left, right }, right_span, left);
        let target = self.single(ExpressionKind::Name(Rc::clone(name)), place);
        out.push(Statement { kind: StatementKind::Assign { targets: vec![target], value }, span: place });
    }
}
