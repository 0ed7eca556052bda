//! `codeward explain`: a rule of the analyser, or the reward of a rollout.

mod rollout;
mod rule;

use crate::Ending;
use crate::arguments::Explain;
use crate::failure::Failure;

pub(crate) fn run(options: &Explain) -> Result<Ending, Failure> {
    match &options.rollout {
        Some(name) => rollout::run(options, name),
        None => rule::run(options),
    }
}
