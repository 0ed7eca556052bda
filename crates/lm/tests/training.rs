//! Gradients, updates and their reproducibility.

use codeward_lm::{
    Activations, AdamW, Adapter, AdapterConfig, Family, LoadError, Model, ModelConfig, Precision, Scores, Sequence,
    SlidingWindow, Trainer, Upstream, ValueHead, score,
};
use safetensors::SafeTensors;

fn config() -> ModelConfig {
    ModelConfig {
        hidden_size: 40,
        intermediate_size: 56,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 10,
        vocab_size: 90,
        max_position_embeddings: 128,
        tie_word_embeddings: false,
        ..ModelConfig::tiny()
    }
}

/// The same sizes in another family, with every bias that it may have, and a window within the longest sequence.
fn of_family(family: Family, tied: bool, layers: usize) -> ModelConfig {
    let windowed = matches!(family, Family::Qwen3 | Family::Gemma3);
    let window = SlidingWindow {
        length: 11,
        layers: (0..layers).map(|layer| layer % 2 == 0).collect(),
        local_rope_theta: (family == Family::Gemma3).then_some(100.0),
    };
    ModelConfig {
        family,
        attention_bias: true,
        mlp_bias: family == Family::Llama,
        sliding_window: windowed.then_some(window),
        query_pre_attn_scalar: (family == Family::Gemma3).then_some(24),
        tie_word_embeddings: tied,
        num_hidden_layers: layers,
        ..config()
    }
}

fn sequences() -> Vec<(Vec<u32>, usize)> {
    let sequence = |number: usize, length: usize, num_prompt: usize| {
        ((0..length).map(|i| ((i * i * 7 + i * 13 + number * 29) % 90) as u32).collect(), num_prompt)
    };
    // The third has no completion and the fourth a prompt of one token.
    vec![sequence(0, 9, 4), sequence(1, 75, 30), sequence(2, 5, 5), sequence(3, 20, 1), sequence(4, 2, 1)]
}

fn borrowed(sequences: &[(Vec<u32>, usize)]) -> Vec<Sequence<'_>> {
    sequences.iter().map(|(tokens, num_prompt)| Sequence { tokens, num_prompt: *num_prompt }).collect()
}

/// Different derivatives for every token, of both kinds.
fn derivatives(scores: &Scores) -> Upstream {
    let vary = |rows: &[Vec<f32>], scale: f32| {
        let value = |i: usize, j: usize| scale * (((i * 5 + j * 3) % 7) as f32 - 2.5);
        rows.iter().enumerate().map(|(i, row)| (0..row.len()).map(|j| value(i, j)).collect()).collect()
    };
    Upstream { logprobs: vary(&scores.logprobs, 0.1), entropies: vary(&scores.entropies, -0.07), ..Upstream::default() }
}

