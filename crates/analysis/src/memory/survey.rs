//! What a function looks at anywhere: the places that stand in its conditions.
//!
//! Rules about what is missing ask here: where a place is compared with nothing in the whole function, nobody checks it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Reader;
use super::words::holds_any;
use crate::syntax::{BinaryOperator, Comparison, Constant, ExpressionId, ExpressionKind, Statement, StatementKind};

/// Conditions with more parts than this are not taken apart.
const MAX_PARTS: usize = 200;

/// Which place is compared with which is not noted where a side has more parts than this.
const MAX_SIDE: ExpressionId = 24;

/// Words in the names of functions that look at what they are handed.
const ASKING: &[&str] = &[
    "assert", "likely", "return", "fail", "bug_on", "warn_on", "contain", "safe", "expect", "check", "min", "max",
    "valid", "verify", "require", "ensure", "clamp", "bound", "overflow",
];

/// What stands in the conditions of a function.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Places that stand in some condition, whatever is asked of them.
    asked: BTreeSet<Rc<str>>,
    /// Places that are compared with null or asked whether they are set, with how often.
    null_asked: BTreeMap<Rc<str>, usize>,
    /// Pairs of places that stand on the two sides of one comparison.
    compared: BTreeSet<(Rc<str>, Rc<str>)>,
    /// Whether some comparison mentions the size of something.
    pub(super) compares_size: bool,
    /// What a container was asked for its length.
    pub(super) measured: BTreeSet<Rc<str>>,
}

impl Survey {
    /// Whether a place stands in some condition.
    pub(super) fn is_asked(&self, key: &str) -> bool {
        self.asked.contains(key)
    }

    /// How often it is asked whether a place is set.
    pub(super) fn null_asked(&self, key: &str) -> usize {
        self.null_asked.get(key).copied().unwrap_or(0)
    }

    /// Whether two places are compared with each other.
    pub(super) fn are_compared(&self, one: &Rc<str>, other: &Rc<str>) -> bool {
        self.compared.contains(&(Rc::clone(one), Rc::clone(other)))
            || self.compared.contains(&(Rc::clone(other), Rc::clone(one)))
    }
}

impl<'m> Reader<'m, '_, '_> {
    /// Notes what stands in the conditions of statements, and in whatever else decides.
    pub(super) fn survey_conditions(&mut self, statements: &'m [Statement]) {
        for statement in statements {
            match &statement.kind {
                StatementKind::If { branches, otherwise } => {
                    for (test, body) in branches {
                        self.survey_test(*test);
                        self.survey_conditions(body);
                    }
                    self.survey_conditions(otherwise);
                }
                StatementKind::While { test, body, .. } => {
                    self.survey_test(*test);
                    self.survey_conditions(body);
                }
                StatementKind::For { iterable, body, .. } => {
                    self.survey_parts(*iterable);
                    self.survey_conditions(body);
                }
                StatementKind::Match { subject, cases } => {
                    self.survey_asked(*subject);
                    self.survey_parts(*subject);
                    for case in cases {
                        self.survey_conditions(&case.body);
                    }
                }
                StatementKind::Try { body, handlers, .. } => {
                    self.survey_conditions(body);
                    for handler in handlers {
                        self.survey_conditions(&handler.body);
                    }
                }
                StatementKind::With { body, .. } => self.survey_conditions(body),
                StatementKind::Expression(id) | StatementKind::Return(Some(id)) => self.survey_parts(*id),
                StatementKind::Assign { value, .. }
                | StatementKind::Augment { value, .. }
                | StatementKind::Declare { value: Some(value), .. } => self.survey_parts(*value),
                _ => {}
            }
        }
    }

    /// A condition: whatever it mentions is asked about.
    fn survey_test(&mut self, test: ExpressionId) {
        self.survey_set(test);
        self.survey_asked(test);
        self.survey_parts(test);
    }

