//! Losses and their derivatives against PyTorch's, in double precision (`fixtures/losses.py` writes the file).

use codeward_training::{
    GaeSettings, LossSettings, PreferenceLoss, Side, Tokens, completion_loss, estimate, token_weights, value_loss,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    rows: Rows,
    policies: Vec<Policy>,
    preferences: Vec<Preference>,
    estimates: Vec<Estimate>,
    values: Vec<HeldValue>,
}

#[derive(Deserialize)]
struct Rows {
    advantages: Vec<Vec<f32>>,
    new: Vec<Vec<f32>>,
    old: Vec<Vec<f32>>,
    reference: Vec<Vec<f32>>,
    longest_allowed: usize,
}

#[derive(Deserialize)]
struct Policy {
    settings: LossSettings,
    loss: f64,
    gradients: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Preference {
    settings: PreferenceLoss,
    better: OneSide,
    worse: OneSide,
    loss: f64,
    gradients: [Vec<f64>; 2],
}

#[derive(Deserialize)]
struct OneSide {
    new: Vec<f32>,
    reference: Vec<f32>,
    mask: Vec<bool>,
}

#[derive(Deserialize)]
struct Estimate {
    gamma: f64,
    lambda: f64,
    beyond: f32,
    rewards: Vec<f32>,
    values: Vec<f32>,
    advantages: Vec<f64>,
}

#[derive(Deserialize)]
struct HeldValue {
    old: f32,
    #[serde(rename = "value")]
    new: f32,
    target: f32,
    clip: f32,
    loss: f64,
    gradient: f64,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/losses.json")).expect("the fixture has this form")
}

/// The largest difference, against the largest number.
fn error(ours: &[f32], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(1e-3, |largest: f64, number| largest.max(number.abs()));
    let differences = ours.iter().zip(theirs).map(|(one, other)| (f64::from(*one) - other).abs());
    differences.fold(0.0, f64::max) / largest
}

#[test]
fn policy_losses_are_those_of_pytorch() {
    let Fixture { rows, policies, .. } = fixture();
    let lengths: Vec<usize> = rows.new.iter().map(Vec::len).collect();
    assert_eq!(policies.len(), 27);
    for Policy { settings, loss, gradients } in policies {
        let weights = token_weights(settings.average, &lengths, rows.longest_allowed);
        let mut total = 0.0;
        for (at, weight) in weights.into_iter().enumerate() {
            let tokens = Tokens {
                advantages: &rows.advantages[at],
                new: &rows.new[at],
                old: &rows.old[at],
                reference: Some(&rows.reference[at]),
            };
            let losses = completion_loss(&settings, &tokens);
            let sum =
                losses.iter().map(|loss| f64::from(loss.policy + settings.kl_coef * loss.divergence)).sum::<f64>();
            total += f64::from(weight) * sum;
            let ours: Vec<f32> = losses.iter().map(|loss| weight * loss.gradient).collect();
            let worst = error(&ours, &gradients[at]);
            assert!(worst < 2e-6, "{settings:?}, completion {at}: {worst:e}\n{ours:?}\n{:?}", gradients[at]);
        }
        assert!((total - loss).abs() < 1e-6 * (1.0 + loss.abs()), "{settings:?}: {total} and {loss}");
    }
}

#[test]
fn preference_losses_are_those_of_pytorch() {
    for Preference { settings, better, worse, loss, gradients } in fixture().preferences {
        let [better, worse] =
            [&better, &worse].map(|side| Side { new: &side.new, reference: &side.reference, mask: &side.mask });
        let pair = settings.of(&better, &worse);
        assert!((pair.loss - loss).abs() < 1e-9, "{settings:?}: {} and {loss}", pair.loss);
        assert!(error(&pair.better, &gradients[0]) < 1e-6 && error(&pair.worse, &gradients[1]) < 1e-6, "{settings:?}");
    }
}

#[test]
fn advantages_are_those_of_the_definition() {
    for Estimate { gamma, lambda, beyond, rewards, values, advantages } in fixture().estimates {
        let settings = GaeSettings { gamma, lambda, whiten: false };
        let ours = estimate(&settings, &rewards, &values, beyond).advantages;
        assert!(error(&ours, &advantages) < 1e-6, "{ours:?} {advantages:?}");
    }
}

#[test]
fn value_losses_are_those_of_pytorch() {
    let values = fixture().values;
    let mut num_clipped = 0;
    for HeldValue { old, new, target, clip, loss, gradient } in values {
        let ours = value_loss(new, old, target, clip);
        num_clipped += u32::from(ours.clipped);
        assert!((f64::from(ours.loss) - loss).abs() < 1e-6 && (f64::from(ours.gradient) - gradient).abs() < 1e-6);
    }
    assert!(num_clipped > 0, "the fixture has values that are held");
}
