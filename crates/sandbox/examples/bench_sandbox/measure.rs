//! One batch: some clients in a closed loop, and what it took.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use crate::cpu;
use crate::workload::{TASKS, Task};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One way to run the workload.
pub(crate) trait Side {
    fn name(&self) -> &str;
    /// What it does, in one line.
    fn describe(&self) -> String;
    /// How many programs it runs at one time.
    fn workers(&self) -> usize;
    /// Runs that many programs, in turn through the workload, and fails on the first wrong output.
    fn run(&mut self, num_programs: usize) -> Result<Batch, Failure>;
}

/// What one batch took.
pub(crate) struct Batch {
    pub(crate) num_programs: usize,
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Batch {
    pub(crate) fn per_second(&self) -> f64 {
        self.num_programs as f64 / self.seconds
    }

    pub(crate) fn cpu_ms(&self) -> f64 {
        self.cpu_seconds * 1000.0 / self.num_programs as f64
    }
}

/// Runs programs with `clients` threads, each of which starts its next program when the last is done.
///
/// `run_one` is given the client's number, the task and its number; it returns what the program wrote.
pub(crate) fn closed_loop(
    num_programs: usize,
    clients: usize,
    run_one: impl Fn(usize, &Task, usize) -> Result<Vec<u8>, Failure> + Sync,
) -> Result<Batch, Failure> {
    let next = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    let latencies = Mutex::new(Vec::with_capacity(num_programs));
    let cpu_before = cpu::seconds();
    let started = Instant::now();
    let client = |client: usize| -> Result<(), Failure> {
        let mut own = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= num_programs || is_over.load(Ordering::Relaxed) {
                latencies.lock().expect("no client panics with the lock").extend(own);
                return Ok(());
            }
            let index = number % TASKS.len();
            let begun = Instant::now();
            let output = run_one(client, &TASKS[index], index).and_then(|output| check(&TASKS[index], &output));
            own.push(begun.elapsed().as_secs_f64() * 1000.0);
            output.inspect_err(|_| is_over.store(true, Ordering::Relaxed))?;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|number| scope.spawn(move || client(number))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a client returns its errors"))
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let cpu_seconds = cpu::seconds() - cpu_before;
    let mut latencies = latencies.into_inner().expect("no client panics with the lock");
    latencies.sort_by(f64::total_cmp);
    let (p50_ms, p99_ms) = (percentile(&latencies, 0.50), percentile(&latencies, 0.99));
    Ok(Batch { num_programs, seconds, cpu_seconds, p50_ms, p99_ms })
}

fn check(task: &Task, output: &[u8]) -> Result<(), Failure> {
    if output == task.expected.as_bytes() {
        return Ok(());
    }
    Err(format!("wrong output of {}: {:?}", task.name, String::from_utf8_lossy(output)).into())
}

/// The value at that rank of a sorted list.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// The middle of some numbers.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    match numbers.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => numbers[count / 2],
        count => f64::midpoint(numbers[count / 2 - 1], numbers[count / 2]),
    }
}
