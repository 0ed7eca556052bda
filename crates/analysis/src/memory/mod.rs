//! What C and C++ programs do with memory: sizes, lengths, pointers, and what is left of them.
//!
//! A second reading of the lowered tree, function by function, that follows statements in order with jumps to labels further
//! down. It knows places by how they are written (`p`, `*p.next`, `line[i]`) and keeps for each whether it may be null,
//! was given back, was compared with a bound. It is told nothing of other functions than their names.

mod assumptions;
mod buffers;
mod calls;
mod missing;
mod numbers;
mod pointers;
mod rules;
mod state;
mod streams;
mod survey;
mod types;
mod walk;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::report::Report;
use crate::syntax::{Constant, ExpressionId, ExpressionKind, Function, Module, Span};

pub(crate) use rules::RULES;
use state::State;

/// Reads all functions of a file, as many statements and expressions as the budget allows; `None` when that is not enough.
pub(crate) fn check(module: &Module, report: &mut Report<'_>, mut budget: usize) -> Option<()> {
    let counters = counters(module);
    for function in &module.functions {
        let mut reader = Reader::new(module, &counters, report, budget);
        reader.function(function);
        budget = reader.budget;
    }
    (budget > 0).then_some(())
}

/// The names of everything in a file that is counted up or down.
fn counters(module: &Module) -> BTreeSet<Rc<str>> {
    let mut counters = BTreeSet::new();
    for expression in &module.expressions {
        if let ExpressionKind::Named { target, value } = &expression.kind
            && let ExpressionKind::Binary { left, .. } = &module.expression(*value).kind
            && left == target
            && let ExpressionKind::Name(name) = &module.expression(*target).kind
        {
            counters.insert(Rc::clone(name));
        }
    }
    counters
}

/// A variable as it was declared.
#[derive(Debug, Clone)]
struct Variable {
    kind: Rc<str>,
    /// The number of elements of an array, where it is a plain number.
    count: Option<i64>,
    /// The number of elements where it is a name.
    count_name: Option<Rc<str>>,
    is_array: bool,
    is_parameter: bool,
}

/// What one function is read with.
struct Reader<'m, 'r, 's> {
    module: &'m Module,
    /// Names that are counted up or down somewhere in the file.
    counters: &'m BTreeSet<Rc<str>>,
    report: &'r mut Report<'s>,
    budget: usize,
    state: State,
    variables: BTreeMap<Rc<str>, Variable>,
    /// States that wait for a label.
    jumps: Vec<(Rc<str>, State)>,
    /// States that left each open loop or switch.
    breaks: Vec<Vec<State>>,
    /// Everything that is called in the function.
    called: Vec<Rc<str>>,
    /// Arrays that get a terminator somewhere.
    terminated: Vec<Rc<str>>,
    num_loops: usize,
    /// The conditions of the loops that are open.
    open_loops: Vec<ExpressionId>,
    /// Parameters that say how long another parameter is: the pointer and the length.
    lengths: Vec<(Rc<str>, Rc<str>)>,
    /// What the function looks at anywhere.
    survey: survey::Survey,
}

impl<'m, 'r, 's> Reader<'m, 'r, 's> {
    fn new(module: &'m Module, counters: &'m BTreeSet<Rc<str>>, report: &'r mut Report<'s>, budget: usize) -> Self {
        Self {
            module,
            counters,
            report,
            budget,
            state: State::default(),
            variables: BTreeMap::new(),
            jumps: Vec::new(),
            breaks: Vec::new(),
            called: Vec::new(),
            terminated: Vec::new(),
            num_loops: 0,
            open_loops: Vec::new(),
            lengths: Vec::new(),
            survey: survey::Survey::default(),
        }
    }

    fn function(&mut self, function: &'m Function) {
        for parameter in &function.parameters {
            let kind = parameter.annotation.clone().unwrap_or_else(|| "".into());
            if types::is_integer(&kind) {
                self.state.place(&parameter.name).number = state::Number::Input;
            }
            let variable = Variable { kind, count: None, count_name: None, is_array: false, is_parameter: true };
            self.variables.insert(Rc::clone(&parameter.name), variable);
        }
        self.pair_lengths(function);
        self.survey(&function.body);
        self.survey_conditions(&function.body);
        self.block(&function.body);
        if !self.state.is_dead {
            self.leave(None, Span::default());
        }
    }

