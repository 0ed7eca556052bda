//! What a template may use up: steps, and bytes of everything that it makes. A loop that never ends and a text that
//! doubles forty times both stop here.

use super::{Fault, Outcome};

/// Steps of one rendering: a part of an expression, an element gone through, a few bytes of text read.
const MOST_STEPS: usize = 20_000_000;
/// Bytes of all values and texts that one rendering makes, kept or not.
const MOST_BYTES: usize = 256 << 20;
/// Bytes of text that one step reads.
const STEP_BYTES: usize = 16;
/// How deep expressions, blocks and macros may run.
const MOST_DEPTH: usize = 250;

/// What is left.
#[derive(Debug)]
pub(super) struct Budget {
    steps: usize,
    bytes: usize,
    depth: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { steps: MOST_STEPS, bytes: MOST_BYTES, depth: 0 }
    }

    /// Pays for steps.
    pub(super) fn steps(&mut self, count: usize) -> Outcome<()> {
        self.steps = self.steps.checked_sub(count).ok_or(Fault::Limit("steps"))?;
        Ok(())
    }

    /// Pays for memory, before it is taken.
    pub(super) fn bytes(&mut self, count: usize) -> Outcome<()> {
        self.bytes = self.bytes.checked_sub(count).ok_or(Fault::Limit("memory"))?;
        Ok(())
    }

    /// Pays for reading text.
    pub(super) fn text(&mut self, length: usize) -> Outcome<()> {
        self.steps(1 + length / STEP_BYTES)
    }

    /// One level down.
    pub(super) fn enter(&mut self) -> Outcome<()> {
        self.depth += 1;
        if self.depth > MOST_DEPTH { Err(Fault::Limit("nesting")) } else { Ok(()) }
    }

    /// One level up.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }
}