/// The loss whose derivatives those are.
fn loss(scores: &Scores) -> f64 {
    let upstream = derivatives(scores);
    let inner = |a: &[Vec<f32>], b: &[Vec<f32>]| -> f64 {
        a.iter().flatten().zip(b.iter().flatten()).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    inner(&scores.logprobs, &upstream.logprobs) + inner(&scores.entropies, &upstream.entropies)
}

#[test]
fn gradients_of_the_whole_model_match_finite_differences() {
    const TEMPERATURE: f32 = 0.8;
    let sequences = sequences();
    let batch = borrowed(&sequences);
    let mut worst = 0.0f64;
    for (family, tied) in [
        (Family::Qwen2, false),
        (Family::Qwen2, true),
        (Family::Llama, false),
        (Family::Qwen3, true),
        (Family::Gemma3, false),
        (Family::Gemma3, true),
    ] {
        // A model that has left its initial state, where biases and norms are trivial.
        let mut trainer = Trainer::new(Model::init(of_family(family, tied, 2), 3));
        for _ in 0..3 {
            trainer.zero_gradients();
            trainer.accumulate(&batch, TEMPERATURE, derivatives);
            trainer.step(&AdamW { lr: 0.02, max_grad_norm: f32::INFINITY, ..AdamW::default() });
        }
        trainer.zero_gradients();
        trainer.accumulate(&batch, TEMPERATURE, derivatives);
        let model = trainer.model().clone();
        let names = model.tensor_names().map(str::to_owned).collect::<Vec<_>>();
        for name in names {
            let gradient = trainer.gradient(&name).unwrap().to_vec();
            let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            // Along the gradient itself the derivative is the norm.
            let moved = |step: f64| {
                let mut model = model.clone();
                let values: Vec<f32> = model.tensor(&name).unwrap().to_vec();
                let moved =
                    values.iter().zip(&gradient).map(|(x, g)| (f64::from(*x) + step * f64::from(*g) / norm) as f32);
                model.set_tensor(&name, &moved.collect::<Vec<_>>());
                loss(&score(&model, &batch, TEMPERATURE))
            };
            let step = 1.6e-2;
            // Two central differences, combined so that the third derivative cancels.
            let difference = |step: f64| (moved(step) - moved(-step)) / (2.0 * step);
            let estimate = (4.0 * difference(step) - difference(2.0 * step)) / 3.0;
            // Differences of losses in single precision are no better than this, however small the gradient is.
            let error = ((estimate - norm).abs() - 1e-4).max(0.0) / norm;
            assert!(
                error < 5e-3,
                "{name} ({family:?}, tied: {tied}): norm {norm}, difference {estimate}, error {error:e}"
            );
            worst = worst.max(error);
        }
    }
    println!("worst relative error of a tensor's gradient: {worst:e}");
}

#[test]
fn scoring_with_gradients_and_without_is_the_same() {
    let sequences = sequences();
    let batch = borrowed(&sequences);
    let model = Model::init(config(), 3);
    let scores = score(&model, &batch, 1.3);
    assert_eq!(scores.logprobs.iter().map(Vec::len).collect::<Vec<_>>(), [5, 45, 0, 19, 1]);
    let mut trainer = Trainer::new(model);
    assert_eq!(trainer.accumulate(&batch, 1.3, derivatives), scores);
    assert_eq!(trainer.score(&batch, 1.3), scores);
    // A sequence's scores do not depend on the batch it is in.
    for (index, sequence) in batch.iter().enumerate() {
        assert_eq!(trainer.score(&[*sequence], 1.3).logprobs[0], scores.logprobs[index]);
    }
}

#[test]
fn batches_with_nothing_to_compute_are_fine() {
    let mut trainer = Trainer::new(Model::init(config(), 3));
    assert_eq!(trainer.accumulate(&[], 1.0, derivatives), Scores::default());
    // One token has no position before it, and a prompt alone has nothing to score.
    let (single, prompt) = ([5u32], [7u32, 8, 9]);
    let batch = [Sequence { tokens: &single, num_prompt: 1 }, Sequence { tokens: &prompt, num_prompt: 3 }];
    for batch in [&batch[..1], &batch[..]] {
        let scores = trainer.accumulate(batch, 1.0, derivatives);
        assert_eq!(scores.logprobs, vec![Vec::<f32>::new(); batch.len()]);
        assert_eq!(trainer.score(batch, 1.0), scores);
    }
    assert_eq!(trainer.gradient_norm(), 0.0);
}

#[test]
fn gradients_add_up_over_calls_and_scale_with_the_derivatives() {
    let sequences = sequences();
    let batch = borrowed(&sequences);
    let mut trainer = Trainer::new(Model::init(config(), 3));
    trainer.accumulate(&batch, 1.0, derivatives);
    let once = trainer.gradient_norm();
    trainer.accumulate(&batch, 1.0, derivatives);
    assert!((trainer.gradient_norm() / once - 2.0).abs() < 1e-5);
    trainer.zero_gradients();
    assert_eq!(trainer.gradient_norm(), 0.0);
    // Sequence by sequence gives the same sum as all at once.
    let all = trainer.score(&batch, 1.0);
    let upstream = derivatives(&all);
    for (index, sequence) in batch.iter().enumerate() {
        trainer.accumulate(&[*sequence], 1.0, |_| Upstream {
            logprobs: vec![upstream.logprobs[index].clone()],
            entropies: vec![upstream.entropies[index].clone()],
            ..Upstream::default()
        });
    }
    assert!((trainer.gradient_norm() / once - 1.0).abs() < 1e-5);
}

/// Some updates on a fresh trainer; the numbers a run would log.
fn train(trainer: &mut Trainer, updates: usize) -> Vec<u32> {
    let sequences = sequences();
    let batch = borrowed(&sequences);
    let settings = AdamW { lr: 3e-3, weight_decay: 0.1, ..AdamW::default() };
    let mut log = Vec::new();
    for _ in 0..updates {
        trainer.zero_gradients();
        let scores = trainer.accumulate(&batch, 1.0, derivatives);
        log.push(trainer.step(&settings).to_bits());
        log.extend(scores.logprobs.iter().flatten().map(|x| x.to_bits()));
    }
    log
}

#[test]
fn training_is_bitwise_reproducible_on_any_number_of_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut trainer = Trainer::new(Model::init(config(), 3));
            let log = train(&mut trainer, 4);
            (log, trainer.model().weights_hash())
        })
    };
    let first = run(2);
    assert_eq!(run(2), first);
    assert_eq!(run(1), first);
    assert_eq!(run(3), first);
}

