//! Runs one program on one host: hands it over, watches it from outside, and collects what it left.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use serde::Deserialize;

use crate::cancel::Patience;
use crate::cgroup::{Group, Mark};
use crate::error::SandboxError;
use crate::host::Host;
use crate::job::{Job, Terms};
use crate::loopback::Loopback;
use crate::observe::{Observer, Policy};
use crate::outcome::{End, Outcome, Tamper, TamperKind};
use crate::program::{Limits, Network, Prelude};
use crate::scratch::{self, Folder};
use crate::seccomp::Profile;
use crate::streams::{Streams, read_output, receive, sealed, send};
use crate::usage;

/// How long a host may take to set one program up before it counts as broken. Generous: a busy machine is not a fault.
const SETUP_DEADLINE: Duration = Duration::from_secs(30);
/// How long a killed program may take to be gone.
const KILL_DEADLINE: Duration = Duration::from_secs(15);
/// How long a host may take to report what has ended already.
const REPORT_DEADLINE: Duration = Duration::from_secs(5);
/// How often a host that owes an answer is looked at: one that is stopped, twice in a row, will not give it.
const STOPPED_LOOK: Duration = Duration::from_millis(400);
/// The kernel's own limit on processor time, which a program may lower to a second, kills nothing that has used less. The kernel holds
/// it against ticks of its clock, of which a program on a busy host may catch more than its share: hence half a second.
const LEAST_CPU_LIMIT: Duration = Duration::from_millis(500);
const FIRST_LOOK: Duration = Duration::from_millis(20);
const NEXT_LOOK: Duration = Duration::from_millis(40);

/// Why a program has no outcome, and whether its host can go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Setting it up failed inside an intact host.
    NotStarted(String),
    /// The host is gone or can no longer be trusted to answer.
    HostLost(String),
    /// The caller gave up on it; the host is intact.
    GivenUp(SandboxError),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotStarted(reason) | Self::HostLost(reason) => formatter.write_str(reason),
            Self::GivenUp(error) => error.fmt(formatter),
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
    pub(crate) can_ask: bool,
    #[serde(rename = "warmed")]
    pub(crate) _warmed: Vec<String>,
}

/// Configures a fresh host and waits until it is warm. The descriptor is what listens on its loopback device.
pub(crate) fn configure(host: &Host, config: &[u8]) -> Result<(About, Option<OwnedFd>), Failure> {
    let lost = |error: &dyn std::fmt::Display| {
        let diagnostics = crate::streams::read_start(&host.diagnostics, 4096).unwrap_or_default();
        Failure::HostLost(format!("{error}: {}", String::from_utf8_lossy(&diagnostics).trim()))
    };
    send(&host.link, config, &[]).map_err(|error| lost(&error))?;
    if !readable_within(&host.link, 2 * SETUP_DEADLINE).map_err(|error| lost(&error))? {
        return Err(lost(&"no answer"));
    }
    let (packet, descriptors) = receive(&host.link).map_err(|error| lost(&error))?;
    match packet.split_first() {
        Some((b'R', about)) => {
            let about = serde_json::from_slice(about).map_err(|error| lost(&error))?;
            Ok((about, descriptors.into_iter().next()))
        }
        Some((b'E', text)) => Err(Failure::NotStarted(String::from_utf8_lossy(text).into_owned())),
        _ => Err(lost(&"it ended while warming up")),
    }
}

/// A warm host and everything that running a program on it takes.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) host: Host,
    pub(crate) num_served: u32,
    pub(crate) terms: Terms,
    pub(crate) loopback: Option<OwnedFd>,
    pub(crate) group: Option<Group>,
    /// Folders of the host that programs may open files in.
    pub(crate) own_folders: Vec<PathBuf>,
    /// Where scratch folders are made, on hosts that cannot mount their own.
    pub(crate) scratch_base: Option<Arc<scratch::Base>>,
    /// Modules of callers that the host has loaded.
    pub(crate) preludes: Vec<&'static Prelude>,
}

/// A program that has been started and not yet ended.
struct Running {
    pidfd: OwnedFd,
    scratch: OwnedFd,
    status: OwnedFd,
    started: Instant,
    observer: Option<Observer>,
    mark: Option<Mark>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // However this run ends for us, the program must not outlive it.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
    }
}

