//! Lowering of statements.

use std::rc::Rc;

use super::{Lowering, MAX_BLOCK_DEPTH, Node, field, is_function, many, named_children, span};
use crate::syntax::Part;
use crate::syntax::{
    Argument, ArgumentKind, BinaryOperator, Constant, ExpressionId, ExpressionKind, Handler, MatchCase, Span,
    Statement, StatementKind,
};

impl<'tree> Lowering<'tree> {
    /// Lowers the statements of a file or of a block. Functions exist before the first of them runs.
    pub(super) fn block(&mut self, node: Node<'tree>, depth: usize) -> Vec<Statement> {
        if depth > MAX_BLOCK_DEPTH {
            self.error.get_or_insert(span(node));
            return Vec::new();
        }
        let (mut first, mut rest) = (Vec::new(), Vec::new());
        for child in named_children(node) {
            let declared = child.part("declaration").unwrap_or(child);
            let is_hoisted = matches!(declared.kind(), "function_declaration" | "generator_function_declaration");
            self.statement(child, depth, if is_hoisted { &mut first } else { &mut rest });
        }
        first.append(&mut rest);
        first
    }

    /// The statements of a body, in braces or not.
    fn body(&mut self, node: Option<Node<'tree>>, depth: usize) -> Vec<Statement> {
        let Some(node) = node else { return Vec::new() };
        if matches!(node.kind(), "statement_block" | "class_body") {
            return self.block(node, depth + 1);
        }
        let mut out = Vec::new();
        if depth > MAX_BLOCK_DEPTH {
            self.error.get_or_insert(span(node));
        } else {
            self.statement(node, depth + 1, &mut out);
        }
        out
    }

    fn loop_body(&mut self, node: Node<'tree>, depth: usize) -> Vec<Statement> {
        let was_in_switch = std::mem::replace(&mut self.is_in_switch, false);
        let body = self.body(node.part("body"), depth);
        self.is_in_switch = was_in_switch;
        body
    }

    fn statement(&mut self, node: Node<'tree>, depth: usize, out: &mut Vec<Statement>) {
        let kind = match node.kind() {
            "expression_statement" => {
                for child in named_children(node) {
                    self.expression_statement(child, out);
                }
                return;
            }
            "variable_declaration" | "lexical_declaration" => {
                for declarator in named_children(node) {
                    self.declarator(declarator, out);
                }
                return;
            }
            "function_declaration" | "generator_function_declaration" => {
                let name = node.part("name").map_or_else(|| "default".into(), |name| self.name(name));
                StatementKind::Function(self.enqueue(node, name))
            }
            "class_declaration" | "abstract_class_declaration" => self.class(node, "default".into(), depth),
            "return_statement" | "throw_statement" | "break_statement" | "continue_statement" if self.is_torn => {
                let parts = named_children(node);
                let parts = parts.into_iter().filter(|part| part.kind() != "statement_identifier");
                StatementKind::Parts(parts.collect::<Vec<_>>().into_iter().map(|part| self.expression(part)).collect())
            }
            "return_statement" => {
                let value = named_children(node).first().copied();
                StatementKind::Return(value.map(|value| self.expression(value)))
            }
            "throw_statement" => {
                let parts = named_children(node);
                StatementKind::Raise(parts.into_iter().map(|part| self.expression(part)).collect())
            }
            "if_statement" => self.if_statement(node, depth),
            "while_statement" | "do_statement" => {
                let test = self.expression(field(node, "condition"));
                StatementKind::While { test, body: self.loop_body(node, depth), otherwise: Vec::new() }
            }
            "for_statement" => self.for_statement(node, depth, out),
            "for_in_statement" => self.for_each(node, depth),
            "try_statement" => self.try_statement(node, depth),
            "switch_statement" => self.switch(node, depth),
            "with_statement" => {
                let object = self.expression(field(node, "object"));
                out.push(Statement { kind: StatementKind::Expression(object), span: span(node) });
                let inside = self.body(node.part("body"), depth);
                out.extend(inside);
                return;
            }
            "import_statement" => self.import(node),
            "import_alias"
            | "interface_declaration"
            | "type_alias_declaration"
            | "ambient_declaration"
            | "function_signature"
            | "empty_statement"
            | "comment"
            | "hash_bang_line" => StatementKind::Pass,
            "export_statement" => {
                self.export(node, depth, out);
                return;
            }
            "enum_declaration" => self.enumeration(node),
            "debugger_statement" => {
                let place = span(node);
                let callee = self.single(ExpressionKind::Name("debugger".into()), place);
                let call = ExpressionKind::Call { callee, arguments: Vec::new() };
                StatementKind::Expression(self.emit(call, place, callee))
            }
            "break_statement" if self.is_in_switch => StatementKind::Pass,
            "break_statement" => StatementKind::Break,
            "continue_statement" => StatementKind::Continue,
            "labeled_statement" | "internal_module" | "module" => {
                let inside = self.body(node.part("body"), depth);
                out.extend(inside);
                return;
            }
            "method_definition" => {
                let name = self.property_name(node);
                StatementKind::Function(self.enqueue(node, name))
            }
            "public_field_definition" | "field_definition" => {
                self.class_field(node, out);
                return;
            }
            "statement_block" | "ERROR" | "else_clause" | "finally_clause" | "class_body" | "class_static_block" => {
                if depth <= MAX_BLOCK_DEPTH {
                    let inside = self.block(node, depth + 1);
                    out.extend(inside);
                } else {
                    self.error.get_or_insert(span(node));
                }
                return;
            }
            kind if kind.ends_with("_annotation") || kind.ends_with("_signature") || kind.starts_with("type_") => {
                StatementKind::Pass
            }
            _ => {
                self.expression_statement(node, out);
                return;
            }
        };
        out.push(Statement { kind, span: span(node) });
    }

