//! Asking an analyser about many files at once, and about fewer where it fails.

use std::collections::BTreeMap;
use std::time::Duration;

use codeward_records::Finding;
use codeward_sandbox::{Patience, Sandbox, SandboxError, Tool};

use super::External;
use super::error::ExternalError;
use super::findings::findings;
use super::tools::{self, Asked};
use crate::Language;

/// Files of one run, and their bytes together.
const MAX_FILES: usize = 128;
const MAX_BYTES: usize = 16 << 20;
/// After so many files that fail one by one, and none that does not, the analyser itself is taken to be at fault.
const MAX_FAILURES: usize = 4;

/// A file as it is laid out.
pub(super) struct Laid<'a> {
    pub(super) name: String,
    pub(super) source: &'a str,
}

/// What has been asked and answered so far.
pub(super) struct Run<'a> {
    external: &'a External,
    sandbox: &'a Sandbox,
    patience: Patience<'a>,
    pub(super) answers: BTreeMap<String, Result<Vec<Finding>, ExternalError>>,
    pub(super) wall: Duration,
    pub(super) num_runs: usize,
    num_failed: usize,
    has_worked: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(external: &'a External, sandbox: &'a Sandbox, patience: Patience<'a>) -> Self {
        Self {
            external,
            sandbox,
            patience,
            answers: BTreeMap::new(),
            wall: Duration::ZERO,
            num_runs: 0,
            num_failed: 0,
            has_worked: false,
        }
    }

    /// Asks about files of one language.
    pub(super) fn ask_all(&mut self, language: Language, files: &[Laid<'_>]) -> Result<(), SandboxError> {
        let mut rest = files;
        while !rest.is_empty() {
            let mut num_bytes = 0;
            let fits = |file: &&Laid<'_>| {
                num_bytes += file.source.len();
                num_bytes <= MAX_BYTES
            };
            let count = rest.iter().take(MAX_FILES).take_while(fits).count().max(1);
            let (part, later) = rest.split_at(count);
            self.ask(language, part)?;
            rest = later;
        }
        Ok(())
    }

    fn ask(&mut self, language: Language, files: &[Laid<'_>]) -> Result<(), SandboxError> {
        match self.ask_once(language, files)? {
            Ok(()) => {
                self.has_worked = true;
                Ok(())
            }
            Err(error) if files.len() == 1 || (self.num_failed >= MAX_FAILURES && !self.has_worked) => {
                self.num_failed += 1;
                self.answers.extend(files.iter().map(|file| (file.name.clone(), Err(error.clone()))));
                Ok(())
            }
            Err(_) => {
                let (first, second) = files.split_at(files.len() / 2);
                self.ask(language, first)?;
                self.ask(language, second)
            }
        }
    }

    /// One run. The inner error is about the run as a whole.
    fn ask_once(&mut self, language: Language, files: &[Laid<'_>]) -> Result<Result<(), ExternalError>, SandboxError> {
        let analyser = self.external.analyser;
        let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
        let (command, rules) = (self.external.command.as_slice(), self.external.rules.as_slice());
        let asked = Asked { analyser, command, rules, language, names: &names };
        let call = tools::call(&asked);
        let sources = files.iter().map(|file| {
            let text = tools::text_for(analyser, file.source);
            (format!("{}{}", call.source_folder, file.name), text.into_bytes())
        });
        let mut tool = Tool::new(call.arguments, call.files.into_iter().chain(sources).collect());
        tool.env = call.env.into_iter().chain(self.external.env.clone()).collect();
        tool.limits = tools::limits(analyser, files.len());
        let outcome = self.sandbox.run_tool_with(&tool, self.patience)?;
        self.wall += outcome.wall;
        self.num_runs += 1;
        let mut said = match tools::read(&asked, &outcome) {
            Ok(said) => said,
            Err(error) => return Ok(Err(error)),
        };
        let counting = tools::counting(analyser);
        for file in files {
            // What it does not mention is left out, which is an error of its own.
            if let Some(said) = said.remove(&file.name) {
                let answer = said.and_then(|said| findings(analyser, counting, file.source, said));
                self.answers.insert(file.name.clone(), answer);
            }
        }
        Ok(Ok(()))
    }
}