/// How the kernel says that a program ended.
struct Ended {
    status: i32,
    cpu: Duration,
    max_rss_kib: u64,
}

/// What made us end it.
enum Stopped {
    ByItself,
    Limit(End),
    GivenUp(SandboxError),
}

impl Worker {
    /// Runs one job to its end.
    pub(crate) fn run(&mut self, job: &Job<'_>, patience: &Patience<'_>) -> Result<Outcome, Failure> {
        self.num_served += 1;
        let streams = Streams::create(job.stdin)?;
        let folder = self.scratch_base.as_ref().map(|base| base.folder()).transpose()?;
        if let Some(group) = &self.group {
            group.limit(job).map_err(Failure::NotStarted)?;
        }
        if let Some(prelude) = job.prelude {
            self.load(prelude)?;
        }
        let mut running = self.start(job, &streams, folder.as_ref())?;
        let mut loopback = match (job.network, &self.loopback) {
            (Network::Loopback, Some(listener)) => Some(Loopback::open(listener)?),
            _ => None,
        };
        let (ended, stopped) = self.watch(job, patience, &streams, &mut running, &mut loopback)?;
        let wall = running.started.elapsed();
        let received = loopback.map(Loopback::finish).transpose()?.unwrap_or_default();
        self.collect(job, &streams, running, &ended, stopped, wall, received)
    }

    /// Has the host load a module, if it has not yet.
    fn load(&mut self, prelude: &'static Prelude) -> Result<(), Failure> {
        if self.preludes.iter().any(|loaded| std::ptr::eq(*loaded, prelude)) {
            return Ok(());
        }
        let text = sealed(prelude.source.as_bytes())?;
        send(&self.host.link, prelude.name.as_bytes(), &[text.as_fd()])?;
        self.await_readable(&self.host.link, SETUP_DEADLINE, "a module was not loaded in time")?;
        match receive(&self.host.link)?.0.split_first() {
            Some((b'L', _)) => self.preludes.push(prelude),
            Some((b'E', text)) => return Err(Failure::HostLost(String::from_utf8_lossy(text).into_owned())),
            _ => return Err(Failure::HostLost(format!("it ended while loading module {}", prelude.name))),
        }
        Ok(())
    }

    fn start(&self, job: &Job<'_>, streams: &Streams, folder: Option<&Folder>) -> Result<Running, Failure> {
        let encoded = job.encode();
        let text = sealed(&encoded)?;
        let (status, status_theirs) = status_pair()?;
        let [stdout, stderr, channel] = &streams.outputs;
        let mut descriptors = vec![
            text.as_fd(),
            streams.stdin.as_fd(),
            stdout.as_fd(),
            stderr.as_fd(),
            channel.as_fd(),
            status_theirs.as_fd(),
        ];
        descriptors.extend(job.executable.as_ref().map(|executable| executable.as_fd()));
        send(&self.host.link, &job.numbers(self.terms, encoded.len(), folder.map_or(0, Folder::number)), &descriptors)?;
        drop(status_theirs);
        let mark = self.group.as_ref().map(|group| self.admit(&status, group)).transpose()?;
        let mut descriptors = self.await_word(&status, b"k")?.into_iter();
        let (Some(pidfd), Some(scratch)) = (descriptors.next(), descriptors.next()) else {
            return Err(Failure::HostLost("a child did not say who it is".to_owned()));
        };
        let observer = descriptors.next().map(|listener| Observer::new(listener, self.policy(job, folder)));
        Ok(Running { pidfd, scratch, status, started: Instant::now(), observer, mark })
    }

    fn policy(&self, job: &Job<'_>, folder: Option<&Folder>) -> Policy {
        let scratch = folder.map_or_else(|| PathBuf::from("/tmp"), |folder| folder.path().to_owned());
        let mut own_folders = self.own_folders.clone();
        own_folders.push(scratch.clone());
        Policy {
            processes: job.profile != Profile::Single,
            executions: u32::from(!job.arguments.is_empty()),
            network: job.network,
            may_make_sockets: job.makes_sockets,
            own_folders,
            scratch,
        }
    }

