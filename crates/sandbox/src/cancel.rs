//! Giving up on a program from another thread, or at a time set beforehand.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
        Ok(Self { inner: Arc::new(Inner { is_cancelled: AtomicBool::new(false), event }) })
    }

    /// Asks for it. Asking twice is asking once.
    pub fn cancel(&self) {
        self.inner.is_cancelled.store(true, Ordering::Release);
        // It can only be full, and then it is readable.
        let _ = rustix::io::write(&self.inner.event, &1_u64.to_ne_bytes());
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
