//! Lowering of declarations and of functions.

use std::rc::Rc;

use tree_sitter::Node;

use super::{Function, FunctionId, Lowering, MAX_DEPTH, Span, Statement, StatementKind, named_children};
use crate::syntax::Part;
use crate::syntax::{ArgumentKind, Parameter};

/// What a declarator says of a name.
#[derive(Default)]
pub(super) struct Declared<'t> {
    pub(super) name: Rc<str>,
    pub(super) span: Span,
    pub(super) num_stars: usize,
    pub(super) is_array: bool,
    pub(super) is_reference: bool,
    /// The number of elements of the outermost array.
    pub(super) size: Option<Node<'t>>,
    pub(super) num_dimensions: usize,
    pub(super) parameters: Option<Node<'t>>,
}

impl<'t> Lowering<'_, 't> {
    /// Takes a declarator apart.
    pub(super) fn declared(&self, node: Node<'t>) -> Declared<'t> {
        let mut declared = Declared::default();
        let mut at = node;
        for _ in 0..MAX_DEPTH {
            match at.kind() {
                "pointer_declarator" | "abstract_pointer_declarator" => declared.num_stars += 1,
                "reference_declarator" | "abstract_reference_declarator" => declared.is_reference = true,
                "array_declarator" | "abstract_array_declarator" => {
                    declared.is_array = true;
                    declared.num_dimensions += 1;
                    declared.size = at.part("size");
                }
                "function_declarator" if declared.parameters.is_none() => {
                    declared.parameters = at.part("parameters");
                }
                "identifier"
                | "field_identifier"
                | "type_identifier"
                | "destructor_name"
                | "operator_name"
                | "operator_cast"
                | "qualified_identifier"
                | "template_function" => {
                    let text = self.text(at);
                    declared.name = text.rsplit("::").next().unwrap_or(text).trim().into();
                    declared.span = self.place(at);
                    return declared;
                }
                _ => {}
            }
            let next = at.part("declarator").or_else(|| named_children(at).into_iter().next());
            match next {
                Some(next) => at = next,
                None => return declared,
            }
        }
        declared
    }

    /// A declared type as text: `static char *`, `int[]`.
    pub(super) fn type_text(&self, node: Node<'_>, declared: &Declared<'_>) -> Rc<str> {
        let mut text = String::new();
        for child in named_children(node) {
            if matches!(child.kind(), "storage_class_specifier") && matches!(self.text(child), "static" | "extern") {
                text.push_str(self.text(child));
                text.push(' ');
            }
        }
        if let Some(kind) = node.part("type") {
            let kind = kind.part("name").filter(|_| kind.kind().ends_with("_specifier")).unwrap_or(kind);
            let words: Vec<&str> = self.text(kind).split_whitespace().collect();
            text.push_str(&words.join(" "));
        }
        if declared.num_stars > 0 {
            text.push(' ');
            text.push_str(&"*".repeat(declared.num_stars));
        }
        if declared.is_reference {
            text.push('&');
        }
        text.push_str(&"[]".repeat(declared.num_dimensions));
        text.into()
    }

    /// A function with its body. `None` for a mere declaration.
    pub(super) fn function(&mut self, node: Node<'t>) -> Option<FunctionId> {
        let body = node.part("body").or_else(|| {
            named_children(node)
                .into_iter()
                .find(|child| matches!(child.kind(), "compound_statement" | "try_statement"))
        })?;
        let declared = node.part("declarator").map(|node| self.declared(node)).unwrap_or_default();
        let parameters = self.parameters(declared.parameters);
        let name = declared.name;
        let id = self.add_function(Function { name, parameters, decorators: Vec::new(), body: Vec::new() });
        let mut statements = Vec::new();
        self.block(body, 1, &mut statements);
        self.module.functions[id as usize].body = statements;
        Some(id)
    }

    pub(super) fn parameters(&mut self, list: Option<Node<'t>>) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        for node in list.map(named_children).unwrap_or_default() {
            let Some(declarator) = node.part("declarator") else { continue };
            let declared = self.declared(declarator);
            if declared.name.is_empty() {
                continue;
            }
            let kind = self.type_text(node, &declared);
            parameters.push(Parameter {
                name: Rc::clone(&declared.name),
                kind: ArgumentKind::Positional,
                default: None,
                annotation: Some(kind),
                span: self.place(node),
            });
        }
        parameters
    }

    pub(super) fn declaration(&mut self, node: Node<'t>, depth: usize, out: &mut Vec<Statement>) {
        let mut cursor = node.walk();
        let declarators: Vec<_> = node.children_by_field_name("declarator", &mut cursor).collect();
        for declarator in declarators {
            let declared = self.declared(declarator);
            if declared.name.is_empty() {
                continue;
            }
            let value = declarator.part("value").or_else(|| {
                // `if (int *p = find())` has its value beside its declarator.
                node.part("value").or_else(|| node.part("default_value"))
            });
            if declared.parameters.is_some() && value.is_none() && declared.num_stars == 0 {
                continue;
            }
            let kind = self.type_text(node, &declared);
            let size = declared.size.map(|size| self.expression(size, depth + 1));
            let value = value.map(|value| self.expression(value, depth + 1));
            let kind = StatementKind::Declare { name: declared.name, kind: Some(kind), size, value };
            out.push(Statement { kind, span: declared.span });
        }
    }
}
