//! The interpreter's state, and how it enters files and functions.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::classes::Classes;
use super::dialect::Dialect;
use super::environment::{Environment, Names, join_values};
use super::value::{Fact, Shape, Source, SourceKind, Taint, Truth, Value, ValueRef, mix, text_key};
use crate::report::Report;
use crate::syntax::{
    ArgumentKind, Constant, ExpressionId, ExpressionKind, Function, FunctionId, Module, SequenceKind, Span,
    StatementKind,
};

/// Calls of functions of the same file are followed this deep.
const MAX_CALL_DEPTH: usize = 4;

/// A value and where it is written.
#[derive(Debug, Clone)]
pub(crate) struct Operand {
    pub(crate) value: ValueRef,
    pub(crate) span: Span,
}

/// Where in the file the interpreter is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// The names of the enclosing functions, innermost last.
    pub(crate) function: Rc<str>,
    /// The names that the running statement assigns to.
    pub(crate) targets: Vec<Rc<str>>,
}

/// A call, as the rules see it.
pub(crate) struct Call<'a> {
    /// The resolved dotted path, for example `subprocess.run` or `sqlite3.connect().execute`; empty when unknown.
    pub(crate) path: &'a str,
    /// The name after the last dot of the callee as it is written.
    pub(crate) method: &'a str,
    /// What stands before the last dot.
    pub(crate) receiver: Option<Operand>,
    pub(crate) callee: Operand,
    pub(crate) positional: Vec<Operand>,
    pub(crate) keywords: Vec<(Rc<str>, Operand)>,
    pub(crate) splat: Option<Operand>,
    pub(crate) double_splat: Option<Operand>,
    /// The whole call.
    pub(crate) span: Span,
    pub(crate) environment: &'a Environment,
    pub(crate) place: &'a Place,
}

impl Call<'_> {
    /// The argument with this keyword or at this position.
    pub(crate) fn argument(&self, position: usize, keyword: &str) -> Option<&Operand> {
        self.keyword(keyword).or_else(|| self.positional.get(position))
    }

    pub(crate) fn keyword(&self, keyword: &str) -> Option<&Operand> {
        self.keywords.iter().find(|(name, _)| name.as_ref() == keyword).map(|(_, operand)| operand)
    }

    pub(crate) fn first(&self) -> Option<&Operand> {
        self.positional.first().or(self.splat.as_ref())
    }

    /// Every argument, in the order of the text.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &Operand> {
        self.positional.iter().chain(&self.splat).chain(self.keywords.iter().map(|(_, v)| v)).chain(&self.double_splat)
    }

    /// The value as the checks passed so far leave it.
    pub(crate) fn live(&self, value: &ValueRef) -> ValueRef {
        self.environment.masked(value)
    }

    pub(crate) fn is(&self, paths: &[&str]) -> bool {
        !self.path.is_empty() && paths.contains(&self.path)
    }

    pub(crate) fn has_method(&self, methods: &[&str]) -> bool {
        self.receiver.is_some() && methods.contains(&self.method)
    }
}

/// What a function call in progress has returned so far.
#[derive(Debug, Default)]
pub(in crate::flow) struct Frame {
    pub(in crate::flow) function: Option<FunctionId>,
    pub(in crate::flow) returns: Vec<(ValueRef, Environment)>,
    /// Spans of the returned expressions, for rules about what a function returns.
    pub(in crate::flow) returned: Vec<Operand>,
    pub(in crate::flow) is_class: bool,
    /// What it returns answers a web request.
    pub(in crate::flow) is_route: bool,
    /// Jumps to labels that stand further down.
    pub(in crate::flow) jumps: Vec<(Rc<str>, Environment)>,
}

/// A loop in progress.
#[derive(Debug, Default)]
pub(in crate::flow) struct Loop {
    pub(in crate::flow) breaks: Vec<Environment>,
    pub(in crate::flow) continues: Vec<Environment>,
}

/// A function that waits to be looked at on its own.
struct Pending {
    function: FunctionId,
    names: Option<Names>,
    is_method: bool,
    place: Rc<str>,
    is_hidden: bool,
}

