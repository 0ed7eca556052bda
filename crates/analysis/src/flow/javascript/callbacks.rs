//! Functions that are handed to others, which call them.

use std::rc::Rc;

use crate::flow::calls::Event;
use crate::flow::classes::Labels;
use crate::flow::environment::join_values;
use crate::flow::interpreter::{Arguments, Interpreter, Operand};
use crate::flow::value::{Shape, Source, SourceKind, Taint, Value, ValueRef, mix};
use crate::syntax::{FunctionId, Span};

/// Events whose listeners are told nothing that comes from outside.
const QUIET: &[&str] = &[
    "error",
    "close",
    "end",
    "exit",
    "finish",
    "drain",
    "open",
    "listening",
    "connection",
    "connect",
    "SIGINT",
    "SIGTERM",
    "load",
    "click",
    "ready",
    "DOMContentLoaded",
];

/// The function that a value is.
pub(super) fn function_of(value: &Value) -> Option<FunctionId> {
    if let Shape::Function(function) = value.shape { Some(function) } else { None }
}

impl Interpreter<'_> {
    /// Calls a function that was handed over.
    pub(super) fn call_back(&mut self, function: FunctionId, given: Vec<ValueRef>) -> Option<Value> {
        let module = self.module;
        let parameters = &module.functions[function as usize].parameters;
        let mut positional = given;
        for at in positional.len()..parameters.len() {
            let known = (self.dialect.parameter)(parameters, at);
            positional.push(Rc::new(known.unwrap_or_else(|| Value::unknown(mix(u64::from(function), at as u64 + 91)))));
        }
        self.follow(function, &Arguments { positional, keywords: Vec::new(), rest: None, is_method: false })
    }

    /// What happens in the functions among the arguments of a call, and what the call returns where they decide.
    pub(super) fn callbacks(
        &mut self,
        event: &Event,
        receiver: Option<&ValueRef>,
        key: u64,
        span: Span,
    ) -> Option<Value> {
        let is_anonymous = |operand: &Operand, this: &Self| {
            function_of(&operand.value).filter(|id| this.module.functions[*id as usize].name.is_empty())
        };
        let first = event.positional.iter().find_map(|operand| function_of(&operand.value));
        let first = first?;
        if let Some(receiver) = receiver
            && let Some(value) = self.over_elements(event, receiver, first, key, span)
        {
            return Some(value);
        }
        let told = Self::told(event, receiver, span);
        let mut last = None;
        for operand in &event.positional {
            if let Some(function) = is_anonymous(operand, self) {
                last = self.call_back(function, told.iter().cloned().collect());
            }
        }
        match (event.method.as_ref(), receiver) {
            ("then" | "finally" | "catch", Some(receiver)) => {
                let result = last.unwrap_or_else(|| Value::clone(receiver));
                Some(result)
            }
            _ => None,
        }
    }

    /// What the first parameter of a listener is known to be.
    fn told(event: &Event, receiver: Option<&ValueRef>, span: Span) -> Option<ValueRef> {
        match (event.method.as_ref(), receiver) {
            ("then", Some(receiver)) => Some(Rc::clone(receiver)),
            ("catch", Some(_)) => {
                let mut error = Value::unknown(mix(span.start as u64, 93));
                error.labels = Labels::ERROR_TEXT;
                Some(Rc::new(error))
            }
            ("on" | "once" | "addEventListener" | "addListener", Some(receiver)) => {
                let name = event.positional.first().and_then(|name| name.value.text())?;
                let is_message = event.method.as_ref() != "addEventListener" || name == "message";
                let is_local = receiver.path_text().contains("createReadStream")
                    || receiver.path_text().contains("spawn")
                    || receiver.path_text() == "process";
                if QUIET.contains(&name) || !is_message || is_local {
                    return None;
                }
                let mut told = Value::unknown(mix(span.start as u64, 92));
                let source = Source { kind: SourceKind::Outside, label: name.into(), span };
                told.taints.push(Taint::new(source, told.key));
                Some(Rc::new(told))
            }
            _ => None,
        }
    }

    /// Methods that call a function with each element.
    fn over_elements(
        &mut self,
        event: &Event,
        receiver: &ValueRef,
        function: FunctionId,
        key: u64,
        span: Span,
    ) -> Option<Value> {
        let method = event.method.as_ref();
        let is_over = matches!(
            method,
            "map" | "forEach" | "filter" | "find" | "findIndex" | "some" | "every" | "flatMap" | "reduce" | "sort"
        );
        if !is_over || receiver.path_text().starts_with("jquery") {
            return None;
        }
        let receiver_span = event.receiver.as_ref().map_or(span, |operand| operand.span);
        let element = self.element(receiver, receiver_span);
        let given = match method {
            "reduce" => {
                let start =
                    event.positional.get(1).map_or_else(|| Rc::clone(&element), |start| Rc::clone(&start.value));
                vec![start, Rc::clone(&element)]
            }
            "sort" => vec![Rc::clone(&element), Rc::clone(&element)],
            _ => vec![Rc::clone(&element)],
        };
        let result = self.call_back(function, given);
        let mut value = Value::unknown(key);
        match method {
            "map" | "flatMap" => {
                let result = Rc::new(result.unwrap_or_else(|| Value::clone(&element)));
                value.absorb(&result, span);
                Some(value.with_shape(Shape::Repeated(result)))
            }
            "reduce" => {
                let result = Rc::new(result.unwrap_or_else(|| Value::clone(&element)));
                let start = event.positional.get(1).map_or(element, |start| Rc::clone(&start.value));
                Some(join_values(&start, &result, span))
            }
            "filter" => {
                // What passes the test is an element of which the test is true.
                let mut kept = Value::clone(&element);
                if let Some(truth) = result.as_ref().and_then(|result| result.truth.clone()) {
                    let mut environment = crate::flow::Environment::default();
                    environment.learn(&truth.when_true);
                    kept = Value::clone(&environment.masked(&Rc::new(kept)));
                }
                kept.key = mix(kept.key, 94);
                let kept = Rc::new(kept);
                value.absorb(&kept, span);
                Some(value.with_shape(Shape::Repeated(kept)))
            }
            "find" => Some(Value::clone(&element)),
            "some" | "every" => {
                if let Some(truth) = result.as_ref().and_then(|result| result.truth.clone()) {
                    let (when_true, when_false) = if method == "every" {
                        (self.lift(&truth.when_true), Vec::new())
                    } else {
                        (Vec::new(), self.lift(&truth.when_false))
                    };
                    crate::flow::conditions::set_truth(&mut value, when_true, when_false);
                }
                Some(value)
            }
            "sort" => Some(Value::clone(receiver)),
            _ => Some(value),
        }
    }
}
