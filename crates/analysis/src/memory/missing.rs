//! Checks that are missing: a value of unknown size is used, and nothing in the function asks about it.

use std::rc::Rc;

use super::rules::{
    CALLBACK, COMPARED_AFTER, CONTAINER_READ, DIFFERENCE, END_IGNORED, ESCAPE, GROWN, HEADER, LENGTH_NARROW, NARROW,
    OFFSET, POINTER_SUM, SHIFT, WALKED,
};
use super::state::Number;
use super::words::holds_any;
use super::{Reader, types};
use crate::syntax::{BinaryOperator, Comparison, ExpressionId, ExpressionKind, Span, Statement, StatementKind};

impl Reader<'_, '_, '_> {
    /// The text between two expressions.
    fn between(&self, left: ExpressionId, right: ExpressionId) -> &str {
        let (start, end) = (self.span(left).end, self.span(right).start);
        if start < end { self.report.written(Span { start, end }) } else { "" }
    }

    /// Whether the operator between two expressions shifts to the left.
    pub(super) fn is_shift(&self, left: ExpressionId, right: ExpressionId) -> bool {
        self.between(left, right).contains("<<")
    }

    /// `left - right` where a length or a limit is expected, and nobody compared the two.
    pub(super) fn check_difference(&mut self, id: ExpressionId) {
        let bare = self.bare(id);
        let ExpressionKind::Binary { operator: BinaryOperator::Subtract, left, right } = self.kind(bare) else {
            return;
        };
        let (Some(left), Some(right)) = (self.key(self.bare(*left)), self.key(self.bare(*right))) else { return };
        let is_size = |key: &Rc<str>| {
            self.variables.get(key).is_some_and(|variable| {
                types::is_unsigned(&variable.kind) || variable.is_parameter && types::is_integer(&variable.kind)
            })
        };
        let was_asked =
            |key: &Rc<str>| self.state.places.get(key).is_some_and(|place| place.has_upper || place.has_lower);
        if is_size(&left) && is_size(&right) && !self.survey.are_compared(&left, &right) && !was_asked(&right) {
            let span = self.span(bare);
            self.report.add(
                &DIFFERENCE,
                span,
                format!("when {right} is more than {left} this wraps around; compare them first"),
                None,
            );
        }
    }

    /// Bytes are read as a structure, and nothing in the function compares anything with its size.
    pub(super) fn check_header(&mut self, id: ExpressionId) {
        let ExpressionKind::Cast { kind, value } = self.kind(id) else { return };
        let is_structure = types::is_pointer(kind)
            && kind.matches('*').count() == 1
            && !kind.contains("void")
            && types::element_size(kind).is_none()
            && !kind.to_ascii_lowercase().contains("byte")
            && !kind.contains("char")
            && !kind.contains("float");
        if !is_structure || self.survey.compares_size {
            return;
        }
        let base = match self.kind(self.bare(*value)) {
            ExpressionKind::Binary { operator: BinaryOperator::Add, left, .. } => self.bare(*left),
            ExpressionKind::Address(inner) => match self.kind(*inner) {
                ExpressionKind::Subscript { base, .. } => self.bare(*base),
                _ => return,
            },
            _ => self.bare(*value),
        };
        let is_bytes = self.variable(base).is_some_and(|variable| {
            !variable.is_array
                && (types::element_size(&variable.kind) == Some(1)
                    || variable.kind.contains("void *")
                    || variable.kind.contains("char *"))
                && variable.kind.matches('*').count() == 1
        });
        let is_length = |(name, variable): (&Rc<str>, &super::Variable)| {
            types::is_integer(&variable.kind)
                && crate::rules::evidence::words(name)
                    .iter()
                    .any(|word| super::numbers::LENGTH_WORDS.contains(&word.as_str()))
        };
        if is_bytes && self.variables.iter().any(is_length) {
            let span = self.span(id);
            self.report.add(
                &HEADER,
                span,
                "fewer bytes may be left than this takes; compare them with its size first",
                None,
            );
        }
    }

    /// `list[n++]` in a loop, and nothing in the function asks about `n`.
    pub(super) fn check_counted(&mut self, base: ExpressionId, index: ExpressionId) {
        let bare = self.bare(index);
        let counter = match self.kind(bare) {
            ExpressionKind::Name(name) => Rc::clone(name),
            ExpressionKind::Binary { left, .. } => match self.kind(*left) {
                ExpressionKind::Named { target, .. } => match self.key(*target) {
                    Some(key) => key,
                    None => return,
                },
                _ => return,
            },
            ExpressionKind::Named { target, .. } => match self.key(*target) {
                Some(key) => key,
                None => return,
            },
            _ => return,
        };
        let is_local = self
            .variables
            .get(&counter)
            .is_some_and(|variable| !variable.is_parameter && types::is_integer(&variable.kind));
        let is_handed = self.variable(base).is_some_and(|variable| variable.is_parameter && !variable.is_array);
        let is_asked = self.survey.is_asked(&counter);
        if is_local && is_handed && !is_asked && self.is_moved(&counter) && self.length_parameter() {
            let span = self.span(index);
            self.report.add(
                &OFFSET,
                span,
                format!("{counter} is compared with nothing; compare it with the length first"),
                None,
            );
        }
    }

    /// Whether some parameter says how long another is.
    fn length_parameter(&self) -> bool {
        self.variables.iter().any(|(name, variable)| {
            variable.is_parameter
                && types::is_integer(&variable.kind)
                && crate::rules::evidence::words(name)
                    .iter()
                    .any(|word| super::numbers::LENGTH_WORDS.contains(&word.as_str()) || word == "sz")
        })
    }

    /// Whether a place is counted or something is added to it.
    fn is_moved(&self, key: &Rc<str>) -> bool {
        self.counters.contains(key) || self.state.places.get(key).is_some_and(|place| place.was_moved)
    }

    /// `READ16(data, offset)` where nobody asks how far `offset` is.
    pub(super) fn check_macro_offset(&mut self, arguments: &[ExpressionId]) {
        let [pointer, offset, ..] = arguments else { return };
        let is_handed = self.variable(self.bare(*pointer)).is_some_and(|variable| {
            variable.is_parameter && types::is_pointer(&variable.kind) && types::element_size(&variable.kind) == Some(1)
        });
        let Some(key) = self.key(self.bare(*offset)) else { return };
        let is_local = self
            .variables
            .get(&key)
            .is_some_and(|variable| !variable.is_parameter && types::is_integer(&variable.kind));
        if is_handed && is_local && self.length_parameter() && !self.survey.is_asked(&key) && self.is_moved(&key) {
            let span = self.span(*offset);
            self.report.add(
                &OFFSET,
                span,
                format!("{key} is compared with nothing; compare it with the length first"),
                None,
            );
        }
    }

    /// A loop within a loop moves the pointer that only the outer one compares with the end.
    pub(super) fn check_inner_loop(&mut self, test: ExpressionId, body: &[Statement]) {
        for at in 0..self.open_loops.len() {
            let outer = self.open_loops[at];
            for key in self.pointers_compared(outer) {
                if self.mentioned(test).contains(&key) || self.is_asked_in(body, &key) {
                    continue;
                }
                if let Some(moved) = self.moved_in(body, &key) {
                    let span = self.span(moved);
                    self.report.add(
                        &END_IGNORED,
                        span,
                        format!("only the outer loop compares {key} with the end; compare it here too"),
                        None,
                    );
                    return;
                }
            }
        }
    }

    /// Pointers that a condition compares with another.
    fn pointers_compared(&self, test: ExpressionId) -> Vec<Rc<str>> {
        match self.kind(self.bare(test)) {
            ExpressionKind::Boolean { left, right, .. } => {
                let mut keys = self.pointers_compared(*left);
                keys.extend(self.pointers_compared(*right));
                keys
            }
            ExpressionKind::Compare { left, links } => {
                let is_order =
                    links.iter().any(|(operator, _)| matches!(operator, Comparison::Less | Comparison::LessEqual));
                self.key(*left)
                    .filter(|key| {
                        is_order && self.variables.get(key).is_some_and(|variable| types::is_pointer(&variable.kind))
                    })
                    .into_iter()
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// Where a pointer is followed and moved on in one.
    fn moved_in(&self, body: &[Statement], key: &Rc<str>) -> Option<ExpressionId> {
        let within = |id: ExpressionId| {
            let first = self.module.expression(id).first;
            (first..=id).find(|at| {
                let ExpressionKind::Dereference(inner) = self.kind(*at) else { return false };
                let first = self.module.expression(*inner).first;
                (first..=*inner).any(|at| matches!(self.kind(at), ExpressionKind::Named { target, .. } if self.key(*target).as_ref() == Some(key)))
            })
        };
        body.iter().find_map(|statement| match &statement.kind {
            StatementKind::Expression(id) => within(*id),
            StatementKind::Assign { targets, value } => {
                within(*value).or_else(|| targets.iter().find_map(|target| within(*target)))
            }
            StatementKind::If { branches, otherwise } => branches
                .iter()
                .find_map(|(test, inner)| within(*test).or_else(|| self.moved_in(inner, key)))
                .or_else(|| self.moved_in(otherwise, key)),
            _ => None,
        })
    }

    /// Whether a condition asks about a place itself, not about what it leads to.
    fn asks_directly(&self, test: ExpressionId, key: &Rc<str>) -> bool {
        let is_key = |id: ExpressionId| self.key(self.bare(id)).as_ref() == Some(key);
        match self.kind(self.bare(test)) {
            ExpressionKind::Not(inner) | ExpressionKind::Splat(inner) => self.asks_directly(*inner, key),
            ExpressionKind::Boolean { left, right, .. } => {
                self.asks_directly(*left, key) || self.asks_directly(*right, key)
            }
            ExpressionKind::Compare { left, links } => is_key(*left) || links.iter().any(|(_, right)| is_key(*right)),
            ExpressionKind::Call { arguments, .. } => arguments.iter().any(|argument| is_key(argument.value)),
            _ => is_key(test),
        }
    }

    /// `if (*p == '\\\\') p++;`: what follows the backslash may be the end of the text.
    pub(super) fn check_escape(&mut self, test: ExpressionId, body: &[Statement]) {
        let ExpressionKind::Compare { left, links } = self.kind(self.bare(test)) else { return };
        let [(Comparison::Equal, letter)] = links.as_slice() else { return };
        if self.number(*letter) != Some(92) && !self.report.written(self.span(*letter)).contains("'\\\\'") {
            return;
        }
        let first = self.module.expression(*left).first;
        let Some(key) = (first..=*left).find_map(|at| match self.kind(at) {
            ExpressionKind::Dereference(inner) | ExpressionKind::Subscript { index: inner, .. } => {
                let first = self.module.expression(*inner).first;
                (first..=*inner).find_map(|at| match self.kind(at) {
                    ExpressionKind::Name(name) => Some(Rc::clone(name)),
                    _ => None,
                })
            }
            _ => None,
        }) else {
            return;
        };
        let Some(statement) = body.first() else { return };
        let moves = match &statement.kind {
            StatementKind::Augment { target, operator: BinaryOperator::Add, .. } => {
                self.key(*target).as_ref() == Some(&key)
            }
            StatementKind::Expression(id) => {
                let first = self.module.expression(*id).first;
                (first..=*id).any(|at| matches!(self.kind(at), ExpressionKind::Named { target, .. } if self.key(*target).as_ref() == Some(&key)))
            }
            _ => false,
        };
        if moves && self.num_loops > 0 {
            self.report.add(
                &ESCAPE,
                statement.span,
                "a backslash may be the last letter; compare what follows it with the end first",
                None,
            );
        }
    }

    /// `item->operations->close(item)` where nobody asks whether there is one.
    pub(super) fn check_callback(&mut self, callee: ExpressionId) {
        let ExpressionKind::Attribute { base, name } = self.kind(callee) else { return };
        let ExpressionKind::Dereference(_) = self.kind(*base) else { return };
        let Some(key) = self.key(callee) else { return };
        let is_optional = matches!(
            name.as_ref(),
            "close" | "exit" | "cleanup" | "destroy" | "release" | "free" | "flush" | "finish" | "deinit" | "shutdown"
        );
        if is_optional && key.matches('.').count() > 1 && self.survey.null_asked(&key) == 0 {
            let span = self.span(callee);
            self.report.add(&CALLBACK, span, "not everything has this operation; compare it with null first", None);
        }
    }

    /// Comparisons whose sides may have wrapped around before.
    pub(super) fn check_wrapped(&mut self, left: ExpressionId, operator: Comparison, right: ExpressionId) {
        if !matches!(
            operator,
            Comparison::Less | Comparison::LessEqual | Comparison::Greater | Comparison::GreaterEqual
        ) {
            return;
        }
        for (one, other) in [(left, right), (right, left)] {
            let bare = self.bare(one);
            if let Some(key) = self.key(bare) {
                let place = self.state.places.get(&key);
                if place.is_some_and(|place| place.number == Number::Product && !place.has_upper)
                    && self.number(other) != Some(0)
                {
                    let span = self.span(one);
                    self.report.add(
                        &COMPARED_AFTER,
                        span,
                        format!("{key} may have wrapped around before; compare the factors instead"),
                        None,
                    );
                }
                continue;
            }
            let ExpressionKind::Binary { operator: BinaryOperator::Add, left: from, right: by } = self.kind(bare)
            else {
                continue;
            };
            let (from, by) = (*from, *by);
            let is_pointer = |id: ExpressionId| {
                self.is_pointer(self.bare(id))
                    || matches!(self.kind(self.bare(id)), ExpressionKind::Dereference(inner) if self.variable(*inner).is_some_and(|variable| variable.kind.contains("**")))
            };
            let is_loose = self.key(self.bare(by)).is_some_and(|key| {
                self.state.places.get(&key).is_none_or(|place| !place.has_upper)
                    && self.number(by).is_none()
                    && self.variables.get(&key).is_some_and(|variable| types::is_integer(&variable.kind))
            });
            if is_pointer(from) && is_pointer(other) && is_loose {
                let span = self.span(bare);
                self.report.add(
                    &POINTER_SUM,
                    span,
                    "a great offset wraps the pointer around; compare the offset with what is left",
                    None,
                );
            }
        }
    }

    /// Whether a sum has a part that a conversion took from four or more bytes of data just now.
    pub(super) fn adds_converted(&self, id: ExpressionId) -> bool {
        match self.kind(self.bare(id)) {
            ExpressionKind::Binary { operator: BinaryOperator::Add, left, right } => {
                self.adds_converted(*left) || self.adds_converted(*right)
            }
            ExpressionKind::Call { .. } => self.as_call(id).is_some_and(|(name, _)| {
                super::calls::is_converting(&name)
                    && (name.contains("32") || name.contains("64") || name.to_ascii_lowercase().ends_with("long"))
            }),
            _ => false,
        }
    }

    /// `1 << (n - 1)` where nobody asked whether `n` is zero or too great.
    pub(super) fn check_shift(&mut self, left: ExpressionId, right: ExpressionId) {
        if self.number(left) != Some(1) || !self.between(left, right).contains("<<") {
            return;
        }
        let ExpressionKind::Binary { operator: BinaryOperator::Subtract, .. } = self.kind(self.bare(right)) else {
            return;
        };
        let mentioned = self.mentioned(right);
        let is_loose = mentioned.iter().any(|key| !self.survey.is_asked(key) && self.number(right).is_none());
        if is_loose && mentioned.iter().any(|key| self.variables.get(key).is_some_and(|variable| variable.is_parameter))
        {
            let span = self.span(right);
            self.report.add(
                &SHIFT,
                span,
                "a shift by less than zero, or by all bits of an int, has no defined result; compare it first",
                None,
            );
        }
    }

    /// A product with `1 << n`, which is an int, whatever the other factor is.
    pub(super) fn check_shifted_factor(&mut self, left: ExpressionId, right: ExpressionId) {
        for factor in [left, right] {
            let bare = self.bare(factor);
            let ExpressionKind::Binary { operator: BinaryOperator::Other, left: one, right: by } = self.kind(bare)
            else {
                continue;
            };
            if self.number(*one) == Some(1)
                && self.between(*one, *by).contains("<<")
                && self.mentioned(*by).iter().any(|key| key.contains('.') && !self.survey.is_asked(key))
            {
                let span = self.span(bare);
                self.report.add(
                    &SHIFT,
                    span,
                    "this is an int, and the product wraps around; shift a number of the type of the result",
                    None,
                );
            }
        }
    }

    /// A counter that ends before its limit does.
    pub(super) fn check_counter(&mut self, test: ExpressionId) {
        let ExpressionKind::Compare { left, links } = self.kind(self.bare(test)) else { return };
        let [(Comparison::Less | Comparison::LessEqual | Comparison::NotEqual, limit)] = links.as_slice() else {
            return;
        };
        let Some(key) = self.key(*left) else { return };
        let width = |key: &str| {
            self.variables
                .get(key)
                .filter(|variable| types::is_integer(&variable.kind))
                .and_then(|variable| types::size(&variable.kind))
        };
        let narrow = width(&key).filter(|width| *width == 1);
        let is_wide = self.number(*limit).is_none()
            && match self.key(self.bare(*limit)) {
                Some(limit) => match self.variables.get(&limit) {
                    Some(_) => width(&limit).is_some_and(|width| width > 1),
                    None => limit.contains('.'),
                },
                None => false,
            };
        if narrow.is_some() && is_wide && self.counters.contains(&key) {
            let span = self.span(*left);
            self.report.add(
                &NARROW,
                span,
                format!("{key} starts again at zero after 255; give it the type of its limit"),
                None,
            );
        }
    }

    /// The size of an allocation is counted in less than a size takes.
    pub(super) fn check_narrowed(&mut self, name: &str, arguments: &[ExpressionId]) {
        if !allocates(name) {
            return;
        }
        for argument in arguments {
            let ExpressionKind::Binary { operator: BinaryOperator::Add | BinaryOperator::Multiply, .. } =
                self.kind(self.bare(*argument))
            else {
                continue;
            };
            for key in self.mentioned(*argument) {
                let is_narrow = self.variables.get(&key).is_some_and(|variable| {
                    types::is_integer(&variable.kind) && types::size(&variable.kind).is_some_and(|size| size < 4)
                });
                let is_loose = self.state.places.get(&key).is_none_or(|place| !place.has_upper);
                if is_narrow && is_loose && !self.survey.is_asked(&key) {
                    let span = self.span(*argument);
                    self.report.add(
                        &LENGTH_NARROW,
                        span,
                        format!("{key} cannot hold the length of a long text; use size_t"),
                        None,
                    );
                    return;
                }
            }
        }
    }

    /// A sum that grew in a loop, without a limit, is the size of an allocation.
    pub(super) fn check_grown(&mut self, name: &str, arguments: &[ExpressionId]) {
        if !allocates(name) {
            return;
        }
        for argument in arguments {
            for key in self.mentioned(*argument) {
                if self.state.places.get(&key).is_some_and(|place| place.is_grown) {
                    let span = self.span(*argument);
                    self.report.add(
                        &GROWN,
                        span,
                        format!("{key} may have wrapped around while it grew; compare it before each addition"),
                        None,
                    );
                    return;
                }
            }
        }
    }

    /// `for (i = 0; i < n; i++, p = p->next)` where nobody asks whether the list ends before.
    pub(super) fn check_walked(&mut self, test: ExpressionId, body: &[Statement]) {
        let asked = self.mentioned(test);
        for statement in body {
            let StatementKind::Assign { targets, value } = &statement.kind else { continue };
            let [target] = targets.as_slice() else { continue };
            let Some(key) = self.key(*target) else { continue };
            let ExpressionKind::Attribute { base, name } = self.kind(self.bare(*value)) else { continue };
            let ExpressionKind::Dereference(inner) = self.kind(*base) else { continue };
            if matches!(name.as_ref(), "next" | "prev" | "link" | "parent" | "sibling")
                && self.key(*inner).as_ref() == Some(&key)
                && !asked.contains(&key)
                && !asked.is_empty()
                && !self.is_asked_in(body, &key)
            {
                let span = self.span(*value);
                self.report.add(
                    &WALKED,
                    span,
                    format!("the list may end before the count does; compare {key} with null too"),
                    None,
                );
            }
        }
    }

    fn is_asked_in(&self, body: &[Statement], key: &Rc<str>) -> bool {
        body.iter().any(|statement| match &statement.kind {
            StatementKind::If { branches, otherwise } => {
                branches.iter().any(|(test, inner)| self.asks_directly(*test, key) || self.is_asked_in(inner, key))
                    || self.is_asked_in(otherwise, key)
            }
            _ => false,
        })
    }

    /// What a pointer leads to may be gone, as its holder gave up its reference.
    pub(super) fn note_given_up(&mut self, name: &str, arguments: &[ExpressionId]) {
        let words = crate::rules::evidence::words(name);
        let is_verb = |word: &String| {
            matches!(word.as_str(), "put" | "unref" | "release" | "unregister" | "destroy" | "delete" | "dispose")
        };
        let gives_up = words.len() > 1 && (words.last().is_some_and(is_verb) || words.first().is_some_and(is_verb));
        let [only] = arguments else { return };
        let bare = self.bare(*only);
        if gives_up
            && self.is_pointer(bare)
            && let Some(key) = self.key(bare)
        {
            let span = self.span(*only);
            self.state.place(&key).given_up = Some(span);
        }
    }

    /// `memcpy(to, list.data(), n)` where nobody asks for the size of `list`.
    pub(super) fn check_container(&mut self, name: &str, arguments: &[ExpressionId]) {
        let ("memcpy" | "memmove", [_, from, length]) = (name, arguments) else { return };
        let ExpressionKind::Call { callee, .. } = self.kind(self.bare(*from)) else { return };
        let ExpressionKind::Attribute { base, name } = self.kind(*callee) else { return };
        let Some(key) = self.key(*base).filter(|_| matches!(name.as_ref(), "data" | "c_str" | "begin")) else { return };
        if !self.survey.measured.contains(&key) && self.number(*length).is_none() {
            let span = self.span(*length);
            self.report.add(
                &CONTAINER_READ,
                span,
                format!("{key} may hold fewer bytes; compare this with its size"),
                None,
            );
        }
    }
}

/// Whether a function's name says that it takes memory.
fn allocates(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    holds_any(&lower, &["alloc", "acquirequantum", "g_new"])
}
