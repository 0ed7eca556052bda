//! Giving up on a program from another thread, or at a time set beforehand.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use rustix::event::{EventfdFlags, eventfd};

use crate::error::SandboxError;

/// Cancels programs: those that run end at once, those that wait never start. Clones cancel together.
#[derive(Debug, Clone)]
pub struct Cancellation {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    is_cancelled: AtomicBool,
    /// Readable for good once cancelled, so that whoever waits for a program wakes up.
    event: OwnedFd,
    /// Those that are cancelled with this one, as far as anybody still holds them.
    children: Mutex<Vec<Weak<Inner>>>,
}

impl Inner {
    fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Release);
        // It can only be full, and then it is readable.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
        let children = std::mem::take(&mut *self.children.lock().unwrap_or_else(PoisonError::into_inner));
        for child in children.iter().filter_map(Weak::upgrade) {
            child.cancel();
        }
    }
}

impl Cancellation {
    /// A cancellation that nobody has asked for yet.
    ///
    /// # Errors
    ///
    /// `Engine` when this process has no descriptor left for it.
    pub fn new() -> Result<Self, SandboxError> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| SandboxError::engine("making a cancellation", error))?;
        let inner = Inner { is_cancelled: AtomicBool::new(false), event, children: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// One that is cancelled with this one, and that can be cancelled without it.
    ///
    /// # Errors
    ///
    /// As `new`.
    pub fn child(&self) -> Result<Self, SandboxError> {
        let child = Self::new()?;
        let mut children = self.inner.children.lock().unwrap_or_else(PoisonError::into_inner);
        if children.len() == children.capacity() {
            children.retain(|child| child.strong_count() > 0);
        }
        children.push(Arc::downgrade(&child.inner));
        drop(children);
        // Whoever asked before the child was in the list did not tell it.
        if self.is_cancelled() {
            child.cancel();
        }
        Ok(child)
    }

    /// Asks for it. Asking twice is asking once.
    pub fn cancel(&self) {
        self.inner.cancel();
    }

    /// Whether anybody has asked.
    pub fn is_cancelled(&self) -> bool {
        self.inner.is_cancelled.load(Ordering::Acquire)
    }

    pub(crate) fn event(&self) -> &OwnedFd {
        &self.inner.event
    }
}

/// How long a caller waits for a program, whatever the program's own limits are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Patience<'a> {
    /// When the outcome is of no use any more.
    pub deadline: Option<Instant>,
    /// Whether somebody has given up.
    pub cancellation: Option<&'a Cancellation>,
}

impl Patience<'_> {
    /// The reason to stop now, where there is one.
    pub(crate) fn exhausted(&self) -> Option<SandboxError> {
        if self.cancellation.is_some_and(Cancellation::is_cancelled) {
            return Some(SandboxError::Cancelled);
        }
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline).then_some(SandboxError::DeadlinePassed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_cancelled_with_its_parent_and_not_the_other_way_round() {
        let parent = Cancellation::new().unwrap();
        let [first, second] = [parent.child().unwrap(), parent.child().unwrap()];
        let grandchild = second.child().unwrap();
        first.cancel();
        assert!(first.is_cancelled() && !parent.is_cancelled() && !second.is_cancelled());
        parent.cancel();
        assert!(second.is_cancelled() && grandchild.is_cancelled());
        assert!(parent.child().unwrap().is_cancelled());
    }

    #[test]
    fn children_that_are_gone_take_no_room() {
        let parent = Cancellation::new().unwrap();
        for _ in 0..1000 {
            drop(parent.child().unwrap());
        }
        assert!(parent.inner.children.lock().unwrap().len() < 16);
    }
}
