//! The languages that are read.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// A language that the analyser reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Python 3.
    Python,
    /// JavaScript, with JSX.
    JavaScript,
    /// TypeScript.
    TypeScript,
    /// Java.
    Java,
    /// Go.
    Go,
    /// C.
    C,
    /// C++.
    Cpp,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 7] =
        [Self::Python, Self::JavaScript, Self::TypeScript, Self::Java, Self::Go, Self::C, Self::Cpp];

    /// Its name in text and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::Java => "java",
            Self::Go => "go",
            Self::C => "c",
            Self::Cpp => "cpp",
        }
    }

    /// By the usual extensions of file names.
    pub fn from_path(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_str()? {
            "py" | "pyi" | "pyw" => Self::Python,
            "js" | "mjs" | "cjs" | "jsx" => Self::JavaScript,
            "ts" | "mts" | "cts" | "tsx" => Self::TypeScript,
            "java" => Self::Java,
            "go" => Self::Go,
            "c" | "h" => Self::C,
            "cc" | "cpp" | "cxx" | "hpp" | "hh" | "hxx" => Self::Cpp,
            _ => return None,
        })
    }
}

impl From<codeward_records::Language> for Language {
    fn from(language: codeward_records::Language) -> Self {
        match language {
            codeward_records::Language::Python => Self::Python,
            codeward_records::Language::C => Self::C,
            codeward_records::Language::Cpp => Self::Cpp,
            codeward_records::Language::JavaScript => Self::JavaScript,
            codeward_records::Language::Java => Self::Java,
            codeward_records::Language::Go => Self::Go,
        }
    }
}

impl std::fmt::Display for Language {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl std::str::FromStr for Language {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|language| language.name() == name);
        known.ok_or_else(|| format!("unknown language {name:?}: one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_their_json_and_read_back() {
        for language in Language::ALL {
            assert_eq!(serde_json::to_value(language).unwrap(), language.name());
            assert_eq!(language.name().parse(), Ok(language));
        }
        assert_eq!(Language::from_path(Path::new("a/b.cc")), Some(Language::Cpp));
        assert_eq!(Language::from_path(Path::new("Makefile")), None);
    }
}
