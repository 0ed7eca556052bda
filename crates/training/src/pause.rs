//! A request to end soon, as Ctrl-C makes it: one for the whole process, as signals are.
//!
//! A loop that sees it ends its step, saves its state and returns [`TrainError::Paused`](crate::TrainError::Paused).

use std::sync::atomic::{AtomicBool, Ordering};

static IS_WANTED: AtomicBool = AtomicBool::new(false);

/// Has whatever trains in this process end after its step, to be continued later. It cannot be taken back.
pub fn pause_soon() {
    IS_WANTED.store(true, Ordering::Relaxed);
}

/// Whether somebody asked for it.
pub fn is_pause_wanted() -> bool {
    IS_WANTED.load(Ordering::Relaxed)
}