/// Reads a whole file and tells the rules what happens in it.
pub(crate) struct Interpreter<'m> {
    pub(in crate::flow) module: &'m Module,
    pub(in crate::flow) dialect: &'static Dialect,
    pub(in crate::flow) values: Vec<ValueRef>,
    pub(in crate::flow) environment: Environment,
    pub(in crate::flow) scopes: Vec<Environment>,
    pub(in crate::flow) frames: Vec<Frame>,
    pub(in crate::flow) loops: Vec<Loop>,
    pub(in crate::flow) place: Place,
    pub(in crate::flow) report: Report<'m>,
    /// The container of each element that was taken, by the element's key.
    pub(in crate::flow) containers: BTreeMap<u64, ValueRef>,
    /// Methods of the classes of this file; `None` where two classes share a name.
    pub(in crate::flow) methods: BTreeMap<Rc<str>, Option<FunctionId>>,
    /// Fields of objects that hold a function: `self.run = os.system`.
    pub(in crate::flow) fields: BTreeMap<Rc<str>, ValueRef>,
    /// Names of functions that were followed from a call.
    followed: BTreeSet<FunctionId>,
    pending: Vec<Pending>,
    module_names: Option<Names>,
    /// Evaluations left before we give up.
    pub(in crate::flow) budget: usize,
}

impl<'m> Interpreter<'m> {
    pub(crate) fn new(module: &'m Module, dialect: &'static Dialect, report: Report<'m>, budget: usize) -> Self {
        let nothing = Rc::new(Value::unknown(0));
        Self {
            module,
            dialect,
            values: vec![nothing; module.expressions.len()],
            environment: Environment::default(),
            scopes: Vec::new(),
            frames: Vec::new(),
            loops: Vec::new(),
            place: Place::default(),
            report,
            containers: BTreeMap::new(),
            methods: BTreeMap::new(),
            fields: BTreeMap::new(),
            followed: BTreeSet::new(),
            pending: Vec::new(),
            module_names: None,
            budget,
        }
    }

