//! # `py/duplicate-key`, `py/match-unchecked`, `py/token-never-expires`, `py/guessable-seed`, `py/caller-by-header`
//!
//! ## What it does
//!
//! Notes slips that are rarely a weakness alone: keys that stand twice, matches that may be None, tokens without an end,
//! guessable seeds, callers told by a header.
//!
//! ## Why this is bad
//!
//! Each is a step on the way to one.
//!
//! ## Example
//!
//! ```python
//! x = {'a': 1, 'a': 2}
//! ```
//!
//! ## Use instead
//!
//! ```python
//! x = {'a': 1, 'b': 2}
//! ```
//!
//! ## References
//!
//! - [CWE-462](https://cwe.mitre.org/data/definitions/462.html)
//! - [CWE-476](https://cwe.mitre.org/data/definitions/476.html)
//! - [CWE-613](https://cwe.mitre.org/data/definitions/613.html)
//! - [CWE-337](https://cwe.mitre.org/data/definitions/337.html)
//! - [CWE-290](https://cwe.mitre.org/data/definitions/290.html)
//! - [CWE-348](https://cwe.mitre.org/data/definitions/348.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Labels, Operand, Shape};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};
use crate::syntax::{Comparison, Constant};

pub(super) static KEY: RuleInfo = RuleInfo {
    code: "CW-PY-462-1",
    name: "py/duplicate-key",
    cwe: &[Cwe(462)],
    severity: Level::Low,
    confidence: Level::High,
    summary: "A key stands twice in a dictionary",
    fix: "keep the one that is meant",
    examples: &[Example { weak: "x = {'a': 1, «'a'»: 2}\n", sound: "x = {'a': 1, 'b': 2}\n" }],
};

pub(super) static MATCH: RuleInfo = RuleInfo {
    code: "CW-PY-476-1",
    name: "py/match-unchecked",
    cwe: &[Cwe(476)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A match is used without being looked at, and may be None",
    fix: "test it for None first",
    examples: &[Example {
        weak: "import re\ndef f(text):\n    return «re.match('[a-z]+', text)».group()\n",
        sound: "import re\ndef f(text):\n    found = re.match('[a-z]+', text)\n    return found.group() if found else ''\n",
    }],
};

pub(super) static TOKEN: RuleInfo = RuleInfo {
    code: "CW-PY-613-2",
    name: "py/token-never-expires",
    cwe: &[Cwe(613)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A signed token is valid for ever",
    fix: "give it an exp claim",
    examples: &[Example {
        weak: "import jwt\ndef f(name, key):\n    return jwt.encode(«{'name': name}», key, algorithm='HS256')\n",
        sound: "import jwt\ndef f(name, key, end):\n    return jwt.encode({'name': name, 'exp': end}, key, algorithm='HS256')\n",
    }],
};

pub(super) static SEED: RuleInfo = RuleInfo {
    code: "CW-PY-337-1",
    name: "py/guessable-seed",
    cwe: &[Cwe(337)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A generator starts from a value that can be guessed",
    fix: "draw from the secrets module",
    examples: &[Example {
        weak: "import random, time\nrandom.seed(«time.time()»)\n",
        sound: "import random, os\nrandom.seed(os.urandom(16))\n",
    }],
};

pub(super) static CALLER: RuleInfo = RuleInfo {
    code: "CW-PY-290-1",
    name: "py/caller-by-header",
    cwe: &[Cwe(290), Cwe(348)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Who calls is told by a header that the caller writes",
    fix: "use a signed session or the address of the connection",
    examples: &[Example {
        weak: "from flask import request\ndef f():\n    return request.headers.get('X-Forwarded-For') == «'10.0.0.1'»\n",
        sound: "from flask import request\ndef f():\n    return request.remote_addr == '10.0.0.1'\n",
    }],
};

pub(super) fn dictionary(entries: &[(Option<Operand>, Operand)], report: &mut Report<'_>) {
    let mut seen: Vec<&Constant> = Vec::new();
    for key in entries.iter().take(MOST_KEYS).filter_map(|(key, _)| key.as_ref()) {
        let Some(constant) = &key.value.constant else { continue };
        if seen.contains(&constant) {
            report.add(&KEY, key.span, KEY.advice(), None);
        }
        seen.push(constant);
    }
}

/// Longer dictionaries are tables, made by programs.
const MOST_KEYS: usize = 200;

pub(super) fn compare(left: &Operand, operator: Comparison, right: &Operand, report: &mut Report<'_>) {
    if !matches!(operator, Comparison::Equal | Comparison::NotEqual | Comparison::In | Comparison::NotIn) {
        return;
    }
    let is_header = |operand: &Operand| {
        let told =
            |name: &str| matches!(name.to_ascii_lowercase().as_str(), "x-forwarded-for" | "x-real-ip" | "referer");
        if let Shape::Called { positional, .. } = &operand.value.shape
            && operand.value.path_text().contains(".headers.get")
        {
            return positional.first().and_then(|name| name.text()).is_some_and(told);
        }
        let written = report.written(operand.span).to_ascii_lowercase();
        written.contains("headers") && (written.contains("x-forwarded-for") || written.contains("referer"))
    };
    if is_header(left) && !right.value.is_none() {
        report.add(&CALLER, right.span, CALLER.advice(), None);
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.has_method(&["group", "groups", "groupdict", "start", "end", "span"])
        && let Some(found) = &call.receiver
        && matches!(found.value.path_text(), "re.match()" | "re.search()" | "re.fullmatch()")
        && report.written(found.span).ends_with(')')
    {
        report.add(&MATCH, found.span, MATCH.advice(), None);
    } else if call.is(&["jwt.encode"])
        && let Some(claims) = call.argument(0, "payload")
        && matches!(&claims.value.shape, Shape::Dictionary(entries) if entries.iter().all(|(key, _)| key.is_some()))
        && claims.value.entry("exp").is_none()
    {
        report.add(&TOKEN, claims.span, TOKEN.advice(), None);
    } else if call.is(&["random.seed"])
        && let Some(seed) = call.first().filter(|seed| seed.value.labels.has(Labels::GUESSABLE))
    {
        report.add(&SEED, seed.span, SEED.advice(), None);
    }
}
