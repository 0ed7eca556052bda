//! Runs the tree of a template.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use super::budget::Budget;
use super::moment::Moment;
use super::syntax::{ArgumentList, Expression, ExpressionKind, FilterCall, ForLoop, Macro, Node, NodeKind, Target};
use super::value::{Function, LoopState, Value, append};
use super::{Fault, Outcome, filters, methods, operators, tests_of_values};

/// The most numbers that `range` makes.
const MOST_RANGE: i64 = 100_000;

/// How a piece of a template ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// Arguments of a call, evaluated.
#[derive(Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Value>,
    pub(super) named: Vec<(String, Value)>,
}

impl Arguments {
    /// Takes the argument at a position or of a name.
    pub(super) fn take(&mut self, position: usize, name: &str) -> Option<Value> {
        if let Some(value) = self.positional.get_mut(position) {
            return Some(std::mem::replace(value, Value::None));
        }
        let at = self.named.iter().position(|(known, _)| known == name)?;
        Some(self.named.remove(at).1)
    }

    /// Like [`Arguments::take`], for a flag that is off unless set.
    pub(super) fn flag(&mut self, position: usize, name: &str) -> bool {
        self.take(position, name).is_some_and(|value| value.is_true())
    }
}

type Frame = HashMap<Rc<str>, Value>;

/// A template that is running.
pub(super) struct Interpreter<'a> {
    pub(super) budget: Budget,
    /// The outermost frame holds what was passed in and what is set at the top.
    frames: Vec<Frame>,
    out: String,
    line: u32,
    now: Option<&'a Moment>,
}

impl<'a> Interpreter<'a> {
    pub(super) fn new(budget: Budget, variables: Vec<(Rc<str>, Value)>, now: Option<&'a Moment>) -> Self {
        let frames = vec![variables.into_iter().collect()];
        Self { budget, frames, out: String::new(), line: 1, now }
    }

    /// The line of the statement that ran last.
    pub(super) fn line(&self) -> u32 {
        self.line
    }

    /// Runs a template and gives what it wrote.
    pub(super) fn run(&mut self, nodes: &[Node]) -> Outcome<String> {
        self.nodes(nodes)?;
        Ok(std::mem::take(&mut self.out))
    }

