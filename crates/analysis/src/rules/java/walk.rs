//! Walking the statements of a function without reading them as a program.

use crate::syntax::{ExpressionId, ExpressionKind, Module, Statement, StatementKind};

/// The blocks directly inside a statement.
fn blocks(statement: &Statement) -> Vec<&[Statement]> {
    match &statement.kind {
        StatementKind::If { branches, otherwise } => {
            branches.iter().map(|(_, body)| body.as_slice()).chain([otherwise.as_slice()]).collect()
        }
        StatementKind::While { body, otherwise, .. } | StatementKind::For { body, otherwise, .. } => {
            vec![body, otherwise]
        }
        StatementKind::Try { body, handlers, otherwise, finally } => {
            let handlers = handlers.iter().map(|handler| handler.body.as_slice());
            [body.as_slice(), otherwise, finally].into_iter().chain(handlers).collect()
        }
        StatementKind::With { body, .. } => vec![body],
        StatementKind::Match { cases, .. } => cases.iter().map(|case| case.body.as_slice()).collect(),
        _ => Vec::new(),
    }
}

/// Calls with each block of a function, its own included.
pub(super) fn every_block<'a>(body: &'a [Statement], visit: &mut dyn FnMut(&'a [Statement])) {
    let mut open = vec![body];
    while let Some(block) = open.pop() {
        visit(block);
        for statement in block {
            open.extend(blocks(statement));
        }
    }
}

/// The whole expressions that a statement holds itself.
fn roots(statement: &Statement) -> Vec<ExpressionId> {
    match &statement.kind {
        StatementKind::Expression(id) | StatementKind::Return(Some(id)) | StatementKind::Assert(id) => vec![*id],
        StatementKind::Assign { targets, value } => targets.iter().chain([value]).copied().collect(),
        StatementKind::Declare { value, .. } => value.iter().copied().collect(),
        StatementKind::Augment { target, value, .. } => vec![*target, *value],
        StatementKind::Raise(parts) | StatementKind::Parts(parts) | StatementKind::Delete(parts) => parts.clone(),
        StatementKind::If { branches, .. } => branches.iter().map(|(test, _)| *test).collect(),
        StatementKind::While { test, .. } => vec![*test],
        StatementKind::For { iterable, .. } => vec![*iterable],
        StatementKind::With { items, .. } => items.iter().map(|(value, _)| *value).collect(),
        StatementKind::Match { subject, .. } => vec![*subject],
        _ => Vec::new(),
    }
}

/// Every expression that a statement holds itself, parts included.
pub(super) fn expressions_in<'a>(module: &'a Module, statement: &Statement) -> impl Iterator<Item = ExpressionId> + 'a {
    roots(statement).into_iter().flat_map(|root| module.expression(root).first..=root)
}

/// How a variable is used.
pub(super) struct Uses {
    /// It stands before a dot only, and what stands behind the dot is not `close`.
    pub(super) only_members: bool,
    pub(super) num_members: usize,
}

/// How a variable is used in these statements and the blocks inside them.
pub(super) fn uses_of(module: &Module, statements: &[Statement], name: &str) -> Uses {
    let is_name =
        |id: ExpressionId| matches!(&module.expression(id).kind, ExpressionKind::Name(found) if found.as_ref() == name);
    let (mut num_names, mut num_members, mut is_closed) = (0, 0, false);
    every_block(statements, &mut |block| {
        for id in block.iter().flat_map(|statement| expressions_in(module, statement)) {
            match &module.expression(id).kind {
                ExpressionKind::Name(_) if is_name(id) => num_names += 1,
                ExpressionKind::Attribute { base, name: member } if is_name(*base) => {
                    num_members += 1;
                    is_closed |= member.as_ref() == "close";
                }
                // What runs later may close it.
                ExpressionKind::Closure(_) | ExpressionKind::Lambda { .. } => is_closed = true,
                _ => {}
            }
        }
    });
    Uses { only_members: num_names == num_members && !is_closed, num_members }
}
