//! Plans of memory against peaks that were measured. A peak is that of a whole process, so every case runs in one of its
//! own: this test binary, told by a variable which case it is.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper that cannot go on fails the test, and says what it measured"
)]

use std::process::Command;
use std::sync::Mutex;

use codeward_lm::{
    Activations, AdamW, AdapterConfig, Bytes, Ends, EngineOptions, Family, HostMemory, MemoryBound, MemoryPlan, Model,
    ModelConfig, Prompt, SamplingLoad, SamplingParams, Scores, Sequence, TrainingLoad, Upstream, Workload, plan_memory,
    start,
};

/// The case that a child runs.
const CASE: &str = "CODEWARD_MEMORY_CASE";
/// What a peak may differ from its plan by: a tenth, and what the allocator keeps for itself.
const RELATIVE: f64 = 0.1;
const ABSOLUTE: f64 = 16.0 * 1024.0 * 1024.0;

/// Sizes at which buffers are large beside what the allocator keeps.
fn config(family: Family) -> ModelConfig {
    ModelConfig { num_hidden_layers: 6, sliding_window: None, ..ModelConfig::of_family(family) }
}

/// A case by its name: `family/all or adapter/keep or recompute`, or `family/sample`.
fn workload(case: &str) -> (ModelConfig, Workload) {
    let parts: Vec<&str> = case.split('/').collect();
    let family = match parts[0] {
        "llama" => Family::Llama,
        "qwen2" => Family::Qwen2,
        "qwen3" => Family::Qwen3,
        _ => Family::Gemma3,
    };
    let mut config = config(family);
    if family == Family::Gemma3 {
        config.sliding_window = ModelConfig::of_family(family).sliding_window;
        config.num_hidden_layers = 4;
    }
    let is_published = parts[0] == "smollm2";
    let sampling = SamplingLoad { rows: 96, prompts: 12, prompt_tokens: 200, new_tokens: 64 };
    let training = TrainingLoad {
        batch_tokens: if is_published { 16 * 256 } else { 12 * 160 },
        longest: if is_published { 256 } else { 160 },
        activations: if parts.contains(&"recompute") { Activations::Recompute } else { Activations::Keep },
        adapter: parts.contains(&"adapter").then(AdapterConfig::default),
        reference: parts.contains(&"reference"),
    };
    let trains = parts.contains(&"keep") || parts.contains(&"recompute");
    let samples = parts.contains(&"sample");
    (config, Workload { training: trains.then_some(training), sampling: samples.then_some(sampling) })
}

fn status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Does the work once, which makes every buffer.
fn work(model: Model, workload: &Workload) {
    let tokens = |count: usize, salt: usize| -> Vec<u32> {
        (0..count).map(|i| ((i * 7919 + salt * 104_729) % 2047 + 1) as u32).collect()
    };
    let training = workload.training.as_ref();
    let options = EngineOptions {
        adapter: training.and_then(|training| training.adapter.clone()),
        reference: training.is_some_and(|training| training.reference),
        activations: training.map_or(Activations::Keep, |training| training.activations),
        ..EngineOptions::default()
    };
    let mut model = start(model, &options).unwrap();
    if let Some(training) = training {
        let sequences: Vec<Vec<u32>> =
            (0..training.batch_tokens / training.longest).map(|row| tokens(training.longest, row)).collect();
        let batch: Vec<Sequence<'_>> = sequences.iter().map(|tokens| Sequence { tokens, num_prompt: 1 }).collect();
        if training.reference {
            model.score_reference(&batch, 1.0).unwrap();
        }
        model.zero_gradients();
        let mut upstream = |scores: &Scores| Upstream {
            logprobs: scores.logprobs.iter().map(|row| vec![-1e-3; row.len()]).collect(),
            ..Upstream::default()
        };
        model.accumulate(&batch, 1.0, &mut upstream).unwrap();
        model.step(&AdamW::default()).unwrap();
    }
    if let Some(sampling) = workload.sampling {
        let prompts: Vec<Vec<u32>> = (0..sampling.prompts).map(|row| tokens(sampling.prompt_tokens, row)).collect();
        let rows: Vec<Prompt<'_>> =
            (0..sampling.rows).map(|row| Prompt { tokens: &prompts[row % prompts.len()], seed: row as u64 }).collect();
        let params = SamplingParams { max_new_tokens: sampling.new_tokens, ..SamplingParams::default() };
        model.complete(&rows, &Ends::default(), &params).unwrap();
    }
}

/// What a child does.
#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn child() {
    let Ok(case) = std::env::var(CASE) else { return };
    let (config, workload) = workload(&case);
    let before = status("VmRSS:");
    let model = match std::env::var("CODEWARD_SMOLLM2") {
        Ok(folder) if case.starts_with("smollm2") => Model::load(folder.as_ref()).unwrap(),
        _ => Model::init(config, 1),
    };
    work(model, &workload);
    println!("peak {}", status("VmHWM:") - before);
}

/// The peak of a case beyond what the process had before it.
#[expect(clippy::disallowed_methods, reason = "the peak of a process can be measured in one of its own only")]
fn measured(case: &str) -> u64 {
    // One at a time: the children are of some size.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(CASE, case)
        .env("RAYON_NUM_THREADS", "2")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let peak = text.lines().find_map(|line| line.split_once("peak ").map(|(_, bytes)| bytes.parse().unwrap()));
    peak.unwrap_or_else(|| panic!("{case}: {text} {}", String::from_utf8_lossy(&output.stderr)))
}

/// A plan without the program, which the child had before, against the measured peak.
fn compare(case: &str) {
    let (config, workload) = workload(case);
    let plan = MemoryPlan::new(&config, &workload);
    let planned = (plan.total() - plan.program) as f64;
    let peak = measured(case) as f64;
    println!("{case}: planned {}, measured {}", Bytes(planned as u64), Bytes(peak as u64));
    assert!((peak - planned).abs() <= RELATIVE * planned + ABSOLUTE, "{case}: {plan:?}, measured {peak}");
}

