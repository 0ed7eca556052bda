//! `--with`: analysers that others wrote, asked about the same files inside the sandbox.

use codeward_analysis::FileState;
use codeward_analysis::external::{
    Agreement, Analyser, AnalyserFindings, Batch, External, ExternalError, Installed, SourceFile, agreement,
};
use codeward_records::Finding;
use codeward_sandbox::{Sandbox, Settings};

use super::Scanned;
use crate::failure::Failure;
use crate::{output, workbench};

/// What one of them said of each file, in the order of the files; none where it was not asked or could not say.
struct Opinion {
    analyser: Analyser,
    files: Vec<Option<Vec<Finding>>>,
}

/// What the others said.
#[derive(Default)]
pub(super) struct Opinions {
    given: Vec<Opinion>,
    /// How often one of them could not read a file that it was asked about.
    pub(super) num_unread: usize,
}

/// Asks the named analysers about every file that could be read.
///
/// # Errors
///
/// When an analyser that is named is not here or does not work, or the sandbox does not.
pub(super) fn ask(names: &[String], scanned: &[Scanned]) -> Result<Opinions, Failure> {
    let mut opinions = Opinions::default();
    if names.is_empty() {
        return Ok(opinions);
    }
    let wants_all = names.iter().any(|name| name == "all");
    let mut wanted = Vec::new();
    for name in names.iter().filter(|name| *name != "all") {
        let analyser: Analyser = name
            .parse()
            .map_err(|error| Failure::new(format!("--with: {error}"), "or `all` for those that are here"))?;
        wanted.push(analyser);
    }
    let installed = Installed::find(std::env::var_os("PATH").as_deref());
    let installed = if wants_all { installed } else { installed.only(&wanted) };
    let settings = Settings { shown: installed.shown().to_vec(), ..workbench::sandbox_settings(1) };
    let sandbox = Sandbox::start_with(&settings)?;
    let opened = if wants_all { External::find(&installed, &sandbox) } else { Vec::new() };
    let mut externals = opened;
    for analyser in wanted {
        if externals.iter().all(|external| external.analyser() != analyser) {
            externals.push(External::open(analyser, &installed, &sandbox).map_err(|error| not_open(&error))?);
        }
    }
    let versions: Vec<_> = externals.iter().map(|one| format!("{} {}", one.analyser(), one.version())).collect();
    output::note(&format!(
        "note: asking {}",
        if versions.is_empty() { "nobody else".into() } else { versions.join(", ") }
    ));
    for external in &externals {
        opinions.add(external, &sandbox, scanned)?;
    }
    Ok(opinions)
}

fn not_open(error: &ExternalError) -> Failure {
    let hint = error.hint().unwrap_or("see `codeward doctor`").to_owned();
    Failure::new(format!("--with: {error}"), hint)
}

impl Opinions {
    fn add(&mut self, external: &External, sandbox: &Sandbox, scanned: &[Scanned]) -> Result<(), Failure> {
        let analyser = external.analyser();
        let is_asked = |file: &Scanned| file.language.is_some_and(|language| analyser.languages().contains(&language));
        let has_text = |file: &Scanned| !matches!(file.state, FileState::Unreadable | FileState::TooLarge);
        let asked: Vec<usize> =
            (0..scanned.len()).filter(|&at| is_asked(&scanned[at]) && has_text(&scanned[at])).collect();
        let sources: Vec<SourceFile<'_>> = asked
            .iter()
            .filter_map(|&at| Some(SourceFile { language: scanned[at].language?, source: &scanned[at].source }))
            .collect();
        let Batch { files: answers, .. } = external.analyse(sandbox, &sources)?;
        let mut files: Vec<Option<Vec<Finding>>> = vec![None; scanned.len()];
        for (at, answer) in asked.into_iter().zip(answers) {
            match answer {
                Ok(findings) => files[at] = Some(findings),
                Err(error) => {
                    self.num_unread += 1;
                    output::note(&format!("note: {}: {error}", scanned[at].path));
                }
            }
        }
        self.given.push(Opinion { analyser, files });
        Ok(())
    }

    /// Who found what, by weakness class.
    pub(super) fn agreement(&self, scanned: &[Scanned]) -> Agreement {
        let ours = scanned.iter().map(|file| file.state.is_judged().then_some(file.findings.as_slice())).collect();
        let mut all = vec![AnalyserFindings { analyser: "codeward", files: ours }];
        all.extend(self.given.iter().map(|opinion| AnalyserFindings {
            analyser: opinion.analyser.name(),
            files: opinion.files.iter().map(Option::as_deref).collect(),
        }));
        agreement(&all)
    }

    /// Puts what was found beside our own findings.
    pub(super) fn join(self, scanned: &mut [Scanned]) {
        for opinion in self.given {
            for (file, findings) in scanned.iter_mut().zip(opinion.files) {
                file.findings.extend(findings.unwrap_or_default());
            }
        }
        for file in scanned {
            // Ours come first where two are at the same place.
            file.findings.sort_by_key(|finding| (finding.start_byte, finding.end_byte));
        }
    }
}