    fn kind(&self, id: ExpressionId) -> &'m ExpressionKind {
        &self.module.expression(id).kind
    }

    fn span(&self, id: ExpressionId) -> Span {
        self.module.span(id)
    }

    /// An expression without the casts around it.
    fn bare(&self, id: ExpressionId) -> ExpressionId {
        let mut id = id;
        while let ExpressionKind::Cast { value, .. } = self.kind(id) {
            id = *value;
        }
        id
    }

    /// How a place is known, if the expression names one.
    fn key(&self, id: ExpressionId) -> Option<Rc<str>> {
        match self.kind(id) {
            ExpressionKind::Name(name) => Some(Rc::clone(name)),
            ExpressionKind::Cast { value, .. } => self.key(*value),
            ExpressionKind::Named { target, .. } => self.key(*target),
            ExpressionKind::Dereference(inner) => Some(format!("*{}", self.key(*inner)?).into()),
            ExpressionKind::Attribute { base, name } => Some(format!("{}.{name}", self.key(*base)?).into()),
            ExpressionKind::Subscript { base, index } => {
                let index = match self.kind(*index) {
                    ExpressionKind::Constant(Constant::Integer(number)) => number.to_string().into(),
                    ExpressionKind::Name(name) => Rc::clone(name),
                    _ => return None,
                };
                Some(format!("{}[{index}]", self.key(*base)?).into())
            }
            _ => None,
        }
        .filter(|key| key.len() < 120)
    }

    /// The called function's name, without what stands before a dot or colons.
    fn callee(&self, id: ExpressionId) -> Rc<str> {
        match self.kind(id) {
            ExpressionKind::Name(name) => name.rsplit("::").next().unwrap_or(name).into(),
            ExpressionKind::Attribute { name, .. } => Rc::clone(name),
            _ => "".into(),
        }
    }

    /// The name and the arguments of a call.
    fn as_call(&self, id: ExpressionId) -> Option<(Rc<str>, Vec<ExpressionId>)> {
        let ExpressionKind::Call { callee, arguments } = self.kind(self.bare(id)) else { return None };
        Some((self.callee(*callee), arguments.iter().map(|argument| argument.value).collect()))
    }

    fn variable(&self, id: ExpressionId) -> Option<&Variable> {
        match self.kind(self.bare(id)) {
            ExpressionKind::Name(name) => self.variables.get(name),
            _ => None,
        }
    }

    /// The value of a number that the compiler knows.
    fn number(&self, id: ExpressionId) -> Option<i64> {
        match self.kind(id) {
            ExpressionKind::Constant(Constant::Integer(number)) => Some(*number),
            ExpressionKind::Name(name) if !self.variables.contains_key(name) => types::named_size(name),
            ExpressionKind::Cast { value, .. } => self.number(*value),
            ExpressionKind::Negate(inner) => self.number(*inner)?.checked_neg(),
            ExpressionKind::Binary { operator, left, right } => {
                let (left, right) = (self.number(*left)?, self.number(*right)?);
                match operator {
                    crate::syntax::BinaryOperator::Add => left.checked_add(right),
                    crate::syntax::BinaryOperator::Subtract => left.checked_sub(right),
                    crate::syntax::BinaryOperator::Multiply => left.checked_mul(right),
                    crate::syntax::BinaryOperator::Divide => left.checked_div(right),
                    _ => None,
                }
            }
            ExpressionKind::Call { .. } => {
                let (name, arguments) = self.as_call(id)?;
                let only = *arguments.first()?;
                match name.as_ref() {
                    "sizeof" => self.size_of(only),
                    "ARRAY_SIZE" | "G_N_ELEMENTS" | "countof" => self.variable(only)?.count,
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// `sizeof` of a value or a type.
    fn size_of(&self, id: ExpressionId) -> Option<i64> {
        match self.kind(id) {
            ExpressionKind::Name(name) => match self.variables.get(name) {
                Some(variable) if variable.is_array => {
                    let element = types::element_size(&variable.kind)?;
                    variable.count?.checked_mul(element)
                }
                Some(variable) => types::size(&variable.kind),
                None => types::size(name),
            },
            ExpressionKind::Dereference(inner) | ExpressionKind::Subscript { base: inner, .. } => {
                types::element_size(&self.variable(*inner)?.kind)
            }
            _ => None,
        }
    }

    /// The bytes behind a pointer or in an array.
    fn bytes_of(&self, id: ExpressionId) -> Option<i64> {
        if let Some(variable) = self.variable(id).filter(|variable| variable.is_array) {
            return variable.count?.checked_mul(types::element_size(&variable.kind)?);
        }
        let key = self.key(self.bare(id))?;
        self.state.places.get(&key)?.bytes
    }
}