    /// Puts the child, which waits for it, into the worker's control group.
    fn admit(&self, status: &OwnedFd, group: &Group) -> Result<Mark, Failure> {
        let child = self.await_word(status, b"w")?.into_iter().next();
        let process = child.as_ref().and_then(usage::process_number);
        match process.ok_or_else(|| "it was gone".to_owned()).and_then(|process| group.admit(process)) {
            Ok(mark) => {
                rustix::io::write(status, b"g").map_err(io::Error::from)?;
                Ok(mark)
            }
            Err(reason) => {
                if let Some(child) = child {
                    let _ = rustix::process::pidfd_send_signal(child, Signal::KILL);
                }
                Err(self.failed_setup(format!("Econtrol group: {reason}").as_bytes()))
            }
        }
    }

    /// Waits for one word of the child, and takes the descriptors that come with it.
    fn await_word(&self, status: &OwnedFd, expected: &[u8]) -> Result<Vec<OwnedFd>, Failure> {
        self.await_readable(status, SETUP_DEADLINE, "a program was not set up in time")?;
        let (word, descriptors) = receive(status)?;
        if word == expected { Ok(descriptors) } else { Err(self.failed_setup(&word)) }
    }

    /// Nothing was run. The host itself is intact once it has reported the child's end.
    fn failed_setup(&self, word: &[u8]) -> Failure {
        let text = |word: &[u8]| String::from_utf8_lossy(word.strip_prefix(b"E").unwrap_or_default()).into_owned();
        let is_answered = matches!(readable_within(&self.host.link, KILL_DEADLINE), Ok(true));
        let packet = if is_answered { receive(&self.host.link).unwrap_or_default().0 } else { vec![] };
        match packet.first() {
            Some(b'D') if word.is_empty() => Failure::NotStarted("the process ended during set-up".to_owned()),
            Some(b'D') => Failure::NotStarted(text(word)),
            Some(b'E') => Failure::HostLost(text(&packet)),
            _ => Failure::HostLost("it did not survive a failed set-up".to_owned()),
        }
    }

    /// Waits for the end, and brings it about when a limit is passed. Answers the kernel's questions meanwhile.
    fn watch(
        &self,
        job: &Job<'_>,
        patience: &Patience<'_>,
        streams: &Streams,
        running: &mut Running,
        loopback: &mut Option<Loopback<'_>>,
    ) -> Result<(Ended, Stopped), Failure> {
        let wall_end = running.started + job.limits.wall;
        let mut next_look = running.started + FIRST_LOOK;
        let mut process = None;
        loop {
            let until = [Some(wall_end), Some(next_look), patience.deadline].into_iter().flatten().min();
            let woken = wait(&self.host.link, patience, running.observer.as_ref(), loopback.as_ref(), until)?;
            if woken.question
                && let Some(observer) = &mut running.observer
            {
                observer.answer()?;
            }
            if woken.connection
                && let Some(loopback) = loopback
            {
                loopback.serve()?;
            }
            if woken.end {
                return Ok((read_end(&self.host)?, Stopped::ByItself));
            }
            if woken.observer_gone {
                // Every process that it could ask for has ended; the end is about to be reported.
                running.observer = running.observer.take().map(Observer::retire);
            }
            let now = Instant::now();
            let stopped = if let Some(error) = patience.exhausted() {
                Some(Stopped::GivenUp(error))
            } else if now >= wall_end.min(next_look) && readable_within(&running.pidfd, Duration::ZERO)? {
                // It has ended by itself, whatever the time is when its host says so.
                return Ok((self.await_report(running)?, Stopped::ByItself));
            } else if now >= wall_end {
                Some(Stopped::Limit(End::WallLimit))
            } else if now >= next_look {
                next_look = now + NEXT_LOOK;
                process = process.or_else(|| usage::process_number(&running.pidfd));
                self.over_limit(job, streams, process, running.mark)?.map(Stopped::Limit)
            } else {
                None
            };
            if let Some(stopped) = stopped {
                // An error means that it has just ended by itself.
                let _ = rustix::process::pidfd_send_signal(&running.pidfd, Signal::KILL);
                if let Some(group) = &self.group {
                    group.kill();
                }
                return Ok((self.await_report(running)?, stopped));
            }
        }
    }

