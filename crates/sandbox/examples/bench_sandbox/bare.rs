//! A fork server without isolation: what the sandbox would cost if it protected nothing.
//!
//! The server (`bare.py`) is the same interpreter with the same modules loaded and the same flags. It is handed the program
//! and its three streams as files in memory, as the sandbox does it; it forks, runs, waits and reports.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::MemfdFlags;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use crate::measure::{Batch, Failure, Side, closed_loop};
use crate::workload::{TASKS, Task};

const SERVER: &str = include_str!("bare.py");
const DEADLINE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

pub(crate) struct BareServers {
    servers: Vec<Mutex<Server>>,
    scripts: Vec<String>,
    num_modules: usize,
}

struct Server {
    process: Child,
    link: OwnedFd,
}

impl BareServers {
    pub(crate) fn start(python: &Path, modules: &[String], clients: usize) -> Result<Self, Failure> {
        let start = |_| Ok(Mutex::new(Server::start(python, modules)?));
        let servers = (0..clients).map(start).collect::<Result<_, Failure>>()?;
        let scripts = TASKS.iter().map(Task::script).collect();
        Ok(Self { servers, scripts, num_modules: modules.len() })
    }
}

impl Server {
    fn start(python: &Path, modules: &[String]) -> Result<Self, Failure> {
        let (link, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let process = Command::new(python)
            .args(["-s", "-S", "-B", "-c", SERVER])
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("LC_ALL", "C.UTF-8"), ("PYTHONHASHSEED", "0")])
            .envs([("PYTHONSAFEPATH", "1"), ("MALLOC_ARENA_MAX", "2")])
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        let server = Self { process, link };
        server.send(&serde_json::to_vec(modules)?, &[])?;
        match server.receive()?.as_slice() {
            b"ready" => Ok(server),
            other => Err(format!("the bare server answers {:?}", String::from_utf8_lossy(other)).into()),
        }
    }

    fn send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::Error::other("too many descriptors for one packet"));
        }
        rustix::net::sendmsg(&self.link, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    fn receive(&self) -> io::Result<Vec<u8>> {
        if poll(&mut [PollFd::new(&self.link, PollFlags::IN)], Some(&DEADLINE))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut bytes = vec![0; 64];
        let received = rustix::net::recvmsg(
            &self.link,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut rustix::net::RecvAncillaryBuffer::default(),
            RecvFlags::empty(),
        )?;
        bytes.truncate(received.bytes);
        Ok(bytes)
    }

    fn run(&self, script: &str, task: &Task) -> Result<Vec<u8>, Failure> {
        let [source, stdin, stdout, stderr] =
            [script, task.input, "", ""].map(|content| memory_file(content.as_bytes()));
        let (source, stdin, stdout, stderr) = (source?, stdin?, stdout?, stderr?);
        self.send(b"run", &[source.as_fd(), stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])?;
        let report = self.receive()?;
        match report.get(..4) {
            Some([0, 0, 0, 0]) => Ok(read(&stdout)?),
            _ => Err(format!("{}: {report:?}: {}", task.name, String::from_utf8_lossy(&read(&stderr)?)).into()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the server is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn memory_file(content: &[u8]) -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create("stream", MemfdFlags::CLOEXEC)?;
    let mut written = 0;
    while written < content.len() {
        written += rustix::io::pwrite(&file, &content[written..], written as u64)?;
    }
    Ok(file)
}

fn read(file: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut content = vec![0; rustix::fs::fstat(file)?.st_size as usize];
    let length = rustix::io::pread(file, &mut content, 0)?;
    content.truncate(length);
    Ok(content)
}

impl Side for BareServers {
    fn name(&self) -> &'static str {
        "bare"
    }

    fn describe(&self) -> String {
        format!("fork server without isolation, the sandbox's interpreter and its {} loaded modules", self.num_modules)
    }

    fn workers(&self) -> usize {
        self.servers.len()
    }

    fn run(&mut self, num_programs: usize) -> Result<Batch, Failure> {
        closed_loop(num_programs, self.servers.len(), |client, task, index| {
            // Each client has a server of its own, so this never waits.
            self.servers[client].lock().expect("no client panics with the lock").run(&self.scripts[index], task)
        })
    }
}