/// Every gradient of one batch, then some updates: the numbers that a run would log, and the weights at its end.
fn trace(trainer: &mut Trainer) -> (Vec<Vec<u32>>, Vec<u32>, String) {
    let sequences = sequences();
    let names: Vec<String> = match trainer.model().adapter() {
        Some(adapter) => adapter.tensor_names().map(str::to_owned).collect(),
        None => trainer.model().tensor_names().map(str::to_owned).collect(),
    };
    trainer.accumulate(&borrowed(&sequences), 0.7, derivatives);
    let bits = |name: &String| trainer.gradient(name).expect("it is trained").iter().map(|x| x.to_bits()).collect();
    let gradients: Vec<Vec<u32>> = names.iter().map(bits).collect();
    assert!(trainer.gradient_norm() > 0.1);
    let log = train(trainer, 3);
    (gradients, log, trainer.model().weights_hash())
}

#[test]
fn recomputing_gives_the_same_gradients_to_the_bit() {
    for family in [Family::Llama, Family::Qwen2, Family::Qwen3, Family::Gemma3] {
        for (tied, adapted) in [(false, false), (true, false), (true, true)] {
            let model = || {
                let model = Model::init(of_family(family, tied, 3), 3);
                let small = AdapterConfig { rank: 4, alpha: 8.0, ..AdapterConfig::default() };
                let adapter = adapted.then(|| Adapter::init(small, model.config(), 9));
                adapter.map_or(model.clone(), |adapter| model.with_adapter(adapter))
            };
            let kept = trace(&mut Trainer::new(model()));
            for threads in [1, 2] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let again = pool.install(|| trace(&mut Trainer::with_activations(model(), Activations::Recompute)));
                assert!(again == kept, "{family:?}, tied: {tied}, adapted: {adapted}, {threads} threads");
            }
        }
    }
}

#[test]
fn scoring_between_forward_passes_does_not_disturb_recomputation() {
    let (sequences, long) = (sequences(), (0..100).map(|i| i % 90).collect::<Vec<u32>>());
    let batch = borrowed(&sequences);
    let run = |activations| {
        let mut trainer = Trainer::with_activations(Model::init(config(), 3), activations);
        let mut log = Vec::new();
        for batch in [&batch[..], &batch[1..2], &batch[..]] {
            trainer.accumulate(batch, 1.0, derivatives);
            log.push(trainer.gradient_norm());
            let scores = trainer.score(&[Sequence { tokens: &long, num_prompt: 3 }], 1.0);
            log.extend(&scores.logprobs[0]);
        }
        log
    };
    assert_eq!(run(Activations::Recompute), run(Activations::Keep));
}

