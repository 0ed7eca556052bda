//! Ordinary files of every language, written for this: where mutation starts from and what speed is measured on.

use codeward_analysis::Language;

const PYTHON: &[&str] = &[
    include_str!("../corpus/python/accounts.py"),
    include_str!("../corpus/python/archive.py"),
    include_str!("../corpus/python/settings.py"),
    include_str!("../corpus/python/shapes.py"),
];
const JAVASCRIPT: &[&str] = &[
    include_str!("../corpus/javascript/server.js"),
    include_str!("../corpus/javascript/tokens.js"),
    include_str!("../corpus/javascript/view.jsx"),
];
const TYPESCRIPT: &[&str] =
    &[include_str!("../corpus/typescript/fetcher.ts"), include_str!("../corpus/typescript/orders.ts")];
const JAVA: &[&str] = &[
    include_str!("../corpus/java/Accounts.java"),
    include_str!("../corpus/java/Documents.java"),
    include_str!("../corpus/java/Runner.java"),
];
const GO: &[&str] = &[
    include_str!("../corpus/go/files.go"),
    include_str!("../corpus/go/numbers.go"),
    include_str!("../corpus/go/store.go"),
];
const C: &[&str] =
    &[include_str!("../corpus/c/files.c"), include_str!("../corpus/c/queue.c"), include_str!("../corpus/c/table.c")];
const CPP: &[&str] = &[
    include_str!("../corpus/cpp/buffer.cpp"),
    include_str!("../corpus/cpp/graph.cpp"),
    include_str!("../corpus/cpp/session.cpp"),
];

/// The files of a language.
pub(crate) fn corpus(language: Language) -> &'static [&'static str] {
    match language {
        Language::Python => PYTHON,
        Language::JavaScript => JAVASCRIPT,
        Language::TypeScript => TYPESCRIPT,
        Language::Java => JAVA,
        Language::Go => GO,
        Language::C => C,
        Language::Cpp => CPP,
    }
}
