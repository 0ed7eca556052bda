//! # `java/hard-coded-credential` and its kin
//!
//! ## What it does
//!
//! Reports secrets that are written in the program, missing, logged, or compared in a time that depends on them.
//!
//! ## Why this is bad
//!
//! Everyone who has the program has the secret.
//!
//! ## Example
//!
//! ```java
//! DriverManager.getConnection(url, "root", "hunter2");
//! ```
//!
//! ## Use instead
//!
//! ```java
//! DriverManager.getConnection(url, user, settings.password());
//! ```
//!
//! ## References
//!
//! - [CWE-798](https://cwe.mitre.org/data/definitions/798.html)
//! - [CWE-259](https://cwe.mitre.org/data/definitions/259.html)
//! - [CWE-208](https://cwe.mitre.org/data/definitions/208.html)
//! - [CWE-532](https://cwe.mitre.org/data/definitions/532.html)

use codeward_records::{Cwe, Level};

use super::{found, is_logger};
use crate::flow::{Call, Labels, Operand, Piece, ValueRef};
use crate::report::Report;
use crate::rules::evidence::{is_password_name, is_secret_name};
use crate::rules::{Example, RuleInfo};

pub(super) static WRITTEN: RuleInfo = RuleInfo {
    code: "CW-JAVA-798-1",
    name: "java/hard-coded-credential",
    cwe: &[Cwe(798), Cwe(259)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A secret is written in the program",
    fix: "read it from where secrets are kept",
    examples: &[Example {
        weak: "class A {\n  private static final String API_KEY = «\"sk-4f9a8b7c6d\"»;\n  boolean f(String password) {\n    return password.equals(«\"letmein1\"»);\n  }\n}\n",
        sound: "class A {\n  private static final String API_KEY = System.getenv(\"API_KEY\");\n  private static final String PASSWORD_FIELD = \"password\";\n  boolean f(String password, String expected) {\n    return password.equals(expected);\n  }\n}\n",
    }],
};

pub(super) static CONNECTION: RuleInfo = RuleInfo {
    code: "CW-JAVA-259-1",
    name: "java/hard-coded-password",
    cwe: &[Cwe(259), Cwe(798)],
    severity: Level::High,
    confidence: Level::High,
    summary: "The program logs in with a password that is written in it",
    fix: "read it from where secrets are kept",
    examples: &[Example {
        weak: "Connection f(String url) throws SQLException {\n  return DriverManager.getConnection(url, \"root\", «\"hunter2\"»);\n}\n",
        sound: "Connection f(String url, String password) throws SQLException {\n  return DriverManager.getConnection(url, \"root\", password);\n}\n",
    }],
};

pub(super) static EMPTY: RuleInfo = RuleInfo {
    code: "CW-JAVA-258-1",
    name: "java/empty-password",
    cwe: &[Cwe(258), Cwe(521)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "The program logs in with an empty password",
    fix: "give the account a password and read it from where secrets are kept",
    examples: &[Example {
        weak: "Connection f(String url) throws SQLException {\n  return DriverManager.getConnection(url, \"root\", «\"\"»);\n}\n",
        sound: "Connection f(String url, String password) throws SQLException {\n  return DriverManager.getConnection(url, \"root\", password);\n}\n",
    }],
};

pub(super) static LOGGED: RuleInfo = RuleInfo {
    code: "CW-JAVA-532-1",
    name: "java/secret-logged",
    cwe: &[Cwe(532)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A secret is written to a log",
    fix: "leave it out",
    examples: &[Example {
        weak: "void f(String user, String password) {\n  logger.info(\"login of \" + user + \" with \" + «password»);\n}\n",
        sound: "void f(String user, String password) {\n  logger.info(\"login of \" + user);\n}\n",
    }],
};

pub(super) static COMPARED: RuleInfo = RuleInfo {
    code: "CW-JAVA-208-1",
    name: "java/digest-compared",
    cwe: &[Cwe(208)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A code that proves where a message is from is compared byte by byte until one differs",
    fix: "use MessageDigest.isEqual",
    examples: &[Example {
        weak: "boolean f(Mac mac, byte[] message, byte[] code) {\n  return Arrays.equals(«mac.doFinal(message)», code);\n}\n",
        sound: "boolean f(Mac mac, byte[] message, byte[] code) {\n  return MessageDigest.isEqual(mac.doFinal(message), code);\n}\n",
    }],
};

const PLACEHOLDERS: &[&str] =
    &["null", "none", "true", "false", "password", "secret", "token", "string", "bearer", "basic", "changeit"];

/// Whether a literal may be a secret: not empty, no sentence, no placeholder, no name of a field or setting.
fn is_secret(value: &ValueRef, name: &str) -> bool {
    let Some(text) = value.characters() else { return false };
    let plain = text.trim().to_ascii_lowercase();
    plain.len() >= 4
        && !plain.contains(char::is_whitespace)
        && !plain.contains(['<', '{', '%', '/', '*', '$'])
        && !PLACEHOLDERS.contains(&plain.as_str())
        && !name.to_ascii_lowercase().replace('_', "").contains(&plain.replace(['_', '-', '.'], ""))
        && !is_secret_name(text)
        && !(plain.contains('.')
            && plain.chars().all(|letter| letter.is_ascii_alphabetic() || matches!(letter, '.' | '-' | '_')))
}

pub(super) fn assign(name: &str, value: &Operand, report: &mut Report<'_>) {
    if is_secret_name(name) && is_secret(&value.value, name) {
        found(&WRITTEN, value.span, None, report);
    }
}

/// Calls that log in, with the place of the password.
fn password_of<'a>(call: &'a Call<'_>) -> Option<&'a Operand> {
    let at = match call.path {
        "DriverManager.getConnection" if call.positional.len() == 3 => 2,
        "new UsernamePasswordCredentials"
        | "new PasswordAuthentication"
        | "new UsernamePasswordToken"
        | "FTPClient().login"
        | "Credentials.basic"
        | "new KerberosKey" => 1,
        path if path.ends_with("DataSource().setPassword")
            || path.ends_with("Config().setPassword")
            || path == "JSch().setPassword"
            || path == "Session().setPassword" =>
        {
            0
        }
        _ => return None,
    };
    call.positional.get(at)
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if let Some(password) = password_of(call)
        && let Some(text) = password.value.characters()
    {
        found(if text.is_empty() { &EMPTY } else { &CONNECTION }, password.span, None, report);
    }
    if let ("equals" | "equalsIgnoreCase", Some(receiver), Some(other)) = (call.method, &call.receiver, call.first()) {
        for (secret, literal) in [(receiver, other), (other, receiver)] {
            if is_named_secret(&secret.value) && is_secret(&literal.value, "") {
                found(&WRITTEN, literal.span, None, report);
            }
        }
    }
    if call.is(&["Arrays.equals"]) || matches!(call.method, "equals") {
        let sides = call.receiver.iter().chain(&call.positional);
        if let Some(digest) = sides
            .into_iter()
            .find(|side| side.value.labels.has(Labels::DIGEST) && side.value.path_text().contains("Mac()"))
        {
            found(&COMPARED, digest.span, None, report);
        }
    }
    if is_logger(call) {
        for operand in &call.positional {
            for piece in operand.value.pieces(operand.span) {
                if let Piece::Hole { value, span } = piece
                    && is_named_secret(&value)
                {
                    found(&LOGGED, span, value.taints.first(), report);
                }
            }
        }
    }
}

/// Whether a value is a parameter or field whose name says that it is a secret.
fn is_named_secret(value: &ValueRef) -> bool {
    let is_name = |name: &str| is_secret_name(name) || is_password_name(name) && !name.contains(' ');
    value.taints.iter().any(|taint| taint.enters_as(value) && is_name(&taint.source.label))
        || !value.path_text().is_empty() && !value.path_text().contains(['(', '.']) && is_name(value.path_text())
}
