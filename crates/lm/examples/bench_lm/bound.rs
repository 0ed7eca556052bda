//! What the matrix engine could do at best: the bound that training is compared with.
#![expect(unsafe_code, reason = "the matrix engine takes pointers")]

use std::time::Instant;

use codeward_lm::ModelConfig;
use rayon::prelude::*;

use crate::case::{Case, Work};

/// Rows of a task, inputs and outputs of the product whose rate is the bound: sizes that the engine is good at.
const PRODUCT: [usize; 3] = [256, 512, 1536];
const REPETITIONS: usize = 12;
/// Rank of the adapters.
const RANK: f64 = 16.0;

/// Operations per second that all threads together reach in single precision, at best.
pub(crate) fn matrix_rate() -> f64 {
    let [rows, inputs, outputs] = PRODUCT;
    let (left, right) = (vec![0.5_f32; rows * inputs], vec![0.25_f32; inputs * outputs]);
    let mut tasks = vec![vec![0.0_f32; rows * outputs]; 8 * rayon::current_num_threads()];
    let operations = (2 * rows * inputs * outputs * tasks.len()) as f64;
    let mut best = f64::INFINITY;
    for _ in 0..REPETITIONS {
        let started = Instant::now();
        tasks.par_iter_mut().with_max_len(1).for_each(|result| multiply(result, &left, &right));
        best = best.min(started.elapsed().as_secs_f64());
    }
    operations / best
}

fn multiply(result: &mut [f32], left: &[f32], right: &[f32]) {
    let [rows, inputs, outputs] = PRODUCT;
    assert!(result.len() == rows * outputs && left.len() == rows * inputs && right.len() == inputs * outputs);
    // SAFETY: all three are whole matrices with contiguous rows of the sizes just asserted, and the result is borrowed
    // for writing, so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            rows,
            outputs,
            inputs,
            result.as_mut_ptr(),
            1,
            outputs as isize,
            false,
            left.as_ptr(),
            1,
            inputs as isize,
            right.as_ptr(),
            1,
            outputs as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Operations in matrix products of a round of training, without anything that is computed twice.
pub(crate) fn training_operations(case: &Case, config: &ModelConfig) -> f64 {
    let (hidden, inner, layers) =
        (config.hidden_size as f64, config.intermediate_size as f64, config.num_hidden_layers as f64);
    let query = (config.num_attention_heads * config.head_dim) as f64;
    let key = (config.num_key_value_heads * config.head_dim) as f64;
    let matrices =
        layers * (hidden * (2.0 * query + 2.0 * key) + 3.0 * hidden * inner) + hidden * config.vocab_size as f64;
    // Scores and sums of values, over half of the sequence on average.
    let attention = layers * 2.0 * query * case.length as f64 / 2.0;
    let adapters = RANK * layers * (2.0 * (hidden + query) + 2.0 * (hidden + key) + 3.0 * (hidden + inner));
    // Forward, gradients of inputs, and gradients of what is trained.
    let per_token = match case.work {
        Work::Train => 3.0 * (matrices + attention),
        Work::Adapt => 2.0 * matrices + 3.0 * (attention + adapters),
        Work::Decode | Work::Sample => matrices + attention,
    };
    2.0 * per_token * case.num_tokens() as f64
}
