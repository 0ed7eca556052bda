//! Runs one program on one host: hands it over, watches it from outside, and collects what it left.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use serde::Deserialize;

use crate::host::Host;
use crate::outcome::{End, Isolation, Outcome};
use crate::program::{Limits, Program};
use crate::scratch;
use crate::streams::{Streams, read_output, receive, sealed, send};
use crate::usage;

/// How long a host may take to set one program up before it counts as broken. Generous: a busy machine is not a fault.
const SETUP_DEADLINE: Duration = Duration::from_secs(30);
/// How long a killed program may take to be gone.
const KILL_DEADLINE: Duration = Duration::from_secs(15);
const FIRST_LOOK: Duration = Duration::from_millis(20);
const NEXT_LOOK: Duration = Duration::from_millis(40);

/// Why a program has no outcome, and whether its host can go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Setting it up failed inside an intact host.
    NotStarted(String),
    /// The host is gone or can no longer be trusted to answer.
    HostLost(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotStarted(reason) | Self::HostLost(reason) => formatter.write_str(reason),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::HostLost(error.to_string())
    }
}

/// What the fork server says of itself once it is warm.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct About {
    pub(crate) version: String,
    pub(crate) executable: String,
    #[serde(rename = "warmed")]
    pub(crate) _warmed: Vec<String>,
}

/// Configures a fresh host and waits until it is warm.
pub(crate) fn configure(host: &Host, config: &[u8]) -> Result<About, Failure> {
    let lost = |error: &dyn std::fmt::Display| {
        let diagnostics = crate::streams::read_start(&host.diagnostics, 4096).unwrap_or_default();
        Failure::HostLost(format!("{error}: {}", String::from_utf8_lossy(&diagnostics).trim()))
    };
    send(&host.link, config, &[]).map_err(|error| lost(&error))?;
    if !readable_within(&host.link, 2 * SETUP_DEADLINE).map_err(|error| lost(&error))? {
        return Err(lost(&"no answer"));
    }
    let (packet, _) = receive(&host.link).map_err(|error| lost(&error))?;
    match packet.split_first() {
        Some((b'R', about)) => serde_json::from_slice(about).map_err(|error| lost(&error)),
        Some((b'E', text)) => Err(Failure::NotStarted(String::from_utf8_lossy(text).into_owned())),
        _ => Err(lost(&"it ended while warming up")),
    }
}

/// A program that has been started and not yet ended.
struct Running {
    pidfd: OwnedFd,
    scratch: OwnedFd,
    started: Instant,
}

/// How the kernel says that a program ended.
struct Ended {
    status: i32,
    cpu: Duration,
    max_rss_kib: u64,
}

/// Runs one program to its end.
pub(crate) fn run(host: &Host, program: &Program) -> Result<Outcome, Failure> {
    let streams = Streams::create(&program.stdin)?;
    let running = start(host, program, &streams)?;
    let mut overrun = None;
    let ended = watch(host, program, &streams, &running, &mut overrun)?;
    let wall = running.started.elapsed();
    collect(program, &streams, &running.scratch, &ended, overrun, wall)
}

