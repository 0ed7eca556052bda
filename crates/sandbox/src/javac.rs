//! A warm Java compiler: one machine behind the sandbox that compiles source after source, because starting one costs as much as
//! twenty compilations.
//!
//! It runs like any program, on a host of its own, and can start nothing. What it is asked to compile can at worst spoil
//! it: then it is thrown away, and the source is compiled by itself.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::compile::Build;
use crate::error::SandboxError;
use crate::job::{Job, MemoryRule};
use crate::program::{Limits, Network};
use crate::seccomp::Profile;
use crate::toolchain::{self, Toolchain};
use crate::worker::{Resident, Worker};

/// The compiler's source, compiled by the toolchain it is for.
pub(crate) const SERVER: &[u8] = include_bytes!("CompileServer.java");

/// After how many sources a machine is replaced: what it keeps of each is little, but not nothing.
const SOURCES_PER_SERVER: u32 = 500;
/// How long one source may take; one that takes longer is compiled by itself, under limits of its own.
const PATIENCE: Duration = Duration::from_secs(10);

/// Machines that wait for something to compile.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    idle: Mutex<Vec<Server>>,
}

#[derive(Debug)]
struct Server {
    resident: Resident,
    num_compiled: u32,
}

impl Servers {
    /// Compiles one source. `None` when the machine did not get to the end of it.
    pub(crate) fn compile(
        &self,
        name: &str,
        source: &[u8],
        start: &mut dyn FnMut() -> Result<Resident, SandboxError>,
    ) -> Result<Option<Build>, SandboxError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut server = match idle {
            Some(server) => server,
            None => Server { resident: start()?, num_compiled: 0 },
        };
        let mut request = Vec::new();
        for block in [name.as_bytes(), source] {
            request.extend((block.len() as u32).to_be_bytes());
            request.extend(block);
        }
        let Ok(answer) = server.resident.exchange(&request, Instant::now() + PATIENCE) else { return Ok(None) };
        let Some(build) = read_answer(&answer, source) else { return Ok(None) };
        server.num_compiled += 1;
        if server.num_compiled < SOURCES_PER_SERVER {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(server);
        }
        Ok(Some(build))
    }
}

fn read_answer(answer: &[u8], source: &[u8]) -> Option<Build> {
    let (kind, mut rest) = answer.split_first()?;
    if *kind == 0 {
        let message = take_block(&mut rest)?;
        return Some(Build::Rejected(String::from_utf8_lossy(message).trim().to_owned()));
    }
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let mut files = BTreeMap::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let path = String::from_utf8_lossy(take_block(&mut rest)?).into_owned();
        files.insert(path, take_block(&mut rest)?.to_vec());
    }
    Some(Build::Files { files, entry: toolchain::main_class(source) })
}

fn take_block<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (block, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = after;
    Some(block)
}

/// Starts a machine on a host of its own from the compiled server.
pub(crate) fn start(worker: Worker, toolchain: &Toolchain, server: &Build) -> Result<Resident, SandboxError> {
    let Build::Files { files, entry } = server else {
        let message = if let Build::Rejected(message) = server { message } else { "no classes" };
        return Err(SandboxError::engine("compiling the Java compile server", message));
    };
    let runtime = toolchain.runtime.as_deref().unwrap_or(std::path::Path::new("/nonexistent"));
    let limits = Limits {
        // It lives until it is replaced; each source has a time of its own.
        wall: Duration::from_hours(24),
        cpu: Duration::from_hours(24),
        memory_bytes: 1 << 30,
        ..Limits::default()
    };
    let job = Job {
        source: b"",
        stdin: b"",
        files: files.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect(),
        env: toolchain.env().collect(),
        arguments: toolchain::runtime_call(crate::Language::Java, runtime, entry, &limits),
        executable: None,
        profile: Profile::Single,
        network: Network::None,
        queries: false,
        prelude: None,
        makes_sockets: true,
        limits,
        memory: MemoryRule::Data,
        content_bytes: 0,
    };
    Resident::start(worker, &job).map_err(|failure| SandboxError::engine("starting the Java compiler", failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_break_off_are_no_answers() {
        let whole =
            [&[1_u8][..], &1_u32.to_be_bytes(), &1_u32.to_be_bytes(), b"A", &2_u32.to_be_bytes(), b"xy"].concat();
        let Some(Build::Files { files, .. }) = read_answer(&whole, b"class A {}") else { panic!("it is whole") };
        assert_eq!(files, BTreeMap::from([("A".to_owned(), b"xy".to_vec())]));
        for length in 0..whole.len() {
            assert!(read_answer(&whole[..length], b"").is_none(), "{length} bytes");
        }
    }
}
