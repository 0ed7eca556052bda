//! Sampling against scoring: the decoder with its cache must agree with the forward over whole sequences.

use codeward_lm::{Model, ModelConfig, Prompt, Sampled, SamplingParams, Sequence, generate, score};

const EOS: u32 = 0;

fn model() -> Model {
    let config = ModelConfig {
        hidden_size: 48,
        intermediate_size: 80,
        num_hidden_layers: 3,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        head_dim: 12,
        vocab_size: 150,
        max_position_embeddings: 90,
        ..ModelConfig::tiny()
    };
    Model::init(config, 5)
}

/// A prompt of a length and content of its own.
fn prompt(number: usize) -> Vec<u32> {
    (0..3 + number * 5 % 23).map(|i| ((i * 31 + number * 17) % 149 + 1) as u32).collect()
}

fn sampling(temperature: f32) -> SamplingParams {
    SamplingParams { temperature, max_new_tokens: 40, ..SamplingParams::default() }
}

/// The log-probabilities of a completion by the forward over the whole sequence.
fn rescored(model: &Model, prompt: &[u32], sampled: &Sampled, temperature: f32) -> Vec<f32> {
    let tokens = [prompt, &sampled.tokens].concat();
    let sequence = Sequence { tokens: &tokens, num_prompt: prompt.len() };
    score(model, &[sequence], temperature).logprobs.remove(0)
}

/// The likeliest next token by scoring every candidate.
fn likeliest(model: &Model, tokens: &[u32]) -> u32 {
    let candidates: Vec<Vec<u32>> = (0..150).map(|token| [tokens, &[token]].concat()).collect();
    let batch: Vec<Sequence<'_>> =
        candidates.iter().map(|tokens| Sequence { tokens, num_prompt: tokens.len() - 1 }).collect();
    let logprobs = score(model, &batch, 1.0).logprobs;
    let best = (0..150).max_by(|&a, &b| logprobs[a][0].total_cmp(&logprobs[b][0]).then(b.cmp(&a)));
    best.expect("there are candidates") as u32
}

#[test]
fn greedy_decoding_takes_the_argmax_of_the_full_forward() {
    let model = model();
    for number in 0..3 {
        let prompt = prompt(number);
        let sampled = &generate(&model, &[Prompt { tokens: &prompt, seed: 1 }], EOS, &sampling(0.0))[0];
        let mut tokens = prompt.clone();
        for &token in sampled.tokens.iter().take(12) {
            assert_eq!(token, likeliest(&model, &tokens), "after {} tokens", tokens.len());
            tokens.push(token);
        }
        // Greedy log-probabilities are those at temperature one.
        let expected = rescored(&model, &prompt, sampled, 1.0);
        for (got, expected) in sampled.logprobs.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-4, "{got} against {expected}");
        }
    }
}

#[test]
fn sampled_logprobs_match_a_scoring_pass() {
    let model = model();
    let mut worst = 0.0f32;
    for temperature in [0.6, 1.0, 1.5] {
        let prompts: Vec<Vec<u32>> = (0..20).map(prompt).collect();
        let rows: Vec<Prompt<'_>> =
            prompts.iter().enumerate().map(|(seed, tokens)| Prompt { tokens, seed: seed as u64 }).collect();
        for (row, sampled) in rows.iter().zip(generate(&model, &rows, EOS, &sampling(temperature))) {
            let expected = rescored(&model, row.tokens, &sampled, temperature);
            assert_eq!(sampled.logprobs.len(), sampled.tokens.len());
            for (got, expected) in sampled.logprobs.iter().zip(expected) {
                worst = worst.max((got - expected).abs());
            }
        }
    }
    assert!(worst < 1e-4, "worst difference {worst:e}");
}

#[test]
fn a_row_does_not_depend_on_its_batch() {
    let model = model();
    let prompts: Vec<Vec<u32>> = (0..9).map(prompt).collect();
    // More rows than decode together, with repeated prompts, so that rows wait and share.
    let rows: Vec<Prompt<'_>> = (0..300).map(|i| Prompt { tokens: &prompts[i % 9], seed: i as u64 / 2 }).collect();
    let together = generate(&model, &rows, EOS, &sampling(1.0));
    for index in [0, 1, 8, 137, 255, 299] {
        let alone = generate(&model, &rows[index..=index], EOS, &sampling(1.0));
        assert_eq!(alone[0], together[index], "row {index}");
    }
    for slice in [3..10, 120..250] {
        assert_eq!(generate(&model, &rows[slice.clone()], EOS, &sampling(1.0)), together[slice]);
    }
    // Equal prompt and seed, equal completion; another seed, another completion.
    assert_eq!(generate(&model, &[rows[0], rows[0]], EOS, &sampling(1.0)), [together[0].clone(), together[0].clone()]);
    assert_ne!(together[0].tokens, together[18].tokens);
}

