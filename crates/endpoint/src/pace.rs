//! When the next request may be sent, and waiting that can be ended.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::EndpointError;

/// Spaces requests and lets everybody wait in one place.
pub(crate) struct Pace {
    /// Time between two requests.
    interval: Duration,
    state: Mutex<State>,
    closed: Condvar,
}

struct State {
    /// When the next request may go, if not at once.
    next: Option<Instant>,
    is_closed: bool,
}

impl Pace {
    pub(crate) fn new(requests_per_minute: Option<u32>) -> Self {
        let interval = requests_per_minute.map_or(Duration::ZERO, |number| Duration::from_mins(1) / number);
        Self { interval, state: Mutex::new(State { next: None, is_closed: false }), closed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this request's turn; false, with the turn not taken, when that would be after `until`.
    pub(crate) fn wait_for_turn(&self, until: Instant) -> Result<bool, EndpointError> {
        let turn = {
            let mut state = self.state();
            let now = Instant::now();
            let turn = state.next.map_or(now, |next| next.max(now));
            if turn >= until {
                return Ok(false);
            }
            state.next = turn.checked_add(self.interval);
            turn
        };
        self.sleep_until(turn)?;
        Ok(true)
    }

    /// Keeps everybody back for a while: a server that is busy for one is busy for all.
    pub(crate) fn hold(&self, wait: Duration) {
        let mut state = self.state();
        if let Some(until) = Instant::now().checked_add(wait) {
            state.next = Some(state.next.map_or(until, |next| next.max(until)));
        }
    }

    /// Sleeps, unless the endpoint is closed before.
    pub(crate) fn sleep_until(&self, until: Instant) -> Result<(), EndpointError> {
        let mut state = self.state();
        loop {
            if state.is_closed {
                return Err(EndpointError::Closed);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            state = self.closed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends every wait, now and later.
    pub(crate) fn close(&self) {
        self.state().is_closed = true;
        self.closed.notify_all();
    }

    /// Fails once it is closed.
    pub(crate) fn check_open(&self) -> Result<(), EndpointError> {
        if self.state().is_closed { Err(EndpointError::Closed) } else { Ok(()) }
    }
}