    /// Reads the file. `None` when it took more evaluations than allowed.
    pub(crate) fn run(mut self) -> Option<Report<'m>> {
        let module = self.module;
        self.frames.push(Frame::default());
        self.block(&module.body);
        self.module_names = Some(std::mem::take(&mut self.environment.names));
        let mut next = 0;
        while next < self.pending.len() && self.budget > 0 {
            self.run_pending(next);
            next += 1;
        }
        (self.budget > 0).then_some(self.report)
    }

    /// Notes a function to be looked at with its parameters as input.
    pub(in crate::flow) fn define(&mut self, function: FunctionId) {
        let module = self.module;
        let definition = &module.functions[function as usize];
        let is_method = self.frames.last().is_some_and(|frame| frame.is_class);
        let is_nested = self.frames.len() > 1 && !is_method;
        if is_method {
            let known = self.methods.get(&definition.name).copied();
            let method = known.map_or(Some(function), |other| other.filter(|other| *other == function));
            self.methods.insert(Rc::clone(&definition.name), method);
        }
        let is_callback = self.dialect.anonymous_are_callbacks && definition.name.is_empty();
        let is_hidden = is_nested || is_callback || definition.name.starts_with('_') && !is_method;
        let place = if self.place.function.is_empty() {
            Rc::clone(&definition.name)
        } else {
            format!("{}.{}", self.place.function, definition.name).into()
        };
        if !self.pending.iter().any(|known| known.function == function) {
            let keeps_names = is_nested || is_method && self.dialect.members_are_names;
            let names = keeps_names.then(|| self.environment.names.clone());
            (self.dialect.hooks.defined)(self.module, function, &mut self.report);
            self.pending.push(Pending { function, names, is_method, place, is_hidden });
        }
    }

    fn run_pending(&mut self, at: usize) {
        let pending = &mut self.pending[at];
        if pending.is_hidden && self.followed.contains(&pending.function) {
            return;
        }
        let function = pending.function;
        let is_method = pending.is_method;
        let names = pending.names.take().or_else(|| self.module_names.clone()).unwrap_or_default();
        self.place = Place { function: Rc::clone(&pending.place), targets: Vec::new() };
        self.environment = Environment { names, ..Environment::default() };
        let module = self.module;
        let definition = &module.functions[function as usize];
        let is_route = definition.decorators.iter().any(|decorator| self.is_route(*decorator));
        let is_static = definition.decorators.iter().any(
            |id| matches!(&module.expression(*id).kind, ExpressionKind::Name(name) if name.as_ref() == "staticmethod"),
        );
        for (position, parameter) in definition.parameters.iter().enumerate() {
            let has_receiver = is_method && !is_static && !self.dialect.receivers.is_empty();
            let is_receiver =
                position == 0 && (has_receiver || self.dialect.receivers.contains(&parameter.name.as_ref()));
            let value = if is_receiver {
                Value::path("self")
            } else if let Some(known) = (self.dialect.parameter)(&definition.parameters, position) {
                known
            } else if self.dialect.anonymous_are_callbacks && definition.name.is_empty() {
                Value::unknown(mix(text_key(&parameter.name), u64::from(function) + 1))
            } else {
                let kind = if is_route { SourceKind::Outside } else { SourceKind::Parameter };
                let kind = if (self.dialect.is_outside_parameter)(&parameter.name, parameter.annotation.as_deref()) {
                    SourceKind::Outside
                } else {
                    kind
                };
                let is_number = is_route
                    && parameter.annotation.as_deref().is_some_and(|kind| self.dialect.number_types.contains(&kind));
                let mut value = Self::parameter(&parameter.name, function, parameter.span, kind);
                // A parameter that nobody passes is its default.
                let default = parameter.default.map(|id| &self.values[id as usize]);
                value.path = default.filter(|default| names_function(default)).and_then(|default| default.path.clone());
                if is_number {
                    value.taints.clear();
                }
                let has_no_text = self.dialect.members_are_names
                    && parameter.annotation.as_deref().is_some_and(|kind| self.dialect.number_types.contains(&kind));
                if has_no_text {
                    value.taints.iter_mut().for_each(|taint| taint.classes = taint.classes & Classes::SIZE);
                }
                let harmful = (self.dialect.parameter_classes)(parameter.annotation.as_deref());
                for taint in &mut value.taints {
                    taint.classes = taint.classes & harmful;
                }
                value.taints.retain(|taint| !taint.classes.is_empty());
                if let Some(path) = parameter.annotation.as_deref().and_then(|kind| self.type_path(kind)) {
                    value.path = Some(path);
                }
                value
            };
            self.environment.names.insert(Rc::clone(&parameter.name), Rc::new(value));
        }
        self.frames.push(Frame { function: Some(function), is_route, ..Frame::default() });
        self.block(&definition.body);
        let frame = self.frames.pop().expect("pushed above");
        (self.dialect.hooks.function)(&frame.returned, &mut self.report);
    }

    /// The path of a value of this type, where types say what their values are.
    pub(in crate::flow) fn type_path(&self, kind: &str) -> Option<Rc<str>> {
        if !self.dialect.types_name_values || kind.is_empty() || self.dialect.number_types.contains(&kind) {
            return None;
        }
        // `sql.DB` is what the package that goes by `sql` has under that name.
        let (head, rest) = kind.split_once('.').map_or((kind, ""), |(head, _)| (head, &kind[head.len()..]));
        let imported = self.environment.names.get(head).and_then(|value| value.path.clone());
        let path = match imported {
            Some(path) => (self.dialect.canonical)(&format!("{path}{rest}")),
            None => (self.dialect.canonical)(kind),
        };
        Some(format!("{path}()").into())
    }

    /// A parameter's value: input under the parameter's name.
    fn parameter(name: &Rc<str>, function: FunctionId, span: Span, kind: SourceKind) -> Value {
        let key = mix(text_key(name), u64::from(function) + 1);
        let mut value = Value::unknown(key);
        value.taints.push(Taint::new(Source { kind, label: Rc::clone(name), span }, key));
        value
    }

    fn is_route(&self, decorator: ExpressionId) -> bool {
        let kind = &self.module.expression(decorator).kind;
        let callee = if let ExpressionKind::Call { callee, .. } = kind { *callee } else { decorator };
        match &self.module.expression(callee).kind {
            ExpressionKind::Attribute { name, .. } | ExpressionKind::Name(name) => {
                self.dialect.route_decorators.contains(&name.as_ref())
            }
            _ => false,
        }
    }

    /// Follows a call of a function of this file. `None` when it is too deep or calls itself.
    pub(in crate::flow) fn follow(&mut self, function: FunctionId, arguments: &Arguments) -> Option<Value> {
        let is_running = self.frames.iter().any(|frame| frame.function == Some(function));
        if is_running || self.frames.len() > MAX_CALL_DEPTH + 1 || self.budget == 0 {
            return None;
        }
        let module = self.module;
        let definition = &module.functions[function as usize];
        if is_placeholder(&definition.body, module) {
            return None;
        }
        let is_generator = yields(&definition.body, module);
        let mut caller_names = self.environment.names.clone();
        if let Some(names) = &self.module_names
            && !self.dialect.members_are_names
            && !self.pending.iter().any(|pending| pending.function == function && pending.is_hidden)
        {
            self.environment.names = names.clone();
        }
        self.bind_arguments(function, arguments);
        let (loops, scopes) = (std::mem::take(&mut self.loops), std::mem::take(&mut self.scopes));
        let place = self.place.clone();
        self.place = Place { function: format!("{}.{}", place.function, definition.name).into(), targets: Vec::new() };
        self.frames.push(Frame { function: Some(function), ..Frame::default() });
        self.block(&definition.body);
        let mut frame = self.frames.pop().expect("pushed above");
        self.place = place;
        (self.loops, self.scopes) = (loops, scopes);
        self.followed.insert(function);
        let end = std::mem::take(&mut self.environment);
        if !end.is_dead {
            frame.returns.push((Rc::new(Value::constant(Constant::None)), end));
        }
        if self.dialect.anonymous_are_callbacks && definition.name.is_empty() {
            for (_, end) in &frame.returns {
                keep_changes(&mut caller_names, end, definition);
            }
        }
        let result = self.combine_returns(&frame.returns, is_generator);
        self.environment.names = caller_names;
        Some(result)
    }

    fn bind_arguments(&mut self, function: FunctionId, arguments: &Arguments) {
        let module = self.module;
        let definition = &module.functions[function as usize];
        let mut positional = arguments.positional.iter();
        let is_method = arguments.is_method;
        for (at, parameter) in definition.parameters.iter().enumerate() {
            let value = match parameter.kind {
                _ if at == 0 && is_method => Rc::new(Value::path("self")),
                ArgumentKind::Positional => {
                    let keyword = arguments.keywords.iter().find(|(name, _)| *name == parameter.name);
                    match keyword.map(|(_, value)| value).or_else(|| positional.next()) {
                        Some(value) => Rc::clone(value),
                        None => match (&arguments.rest, parameter.default) {
                            (Some(rest), _) => Rc::clone(rest),
                            (None, Some(default)) => Rc::clone(&self.values[default as usize]),
                            (None, None) => Rc::new(Value::unknown(text_key(&parameter.name))),
                        },
                    }
                }
                _ => {
                    let mut all = Value::unknown(mix(text_key(&parameter.name), u64::from(function)));
                    for value in positional.by_ref().chain(arguments.keywords.iter().map(|(_, value)| value)) {
                        all.absorb(value, parameter.span);
                    }
                    Rc::new(all)
                }
            };
            self.environment.names.insert(Rc::clone(&parameter.name), value);
        }
    }

    /// One value for all the ways a function returned, and the facts that hold whichever it was.
    fn combine_returns(&mut self, returns: &[(ValueRef, Environment)], is_generator: bool) -> Value {
        let Some(((first, environment), rest)) = returns.split_first() else {
            // It always raises.
            self.environment.is_dead = true;
            return Value::unknown(0);
        };
        let mut value = Value::clone(first);
        let mut facts = environment.facts.clone();
        let place = Span::default();
        for (other, environment) in rest {
            value = join_values(&Rc::new(value), other, place);
            facts = meet(&facts, &environment.facts);
        }
        // Where truth is not asked of other things, whoever returns nothing on success returns something on failure.
        let is_outcome = self.dialect.types_name_values && returns.iter().any(|(value, _)| value.is_none());
        let side = |wanted: bool| -> Vec<Fact> {
            let mut all: Option<BTreeMap<u64, Classes>> = None;
            for (value, environment) in returns {
                let known = value.constant.as_ref().map(Constant::is_truthy).or(is_outcome.then_some(true));
                if known.is_some_and(|known| known != wanted) {
                    continue;
                }
                let mut here = environment.clone();
                if let Some(truth) = &value.truth {
                    here.learn(if wanted { &truth.when_true } else { &truth.when_false });
                }
                all = Some(match all {
                    Some(all) => meet(&all, &here.facts),
                    None => here.facts,
                });
            }
            all.unwrap_or_default().into_iter().collect()
        };
        value.truth = Some(Rc::new(Truth { when_true: side(true), when_false: side(false) }));
        value = with_outcome(value, returns);
        self.environment.facts = facts;
        if is_generator {
            value = Value::unknown(value.key).with_shape(Shape::Repeated(Rc::new(value)));
        }
        value
    }

    /// Adds what facts about all elements of a container say about the container.
    pub(in crate::flow) fn lift(&self, facts: &[Fact]) -> Vec<Fact> {
        let mut lifted = facts.to_vec();
        let mut at = 0;
        while at < lifted.len() && lifted.len() < 64 {
            let (key, classes) = lifted[at];
            if let Some(container) = self.containers.get(&key) {
                for fact in container.facts(classes) {
                    if !lifted.contains(&fact) {
                        lifted.push(fact);
                    }
                }
            }
            at += 1;
        }
        lifted
    }
}

