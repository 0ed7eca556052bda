//! Analysers that others wrote, through one door.
//!
//! They read hostile text, so they run inside the sandbox, confined as compilers are: many files in one run, under limits, and
//! what they said is kept by a hash of the text. Each is optional. [`Installed::find`] looks for them, [`External::open`] shows
//! that one works inside, and [`External::analyse`] asks it; [`agreement()`] compares what several found.
//!
//! ```no_run
//! use codeward_analysis::Language;
//! use codeward_analysis::external::{Analyser, External, Installed, SourceFile};
//! use codeward_sandbox::{Sandbox, Settings};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let installed = Installed::find(std::env::var_os("PATH").as_deref());
//! let sandbox = Sandbox::start_with(&Settings { shown: installed.shown().to_vec(), ..Settings::default() })?;
//! let bandit = External::open(Analyser::Bandit, &installed, &sandbox)?;
//! let source = "import pickle\npickle.loads(b'')\n";
//! let batch = bandit.analyse(&sandbox, &[SourceFile { language: Language::Python, source }])?;
//! assert_eq!(batch.files[0].as_ref().unwrap()[1].rule, "bandit/B301");
//! # Ok(())
//! # }
//! ```
//!
//! A file that an analyser did not read, in whole or in part, is an [`ExternalError`], never an empty list. An analyser that
//! fails on a batch is asked about halves of it, until it is known which file it failed on.
//!
//! # Hostile text
//!
//! - A file is laid out under a name that holds a hash of its content: it cannot name itself, nor another file of the batch.
//! - What a comment asks is ignored: by the analysers' own options, and for C and C++ by blanking what says where lines are and
//!   which warnings count.
//! - C and C++ analysers that compare the files of one run are started for each file.
//! - Outputs of several runs are told apart by their lengths, which stand before them.
//!
//! Not covered: a file that makes an analyser run code of the file's choosing can say what it likes of the files of its batch.

mod agreement;
mod analyser;
mod batch;
mod cache;
mod error;
mod findings;
mod installed;
mod place;
mod quiet;
mod tools;
mod weaknesses;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use codeward_records::Finding;
use codeward_sandbox::{End, Patience, Sandbox, SandboxError, Tool};

pub use agreement::{Agreement, AnalyserFindings, Row, agreement};
pub use analyser::{Analyser, UnknownAnalyser};
pub use error::ExternalError;
pub use installed::Installed;
pub use tools::RuleFile;

use batch::{Laid, Run};
use cache::{Cache, hash};
use installed::{Installation, python_version};

use crate::Language;

/// The largest file that is given to an analyser.
pub const MAX_FILE_BYTES: usize = 256 << 10;
/// A text in a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceFile<'a> {
    /// What it is written in.
    pub language: Language,
    /// The text.
    pub source: &'a str,
}

/// What was said of several files.
#[derive(Debug)]
pub struct Batch {
    /// For each file, in order: findings in the order of the text, or why there is nothing to say.
    pub files: Vec<Result<Vec<Finding>, ExternalError>>,
    /// Time by the clock inside the sandbox.
    pub wall: Duration,
    /// How often the analyser was started.
    pub num_runs: usize,
    /// Files of which it was known already what is said of them.
    pub num_remembered: usize,
}

/// An analyser that works inside the sandbox.
#[derive(Debug)]
pub struct External {
    analyser: Analyser,
    version: String,
    command: Vec<String>,
    env: BTreeMap<String, String>,
    rules: Vec<RuleFile>,
    cache: Mutex<Cache>,
}

/// Starts a Python package, whose folder comes first, as its own script would.
const PACKAGE: &str = "import sys; sys.path.insert(0, sys.argv.pop(1)); ";
/// Becomes a program with libraries of its own, under another name.
const ENGINE: &str = "import os, sys\nlibraries, program = sys.argv[1:3]\nif libraries: os.environ['LD_LIBRARY_PATH'] = libraries\n\
                      os.execv(program, sys.argv[3:])\n";

impl External {
    /// Finds the analysers that work inside this sandbox.
    pub fn find(installed: &Installed, sandbox: &Sandbox) -> Vec<Self> {
        installed.analysers().filter_map(|analyser| Self::open(analyser, installed, sandbox).ok()).collect()
    }