    pub(super) fn expression_statement(&mut self, node: Node<'tree>, out: &mut Vec<Statement>) {
        let place = span(node);
        let kind = match node.kind() {
            "sequence_expression" => {
                for part in named_children(node) {
                    if part.kind() == "sequence_expression" {
                        let value = self.expression(part);
                        out.push(Statement { kind: StatementKind::Expression(value), span: span(part) });
                    } else {
                        self.expression_statement(part, out);
                    }
                }
                return;
            }
            "assignment_expression" => {
                self.assignment(node, out);
                return;
            }
            "augmented_assignment_expression" => {
                let operator = Self::augmented(node);
                let target = self.expression(field(node, "left"));
                let value = self.expression(field(node, "right"));
                StatementKind::Augment { target, operator, value }
            }
            "update_expression" => {
                let target = self.expression(field(node, "argument"));
                let one = ExpressionKind::Constant(Constant::Integer(1));
                let value = self.single(one, place);
                StatementKind::Augment { target, operator: BinaryOperator::Subtract, value }
            }
            _ => StatementKind::Expression(self.expression(node)),
        };
        out.push(Statement { kind, span: place });
    }

    /// `one = two = value`.
    fn assignment(&mut self, node: Node<'tree>, out: &mut Vec<Statement>) {
        let (mut lefts, mut value) = (Vec::new(), node);
        while value.kind() == "assignment_expression" {
            lefts.push(field(value, "left"));
            value = field(value, "right");
        }
        let name = lefts.last().map_or_else(|| "".into(), |left| self.last_name(*left));
        if value.kind() == "class" {
            let class = self.class(value, name, 1);
            let StatementKind::Class { name, .. } = &class else { return };
            let named = ExpressionKind::Name(Rc::clone(name));
            out.push(Statement { kind: class, span: span(value) });
            let value_id = self.single(named, span(value));
            self.assign_all(lefts, value_id, span(node), out);
            return;
        }
        let value = self.value_of(value, name);
        self.assign_all(lefts, value, span(node), out);
    }

    fn assign_all(&mut self, lefts: Vec<Node<'tree>>, value: ExpressionId, place: Span, out: &mut Vec<Statement>) {
        let mut targets = Vec::new();
        for left in lefts {
            if matches!(left.kind(), "object_pattern" | "array_pattern") {
                self.bind(left, value, None, out, MAX_BLOCK_DEPTH);
            } else {
                targets.push(self.expression(left));
            }
        }
        if !targets.is_empty() {
            out.push(Statement { kind: StatementKind::Assign { targets, value }, span: place });
        }
    }

    fn last_name(&self, target: Node<'_>) -> Rc<str> {
        let named = target.part("property").unwrap_or(target);
        if matches!(named.kind(), "identifier" | "property_identifier") { self.name(named) } else { "value".into() }
    }