    /// Waits for the end of a program that was killed or has ended, and for the host's word on it.
    fn await_report(&self, running: &Running) -> Result<Ended, Failure> {
        if !readable_within(&running.pidfd, KILL_DEADLINE)? {
            return Err(Failure::HostLost("a killed program did not end".to_owned()));
        }
        self.await_readable(&self.host.link, REPORT_DEADLINE, "the end of a program was not reported")?;
        read_end(&self.host)
    }

    /// Waits for something that the host or its child says, or their end. A host that somebody has stopped is as good as lost.
    fn await_readable(&self, descriptor: &OwnedFd, time: Duration, otherwise: &str) -> Result<(), Failure> {
        let deadline = Instant::now() + time;
        let mut was_stopped = false;
        while Instant::now() < deadline {
            if readable_within(descriptor, STOPPED_LOOK)? {
                return Ok(());
            }
            let is_stopped = self.host.is_stopped();
            if is_stopped && was_stopped {
                return Err(Failure::HostLost("the host was stopped".to_owned()));
            }
            was_stopped = is_stopped;
        }
        Err(Failure::HostLost(otherwise.to_owned()))
    }

    /// Whether somebody out here killed the program, or the kernel for want of memory that it did not hold. Nobody inside can
    /// kill process 1 of a pid namespace.
    fn was_killed_from_outside(&self, ended: &Ended, limits: &Limits, is_out_of_memory: bool) -> bool {
        self.terms.isolation.has_namespaces()
            && ended.status & 0x7f == libc::SIGKILL
            && ended.cpu < limits.cpu.min(LEAST_CPU_LIMIT)
            && ended.max_rss_kib < limits.memory_bytes / 1024 / 2
            && !is_out_of_memory
    }

    fn over_limit(
        &self,
        job: &Job<'_>,
        streams: &Streams,
        process: Option<i32>,
        mark: Option<Mark>,
    ) -> io::Result<Option<End>> {
        let limits = &job.limits;
        if streams.overflows(limits.output_bytes)? {
            return Ok(Some(End::OutputLimit));
        }
        let tree = process.map(usage::of_tree).unwrap_or_default();
        // The group also knows of the processes that have ended since.
        let group = self.group.as_ref().zip(mark).map(|(group, mark)| group.usage_since(mark)).unwrap_or_default();
        Ok(if tree.cpu.max(group.cpu) >= limits.cpu {
            Some(End::CpuLimit)
        } else if tree.resident_bytes > limits.memory_bytes
            && process.and_then(usage::shared_once).is_none_or(|bytes| bytes > limits.memory_bytes)
        {
            Some(End::MemoryLimit)
        } else {
            None
        })
    }

    #[expect(clippy::too_many_arguments, reason = "everything that one run leaves behind")]
    fn collect(
        &self,
        job: &Job<'_>,
        streams: &Streams,
        mut running: Running,
        ended: &Ended,
        stopped: Stopped,
        wall: Duration,
        received: Vec<Vec<u8>>,
    ) -> Result<Outcome, Failure> {
        let group = self.group.as_ref().zip(running.mark);
        let is_out_of_memory = group.is_some_and(|(group, mark)| group.ran_out_of_memory_since(mark));
        let overrun = match stopped {
            Stopped::GivenUp(error) => return Err(Failure::GivenUp(error)),
            Stopped::Limit(end) => Some(end),
            Stopped::ByItself if self.was_killed_from_outside(ended, &job.limits, is_out_of_memory) => {
                return Err(Failure::HostLost("the program was killed from outside".to_owned()));
            }
            Stopped::ByItself => None,
        };
        let ended = &Ended { status: last_word(job, &running.status)?.unwrap_or(ended.status), ..*ended };
        let (mut observed, mut tamper) = running.observer.take().map(Observer::finish).unwrap_or_default();
        observed.received = received;
        let limits = &job.limits;
        let (kept, truncated) = collect_outputs(streams, limits, &mut tamper)?;
        let [stdout, stderr, channel] = kept;
        let is_full = scratch::is_full(&running.scratch, self.scratch_base.is_none())?;
        let files = scratch::list(&running.scratch, job.content_bytes)?;
        let is_full = is_full || files.values().any(|file| file.size >= job.largest_file_bytes());
        let cpu = group.map_or(ended.cpu, |(group, mark)| group.usage_since(mark).cpu.max(ended.cpu));
        let end = match (overrun, ending(ended, limits)) {
            (Some(limit), _) => limit,
            (None, _) if truncated => End::OutputLimit,
            (None, end) if is_out_of_memory && end != (End::Exited { code: 0 }) => End::MemoryLimit,
            (None, End::Exited { code }) if code != 0 && is_full => End::FileLimit,
            (None, end) => end,
        };
        let isolation = self.terms.isolation;
        let max_rss_kib = ended.max_rss_kib;
        Ok(Outcome {
            end,
            stdout,
            stderr,
            channel,
            truncated,
            files,
            wall,
            cpu,
            max_rss_kib,
            isolation,
            observed,
            tamper,
        })
    }
}

