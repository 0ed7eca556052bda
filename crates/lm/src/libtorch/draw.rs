//! Draws on the device: one token for each row, with no number going back to the processor.

use tch::{Kind, Tensor};

use super::device::{Attempt, Place};
use crate::sampler::SamplingParams;

/// The logit of what must not be drawn: as on the processor.
const NEVER: f64 = -1e30;

/// What was drawn for each row.
pub(super) struct Drawn {
    pub(super) tokens: Tensor,   // [rows]
    pub(super) logprobs: Tensor, // [rows]
}

/// Draws from logits as [`SamplingParams`] says.
pub(super) struct Drawing<'a> {
    params: &'a SamplingParams,
    /// True for tokens that end a completion, where they must not come too early.
    ends: Option<Tensor>, // [1, vocab]
}

impl<'a> Drawing<'a> {
    pub(super) fn new(params: &'a SamplingParams, ends: &[u32], vocab: usize, place: Place) -> Attempt<Self> {
        let mut is_end = vec![0; vocab];
        for &token in ends {
            if let Some(is_end) = is_end.get_mut(token as usize) {
                *is_end = 1;
            }
        }
        let ends = if params.min_new_tokens > 0 {
            Some(place.integers(&is_end)?.f_to_kind(Kind::Bool)?.f_unsqueeze(0)?)
        } else {
            None
        };
        Ok(Self { params, ends })
    }

    /// One token for each row. `uniforms` from 0 up to 1 decide which; `counts` are the tokens that each row has drawn, and `seen`
    /// is true for tokens that it has, where that counts.
    pub(super) fn draw(
        &self,
        logits: &Tensor,       // [rows, vocab]
        uniforms: &Tensor,     // [rows], double precision
        counts: &Tensor,       // [rows]
        seen: Option<&Tensor>, // [rows, vocab]
    ) -> Attempt<Drawn> {
        let mut logits = logits.shallow_clone();
        if let Some(seen) = seen {
            let penalty = f64::from(self.params.repetition_penalty);
            let lowered =
                logits.f_mul_scalar(penalty)?.f_where_self(&logits.f_lt(0.0)?, &logits.f_div_scalar(penalty)?)?;
            logits = lowered.f_where_self(seen, &logits)?;
        }
        if let Some(ends) = &self.ends {
            let too_early = counts.f_lt(self.params.min_new_tokens as i64)?.f_unsqueeze(1)?;
            logits = logits.f_masked_fill(&too_early.f_logical_and(ends)?, NEVER)?;
        }
        if self.params.temperature == 0.0 {
            let tokens = logits.f_argmax(-1, false)?;
            let logprobs = take(&logits.f_log_softmax(-1, Kind::Float)?, &tokens)?;
            return Ok(Drawn { tokens, logprobs });
        }
        let all = logits.f_mul_scalar(1.0 / f64::from(self.params.temperature))?.f_log_softmax(-1, Kind::Float)?;
        let params = self.params;
        let is_limited =
            (params.top_k > 0 && (params.top_k as i64) < all.size()[1]) || params.top_p < 1.0 || params.min_p > 0.0;
        if is_limited {
            return self.draw_limited(&all.f_exp()?, uniforms);
        }
        let tokens = pick(&all.f_exp()?, uniforms)?.0;
        let logprobs = take(&all, &tokens)?;
        Ok(Drawn { tokens, logprobs })
    }

    /// Draws among the likeliest: at most `top_k`, of these the fewest that reach `top_p` of their probability, and of these the
    /// ones that are at least `min_p` of the likeliest.
    fn draw_limited(&self, probabilities: &Tensor, uniforms: &Tensor) -> Attempt<Drawn> {
        let params = self.params;
        let vocab = probabilities.size()[1];
        let most = if params.top_k == 0 { vocab } else { vocab.min(params.top_k as i64) };
        let (kept, order) =
            if most < vocab { probabilities.f_topk(most, 1, true, true)? } else { probabilities.f_sort(1, true)? };
        let reached = kept.f_cumsum(1, Kind::Double)?;
        let before = reached.f_sub(&kept)?;
        let total = reached.f_narrow(1, most - 1, 1)?;
        let likeliest = kept.f_narrow(1, 0, 1)?;
        let is_within = before.f_lt_tensor(&total.f_mul_scalar(f64::from(params.top_p))?)?;
        let is_kept = is_within.f_logical_and(&kept.f_ge_tensor(&likeliest.f_mul_scalar(f64::from(params.min_p))?)?)?;
        // At least one token is kept, whatever `top_p` is.
        let _ = is_kept.f_narrow(1, 0, 1)?.f_fill_(1)?;
        let kept = kept.f_mul(&is_kept)?;
        let (places, total) = pick(&kept, uniforms)?;
        let logprobs = take(&kept, &places)?.f_to_kind(Kind::Double)?.f_div(&total)?.f_log()?.f_to_kind(Kind::Float)?;
        Ok(Drawn { tokens: take(&order, &places)?, logprobs })
    }
}

/// For each row the index at which the running sum of the weights passes its share of their sum, and the sum.
fn pick(weights: &Tensor, uniforms: &Tensor) -> Attempt<(Tensor, Tensor)> {
    let sums = weights.f_cumsum(1, Kind::Double)?;
    let last = sums.size()[1] - 1;
    let total = sums.f_narrow(1, last, 1)?;
    let wanted = total.f_mul(&uniforms.f_unsqueeze(1)?)?;
    let places = wanted.f_searchsorted(&sums, false, true, "right", None::<&Tensor>)?;
    // Rounding may leave a rest.
    Ok((places.f_clamp_max(last)?.f_squeeze_dim(1)?, total.f_squeeze_dim(1)?))
}

/// One number of each row.
fn take(rows: &Tensor, places: &Tensor) -> Attempt<Tensor> {
    rows.f_gather(1, &places.f_unsqueeze(1)?, false)?.f_squeeze_dim(1)
}
