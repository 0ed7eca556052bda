//! Lowering of statements and declarations.

use super::{
    Argument, ArgumentKind, BTreeMap, Constant, ExpressionId, ExpressionKind, Function, FunctionId, Handler, Lowering,
    MAX_BLOCK_DEPTH, MatchCase, Node, Parameter, Rc, Span, Statement, StatementKind, Waiting, binary_operator, fields,
    is_statement, named_children, operator, span,
};
use crate::syntax::Part;

impl<'tree> Lowering<'_, 'tree> {
    /// Lowers the statements of a file or of a block.
    pub(super) fn block(&mut self, node: Node<'tree>, depth: usize) -> Vec<Statement> {
        let mut statements = Vec::new();
        if self.is_too_deep(node, depth) {
            return statements;
        }
        for child in named_children(node) {
            self.statement(child, depth, &mut statements);
        }
        statements
    }

    fn is_too_deep(&mut self, node: Node<'_>, depth: usize) -> bool {
        let is_deep = depth > MAX_BLOCK_DEPTH;
        if is_deep {
            let place = span(node);
            self.error.get_or_insert(place);
        }
        is_deep
    }

    /// The statement in a field, as the block that it is or stands for.
    fn body(&mut self, node: Node<'tree>, name: &'static str, depth: usize) -> Vec<Statement> {
        match node.part(name) {
            Some(body) if body.kind() == "block" => self.block(body, depth + 1),
            Some(body) => {
                let mut statements = Vec::new();
                if !self.is_too_deep(body, depth) {
                    self.statement(body, depth + 1, &mut statements);
                }
                statements
            }
            None => Vec::new(),
        }
    }

    fn required(&mut self, node: Node<'tree>, name: &'static str) -> ExpressionId {
        match node.part(name) {
            Some(child) => self.expression(child),
            None => self.constant(Constant::Boolean(true), span(node)),
        }
    }

    fn constant(&mut self, constant: Constant, span: Span) -> ExpressionId {
        let first = self.next_id();
        self.emit(ExpressionKind::Constant(constant), span, first)
    }

    fn named(&mut self, name: Rc<str>, span: Span) -> ExpressionId {
        let first = self.next_id();
        self.emit(ExpressionKind::Name(name), span, first)
    }

    fn parts(&mut self, nodes: Vec<Node<'tree>>) -> Vec<ExpressionId> {
        nodes.into_iter().map(|node| self.expression(node)).collect()
    }

    fn statement(&mut self, node: Node<'tree>, depth: usize, out: &mut Vec<Statement>) {
        let kind = match node.kind() {
            "expression_statement" => match named_children(node).first() {
                Some(inside) => self.expression_statement(*inside, depth),
                None => StatementKind::Pass,
            },
            "local_variable_declaration" | "field_declaration" | "constant_declaration" => {
                return self.variables(node, out);
            }
            "if_statement" => self.if_statement(node, depth),
            "while_statement" => {
                let test = self.required(node, "condition");
                StatementKind::While { test, body: self.body(node, "body", depth), otherwise: Vec::new() }
            }
            "do_statement" => self.do_statement(node, depth),
            "for_statement" => return self.for_statement(node, depth, out),
            "enhanced_for_statement" => self.enhanced_for(node, depth),
            "return_statement" => {
                let value = named_children(node).first().copied();
                StatementKind::Return(value.map(|value| self.expression(value)))
            }
            "throw_statement" => StatementKind::Raise(self.parts(named_children(node))),
            "assert_statement" => match named_children(node).first() {
                // Assertions are off unless someone turns them on.
                Some(test) => StatementKind::Parts(vec![self.expression(*test)]),
                None => StatementKind::Pass,
            },
            "try_statement" | "try_with_resources_statement" => self.try_statement(node, depth),
            "switch_expression" | "switch_statement" => self.switch(node, depth),
            "break_statement" => StatementKind::Break,
            "continue_statement" => StatementKind::Continue,
            "yield_statement" => StatementKind::Parts(self.parts(named_children(node))),
            "block"
            | "static_initializer"
            | "constructor_body"
            | "ERROR"
            | "labeled_statement"
            | "enum_body_declarations" => {
                let inside = self.block(node, depth + 1);
                out.extend(inside);
                return;
            }
            "synchronized_statement" => {
                let lock = named_children(node).into_iter().filter(|part| part.kind() == "parenthesized_expression");
                let lock = self.parts(lock.collect());
                out.push(Statement { kind: StatementKind::Parts(lock), span: span(node) });
                let inside = self.body(node, "body", depth);
                out.extend(inside);
                return;
            }
            "class_declaration"
            | "interface_declaration"
            | "enum_declaration"
            | "record_declaration"
            | "annotation_type_declaration" => self.class(node, depth),
            "method_declaration" | "constructor_declaration" | "compact_constructor_declaration" => {
                self.function(node, depth)
            }
            "import_declaration" => self.import(node),
            "explicit_constructor_invocation" => {
                let arguments = node.part("arguments").map_or_else(Vec::new, named_children);
                StatementKind::Parts(self.parts(arguments))
            }
            "identifier" | "package_declaration" | "modifiers" | "line_comment" | "block_comment" => {
                StatementKind::Pass
            }
            kind if is_statement(kind) => StatementKind::Pass,
            _ => StatementKind::Expression(self.expression(node)),
        };
        out.push(Statement { kind, span: span(node) });
    }

    fn expression_statement(&mut self, node: Node<'tree>, depth: usize) -> StatementKind {
        match node.kind() {
            "switch_expression" => self.switch(node, depth),
            "assignment_expression" if operator(node) == "=" => {
                let (mut targets, mut value) = (Vec::new(), node);
                while value.kind() == "assignment_expression" && operator(value) == "=" {
                    targets.push(self.required(value, "left"));
                    let Some(right) = value.part("right") else { break };
                    value = right;
                }
                let kind = self.declared_type(node);
                StatementKind::Assign { targets, value: self.expression_as(value, kind) }
            }
            "assignment_expression" => {
                let operator = binary_operator(operator(node).trim_end_matches('='));
                let target = self.required(node, "left");
                let value = self.required(node, "right");
                StatementKind::Augment { target, operator, value }
            }
            _ => StatementKind::Expression(self.expression(node)),
        }
    }

    /// Variables with one type. A field that may change is declared again without its value, which a method cannot rely on.
    fn variables(&mut self, node: Node<'tree>, out: &mut Vec<Statement>) {
        let kind = node.part("type").map(|kind| self.erased(kind));
        let modifiers = named_children(node).into_iter().find(|part| part.kind() == "modifiers");
        let is_final = modifiers.is_some_and(|words| self.text(words).split_whitespace().any(|word| word == "final"));
        let is_field = node.kind() == "field_declaration" && !is_final;
        for declarator in named_children(node).into_iter().filter(|part| part.kind() == "variable_declarator") {
            let name = self.field_name(declarator, "name");
            if let Some(kind) = &kind {
                self.types.insert(Rc::clone(&name), Rc::clone(kind));
            }
            let value = declarator.part("value").map(|value| self.expression_as(value, kind.clone()));
            let span = span(declarator);
            let declare =
                |value| StatementKind::Declare { name: Rc::clone(&name), kind: kind.clone(), size: None, value };
            out.push(Statement { kind: declare(value), span });
            if is_field && value.is_some() {
                out.push(Statement { kind: declare(None), span });
            }
        }
    }

    fn if_statement(&mut self, node: Node<'tree>, depth: usize) -> StatementKind {
        let (mut branches, mut current) = (Vec::new(), node);
        loop {
            let test = self.required(current, "condition");
            branches.push((test, self.body(current, "consequence", depth)));
            match current.part("alternative") {
                Some(next) if next.kind() == "if_statement" => current = next,
                Some(_) => return StatementKind::If { branches, otherwise: self.body(current, "alternative", depth) },
                None => return StatementKind::If { branches, otherwise: Vec::new() },
            }
        }
    }

    /// A body that runs at least once: its end leaves the loop when the condition fails.
    fn do_statement(&mut self, node: Node<'tree>, depth: usize) -> StatementKind {
        let place = span(node);
        let test = self.constant(Constant::Boolean(true), place);
        let mut body = self.body(node, "body", depth);
        let goes_on = self.required(node, "condition");
        let leave = vec![Statement { kind: StatementKind::Break, span: place }];
        body.push(Statement {
            kind: StatementKind::If { branches: vec![(goes_on, Vec::new())], otherwise: leave },
            span: place,
        });
        StatementKind::While { test, body, otherwise: Vec::new() }
    }

    fn for_statement(&mut self, node: Node<'tree>, depth: usize, out: &mut Vec<Statement>) {
        let place = span(node);
        let mut cursor = node.walk();
        let starts: Vec<_> = node.children_by_field_name("init", &mut cursor).collect();
        for start in starts {
            if start.kind() == "local_variable_declaration" {
                self.variables(start, out);
            } else {
                let kind = self.expression_statement(start, depth);
                out.push(Statement { kind, span: span(start) });
            }
        }
        let test = self.required(node, "condition");
        let mut body = self.body(node, "body", depth);
        let updates: Vec<_> = node.children_by_field_name("update", &mut cursor).collect();
        for update in updates {
            let kind = self.expression_statement(update, depth);
            body.push(Statement { kind, span: span(update) });
        }
        out.push(Statement { kind: StatementKind::While { test, body, otherwise: Vec::new() }, span: place });
    }

    fn enhanced_for(&mut self, node: Node<'tree>, depth: usize) -> StatementKind {
        let iterable = self.required(node, "value");
        let name_node = node.part("name").unwrap_or(node);
        let (name, span) = (self.name(name_node), span(name_node));
        let target = self.named(Rc::clone(&name), span);
        let mut body = Vec::new();
        if let Some(kind) = node.part("type").map(|kind| self.erased(kind)) {
            self.types.insert(Rc::clone(&name), Rc::clone(&kind));
            let first = self.next_id();
            let value = self.named(Rc::clone(&name), span);
            let value = self.emit(ExpressionKind::Cast { kind: Rc::clone(&kind), value }, span, first);
            body.push(Statement {
                kind: StatementKind::Declare { name, kind: Some(kind), size: None, value: Some(value) },
                span,
            });
        }
        body.extend(self.body(node, "body", depth));
        StatementKind::For { target, iterable, body, otherwise: Vec::new() }
    }

    fn try_statement(&mut self, node: Node<'tree>, depth: usize) -> StatementKind {
        let mut body = Vec::new();
        let mut items = Vec::new();
        for resource in node.part("resources").map_or_else(Vec::new, named_children) {
            let span = span(resource);
            let Some(name) = resource.part("name") else {
                items.extend(named_children(resource).first().map(|held| (self.expression(*held), None)));
                continue;
            };
            let name = self.name(name);
            let kind = resource.part("type").map(|kind| self.erased(kind));
            if let Some(kind) = &kind {
                self.types.insert(Rc::clone(&name), Rc::clone(kind));
            }
            let value = resource.part("value").map(|value| self.expression_as(value, kind.clone()));
            body.push(Statement {
                kind: StatementKind::Declare { name: Rc::clone(&name), kind, size: None, value },
                span,
            });
            items.push((self.named(name, span), None));
        }
        let inside = self.body(node, "body", depth);
        if items.is_empty() {
            body = inside;
        } else {
            body.push(Statement { kind: StatementKind::With { items, body: inside }, span: span(node) });
        }
        let (mut handlers, mut finally) = (Vec::new(), Vec::new());
        for clause in named_children(node) {
            match clause.kind() {
                "catch_clause" => handlers.push(self.catch(clause, depth)),
                "finally_clause" => finally = self.block(clause, depth + 1),
                _ => {}
            }
        }
        StatementKind::Try { body, handlers, otherwise: Vec::new(), finally }
    }

    fn catch(&mut self, clause: Node<'tree>, depth: usize) -> Handler {
        let parameter = named_children(clause).into_iter().find(|part| part.kind() == "catch_formal_parameter");
        let kinds = parameter.map_or_else(Vec::new, named_children);
        let kinds = kinds.into_iter().find(|part| part.kind() == "catch_type");
        let exception = kinds.map(|kinds| {
            let name = self.text(kinds).into();
            self.named(name, span(kinds))
        });
        let name = parameter.and_then(|parameter| parameter.part("name")).map(|name| self.name(name));
        Handler { exception, name, body: self.body(clause, "body", depth), span: span(clause) }
    }

    fn switch(&mut self, node: Node<'tree>, depth: usize) -> StatementKind {
        let subject = self.required(node, "condition");
        let (mut cases, mut waiting): (Vec<MatchCase>, Vec<Constant>) = (Vec::new(), Vec::new());
        for group in node.part("body").map_or_else(Vec::new, named_children) {
            let (mut literals, mut body, mut names) = (Some(std::mem::take(&mut waiting)), Vec::new(), Vec::new());
            if self.is_too_deep(group, depth) {
                break;
            }
            for part in named_children(group) {
                if part.kind() == "switch_label" {
                    self.label(part, &mut literals, &mut names);
                } else {
                    self.statement(part, depth + 1, &mut body);
                }
            }
            if body.is_empty() && literals.is_some() {
                waiting = literals.unwrap_or_default();
                continue;
            }
            // The end of a case leaves the `switch`, not the loop around it.
            if matches!(body.last(), Some(Statement { kind: StatementKind::Break, .. })) {
                body.pop();
            }
            cases.push(MatchCase { literals, names, guard: None, body });
        }
        StatementKind::Match { subject, cases }
    }

    fn label(&mut self, label: Node<'tree>, literals: &mut Option<Vec<Constant>>, names: &mut Vec<Rc<str>>) {
        let values = named_children(label);
        if values.is_empty() {
            *literals = None;
        }
        for value in values {
            match value.kind() {
                "identifier" | "field_access" => {
                    if let Some(list) = literals {
                        list.push(Constant::Text(self.text(value).into()));
                    }
                }
                "pattern" | "guard" | "type_pattern" | "record_pattern" => {
                    *literals = None;
                    names.push(self.name(value));
                }
                _ => {
                    let id = self.expression(value);
                    if let (ExpressionKind::Constant(constant), Some(list)) =
                        (&self.module.expression(id).kind, literals.as_mut())
                    {
                        list.push(constant.clone());
                    }
                }
            }
        }
    }

    /// A type: its fields first, so that every method knows them, then its methods, then the types inside it.
    fn class(&mut self, node: Node<'tree>, depth: usize) -> StatementKind {
        let name = self.field_name(node, "name");
        let mut bases = Vec::new();
        for list in ["superclass", "interfaces"].iter().filter_map(|field| node.part(field)) {
            for base in named_children(list) {
                let parts = if base.kind() == "type_list" { named_children(base) } else { vec![base] };
                for part in parts {
                    let kind = self.erased(part);
                    let value = self.named(kind, span(part));
                    bases.push(Argument { kind: ArgumentKind::Positional, value });
                }
            }
        }
        let mut body: Vec<Statement> = Vec::new();
        for annotation in self.annotations(node) {
            body.push(Statement { kind: StatementKind::Parts(vec![annotation]), span: span(node) });
        }
        if node.kind() == "record_declaration" {
            for parameter in node.part("parameters").map_or_else(Vec::new, |list| self.parameters(list)) {
                let kind = StatementKind::Declare {
                    name: parameter.name,
                    kind: parameter.annotation,
                    size: None,
                    value: None,
                };
                body.push(Statement { kind, span: parameter.span });
            }
        }
        let mut members = node.part("body").map_or_else(Vec::new, named_children);
        let declarations: Vec<_> = members
            .iter()
            .filter(|member| member.kind() == "enum_body_declarations")
            .flat_map(|member| named_children(*member))
            .collect();
        members.extend(declarations);
        let rank = |kind: &str| match kind {
            "field_declaration" | "constant_declaration" => Some(0),
            "static_initializer" | "block" => Some(1),
            "enum_constant" | "enum_body_declarations" => None,
            kind if kind.contains("method") || kind.contains("constructor") => Some(2),
            _ => Some(3),
        };
        if self.is_too_deep(node, depth) {
            members.clear();
        }
        for wanted in 0..4 {
            for member in members.iter().filter(|member| rank(member.kind()) == Some(wanted)) {
                self.statement(*member, depth + 1, &mut body);
            }
        }
        StatementKind::Class { name, bases, body }
    }

    /// The annotations of a declaration.
    fn annotations(&mut self, node: Node<'tree>) -> Vec<ExpressionId> {
        let modifiers = named_children(node).into_iter().filter(|part| part.kind() == "modifiers");
        let annotations = modifiers.flat_map(named_children).filter(|part| part.kind().ends_with("annotation"));
        self.parts(annotations.collect())
    }

    fn function(&mut self, node: Node<'tree>, depth: usize) -> StatementKind {
        let mut decorators = self.annotations(node);
        // What is said of a parameter is said of the function: whoever calls it is outside.
        for parameter in node.part("parameters").map_or_else(Vec::new, named_children) {
            decorators.extend(self.annotations(parameter));
        }
        let Some(body) = node.part("body") else { return StatementKind::Parts(decorators) };
        let function = self.declare_function(node, decorators);
        let outer = self.types.clone();
        self.note_types(function);
        let body = self.block(body, depth + 1);
        self.module.functions[function as usize].body = body;
        self.types = outer;
        StatementKind::Function(function)
    }

    /// A function whose body is still to come.
    pub(super) fn declare_function(&mut self, node: Node<'tree>, decorators: Vec<ExpressionId>) -> FunctionId {
        let name = match node.kind() {
            "method_declaration" => self.field_name(node, "name"),
            "lambda_expression" => "<lambda>".into(),
            _ => "<init>".into(),
        };
        let parameters = node.part("parameters").map_or_else(Vec::new, |list| self.parameters(list));
        let id = self.module.functions.len() as FunctionId;
        self.module.functions.push(Function { name, parameters, decorators, body: Vec::new() });
        id
    }

    fn note_types(&mut self, function: FunctionId) {
        let parameters = &self.module.functions[function as usize].parameters;
        let typed = parameters.iter().map(|parameter| (Rc::clone(&parameter.name), parameter.annotation.clone()));
        for (name, kind) in typed.collect::<Vec<_>>() {
            match kind {
                Some(kind) => self.types.insert(name, kind),
                None => self.types.remove(&name),
            };
        }
    }

    /// Leaves the body of a function for later.
    pub(super) fn wait(&mut self, function: FunctionId, body: Node<'tree>) {
        let types: BTreeMap<_, _> = self.types.clone();
        self.queue.push_back(Waiting { function, body, types });
    }

    pub(super) fn finish(&mut self, waiting: Waiting<'tree>) {
        self.types = waiting.types;
        self.note_types(waiting.function);
        let body = self.block(waiting.body, 1);
        self.module.functions[waiting.function as usize].body = body;
    }

    pub(super) fn parameters(&mut self, list: Node<'tree>) -> Vec<Parameter> {
        if list.kind() == "identifier" {
            return vec![self.parameter(list, None)];
        }
        let mut parameters = Vec::new();
        for node in named_children(list) {
            let kind = node.part("type").map(|kind| self.erased(kind));
            match node.kind() {
                "identifier" => parameters.push(self.parameter(node, None)),
                "formal_parameter" => {
                    let name = fields(node, &["name"])[0];
                    parameters.push(self.parameter(name, kind));
                }
                "spread_parameter" => {
                    let parts = named_children(node);
                    let declarator = parts.iter().find(|part| part.kind() == "variable_declarator");
                    let kind =
                        parts.iter().find(|part| part.kind().ends_with("type") || part.kind().ends_with("identifier"));
                    let kind = kind.map(|kind| format!("{}[]", self.erased(*kind)).into());
                    if let Some(name) = declarator.and_then(|part| part.part("name")) {
                        let mut parameter = self.parameter(name, kind);
                        parameter.kind = ArgumentKind::Splat;
                        parameters.push(parameter);
                    }
                }
                _ => {}
            }
        }
        parameters
    }

    fn parameter(&self, name: Node<'_>, annotation: Option<Rc<str>>) -> Parameter {
        let span = span(name);
        Parameter { name: self.name(name), kind: ArgumentKind::Positional, default: None, annotation, span }
    }

    /// `import a.b.C` binds `C`; what `import a.b.*` brings is known by its usual name.
    fn import(&mut self, node: Node<'tree>) -> StatementKind {
        let parts = named_children(node);
        let is_wildcard = parts.iter().any(|part| part.kind() == "asterisk");
        let Some(path) = parts.first().map(|part| self.text(*part)).filter(|_| !is_wildcard) else {
            return StatementKind::Pass;
        };
        let last = path.rsplit('.').next().unwrap_or(path);
        StatementKind::Import(vec![(last.into(), path.into())])
    }
}
