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
    (23, "Relative path traversal"),
    (36, "Absolute path traversal"),
    (59, "Link following"),
    (73, "External control of file name"),
    (77, "Command injection"),
    (78, "OS command injection"),
    (79, "Cross-site scripting"),
    (88, "Argument injection"),
    (89, "SQL injection"),
    (90, "LDAP injection"),
    (91, "XML injection"),
    (93, "CRLF injection"),
    (94, "Code injection"),
    (95, "Eval injection"),
    (98, "Remote file inclusion"),
    (113, "HTTP response splitting"),
    (116, "Improper output encoding"),
    (117, "Log injection"),
    (119, "Access outside the bounds of a buffer"),
    (120, "Copy without a check of the size"),
    (121, "Stack buffer overflow"),
    (122, "Heap buffer overflow"),
    (125, "Out-of-bounds read"),
    (131, "Wrong calculation of a buffer's size"),
    (134, "External control of format string"),
    (176, "Improper handling of Unicode"),
    (179, "Validation before canonicalisation"),
    (190, "Integer overflow"),
    (191, "Integer underflow"),
    (193, "Off-by-one error"),
    (200, "Information exposure"),
    (208, "Observable timing discrepancy"),
    (209, "Error message with sensitive information"),
    (215, "Sensitive information in debugging code"),
    (250, "Execution with unnecessary privileges"),
    (252, "Unchecked return value"),
    (259, "Hard-coded password"),
    (276, "Loose default permissions"),
    (287, "Improper authentication"),
    (290, "Authentication bypass by spoofing"),
    (294, "Authentication bypass by replay"),
    (295, "Improper certificate validation"),
    (297, "Certificate with the wrong host"),
    (306, "Missing authentication"),
    (311, "Missing encryption"),
    (312, "Cleartext storage of sensitive information"),
    (319, "Cleartext transmission"),
    (321, "Hard-coded cryptographic key"),
    (326, "Inadequate encryption strength"),
    (327, "Broken cryptographic algorithm"),
    (328, "Weak hash"),
    (329, "Predictable initialisation vector"),
    (330, "Insufficiently random values"),
    (331, "Insufficient entropy"),
    (335, "Incorrect seeding of a generator"),
    (338, "Weak random generator for secrets"),
    (345, "Insufficient verification of authenticity"),
    (347, "Improper verification of a signature"),
    (352, "Cross-site request forgery"),
    (367, "Time-of-check time-of-use race"),
    (377, "Insecure temporary file"),
    (379, "Temporary file in an exposed directory"),
    (384, "Session fixation"),
    (390, "Detected error without action"),
    (396, "Catch of a generic exception"),
    (400, "Uncontrolled resource consumption"),
    (401, "Memory leak"),
    (409, "Decompression bomb"),
    (415, "Double free"),
    (416, "Use after free"),
    (425, "Direct request"),
    (434, "Unrestricted upload"),
    (441, "Unintended proxy"),
    (454, "External initialisation of trusted variables"),
    (462, "Duplicate key in an associative list"),
    (467, "Size of a pointer instead of its target"),
    (470, "Unsafe reflection"),
    (473, "External modification of a variable"),
    (476, "Null pointer dereference"),
    (477, "Use of an obsolete function"),
    (489, "Active debug code"),
    (494, "Download of code without an integrity check"),
    (502, "Unsafe deserialisation"),
    (522, "Insufficiently protected credentials"),
    (532, "Sensitive information in a log"),
    (539, "Sensitive information in a persistent cookie"),
    (547, "Security-relevant constants in the code"),
    (552, "Files accessible to outsiders"),
    (601, "Open redirect"),
    (605, "Binding to all interfaces"),
    (606, "Unchecked input as a loop bound"),
    (609, "Double-checked locking"),
    (611, "XML external entity"),
    (613, "Insufficient session expiration"),
    (614, "Cookie without the Secure attribute"),
    (639, "Authorisation bypass through a user-controlled key"),
    (640, "Weak password recovery"),
    (643, "XPath injection"),
    (668, "Exposure to the wrong sphere"),
    (676, "Use of a dangerous function"),
    (685, "Call with the wrong number of arguments"),
    (703, "Improper handling of exceptional conditions"),
    (732, "Incorrect permission assignment"),
    (759, "Hash without a salt"),
    (760, "Predictable salt"),
    (770, "Allocation without limits"),
    (776, "XML entity expansion"),
    (780, "RSA without OAEP"),
    (787, "Out-of-bounds write"),
    (789, "Allocation of an excessive size"),
    (798, "Hard-coded credentials"),
    (805, "Buffer access with the wrong length"),
    (823, "Out-of-range pointer offset"),
    (824, "Access of an uninitialised pointer"),
    (827, "External control of a document type definition"),
    (835, "Infinite loop"),
    (838, "Wrong encoding for the output context"),
    (862, "Missing authorisation"),
    (863, "Incorrect authorisation"),
    (908, "Use of an uninitialised resource"),
    (915, "Mass assignment"),
    (916, "Password hash without enough effort"),
    (918, "Server-side request forgery"),
    (922, "Insecure storage of sensitive information"),
    (941, "Wrong destination in a communication channel"),
    (943, "NoSQL injection"),
    (1004, "Cookie without the HttpOnly attribute"),
    (1021, "Clickjacking"),
    (1204, "Weak initialisation vector"),
    (1236, "Formula injection in CSV"),
    (1275, "Cookie with a loose SameSite attribute"),
    (1321, "Prototype pollution"),
    (1333, "Inefficient regular expression"),
    (1336, "Template injection"),
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
