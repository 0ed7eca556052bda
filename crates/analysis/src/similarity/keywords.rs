//! The words that count as keywords in the keyword-weighted n-gram match, language by language.
//!
//! They are those of the package, since they decide its figures, oddities included: Python's `match` but not `print`,
//! JavaScript's `True` but not `true`, and names of C++'s library.

use std::sync::OnceLock;

use crate::language::Language;

use super::hash::quick;

const PYTHON: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "case", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "match",
    "nonlocal", "not", "or", "pass", "raise", "return", "try", "type", "while", "with", "yield",
];

const C: &[&str] = &[
    "_Packed", "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum",
    "extern", "float", "for", "goto", "if", "int", "long", "register", "return", "short", "signed", "sizeof", "static",
    "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while",
];

const CPP: &[&str] = &[
    "INT_MAX",
    "INT_MIN",
    "MAX_RAND",
    "NULL",
    "and",
    "and_eq",
    "asm",
    "auto",
    "bitand",
    "bitor",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "cin",
    "class",
    "compl",
    "const",
    "const_cast",
    "continue",
    "cout",
    "default",
    "delete",
    "do",
    "double",
    "dynamic_cast",
    "else",
    "endl",
    "enum",
    "explicit",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "if",
    "include",
    "inline",
    "int",
    "iomanip",
    "iostream",
    "long",
    "main",
    "mutable",
    "namespace",
    "new",
    "not",
    "not_eq",
    "npos",
    "operator",
    "or",
    "or_eq",
    "private",
    "protected",
    "public",
    "register",
    "reinterpret_cast",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_cast",
    "std",
    "string",
    "struct",
    "switch",
    "template",
    "this",
    "throw",
    "true",
    "try",
    "typedef",
    "typeid",
    "typename",
    "union",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "wchar_t",
    "while",
    "xor",
    "xor_eq",
];

const JAVA: &[&str] = &[
    "abstract",
    "assert",
    "boolean",
    "break",
    "byte",
    "case",
    "catch",
    "char",
    "class",
    "const",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extends",
    "final",
    "finally",
    "float",
    "for",
    "goto",
    "if",
    "implements",
    "import",
    "instanceof",
    "int",
    "interface",
    "long",
    "native",
    "new",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "short",
    "static",
    "strictfp",
    "super",
    "switch",
    "synchronized",
    "this",
    "throw",
    "throws",
    "transient",
    "try",
    "void",
    "volatile",
    "while",
];

const JAVASCRIPT: &[&str] = &[
    "True",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

const GO: &[&str] = &[
    "break",
    "case",
    "chan",
    "const",
    "continue",
    "default",
    "defer",
    "else",
    "fallthrough",
    "false",
    "for",
    "func",
    "go",
    "goto",
    "if",
    "import",
    "interface",
    "map",
    "package",
    "range",
    "return",
    "select",
    "struct",
    "switch",
    "true",
    "type",
    "var",
];

/// The language's words; none where the package has no list.
fn keywords(language: Language) -> &'static [&'static str] {
    match language {
        Language::Python => PYTHON,
        Language::C => C,
        Language::Cpp => CPP,
        Language::Java => JAVA,
        Language::JavaScript => JAVASCRIPT,
        Language::Go => GO,
        Language::TypeScript => &[],
    }
}

/// The hashes of the language's words, in order.
pub(super) fn keyword_hashes(language: Language) -> &'static [u64] {
    static HASHES: [OnceLock<Vec<u64>>; Language::ALL.len()] = [const { OnceLock::new() }; Language::ALL.len()];
    HASHES[language as usize].get_or_init(|| {
        let mut hashes: Vec<u64> = keywords(language).iter().map(|word| quick(word.as_bytes())).collect();
        hashes.sort_unstable();
        hashes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_ordered_and_of_the_package_s_length() {
        let lengths = [
            (Language::Python, 38),
            (Language::C, 33),
            (Language::Cpp, 87),
            (Language::Java, 50),
            (Language::JavaScript, 46),
            (Language::Go, 27),
        ];
        for (language, length) in lengths {
            let words = keywords(language);
            assert_eq!(words.len(), length, "{language}");
            assert!(words.is_sorted(), "{language}");
        }
        let is_keyword =
            |word: &str| keyword_hashes(Language::JavaScript).binary_search(&quick(word.as_bytes())).is_ok();
        assert!(is_keyword("True") && !is_keyword("true"));
    }
}
