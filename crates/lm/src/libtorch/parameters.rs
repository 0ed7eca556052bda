//! The numbers of a model on a device, and what training keeps for each.
//!
//! They lie in one buffer in the order of the processor's engine, what decays first, so that an update is a few operations
//! on long vectors and a checkpoint is one copy. Matrices are multiplied in the precision of the [`Place`]; where that is not
//! single precision, they are there twice: the master that is updated, and the copy that is multiplied with.

use std::ops::Range;

use tch::{Kind, Tensor, no_grad};

use super::device::{Attempt, Place, to_host};
use crate::layout::Slot;
use crate::trainer::AdamW;

/// Numbers that are updated at a time: it bounds what an update needs beside them.
const CHUNK: i64 = 1 << 24;

/// The first and the second moment, as they lie in memory and in files.
pub(super) type Moments = [Vec<f32>; 2];

/// A buffer of parameters.
pub(super) struct Parameters {
    place: Place,
    num_decayed: i64,
    /// What is updated; absent where nothing is and nothing is multiplied in single precision.
    master: Option<Tensor>, // [total]
    /// What is multiplied with: the part that decays.
    matrices: Tensor, // [decayed], of the place's kind
    /// Biases and norms.
    vectors: Tensor, // [rest], single precision
    learning: Option<Learning>,
}

struct Learning {
    gradient: Tensor,      // [total]
    first_moment: Tensor,  // [total]
    second_moment: Tensor, // [total]
}

/// One tensor as the network uses it.
pub(super) struct Leaf {
    pub(super) tensor: Tensor,
    /// Its numbers in the buffer.
    pub(super) range: Range<usize>,
}

/// What an update does to the parameters, clipping and bias corrections included.
#[derive(Clone, Copy)]
pub(super) struct Update {
    pub(super) settings: AdamW,
    /// The number of this update, from one.
    pub(super) step: u32,
    /// What gradients are multiplied with.
    pub(super) gradient_scale: f64,
}

impl Parameters {
    /// Puts numbers on the device; trained ones get gradients and moments of zero.
    pub(super) fn new(numbers: &[f32], num_decayed: usize, place: Place, is_trained: bool) -> Attempt<Self> {
        let (total, decayed) = (numbers.len() as i64, num_decayed as i64);
        let is_single = place.kind == Kind::Float;
        let (master, matrices, vectors) = if is_trained || is_single {
            let master = place.numbers(numbers)?;
            let vectors = master.f_narrow(0, decayed, total - decayed)?;
            let matrices = place.cast(&master.f_narrow(0, 0, decayed)?)?;
            (Some(master), matrices, vectors)
        } else {
            let matrices = Tensor::f_empty([decayed], (place.kind, place.device))?;
            for (number, chunk) in numbers[..num_decayed].chunks(CHUNK as usize).enumerate() {
                let mut part = matrices.f_narrow(0, number as i64 * CHUNK, chunk.len() as i64)?;
                part.f_copy_(&place.numbers(chunk)?)?;
            }
            (None, matrices, place.numbers(&numbers[num_decayed..])?)
        };
        let zeros = || Tensor::f_zeros([total], (Kind::Float, place.device));
        let learning = if is_trained {
            Some(Learning { gradient: zeros()?, first_moment: zeros()?, second_moment: zeros()? })
        } else {
            None
        };
        Ok(Self { place, num_decayed: decayed, master, matrices, vectors, learning })
    }

    /// A tensor of the network, which shares the buffer's memory.
    pub(super) fn leaf(&self, range: Range<usize>, shape: &[i64]) -> Attempt<Leaf> {
        let (start, length) = (range.start as i64, range.len() as i64);
        let flat = if start < self.num_decayed {
            self.matrices.f_narrow(0, start, length)?
        } else {
            self.vectors.f_narrow(0, start - self.num_decayed, length)?
        };
        let tensor = flat.f_view(shape)?.f_detach()?;
        let tensor = if self.learning.is_some() { tensor.f_set_requires_grad(true)? } else { tensor };
        Ok(Leaf { tensor, range })
    }

    pub(super) fn is_trained(&self) -> bool {
        self.learning.is_some()
    }

    /// Takes other numbers in place of these.
    pub(super) fn replace(&mut self, numbers: &[f32]) -> Attempt<()> {
        no_grad(|| {
            if let Some(master) = &mut self.master {
                master.f_copy_(&self.place.numbers(numbers)?)?;
            }
            self.refresh()
        })
    }

    /// Brings what is multiplied with up to date.
    fn refresh(&mut self) -> Attempt<()> {
        match &self.master {
            Some(master) if self.place.kind != Kind::Float => {
                self.matrices.f_copy_(&master.f_narrow(0, 0, self.num_decayed)?)
            }
            _ => Ok(()),
        }
    }

