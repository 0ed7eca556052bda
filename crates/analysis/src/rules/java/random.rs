//! # `java/weak-random`, `java/fixed-seed`
//!
//! ## What it does
//!
//! Reports guessable numbers where something must not be guessed, and generators that always start alike.
//!
//! ## Why this is bad
//!
//! A few outputs of `Random` tell all that follow.
//!
//! ## Example
//!
//! ```java
//! String token = Long.toHexString(new Random().nextLong());
//! ```
//!
//! ## Use instead
//!
//! ```java
//! byte[] token = new byte[32];
//! new SecureRandom().nextBytes(token);
//! ```
//!
//! ## References
//!
//! - [CWE-330](https://cwe.mitre.org/data/definitions/330.html)
//! - [CWE-335](https://cwe.mitre.org/data/definitions/335.html)

use codeward_records::{Cwe, Level};

use super::{found, is_written_out};
use crate::flow::Call;
use crate::report::Report;
use crate::rules::evidence::must_be_unguessable;
use crate::rules::{Example, RuleInfo};

pub(super) static WEAK: RuleInfo = RuleInfo {
    code: "CW-JAVA-330-1",
    name: "java/weak-random",
    cwe: &[Cwe(330), Cwe(338)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Something that must not be guessed comes from a guessable generator",
    fix: "use SecureRandom",
    examples: &[Example {
        weak: "String newToken() {\n  Random random = new Random();\n  return Long.toHexString(«random.nextLong»());\n}\n",
        sound: "String newToken() {\n  SecureRandom random = new SecureRandom();\n  return Long.toHexString(random.nextLong());\n}\nint shuffled() {\n  return new Random().nextInt(6);\n}\n",
    }],
};

pub(super) static SEED: RuleInfo = RuleInfo {
    code: "CW-JAVA-335-1",
    name: "java/fixed-seed",
    cwe: &[Cwe(335), Cwe(336)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A secure generator starts from a fixed seed",
    fix: "let it seed itself",
    examples: &[Example {
        weak: "SecureRandom f() {\n  return new SecureRandom(«\"seed\".getBytes()»);\n}\n",
        sound: "SecureRandom f() {\n  return new SecureRandom();\n}\n",
    }],
};

const GUESSABLE: &[&str] = &[
    "Random().nextInt",
    "Random().nextLong",
    "Random().nextDouble",
    "Random().nextFloat",
    "Random().nextBytes",
    "Random().ints",
    "Math.random",
    "ThreadLocalRandom().nextInt",
    "ThreadLocalRandom().nextLong",
    "ThreadLocalRandom().nextBytes",
    "RandomStringUtils.random",
    "RandomStringUtils.randomAlphanumeric",
    "RandomStringUtils.randomAlphabetic",
    "RandomStringUtils.randomNumeric",
    "RandomStringUtils.randomAscii",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(GUESSABLE) {
        let here = call.place.function.rsplit('.').next().unwrap_or_default();
        let is_secret = must_be_unguessable(here) || call.place.targets.iter().any(|name| must_be_unguessable(name));
        if is_secret {
            found(&WEAK, call.callee.span, None, report);
        }
    }
    if call.is(&["new SecureRandom", "SecureRandom().setSeed"])
        && let Some(seed) = call.first().filter(|seed| is_written_out(&seed.value) || seed.value.integer().is_some())
    {
        found(&SEED, seed.span, None, report);
    }
}