/// A program that stays: requests go in, answers come out, for as long as it is kept.
pub(crate) struct Resident {
    worker: Worker,
    running: Running,
    /// Its standard input and output.
    socket: OwnedFd,
}

impl std::fmt::Debug for Resident {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Resident").field("host", &self.worker.host.pid).finish_non_exhaustive()
    }
}

impl Resident {
    /// Starts it on a host that is its own from now on.
    pub(crate) fn start(worker: Worker, job: &Job<'_>) -> Result<Self, Failure> {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
        let mut streams = Streams::create(&[])?;
        let (socket, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(io::Error::from)?;
        streams.stdin = theirs.try_clone()?;
        streams.outputs[0] = theirs;
        let running = worker.start(job, &streams, None)?;
        rustix::io::ioctl_fionbio(&socket, true).map_err(io::Error::from)?;
        Ok(Self { worker, running, socket })
    }

    /// One request and its answer, which begins with its own length. After an error it is of no further use.
    pub(crate) fn exchange(&mut self, request: &[u8], deadline: Instant) -> Result<Vec<u8>, Failure> {
        let mut unsent = request;
        let mut answer = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            self.await_turn(!unsent.is_empty(), deadline)?;
            if !unsent.is_empty() {
                match rustix::net::send(&self.socket, unsent, rustix::net::SendFlags::NOSIGNAL) {
                    Ok(count) => unsent = &unsent[count..],
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(io::Error::from(error).into()),
                }
            }
            match rustix::io::read(&self.socket, &mut buffer) {
                Ok(0) => return Err(Failure::HostLost("it ended instead of answering".to_owned())),
                Ok(count) => answer.extend(&buffer[..count]),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
            if let Some((length, rest)) = answer.split_first_chunk::<4>() {
                let length = u32::from_be_bytes(*length) as usize;
                if length > MAX_ANSWER_BYTES {
                    return Err(Failure::HostLost("its answer is too long".to_owned()));
                }
                if rest.len() >= length {
                    return Ok(rest[..length].to_vec());
                }
            }
        }
    }

    /// Waits until it can be written to or read from, and answers the kernel's questions meanwhile.
    fn await_turn(&mut self, is_sending: bool, deadline: Instant) -> Result<(), Failure> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Failure::HostLost("it did not answer in time".to_owned()));
            }
            let interest = if is_sending { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            let mut waiting =
                vec![PollFd::new(&self.socket, interest), PollFd::new(&self.worker.host.link, PollFlags::IN)];
            waiting.extend(
                self.running
                    .observer
                    .as_ref()
                    .and_then(Observer::listener)
                    .map(|listener| PollFd::new(listener, PollFlags::IN)),
            );
            match poll(&mut waiting, Some(&timespec(left))) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
            let [socket, host] = [0, 1].map(|at: usize| !waiting[at].revents().is_empty());
            let is_asked = waiting.get(2).is_some_and(|listener| !listener.revents().is_empty());
            if host {
                return Err(Failure::HostLost("it ended".to_owned()));
            }
            if is_asked && let Some(observer) = &mut self.running.observer {
                observer.answer()?;
            }
            if socket {
                return Ok(());
            }
        }
    }
}

/// The longest answer of a resident program.
const MAX_ANSWER_BYTES: usize = 64 << 20;

