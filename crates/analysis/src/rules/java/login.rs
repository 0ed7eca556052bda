//! # `java/token-unverified`, `java/anonymous-bind`
//!
//! ## What it does
//!
//! Reports tokens that are read without a check of their signature, and logins that ask for nothing.
//!
//! ## Why this is bad
//!
//! Anyone can write a token that says what they like.
//!
//! ## Example
//!
//! ```java
//! Jwts.parser().setSigningKey(key).parse(token);
//! ```
//!
//! ## Use instead
//!
//! ```java
//! Jwts.parser().setSigningKey(key).parseClaimsJws(token);
//! ```
//!
//! ## References
//!
//! - [CWE-347](https://cwe.mitre.org/data/definitions/347.html)
//! - [CWE-287](https://cwe.mitre.org/data/definitions/287.html)

use codeward_records::{Cwe, Level};

use super::{found, method_span};
use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static TOKEN: RuleInfo = RuleInfo {
    code: "CW-JAVA-347-1",
    name: "java/token-unverified",
    cwe: &[Cwe(347), Cwe(345)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A token is read without a check of its signature",
    fix: "use the method that only reads signed tokens",
    examples: &[Example {
        weak: "Object f(String token, Key key) {\n  return Jwts.parser().setSigningKey(key).«parse»(token).getBody();\n}\nAlgorithm g() {\n  return Algorithm.«none»();\n}\n",
        sound: "Object f(String token, Key key) {\n  return Jwts.parser().setSigningKey(key).parseClaimsJws(token).getBody();\n}\n",
    }],
};

pub(super) static ANONYMOUS: RuleInfo = RuleInfo {
    code: "CW-JAVA-287-1",
    name: "java/anonymous-bind",
    cwe: &[Cwe(287), Cwe(306)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "The directory is asked without a login",
    fix: "use simple or stronger authentication, over TLS",
    examples: &[Example {
        weak: "void f(Hashtable<String, String> settings) {\n  settings.put(Context.SECURITY_AUTHENTICATION, «\"none\"»);\n}\n",
        sound: "void f(Hashtable<String, String> settings) {\n  settings.put(Context.SECURITY_AUTHENTICATION, \"simple\");\n}\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let reads_any =
        matches!(call.method, "parse" | "parseClaimsJwt" | "parsePlaintextJwt") && call.path.starts_with("Jwts.parser");
    if reads_any || call.is(&["Algorithm.none"]) {
        found(&TOKEN, method_span(call), None, report);
    }
    if let ("put" | "setProperty" | "addToEnvironment", [name, how]) = (call.method, call.positional.as_slice())
        && (name.value.path_text().ends_with("SECURITY_AUTHENTICATION")
            || name.value.text() == Some("java.naming.security.authentication"))
        && how.value.text() == Some("none")
    {
        found(&ANONYMOUS, how.span, None, report);
    }
}
