//! The descriptors one program is given, all of them files in memory, and the packets that carry them to the fork server.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, SeekFrom};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};

/// The most descriptors one packet carries.
const MAX_DESCRIPTORS: usize = 7;

/// The files behind descriptors 0 to 3 of one program.
pub(crate) struct Streams {
    pub(crate) stdin: OwnedFd,
    pub(crate) outputs: [OwnedFd; 3],
}

/// What one output held at the end.
pub(crate) struct Written {
    pub(crate) kept: Vec<u8>,
    pub(crate) is_longer: bool,
    pub(crate) was_rewound: bool,
}

impl Streams {
    pub(crate) fn create(stdin: &[u8]) -> io::Result<Self> {
        let output = || rustix::fs::memfd_create("output", MemfdFlags::CLOEXEC);
        Ok(Self { stdin: sealed(stdin)?, outputs: [output()?, output()?, output()?] })
    }

    /// Whether any output is already longer than what is kept.
    pub(crate) fn overflows(&self, output_bytes: u64) -> io::Result<bool> {
        for output in &self.outputs {
            if rustix::fs::fstat(output)?.st_size as u64 > output_bytes {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Reads what was written, whatever position the program left the descriptor at.
pub(crate) fn read_output(output: &OwnedFd, output_bytes: u64) -> io::Result<Written> {
    let size = rustix::fs::fstat(output)?.st_size as u64;
    // The position is shared with the program's descriptor: plain writing leaves it at the end.
    let position = rustix::fs::seek(output, SeekFrom::Current(0))?;
    Ok(Written {
        kept: read_start(output, size.min(output_bytes))?,
        is_longer: size > output_bytes,
        was_rewound: position != size,
    })
}

/// The first `length` bytes of a file, or fewer when it ends before.
pub(crate) fn read_start(file: impl AsFd, length: u64) -> io::Result<Vec<u8>> {
    let mut kept = vec![0; length as usize];
    let mut filled = 0;
    while filled < kept.len() {
        match rustix::io::retry_on_intr(|| rustix::io::pread(&file, &mut kept[filled..], filled as u64))? {
            0 => break,
            count => filled += count,
        }
    }
    kept.truncate(filled);
    Ok(kept)
}

/// A file in memory that nobody can change any more, read from its start.
pub(crate) fn sealed(content: &[u8]) -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create("input", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut written = 0;
    while written < content.len() {
        written += rustix::io::retry_on_intr(|| rustix::io::pwrite(&file, &content[written..], written as u64))?;
    }
    rustix::fs::fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok(file)
}

/// A program in memory that nobody can change any more.
pub(crate) fn sealed_executable(content: &[u8]) -> io::Result<OwnedFd> {
    // A file in memory may be executed unless it was made otherwise.
    sealed(content)
}

/// Sends one packet.
pub(crate) fn send(link: &OwnedFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors for one packet"));
    }
    let mut patience = MAX_SEND_TRIES;
    loop {
        match rustix::net::sendmsg(link, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            // Programs of ours, which are the same user, have sent each other more than this process may have on their way.
            Err(rustix::io::Errno::TOOMANYREFS) if patience > 0 => {
                patience -= 1;
                std::thread::sleep(SEND_AGAIN);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

const MAX_SEND_TRIES: u32 = 500;
const SEND_AGAIN: std::time::Duration = std::time::Duration::from_millis(2);

/// Tells what this process lacks from what the answer is about: with no descriptor left nothing can be seen of a program, and
/// that must not pass for there being nothing.
pub(crate) fn unless_short<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => Err(error),
        result => Ok(result.ok()),
    }
}

/// Receives one packet. An empty one means that the other side is gone.
pub(crate) fn receive(link: &OwnedFd) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; 16 << 10];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(link, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)
    });
    let length = match received {
        Ok(message) if message.flags.contains(ReturnFlags::CTRUNC) => {
            return Err(io::Error::other("a packet's descriptors did not fit into this process"));
        }
        Ok(message) => message.bytes,
        Err(rustix::io::Errno::CONNRESET) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    bytes.truncate(length);
    Ok((bytes, descriptors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_input_cannot_be_changed() {
        let file = sealed(b"input").unwrap();
        assert_eq!(rustix::io::pwrite(&file, b"x", 0), Err(rustix::io::Errno::PERM));
        assert_eq!(read_start(&file, 3).unwrap(), b"inp");
    }

    #[test]
    fn output_is_cut_at_the_limit_and_rewinding_is_seen() {
        let file = rustix::fs::memfd_create("test", MemfdFlags::CLOEXEC).unwrap();
        rustix::io::write(&file, b"abcdef").unwrap();
        let written = read_output(&file, 4).unwrap();
        assert_eq!((written.kept.as_slice(), written.is_longer, written.was_rewound), (&b"abcd"[..], true, false));
        rustix::fs::seek(&file, SeekFrom::Start(0)).unwrap();
        assert!(read_output(&file, 6).unwrap().was_rewound);
    }
}
