//! What training keeps on disk to go on exactly: weights or the adapter alone, the value head, and the optimiser's state. Every
//! engine reads and writes the same files.

use std::path::Path;

use crate::adapter::Adapter;
use crate::model::Model;
use crate::value_head::ValueHead;
use crate::weights::{LoadError, Outgoing, Precision, SaveError, WeightFile, write_tensors};

/// The optimiser's state in a checkpoint.
pub(crate) const STATE_FILE: &str = "optimiser.safetensors";
/// The note in a state file that holds the number of updates.
const STEPS_NOTE: &str = "steps";
/// The note in a state file that says whose state it is.
const TRAINED_NOTE: &str = "trained";
/// The first and the second moment in a state file.
const MOMENTS: [&str; 2] = ["first_moment", "second_moment"];
const VALUE_MOMENTS: [&str; 2] = ["value_head.first_moment", "value_head.second_moment"];

/// The optimiser's state.
pub(crate) struct TrainingState<M = Vec<f32>> {
    pub(crate) num_steps: u32,
    /// First and second, of the weights or the adapter, in its layout.
    pub(crate) moments: [M; 2],
    /// Of the value head, if there is one.
    pub(crate) value_moments: Option<[M; 2]>,
}

/// Everything that training changes, as a folder holds it.
pub(crate) struct Checkpoint {
    /// The weights, if they are what is trained.
    pub(crate) model: Option<Model>,
    /// The adapter, if there is one.
    pub(crate) adapter: Option<Adapter>,
    pub(crate) value_head: Option<ValueHead>,
    pub(crate) state: TrainingState,
}

impl Checkpoint {
    /// Reads what belongs to a model in training.
    ///
    /// # Errors
    /// If a file is missing, broken, or belongs to another model or adapter.
    pub(crate) fn read(own: &Model, folder: &Path) -> Result<Self, LoadError> {
        let foreign =
            |found: String, expected: String| Err(LoadError::Foreign { path: folder.to_owned(), found, expected });
        let value_head = match own.value_head() {
            None => None,
            Some(_) => match ValueHead::load(folder, own.config().hidden_size)? {
                None => return foreign("no value head".to_owned(), "one".to_owned()),
                head => head,
            },
        };
        let state = folder.join(STATE_FILE);
        if let Some(adapter) = own.adapter() {
            let read = Adapter::load(folder, own.config())?;
            if !adapter.config().computes_like(read.config()) {
                return foreign(read.config().to_string(), adapter.config().to_string());
            }
            return Ok(Self { model: None, adapter: Some(read), value_head, state: read_state(&state, own)? });
        }
        let model = Model::load(folder)?;
        if model.config() != own.config() {
            return foreign("a model of another configuration".to_owned(), "that of this model".to_owned());
        }
        Ok(Self { model: Some(model), adapter: None, value_head, state: read_state(&state, own)? })
    }
}

impl Model {
    /// Writes weights, or the adapter alone, and the value head, exactly.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn save_trained(&self, folder: &Path) -> Result<(), SaveError> {
        let Some(adapter) = self.adapter() else {
            return self.save(folder, Precision::F32);
        };
        adapter.save(folder)?;
        self.value_head().map_or(Ok(()), |head| head.save(folder))
    }

    /// What a state file says it is the state of.
    fn trained_note(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for slot in self.trained_slots() {
            hasher.update(format!("{} {:?}\n", slot.name, slot.shape).as_bytes());
        }
        let what = self.adapter().map_or("all weights".to_owned(), |adapter| adapter.config().to_string());
        let head = if self.value_head().is_some() { " and a value head" } else { "" };
        format!("{what}{head}, shapes {}", &hasher.finalize().to_hex()[..16])
    }
}

/// Writes moments and step count, exactly; the file appears whole or not at all.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_state<M: AsRef<[f32]>>(
    path: &Path,
    model: &Model,
    state: &TrainingState<M>,
) -> Result<(), SaveError> {
    let mut tensors = Vec::new();
    let value = state.value_moments.as_ref().map(|moments| (moments, VALUE_MOMENTS));
    for (moments, names) in [(&state.moments, MOMENTS)].into_iter().chain(value) {
        for (name, moment) in names.into_iter().zip(moments) {
            tensors.push((name, [moment.as_ref().len()], moment.as_ref()));
        }
    }
    let tensors: Vec<Outgoing<'_>> =
        tensors.iter().map(|&(name, ref shape, numbers)| Outgoing { name, shape, numbers }).collect();
    let notes = [(STEPS_NOTE, state.num_steps.to_string()), (TRAINED_NOTE, model.trained_note())];
    let notes = notes.each_ref().map(|(key, value)| (*key, value.as_str()));
    write_tensors(path, &tensors, &notes, Precision::F32)
}

/// Reads what [`write_state`] wrote.
///
/// # Errors
/// If the file is missing, broken or belongs to a model of another shape.
pub(crate) fn read_state(path: &Path, model: &Model) -> Result<TrainingState, LoadError> {
    let mut file = WeightFile::open(path)?;
    let missing = || LoadError::MissingTensor { path: path.to_owned(), name: STEPS_NOTE.to_owned() };
    let (found, expected) = (file.note(TRAINED_NOTE).ok_or_else(missing)?, model.trained_note());
    if found != expected {
        return Err(LoadError::Foreign { path: path.to_owned(), found: found.to_owned(), expected });
    }
    let num_steps = file.note(STEPS_NOTE).and_then(|steps| steps.parse().ok()).ok_or_else(missing)?;
    let mut read = |names: [&str; 2], count: usize| {
        let mut moments = [vec![0.0; count], vec![0.0; count]];
        for (name, moment) in names.into_iter().zip(&mut moments) {
            file.describe(name, &[count])?;
            file.read(name, moment)?;
        }
        Ok::<_, LoadError>(moments)
    };
    let moments = read(MOMENTS, model.trained().len())?;
    let value_moments = model.value_head().map(|head| read(VALUE_MOMENTS, head.parameters().len())).transpose()?;
    Ok(TrainingState { num_steps, moments, value_moments })
}
