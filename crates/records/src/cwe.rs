//! Weakness classes by their number in the Common Weakness Enumeration.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A weakness class of the Common Weakness Enumeration. Written `CWE-78` wherever people or files see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Cwe(pub u16);

/// The text is not of the form `CWE-<number>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a weakness class such as \"CWE-78\"")]
pub struct ParseCweError(String);

/// Short names of the classes that the rules and tasks mention, ordered by number.
const NAMES: &[(u16, &str)] = &[
    (20, "Improper input validation"),
    (22, "Path traversal"),
    (59, "Link following"),
    (73, "External control of file name"),
    (78, "OS command injection"),
    (79, "Cross-site scripting"),
    (88, "Argument injection"),
    (89, "SQL injection"),
    (90, "LDAP injection"),
    (91, "XML injection"),
    (93, "CRLF injection"),
    (94, "Code injection"),
    (95, "Eval injection"),
    (113, "HTTP response splitting"),
    (116, "Improper output encoding"),
    (117, "Log injection"),
    (134, "External control of format string"),
    (200, "Information exposure"),
    (208, "Observable timing discrepancy"),
    (209, "Error message with sensitive information"),
    (250, "Execution with unnecessary privileges"),
    (259, "Hard-coded password"),
    (295, "Improper certificate validation"),
    (312, "Cleartext storage of sensitive information"),
    (319, "Cleartext transmission"),
    (326, "Inadequate encryption strength"),
    (327, "Broken cryptographic algorithm"),
    (328, "Weak hash"),
    (329, "Predictable initialisation vector"),
    (330, "Insufficiently random values"),
    (335, "Incorrect seeding of a generator"),
    (338, "Weak random generator for secrets"),
    (345, "Insufficient verification of authenticity"),
    (347, "Improper verification of a signature"),
    (352, "Cross-site request forgery"),
    (367, "Time-of-check time-of-use race"),
    (377, "Insecure temporary file"),
    (379, "Temporary file in an exposed directory"),
    (400, "Uncontrolled resource consumption"),
    (409, "Decompression bomb"),
    (434, "Unrestricted upload"),
    (470, "Unsafe reflection"),
    (489, "Active debug code"),
    (502, "Unsafe deserialisation"),
    (522, "Insufficiently protected credentials"),
    (601, "Open redirect"),
    (605, "Binding to all interfaces"),
    (611, "XML external entity"),
    (614, "Cookie without the Secure attribute"),
    (639, "Authorisation bypass through a user-controlled key"),
    (643, "XPath injection"),
    (668, "Exposure to the wrong sphere"),
    (703, "Improper handling of exceptional conditions"),
    (732, "Incorrect permission assignment"),
    (760, "Predictable salt"),
    (776, "XML entity expansion"),
    (798, "Hard-coded credentials"),
    (862, "Missing authorisation"),
    (915, "Mass assignment"),
    (916, "Password hash without enough effort"),
    (918, "Server-side request forgery"),
    (943, "NoSQL injection"),
    (1004, "Cookie without the HttpOnly attribute"),
    (1236, "Formula injection in CSV"),
    (1333, "Inefficient regular expression"),
];

impl Cwe {
    /// The short name of the class, or `"unnamed weakness"` for a class outside the table.
    pub fn name(self) -> &'static str {
        match NAMES.binary_search_by_key(&self.0, |(number, _)| *number) {
            Ok(at) => NAMES[at].1,
            Err(_) => "unnamed weakness",
        }
    }
}

impl fmt::Display for Cwe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CWE-{}", self.0)
    }
}

impl From<Cwe> for String {
    fn from(cwe: Cwe) -> Self {
        cwe.to_string()
    }
}

impl TryFrom<String> for Cwe {
    type Error = ParseCweError;

    fn try_from(text: String) -> Result<Self, ParseCweError> {
        text.parse()
    }
}

impl FromStr for Cwe {
    type Err = ParseCweError;

    fn from_str(text: &str) -> Result<Self, ParseCweError> {
        text.strip_prefix("CWE-")
            .filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .map(Cwe)
            .ok_or_else(|| ParseCweError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ordered_so_that_lookups_find_every_name() {
        for (number, name) in NAMES {
            assert_eq!(Cwe(*number).name(), *name);
        }
        assert_eq!(Cwe(9999).name(), "unnamed weakness");
    }

    #[test]
    fn only_the_usual_spelling_parses() {
        assert_eq!("CWE-22".parse(), Ok(Cwe(22)));
        for wrong in ["22", "cwe-22", "CWE-", "CWE-+2", "CWE-99999999"] {
            assert!(wrong.parse::<Cwe>().is_err(), "{wrong}");
        }
    }
}