#[test]
fn resuming_from_disk_is_bitwise_the_same_as_going_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(Model::init(config(), 3));
    train(&mut trainer, 3);
    trainer.model().save(folder.path(), Precision::F32).unwrap();
    trainer.save_state(&folder.path().join("optimizer.safetensors")).unwrap();
    let expected = train(&mut trainer, 3);
    let mut resumed = Trainer::new(Model::load(folder.path()).unwrap());
    resumed.load_state(&folder.path().join("optimizer.safetensors")).unwrap();
    assert_eq!(resumed.num_steps(), 3);
    assert_eq!(train(&mut resumed, 3), expected);
    assert_eq!(resumed.model().weights_hash(), trainer.model().weights_hash());
    // The state matters: without it the numbers differ.
    let mut fresh = Trainer::new(Model::load(folder.path()).unwrap());
    assert_ne!(train(&mut fresh, 3), expected);
}

#[test]
fn state_of_another_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("optimizer.safetensors");
    Trainer::new(Model::init(config(), 3)).save_state(&path).unwrap();
    let mut other = Trainer::new(Model::init(ModelConfig { vocab_size: 91, ..config() }, 3));
    assert!(matches!(other.load_state(&path), Err(LoadError::Foreign { .. })));
    let missing = other.load_state(&folder.path().join("nothing"));
    assert!(matches!(missing, Err(LoadError::MissingFile { .. })));
}

#[test]
fn a_gradient_that_is_not_finite_changes_nothing() {
    let sequences = sequences();
    let mut trainer = Trainer::new(Model::init(config(), 3));
    let before = trainer.model().weights_hash();
    trainer.accumulate(&borrowed(&sequences), 1.0, |scores| {
        let mut upstream = derivatives(scores);
        upstream.logprobs[0][0] = f32::NAN;
        upstream
    });
    assert!(!trainer.step(&AdamW::default()).is_finite());
    assert_eq!((trainer.model().weights_hash(), trainer.num_steps()), (before, 0));
}

#[test]
fn clipping_bounds_the_gradient_that_the_update_sees() {
    let sequences = sequences();
    let batch = borrowed(&sequences);
    // With a first moment only (beta2 = 0 would divide by zero), scaling gradients leaves Adam's first update unchanged,
    // so clipping shows in the moments: two trainers whose gradients differ tenfold end with equal states.
    let states: Vec<Vec<u8>> = [1.0, 10.0]
        .into_iter()
        .map(|scale| {
            let folder = tempfile::tempdir().unwrap();
            let mut trainer = Trainer::new(Model::init(config(), 3));
            trainer.accumulate(&batch, 1.0, |scores| {
                let mut upstream = derivatives(scores);
                let all = upstream.logprobs.iter_mut().chain(&mut upstream.entropies);
                all.flatten().for_each(|x| *x *= scale * 16.0);
                upstream
            });
            let norm = trainer.step(&AdamW { max_grad_norm: 0.5, ..AdamW::default() });
            assert!(norm > 0.5, "the norm before clipping is reported: {norm}");
            let path = folder.path().join("state");
            trainer.save_state(&path).unwrap();
            std::fs::read(path).unwrap()
        })
        .collect();
    let numbers = |bytes: &[u8]| -> Vec<f32> {
        let tensors = SafeTensors::deserialize(bytes).unwrap();
        let moments = ["first_moment", "second_moment"].map(|name| tensors.tensor(name).unwrap().data().to_vec());
        moments.concat().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    };
    let (a, b) = (numbers(&states[0]), numbers(&states[1]));
    let difference = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let largest = a.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    assert!(largest > 1e-3 && difference < 1e-5 * largest, "{difference} of {largest}");
}

#[test]
fn training_learns_a_text_by_heart() {
    let tokens: Vec<u32> = (0..40).map(|i| (i * 17 + i * i) % 90).collect();
    let batch = [Sequence { tokens: &tokens, num_prompt: 1 }];
    let mut trainer = Trainer::new(Model::init(config(), 3));
    let mean = |scores: &Scores| scores.logprobs[0].iter().sum::<f32>() / 39.0;
    let start = mean(&trainer.score(&batch, 1.0));
    assert!((start + 90f32.ln()).abs() < 0.2, "a fresh model is close to uniform: {start}");
    for _ in 0..120 {
        trainer.zero_gradients();
        trainer.accumulate(&batch, 1.0, |scores| Upstream {
            logprobs: scores.logprobs.iter().map(|row| vec![-1.0 / 39.0; row.len()]).collect(),
            ..Upstream::default()
        });
        trainer.step(&AdamW { lr: 5e-3, ..AdamW::default() });
    }
    let end = mean(&trainer.score(&batch, 1.0));
    assert!(end > -0.05, "mean log-probability {end}");
}

