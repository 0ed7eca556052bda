//! Saving and finding the state of a run.
//!
//! A checkpoint is a folder with what training changes (the model in Hugging Face layout in F32, or the adapter in the layout of PEFT),
//! the optimiser's state, the tokenizer, `state.json`, rollouts that were sampled ahead, and `checksums.json` of all these. It is written
//! under another name and renamed when complete, so a checkpoint that is there was whole; one that has been damaged since is passed over.
//!
//! What the folder is called says what it is for: `step-000010` is a state to go back to, `pause-000015` one to go on from after an
//! interruption, and `best-000020` the one that did best on the held-out tasks.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use codeward_lm::{EngineError, LanguageModel, LoadError, Tokenizer};
use codeward_records::RolloutGroup;
use serde::{Deserialize, Serialize};

use crate::disk::{bytes_of, free_bytes, in_words, is_full};
use crate::event::Event;
use crate::guard::Guard;
use crate::run_folder::{pack_rollouts, unpack_rollouts};

const STATE: &str = "state.json";
const AHEAD: &str = "ahead.jsonl.zst";
const CHECKSUMS: &str = "checksums.json";

/// What a checkpoint remembers beside weights and optimiser.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The last step that is in it.
    pub step: u64,
    /// The guard's memory.
    pub guard: Guard,
    /// What it reached on the held-out tasks, if that is what it is kept for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<f64>,
}

impl Checkpoint {
    /// The state after a step.
    pub fn new(step: u64, guard: Guard) -> Self {
        Self { step, guard, held_out: None }
    }
}

/// A checkpoint that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There is no room for it.
    #[error("{path}: no space left on the disk: a checkpoint takes {}, and {} are free", in_words(*wanted), in_words(*free))]
    NoSpace {
        /// The checkpoint.
        path: PathBuf,
        /// How large it is, as far as is known.
        wanted: u64,
        /// What is left.
        free: u64,
    },
    /// The checkpoint is one of another training than this.
    #[error(transparent)]
    Foreign {
        /// What differs.
        source: EngineError,
    },
    /// The model's files could not be written or read.
    #[error("{path}: {reason}")]
    Model {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What a checkpoint is kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To go back to.
    Good,
    /// To go on from after an interruption.
    Pause,
    /// The best so far.
    Best,
}

impl Purpose {
    fn prefix(self) -> &'static str {
        match self {
            Self::Good => "step-",
            Self::Pause => "pause-",
            Self::Best => "best-",
        }
    }

    fn name(self, step: u64) -> String {
        format!("{}{step:06}", self.prefix())
    }
}

/// What is found to go on from.
pub(crate) struct Found {
    pub(crate) state: Checkpoint,
    /// Rollouts of the step after, sampled ahead.
    pub(crate) ahead: Option<Vec<RolloutGroup>>,
}

/// The checkpoints of a run.
pub(crate) struct Shelf<'a> {
    pub(crate) folder: PathBuf,
    pub(crate) tokenizer: &'a Tokenizer,
    /// How many of the newest good ones are kept.
    pub(crate) keep: usize,
}