    fn nodes(&mut self, nodes: &[Node]) -> Outcome<Flow> {
        self.budget.enter()?;
        for node in nodes {
            self.line = node.line;
            let flow = self.node(node)?;
            if flow != Flow::Next {
                self.budget.leave();
                return Ok(flow);
            }
        }
        self.budget.leave();
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &Node) -> Outcome<Flow> {
        self.budget.steps(1)?;
        match &node.kind {
            NodeKind::Text(text) => append(&mut self.out, text, &mut self.budget)?,
            NodeKind::Emit(expression) => {
                let value = self.evaluate(expression)?;
                value.write(&mut self.out, &mut self.budget)?;
            }
            NodeKind::If(branches, otherwise) => {
                for (condition, body) in branches {
                    if self.evaluate(condition)?.is_true() {
                        return self.nodes(body);
                    }
                }
                return self.nodes(otherwise);
            }
            NodeKind::For(each) => self.for_loop(each)?,
            NodeKind::Set(target, expression) => {
                let value = self.evaluate(expression)?;
                self.assign(target, value)?;
            }
            NodeKind::SetBlock(target, filters, body) => {
                let text = self.captured(|this| this.scoped(|this| this.nodes(body)))?;
                let value = self.filtered(text, filters)?;
                self.assign(target, value)?;
            }
            NodeKind::Macro(one) => self.set(&one.name, Value::Macro(Arc::clone(one)))?,
            NodeKind::CallBlock(call, caller) => {
                let value = self.call_with_body(call, caller)?;
                value.write(&mut self.out, &mut self.budget)?;
            }
            NodeKind::FilterBlock(filters, body) => {
                let text = self.captured(|this| this.scoped(|this| this.nodes(body)))?;
                let value = self.filtered(text, filters)?;
                value.write(&mut self.out, &mut self.budget)?;
            }
            NodeKind::With(bindings, body) => {
                let values: Outcome<Vec<Value>> = bindings.iter().map(|(_, value)| self.evaluate(value)).collect();
                let values = values?;
                return self.scoped(|this| {
                    for ((target, _), value) in bindings.iter().zip(values) {
                        this.assign(target, value)?;
                    }
                    this.nodes(body)
                });
            }
            NodeKind::Plain(body) => return self.scoped(|this| this.nodes(body)),
            NodeKind::Break => return Ok(Flow::Break),
            NodeKind::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    /// Runs something in a frame of its own.
    fn scoped<T>(&mut self, run: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.frames.push(Frame::new());
        let result = run(self);
        self.frames.pop();
        result
    }

    /// Runs something and takes what it writes.
    fn captured(&mut self, run: impl FnOnce(&mut Self) -> Outcome<Flow>) -> Outcome<Value> {
        let outer = std::mem::take(&mut self.out);
        let result = run(self);
        let text = std::mem::replace(&mut self.out, outer);
        result?;
        Value::text(&text, &mut self.budget)
    }

    fn filtered(&mut self, mut value: Value, filters: &[FilterCall]) -> Outcome<Value> {
        for filter in filters {
            let arguments = self.arguments(&filter.arguments)?;
            value = filters::apply(self, &filter.name, value, arguments)?;
        }
        Ok(value)
    }

    fn for_loop(&mut self, each: &ForLoop) -> Outcome<()> {
        let items = self.evaluate(&each.items)?;
        let mut items = items.elements(&mut self.budget)?;
        if let Some(condition) = &each.condition {
            let mut kept = Vec::new();
            for item in items {
                let keeps = self.scoped(|this| {
                    this.assign(&each.target, item.clone())?;
                    this.evaluate(condition)
                })?;
                if keeps.is_true() {
                    kept.push(item);
                }
            }
            items = kept;
        }
        if items.is_empty() {
            self.scoped(|this| this.nodes(&each.otherwise))?;
            return Ok(());
        }
        let items = Rc::new(items);
        for index in 0..items.len() {
            self.budget.steps(1)?;
            let state = LoopState { items: Rc::clone(&items), index };
            let flow = self.scoped(|this| {
                this.set("loop", Value::Loop(Rc::new(state)))?;
                this.assign(&each.target, items[index].clone())?;
                this.nodes(&each.body)
            })?;
            if flow == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    /// Sets a variable in the innermost frame.
    fn set(&mut self, name: &str, value: Value) -> Outcome<()> {
        self.budget.bytes(2 * size_of::<Value>() + name.len())?;
        let frame = self.frames.last_mut().expect("there is a frame");
        frame.insert(Rc::from(name), value);
        Ok(())
    }

    fn assign(&mut self, target: &Target, value: Value) -> Outcome<()> {
        match target {
            Target::Name(name) => self.set(name, value),
            Target::Attribute(name, attribute) => {
                value.require_storable()?;
                let Value::Namespace(fields) = self.lookup(name) else {
                    return Err(Fault::error(format!("{name} is no namespace, so {name}.{attribute} cannot be set")));
                };
                self.budget.bytes(2 * size_of::<Value>() + attribute.len())?;
                fields.borrow_mut().insert(Rc::from(attribute.as_str()), value);
                Ok(())
            }
            Target::Tuple(targets) => {
                let values = value.elements(&mut self.budget)?;
                if values.len() != targets.len() {
                    let (found, expected) = (values.len(), targets.len());
                    return Err(Fault::error(format!("{found} values do not fit {expected} names")));
                }
                for (target, value) in targets.iter().zip(values) {
                    self.assign(target, value)?;
                }
                Ok(())
            }
        }
    }

    fn lookup(&self, name: &str) -> Value {
        if let Some(value) = self.frames.iter().rev().find_map(|frame| frame.get(name)) {
            return value.clone();
        }
        match name {
            "range" => Value::Function(Function::Range),
            "namespace" => Value::Function(Function::Namespace),
            "dict" => Value::Function(Function::Dict),
            "raise_exception" => Value::Function(Function::RaiseException),
            "strftime_now" => Value::Function(Function::StrftimeNow),
            _ => Value::undefined(name),
        }
    }

    fn arguments(&mut self, list: &ArgumentList) -> Outcome<Arguments> {
        let positional: Outcome<_> = list.positional.iter().map(|value| self.evaluate(value)).collect();
        let named: Outcome<_> =
            list.named.iter().map(|(name, value)| Ok((name.clone(), self.evaluate(value)?))).collect();
        Ok(Arguments { positional: positional?, named: named? })
    }

    fn values(&mut self, expressions: &[Expression]) -> Outcome<Vec<Value>> {
        expressions.iter().map(|expression| self.evaluate(expression)).collect()
    }

    fn evaluate(&mut self, expression: &Expression) -> Outcome<Value> {
        self.budget.steps(1)?;
        self.budget.enter()?;
        let value = self.evaluate_inner(expression)?;
        self.budget.leave();
        Ok(value)
    }

    fn evaluate_inner(&mut self, expression: &Expression) -> Outcome<Value> {
        match &expression.kind {
            ExpressionKind::None => Ok(Value::None),
            ExpressionKind::Bool(flag) => Ok(Value::Bool(*flag)),
            ExpressionKind::Integer(number) => Ok(Value::Integer(*number)),
            ExpressionKind::Float(number) => Ok(Value::Float(*number)),
            ExpressionKind::String(text) => Value::text(text, &mut self.budget),
            ExpressionKind::Name(name) => Ok(self.lookup(name)),
            ExpressionKind::List(items) => {
                let items = self.values(items)?;
                Value::list(items, false, &mut self.budget)
            }
            ExpressionKind::Tuple(items) => {
                let items = self.values(items)?;
                Value::list(items, true, &mut self.budget)
            }
            ExpressionKind::Dict(items) => {
                let pairs: Outcome<_> =
                    items.iter().map(|(key, value)| Ok((self.evaluate(key)?, self.evaluate(value)?))).collect();
                Value::dict(pairs?, &mut self.budget)
            }
            ExpressionKind::Attribute(inner, name) => {
                let inner = self.evaluate(inner)?;
                self.attribute(&inner, name)
            }
            ExpressionKind::Item(inner, index) => {
                let (inner, index) = (self.evaluate(inner)?, self.evaluate(index)?);
                self.item(&inner, &index)
            }
            ExpressionKind::Slice(inner, parts) => {
                let inner = self.evaluate(inner)?;
                let mut bounds = [None; 3];
                for (bound, part) in bounds.iter_mut().zip(parts.iter()) {
                    let Some(part) = part else { continue };
                    *bound = match self.evaluate(part)? {
                        Value::None => None,
                        value => Some(value.integer().ok_or_else(|| Fault::error("a slice needs whole numbers"))?),
                    };
                }
                operators::slice(&inner, bounds, &mut self.budget)
            }
            ExpressionKind::Call(callee, arguments) => self.call(callee, arguments),
            ExpressionKind::Filter(inner, filter) => {
                let value = self.evaluate(inner)?;
                self.filtered(value, std::slice::from_ref(filter))
            }
            ExpressionKind::Test(inner, test) => {
                let value = self.evaluate(inner)?;
                let arguments = self.arguments(&test.arguments)?;
                tests_of_values::holds(self, &test.name, &value, arguments).map(Value::Bool)
            }
            ExpressionKind::Not(inner) => Ok(Value::Bool(!self.evaluate(inner)?.is_true())),
            ExpressionKind::Negative(inner) => operators::negative(&self.evaluate(inner)?),
            ExpressionKind::Positive(inner) => self.evaluate(inner),
            ExpressionKind::Binary(sign, left, right) => {
                let (left, right) = (self.evaluate(left)?, self.evaluate(right)?);
                operators::binary(sign, &left, &right, &mut self.budget)
            }
            ExpressionKind::Compare(first, rest) => self.comparison(first, rest),
            ExpressionKind::And(left, right) => {
                let left = self.evaluate(left)?;
                if left.is_true() { self.evaluate(right) } else { Ok(left) }
            }
            ExpressionKind::Or(left, right) => {
                let left = self.evaluate(left)?;
                if left.is_true() { Ok(left) } else { self.evaluate(right) }
            }
            ExpressionKind::If(condition, then, otherwise) => {
                if self.evaluate(condition)?.is_true() {
                    return self.evaluate(then);
                }
                match otherwise {
                    Some(otherwise) => self.evaluate(otherwise),
                    None => Ok(Value::undefined("an if without an else")),
                }
            }
        }
    }

    fn comparison(&mut self, first: &Expression, rest: &[(&'static str, Expression)]) -> Outcome<Value> {
        let mut left = self.evaluate(first)?;
        for (sign, right) in rest {
            let right = self.evaluate(right)?;
            if !operators::compares(sign, &left, &right, &mut self.budget)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    /// `value.name`: a method, a field, or an entry.
    pub(super) fn attribute(&mut self, value: &Value, name: &str) -> Outcome<Value> {
        if methods::has(value, name) {
            return Ok(Value::Method);
        }
        match value {
            Value::Undefined(what) => Err(Fault::error(format!("{what} is undefined and has no {name}"))),
            Value::Dict(dict) => Ok(dict.get_text(name).cloned().unwrap_or_else(|| Value::undefined(name))),
            Value::Namespace(fields) => {
                Ok(fields.borrow().get(name).cloned().unwrap_or_else(|| Value::undefined(name)))
            }
            Value::Loop(state) => loop_field(state, name),
            Value::Macro(one) if name == "name" => Value::text(&one.name, &mut self.budget),
            _ => Ok(Value::undefined(name)),
        }
    }

    /// `value[index]`: an entry, an element, or a field by its name.
    pub(super) fn item(&mut self, value: &Value, index: &Value) -> Outcome<Value> {
        let missing = || Value::undefined("an element");
        match (value, index) {
            (Value::Undefined(what), _) => Err(Fault::error(format!("{what} is undefined and has no elements"))),
            (Value::Dict(dict), key) => {
                if !matches!(key, Value::Text(_)) {
                    self.budget.steps(dict.entries().len())?;
                }
                match (dict.get(key), key) {
                    (Some(found), _) => Ok(found.clone()),
                    (None, Value::Text(name)) if methods::has(value, name) => Ok(Value::Method),
                    (None, Value::Text(name)) => Ok(Value::Undefined(Rc::clone(name))),
                    (None, _) => Ok(missing()),
                }
            }
            (Value::List(list), index) if index.integer().is_some() => {
                let at = operators::position(index.integer().unwrap_or(0), list.items.len());
                Ok(at.map_or_else(missing, |at| list.items[at].clone()))
            }
            (Value::Text(text), index) if index.integer().is_some() => {
                self.budget.text(text.len())?;
                let at = operators::position(index.integer().unwrap_or(0), text.chars().count());
                match at.and_then(|at| text.chars().nth(at)) {
                    Some(c) => Value::text(c.encode_utf8(&mut [0; 4]), &mut self.budget),
                    None => Ok(missing()),
                }
            }
            (_, Value::Text(name)) => {
                let name = Rc::clone(name);
                self.attribute(value, &name)
            }
            _ => Ok(missing()),
        }
    }

    fn call(&mut self, callee: &Expression, list: &ArgumentList) -> Outcome<Value> {
        if let ExpressionKind::Attribute(inner, name) = &callee.kind {
            let value = self.evaluate(inner)?;
            if methods::has(&value, name) {
                let arguments = self.arguments(list)?;
                return methods::call(&value, name, arguments, &mut self.budget);
            }
            let callee = self.attribute(&value, name)?;
            if let Value::Undefined(_) = callee {
                return Err(Fault::error(format!("{} has no method {name}", value.kind())));
            }
            let arguments = self.arguments(list)?;
            return self.call_value(&callee, arguments, None);
        }
        let callee = self.evaluate(callee)?;
        let arguments = self.arguments(list)?;
        self.call_value(&callee, arguments, None)
    }

    fn call_with_body(&mut self, call: &Expression, body: &Arc<Macro>) -> Outcome<Value> {
        let ExpressionKind::Call(callee, list) = &call.kind else { unreachable!("the parser lets only calls through") };
        let callee = self.evaluate(callee)?;
        let arguments = self.arguments(list)?;
        self.call_value(&callee, arguments, Some(body))
    }

    fn call_value(&mut self, callee: &Value, arguments: Arguments, body: Option<&Arc<Macro>>) -> Outcome<Value> {
        match callee {
            Value::Macro(one) => self.call_macro(one, arguments, body),
            Value::Caller(one) => self.run_macro(one, arguments, None),
            Value::Function(function) => self.call_function(*function, arguments),
            Value::Undefined(name) => Err(Fault::error(format!("{name} is undefined and cannot be called"))),
            _ => Err(Fault::error(format!("{} cannot be called", callee.kind()))),
        }
    }

    /// Calls a macro: it sees what is set at the top of the template, and its parameters.
    fn call_macro(&mut self, one: &Arc<Macro>, arguments: Arguments, body: Option<&Arc<Macro>>) -> Outcome<Value> {
        let inner_frames = self.frames.split_off(1);
        let result = self.run_macro(one, arguments, body);
        self.frames.truncate(1);
        self.frames.extend(inner_frames);
        result
    }

    /// Runs a macro on top of the frames that there are.
    fn run_macro(&mut self, one: &Arc<Macro>, mut arguments: Arguments, body: Option<&Arc<Macro>>) -> Outcome<Value> {
        if arguments.positional.len() > one.parameters.len() {
            return Err(Fault::error(format!("{} takes {} arguments at most", one.name, one.parameters.len())));
        }
        let line = self.line;
        let text = self.scoped(|this| {
            for (position, (name, default)) in one.parameters.iter().enumerate() {
                let value = match (arguments.take(position, name), default) {
                    (Some(value), _) => value,
                    (None, Some(default)) => this.evaluate(default)?,
                    (None, None) => Value::undefined(name),
                };
                this.set(name, value)?;
            }
            if let Some((name, _)) = arguments.named.first() {
                return Err(Fault::error(format!("{} has no parameter {name}", one.name)));
            }
            if let Some(body) = body {
                this.set("caller", Value::Caller(Arc::clone(body)))?;
            }
            this.captured(|this| this.nodes(&one.body))
        })?;
        self.line = line;
        Ok(text)
    }

    fn call_function(&mut self, function: Function, mut arguments: Arguments) -> Outcome<Value> {
        match function {
            Function::Range => {
                let bounds: Option<Vec<i64>> = arguments.positional.iter().map(Value::integer).collect();
                let (first, end, step) = match bounds.as_deref() {
                    Some([end]) => (0, *end, 1),
                    Some([first, end]) => (*first, *end, 1),
                    Some([first, end, step]) if *step != 0 => (*first, *end, *step),
                    _ => return Err(Fault::error("range takes one to three whole numbers")),
                };
                operators::range(first, end, step, MOST_RANGE, &mut self.budget)
            }
            Function::Namespace => {
                let mut fields = BTreeMap::new();
                if let Some(Value::Dict(dict)) = arguments.positional.first() {
                    for (key, value) in dict.entries() {
                        if let Value::Text(key) = key {
                            fields.insert(Rc::clone(key), value.clone());
                        }
                    }
                }
                for (name, value) in arguments.named {
                    value.require_storable()?;
                    fields.insert(Rc::from(name), value);
                }
                self.budget.bytes(4 * size_of::<Value>() * (1 + fields.len()))?;
                Ok(Value::Namespace(Rc::new(RefCell::new(fields))))
            }
            Function::Dict => {
                let mut pairs = match arguments.positional.first() {
                    Some(Value::Dict(dict)) => dict.entries().to_vec(),
                    None => Vec::new(),
                    Some(_) => return Err(Fault::error("dict takes a dict, or values with names")),
                };
                for (name, value) in std::mem::take(&mut arguments.named) {
                    pairs.push((Value::text(&name, &mut self.budget)?, value));
                }
                Value::dict(pairs, &mut self.budget)
            }
            Function::RaiseException => {
                let message = arguments.take(0, "message").unwrap_or(Value::None);
                Err(Fault::Raised(message.to_text(&mut self.budget)?.to_string()))
            }
            Function::StrftimeNow => {
                let format = arguments.take(0, "format").unwrap_or(Value::None);
                let Some(format) = format.as_text() else { return Err(Fault::error("strftime_now takes a format")) };
                let Some(now) = self.now else { return Err(Fault::NoMoment) };
                self.budget.text(16 * format.len())?;
                let text = now.format(format).map_err(Fault::error)?;
                Value::text(&text, &mut self.budget)
            }
        }
    }
}

fn loop_field(state: &LoopState, name: &str) -> Outcome<Value> {
    let (index, count) = (state.index, state.items.len());
    let number = |number: usize| Ok(Value::Integer(number as i64));
    let neighbour = |at: Option<usize>| {
        let found = at.and_then(|at| state.items.get(at)).cloned();
        Ok(found.unwrap_or_else(|| Value::undefined("an item beyond the loop")))
    };
    match name {
        "index" => number(index + 1),
        "index0" => number(index),
        "revindex" => number(count - index),
        "revindex0" => number(count - index - 1),
        "first" => Ok(Value::Bool(index == 0)),
        "last" => Ok(Value::Bool(index + 1 == count)),
        "length" => number(count),
        "previtem" => neighbour(index.checked_sub(1)),
        "nextitem" => neighbour(Some(index + 1)),
        // Only recursive loops go deeper, and there are none here.
        "depth" => number(1),
        "depth0" => number(0),
        _ => Ok(Value::undefined(name)),
    }
}