fn collect_outputs(
    streams: &Streams,
    limits: &Limits,
    tamper: &mut Vec<Tamper>,
) -> Result<([Vec<u8>; 3], bool), Failure> {
    let mut kept = Vec::new();
    let mut truncated = false;
    for (name, output) in ["stdout", "stderr", "channel"].iter().zip(&streams.outputs) {
        let written = read_output(output, limits.output_bytes)?;
        truncated |= written.is_longer;
        if written.was_rewound {
            let detail = format!("{name} was rewound or cut");
            tamper.push(Tamper { kind: TamperKind::OutputRewritten, detail });
        }
        kept.push(written.kept);
    }
    Ok((kept.try_into().expect("one text for each of three outputs"), truncated))
}

/// What the process that became a program, or its parent, has said since: how it ended, or why there never was one.
fn last_word(job: &Job<'_>, status: &OwnedFd) -> Result<Option<i32>, Failure> {
    let mut ended = None;
    while !job.arguments.is_empty() && readable_within(status, Duration::ZERO)? {
        let (word, _) = receive(status)?;
        match word.split_first() {
            Some((b'E', text)) => return Err(Failure::NotStarted(String::from_utf8_lossy(text).into_owned())),
            Some((b'W', number)) => ended = <[u8; 4]>::try_from(number).ok().map(i32::from_le_bytes),
            _ => break,
        }
    }
    Ok(ended)
}

fn status_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType};
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// What ended a wait.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "any of them may be true at once")]
struct Woken {
    end: bool,
    question: bool,
    observer_gone: bool,
    connection: bool,
}

/// Waits until anything is to be done, or a time.
fn wait(
    link: &OwnedFd,
    patience: &Patience<'_>,
    observer: Option<&Observer>,
    loopback: Option<&Loopback<'_>>,
    until: Option<Instant>,
) -> io::Result<Woken> {
    let mut waiting = vec![PollFd::new(link, PollFlags::IN)];
    let questions = observer.and_then(Observer::listener).map(|listener| {
        waiting.push(PollFd::new(listener, PollFlags::IN));
        waiting.len() - 1
    });
    if let Some(cancellation) = patience.cancellation {
        waiting.push(PollFd::new(cancellation.event(), PollFlags::IN));
    }
    let first_connection = waiting.len();
    if let Some(loopback) = loopback {
        waiting.extend(loopback.descriptors().map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN)));
    }
    let left = until.map_or(NEXT_LOOK, |until| until.saturating_duration_since(Instant::now()));
    match poll(&mut waiting, Some(&timespec(left))) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let returned = |at: usize| waiting[at].revents();
    Ok(Woken {
        end: !returned(0).is_empty(),
        question: questions.is_some_and(|at| returned(at).contains(PollFlags::IN)),
        observer_gone: questions.is_some_and(|at| returned(at).contains(PollFlags::HUP)),
        connection: (first_connection..waiting.len()).any(|at| !returned(at).is_empty()),
    })
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) }
}

fn read_end(host: &Host) -> Result<Ended, Failure> {
    let (packet, _) = receive(&host.link)?;
    // The wait status, then user time, system time and largest resident set, as the kernel writes them.
    let numbers = packet.strip_prefix(b"D").and_then(|bytes| <[u8; 44]>::try_from(bytes).ok());
    let Some(numbers) = numbers else {
        return Err(Failure::HostLost("it ended while a program was running".to_owned()));
    };
    let number = |at: usize| {
        let bytes = numbers[at..at + 8].try_into().expect("eight bytes of a longer array");
        u64::from_ne_bytes(bytes)
    };
    let time = |at: usize| Duration::from_secs(number(at)) + Duration::from_micros(number(at + 8));
    let status = i32::from_ne_bytes(numbers[..4].try_into().expect("four bytes of a longer array"));
    Ok(Ended { status, cpu: time(4) + time(20), max_rss_kib: number(36) })
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
        // Nobody inside has a reason to, and process 1 of a pid namespace cannot: this was the kernel, out of memory.
        libc::SIGKILL => End::MemoryLimit,
        signal => End::Signalled { signal },
    }
}

/// Waits until there is something to read, or an end; false when the time is over.
fn readable_within(descriptor: &OwnedFd, time: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + time;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match poll(&mut [PollFd::new(descriptor, PollFlags::IN)], Some(&timespec(left))) {
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
