//! Ctrl-C and SIGTERM while something trains: the first has it end after its step, to be continued; the second ends at once.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

use codeward_training::{is_pause_wanted, pause_soon};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::failure::Failure;
use crate::output::note;

/// What asked for the end; 0 is nothing.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Whether the work ended for it, and not for something else that happened before.
static HAS_STOPPED: AtomicBool = AtomicBool::new(false);

/// From here on the signals are ours.
pub(crate) fn listen() -> Result<(), Failure> {
    let refused = |error: std::io::Error| Failure::new(format!("signals: {error}"), "is the limit on open files low?");
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(refused)?;
    let wait = move || {
        for signal in signals.forever() {
            if is_pause_wanted() {
                // The default action of both is the end; when even that is refused, the step ends as it would have.
                let _ = emulate_default_handler(signal);
            }
            SIGNAL.store(signal, Ordering::SeqCst);
            pause_soon();
            note("stopping after this step or stage, with everything saved; once more stops at once");
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map_err(refused)?;
    Ok(())
}

/// Ends what is between two stages, if somebody asked for it.
pub(crate) fn between_stages() -> Result<(), Failure> {
    if is_pause_wanted() { Err(stopped("stopped between two stages, as asked")) } else { Ok(()) }
}

/// Why a command did not end its work although nothing is wrong.
pub(crate) fn stopped(message: impl std::fmt::Display) -> Failure {
    HAS_STOPPED.store(true, Ordering::Relaxed);
    Failure::new(message, "the same command with --resume goes on, with the numbers of a run that was never stopped")
}

/// What a shell expects of a process that a signal ended, where one did.
pub(crate) fn exit_code() -> Option<u8> {
    let signal = SIGNAL.load(Ordering::Relaxed);
    HAS_STOPPED.load(Ordering::Relaxed).then_some(128 + signal as u8)
}
