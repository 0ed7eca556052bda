//! One answer on its way from whoever owes it to whoever waits for it, as a future or on a thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::SandboxError;
use crate::outcome::Outcome;

pub(crate) type Answer = Result<Outcome, SandboxError>;

/// Where one item's answer goes, seen by its ticket and its promise.
#[derive(Default)]
pub(crate) struct Slot {
    state: Mutex<SlotState>,
    changed: Condvar,
}

#[derive(Default)]
struct SlotState {
    stage: Stage,
    waker: Option<Waker>,
}

#[derive(Default)]
enum Stage {
    /// Its caller waits for room.
    #[default]
    HeldBack,
    LetIn,
    Answered(Box<Answer>),
    Taken,
}

impl Slot {
    fn stage(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on to the next stage; whoever is to be woken is left to the caller, who may hold a lock.
    #[must_use]
    fn enter(&self, stage: Stage) -> Option<Waker> {
        let mut state = self.stage();
        state.stage = stage;
        self.changed.notify_all();
        state.waker.take()
    }

    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.stage().stage, Stage::Answered(_) | Stage::Taken)
    }

    pub(crate) fn poll_let_in(&self, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker().clone();
        let mut state = self.stage();
        if matches!(state.stage, Stage::HeldBack) {
            let earlier = state.waker.replace(waker);
            drop(state);
            drop(earlier);
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    pub(crate) fn wait_let_in(&self) {
        let state = self.stage();
        drop(self.changed.wait_while(state, |state| matches!(state.stage, Stage::HeldBack)));
    }

    pub(crate) fn poll_answer(&self, context: &mut Context<'_>) -> Poll<Answer> {
        let waker = context.waker().clone();
        let mut state = self.stage();
        match std::mem::replace(&mut state.stage, Stage::Taken) {
            Stage::Answered(answer) => Poll::Ready(*answer),
            Stage::Taken => panic!("a ticket was polled after its answer was taken"),
            earlier => {
                state.stage = earlier;
                let earlier = state.waker.replace(waker);
                // Dropping it is foreign code.
                drop(state);
                drop(earlier);
                Poll::Pending
            }
        }
    }

    pub(crate) fn wait_answer(&self) -> Answer {
        let mut state = self.stage();
        loop {
            match std::mem::replace(&mut state.stage, Stage::Taken) {
                Stage::Answered(answer) => return *answer,
                Stage::Taken => return Err(SandboxError::engine("waiting for an answer", "it was taken before")),
                earlier => state.stage = earlier,
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The duty to answer once. Whoever loses it has answered.
pub(crate) struct Promise(Option<Arc<Slot>>);

impl Promise {
    pub(crate) fn new() -> (Self, Arc<Slot>) {
        let slot = Arc::new(Slot::default());
        (Self(Some(Arc::clone(&slot))), slot)
    }

    /// There is room for the item now. Whoever waits for that is to be woken once no lock is held.
    #[must_use]
    pub(crate) fn let_in(&self) -> Option<Waker> {
        self.0.as_ref().and_then(|slot| slot.enter(Stage::LetIn))
    }

    pub(crate) fn answer(mut self, answer: Answer) {
        self.fulfil(answer);
    }

    fn fulfil(&mut self, answer: Answer) {
        let waker = self.0.take().and_then(|slot| slot.enter(Stage::Answered(Box::new(answer))));
        waker.into_iter().for_each(wake);
    }
}

/// Foreign code that falls over must not take one of our threads with it.
pub(crate) fn wake(waker: Waker) {
    let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
}

impl Drop for Promise {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.fulfil(Err(SandboxError::engine("running a program", "its thread ended without an answer")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_that_is_lost_is_an_answer() {
        let (promise, slot) = Promise::new();
        drop(promise);
        assert!(slot.is_answered());
        assert!(matches!(slot.wait_answer(), Err(SandboxError::Engine { .. })));
    }
}