    /// The numbers, exactly; nothing where the device has no master.
    pub(super) fn numbers(&self) -> Attempt<Option<Vec<f32>>> {
        self.master.as_ref().map(to_host).transpose()
    }

    /// Where the gradient of a part of the buffer is added; trained parameters have one.
    pub(super) fn gradient_of(&self, range: &Range<usize>) -> Attempt<Option<Tensor>> {
        let part = |learning: &Learning| learning.gradient.f_narrow(0, range.start as i64, range.len() as i64);
        self.learning.as_ref().map(part).transpose()
    }

    /// The gradient of a tensor, if this buffer is trained and has it.
    pub(super) fn gradient(&self, slots: &[Slot], name: &str) -> Attempt<Option<Vec<f32>>> {
        let Some(slot) = slots.iter().find(|slot| slot.name == name) else { return Ok(None) };
        self.gradient_of(&slot.range)?.as_ref().map(to_host).transpose()
    }

    /// Adds what the tape gave for the leaves.
    pub(super) fn add_gradients(&mut self, leaves: &[Leaf], gradients: &[Tensor]) -> Attempt<()> {
        no_grad(|| {
            for (leaf, gradient) in leaves.iter().zip(gradients) {
                if let Some(mut sum) = self.gradient_of(&leaf.range)? {
                    let _ = sum.f_add_(&gradient.f_reshape([-1])?.f_to_kind(Kind::Float)?)?;
                }
            }
            Ok(())
        })
    }

    pub(super) fn zero_gradients(&mut self) -> Attempt<()> {
        if let Some(learning) = &mut self.learning {
            let _ = learning.gradient.f_zero_()?;
        }
        Ok(())
    }

    /// The sum of the squares of all gradients, on the device.
    pub(super) fn square_sum(&self) -> Attempt<Option<Tensor>> {
        let sum = |learning: &Learning| {
            let norm = learning.gradient.f_linalg_norm(2.0, None::<i64>, false, Kind::Double)?;
            norm.f_square()
        };
        self.learning.as_ref().map(sum).transpose()
    }

    /// The moments, for a checkpoint.
    pub(super) fn moments(&self) -> Attempt<Option<Moments>> {
        let both = |learning: &Learning| Ok([to_host(&learning.first_moment)?, to_host(&learning.second_moment)?]);
        self.learning.as_ref().map(both).transpose()
    }

    pub(super) fn set_moments(&mut self, moments: &Moments) -> Attempt<()> {
        if let Some(learning) = &mut self.learning {
            learning.first_moment.f_copy_(&self.place.numbers(&moments[0])?)?;
            learning.second_moment.f_copy_(&self.place.numbers(&moments[1])?)?;
        }
        Ok(())
    }

    /// One update of AdamW.
    pub(super) fn step(&mut self, update: Update) -> Attempt<()> {
        no_grad(|| {
            if let (Some(master), Some(learning)) = (&self.master, &self.learning) {
                let total = master.size()[0];
                for (start, end, decays) in [(0, self.num_decayed, true), (self.num_decayed, total, false)] {
                    let mut first = start;
                    while first < end {
                        let length = CHUNK.min(end - first);
                        let part = |tensor: &Tensor| tensor.f_narrow(0, first, length);
                        let parts = [
                            part(master)?,
                            part(&learning.gradient)?,
                            part(&learning.first_moment)?,
                            part(&learning.second_moment)?,
                        ];
                        adamw(parts, update, decays)?;
                        first += length;
                    }
                }
            }
            self.refresh()
        })
    }
}

/// Updates weights and moments in place; the gradients stay.
fn adamw(parts: [Tensor; 4], update: Update, decays: bool) -> Attempt<()> {
    let [mut weights, gradient, mut first, mut second] = parts;
    let Update { settings, step, gradient_scale } = update;
    let [lr, beta1, beta2, eps, decay] =
        [settings.lr, settings.beta1, settings.beta2, settings.eps, settings.weight_decay].map(f64::from);
    let correction = |beta: f64| 1.0 - beta.powi(step as i32);
    let gradient = gradient.f_mul_scalar(gradient_scale)?;
    let _ = first.f_lerp_(&gradient, 1.0 - beta1)?;
    let _ = second.f_lerp_(&gradient.f_square()?, 1.0 - beta2)?;
    let mut root = second.f_sqrt()?;
    let _ = root.f_mul_scalar_(1.0 / correction(beta2).sqrt())?.f_add_scalar_(eps)?;
    let mut change = first.f_div(&root)?;
    let _ = change.f_mul_scalar_(lr / correction(beta1))?;
    if decays && decay != 0.0 {
        let _ = weights.f_mul_scalar_(1.0 - lr * decay)?;
    }
    let _ = weights.f_sub_(&change)?;
    Ok(())
}
