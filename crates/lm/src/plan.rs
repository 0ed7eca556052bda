//! How much memory work with a model takes, before anything is allocated, and whether this machine has it.
//!
//! Sizes come from the code that makes the buffers, or from the constants that bound them; what remains is left to a
//! [margin](MemoryPlan::with_margin). `tests/memory.rs` compares plans with peaks that were measured.

use std::fmt;

use crate::adapter::{Adapter, AdapterConfig, ByProduct};
use crate::backward::BackwardBuffers;
use crate::config::ModelConfig;
use crate::decoder::{LayerRecord, most_head_rows};
use crate::generate::{self, MOST_ROWS, PREFILL_ROWS};
use crate::host::HostMemory;
use crate::kernels::blocks::UNIT;
use crate::kernels::head::RowStatistics;
use crate::kernels::simd::LANES;
use crate::layout;
use crate::trainer::{Activations, SCORE_ROWS};

/// What the matrix engine keeps for each thread: copies of pieces of its operands.
const ENGINE_BYTES_PER_THREAD: u64 = 6 << 20;
/// Query rows for which attention scores exist at a time.
const ATTENTION_ROWS: usize = 64;
/// The program, and a tokenizer of the usual size.
const PROGRAM_BYTES: u64 = 96 << 20;
/// The rank that is proposed where training all weights does not fit.
const PROPOSED_RANK: usize = 16;
/// The most proposals.
const MOST_PROPOSALS: usize = 3;

/// What a model is to do, as far as memory is concerned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Workload {
    /// Updates, if there are any.
    pub training: Option<TrainingLoad>,
    /// Completions, if there are any.
    pub sampling: Option<SamplingLoad>,
}

/// Training, as far as memory is concerned.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingLoad {
    /// Tokens of the sequences whose gradients are computed together.
    pub batch_tokens: usize,
    /// Tokens of the longest of these sequences.
    pub longest: usize,
    /// What is kept and what is computed again.
    pub activations: Activations,
    /// The adapter that is trained; without one, all weights are.
    pub adapter: Option<AdapterConfig>,
    /// Whether the model is compared with what it was. With an adapter this takes nothing.
    pub reference: bool,
}

/// Sampling, as far as memory is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SamplingLoad {
    /// Completions that are asked for together.
    pub rows: usize,
    /// Different prompts among them.
    pub prompts: usize,
    /// Tokens of the longest prompt.
    pub prompt_tokens: usize,
    /// The most tokens of a completion.
    pub new_tokens: usize,
}

/// Bytes of memory by what they hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The weights.
    pub weights: u64,
    /// The weights as they were, to compare with.
    pub reference: u64,
    /// The adapter.
    pub adapter: u64,
    /// Copies of matrices in the layout that is fastest to multiply with, for training and for decoding.
    pub copies: u64,
    /// Gradients of what is trained.
    pub gradients: u64,
    /// The optimiser's two moments.
    pub moments: u64,
    /// What the backward pass reads of the forward pass.
    pub activations: u64,
    /// The gradients on their way down.
    pub backward: u64,
    /// Logits and what the head keeps of the rows that it scores.
    pub head: u64,
    /// Keys and values of prompts and completions.
    pub cache: u64,
    /// What decoding keeps beside them.
    pub decoding: u64,
    /// The program itself, its tokenizer, and what every thread keeps.
    pub program: u64,
}

impl MemoryPlan {
    /// What a model of a valid configuration takes for some work.
    pub fn new(config: &ModelConfig, workload: &Workload) -> Self {
        let total = layout::checked_total(config).unwrap_or(usize::MAX) as u64;
        let threads = rayon::current_num_threads() as u64;
        let mut plan = Self { weights: bytes(total), ..Self::default() };
        plan.program = PROGRAM_BYTES + threads * ENGINE_BYTES_PER_THREAD;
        let shares_copy = workload.training.as_ref().is_some_and(|training| plan.add_training(config, training));
        if let Some(sampling) = &workload.sampling {
            plan.add_sampling(config, sampling);
            plan.copies += if shares_copy { 0 } else { copy_bytes(config) };
        }
        let longest = [
            workload.training.as_ref().map(|training| training.longest),
            workload.sampling.map(|sampling| sampling.prompt_tokens.saturating_add(sampling.new_tokens)),
        ];
        let longest = longest.into_iter().flatten().max().unwrap_or(0) as u64;
        // Keys and values of one head turned round, scores and their gradients; and the rotary tables.
        let attention = 2 * (config.head_dim + ATTENTION_ROWS) as u64;
        plan.program += bytes(longest.saturating_mul(threads * attention + 4 * config.head_dim as u64));
        plan
    }

