//! Lowering of functions, which wait until no expression is in progress.

use std::rc::Rc;

use super::{Lowering, MAX_BLOCK_DEPTH, Node, THIS, many, named_children, span};
use crate::syntax::Part;
use crate::syntax::{ArgumentKind, Function, FunctionId, Parameter, Statement, StatementKind};

impl<'tree> Lowering<'tree> {
    /// Makes room for a function whose body is lowered later.
    pub(super) fn enqueue(&mut self, node: Node<'tree>, name: Rc<str>) -> FunctionId {
        let id = self.module.functions.len() as FunctionId;
        let own = node.part("name").filter(|own| own.kind() == "identifier" && name.is_empty());
        // A function that calls itself by its own name is a callback all the same.
        let name = own.filter(|_| node.kind().ends_with("_declaration")).map_or(name, |own| self.name(own));
        self.module.functions.push(Function { name, parameters: Vec::new(), decorators: Vec::new(), body: Vec::new() });
        self.waiting.push_back((id, node));
        id
    }

    /// Lowers the parameters and the body of a function.
    pub(super) fn function_body(&mut self, id: FunctionId, node: Node<'tree>) {
        self.is_in_switch = false;
        let mut parameters = Vec::new();
        let mut body = Vec::new();
        if is_member(node) {
            parameters.push(Parameter {
                name: THIS.into(),
                kind: ArgumentKind::Positional,
                default: None,
                annotation: None,
                span: span(node),
            });
        }
        let list = node.part("parameters").map_or_else(Vec::new, named_children);
        let single = node.part("parameter");
        for parameter in list.into_iter().chain(single) {
            parameters.extend(self.parameter(parameter, &mut body));
        }
        if let Some(inside) = node.part("body") {
            if inside.kind() == "statement_block" {
                body.extend(self.block(inside, 1));
            } else {
                self.arrow_value(inside, &mut body);
            }
        }
        let function = &mut self.module.functions[id as usize];
        function.parameters = parameters;
        function.body = body;
    }

    /// `=> value`.
    fn arrow_value(&mut self, node: Node<'tree>, body: &mut Vec<Statement>) {
        let mut inside = node;
        while inside.kind() == "parenthesized_expression" {
            let Some(next) = named_children(inside).first().copied() else { break };
            inside = next;
        }
        if matches!(inside.kind(), "assignment_expression" | "augmented_assignment_expression" | "sequence_expression")
        {
            self.expression_statement(inside, body);
            return;
        }
        let value = self.expression(node);
        body.push(Statement { kind: StatementKind::Return(Some(value)), span: span(node) });
    }

    /// One parameter. What takes it apart, or gives it a default, goes before the body.
    fn parameter(&mut self, node: Node<'tree>, body: &mut Vec<Statement>) -> Option<Parameter> {
        let mut pattern = node;
        let mut default = None;
        let mut annotation: Option<Rc<str>> = None;
        if matches!(node.kind(), "required_parameter" | "optional_parameter") {
            pattern = node.part("pattern").or_else(|| node.part("name"))?;
            default = node.part("value");
            annotation = node.part("type").map(|kind| self.text(kind).trim_start_matches([':', ' ']).into());
            if let Some(decorator) = many(node, "decorator").first() {
                annotation = Some(self.name(*decorator));
            }
        }
        if pattern.kind() == "assignment_pattern" {
            default = pattern.part("right");
            pattern = pattern.part("left")?;
        }
        let mut kind = ArgumentKind::Positional;
        if pattern.kind() == "rest_pattern" {
            kind = ArgumentKind::Splat;
            pattern = pattern.named_child(0)?;
        }
        if pattern.kind() == "this" {
            return None;
        }
        let name = if matches!(pattern.kind(), "identifier" | "type_identifier") {
            let name = self.name(pattern);
            if let Some(default) = default {
                self.default(&name, default, span(pattern), body);
            }
            name
        } else {
            let hidden = self.hidden_name();
            self.take_apart(pattern, &hidden, span(pattern), body, MAX_BLOCK_DEPTH);
            hidden
        };
        Some(Parameter { name, kind, default: None, annotation, span: span(pattern) })
    }
}

/// Whether the function belongs to a class.
fn is_member(node: Node<'_>) -> bool {
    node.kind() == "method_definition" && node.parent().is_some_and(|parent| parent.kind() == "class_body")
}