#[test]
fn plans_of_training_match_measured_peaks() {
    for case in [
        "qwen2/all/keep",
        "qwen2/all/recompute",
        "qwen2/adapter/keep",
        "qwen2/adapter/recompute",
        "llama/all/recompute/reference",
        "qwen3/all/keep/reference",
        "gemma3/all/keep",
        "gemma3/adapter/recompute",
    ] {
        compare(case);
    }
}

#[test]
fn plans_of_sampling_match_measured_peaks() {
    for case in ["llama/sample", "gemma3/sample", "qwen2/adapter/keep/sample", "qwen3/all/recompute/sample"] {
        compare(case);
    }
}

fn load(sequences: usize, activations: Activations) -> Workload {
    let batch_tokens = sequences * 160;
    let training = TrainingLoad { batch_tokens, longest: 160, activations, adapter: None, reference: false };
    Workload { training: Some(training), sampling: None }
}

#[test]
fn a_plan_counts_what_can_be_counted_by_hand() {
    let config = ModelConfig::tiny();
    let plan = MemoryPlan::new(&config, &load(4, Activations::Keep));
    // Per layer 196608 + 491520 in matrices and 1024 in vectors, a table of 2048 x 256, and the last norm.
    let (matrices, table) = (4 * (196_608 + 491_520), 2048 * 256);
    let weights = 4 * (matrices + table + 4 * 1024 + 256) as u64;
    assert_eq!((plan.weights, plan.gradients, plan.moments), (weights, weights, 2 * weights));
    assert_eq!(plan.copies, 4 * (matrices + table) as u64);
    assert_eq!((plan.reference, plan.adapter, plan.cache), (0, 0, 0));
    // 4 x 160 rows. A layer keeps four rows of 256, queries, keys and values of 512, what was attended to, three of 640,
    // four logarithms and two roots; the stream is one more row of 256.
    let rows = 4 * 160;
    assert_eq!(plan.activations, 4 * rows * (4 * (4 * 256 + 512 + 256 + 3 * 640 + 4 + 2) + 256));
    let again = MemoryPlan::new(&config, &load(4, Activations::Recompute));
    assert_eq!(again.activations, 4 * rows * (4 * 256 + 4 * 256 + 512 + 256 + 3 * 640 + 4 + 2 + 256));
    assert_eq!(again.copies, 0);
    // 20 rows of 40 tokens: blocks of 16 positions, keys and values of 128 in four layers.
    let sampling = SamplingLoad { rows: 20, prompts: 5, prompt_tokens: 33, new_tokens: 40 };
    let plan = MemoryPlan::new(&config, &Workload { training: None, sampling: Some(sampling) });
    assert_eq!(plan.cache, 4 * 2 * 4 * 128 * (20 * 48 + 5 * 48));
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let config = ModelConfig::tiny();
    let needed = MemoryPlan::new(&config, &load(64, Activations::Keep)).with_margin();
    let host = |available| HostMemory { available, bound: MemoryBound::Machine };
    assert!(plan_memory(&config, &load(64, Activations::Keep), host(needed)).is_ok());
    let error = plan_memory(&config, &load(64, Activations::Keep), host(needed - 1)).unwrap_err();
    assert!(error.to_string().contains("of memory are needed (activations "), "{error}");
    assert!(!error.proposals.is_empty() && error.proposals.len() <= 3);
    for proposal in &error.proposals {
        let fits = plan_memory(&config, &proposal.workload, host(needed - 1));
        assert_eq!(fits.as_ref(), Ok(&proposal.plan), "{proposal}");
        assert_eq!(proposal.changes.len(), 1, "one change is enough");
    }
    let hint = error.hint();
    assert!(
        hint.contains("activations computed again") && hint.contains("gradients of 5120 tokens at a time"),
        "{hint}"
    );
    // With less memory it takes more than one change; with next to none, nothing helps.
    let all_at_once = MemoryPlan::new(&config, &load(1, Activations::Recompute)).with_margin();
    let error = plan_memory(&config, &load(64, Activations::Keep), host(all_at_once)).unwrap_err();
    assert!(error.proposals.iter().all(|proposal| proposal.plan.with_margin() <= all_at_once));
    assert!(error.proposals.iter().any(|proposal| proposal.changes.len() > 1), "{}", error.hint());
    let error = plan_memory(&config, &load(64, Activations::Keep), host(1 << 20)).unwrap_err();
    assert!(error.proposals.is_empty() && error.hint().contains("smaller model"));
}

/// `CODEWARD_SMOLLM2` is the folder of SmolLM2-135M. Training an adapter on 16 sequences of 256 tokens fits in 3 GiB, with
/// everything that the process has.
#[test]
#[ignore = "needs a published model"]
fn an_adapter_of_smollm2_is_trained_within_3_gib() {
    let folder = std::env::var("CODEWARD_SMOLLM2").expect("CODEWARD_SMOLLM2 says where the model is");
    let config = ModelConfig::load(folder.as_ref()).unwrap();
    let (_, workload) = workload("smollm2/adapter/recompute");
    let plan = MemoryPlan::new(&config, &workload);
    let planned = (plan.total() - plan.program) as f64;
    let peak = measured("smollm2/adapter/recompute") as f64;
    println!("planned {}, measured {}", Bytes(planned as u64), Bytes(peak as u64));
    assert!((peak - planned).abs() <= RELATIVE * planned + ABSOLUTE, "{plan:?}, measured {peak}");
    assert!(peak < 3.0 * 1024.0 * 1024.0 * 1024.0);
}