#[test]
fn completions_end_at_the_end_token_the_limit_or_the_last_position() {
    let model = model();
    let prompts: Vec<Vec<u32>> = (0..60).map(prompt).collect();
    let rows: Vec<Prompt<'_>> =
        prompts.iter().enumerate().map(|(seed, tokens)| Prompt { tokens, seed: seed as u64 }).collect();
    let sampled = generate(&model, &rows, EOS, &sampling(1.0));
    for completion in &sampled {
        let ends = completion.tokens.last() == Some(&EOS);
        assert_eq!(completion.stopped, ends);
        assert!(ends || completion.tokens.len() == 40);
        assert!(!completion.tokens[..completion.tokens.len() - 1].contains(&EOS));
    }
    assert!(sampled.iter().any(|completion| completion.stopped), "with 2400 draws over 150 tokens some rows stop");
    // 90 positions hold a prompt of 85 and 5 more tokens.
    let long: Vec<u32> = (0..85).map(|i| i % 149 + 1).collect();
    let full: Vec<u32> = (0..90).map(|i| i % 149 + 1).collect();
    let rows = [Prompt { tokens: &long, seed: 1 }, Prompt { tokens: &full, seed: 1 }];
    let sampled = generate(&model, &rows, EOS, &sampling(1.0));
    assert!(sampled[0].stopped || sampled[0].tokens.len() == 5);
    assert_eq!(sampled[1], Sampled::default());
    assert_eq!(generate(&model, &[], EOS, &sampling(1.0)), []);
    let nothing = SamplingParams { max_new_tokens: 0, ..sampling(1.0) };
    assert_eq!(generate(&model, &rows[..1], EOS, &nothing), [Sampled::default()]);
}

#[test]
fn no_end_token_comes_before_the_least_number_of_tokens() {
    let model = model();
    let prompts: Vec<Vec<u32>> = (0..60).map(prompt).collect();
    let rows: Vec<Prompt<'_>> =
        prompts.iter().enumerate().map(|(seed, tokens)| Prompt { tokens, seed: seed as u64 }).collect();
    for temperature in [0.01, 1.0] {
        let params = SamplingParams { min_new_tokens: 25, ..sampling(temperature) };
        let sampled = generate(&model, &rows, EOS, &params);
        assert!(sampled.iter().all(|row| row.tokens.len() >= 25 && !row.tokens[..25].contains(&EOS)));
        let logprobs = || sampled.iter().flat_map(|row| &row.logprobs);
        assert!(logprobs().all(|logprob| logprob.is_finite() && *logprob <= 0.0));
    }
    // After it the end token is as likely as ever.
    let params = SamplingParams { min_new_tokens: 25, ..sampling(1.0) };
    assert!(generate(&model, &rows, EOS, &params).iter().any(|row| row.stopped));
}

#[test]
fn a_great_penalty_keeps_every_token_from_coming_twice() {
    let model = model();
    let prompts: Vec<Vec<u32>> = (0..8).map(prompt).collect();
    let rows: Vec<Prompt<'_>> = prompts.iter().map(|tokens| Prompt { tokens, seed: 1 }).collect();
    let repeats = |params: &SamplingParams| {
        let sampled = generate(&model, &rows, EOS, params);
        let count = |(row, prompt): (&Sampled, &Vec<u32>)| {
            let before = |at: usize| prompt.contains(&row.tokens[at]) || row.tokens[..at].contains(&row.tokens[at]);
            (0..row.tokens.len()).filter(|at| before(*at)).count()
        };
        sampled.iter().zip(&prompts).map(count).sum::<usize>()
    };
    assert!(repeats(&sampling(0.0)) > 0, "a greedy completion goes in circles");
    assert_eq!(repeats(&SamplingParams { repetition_penalty: 1e6, ..sampling(0.0) }), 0);
}