    /// Adds what training takes; says whether decoding can use the copy of the matrices that it has.
    fn add_training(&mut self, config: &ModelConfig, training: &TrainingLoad) -> bool {
        let (ranks, adapted) = match &training.adapter {
            Some(adapter) => Adapter::sizes(adapter, config),
            None => (ByProduct::default(), 0),
        };
        let frozen = training.adapter.is_some();
        let trained = if frozen { bytes(adapted as u64) } else { self.weights };
        // Its matrices are turned round for as long as they are at work.
        self.adapter = 2 * bytes(adapted as u64);
        self.gradients = trained;
        self.moments = trained.saturating_mul(2);
        self.reference = if training.reference && !frozen { self.weights } else { 0 };
        let rows = training.batch_tokens as u64;
        let (layers, hidden) = (config.num_hidden_layers as u64, config.hidden_size as u64);
        let width = LayerRecord::row_width(config, &ranks) as u64;
        let record = rows.saturating_mul(width);
        let stream = rows.saturating_mul(hidden);
        let kept = match training.activations {
            Activations::Keep => {
                self.copies += copy_bytes(config);
                record.saturating_mul(layers)
            }
            Activations::Recompute => record.saturating_add(stream.saturating_mul(layers)),
        };
        // The model that is compared with is run in portions of its own size, through one record.
        let portion = if training.reference { (SCORE_ROWS as u64).saturating_sub(rows) } else { 0 };
        self.activations = bytes(kept.saturating_add(stream).saturating_add(portion.saturating_mul(width)));
        self.backward = bytes(backward_numbers(rows, config, &ranks, frozen));
        let logits = rows.min(most_head_rows(config) as u64).saturating_mul(config.vocab_size as u64);
        let statistics = (size_of::<RowStatistics>() / size_of::<f32>()) as u64;
        let scored = rows.saturating_mul(2 * hidden + statistics + 2);
        self.head = bytes(logits.saturating_add(scored));
        training.activations == Activations::Keep && !frozen
    }

    /// Adds what sampling takes, the copy of the matrices excepted.
    fn add_sampling(&mut self, config: &ModelConfig, sampling: &SamplingLoad) {
        let together = sampling.rows.min(MOST_ROWS) as u64;
        let prompts = sampling.prompts.min(MOST_ROWS) as u64;
        let position = (2 * config.num_hidden_layers * config.key_width()) as u64;
        let room = |tokens: usize| position.saturating_mul(tokens.div_ceil(LANES) as u64 * LANES as u64);
        let own = together.saturating_mul(room(sampling.new_tokens));
        self.cache = bytes(own.saturating_add(prompts.saturating_mul(room(sampling.prompt_tokens))));
        // Prompts are computed in portions, of one prompt at least.
        let tokens = prompts.saturating_mul(sampling.prompt_tokens as u64);
        let portion = tokens.min(PREFILL_ROWS.max(sampling.prompt_tokens) as u64);
        let record = LayerRecord::row_width(config, &ByProduct::default()) + config.hidden_size;
        let decoding = together.saturating_mul(generate::row_width(config) as u64);
        let logits = prompts.saturating_mul(config.vocab_size as u64);
        let portion = portion.saturating_mul(record as u64);
        self.decoding = bytes(decoding.saturating_add(logits).saturating_add(portion));
    }

    /// The parts by name, those that take nothing left out.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let parts = [
            ("weights", self.weights),
            ("reference", self.reference),
            ("adapter", self.adapter),
            ("copies of matrices", self.copies),
            ("gradients", self.gradients),
            ("moments", self.moments),
            ("activations", self.activations),
            ("backward pass", self.backward),
            ("head", self.head),
            ("keys and values", self.cache),
            ("decoding", self.decoding),
            ("program", self.program),
        ];
        parts.into_iter().filter(|(_, bytes)| *bytes > 0)
    }

    /// All parts together.
    pub fn total(&self) -> u64 {
        self.parts().fold(0, |sum, (_, bytes)| sum.saturating_add(bytes))
    }

    /// What a machine should have free: a twentieth more.
    pub fn with_margin(&self) -> u64 {
        self.total().saturating_add(self.total() / 20)
    }
}

/// Single-precision numbers as bytes.
fn bytes(numbers: u64) -> u64 {
    numbers.saturating_mul(size_of::<f32>() as u64)
}

/// All matrices that rows are multiplied with.
fn copy_bytes(config: &ModelConfig) -> u64 {
    bytes((layout::num_in_layer_matrices(config) + config.vocab_size * config.hidden_size) as u64)
}

/// Numbers of the backward pass: so many for each row, and so many for each unit of rows.
fn backward_numbers(rows: u64, config: &ModelConfig, ranks: &ByProduct<usize>, frozen: bool) -> u64 {
    let [one, two] = [1, 2].map(|rows| BackwardBuffers::num_numbers(rows, config, ranks, frozen) as u64);
    // One row and two are both one unit.
    let (row, unit) = (two - one, 2 * one - two);
    rows.saturating_mul(row).saturating_add(rows.div_ceil(UNIT as u64).saturating_mul(unit))
}

/// Work that does not fit the machine.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{} of memory are needed ({}), and {} are {}", Bytes(plan.with_margin()), Parts(plan), Bytes(host.available), host.bound)]
pub struct DoesNotFit {
    /// What the work takes.
    pub plan: MemoryPlan,
    /// What there is.
    pub host: HostMemory,
    /// What would fit, the least change first.
    pub proposals: Vec<Proposal>,
}