/// What follows from the last of several results, where that says whether the function failed.
fn with_outcome(value: Value, returns: &[(ValueRef, Environment)]) -> Value {
    let Shape::Sequence(SequenceKind::Tuple, items) = &value.shape else { return value };
    let outcomes: Option<Vec<_>> = returns
        .iter()
        .map(|(value, environment)| match &value.shape {
            Shape::Sequence(_, parts) if parts.len() == items.len() => Some((parts.last()?, environment)),
            _ => None,
        })
        .collect();
    let (Some(outcomes), Some(last)) = (outcomes, items.last()) else { return value };
    let is_told = |value: &Value| value.constant.is_some();
    if !outcomes.iter().any(|(outcome, _)| is_told(outcome)) {
        return value;
    }
    let side = |wanted: bool| -> Vec<Fact> {
        // Where one return says plainly that nothing failed, the ones that hand on an error say that something did.
        let is_meant = |outcome: &&(&ValueRef, &Environment)| {
            outcome.0.constant.as_ref().is_none_or(Constant::is_truthy) == wanted
        };
        let mut meant = outcomes.iter().filter(is_meant).map(|(_, environment)| environment.facts.clone());
        let Some(first) = meant.next() else { return Vec::new() };
        meant.fold(first, |all, facts| meet(&all, &facts)).into_iter().collect()
    };
    let mut outcome = Value::clone(last);
    outcome.constant = None;
    outcome.truth = Some(Rc::new(Truth { when_true: side(true), when_false: side(false) }));
    let mut items = items.to_vec();
    items.pop();
    items.push(Rc::new(outcome));
    let mut value = value;
    value.shape = Shape::Sequence(SequenceKind::Tuple, items.into());
    value
}

