//! Lowering of statements.

use std::rc::Rc;

use tree_sitter::Node;

use super::{Constant, ExpressionKind, Lowering, MAX_DEPTH, Statement, StatementKind, named_children};
use crate::syntax::Part;
use crate::syntax::{ExpressionId, Handler, MatchCase, Span};

impl<'t> Lowering<'_, 't> {
    /// The statements of a block, or a single one that stands in its place.
    pub(super) fn block(&mut self, node: Node<'t>, depth: usize, out: &mut Vec<Statement>) {
        if depth > MAX_DEPTH {
            self.too_deep(node);
            return;
        }
        if matches!(node.kind(), "compound_statement" | "else_clause" | "ERROR" | "preproc_else" | "try_statement") {
            if node.kind() == "try_statement" {
                self.statement(node, depth, out);
                return;
            }
            for child in named_children(node) {
                self.statement(child, depth, out);
            }
        } else {
            self.statement(node, depth, out);
        }
    }

    fn body(&mut self, node: Option<Node<'t>>, depth: usize) -> Vec<Statement> {
        let mut statements = Vec::new();
        if let Some(node) = node {
            self.block(node, depth + 1, &mut statements);
        }
        statements
    }

    pub(super) fn statement(&mut self, node: Node<'t>, depth: usize, out: &mut Vec<Statement>) {
        if depth > MAX_DEPTH {
            self.too_deep(node);
            return;
        }
        let here = self.place(node);
        let kind = match node.kind() {
            "expression_statement" => {
                for child in named_children(node) {
                    self.expression_statement(child, depth, out);
                }
                return;
            }
            "declaration" | "condition_clause" | "init_statement" => {
                self.declaration(node, depth, out);
                return;
            }
            "return_statement" | "co_return_statement" => {
                let value = named_children(node).into_iter().next();
                StatementKind::Return(value.map(|value| self.expression(value, depth + 1)))
            }
            "throw_statement" => {
                let parts = named_children(node);
                StatementKind::Raise(parts.into_iter().map(|part| self.expression(part, depth + 1)).collect())
            }
            "if_statement" => self.if_statement(node, depth, out),
            "while_statement" => {
                let test = self.condition(node, depth, out);
                StatementKind::While { test, body: self.body(node.part("body"), depth), otherwise: Vec::new() }
            }
            "do_statement" => self.do_statement(node, depth),
            "for_statement" => self.for_statement(node, depth, out),
            "for_range_loop" => self.range_loop(node, depth, out),
            "switch_statement" => self.switch_statement(node, depth, out),
            "goto_statement" => {
                let label = node.part("label").map_or_else(|| "".into(), |label| self.shared(label));
                StatementKind::Goto(label)
            }
            "labeled_statement" => {
                let label = node.part("label").map_or_else(|| "".into(), |label| self.shared(label));
                out.push(Statement { kind: StatementKind::Label(label), span: here });
                for child in named_children(node).into_iter().skip(1) {
                    self.statement(child, depth + 1, out);
                }
                return;
            }
            "break_statement" => StatementKind::Break,
            "continue_statement" => StatementKind::Continue,
            "try_statement" => self.try_statement(node, depth),
            "preproc_if" | "preproc_ifdef" => self.alternatives(node, depth),
            "preproc_def" => {
                self.remember_macro(node);
                return;
            }
            "preproc_call"
            | "preproc_include"
            | "preproc_function_def"
            | "comment"
            | "preproc_directive"
            | "static_assert_declaration"
            | "using_declaration"
            | "alias_declaration"
            | "type_definition"
            | "identifier"
            | "type_identifier"
            | "primitive_type"
            | "statement_identifier"
            | "field_identifier" => return,
            "enum_specifier" => {
                self.remember_enumerators(node);
                return;
            }
            "compound_statement"
            | "ERROR"
            | "else_clause"
            | "case_statement"
            | "preproc_else"
            | "preproc_elif"
            | "attributed_statement"
            | "declaration_list" => {
                self.block_of(node, depth, out);
                return;
            }
            "function_definition" => {
                // A macro before a block makes the parser see a function inside a function.
                if let Some(body) = node.part("body") {
                    self.block(body, depth + 1, out);
                }
                return;
            }
            _ => {
                self.expression_statement(node, depth, out);
                return;
            }
        };
        out.push(Statement { kind, span: here });
    }

    fn block_of(&mut self, node: Node<'t>, depth: usize, out: &mut Vec<Statement>) {
        for child in named_children(node) {
            self.statement(child, depth + 1, out);
        }
    }

    /// Both sides of a conditional of the preprocessor may be compiled.
    fn alternatives(&mut self, node: Node<'t>, depth: usize) -> StatementKind {
        let test = self.nothing(self.place(node));
        let alternative = node.part("alternative");
        let skipped = [node.part("condition"), node.part("name"), alternative];
        let mut body = Vec::new();
        for child in named_children(node) {
            if !skipped.contains(&Some(child)) {
                self.statement(child, depth + 1, &mut body);
            }
        }
        let otherwise = self.body(alternative, depth);
        StatementKind::If { branches: vec![(test, body)], otherwise }
    }

    pub(super) fn expression_statement(&mut self, node: Node<'t>, depth: usize, out: &mut Vec<Statement>) {
        let mut node = node;
        while node.kind() == "parenthesized_expression" {
            match named_children(node).into_iter().next() {
                Some(inner) => node = inner,
                None => return,
            }
        }
        let here = self.place(node);
        let kind = match node.kind() {
            "assignment_expression" => self.assignment(node, depth),
            "comma_expression" => {
                for part in named_children(node) {
                    if depth < MAX_DEPTH {
                        self.expression_statement(part, depth + 1, out);
                    }
                }
                return;
            }
            _ => StatementKind::Expression(self.expression(node, depth + 1)),
        };
        out.push(Statement { kind, span: here });
    }

    fn assignment(&mut self, node: Node<'t>, depth: usize) -> StatementKind {
        let operator = node.part("operator").map_or("=", |operator| operator.kind());
        if operator != "=" {
            let target = self.field(node, "left", depth);
            let value = self.field(node, "right", depth);
            return StatementKind::Augment { target, operator: super::expressions::augmented(operator), value };
        }
        let mut targets = Vec::new();
        let mut value = node;
        while value.kind() == "assignment_expression"
            && value.part("operator").is_none_or(|operator| operator.kind() == "=")
        {
            targets.push(self.field(value, "left", depth));
            match value.part("right") {
                Some(right) => value = right,
                None => break,
            }
        }
        let value = self.expression(value, depth + 1);
        StatementKind::Assign { targets, value }
    }

    /// The condition of a statement. What it declares becomes a statement before it.
    fn condition(&mut self, node: Node<'t>, depth: usize, out: &mut Vec<Statement>) -> ExpressionId {
        let Some(clause) = node.part("condition") else { return self.nothing(self.place(node)) };
        let mut parts = named_children(clause);
        let Some(last) = parts.pop() else { return self.nothing(self.place(clause)) };
        if clause.kind() != "condition_clause" && clause.kind() != "parenthesized_expression" {
            return self.expression(clause, depth + 1);
        }
        for part in parts {
            let inner = named_children(part).into_iter().find(|inner| inner.kind() == "declaration");
            self.statement(inner.unwrap_or(part), depth + 1, out);
        }
        if last.kind() == "declaration" {
            self.declaration(last, depth + 1, out);
            let name = last.part("declarator").map(|node| self.declared(node)).unwrap_or_default();
            let first = self.next_id();
            return self.emit(ExpressionKind::Name(name.name), name.span, first);
        }
        self.expression(last, depth + 1)
    }

    fn if_statement(&mut self, node: Node<'t>, depth: usize, out: &mut Vec<Statement>) -> StatementKind {
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        let mut at = node;
        loop {
            let test = self.condition(at, depth, out);
            let body = self.body(at.part("consequence"), depth);
            branches.push((test, body));
            let Some(alternative) = at.part("alternative") else { break };
            match named_children(alternative).as_slice() {
                // `else if`, but not where its condition declares something.
                [only]
                    if only.kind() == "if_statement"
                        && only.part("condition").is_none_or(|clause| {
                            clause.named_child_count() == 1 && !self.text(clause).contains(';')
                        }) =>
                {
                    at = *only;
                }
                _ => {
                    self.block(alternative, depth + 1, &mut otherwise);
                    break;
                }
            }
        }
        StatementKind::If { branches, otherwise }
    }

    /// `do body while (test);` is an endless loop that is left at its end.
    fn do_statement(&mut self, node: Node<'t>, depth: usize) -> StatementKind {
        let here = self.place(node);
        let first = self.next_id();
        let always = self.emit(ExpressionKind::Constant(Constant::Boolean(true)), here, first);
        let mut body = self.body(node.part("body"), depth);
        let first = self.next_id();
        let test = match node.part("condition") {
            Some(test) => self.expression(test, depth + 1),
            None => self.nothing(here),
        };
        let ends = self.emit(ExpressionKind::Not(test), self.module.span(test), first);
        let leave = Statement { kind: StatementKind::Break, span: here };
        let kind = StatementKind::If { branches: vec![(ends, vec![leave])], otherwise: Vec::new() };
        body.push(Statement { kind, span: here });
        StatementKind::While { test: always, body, otherwise: Vec::new() }
    }

    fn for_statement(&mut self, node: Node<'t>, depth: usize, out: &mut Vec<Statement>) -> StatementKind {
        if let Some(start) = node.part("initializer") {
            self.statement(start, depth + 1, out);
        }
        let test = if let Some(test) = node.part("condition") {
            self.expression(test, depth + 1)
        } else {
            let first = self.next_id();
            self.emit(ExpressionKind::Constant(Constant::Boolean(true)), Span::default(), first)
        };
        let mut body = self.body(node.part("body"), depth);
        if let Some(step) = node.part("update") {
            self.expression_statement(step, depth + 1, &mut body);
        }
        StatementKind::While { test, body, otherwise: Vec::new() }
    }

    fn range_loop(&mut self, node: Node<'t>, depth: usize, out: &mut Vec<Statement>) -> StatementKind {
        if let Some(start) = node.part("initializer") {
            self.statement(start, depth + 1, out);
        }
        let declared = node.part("declarator").map(|node| self.declared(node)).unwrap_or_default();
        let first = self.next_id();
        let target = self.emit(ExpressionKind::Name(declared.name), declared.span, first);
        let iterable = self.field(node, "right", depth);
        let body = self.body(node.part("body"), depth);
        StatementKind::For { target, iterable, body, otherwise: Vec::new() }
    }

    fn switch_statement(&mut self, node: Node<'t>, depth: usize, out: &mut Vec<Statement>) -> StatementKind {
        let subject = self.condition(node, depth, out);
        let mut cases: Vec<MatchCase> = Vec::new();
        let mut pending: Option<Vec<Constant>> = Some(Vec::new());
        let nodes = node.part("body").map(named_children).unwrap_or_default();
        for case in nodes {
            if case.kind() != "case_statement" {
                if let Some(last) = cases.last_mut() {
                    let mut body = std::mem::take(&mut last.body);
                    self.statement(case, depth + 1, &mut body);
                    cases.last_mut().expect("looked at above").body = body;
                }
                continue;
            }
            let value = case.part("value");
            let constant = value.and_then(|value| {
                let id = self.expression(value, depth + 1);
                match &self.module.expression(id).kind {
                    ExpressionKind::Constant(constant) => Some(constant.clone()),
                    _ => None,
                }
            });
            pending = match (pending, constant) {
                (Some(mut known), Some(constant)) => {
                    known.push(constant);
                    Some(known)
                }
                _ => None,
            };
            let mut body = Vec::new();
            for child in named_children(case) {
                if Some(child) != value {
                    self.statement(child, depth + 1, &mut body);
                }
            }
            if body.is_empty() {
                continue;
            }
            if matches!(body.last().map(|last| &last.kind), Some(StatementKind::Break)) {
                body.pop();
            } else {
                // Falls through or leaves: what follows is read on its own all the same.
            }
            let literals = pending.take();
            pending = Some(Vec::new());
            cases.push(MatchCase { literals, names: Vec::new(), guard: None, body });
        }
        StatementKind::Match { subject, cases }
    }

    fn try_statement(&mut self, node: Node<'t>, depth: usize) -> StatementKind {
        let body = self.body(node.part("body"), depth);
        let mut handlers = Vec::new();
        for clause in named_children(node).into_iter().filter(|child| child.kind() == "catch_clause") {
            let parameters = self.parameters(clause.part("parameters"));
            let name: Option<Rc<str>> = parameters.first().map(|parameter| Rc::clone(&parameter.name));
            let body = self.body(clause.part("body"), depth);
            handlers.push(Handler { exception: None, name, body, span: self.place(clause) });
        }
        StatementKind::Try { body, handlers, otherwise: Vec::new(), finally: Vec::new() }
    }
}
