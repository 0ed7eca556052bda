//! # `py/jwt-unverified`
//!
//! ## What it does
//!
//! Reports `jwt.decode` with verification switched off, with the algorithm `none`, or with an algorithm taken from the token.
//!
//! ## Why this is bad
//!
//! Anyone can write a token that is believed.
//!
//! ## Example
//!
//! ```python
//! jwt.decode(token, key, options={"verify_signature": False})
//! ```
//!
//! ## Use instead
//!
//! ```python
//! jwt.decode(token, key, algorithms=["HS256"])
//! ```
//!
//! ## References
//!
//! - [CWE-347](https://cwe.mitre.org/data/definitions/347.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::evidence::is_parameter_itself;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-347-1",
    name: "py/jwt-unverified",
    cwe: &[Cwe(347)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A token is read without checking its signature",
    fix: "leave verification on and name the algorithms that are expected",
    examples: &[
        Example {
            weak: "import jwt\ndef f(token, key):\n    return jwt.decode(token, key, options=«{'verify_signature': False}»)\n",
            sound: "import jwt\ndef f(token, key):\n    return jwt.decode(token, key, algorithms=['HS256'])\n",
        },
        Example {
            weak: "import jwt\ndef f(token, key):\n    header = jwt.get_unverified_header(token)\n    return jwt.decode(token, key, algorithms=«[header['alg']]»)\n",
            sound: "import jwt\ndef f(token, key):\n    header = jwt.get_unverified_header(token)\n    if header['alg'] not in ('HS256', 'HS512'):\n        raise ValueError\n    return jwt.decode(token, key, algorithms=[header['alg']])\n",
        },
    ],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !call.is(&["jwt.decode", "jose.jwt.decode", "jwt.PyJWT().decode"]) {
        return;
    }
    if let Some(verify) = call.argument(2, "verify").filter(|verify| verify.value.boolean() == Some(false)) {
        report.add(&INFO, verify.span, "the token's signature is not checked; leave verification on", None);
    }
    if let Some(options) = call.keyword("options")
        && options.value.entry("verify_signature").is_some_and(|state| state.boolean() == Some(false))
    {
        report.add(&INFO, options.span, "the token's signature is not checked; leave verification on", None);
    }
    if let Some(algorithms) = call.argument(2, "algorithms") {
        let is_none = |text: &&str| text.eq_ignore_ascii_case("none");
        if algorithms.value.texts().is_some_and(|texts| texts.iter().any(is_none)) {
            report.add(
                &INFO,
                algorithms.span,
                "the algorithm `none` accepts any token; name the algorithm you sign with",
                None,
            );
        } else if let Some(taint) = call.live(&algorithms.value).taint(Classes::ALGORITHM)
            && !is_parameter_itself(&algorithms.value)
        {
            let message = "the token says how it is to be checked; name the algorithm you sign with";
            report.add(&INFO, algorithms.span, message, Some(taint));
        }
    }
}
