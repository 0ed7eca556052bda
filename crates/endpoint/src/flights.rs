//! Requests under way, so that the same one is not sent twice at a time when its answer will be kept.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::key::RequestKey;

/// The keys that somebody is asking about.
#[derive(Default)]
pub(crate) struct Flights {
    keys: Mutex<HashSet<RequestKey>>,
    landed: Condvar,
}

/// The right to ask. Others wait until it is dropped.
pub(crate) struct Flight<'a> {
    flights: &'a Flights,
    key: RequestKey,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.flights.keys().remove(&self.key);
        self.flights.landed.notify_all();
    }
}

impl Flights {
    fn keys(&self) -> MutexGuard<'_, HashSet<RequestKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to ask about `key`, once nobody else does; None when that is not before `until`.
    pub(crate) fn board(&self, key: RequestKey, until: Instant) -> Option<Flight<'_>> {
        let mut keys = self.keys();
        loop {
            if keys.insert(key) {
                return Some(Flight { flights: self, key });
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            keys = self.landed.wait_timeout(keys, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
