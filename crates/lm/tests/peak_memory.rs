//! The memory of a backward pass follows the tokens of one call, however many calls add to one gradient.
//!
//! One test to a process, as the peak is that of the process.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]
#![cfg(target_os = "linux")]

use codeward_lm::{EngineOptions, LanguageModel, Model, ModelConfig, Sequence, Upstream, start};

/// The most memory that the process has ever had, in KiB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn accumulate(model: &mut dyn LanguageModel, batch: &[Sequence<'_>]) {
    let mut upstream = |scores: &codeward_lm::Scores| Upstream {
        logprobs: scores.logprobs.iter().map(|row| vec![-1e-3; row.len()]).collect(),
        ..Upstream::default()
    };
    model.accumulate(batch, 1.0, &mut upstream).unwrap();
}

#[test]
fn peak_memory_follows_the_micro_batch() {
    let config = ModelConfig {
        hidden_size: 64,
        intermediate_size: 512,
        num_hidden_layers: 6,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 16,
        vocab_size: 300,
        max_position_embeddings: 128,
        ..ModelConfig::tiny()
    };
    let tokens: Vec<Vec<u32>> = (0..32).map(|row| (0..65).map(|i| (i * i + row * 7) % 300).collect()).collect();
    let batch: Vec<Sequence<'_>> = tokens.iter().map(|tokens| Sequence { tokens, num_prompt: 1 }).collect();
    let mut model = start(Model::init(config, 1), &EngineOptions::default()).unwrap();
    // Threads, gradients, and what a single sequence takes.
    accumulate(&mut *model, &batch[..1]);
    let start = peak();
    for pair in batch.chunks(2) {
        accumulate(&mut *model, pair);
    }
    let in_pieces = peak() - start;
    accumulate(&mut *model, &batch);
    let at_once = peak() - start;
    println!("two sequences at a time: {in_pieces} KiB; 32 at once: {at_once} KiB");
    // Sixteen times the tokens; what does not grow with them is on both sides.
    assert!(at_once > 6 * in_pieces.max(1000), "{in_pieces} KiB in pieces, {at_once} KiB at once");
}
