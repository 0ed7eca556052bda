//! Lowering of statements.

use super::{
    Argument, ArgumentKind, Constant, ExpressionId, ExpressionKind, Function, Handler, Lowering, MAX_BLOCK_DEPTH,
    MatchCase, Node, Parameter, Rc, Statement, StatementKind, advance, binary_operator, is_statement, many,
    named_children, span,
};
use crate::syntax::Part;

impl Lowering<'_> {
    /// Lowers the statements of a file or of a block.
    pub(super) fn block(&mut self, node: Node<'_>, depth: usize) -> Vec<Statement> {
        if depth > MAX_BLOCK_DEPTH {
            self.error.get_or_insert(span(node));
            return Vec::new();
        }
        let mut statements = Vec::new();
        for child in named_children(node) {
            self.statement(child, depth, &mut statements);
        }
        statements
    }

    fn body(&mut self, node: Node<'_>, name: &'static str, depth: usize) -> Vec<Statement> {
        node.part(name).map_or_else(Vec::new, |body| self.block(body, depth + 1))
    }

    fn optional(&mut self, node: Option<Node<'_>>) -> Option<ExpressionId> {
        node.map(|node| self.expression(node))
    }

    /// The expression in a field, or an empty one where a broken text has none.
    fn required(&mut self, node: Node<'_>, name: &'static str) -> ExpressionId {
        if let Some(child) = node.part(name) {
            return self.expression(child);
        }
        let first = self.next_id();
        self.emit(ExpressionKind::Other(Vec::new()), span(node), first)
    }

    fn statement(&mut self, node: Node<'_>, depth: usize, out: &mut Vec<Statement>) {
        let kind = match node.kind() {
            "expression_statement" => {
                for child in named_children(node) {
                    let kind = self.expression_statement(child);
                    out.push(Statement { kind, span: span(child) });
                }
                return;
            }
            "return_statement" => {
                let value = named_children(node).first().copied();
                StatementKind::Return(self.optional(value))
            }
            "raise_statement" => {
                let parts = named_children(node);
                StatementKind::Raise(parts.into_iter().map(|part| self.expression(part)).collect())
            }
            "assert_statement" => match named_children(node).first() {
                Some(test) => StatementKind::Assert(self.expression(*test)),
                None => StatementKind::Pass,
            },
            "if_statement" => self.if_statement(node, depth),
            "while_statement" => {
                let test = self.required(node, "condition");
                let body = self.body(node, "body", depth);
                StatementKind::While { test, body, otherwise: self.else_clause(node, depth) }
            }
            "for_statement" => {
                let target = self.required(node, "left");
                let iterable = self.required(node, "right");
                let body = self.body(node, "body", depth);
                StatementKind::For { target, iterable, body, otherwise: self.else_clause(node, depth) }
            }
            "try_statement" => self.try_statement(node, depth),
            "with_statement" => self.with_statement(node, depth),
            "match_statement" => self.match_statement(node, depth),
            "function_definition" => self.function(node, Vec::new(), depth),
            "class_definition" => self.class(node, depth),
            "decorated_definition" => {
                let parts = named_children(node);
                let decorators = parts.iter().filter(|part| part.kind() == "decorator");
                let decorators =
                    decorators.filter_map(|part| part.named_child(0)).map(|part| self.expression(part)).collect();
                match node.part("definition") {
                    Some(definition) if definition.kind() == "function_definition" => {
                        self.function(definition, decorators, depth)
                    }
                    Some(definition) => self.class(definition, depth),
                    None => StatementKind::Parts(decorators),
                }
            }
            "import_statement" | "import_from_statement" => self.import(node),
            "break_statement" => StatementKind::Break,
            "continue_statement" => StatementKind::Continue,
            "pass_statement"
            | "global_statement"
            | "nonlocal_statement"
            | "future_import_statement"
            | "type_alias_statement"
            | "comment" => StatementKind::Pass,
            "delete_statement" => {
                let parts = named_children(node);
                StatementKind::Delete(parts.into_iter().map(|part| self.expression(part)).collect())
            }
            "block" | "ERROR" | "else_clause" | "finally_clause" => {
                // A broken text: keep what can be read inside.
                if depth <= MAX_BLOCK_DEPTH {
                    let inside = self.block(node, depth + 1);
                    out.extend(inside);
                }
                return;
            }
            kind if is_statement(kind) => {
                let parts = named_children(node);
                StatementKind::Parts(parts.into_iter().map(|part| self.expression(part)).collect())
            }
            _ => StatementKind::Expression(self.expression(node)),
        };
        out.push(Statement { kind, span: span(node) });
    }

    fn expression_statement(&mut self, node: Node<'_>) -> StatementKind {
        match node.kind() {
            "assignment" => {
                let mut targets = Vec::new();
                let mut value = node;
                while value.kind() == "assignment" {
                    targets.extend(value.part("left").map(|left| self.expression(left)));
                    match value.part("right") {
                        Some(right) => value = right,
                        // A bare annotation.
                        None => return StatementKind::Pass,
                    }
                }
                StatementKind::Assign { targets, value: self.expression(value) }
            }
            "augmented_assignment" => {
                let operator = node.part("operator").map_or("", |child| child.kind());
                let target = self.required(node, "left");
                let value = self.required(node, "right");
                StatementKind::Augment { target, operator: binary_operator(operator), value }
            }
            _ => StatementKind::Expression(self.expression(node)),
        }
    }

    fn else_clause(&mut self, node: Node<'_>, depth: usize) -> Vec<Statement> {
        match node.part("alternative") {
            Some(clause) => self.body(clause, "body", depth),
            None => Vec::new(),
        }
    }

    fn if_statement(&mut self, node: Node<'_>, depth: usize) -> StatementKind {
        let test = self.required(node, "condition");
        let mut branches = vec![(test, self.body(node, "consequence", depth))];
        let mut otherwise = Vec::new();
        for clause in many(node, "alternative") {
            if clause.kind() == "elif_clause" {
                let test = self.required(clause, "condition");
                branches.push((test, self.body(clause, "consequence", depth)));
            } else {
                otherwise = self.body(clause, "body", depth);
            }
        }
        StatementKind::If { branches, otherwise }
    }

    fn try_statement(&mut self, node: Node<'_>, depth: usize) -> StatementKind {
        let body = self.body(node, "body", depth);
        let (mut handlers, mut otherwise, mut finally) = (Vec::new(), Vec::new(), Vec::new());
        for clause in named_children(node) {
            let inner = |kind: &str| named_children(clause).into_iter().find(|child| child.kind() == kind);
            match clause.kind() {
                "except_clause" | "except_group_clause" => {
                    let parts = named_children(clause);
                    let mut exception = parts.first().copied().filter(|part| part.kind() != "block");
                    let mut alias = clause.part("alias");
                    if let Some(pattern) = exception.filter(|part| part.kind() == "as_pattern") {
                        exception = pattern.named_child(0);
                        alias = pattern.part("alias");
                    }
                    let exception = self.optional(exception);
                    let name = alias.map(|alias| self.name(alias));
                    let body = inner("block").map_or_else(Vec::new, |block| self.block(block, depth + 1));
                    handlers.push(Handler { exception, name, body, span: span(clause) });
                }
                "else_clause" => otherwise = self.body(clause, "body", depth),
                "finally_clause" => {
                    finally = inner("block").map_or_else(Vec::new, |block| self.block(block, depth + 1));
                }
                _ => {}
            }
        }
        StatementKind::Try { body, handlers, otherwise, finally }
    }

    fn with_statement(&mut self, node: Node<'_>, depth: usize) -> StatementKind {
        let mut items = Vec::new();
        for clause in named_children(node).into_iter().filter(|child| child.kind() == "with_clause") {
            for item in named_children(clause) {
                let mut value = item.part("value").unwrap_or(item);
                // `with (open(a) as f, open(b) as g)` is read as a tuple of patterns.
                let parts = if value.kind() == "tuple" { named_children(value) } else { vec![value] };
                for part in parts {
                    value = part;
                    let target = value.part("alias");
                    if value.kind() == "as_pattern"
                        && let Some(inside) = value.named_child(0)
                    {
                        value = inside;
                    }
                    let value = self.expression(value);
                    items.push((value, self.optional(target)));
                }
            }
        }
        StatementKind::With { items, body: self.body(node, "body", depth) }
    }

    fn match_statement(&mut self, node: Node<'_>, depth: usize) -> StatementKind {
        let subject = self.required(node, "subject");
        let mut cases = Vec::new();
        let clauses = node.part("body").map_or_else(Vec::new, named_children);
        for clause in clauses.into_iter().filter(|clause| clause.kind() == "case_clause") {
            let patterns = named_children(clause).into_iter().filter(|child| child.kind() == "case_pattern");
            let (mut literals, mut names) = (Some(Vec::new()), Vec::new());
            for pattern in patterns {
                self.case_pattern(pattern, &mut literals, &mut names);
            }
            let guard = clause.part("guard");
            let guard = self.optional(guard);
            cases.push(MatchCase { literals, names, guard, body: self.body(clause, "consequence", depth) });
        }
        StatementKind::Match { subject, cases }
    }

    /// Collects the literals of a pattern, or learns that it is more than literals.
    fn case_pattern(&mut self, pattern: Node<'_>, literals: &mut Option<Vec<Constant>>, names: &mut Vec<Rc<str>>) {
        let mut cursor = pattern.walk();
        loop {
            let node = cursor.node();
            let descend = match node.kind() {
                "string" | "integer" | "concatenated_string" => {
                    let id = self.expression(node);
                    if let (ExpressionKind::Constant(constant), Some(list)) =
                        (&self.module.expression(id).kind, literals.as_mut())
                    {
                        list.push(constant.clone());
                    }
                    false
                }
                "identifier" => {
                    names.push(self.name(node));
                    *literals = None;
                    false
                }
                "case_pattern" | "union_pattern" | "|" | "none" | "true" | "false" => true,
                _ => {
                    *literals = None;
                    true
                }
            };
            let moved = if descend {
                advance(&mut cursor)
            } else {
                loop {
                    if cursor.goto_next_sibling() {
                        break true;
                    }
                    if !cursor.goto_parent() {
                        break false;
                    }
                }
            };
            if !moved {
                return;
            }
        }
    }

    fn function(&mut self, node: Node<'_>, decorators: Vec<ExpressionId>, depth: usize) -> StatementKind {
        let name = node.part("name").map_or_else(|| "".into(), |child| self.name(child));
        let mut parameters = Vec::new();
        if let Some(list) = node.part("parameters") {
            for parameter in named_children(list) {
                parameters.extend(self.parameter(parameter));
            }
        }
        let body = self.body(node, "body", depth);
        let id = self.module.functions.len() as u32;
        self.module.functions.push(Function { name, parameters, decorators, body });
        StatementKind::Function(id)
    }

    fn parameter(&mut self, node: Node<'_>) -> Option<Parameter> {
        let mut named = node.part("name").unwrap_or(node);
        if node.kind() == "typed_parameter" {
            named = node.named_child(0)?;
        }
        let kind = match named.kind() {
            "list_splat_pattern" => ArgumentKind::Splat,
            "dictionary_splat_pattern" => ArgumentKind::DoubleSplat,
            "identifier" => ArgumentKind::Positional,
            _ => return None,
        };
        let default = node.part("value");
        let default = self.optional(default);
        let annotation = node.part("type").map(|child| self.name(child));
        let name = self.text(named).trim_start_matches('*').into();
        Some(Parameter { name, kind, default, annotation, span: span(named) })
    }

    fn class(&mut self, node: Node<'_>, depth: usize) -> StatementKind {
        let name = node.part("name").map_or_else(|| "".into(), |child| self.name(child));
        let mut bases = Vec::new();
        for base in node.part("superclasses").map_or_else(Vec::new, named_children) {
            let kind = match base.part("name") {
                Some(keyword) if base.kind() == "keyword_argument" => ArgumentKind::Keyword(self.name(keyword)),
                _ => ArgumentKind::Positional,
            };
            bases.push(Argument { kind, value: self.expression(base) });
        }
        StatementKind::Class { name, bases, body: self.body(node, "body", depth) }
    }

    /// Each name that the statement binds, with the dotted path that it stands for.
    fn import(&mut self, node: Node<'_>) -> StatementKind {
        let module = node.part("module_name").map(|child| self.text(child).trim_start_matches('.'));
        let mut bindings = Vec::new();
        for imported in many(node, "name") {
            let (path, alias) = match imported.kind() {
                "aliased_import" => (
                    imported.part("name").map_or("", |child| self.text(child)),
                    imported.part("alias").map(|child| self.text(child)),
                ),
                _ => (self.text(imported), None),
            };
            match (module, alias) {
                (Some(module), alias) => {
                    bindings.push((alias.unwrap_or(path).into(), format!("{module}.{path}").into()));
                }
                (None, Some(alias)) => bindings.push((alias.into(), path.into())),
                (None, None) => {
                    // `import os.path` binds `os`.
                    let top = path.split('.').next().unwrap_or(path);
                    bindings.push((top.into(), top.into()));
                }
            }
        }
        if named_children(node).iter().any(|child| child.kind() == "wildcard_import") {
            bindings.push(("*".into(), module.unwrap_or("").into()));
        }
        StatementKind::Import(bindings)
    }
}
