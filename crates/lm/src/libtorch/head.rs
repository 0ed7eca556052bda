//! Scores of tokens and the way back through the head, in closed form and a part of the rows at a time: logits of a whole
//! batch never lie side by side.

use tch::{Kind, Tensor, no_grad};

use super::device::Attempt;
use super::network::Network;

/// The most logits held at a time on a card, as numbers: half a gigabyte each in single precision.
const MOST_LOGITS_CARD: i64 = 1 << 27;
/// The same on the processor.
const MOST_LOGITS_PROCESSOR: i64 = 1 << 24;

/// What the head says of each scored token.
pub(super) struct Statistics {
    pub(super) logprobs: Tensor,  // [scored]
    pub(super) entropies: Tensor, // [scored]
}

/// The derivatives of a loss by them.
pub(super) struct Derivatives<'a> {
    pub(super) logprobs: &'a Tensor,  // [scored]
    pub(super) entropies: &'a Tensor, // [scored]
}

/// First row and number of rows of each part.
fn parts(network: &Network, rows: i64) -> impl Iterator<Item = (i64, i64)> + use<> {
    let most = if network.place.device.is_cuda() { MOST_LOGITS_CARD } else { MOST_LOGITS_PROCESSOR };
    let length = (most / network.config.vocab_size as i64).max(1);
    (0..rows).step_by(length as usize).map(move |first| (first, length.min(rows - first)))
}

/// Logarithms of all probabilities of some rows.
fn log_distribution(network: &Network, normed: &Tensor, temperature: f32) -> Attempt<Tensor> {
    let logits = network.logits(normed)?.f_mul_scalar(1.0 / f64::from(temperature))?;
    logits.f_log_softmax(-1, Kind::Float)
}

/// Scores the tokens that normalised rows predict.
pub(super) fn score(network: &Network, normed: &Tensor, targets: &Tensor, temperature: f32) -> Attempt<Statistics> {
    no_grad(|| {
        let (mut logprobs, mut entropies) = (Vec::new(), Vec::new());
        for (first, length) in parts(network, targets.size()[0]) {
            let all = log_distribution(network, &normed.f_narrow(0, first, length)?, temperature)?; // [part, vocab]
            let own = targets.f_narrow(0, first, length)?.f_unsqueeze(1)?;
            logprobs.push(all.f_gather(1, &own, false)?.f_squeeze_dim(1)?);
            entropies.push(mean(&all, &all)?.f_neg()?);
        }
        if logprobs.is_empty() {
            let none = || Tensor::f_zeros([0], (Kind::Float, network.place.device));
            return Ok(Statistics { logprobs: none()?, entropies: none()? });
        }
        Ok(Statistics { logprobs: Tensor::f_cat(&logprobs, 0)?, entropies: Tensor::f_cat(&entropies, 0)? })
    })
}

/// The mean of numbers under the distributions whose logarithms are `all`.
fn mean(all: &Tensor, numbers: &Tensor) -> Attempt<Tensor> {
    all.f_exp()?.f_mul(numbers)?.f_sum_dim_intlist(-1, false, Kind::Float)
}

/// The derivatives by normalised rows. Those by the head's matrix are added to `head`, in single precision, if there is one.
///
/// With `z` the logits over the temperature, `p` their distribution and `H` its entropy:
/// `d log p_t / d z = [t] - p` and `d H / d z = -p (log p + H)`.
pub(super) fn backward(
    network: &Network,
    normed: &Tensor,
    targets: &Tensor,
    temperature: f32,
    derivatives: &Derivatives<'_>,
    head: Option<&Tensor>, // [vocab, hidden]
) -> Attempt<Tensor> {
    no_grad(|| {
        let mut rows = Vec::new();
        for (first, length) in parts(network, targets.size()[0]) {
            let part = |tensor: &Tensor| tensor.f_narrow(0, first, length);
            let own = part(normed)?;
            let all = log_distribution(network, &own, temperature)?;
            let by_logprob = part(derivatives.logprobs)?.f_unsqueeze(1)?;
            let by_entropy = part(derivatives.entropies)?.f_unsqueeze(1)?;
            let entropy = mean(&all, &all)?.f_neg()?.f_unsqueeze(1)?;
            let distribution = all.f_exp()?;
            let slope = all.f_add(&entropy)?.f_mul(&by_entropy)?.f_add(&by_logprob)?;
            let mut by_logits = distribution.f_mul(&slope)?.f_neg()?;
            let _ = by_logits.f_scatter_add_(1, &part(targets)?.f_unsqueeze(1)?, &by_logprob)?;
            let by_logits = network.place.cast(&by_logits.f_mul_scalar(1.0 / f64::from(temperature))?)?;
            rows.push(by_logits.f_matmul(&network.head)?.f_to_kind(Kind::Float)?);
            if let Some(head) = head {
                let sum = by_logits.f_tr()?.f_matmul(&network.place.cast(&own)?)?;
                let _ = head.shallow_clone().f_add_(&sum.f_to_kind(Kind::Float)?)?;
            }
        }
        Tensor::f_cat(&rows, 0)
    })
}