fn start(host: &Host, program: &Program, streams: &Streams) -> Result<Running, Failure> {
    let job = sealed(&program.encode())?;
    let (status, status_write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(io::Error::from)?;
    let [stdout, stderr, channel] = &streams.outputs;
    let descriptors =
        [job.as_fd(), streams.stdin.as_fd(), stdout.as_fd(), stderr.as_fd(), channel.as_fd(), status_write.as_fd()];
    send(&host.link, &numbers(program), &descriptors)?;
    drop(status_write);
    if !readable_within(&host.link, SETUP_DEADLINE)? {
        return Err(Failure::HostLost("no answer to a job".to_owned()));
    }
    let (packet, descriptors) = receive(&host.link)?;
    let [pidfd, scratch] = match (packet.split_first(), <[OwnedFd; 2]>::try_from(descriptors)) {
        (Some((b'S', _)), Ok(descriptors)) => descriptors,
        (Some((b'E', text)), _) => return Err(Failure::HostLost(String::from_utf8_lossy(text).into_owned())),
        _ => return Err(Failure::HostLost("it ended before starting the program".to_owned())),
    };
    await_confinement(host, &status, &pidfd)?;
    Ok(Running { pidfd, scratch, started: Instant::now() })
}

/// Waits for the child's word that it is confined and about to run the program.
fn await_confinement(host: &Host, status: &OwnedFd, pidfd: &OwnedFd) -> Result<(), Failure> {
    let mut word = [0_u8; 512];
    let length = if readable_within(status, SETUP_DEADLINE)? {
        rustix::io::retry_on_intr(|| rustix::io::read(status, &mut word)).map_err(io::Error::from)?
    } else {
        let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
        0
    };
    if word[..length] == *b"k" {
        return Ok(());
    }
    // Nothing was run. The host itself is intact once it has reported the child's end.
    let text = String::from_utf8_lossy(word[..length].strip_prefix(b"E").unwrap_or_default()).into_owned();
    if !readable_within(&host.link, KILL_DEADLINE)? || receive(&host.link)?.0.first() != Some(&b'D') {
        return Err(Failure::HostLost("it did not survive a failed set-up".to_owned()));
    }
    Err(Failure::NotStarted(if text.is_empty() { "the process ended during set-up".to_owned() } else { text }))
}

/// The six numbers of a job, in the fork server's order.
fn numbers(program: &Program) -> Vec<u8> {
    let limits = &program.limits;
    // The kernel's own limit counts whole seconds and per process: it is the backstop behind ours.
    let cpu_seconds = limits.cpu.as_secs() + 2;
    [
        u64::from(program.processes),
        program.scratch_bytes(),
        limits.memory_bytes,
        program.largest_file_bytes(),
        cpu_seconds,
        u64::from(limits.max_processes),
    ]
    .iter()
    .flat_map(|number| number.to_le_bytes())
    .collect()
}

/// Waits for the end, and brings it about when a limit is passed.
fn watch(
    host: &Host,
    program: &Program,
    streams: &Streams,
    running: &Running,
    overrun: &mut Option<End>,
) -> Result<Ended, Failure> {
    let deadline = running.started + program.limits.wall;
    let mut look = FIRST_LOOK;
    let mut process = None;
    loop {
        let remaining = deadline.saturating_duration_since(Instant::now());
        if readable_within(&host.link, remaining.min(look))? {
            return read_end(host);
        }
        look = NEXT_LOOK;
        let process = *process.get_or_insert_with(|| usage::process_number(&running.pidfd));
        *overrun = if Instant::now() >= deadline {
            Some(End::WallLimit)
        } else {
            over_limit(&program.limits, streams, process)?
        };
        if overrun.is_some() {
            // An error means that it has just ended by itself.
            let _ = rustix::process::pidfd_send_signal(&running.pidfd, Signal::KILL);
            if !readable_within(&host.link, KILL_DEADLINE)? {
                return Err(Failure::HostLost("a killed program did not end".to_owned()));
            }
            return read_end(host);
        }
    }
}

fn over_limit(limits: &Limits, streams: &Streams, process: Option<i32>) -> io::Result<Option<End>> {
    if streams.overflows(limits.output_bytes)? {
        return Ok(Some(End::OutputLimit));
    }
    let usage = process.map(usage::of_tree).unwrap_or_default();
    Ok(if usage.cpu >= limits.cpu {
        Some(End::CpuLimit)
    } else if usage.resident_bytes > limits.memory_bytes {
        Some(End::MemoryLimit)
    } else {
        None
    })
}

fn read_end(host: &Host) -> Result<Ended, Failure> {
    let (packet, _) = receive(&host.link)?;
    let numbers = packet.strip_prefix(b"D").and_then(|bytes| <[u8; 28]>::try_from(bytes).ok());
    let Some(numbers) = numbers else {
        return Err(Failure::HostLost("it ended while a program was running".to_owned()));
    };
    let microseconds = |at: usize| {
        let bytes = numbers[at..at + 8].try_into().expect("eight bytes of a longer array");
        u64::from_le_bytes(bytes)
    };
    let status = i32::from_le_bytes(numbers[..4].try_into().expect("four bytes of a longer array"));
    Ok(Ended { status, cpu: Duration::from_micros(microseconds(4) + microseconds(12)), max_rss_kib: microseconds(20) })
}

fn collect(
    program: &Program,
    streams: &Streams,
    scratch: &OwnedFd,
    ended: &Ended,
    overrun: Option<End>,
    wall: Duration,
) -> Result<Outcome, Failure> {
    let limits = &program.limits;
    let mut tamper = Vec::new();
    let mut kept = Vec::new();
    let mut truncated = false;
    for (name, output) in ["stdout", "stderr", "channel"].iter().zip(&streams.outputs) {
        let written = read_output(output, limits.output_bytes)?;
        truncated |= written.is_longer;
        if written.was_rewound {
            tamper.push(format!("{name} was rewound or cut"));
        }
        kept.push(written.kept);
    }
    let [stdout, stderr, channel] = kept.try_into().expect("one text for each of three outputs");
    let is_full = scratch::is_full(scratch)?;
    let files = scratch::list(scratch);
    let is_full = is_full || files.values().any(|file| file.size >= program.largest_file_bytes());
    let end = match (overrun, ending(ended, limits)) {
        (Some(limit), _) => limit,
        (None, _) if truncated => End::OutputLimit,
        (None, End::Exited { code }) if code != 0 && is_full => End::FileLimit,
        (None, end) => end,
    };
    Ok(Outcome {
        end,
        stdout,
        stderr,
        channel,
        truncated,
        files,
        wall,
        cpu: ended.cpu,
        max_rss_kib: ended.max_rss_kib,
        isolation: Isolation::Full,
        tamper,
    })
}

/// The kernel's wait status, read with the limits in mind.
fn ending(ended: &Ended, limits: &Limits) -> End {
    let signal = ended.status & 0x7f;
    if signal == 0 {
        return End::Exited { code: (ended.status >> 8) & 0xff };
    }
    let is_out_of_time = ended.cpu >= limits.cpu;
    match signal {
        libc::SIGXCPU => End::CpuLimit,
        libc::SIGKILL if is_out_of_time => End::CpuLimit,
        // Process 1 of a pid namespace cannot kill itself and nobody else inside can: this was the kernel, out of memory.
        libc::SIGKILL => End::MemoryLimit,
        signal => End::Signalled { signal },
    }
}

/// Waits until there is something to read, or an end; false when the time is over.
fn readable_within(descriptor: &OwnedFd, time: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + time;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        match poll(&mut [PollFd::new(descriptor, PollFlags::IN)], Some(&timeout)) {
            Ok(count) => return Ok(count > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: i32, cpu_ms: u64) -> Ended {
        Ended { status, cpu: Duration::from_millis(cpu_ms), max_rss_kib: 0 }
    }

    #[test]
    fn wait_statuses_are_read_with_the_limits_in_mind() {
        let limits = Limits::default();
        assert_eq!(ending(&ended(7 << 8, 0), &limits), End::Exited { code: 7 });
        assert_eq!(ending(&ended(libc::SIGSEGV | 0x80, 0), &limits), End::Signalled { signal: libc::SIGSEGV });
        assert_eq!(ending(&ended(libc::SIGKILL, 2000), &limits), End::CpuLimit);
        assert_eq!(ending(&ended(libc::SIGKILL, 100), &limits), End::MemoryLimit);
    }
}