/// The arguments of a call that is followed.
pub(in crate::flow) struct Arguments {
    pub(in crate::flow) positional: Vec<ValueRef>,
    pub(in crate::flow) keywords: Vec<(Rc<str>, ValueRef)>,
    /// Stands for parameters that a `*` or `**` may have filled.
    pub(in crate::flow) rest: Option<ValueRef>,
    pub(in crate::flow) is_method: bool,
}

/// What a callback did to the names around it stays done.
fn keep_changes(names: &mut BTreeMap<Rc<str>, ValueRef>, end: &Environment, callback: &Function) {
    for (name, value) in names.iter_mut() {
        if let Some(changed) = end.names.get(name)
            && !Rc::ptr_eq(changed, value)
            && callback.parameters.iter().all(|parameter| parameter.name != *name)
        {
            *value = Rc::new(join_values(value, changed, Span::default()));
        }
    }
}

/// Whether a value is a function or class of a library under its own name.
pub(in crate::flow) fn names_function(value: &Value) -> bool {
    !value.path_text().is_empty() && !value.path_text().contains(['(', '[']) && value.constant.is_none()
}

fn meet(left: &BTreeMap<u64, Classes>, right: &BTreeMap<u64, Classes>) -> BTreeMap<u64, Classes> {
    left.iter().filter_map(|(key, classes)| right.get(key).map(|other| (*key, *classes & *other))).collect()
}

/// Whether a body stands for one that is written elsewhere: nothing, a text, `...`, or an error that says so.
fn is_placeholder(body: &[crate::syntax::Statement], module: &Module) -> bool {
    body.iter().all(|statement| match &statement.kind {
        StatementKind::Pass => true,
        StatementKind::Expression(id) => {
            matches!(&module.expression(*id).kind, ExpressionKind::Constant(_) | ExpressionKind::Name(_))
        }
        StatementKind::Raise(parts) => parts.iter().any(|part| match &module.expression(*part).kind {
            ExpressionKind::Name(name) => name.as_ref() == "NotImplementedError",
            ExpressionKind::Call { callee, .. } => {
                matches!(&module.expression(*callee).kind, ExpressionKind::Name(name) if name.as_ref() == "NotImplementedError")
            }
            _ => false,
        }),
        _ => false,
    })
}

/// Whether a function's own statements yield.
fn yields(body: &[crate::syntax::Statement], module: &Module) -> bool {
    let is_yield = |id: ExpressionId| matches!(module.expression(id).kind, ExpressionKind::Yield(_));
    body.iter().any(|statement| match &statement.kind {
        StatementKind::Expression(id) | StatementKind::Assign { value: id, .. } => is_yield(*id),
        StatementKind::If { branches, otherwise } => {
            branches.iter().any(|(_, body)| yields(body, module)) || yields(otherwise, module)
        }
        StatementKind::For { body, .. } | StatementKind::While { body, .. } | StatementKind::With { body, .. } => {
            yields(body, module)
        }
        StatementKind::Try { body, .. } => yields(body, module),
        _ => false,
    })
}