impl DoesNotFit {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        if self.proposals.is_empty() {
            return "no settings fit here: use a smaller model or a machine with more memory".to_owned();
        }
        let proposals: Vec<String> = self.proposals.iter().map(Proposal::to_string).collect();
        format!("what would fit: {}", proposals.join("; or "))
    }
}

/// Settings that fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The work with the settings.
    pub workload: Workload,
    /// What it takes.
    pub plan: MemoryPlan,
    /// What was changed, in words.
    pub changes: Vec<String>,
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.changes.join(" and "), Bytes(self.plan.with_margin()))
    }
}

/// Refuses work that does not fit a machine, with what would.
///
/// # Errors
/// If the plan with its margin is larger than what the machine has free.
pub fn plan_memory(config: &ModelConfig, workload: &Workload, host: HostMemory) -> Result<MemoryPlan, Box<DoesNotFit>> {
    let plan = MemoryPlan::new(config, workload);
    if plan.with_margin() <= host.available {
        return Ok(plan);
    }
    Err(Box::new(DoesNotFit { plan, host, proposals: proposals(config, workload, host) }))
}

/// The settings that fit: for each set of changed settings the mildest values, sets with the fewest changes first.
fn proposals(config: &ModelConfig, workload: &Workload, host: HostMemory) -> Vec<Proposal> {
    let mut found: Vec<(u32, Proposal)> = Vec::new();
    for which in 1_u32..16 {
        let steps = most_steps(workload);
        for step in 1..=steps {
            let Some(changed) = change(workload, which, step) else { break };
            let (changes, workload) = changed;
            let plan = MemoryPlan::new(config, &workload);
            if plan.with_margin() <= host.available {
                // More changes than another proposal needs are no proposal.
                if !found.iter().any(|(other, _)| other & which == *other) {
                    found.push((which, Proposal { workload, plan, changes }));
                }
                break;
            }
        }
    }
    // A later set may be contained in an earlier one.
    let sets: Vec<u32> = found.iter().map(|(which, _)| *which).collect();
    found.retain(|(which, _)| !sets.iter().any(|other| other != which && other & which == *other));
    found.sort_by_key(|(which, _)| which.count_ones());
    found.into_iter().map(|(_, proposal)| proposal).take(MOST_PROPOSALS).collect()
}

/// How often a number can be halved, at most.
fn most_steps(workload: &Workload) -> u32 {
    let sequences = workload.training.as_ref().map_or(1, |training| training.batch_tokens / training.longest.max(1));
    let rows = workload.sampling.map_or(1, |sampling| sampling.rows.min(MOST_ROWS));
    sequences.max(rows).max(1).ilog2() + 1
}

/// The work with some settings changed, and the changes in words; nothing if one of them cannot be changed. Bits of `which`:
/// compute activations again, smaller micro-batches, fewer rows together, an adapter.
fn change(workload: &Workload, which: u32, step: u32) -> Option<(Vec<String>, Workload)> {
    let mut changed = workload.clone();
    let mut changes = Vec::new();
    if which & 1 > 0 {
        let training = changed.training.as_mut().filter(|training| training.activations == Activations::Keep)?;
        training.activations = Activations::Recompute;
        changes.push("activations computed again".to_owned());
    }
    if which & 2 > 0 {
        let training = changed.training.as_mut().filter(|training| training.batch_tokens > training.longest)?;
        training.batch_tokens = (training.batch_tokens >> step).max(training.longest);
        changes.push(format!("gradients of {} tokens at a time", training.batch_tokens));
    }
    if which & 4 > 0 {
        let sampling = changed.sampling.as_mut().filter(|sampling| sampling.rows > 1)?;
        sampling.rows = (sampling.rows.min(MOST_ROWS) >> step).max(1);
        sampling.prompts = sampling.prompts.min(sampling.rows);
        changes.push(format!("{} at a time", counted(sampling.rows, "completion")));
    }
    if which & 8 > 0 {
        let training = changed.training.as_mut().filter(|training| training.adapter.is_none())?;
        training.adapter = Some(AdapterConfig { rank: PROPOSED_RANK, ..AdapterConfig::default() });
        changes.push(format!("an adapter of rank {PROPOSED_RANK} in place of all weights"));
    }
    Some((changes, changed))
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Bytes in the unit that keeps the number short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(
    /// How many.
    pub u64,
);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = self.0 as f64 / f64::from(1 << 20);
        if mebibytes >= 1024.0 { write!(f, "{:.1} GiB", mebibytes / 1024.0) } else { write!(f, "{mebibytes:.1} MiB") }
    }
}

/// The parts of a plan, largest first.
struct Parts<'a>(&'a MemoryPlan);

impl fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<(&str, u64)> = self.0.parts().collect();
        parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let parts: Vec<String> = parts.iter().map(|(name, bytes)| format!("{name} {}", Bytes(*bytes))).collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_in_the_unit_that_keeps_them_short() {
        assert_eq!([0, 3 << 19, 3 << 29].map(|size| Bytes(size).to_string()), ["0.0 MiB", "1.5 MiB", "1.5 GiB"]);
    }
}
