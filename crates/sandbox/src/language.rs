//! The languages that programs may be written in.

use serde::{Deserialize, Serialize};

/// What a program is written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Python 3, run by a warm interpreter.
    #[default]
    Python,
    /// C, by `gcc` or `cc`.
    C,
    /// C++, by `g++` or `c++`, with the standard headers precompiled.
    Cpp,
    /// JavaScript, by `node`.
    JavaScript,
    /// Java, by a warm `javac` and `java`.
    Java,
    /// Go.
    Go,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 6] = [Self::Python, Self::C, Self::Cpp, Self::JavaScript, Self::Java, Self::Go];

    /// The name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::C => "c",
            Self::Cpp => "cpp",
            Self::JavaScript => "javascript",
            Self::Java => "java",
            Self::Go => "go",
        }
    }

    /// The name of a source file, in the scratch folder and in messages.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Python => "main.py",
            Self::C => "main.c",
            Self::Cpp => "main.cpp",
            Self::JavaScript => "main.js",
            Self::Java => "Main.java",
            Self::Go => "main.go",
        }
    }

    /// What a person can do when it is missing.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Python => "install Python 3.9 or later",
            Self::C => "install gcc (Debian: gcc libc6-dev)",
            Self::Cpp => "install g++ (Debian: g++)",
            Self::JavaScript => "install Node.js 18 or later",
            Self::Java => "install a JDK 17 or later (Debian: openjdk-17-jdk-headless)",
            Self::Go => "install Go (Debian: golang-go)",
        }
    }
}

impl std::fmt::Display for Language {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A name that is no language we run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a language that can be run; choose one of python, c, cpp, javascript, java, go")]
pub struct UnknownLanguage {
    name: String,
}

impl std::str::FromStr for Language {
    type Err = UnknownLanguage;

    /// Reads a name or one of its usual abbreviations.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.to_ascii_lowercase().as_str() {
            "python" | "python3" | "py" => Ok(Self::Python),
            "c" => Ok(Self::C),
            "cpp" | "c++" | "cxx" => Ok(Self::Cpp),
            "javascript" | "js" | "nodejs" | "node" => Ok(Self::JavaScript),
            "java" => Ok(Self::Java),
            "go" | "golang" => Ok(Self::Go),
            _ => Err(UnknownLanguage { name: name.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_its_json_and_reads_back() {
        for language in Language::ALL {
            assert_eq!(serde_json::to_value(language).unwrap(), language.name());
            assert_eq!(language.name().parse(), Ok(language));
        }
        assert!("cobol".parse::<Language>().is_err());
    }
}
