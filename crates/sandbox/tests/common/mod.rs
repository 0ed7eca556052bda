//! What several test binaries need.

use std::time::{Duration, Instant};

/// How long after its deadline a program may still be seen alive, on a machine that has processors to spare.
const LATE: Duration = Duration::from_millis(250);

/// Whether a run that took this long ended in time. Where processors are short, that is as many times later as this thread is
/// kept from one right now.
pub(crate) fn is_in_time(wall: Duration, limit: Duration) -> bool {
    wall <= limit + LATE || wall <= limit + LATE.mul_f64(starvation())
}

/// How many times longer a little work takes than its processor time.
fn starvation() -> f64 {
    const WORK: Duration = Duration::from_millis(30);
    let (started, spent) = (Instant::now(), thread_time());
    while thread_time().saturating_sub(spent) < WORK {
        std::hint::black_box((0..1000_u64).sum::<u64>());
    }
    started.elapsed().div_duration_f64(WORK).max(1.0)
}

fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
