//! The analysers of others that can be asked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Language;

/// An analyser that others wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Analyser {
    /// Bandit, for Python.
    Bandit,
    /// Semgrep, with local rules only.
    Semgrep,
    /// Opengrep, with local rules only.
    Opengrep,
    /// Cppcheck, for C and C++.
    Cppcheck,
    /// Flawfinder, for C and C++: by the names of functions alone.
    Flawfinder,
    /// The analyser inside GCC, for C.
    Gcc,
    /// clang-tidy with the Clang static analyser, for C and C++.
    ClangTidy,
    /// ESLint with its security plugin, for JavaScript.
    Eslint,
    /// CodeQL. Its command is made here, and has not been tried with the program itself.
    Codeql,
}

impl Analyser {
    /// Every analyser.
    pub const ALL: [Self; 9] = [
        Self::Bandit,
        Self::Semgrep,
        Self::Opengrep,
        Self::Cppcheck,
        Self::Flawfinder,
        Self::Gcc,
        Self::ClangTidy,
        Self::Eslint,
        Self::Codeql,
    ];

    /// Its name on the command line, in JSON and before the names of its rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bandit => "bandit",
            Self::Semgrep => "semgrep",
            Self::Opengrep => "opengrep",
            Self::Cppcheck => "cppcheck",
            Self::Flawfinder => "flawfinder",
            Self::Gcc => "gcc",
            Self::ClangTidy => "clang-tidy",
            Self::Eslint => "eslint",
            Self::Codeql => "codeql",
        }
    }

    /// What it reads.
    pub fn languages(self) -> &'static [Language] {
        use Language::{C, Cpp, Go, Java, JavaScript, Python, TypeScript};
        match self {
            Self::Bandit => &[Python],
            Self::Semgrep | Self::Opengrep | Self::Codeql => &[Python, JavaScript, TypeScript, Java, Go, C, Cpp],
            Self::Cppcheck | Self::Flawfinder | Self::ClangTidy => &[C, Cpp],
            Self::Gcc => &[C],
            Self::Eslint => &[JavaScript],
        }
    }

    /// How to get it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Bandit => "pip install bandit, for the Python that `codeward doctor` names",
            Self::Semgrep => "pip install semgrep",
            Self::Opengrep => "put opengrep-core, which opengrep unpacks into ~/.cache/opengrep, on the search path",
            Self::Cppcheck => "install cppcheck (Debian: cppcheck)",
            Self::Flawfinder => "pip install flawfinder, for the Python that `codeward doctor` names",
            Self::Gcc => "install gcc 10 to 15 (Debian: gcc libc6-dev)",
            Self::ClangTidy => "install clang-tidy (Debian: clang-tidy)",
            Self::Eslint => "npm install eslint eslint-plugin-security, and put node_modules/.bin on the search path",
            Self::Codeql => "unpack the CodeQL bundle and put its folder on the search path",
        }
    }
}

impl fmt::Display for Analyser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A name that is no analyser we can ask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no external analyser; choose from {}", Analyser::ALL.map(Analyser::name).join(", "))]
pub struct UnknownAnalyser {
    name: String,
}

impl FromStr for Analyser {
    type Err = UnknownAnalyser;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|analyser| analyser.name() == name);
        known.ok_or_else(|| UnknownAnalyser { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_their_json_and_read_back() {
        for analyser in Analyser::ALL {
            assert_eq!(serde_json::to_value(analyser).unwrap(), analyser.name());
            assert_eq!(analyser.name().parse(), Ok(analyser));
            assert!(!analyser.languages().is_empty());
        }
        assert!("lint".parse::<Analyser>().unwrap_err().to_string().contains("bandit, semgrep"));
    }
}
