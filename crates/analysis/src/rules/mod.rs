//! The rules: one folder for each language, in it one file for each rule or small family.

pub(crate) mod c;
mod document;
pub(crate) mod evidence;
pub(crate) mod go;
pub(crate) mod java;
pub(crate) mod javascript;
pub(crate) mod python;

use codeward_records::{Cwe, Level, Severity};

use crate::flow::{Call, Environment, Operand, ValueRef};
use crate::report::Report;
use crate::syntax::{Comparison, FunctionId, Handler, Module};

/// What there is to know about a rule before it finds anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleInfo {
    /// The stable code: language, weakness class, number. For example `CW-PY-078-1`.
    pub code: &'static str,
    /// The stable name, for example `py/sql-string-built`.
    pub name: &'static str,
    /// The weakness classes, most specific first.
    pub cwe: &'static [Cwe],
    /// How bad a finding is when it is real.
    pub severity: Severity,
    /// How sure a finding is.
    pub confidence: Level,
    /// What the rule looks for, in one sentence without a full stop.
    pub summary: &'static str,
    /// What to do instead, as half a sentence.
    pub fix: &'static str,
    /// What the rule must and must not report: its documentation, and its test.
    pub examples: &'static [Example],
}

impl RuleInfo {
    /// What is wrong and what to do instead, for rules that have one thing to say.
    pub(crate) fn advice(&self) -> String {
        let mut letters = self.summary.chars();
        let first = letters.next().map(|first| first.to_ascii_lowercase());
        format!("{}{}; {}", first.unwrap_or_default(), letters.as_str(), self.fix)
    }
}

/// A pair of texts that do the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// The rule reports exactly the spans between `«` and `»`, which are not part of the text.
    pub weak: &'static str,
    /// The rule reports nothing.
    pub sound: &'static str,
}

/// Every rule, language by language.
pub fn rules() -> impl Iterator<Item = &'static RuleInfo> {
    [c::RULES, crate::memory::RULES, python::RULES, javascript::RULES, java::RULES, go::RULES].into_iter().flatten()
}

/// A key, where there is one, and its value.
pub(crate) type Entry = (Option<Operand>, Operand);

/// Where the interpreter tells the rules of a language what it sees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hooks {
    /// The whole text, before anything in it.
    pub(crate) file: fn(&str, &mut Report<'_>),
    /// A call.
    pub(crate) call: fn(&Call<'_>, &mut Report<'_>),
    /// Whether handing this function to another is as good as calling it.
    pub(crate) is_dangerous_function: fn(&str) -> bool,
    /// A text was put together.
    pub(crate) text: fn(&Operand, &Environment, &mut Report<'_>),
    /// A value is returned or yielded.
    pub(crate) returned: fn(&Operand, &mut Report<'_>),
    /// A function that answers web requests returns a value.
    pub(crate) responded: fn(&Operand, &mut Report<'_>),
    /// What stands before a function to change it.
    pub(crate) decorator: fn(&Operand, &mut Report<'_>),
    /// A function has been read to its end; these are the values that it returns.
    pub(crate) function: fn(&[Operand], &mut Report<'_>),
    /// A function is defined; its body has not been read yet.
    pub(crate) defined: fn(&Module, FunctionId, &mut Report<'_>),
    /// A name is given a value, or a parameter its default.
    pub(crate) assign: fn(&str, &Operand, &mut Report<'_>),
    /// `receiver.name = value`.
    pub(crate) attribute_store: fn(&Operand, &str, &Operand, &mut Report<'_>),
    /// `receiver[index] = value`.
    pub(crate) element_store: fn(&Operand, &Operand, &Operand, &mut Report<'_>),
    /// `base[index]`.
    pub(crate) subscript: fn(&Operand, &Operand, &mut Report<'_>),
    /// `left and right`, `left or right`.
    pub(crate) boolean: fn(bool, &Operand, &Operand, &mut Report<'_>),
    /// One comparison.
    pub(crate) compare: fn(&Operand, Comparison, &Operand, &mut Report<'_>),
    /// A dictionary is written out.
    pub(crate) dictionary: fn(&[Entry], &mut Report<'_>),
    /// A clause that catches errors.
    pub(crate) handler: fn(&Handler, Option<&ValueRef>, &mut Report<'_>),
}

impl Hooks {
    /// Nobody listens: the start of a language's own.
    pub(crate) const NOBODY: Self = Self {
        file: |_, _| {},
        call: |_, _| {},
        is_dangerous_function: |_| false,
        text: |_, _, _| {},
        returned: |_, _| {},
        responded: |_, _| {},
        decorator: |_, _| {},
        function: |_, _| {},
        defined: |_, _, _| {},
        assign: |_, _, _| {},
        attribute_store: |_, _, _, _| {},
        element_store: |_, _, _, _| {},
        subscript: |_, _, _| {},
        boolean: |_, _, _, _| {},
        compare: |_, _, _, _| {},
        dictionary: |_, _| {},
        handler: |_, _, _| {},
    };
}