impl Shelf<'_> {
    /// Saves a state with rollouts that were sampled ahead, and drops what is not kept any more: the best one never.
    ///
    /// # Errors
    /// When a file cannot be written, or there is no room; nothing of an unfinished checkpoint is left.
    pub(crate) fn save(
        &self,
        purpose: Purpose,
        state: &Checkpoint,
        policy: &dyn LanguageModel,
        ahead: Option<&[RolloutGroup]>,
    ) -> Result<(), CheckpointError> {
        let target = self.folder.join(purpose.name(state.step));
        let partial = self.folder.join(format!("{}.partial", purpose.name(state.step)));
        self.check_room(&target)?;
        for stale in [&partial, &target] {
            if stale.exists() {
                fs::remove_dir_all(stale).map_err(io_at(stale))?;
            }
        }
        if let Err(problem) = write(&partial, state, policy, self.tokenizer, ahead) {
            let wanted = bytes_of(&partial).max(self.usual_bytes());
            // What cannot be removed now is removed when the run is continued.
            let _ = fs::remove_dir_all(&partial);
            let free = free_bytes(&self.folder).unwrap_or_default();
            return Err(match problem {
                Problem::Full => CheckpointError::NoSpace { path: target, wanted, free },
                Problem::Other(error) => error,
            });
        }
        fs::rename(&partial, &target).map_err(io_at(&target))?;
        self.drop_superseded()
    }

    /// About how many bytes a checkpoint of this run has: those of the newest.
    fn usual_bytes(&self) -> u64 {
        let newest =
            |purpose| self.list(purpose).ok()?.last().map(|step| self.folder.join(Purpose::name(purpose, *step)));
        newest(Purpose::Good).or_else(|| newest(Purpose::Pause)).map_or(0, |path| bytes_of(&path))
    }

    fn check_room(&self, target: &Path) -> Result<(), CheckpointError> {
        let wanted = self.usual_bytes();
        match free_bytes(&self.folder) {
            Some(free) if free < wanted => Err(CheckpointError::NoSpace { path: target.to_owned(), wanted, free }),
            _ => Ok(()),
        }
    }

    fn drop_superseded(&self) -> Result<(), CheckpointError> {
        let good = self.list(Purpose::Good)?;
        let pauses = self.list(Purpose::Pause)?;
        let bests = self.list(Purpose::Best)?;
        let newest_good = good.last().copied();
        let reached = newest_good.max(pauses.last().copied());
        // The best that belongs to the newest state stays until there is a state that has a better one: who goes on from there needs it.
        let kept_best = bests.iter().copied().rfind(|step| Some(*step) <= reached);
        let old_good = good.iter().rev().skip(self.keep).map(|step| (Purpose::Good, *step));
        let old_pauses = pauses
            .iter()
            .filter(|step| Some(**step) <= newest_good || Some(*step) != pauses.last())
            .map(|step| (Purpose::Pause, *step));
        let old_bests =
            bests.iter().filter(|step| kept_best.is_some_and(|kept| **step < kept)).map(|step| (Purpose::Best, *step));
        for (purpose, step) in old_good.chain(old_pauses).chain(old_bests) {
            let path = self.folder.join(purpose.name(step));
            fs::remove_dir_all(&path).map_err(io_at(&path))?;
        }
        Ok(())
    }

    /// Takes the policy to the newest state to go on from, pauses included; older ones are tried when the newest is damaged, which is
    /// told. What is newer than the state, damaged or unfinished goes or is renamed. Without a state the policy stays as it is.
    ///
    /// # Errors
    /// When the folder cannot be listed or changed, or a whole checkpoint is that of another training.
    pub(crate) fn resume(
        &self,
        policy: &mut dyn LanguageModel,
        listen: &mut impl FnMut(Event<'_>),
    ) -> Result<Option<Found>, CheckpointError> {
        self.drop_unfinished()?;
        let mut steps: Vec<(u64, Purpose)> = Vec::new();
        for purpose in [Purpose::Pause, Purpose::Good] {
            steps.extend(self.list(purpose)?.into_iter().map(|step| (step, purpose)));
        }
        // Of a pause and a good state of one step, the latter comes last and is taken.
        steps.sort_by_key(|(step, _)| *step);
        let found = self.first_whole(steps.into_iter().rev(), policy, listen, true)?;
        let reached = found.as_ref().map(|found| found.state.step);
        for step in self.list(Purpose::Best)?.into_iter().filter(|step| Some(*step) > reached) {
            let path = self.folder.join(Purpose::Best.name(step));
            fs::remove_dir_all(&path).map_err(io_at(&path))?;
        }
        Ok(found)
    }

    /// Takes the policy back to the newest good state.
    ///
    /// # Errors
    /// As for [`Shelf::resume`].
    pub(crate) fn go_back(
        &self,
        policy: &mut dyn LanguageModel,
        listen: &mut impl FnMut(Event<'_>),
    ) -> Result<Option<Checkpoint>, CheckpointError> {
        let steps = self.list(Purpose::Good)?.into_iter().rev().map(|step| (step, Purpose::Good));
        Ok(self.first_whole(steps, policy, listen, false)?.map(|found| found.state))
    }

    /// What is remembered of the best state so far.
    ///
    /// # Errors
    /// When the folder cannot be listed. A state that cannot be read is none.
    pub(crate) fn best(&self) -> Result<Option<Checkpoint>, CheckpointError> {
        let newest = self.list(Purpose::Best)?.pop();
        Ok(newest.and_then(|step| read_state(&self.folder.join(Purpose::Best.name(step))).ok()))
    }

    /// Takes the policy to the best state.
    ///
    /// # Errors
    /// When it is not there or damaged.
    pub(crate) fn take_best(&self, step: u64, policy: &mut dyn LanguageModel) -> Result<(), CheckpointError> {
        load(&self.folder.join(Purpose::Best.name(step)), policy).map(|_| ())
    }

    fn first_whole(
        &self,
        steps: impl Iterator<Item = (u64, Purpose)>,
        policy: &mut dyn LanguageModel,
        listen: &mut impl FnMut(Event<'_>),
        set_aside: bool,
    ) -> Result<Option<Found>, CheckpointError> {
        for (step, purpose) in steps {
            let path = self.folder.join(purpose.name(step));
            match load(&path, policy) {
                Ok(found) => return Ok(Some(found)),
                Err(error @ CheckpointError::Foreign { .. }) => return Err(error),
                Err(error) => {
                    listen(Event::Damaged { path: &path, reason: &error.to_string() });
                    if set_aside {
                        let aside = self.folder.join(format!("damaged-{}", purpose.name(step)));
                        if aside.exists() {
                            fs::remove_dir_all(&aside).map_err(io_at(&aside))?;
                        }
                        fs::rename(&path, &aside).map_err(io_at(&aside))?;
                    }
                }
            }
        }
        Ok(None)
    }

    /// What was being written when a run ended.
    fn drop_unfinished(&self) -> Result<(), CheckpointError> {
        for entry in fs::read_dir(&self.folder).map_err(io_at(&self.folder))? {
            let path = entry.map_err(io_at(&self.folder))?.path();
            if path.extension().is_some_and(|extension| extension == "partial") {
                fs::remove_dir_all(&path).map_err(io_at(&path))?;
            }
        }
        Ok(())
    }

    /// The steps that have a whole checkpoint, ascending.
    fn list(&self, purpose: Purpose) -> Result<Vec<u64>, CheckpointError> {
        let mut steps = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(io_at(&self.folder))? {
            let name = entry.map_err(io_at(&self.folder))?.file_name();
            let step = name.to_str().and_then(|name| name.strip_prefix(purpose.prefix()));
            steps.extend(step.and_then(|step| step.parse::<u64>().ok()));
        }
        steps.sort_unstable();
        Ok(steps)
    }
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> CheckpointError {
    move |source| CheckpointError::Io { path: path.to_owned(), source }
}

/// Why a checkpoint was not written.
enum Problem {
    Full,
    Other(CheckpointError),
}

impl Problem {
    fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| if is_full(&source) { Self::Full } else { Self::Other(io_at(path)(source)) }
    }

    fn model(path: &Path, error: &(dyn std::error::Error + 'static)) -> Self {
        if is_full(error) {
            return Self::Full;
        }
        // What is not on its own line here says only which file it was.
        let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
        let mut reasons: Vec<String> = causes.collect();
        reasons.dedup();
        Self::Other(CheckpointError::Model { path: path.to_owned(), reason: reasons.join(": ") })
    }
}

fn write(
    folder: &Path,
    state: &Checkpoint,
    policy: &dyn LanguageModel,
    tokenizer: &Tokenizer,
    ahead: Option<&[RolloutGroup]>,
) -> Result<(), Problem> {
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(Problem::io(&path))
    };
    fs::create_dir_all(folder).map_err(Problem::io(folder))?;
    policy.save_checkpoint(folder).map_err(|error| Problem::model(folder, &error))?;
    tokenizer.save(folder).map_err(|error| Problem::model(folder, &error))?;
    put(STATE, &serde_json::to_vec_pretty(state).expect("a checkpoint's state is plain data"))?;
    if let Some(groups) = ahead {
        put(AHEAD, &pack_rollouts(groups).map_err(Problem::io(folder))?)?;
    }
    let sums = checksums(folder).map_err(Problem::io(folder))?;
    put(CHECKSUMS, &serde_json::to_vec_pretty(&sums).expect("checksums are plain data"))
}

/// A hash of every file of a folder but that of the hashes.
fn checksums(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == CHECKSUMS {
            continue;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(fs::File::open(entry.path())?)?;
        sums.insert(name, hasher.finalize().to_hex().to_string());
    }
    Ok(sums)
}

fn read_state(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let file = path.join(STATE);
    let state = fs::read(&file).map_err(io_at(&file))?;
    serde_json::from_slice(&state)
        .map_err(|error| CheckpointError::Model { path: path.to_owned(), reason: error.to_string() })
}

fn load(path: &Path, policy: &mut dyn LanguageModel) -> Result<Found, CheckpointError> {
    let wrong = |reason: String| CheckpointError::Model { path: path.to_owned(), reason };
    verify(path)?;
    let state = read_state(path)?;
    let file = path.join(AHEAD);
    let ahead = match fs::read(&file) {
        Ok(packed) => Some(unpack_rollouts(&file, &packed).map_err(|error| wrong(error.to_string()))?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(io_at(&file)(error)),
    };
    policy.load_checkpoint(path).map_err(|error| match error {
        EngineError::Load(LoadError::Foreign { .. }) => CheckpointError::Foreign { source: error },
        error => wrong(error.to_string()),
    })?;
    Ok(Found { state, ahead })
}

/// Compares every file with its hash. A checkpoint of before there were any has none.
fn verify(path: &Path) -> Result<(), CheckpointError> {
    let wrong = |reason: String| CheckpointError::Model { path: path.to_owned(), reason };
    let file = path.join(CHECKSUMS);
    let wanted: BTreeMap<String, String> = match fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| wrong(format!("{CHECKSUMS}: {error}")))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_at(&file)(error)),
    };
    let found = checksums(path).map_err(io_at(path))?;
    match wanted.iter().find(|(name, sum)| found.get(*name) != Some(*sum)) {
        None => Ok(()),
        Some((name, _)) if !found.contains_key(name) => Err(wrong(format!("{name} is missing"))),
        Some((name, _)) => Err(wrong(format!("{name} is not what was written"))),
    }
}
