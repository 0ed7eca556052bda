//! What the interpreter has to be told about a language: what its library's names mean, and who listens.

use std::rc::Rc;

use super::calls::Event;
use super::classes::Classes;
use super::interpreter::{Interpreter, Operand};
use super::value::{Fact, Truth, Value, ValueRef};
use crate::rules::Hooks;
use crate::syntax::{Argument, Comparison, Constant, Parameter, Span};

/// What follows from the result of a call, and what holds whenever the call returns at all.
type Predicate = fn(&Interpreter<'_>, &Question<'_>) -> (Option<Truth>, Vec<Fact>);

/// One language's library, as far as it matters to input.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a language")]
pub(crate) struct Dialect {
    pub(crate) hooks: &'static Hooks,
    /// The usual name of what a path names.
    pub(in crate::flow) canonical: fn(&str) -> Rc<str>,
    /// The value of a named constant of the library.
    pub(in crate::flow) constant: fn(&str) -> Option<Constant>,
    /// Names whose value is plainly from outside.
    pub(in crate::flow) outside_names: &'static [&'static str],
    /// Calls whose result is plainly from outside.
    pub(in crate::flow) outside_calls: &'static [&'static str],
    /// The same, unless their arguments are input themselves.
    pub(in crate::flow) outside_contents: &'static [&'static str],
    /// Calls whose result says nothing of their arguments.
    pub(in crate::flow) opaque_calls: &'static [&'static str],
    /// Calls that return one of their arguments' elements, or all of them in another container.
    pub(in crate::flow) container_calls: &'static [&'static str],
    /// Methods that add their argument to what they are called on as an element.
    pub(in crate::flow) adding_methods: &'static [&'static str],
    /// Methods that put their arguments, or what these hold, into what they are called on.
    pub(in crate::flow) filling_methods: &'static [&'static str],
    /// Of these, the ones that write to a stream, which stays the stream it is.
    pub(in crate::flow) writing_methods: &'static [&'static str],
    /// Methods that store a value under a key, whatever was stored under it before: the key and the value.
    pub(in crate::flow) keyed_store: fn(&Event) -> Option<(Value, ValueRef)>,
    /// Methods that change what they are called on and return it.
    pub(in crate::flow) returning_methods: &'static [&'static str],
    /// Names that a function's first parameter has when it is the object that the function belongs to.
    pub(in crate::flow) receivers: &'static [&'static str],
    /// Decorators whose last part marks a function as called with the parts of a web request.
    pub(in crate::flow) route_decorators: &'static [&'static str],
    /// Whether a parameter is plainly from outside, by its name and its type.
    pub(in crate::flow) is_outside_parameter: fn(&str, Option<&str>) -> bool,
    /// In which classes a parameter of this type can do harm.
    pub(in crate::flow) parameter_classes: fn(Option<&str>) -> Classes,
    /// A method's first parameter is the object that it is called on, whatever its name.
    pub(in crate::flow) has_declared_receivers: bool,
    /// What the place `at` of `count` gets when the several results of a call are given to several names.
    pub(in crate::flow) unpack: fn(&ValueRef, usize, usize) -> Option<Value>,
    /// Arguments that a call writes to, by their position, with what it writes.
    pub(in crate::flow) written: fn(&Event, &ValueRef) -> Vec<(usize, Value)>,
    /// Declared types name what their values are: `Connection c` has the path `java.sql.Connection()` where that was imported.
    pub(in crate::flow) types_name_values: bool,
    /// `value.name` and `value["name"]` are the same.
    pub(in crate::flow) attributes_are_entries: bool,
    /// Functions without a name are handed to others that call them: their parameters are no input of themselves, and what they do
    /// to names around them stays done.
    pub(in crate::flow) anonymous_are_callbacks: bool,
    /// What a parameter is known to be, by its name and by the others.
    pub(in crate::flow) parameter: fn(&[Parameter], usize) -> Option<Value>,
    /// Whether the type of a declaration says more of a value than the path of what made it: `(path, type path)`.
    pub(in crate::flow) type_decides: fn(&str, &str) -> bool,
    /// Fields and methods of a class are called by their bare names in its methods.
    pub(in crate::flow) members_are_names: bool,
    /// Types of parameters that can hold no text.
    pub(in crate::flow) number_types: &'static [&'static str],
    /// Calls that only find a name: the value they find.
    pub(in crate::flow) reflected: fn(&mut Interpreter<'_>, &Event) -> Option<Value>,
    /// Functions whose effect on input is known, with keys for a value that depends on the arguments alone and for one that is
    /// new at each place. `None` leaves the call to the general rule: everything goes through.
    pub(in crate::flow) function: fn(&mut Interpreter<'_>, &Event, u64, u64) -> Option<Value>,
    /// The same for methods.
    pub(in crate::flow) method: fn(&mut Interpreter<'_>, &Event, &ValueRef, u64, Span) -> Option<Value>,
    /// What a call does to what its arguments point to, with a key that is new at each place.
    pub(in crate::flow) effect: fn(&mut Interpreter<'_>, &Event, &[Argument], u64),
    /// Attributes that say something about their owner.
    pub(in crate::flow) attribute: fn(&mut Value, &ValueRef, &str),
    /// The classes in which a function makes input harmless.
    pub(in crate::flow) sanitised: fn(&Event) -> Classes,
    /// What the result of a call is known to be: random, guessable, a digest.
    pub(in crate::flow) label: fn(&str, &mut Value),
    /// What follows from the result of a call that asks a question, and what holds whenever the call returns at all.
    pub(in crate::flow) predicate: Predicate,
    /// What follows from a comparison, where the language's library knows more of it than the values say.
    pub(in crate::flow) comparison: fn(&ValueRef, Comparison, &ValueRef) -> Option<Truth>,
    /// `left / right`, where that is not division.
    pub(in crate::flow) divide: fn(&Operand, &Operand, Span) -> Option<Value>,
}

/// A call that may ask something.
pub(in crate::flow) struct Question<'a> {
    pub(in crate::flow) path: &'a str,
    pub(in crate::flow) method: &'a str,
    pub(in crate::flow) receiver: Option<&'a ValueRef>,
    pub(in crate::flow) positional: &'a [Operand],
    /// Whether the function is of another file, and not of the library.
    pub(in crate::flow) is_foreign: bool,
}

impl Question<'_> {
    pub(in crate::flow) fn argument(&self, at: usize) -> Option<&ValueRef> {
        self.positional.get(at).map(|operand| &operand.value)
    }
}

impl Dialect {
    /// A language without a library: the start of each one's own.
    pub(in crate::flow) const BARE: Self = Self {
        hooks: &Hooks::NOBODY,
        canonical: |path| path.into(),
        constant: |_| None,
        outside_names: &[],
        outside_calls: &[],
        outside_contents: &[],
        opaque_calls: &[],
        container_calls: &[],
        adding_methods: &[],
        filling_methods: &[],
        writing_methods: &[],
        keyed_store: |_| None,
        returning_methods: &[],
        receivers: &[],
        route_decorators: &[],
        is_outside_parameter: |_, _| false,
        parameter_classes: |_| Classes::ALL,
        has_declared_receivers: false,
        unpack: |_, _, _| None,
        written: |_, _| Vec::new(),
        types_name_values: false,
        attributes_are_entries: false,
        anonymous_are_callbacks: false,
        parameter: |_, _| None,
        type_decides: |_, _| false,
        members_are_names: false,
        number_types: &[],
        reflected: |_, _| None,
        function: |_, _, _, _| None,
        method: |_, _, _, _, _| None,
        effect: |_, _, _, _| {},
        attribute: |_, _, _| {},
        sanitised: |_| Classes::NONE,
        label: |_, _| {},
        predicate: |_, _| (None, Vec::new()),
        comparison: |_, _, _| None,
        divide: |_, _, _| None,
    };
}
