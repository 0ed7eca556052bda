//! What this host enforces, for people and for `codeward doctor`.

use serde::Serialize;

use crate::check::LayerSeen;
use crate::error::{Layer, SandboxError};
use crate::language::Language;
use crate::outcome::{End, Isolation};
use crate::pool::{Sandbox, Settings};
use crate::program::Program;

/// Every layer with what was tried, and the interpreter that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Probe {
    /// The isolation that programs would run under; nothing runs where there is none.
    pub isolation: Option<Isolation>,
    /// Every layer, in the order of set-up.
    pub layers: Vec<LayerSeen>,
    /// The interpreter that works inside, where one does.
    pub python: Option<Python>,
    /// The other languages, each tried inside.
    pub languages: Vec<LanguageSeen>,
    /// The version of the kernel's Landlock interface; 0 where it has none.
    pub landlock_version: u32,
    /// Why nothing can be run, where that is so.
    pub problem: Option<String>,
}

/// A Python interpreter that works inside the isolation.
#[derive(Debug, Clone, Serialize)]
pub struct Python {
    /// Its path.
    pub path: String,
    /// Its version.
    pub version: String,
}

/// One language, and whether a program in it ran inside.
#[derive(Debug, Clone, Serialize)]
pub struct LanguageSeen {
    /// Which.
    pub language: Language,
    /// Paths of its compiler and its runtime, where there are such.
    pub programs: Vec<String>,
    /// Why its programs cannot be run, where that is so; such programs are unscored.
    pub problem: Option<String>,
    /// What to do about it.
    pub hint: &'static str,
}

/// Prints 42 in each language that is not Python.
const KNOWN_PROGRAMS: [(Language, &str); 5] = [
    (Language::C, "#include <stdio.h>\nint main(void) { puts(\"42\"); return 0; }\n"),
    (Language::Cpp, "#include <iostream>\nint main() { std::cout << 42 << '\\n'; }\n"),
    (Language::JavaScript, "console.log(42)\n"),
    (Language::Java, "class Main { public static void main(String[] a) { System.out.println(42); } }\n"),
    (Language::Go, "package main\n\nfunc main() { println(42) }\n"),
];

fn try_languages(sandbox: &Sandbox) -> Vec<LanguageSeen> {
    let seen = |(language, source): &(Language, &str)| {
        let program = Program { language: *language, source: source.as_bytes().to_vec(), ..Program::default() };
        let problem = match sandbox.run(&program) {
            Ok(outcome) if outcome.end == (End::Exited { code: 0 }) => None,
            Ok(outcome) => {
                let text = String::from_utf8_lossy(&outcome.stderr);
                let message = if let End::CompilerRejected { message } = &outcome.end { message } else { text.trim() };
                Some(format!("a program that prints a number: {} {message}", outcome.end).trim().to_owned())
            }
            Err(error) => Some(error.to_string()),
        };
        LanguageSeen { language: *language, programs: sandbox.programs(*language), problem, hint: language.hint() }
    };
    KNOWN_PROGRAMS.iter().map(seen).collect()
}

/// Starts a sandbox, tries every layer from inside and outside, and ends it again.
pub fn probe() -> Probe {
    probe_with(&Settings::default())
}

/// As `probe`, with settings.
pub fn probe_with(settings: &Settings) -> Probe {
    let landlock_version = crate::host::landlock_abi();
    match Sandbox::start_with(settings) {
        Ok(sandbox) => {
            let (path, version) = sandbox.python();
            Probe {
                isolation: Some(sandbox.isolation()),
                layers: sandbox.layers().to_vec(),
                python: Some(Python { path: path.to_owned(), version: version.to_owned() }),
                languages: try_languages(&sandbox),
                landlock_version,
                problem: None,
            }
        }
        Err(error) => {
            let missing = match &error {
                SandboxError::Unavailable { layer, .. } => Some(*layer),
                _ => None,
            };
            let seen = |layer| {
                if Some(layer) == missing {
                    return LayerSeen::new(layer, false, error.to_string());
                }
                LayerSeen { layer, in_force: false, probed: "not reached".to_owned(), hint: None }
            };
            Probe {
                isolation: None,
                layers: Layer::ALL.map(seen).to_vec(),
                python: None,
                languages: vec![],
                landlock_version,
                problem: Some(error.to_string()),
            }
        }
    }
}