    /// Conditions within an expression.
    fn survey_parts(&mut self, whole: ExpressionId) {
        let first = self.module.expression(whole).first;
        // Everything from here on stands in a condition that was taken apart already.
        let mut done = ExpressionId::MAX;
        for at in (first..=whole).rev() {
            let is_condition = matches!(
                self.kind(at),
                ExpressionKind::Compare { .. } | ExpressionKind::Boolean { .. } | ExpressionKind::Not(_)
            );
            if is_condition && at < done {
                self.survey_asked(at);
                done = self.module.expression(at).first;
            }
            match self.kind(at) {
                ExpressionKind::Compare { left, links } => {
                    let mut left = *left;
                    for (operator, right) in links {
                        self.survey_link(left, *operator, *right);
                        left = *right;
                    }
                }
                ExpressionKind::Boolean { left, right, .. } => {
                    self.survey_set(*left);
                    self.survey_set(*right);
                }
                ExpressionKind::Not(inner) => {
                    self.survey_set(*inner);
                }
                ExpressionKind::Conditional { test, .. } => {
                    self.survey_set(*test);
                    self.survey_asked(*test);
                }
                ExpressionKind::Call { callee, arguments } => {
                    let name = self.callee(*callee);
                    let lower = name.to_ascii_lowercase();
                    if holds_any(&lower, ASKING) {
                        for argument in arguments {
                            self.survey_asked(argument.value);
                            self.survey_set(argument.value);
                        }
                    }
                    let measures = ["len", "size", "length", "count"].iter().any(|word| lower.ends_with(word));
                    if measures
                        && let ExpressionKind::Attribute { base, .. } = self.kind(*callee)
                        && let Some(key) = self.key(*base)
                    {
                        self.survey.measured.insert(key);
                    }
                }
                _ => {}
            }
        }
    }

    /// An expression that is true where it is set.
    fn survey_set(&mut self, id: ExpressionId) {
        let mut bare = self.bare(id);
        while let ExpressionKind::Not(inner) | ExpressionKind::Splat(inner) = self.kind(bare) {
            bare = self.bare(*inner);
        }
        if let ExpressionKind::Call { .. } = self.kind(bare) {
            for argument in self.as_call(bare).map(|(_, arguments)| arguments).unwrap_or_default() {
                self.note_null_asked(argument);
            }
            return;
        }
        self.note_null_asked(bare);
    }

    fn note_null_asked(&mut self, id: ExpressionId) {
        if let Some(key) = self.key(self.bare(id)) {
            *self.survey.null_asked.entry(key).or_default() += 1;
        }
    }

    /// Whatever an expression mentions is asked about, but for what only says where to look.
    fn survey_asked(&mut self, id: ExpressionId) {
        let first_of = |id: ExpressionId| self.module.expression(id).first;
        // From the last part to the first, so that the whole comes before its parts.
        let mut aside: Vec<(ExpressionId, ExpressionId)> = Vec::new();
        let mut asked = Vec::new();
        let mut has_size = false;
        for at in (first_of(id)..=id).rev() {
            while aside.last().is_some_and(|(first, _)| *first > at) {
                aside.pop();
            }
            let is_aside = aside.last().is_some_and(|(_, last)| *last >= at);
            let part = match self.kind(at) {
                ExpressionKind::Subscript { index, .. } => Some(*index),
                ExpressionKind::Binary { operator: BinaryOperator::Other, left, right }
                    if self.is_shift(*left, *right) =>
                {
                    Some(*right)
                }
                ExpressionKind::Call { callee, .. } => {
                    has_size |= self.callee(*callee).as_ref() == "sizeof";
                    None
                }
                _ => None,
            };
            if let Some(part) = part.filter(|_| !is_aside) {
                aside.push((first_of(part), part));
            }
            if !is_aside {
                asked.extend(self.key(at));
            }
        }
        self.survey.asked.extend(asked);
        self.survey.compares_size |= has_size;
    }

    fn survey_link(&mut self, left: ExpressionId, operator: Comparison, right: ExpressionId) {
        for (one, other) in [(left, right), (right, left)] {
            if matches!(operator, Comparison::Equal | Comparison::NotEqual)
                && matches!(
                    self.kind(self.bare(other)),
                    ExpressionKind::Constant(Constant::None | Constant::Integer(0))
                )
            {
                self.note_null_asked(one);
            }
        }
        let is_short = |id: ExpressionId| id - self.module.expression(id).first < MAX_SIDE;
        if is_short(left) && is_short(right) {
            let (left, right) = (self.mentioned(left), self.mentioned(right));
            for one in &left {
                for other in &right {
                    self.survey.compared.insert((Rc::clone(one), Rc::clone(other)));
                }
            }
        }
    }

    /// The places that an expression mentions.
    pub(super) fn mentioned(&self, id: ExpressionId) -> Vec<Rc<str>> {
        let first = self.module.expression(id).first;
        let is_place = |at: &ExpressionId| {
            matches!(
                self.kind(*at),
                ExpressionKind::Name(_)
                    | ExpressionKind::Attribute { .. }
                    | ExpressionKind::Subscript { .. }
                    | ExpressionKind::Dereference(_)
            )
        };
        (first..=id).take(MAX_PARTS).filter(is_place).filter_map(|at| self.key(at)).collect()
    }
}