    /// A value that has a name: a function takes it.
    fn value_of(&mut self, value: Node<'tree>, name: Rc<str>) -> ExpressionId {
        if is_function(value.kind()) {
            let function = self.enqueue(value, name);
            return self.single(ExpressionKind::Closure(function), span(value));
        }
        self.expression(value)
    }

    fn declarator(&mut self, node: Node<'tree>, out: &mut Vec<Statement>) {
        let Some(target) = node.part("name") else { return };
        let place = span(node);
        let Some(value) = node.part("value") else {
            if target.kind() == "identifier" {
                let name = self.name(target);
                let kind = StatementKind::Declare { name, kind: None, size: None, value: None };
                out.push(Statement { kind, span: place });
            }
            return;
        };
        let name = self.last_name(target);
        if value.kind() == "class" {
            let class = self.class(value, name, 1);
            out.push(Statement { kind: class, span: place });
        } else if value.kind() == "assignment_expression" && target.kind() == "identifier" {
            self.assignment(value, out);
            let same = self.expression(field(value, "left"));
            self.bind(target, same, None, out, MAX_BLOCK_DEPTH);
        } else {
            let value = self.value_of(value, name);
            self.bind(target, value, None, out, MAX_BLOCK_DEPTH);
        }
    }

    fn class(&mut self, node: Node<'tree>, name: Rc<str>, depth: usize) -> StatementKind {
        let name = node.part("name").map_or(name, |own| self.name(own));
        let mut bases = Vec::new();
        for heritage in named_children(node).into_iter().filter(|child| child.kind() == "class_heritage") {
            for base in named_children(heritage) {
                let value = base.part("value").unwrap_or(base);
                if value.kind() != "implements_clause" {
                    bases.push(Argument { kind: ArgumentKind::Positional, value: self.expression(value) });
                }
            }
        }
        let body = self.body(node.part("body"), depth);
        StatementKind::Class { name, bases, body }
    }

    fn class_field(&mut self, node: Node<'tree>, out: &mut Vec<Statement>) {
        let key = node.part("property").or_else(|| node.part("name"));
        let (Some(key), Some(value)) = (key, node.part("value")) else { return };
        let name = self.name(key);
        let value = self.value_of(value, Rc::clone(&name));
        let target = self.single(ExpressionKind::Name(name), span(key));
        out.push(Statement { kind: StatementKind::Assign { targets: vec![target], value }, span: span(node) });
    }

    fn if_statement(&mut self, node: Node<'tree>, depth: usize) -> StatementKind {
        let (mut branches, mut otherwise) = (Vec::new(), Vec::new());
        let mut next = Some(node);
        while let Some(current) = next.take() {
            let test = self.expression(field(current, "condition"));
            branches.push((test, self.body(current.part("consequence"), depth)));
            let Some(clause) = current.part("alternative") else { break };
            match named_children(clause).first() {
                Some(inside) if inside.kind() == "if_statement" => next = Some(*inside),
                inside => otherwise = self.body(inside.copied(), depth),
            }
        }
        StatementKind::If { branches, otherwise }
    }

    fn for_statement(&mut self, node: Node<'tree>, depth: usize, out: &mut Vec<Statement>) -> StatementKind {
        if let Some(start) = node.part("initializer") {
            self.statement(start, depth, out);
        }
        let condition = many(node, "condition").into_iter().find(Node::is_named);
        let condition = condition.filter(|condition| condition.kind() != "empty_statement");
        let test = match condition {
            Some(condition) => self.expression(condition),
            None => self.single(ExpressionKind::Constant(Constant::Boolean(true)), span(node)),
        };
        let mut body = self.loop_body(node, depth);
        if let Some(step) = node.part("increment") {
            self.expression_statement(step, &mut body);
        }
        StatementKind::While { test, body, otherwise: Vec::new() }
    }

    fn for_each(&mut self, node: Node<'tree>, depth: usize) -> StatementKind {
        let left = field(node, "left");
        let iterable = self.expression(field(node, "right"));
        let mut body = Vec::new();
        let target = if matches!(left.kind(), "object_pattern" | "array_pattern") {
            let hidden = self.hidden_name();
            self.take_apart(left, &hidden, span(left), &mut body, MAX_BLOCK_DEPTH);
            self.single(ExpressionKind::Name(hidden), span(left))
        } else {
            self.expression(left)
        };
        body.extend(self.loop_body(node, depth));
        StatementKind::For { target, iterable, body, otherwise: Vec::new() }
    }

