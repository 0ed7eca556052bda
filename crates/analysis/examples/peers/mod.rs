//! Other analysers over the same texts, each where it is installed. They read files in a folder of their own; nothing is run.

#![expect(
    clippy::disallowed_methods,
    reason = "the analyser is compared with programs, which run nothing but themselves"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use codeward_analysis::Language;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(crate) type Failure = Box<dyn Error>;

const DRIVER: &str = include_str!("driver.py");

/// One text that every side reads.
#[derive(Debug, Clone)]
pub(crate) struct Snippet {
    pub(crate) language: Language,
    pub(crate) text: String,
}

/// What a peer prints of a folder; of each file, as much as is asked for.
#[derive(Deserialize)]
struct Answer<F> {
    version: String,
    /// The whole folder, start of the peer included where it starts for every scan.
    seconds: f64,
    cpu_seconds: f64,
    files: BTreeMap<String, F>,
}

/// One scan of many texts.
pub(crate) struct Scan<F> {
    pub(crate) version: String,
    /// By the clock.
    pub(crate) seconds: f64,
    /// On processors.
    pub(crate) cpu_seconds: f64,
    /// For each text in order, `None` where the peer does not read its language.
    pub(crate) files: Vec<Option<F>>,
}

/// Another analyser.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    languages: &'static [Language],
}

const WEB: &[Language] =
    &[Language::Python, Language::JavaScript, Language::TypeScript, Language::Java, Language::C, Language::Cpp];

/// What foxguard has rules for, of what we read.
const WEB_AND_C: &[Language] =
    &[Language::Python, Language::JavaScript, Language::TypeScript, Language::Java, Language::Go, Language::C];

/// Those that are known. What each is told is in `driver.py`.
pub(crate) const PEERS: &[Peer] = &[
    Peer { name: "bandit", languages: &[Language::Python] },
    Peer { name: "semgrep", languages: WEB },
    Peer { name: "foxguard", languages: WEB_AND_C },
    Peer { name: "cppcheck", languages: &[Language::C, Language::Cpp] },
    Peer { name: "flawfinder", languages: &[Language::C, Language::Cpp] },
];

/// The usual extension of a file in this language.
pub(crate) fn extension(language: Language) -> &'static str {
    match language {
        Language::Python => "py",
        Language::JavaScript => "js",
        Language::TypeScript => "ts",
        Language::Java => "java",
        Language::Go => "go",
        Language::C => "c",
        Language::Cpp => "cpp",
    }
}

impl Peer {
    pub(crate) fn reads(&self, language: Language) -> bool {
        self.languages.contains(&language)
    }

    /// Why it cannot take part here, if so.
    pub(crate) fn missing(&self) -> Option<String> {
        let output = driver(&["probe", self.name]).output();
        match output {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            Err(error) => Some(format!("no Python to drive it: {error}")),
        }
    }

    /// Scans texts in a new folder that is removed afterwards.
    pub(crate) fn scan<F: DeserializeOwned>(&self, snippets: &[Snippet]) -> Result<Scan<F>, Failure> {
        let folder = tempfile::tempdir()?;
        for (at, snippet) in snippets.iter().enumerate().filter(|(_, snippet)| self.reads(snippet.language)) {
            let path = folder.path().join(file_name(at, snippet.language));
            std::fs::write(&path, &snippet.text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let mut answer = self.scan_folder(folder.path())?;
        let files = snippets.iter().enumerate().map(|(at, snippet)| {
            let found = answer.files.remove(&file_name(at, snippet.language));
            if self.reads(snippet.language) && found.is_none() {
                return Err(format!("{} says nothing of one of the files", self.name));
            }
            Ok(found)
        });
        let files = files.collect::<Result<_, _>>()?;
        Ok(Scan { version: answer.version, seconds: answer.seconds, cpu_seconds: answer.cpu_seconds, files })
    }

    fn scan_folder<F: DeserializeOwned>(&self, folder: &Path) -> Result<Answer<F>, Failure> {
        let folder = folder.to_str().ok_or("the temporary folder has a name that is not UTF-8")?;
        let output = driver(&["scan", self.name, folder]).output()?;
        if !output.status.success() {
            let end = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} ended with {}: {}", self.name, output.status, end.trim()).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

fn file_name(at: usize, language: Language) -> String {
    format!("{at:05}.{}", extension(language))
}

/// The driver in the environment that `scripts/analysis-env` makes, or else in the system's Python: some peers need no environment.
fn driver(arguments: &[&str]) -> Command {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/analysis-env");
    let environment = std::env::var_os("CODEWARD_ANALYSIS_ENV").map_or(default, PathBuf::from);
    let python = environment.join("bin/python");
    let python = if python.exists() { python } else { PathBuf::from("python3") };
    let mut command = Command::new(python);
    command.args(["-I", "-c", DRIVER]).args(arguments);
    command
}
