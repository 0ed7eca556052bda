//! # `py/weak-random`
//!
//! ## What it does
//!
//! Reports `random` where the names, an alphabet of characters or the size say that a secret is made, and identifiers made by
//! hashing the time.
//!
//! ## Why this is bad
//!
//! A few hundred outputs reveal all that follow; the time is known to everyone.
//!
//! ## Example
//!
//! ```python
//! "".join(random.choice(string.hexdigits) for _ in range(32))
//! ```
//!
//! ## Use instead
//!
//! ```python
//! secrets.token_hex(16)
//! ```
//!
//! ## References
//!
//! - [CWE-338](https://cwe.mitre.org/data/definitions/338.html)
//! - [CWE-330](https://cwe.mitre.org/data/definitions/330.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Labels, Operand};
use crate::report::Report;
use crate::rules::evidence::must_be_unguessable;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-338-1",
    name: "py/weak-random",
    cwe: &[Cwe(338), Cwe(330)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A value that must not be guessed comes from a predictable generator",
    fix: "draw it from the secrets module",
    examples: &[Example {
        weak: "import random, hashlib, time\ndef f(user):\n    a = hashlib.sha256(«(user + str(time.time())).encode()»).hexdigest()\n    token = «random.randint»(0, 9)\n    return a, token, «random.getrandbits»(128)\n",
        sound: "import random, secrets\ndef f(user):\n    return random.randint(1, 6), secrets.token_hex(16)\n",
    }],
};

const DRAWS: &[&str] = &[
    "choice",
    "choices",
    "sample",
    "randint",
    "randrange",
    "random",
    "uniform",
    "getrandbits",
    "randbytes",
    "shuffle",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let message = "this value can be predicted; draw it from the secrets module";
    let name = call.path.strip_prefix("random.").map(|rest| rest.strip_prefix("Random().").unwrap_or(rest));
    if let Some(name) = name.filter(|name| DRAWS.contains(name)) {
        let names = [call.place.function.as_ref()].into_iter().chain(call.place.targets.iter().map(AsRef::as_ref));
        let is_named = names.into_iter().any(must_be_unguessable);
        let is_long = matches!(name, "getrandbits" | "randbytes");
        let from_alphabet = matches!(name, "choice" | "choices" | "sample") && call.first().is_some_and(is_alphabet);
        if is_named || is_long || from_alphabet {
            report.add(&INFO, call.callee.span, message, None);
        }
        return;
    }
    let hashes = call.path.starts_with("hashlib.") && !call.path.contains('(');
    if hashes
        && let Some(operand) = call.first()
        && operand.value.labels.has(Labels::GUESSABLE)
        && !operand.value.labels.has(Labels::STRONG_RANDOM)
    {
        report.add(
            &INFO,
            operand.span,
            "the time and the like can be guessed, hashed or not; draw from the secrets module",
            None,
        );
    }
    if call.is(&["uuid.uuid1"]) && call.place.targets.iter().any(|name| must_be_unguessable(name)) {
        report.add(&INFO, call.callee.span, message, None);
    }
}

/// What tells one visitor from another is kept in sessions and cookies.
pub(super) fn element_store(receiver: &Operand, index: &Operand, value: &Operand, report: &mut Report<'_>) {
    let is_kept = report.written(receiver.span).to_ascii_lowercase().contains("session")
        || index.value.text().is_some_and(must_be_unguessable);
    if is_kept && value.value.labels.has(Labels::WEAK_RANDOM) {
        report.add(&INFO, value.span, "this value can be predicted; draw it from the secrets module", None);
    }
}

/// Whether characters are drawn from a literal text of many.
fn is_alphabet(operand: &Operand) -> bool {
    operand.value.characters().is_some_and(|text| text.len() >= 10)
}