/// A model with a value head of some size, and derivatives for values alone.
#[test]
fn gradients_of_values_match_finite_differences() {
    let sequences = sequences();
    let batch = borrowed(&sequences);
    let weight: Vec<f32> = (0..40).map(|i| ((i * 37 % 19) as f32 - 9.0) / 20.0).collect();
    let d_value = |i: usize, j: usize| ((i * 3 + j * 5) % 7) as f32 / 10.0 - 0.25;
    let d_values = |scores: &Scores| -> Vec<Vec<f32>> {
        scores.values.iter().enumerate().map(|(i, row)| (0..row.len()).map(|j| d_value(i, j)).collect()).collect()
    };
    let loss = |model: &Model| -> f64 {
        let scores = score(model, &batch, 1.0);
        let d_values = d_values(&scores);
        let pairs = scores.values.iter().flatten().zip(d_values.iter().flatten());
        pairs.map(|(value, d)| f64::from(*value) * f64::from(*d)).sum()
    };
    for family in [Family::Qwen2, Family::Gemma3] {
        // A model that has left its initial state, as above.
        let mut trainer = Trainer::new(Model::init(of_family(family, true, 2), 3));
        for _ in 0..3 {
            trainer.zero_gradients();
            trainer.accumulate(&batch, 1.0, derivatives);
            trainer.step(&AdamW { lr: 0.02, max_grad_norm: f32::INFINITY, ..AdamW::default() });
        }
        let model = trainer.into_model().with_value_head(Some(ValueHead::new(&weight, 0.3)));
        let mut trainer = Trainer::new(model.clone());
        let scores = trainer.accumulate(&batch, 1.0, |scores| Upstream {
            logprobs: scores.logprobs.iter().map(|row| vec![0.0; row.len()]).collect(),
            values: d_values(scores),
            ..Upstream::default()
        });
        assert_eq!(scores.values.iter().map(Vec::len).collect::<Vec<_>>(), [5, 45, 0, 19, 1]);
        // Along the gradient of a tensor the derivative is its norm.
        let check = |name: &str, gradient: &[f32], moved: &dyn Fn(&[f64]) -> Model| {
            let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            let direction: Vec<f64> = gradient.iter().map(|g| f64::from(*g) / norm).collect();
            let at = |step: f64| loss(&moved(&direction.iter().map(|d| step * d).collect::<Vec<_>>()));
            let difference = |step: f64| (at(step) - at(-step)) / (2.0 * step);
            let step = 8e-3;
            let estimate = (4.0 * difference(step) - difference(2.0 * step)) / 3.0;
            let error = ((estimate - norm).abs() - 2e-4).max(0.0) / norm;
            assert!(error < 5e-3, "{name} ({family:?}): norm {norm}, difference {estimate}");
        };
        for name in model.tensor_names() {
            check(name, trainer.gradient(name).unwrap(), &|change| {
                let mut model = model.clone();
                let numbers = model.tensor(name).unwrap().iter().zip(change);
                let numbers: Vec<f32> = numbers.map(|(x, change)| (f64::from(*x) + change) as f32).collect();
                model.set_tensor(name, &numbers);
                model
            });
        }
        let bias = trainer.gradient("v_head.summary.bias").unwrap();
        let sum: f32 = d_values(&scores).iter().flatten().sum();
        assert!((bias[0] - sum).abs() < 1e-5, "{bias:?} against {sum}");
        check("v_head.summary.weight", trainer.gradient("v_head.summary.weight").unwrap(), &|change| {
            let weight = weight.iter().zip(change).map(|(x, change)| (f64::from(*x) + change) as f32);
            model.clone().with_value_head(Some(ValueHead::new(&weight.collect::<Vec<_>>(), 0.3)))
        });
    }
}
