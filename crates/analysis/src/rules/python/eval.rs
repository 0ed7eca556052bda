//! # `py/eval`
//!
//! ## What it does
//!
//! Reports `eval`, `exec` and `compile` of anything that came from outside, whatever scope it is given.
//!
//! ## Why this is bad
//!
//! An empty scope does not help: attributes of any object lead to every class that is loaded.
//!
//! ## Example
//!
//! ```python
//! eval(text)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! ast.literal_eval(text)
//! ```
//!
//! ## References
//!
//! - [CWE-95](https://cwe.mitre.org/data/definitions/95.html)
//! - [CWE-94](https://cwe.mitre.org/data/definitions/94.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-095-1",
    name: "py/eval",
    cwe: &[Cwe(95), Cwe(94)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Input is run as Python code",
    fix: "use ast.literal_eval for literals, or look the operation up in a table",
    examples: &[Example {
        weak: "def f(text):\n    return eval(«text», {})\n",
        sound: "import ast\ndef f(text):\n    return ast.literal_eval(text)\n",
    }],
};

const FUNCTIONS: &[&str] = &[
    "eval",
    "exec",
    "execfile",
    "compile",
    "code.InteractiveInterpreter().runsource",
    "timeit.timeit",
    "timeit.repeat",
    "pandas.eval",
    "numexpr.evaluate",
    "sympy.sympify",
    "runpy.run_path",
    "code.interact",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !call.is(FUNCTIONS) {
        return;
    }
    let Some(code) = call.first() else { return };
    let only_parses = call.path == "compile"
        && call.argument(3, "flags").is_some_and(|flags| flags.value.path_text() == "ast.PyCF_ONLY_AST");
    if only_parses {
        return;
    }
    let value = call.live(&code.value);
    let is_unknown = value.taints.is_empty() && !value.is_literal() && is_unknown_source(value.path_text());
    if let Some(taint) = value.taint(Classes::CODE) {
        let message = "this runs input as code; use ast.literal_eval for literals, or look the operation up in a table";
        report.add(&INFO, code.span, message, Some(taint));
    } else if is_unknown {
        report.add(
            &INFO,
            code.span,
            "this runs a text of unknown origin as code; look the operation up in a table",
            None,
        );
    }
}

fn is_unknown_source(path: &str) -> bool {
    path.starts_with("self.") || path.contains("read") || path.contains("recv")
}
