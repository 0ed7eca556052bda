//! Models that are named by where they are published.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use codeward_hub::{Downloaded, Event, HubSettings, ModelId, cached, download};

use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;

/// Files that are smaller come without a word.
const SHOWN_BYTES: u64 = 4 << 20;

/// Whether the command line asks for downloads; set once, before anything is run.
static IS_ALLOWED: OnceLock<bool> = OnceLock::new();

/// Lets this process download models, when it was asked to.
pub(crate) fn allow(is_allowed: bool) {
    IS_ALLOWED.get_or_init(|| is_allowed);
}

/// Where a model lies that is named by a path or as hf:owner/name.
pub(crate) fn place(model: &Path) -> Result<PathBuf, Failure> {
    match model.to_str().filter(|name| ModelId::is_meant_by(name)) {
        None => Ok(model.to_owned()),
        Some(name) if *IS_ALLOWED.get().unwrap_or(&false) => Ok(bring(name)?.path),
        Some(name) => Ok(cached(&HubSettings::from_environment()?, &name.parse()?)?),
    }
}

/// Downloads what is missing of a model, with progress for people.
pub(crate) fn bring(name: &str) -> Result<Downloaded, Failure> {
    let id: ModelId = name.parse()?;
    let settings = HubSettings::from_environment()?;
    let mut shown: Option<(String, Progress)> = None;
    let mut last = 0;
    let downloaded = download(&settings, &id, |event| match event {
        Event::Commit(commit) => output::note(&format!("{id} is at commit {commit}")),
        Event::Waiting { file } => output::note(&format!("{file}: another process is downloading it")),
        Event::Retrying { file, error, wait } => {
            output::note(&format!("{file}: {error}; again in {:.0} s", wait.as_secs_f64().ceil()));
        }
        Event::Progress { size, .. } if size < SHOWN_BYTES => {}
        Event::Progress { file, done, size } => {
            let (done, size) = (done >> 20, size >> 20);
            if shown.as_ref().is_none_or(|(name, _)| name != file) {
                shown = None;
                shown = Some((file.to_owned(), Progress::new(&format!("{file}, MiB"), size)));
            } else if done == last {
                return;
            }
            last = done;
            if let Some((_, progress)) = shown.as_mut().filter(|_| done > 0) {
                progress.at(done, size, "");
            }
        }
        _ => {}
    })?;
    Ok(downloaded)
}
