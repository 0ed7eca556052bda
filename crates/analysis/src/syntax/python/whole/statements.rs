//! Lowering of statements.

use std::rc::Rc;

use ruff_python_ast::{self as ast, AnyParameterRef, ArgOrKeyword, ExceptHandler, Expr, Pattern, Stmt};
use ruff_text_size::Ranged;

use super::{Lowering, MAX_BLOCK_DEPTH, operator, span};
use crate::syntax::tree::{
    Argument, ArgumentKind, Constant, ExpressionId, ExpressionKind, Function, Handler, MatchCase, Parameter,
    SequenceKind, Span, Statement, StatementKind,
};

impl Lowering<'_> {
    /// Lowers the statements of a file or of a block.
    pub(super) fn block(&mut self, body: &[Stmt], depth: usize) -> Option<Vec<Statement>> {
        if depth > MAX_BLOCK_DEPTH {
            return None;
        }
        let mut statements = Vec::with_capacity(body.len());
        for statement in body {
            let kind = self.statement(statement, depth)?;
            statements.push(Statement { kind, span: span(statement.range()) });
        }
        Some(statements)
    }

    fn statement(&mut self, statement: &Stmt, depth: usize) -> Option<StatementKind> {
        Some(match statement {
            Stmt::Expr(statement) => match &*statement.value {
                // Several statements there.
                Expr::Tuple(tuple) if !tuple.parenthesized => return None,
                value => StatementKind::Expression(self.expression(value)?),
            },
            Stmt::Assign(assign) => {
                let targets = assign.targets.iter().map(|target| self.expression(target)).collect::<Option<_>>()?;
                StatementKind::Assign { targets, value: self.expression(&assign.value)? }
            }
            Stmt::AnnAssign(assign) => {
                let target = self.expression(&assign.target)?;
                match &assign.value {
                    Some(value) => StatementKind::Assign { targets: vec![target], value: self.expression(value)? },
                    None => StatementKind::Pass,
                }
            }
            Stmt::AugAssign(assign) => {
                let target = self.expression(&assign.target)?;
                let value = self.expression(&assign.value)?;
                StatementKind::Augment { target, operator: operator(assign.op), value }
            }
            Stmt::Return(statement) => StatementKind::Return(self.optional(statement.value.as_deref())?),
            Stmt::Raise(raise) => {
                let parts = [&raise.exc, &raise.cause].into_iter().flatten();
                StatementKind::Raise(parts.map(|part| self.expression(part)).collect::<Option<_>>()?)
            }
            Stmt::Assert(assert) => StatementKind::Assert(self.expression(&assert.test)?),
            Stmt::If(statement) => self.if_statement(statement, depth)?,
            Stmt::While(statement) => {
                let test = self.expression(&statement.test)?;
                let body = self.block(&statement.body, depth + 1)?;
                StatementKind::While { test, body, otherwise: self.block(&statement.orelse, depth + 1)? }
            }
            Stmt::For(statement) => {
                let target = self.expression(&statement.target)?;
                let iterable = self.expression(&statement.iter)?;
                let body = self.block(&statement.body, depth + 1)?;
                StatementKind::For { target, iterable, body, otherwise: self.block(&statement.orelse, depth + 1)? }
            }
            Stmt::Try(statement) => self.try_statement(statement, depth)?,
            Stmt::With(statement) => {
                let items = statement.items.iter().map(|item| {
                    let value = self.expression(&item.context_expr)?;
                    Some((value, self.optional(item.optional_vars.as_deref())?))
                });
                let items = items.collect::<Option<_>>()?;
                StatementKind::With { items, body: self.block(&statement.body, depth + 1)? }
            }
            Stmt::FunctionDef(function) => self.function(function, depth)?,
            Stmt::ClassDef(class) => self.class(class, depth)?,
            Stmt::Import(import) => StatementKind::Import(import.names.iter().map(imported).collect()),
            Stmt::ImportFrom(import) => imported_from(import),
            Stmt::Break(_) => StatementKind::Break,
            Stmt::Continue(_) => StatementKind::Continue,
            Stmt::Pass(_) | Stmt::Global(_) | Stmt::Nonlocal(_) | Stmt::TypeAlias(_) => StatementKind::Pass,
            Stmt::Delete(delete) => StatementKind::Delete(vec![self.deleted(&delete.targets)?]),
            Stmt::Match(statement) => self.match_statement(statement, depth)?,
            Stmt::IpyEscapeCommand(_) => return None,
        })
    }

    /// Several targets are a tuple.
    fn deleted(&mut self, targets: &[Expr]) -> Option<ExpressionId> {
        if let [target] = targets {
            return self.expression(target);
        }
        let first = self.next_id();
        let place = Span { start: span(targets.first()?.range()).start, end: span(targets.last()?.range()).end };
        let kind = self.sequence(SequenceKind::Tuple, targets)?;
        Some(self.emit(kind, place, first))
    }

    fn if_statement(&mut self, statement: &ast::StmtIf, depth: usize) -> Option<StatementKind> {
        let test = self.expression(&statement.test)?;
        let mut branches = vec![(test, self.block(&statement.body, depth + 1)?)];
        let mut otherwise = Vec::new();
        for clause in &statement.elif_else_clauses {
            let test = self.optional(clause.test.as_ref())?;
            let body = self.block(&clause.body, depth + 1)?;
            match test {
                Some(test) => branches.push((test, body)),
                None => otherwise = body,
            }
        }
        Some(StatementKind::If { branches, otherwise })
    }

    fn try_statement(&mut self, statement: &ast::StmtTry, depth: usize) -> Option<StatementKind> {
        let body = self.block(&statement.body, depth + 1)?;
        let handlers = statement.handlers.iter().map(|ExceptHandler::ExceptHandler(handler)| {
            let exception = self.optional(handler.type_.as_deref())?;
            let name = handler.name.as_ref().map(|name| name.id.as_str().into());
            let body = self.block(&handler.body, depth + 1)?;
            Some(Handler { exception, name, body, span: span(handler.range) })
        });
        let handlers = handlers.collect::<Option<_>>()?;
        let otherwise = self.block(&statement.orelse, depth + 1)?;
        let finally = self.block(&statement.finalbody, depth + 1)?;
        Some(StatementKind::Try { body, handlers, otherwise, finally })
    }

    fn match_statement(&mut self, statement: &ast::StmtMatch, depth: usize) -> Option<StatementKind> {
        // Several subjects are not one tuple there.
        if matches!(&*statement.subject, Expr::Tuple(tuple) if !tuple.parenthesized) {
            return None;
        }
        let subject = self.expression(&statement.subject)?;
        let cases = statement.cases.iter().map(|case| {
            let (mut literals, mut names) = (Some(Vec::new()), Vec::new());
            self.pattern(&case.pattern, &mut literals, &mut names)?;
            let guard = self.optional(case.guard.as_deref())?;
            Some(MatchCase { literals, names, guard, body: self.block(&case.body, depth + 1)? })
        });
        Some(StatementKind::Match { subject, cases: cases.collect::<Option<_>>()? })
    }

    /// Collects the literals of a pattern, or learns that it is more than literals. Patterns with parts are left to the other parser.
    fn pattern(
        &mut self,
        pattern: &Pattern,
        literals: &mut Option<Vec<Constant>>,
        names: &mut Vec<Rc<str>>,
    ) -> Option<()> {
        match pattern {
            Pattern::MatchValue(value) => match &*value.value {
                literal @ (Expr::StringLiteral(_) | Expr::NumberLiteral(_)) => {
                    let id = self.expression(literal)?;
                    if let (ExpressionKind::Constant(constant), Some(list)) =
                        (&self.module.expression(id).kind, literals.as_mut())
                    {
                        list.push(constant.clone());
                    }
                }
                _ => return None,
            },
            Pattern::MatchSingleton(_) => {}
            Pattern::MatchOr(either) => {
                for pattern in &either.patterns {
                    self.pattern(pattern, literals, names)?;
                }
            }
            Pattern::MatchAs(capture) if capture.pattern.is_none() => {
                names.extend(capture.name.iter().map(|name| Rc::from(name.id.as_str())));
                *literals = None;
            }
            _ => return None,
        }
        Some(())
    }

    fn decorators(&mut self, decorators: &[ast::Decorator]) -> Option<Vec<ExpressionId>> {
        decorators.iter().map(|decorator| self.expression(&decorator.expression)).collect()
    }

    fn function(&mut self, function: &ast::StmtFunctionDef, depth: usize) -> Option<StatementKind> {
        let decorators = self.decorators(&function.decorator_list)?;
        let mut parameters = Vec::new();
        for parameter in function.parameters.iter_source_order() {
            let is_first_of = |other: Option<&ast::Parameter>| {
                other.is_some_and(|other| std::ptr::eq(other, parameter.as_parameter()))
            };
            let kind = match parameter {
                AnyParameterRef::NonVariadic(_) => ArgumentKind::Positional,
                AnyParameterRef::Variadic(_) if is_first_of(function.parameters.vararg.as_deref()) => {
                    ArgumentKind::Splat
                }
                AnyParameterRef::Variadic(_) => ArgumentKind::DoubleSplat,
            };
            let default = self.optional(parameter.default())?;
            let annotation = parameter.annotation().map(|annotation| self.text(annotation.range()).into());
            let name = &parameter.name();
            let stars = match kind {
                ArgumentKind::Splat => 1,
                ArgumentKind::DoubleSplat => 2,
                ArgumentKind::Positional | ArgumentKind::Keyword(_) => 0,
            };
            let place = span(name.range);
            let place = Span { start: place.start - stars, end: place.end };
            parameters.push(Parameter { name: name.id.as_str().into(), kind, default, annotation, span: place });
        }
        let body = self.block(&function.body, depth + 1)?;
        let id = self.module.functions.len() as u32;
        let name = function.name.id.as_str().into();
        self.module.functions.push(Function { name, parameters, decorators, body });
        Some(StatementKind::Function(id))
    }

    fn class(&mut self, class: &ast::StmtClassDef, depth: usize) -> Option<StatementKind> {
        self.decorators(&class.decorator_list)?;
        let mut bases = Vec::new();
        for base in class.arguments.iter().flat_map(|list| list.iter_source_order()) {
            let (kind, value) = match base {
                ArgOrKeyword::Arg(value) => (ArgumentKind::Positional, value),
                ArgOrKeyword::Keyword(keyword) => {
                    // A mapping of keywords is an argument of its own there.
                    (ArgumentKind::Keyword(keyword.arg.as_ref()?.id.as_str().into()), &keyword.value)
                }
            };
            bases.push(Argument { kind, value: self.expression(value)? });
        }
        let name = class.name.id.as_str().into();
        Some(StatementKind::Class { name, bases, body: self.block(&class.body, depth + 1)? })
    }
}

/// A name that an `import` binds, and the path that it stands for.
fn imported(alias: &ast::Alias) -> (Rc<str>, Rc<str>) {
    let path = alias.name.id.as_str();
    if let Some(name) = &alias.asname {
        return (name.id.as_str().into(), path.into());
    }
    // `import os.path` binds `os`.
    let top = path.split('.').next().unwrap_or(path);
    (top.into(), top.into())
}

fn imported_from(import: &ast::StmtImportFrom) -> StatementKind {
    let module = import.module.as_ref().map_or("", |module| module.id.as_str());
    if import.level == 0 && module == "__future__" {
        return StatementKind::Pass;
    }
    let binding = |alias: &ast::Alias| {
        let path = alias.name.id.as_str();
        if path == "*" {
            return ("*".into(), module.into());
        }
        let name = alias.asname.as_ref().map_or(path, |name| name.id.as_str());
        (name.into(), format!("{module}.{path}").into())
    };
    StatementKind::Import(import.names.iter().map(binding).collect())
}
