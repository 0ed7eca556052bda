//! Whoever listens on a host's private loopback device: out here, so that what was sent is known whatever the program says.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SocketFlags, accept_with};

use crate::streams::unless_short;

const MAX_CONNECTIONS: usize = 64;
const MAX_BYTES: usize = 64 << 10;
/// Enough of an answer for a client that speaks HTTP to go on.
const ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// The connections of one program.
pub(crate) struct Loopback<'a> {
    listener: &'a OwnedFd,
    connections: Vec<Connection>,
}

struct Connection {
    socket: Option<OwnedFd>,
    received: Vec<u8>,
}

impl<'a> Loopback<'a> {
    /// Starts with nobody: whatever the program before left waiting is turned away.
    pub(crate) fn open(listener: &'a OwnedFd) -> io::Result<Self> {
        let loopback = Self { listener, connections: Vec::new() };
        while loopback.accept()?.is_some() {}
        Ok(loopback)
    }

    /// What to wait for.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let is_full = self.connections.len() >= MAX_CONNECTIONS;
        let listener = (!is_full).then(|| self.listener.as_fd());
        listener.into_iter().chain(self.connections.iter().filter_map(|one| one.socket.as_ref().map(AsFd::as_fd)))
    }

    /// Accepts and reads what there is, and waits for nothing. A connection that breaks is one that has said all it will.
    pub(crate) fn serve(&mut self) -> io::Result<()> {
        while self.connections.len() < MAX_CONNECTIONS
            && let Some(socket) = unless_short(self.accept())?.flatten()
        {
            self.connections.push(Connection { socket: Some(socket), received: Vec::new() });
        }
        for connection in &mut self.connections {
            connection.read();
        }
        Ok(())
    }

    /// What each connection sent, to the last byte that had arrived.
    pub(crate) fn finish(mut self) -> io::Result<Vec<Vec<u8>>> {
        self.serve()?;
        Ok(self.connections.into_iter().map(|connection| connection.received).collect())
    }

    fn accept(&self) -> io::Result<Option<OwnedFd>> {
        if !is_readable(self.listener.as_fd())? {
            return Ok(None);
        }
        match accept_with(self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(socket) => Ok(Some(socket)),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Connection {
    fn read(&mut self) {
        let Some(socket) = &self.socket else { return };
        let was_silent = self.received.is_empty();
        let mut buffer = [0; 4096];
        loop {
            match rustix::io::read(socket, &mut buffer) {
                Ok(0) => break self.socket = None,
                Ok(count) => {
                    let room = MAX_BYTES.saturating_sub(self.received.len());
                    self.received.extend(&buffer[..count.min(room)]);
                    if room == 0 {
                        break self.socket = None;
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(_) => break self.socket = None,
            }
        }
        if was_silent
            && !self.received.is_empty()
            && let Some(socket) = &self.socket
        {
            // A client that is gone needs no answer.
            let _ = rustix::net::send(socket, ANSWER, rustix::net::SendFlags::NOSIGNAL);
        }
    }
}

fn is_readable(descriptor: BorrowedFd<'_>) -> io::Result<bool> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    Ok(poll(&mut [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)], Some(&now))? > 0)
}