    fn try_statement(&mut self, node: Node<'tree>, depth: usize) -> StatementKind {
        let body = self.body(node.part("body"), depth);
        let mut handlers = Vec::new();
        if let Some(clause) = node.part("handler") {
            let parameter = clause.part("parameter").filter(|name| name.kind() == "identifier");
            let name = parameter.map(|parameter| self.name(parameter));
            let body = self.body(clause.part("body"), depth);
            handlers.push(Handler { exception: None, name, body, span: span(clause) });
        }
        let finally = node.part("finalizer").and_then(|clause| clause.part("body"));
        let finally = self.body(finally, depth);
        StatementKind::Try { body, handlers, otherwise: Vec::new(), finally }
    }

    fn switch(&mut self, node: Node<'tree>, depth: usize) -> StatementKind {
        let subject = self.expression(field(node, "value"));
        let was_in_switch = std::mem::replace(&mut self.is_in_switch, true);
        let (mut cases, mut open) = (Vec::new(), Some(Vec::new()));
        let clauses = node.part("body").map_or_else(Vec::new, named_children);
        for clause in clauses {
            match clause.part("value").map(|value| self.expression(value)) {
                Some(value) => match (&self.module.expression(value).kind, open.as_mut()) {
                    (ExpressionKind::Constant(constant), Some(literals)) => literals.push(constant.clone()),
                    _ => open = Some(Vec::new()),
                },
                None => open = None,
            }
            let mut body = Vec::new();
            for statement in many(clause, "body") {
                if depth <= MAX_BLOCK_DEPTH {
                    self.statement(statement, depth + 1, &mut body);
                }
            }
            // A case without statements falls through to the next.
            if !body.is_empty() || many(clause, "body").iter().any(|part| part.kind() == "break_statement") {
                cases.push(MatchCase { literals: open.take(), names: Vec::new(), guard: None, body });
                open = Some(Vec::new());
            }
        }
        self.is_in_switch = was_in_switch;
        StatementKind::Match { subject, cases }
    }

    fn enumeration(&mut self, node: Node<'tree>) -> StatementKind {
        let members = node.part("body").map_or_else(Vec::new, named_children);
        let values = members.into_iter().filter_map(|member| member.part("value"));
        StatementKind::Parts(values.collect::<Vec<_>>().into_iter().map(|value| self.expression(value)).collect())
    }

    /// Each name that the statement binds, with the path of what it stands for.
    fn import(&mut self, node: Node<'tree>) -> StatementKind {
        let children = named_children(node);
        let required = children.iter().find(|child| child.kind() == "import_require_clause");
        let holder = required.copied().unwrap_or(node);
        let Some(source) = holder.part("source") else { return StatementKind::Pass };
        let module = self.string_value(source).replace('/', ".");
        let module = module.strip_prefix("node:").unwrap_or(&module);
        let mut bindings: Vec<(Rc<str>, Rc<str>)> = Vec::new();
        if let Some(name) = required.and_then(|clause| clause.named_child(0)) {
            bindings.push((self.name(name), module.into()));
        }
        for clause in children.into_iter().filter(|child| child.kind() == "import_clause") {
            for part in named_children(clause) {
                match part.kind() {
                    "identifier" => bindings.push((self.name(part), module.into())),
                    "namespace_import" => {
                        let name = part.named_child(0).map_or_else(|| "".into(), |name| self.name(name));
                        bindings.push((name, module.into()));
                    }
                    "named_imports" => {
                        for specifier in named_children(part) {
                            let name = self.name(field(specifier, "name"));
                            let alias = specifier.part("alias").map(|alias| self.name(alias));
                            let path = if name.as_ref() == "default" {
                                module.into()
                            } else {
                                format!("{module}.{name}").into()
                            };
                            bindings.push((alias.unwrap_or(name), path));
                        }
                    }
                    _ => {}
                }
            }
        }
        StatementKind::Import(bindings)
    }

    fn export(&mut self, node: Node<'tree>, depth: usize, out: &mut Vec<Statement>) {
        if let Some(declaration) = node.part("declaration") {
            self.statement(declaration, depth, out);
        } else if let Some(value) = node.part("value") {
            let value_id = if value.kind() == "class" {
                let class = self.class(value, "default".into(), depth);
                out.push(Statement { kind: class, span: span(value) });
                return;
            } else {
                self.value_of(value, "default".into())
            };
            out.push(Statement { kind: StatementKind::Expression(value_id), span: span(node) });
        }
    }
}