    /// Opens one analyser, by asking it for its version inside the sandbox.
    ///
    /// # Errors
    ///
    /// `NotInstalled` and `NotWorking`.
    pub fn open(analyser: Analyser, installed: &Installed, sandbox: &Sandbox) -> Result<Self, ExternalError> {
        let installation = installed.get(analyser).ok_or(ExternalError::NotInstalled { analyser })?;
        let not_working = |reason: String| ExternalError::NotWorking { analyser, reason };
        let command = command(analyser, installation, sandbox).map_err(not_working)?;
        let env = match installation {
            // It reads them when it starts, though it asks nobody.
            Installation::Engine { certificates: Some(path), .. } => {
                BTreeMap::from([("SSL_CERT_FILE".to_owned(), path.display().to_string())])
            }
            _ => BTreeMap::new(),
        };
        let mut external =
            Self { analyser, version: String::new(), command, env, rules: vec![], cache: Mutex::default() };
        external.version = external.ask_version(sandbox).map_err(not_working)?;
        Ok(external)
    }

    /// With these rules instead of its own, where it has rules from files (Semgrep and Opengrep).
    #[must_use]
    pub fn with_rules(mut self, rules: Vec<RuleFile>) -> Self {
        self.rules = rules;
        self
    }

    /// Which analyser it is.
    pub fn analyser(&self) -> Analyser {
        self.analyser
    }

    /// Its version, as it says itself.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it says of files, as many in one run as fit.
    ///
    /// # Errors
    ///
    /// Those of [`Sandbox::run_tool`]. What is wrong with one file is that file's own [`ExternalError`].
    pub fn analyse(&self, sandbox: &Sandbox, files: &[SourceFile<'_>]) -> Result<Batch, SandboxError> {
        self.analyse_with(sandbox, files, Patience::default())
    }

    /// What it says of files, for as long as the caller has patience.
    ///
    /// # Errors
    ///
    /// As [`External::analyse`], and those of patience that is over ([`Sandbox::run_tool_with`]).
    pub fn analyse_with(
        &self,
        sandbox: &Sandbox,
        files: &[SourceFile<'_>],
        patience: Patience<'_>,
    ) -> Result<Batch, SandboxError> {
        let keys: Vec<blake3::Hash> = files.iter().map(|file| self.key(file)).collect();
        let mut run = Run::new(self, sandbox, patience);
        let mut waiting: BTreeMap<Language, Vec<Laid<'_>>> = BTreeMap::new();
        let mut num_remembered = 0;
        let mut seen = BTreeSet::new();
        for (file, key) in files.iter().zip(&keys) {
            if !seen.insert(key.as_bytes()) {
                continue;
            }
            let remembered = self.cache().get(key);
            num_remembered += usize::from(remembered.is_some());
            let name = file_name(file.language, key);
            match remembered.or_else(|| self.refuse(file).map(Err)) {
                Some(answer) => drop(run.answers.insert(name, answer)),
                None => waiting.entry(file.language).or_default().push(Laid { name, source: file.source }),
            }
        }
        for (language, laid) in waiting {
            run.ask_all(language, &laid)?;
        }
        let answer = |(file, key): (&SourceFile<'_>, &blake3::Hash)| {
            let answer = run.answers.get(&file_name(file.language, key)).cloned().unwrap_or_else(|| {
                Err(ExternalError::NotRead { analyser: self.analyser, reason: "it does not mention it".to_owned() })
            });
            self.cache().keep(*key, &answer);
            answer
        };
        let files = files.iter().zip(&keys).map(answer).collect();
        Ok(Batch { files, wall: run.wall, num_runs: run.num_runs, num_remembered })
    }

    /// Why it is not even asked.
    fn refuse(&self, file: &SourceFile<'_>) -> Option<ExternalError> {
        let (analyser, language, num_bytes) = (self.analyser, file.language, file.source.len());
        if !analyser.languages().contains(&language) {
            return Some(ExternalError::OtherLanguage { analyser, language });
        }
        let limit = MAX_FILE_BYTES;
        (num_bytes > limit).then_some(ExternalError::TooLarge { analyser, num_bytes, limit })
    }

    fn key(&self, file: &SourceFile<'_>) -> blake3::Hash {
        let rules = self.rules.iter().map(|rules| rules.text.as_bytes());
        let parts = [self.analyser.name(), &self.version, file.language.name(), file.source].map(str::as_bytes);
        hash(parts.into_iter().chain(rules))
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // Whatever is in it is whole.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask_version(&self, sandbox: &Sandbox) -> Result<String, String> {
        let arguments = tools::version_arguments(self.analyser).iter().map(|&argument| argument.to_owned());
        let mut tool =
            Tool::new(self.command.iter().cloned().chain(arguments).collect(), tools::own_files(self.analyser));
        tool.env.clone_from(&self.env);
        tool.limits = tools::limits(self.analyser, 1);
        let outcome = sandbox.run_tool(&tool).map_err(|error| error.to_string())?;
        if outcome.end != (End::Exited { code: 0 }) {
            return Err(format!("{}: {}", outcome.end, tools::last_words(&outcome)));
        }
        let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
        version(&text)
            .ok_or_else(|| format!("it does not say its version: {:?}", text.chars().take(100).collect::<String>()))
    }
}

/// The first number with a point in it, and what belongs to it.
fn version(text: &str) -> Option<String> {
    let words = text.split(|letter: char| letter.is_whitespace() || letter == '"');
    let is_version = |word: &&str| word.starts_with(|letter: char| letter.is_ascii_digit()) && word.contains('.');
    words.map(|word| word.trim_end_matches([',', ';'])).find(is_version).map(str::to_owned)
}

/// The name under which a file is laid out.
fn file_name(language: Language, key: &blake3::Hash) -> String {
    let ending = match language {
        Language::Python => "py",
        Language::JavaScript => "js",
        Language::TypeScript => "ts",
        Language::Java => "java",
        Language::Go => "go",
        Language::C => "c",
        Language::Cpp => "cpp",
    };
    format!("f{}.{ending}", &key.to_hex()[..24])
}

/// How the analyser's program is started inside, before its own arguments.
fn command(analyser: Analyser, installation: &Installation, sandbox: &Sandbox) -> Result<Vec<String>, String> {
    let text = |path: &Path| path.display().to_string();
    let python =
        |interpreter: String, code: &str| [&interpreter, "-I", "-S", "-B", "-c", code].map(str::to_owned).to_vec();
    Ok(match installation {
        Installation::Program(program) => vec![text(program)],
        Installation::Package(folder) => {
            let main = match analyser {
                Analyser::Flawfinder => "import flawfinder; sys.exit(flawfinder.main())",
                _ => "from bandit.cli.main import main; sys.exit(main())",
            };
            let call = python(interpreter(folder, sandbox)?, &format!("{PACKAGE}{main}"));
            [call, vec![text(folder)]].concat()
        }
        Installation::Engine { program, libraries, .. } => {
            let libraries = libraries.as_deref().map(text).unwrap_or_default();
            let call = python(sandbox.python().0.to_owned(), ENGINE);
            [call, vec![libraries, text(program)]].concat()
        }
        Installation::Module { runtime, modules } => {
            let driver = tools::own_files(analyser).into_keys();
            [vec![text(runtime)], driver.collect(), vec![text(modules)]].concat()
        }
    })
}

/// An interpreter for which the packages of a folder are made.
fn interpreter(packages: &Path, sandbox: &Sandbox) -> Result<String, String> {
    let (path, ours) = sandbox.python();
    let Some(wanted) = python_version(packages) else {
        // The distribution's own packages, for the distribution's interpreter.
        return Ok("/usr/bin/python3".to_owned());
    };
    if ours.strip_prefix(&wanted).is_some_and(|rest| rest.starts_with('.')) {
        return Ok(path.to_owned());
    }
    let others = ["/usr/bin", "/usr/local/bin"].map(|folder| format!("{folder}/python{wanted}"));
    let found = others.into_iter().find(|path| Path::new(path).exists());
    found.ok_or_else(|| format!("it is installed for Python {wanted}, and inside there is {ours}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_each_says_them() {
        for (text, expected) in [
            ("bandit 1.9.4\n  python version = 3.11.7\n", Some("1.9.4")),
            ("Debian LLVM version 14.0.6\n  Optimized build.\n", Some("14.0.6")),
            ("Cppcheck 2.10", Some("2.10")),
            ("{\"version\":\"10.15.0+4.1.0\",\"files\":{}}", Some("10.15.0+4.1.0")),
            ("no number", None),
        ] {
            assert_eq!(version(text).as_deref(), expected);
        }
    }

    #[test]
    fn names_tell_nothing_but_hash_and_language() {
        let key = hash([&b"text"[..]]);
        let name = file_name(Language::Cpp, &key);
        assert_eq!(name.len(), 1 + 24 + 4);
        assert_eq!((&name[..1], &name[25..]), ("f", ".cpp"));
        assert_ne!(name, file_name(Language::Cpp, &hash([&b"other"[..]])));
    }
}
