//! Proves that each layer is in force: a program inside tries what it must not be able to do, and the kernel is asked outside.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Layer, SandboxError};
use crate::host::{Host, INNER_ID};
use crate::outcome::{End, Outcome};
use crate::program::Program;

/// One layer, what was tried, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSeen {
    /// Which.
    pub layer: Layer,
    /// Whether it is in force.
    pub in_force: bool,
    /// What was tried and what came of it.
    pub probed: String,
    /// What to do about it, when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl LayerSeen {
    pub(crate) fn new(layer: Layer, in_force: bool, probed: impl Into<String>) -> Self {
        Self { layer, in_force, probed: probed.into(), hint: (!in_force).then(|| layer.hint().to_owned()) }
    }
}

/// What the canary says. It runs before any program that could tamper with it, in a process of its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    user: [u32; 4],
    no_capabilities: bool,
    no_new_privileges: bool,
    pid: u32,
    kill_all: i32,
    sees_marker: bool,
    write_root: i32,
    write_scratch: i32,
    write_device: i32,
    host_name: String,
    socket: i32,
    fork: i32,
    refused_calls: Vec<i32>,
    limits: [i64; 4],
    descriptors: Vec<u32>,
    missing_modules: Vec<String>,
    refused: i32,
}

#[derive(Serialize)]
struct Question<'a> {
    marker: &'a Path,
    calls: &'a [libc::c_long],
    modules: &'a [&'a str],
}

/// What every interpreter must have.
const REQUIRED_MODULES: [&str; 17] = [
    "sqlite3",
    "hashlib",
    "ssl",
    "xml.etree.ElementTree",
    "zipfile",
    "tarfile",
    "html",
    "logging",
    "tempfile",
    "urllib.parse",
    "ipaddress",
    "hmac",
    "secrets",
    "csv",
    "json",
    "pickle",
    "subprocess",
];

/// A sample of what the filter must refuse, with arguments of zero that could do no harm.
const REFUSED_CALLS: [libc::c_long; 6] = [
    libc::SYS_ptrace,
    libc::SYS_unshare,
    libc::SYS_bpf,
    libc::SYS_io_uring_setup,
    libc::SYS_process_vm_readv,
    libc::SYS_keyctl,
];

/// The program that tries the layers, with a file of ours that it must not see.
pub(crate) fn canary(marker: &Path) -> Program {
    let question = Question { marker, calls: &REFUSED_CALLS, modules: &REQUIRED_MODULES };
    Program {
        source: include_bytes!("canary.py").to_vec(),
        stdin: serde_json::to_vec(&question).expect("strings and numbers always serialise"),
        files: BTreeMap::new(),
        ..Program::default()
    }
}

/// Every layer, judged by the canary's report and by what the kernel says about the host's process.
pub(crate) fn judge(host: &Host, outcome: &Outcome) -> Result<Vec<LayerSeen>, SandboxError> {
    let report: Report = match outcome.end {
        End::Exited { code: 0 } => serde_json::from_slice(&outcome.channel)
            .map_err(|error| SandboxError::engine("reading the canary's report", error))?,
        end => {
            let text = String::from_utf8_lossy(&outcome.stderr);
            return Err(SandboxError::engine("running the canary", format!("{end:?}: {}", text.trim())));
        }
    };
    let refused = report.refused;
    let limits = &canary(Path::new("")).limits;
    let expected_limits = [limits.memory_bytes as i64, limits.file_bytes as i64, 0];
    Ok(vec![
        namespace(host, Layer::UserNamespace, "user"),
        LayerSeen::new(
            Layer::Privileges,
            report.user == [INNER_ID; 4] && report.no_capabilities && report.no_new_privileges,
            format!(
                "user and group {:?}, capabilities none: {}, no new privileges: {}",
                report.user, report.no_capabilities, report.no_new_privileges
            ),
        ),
        both(
            namespace(host, Layer::PidNamespace, "pid"),
            report.pid == 1 && report.kill_all == libc::ESRCH,
            &format!("own number {}, signal to everyone: error {}", report.pid, report.kill_all),
        ),
        both(
            namespace(host, Layer::MountNamespace, "mnt"),
            !report.sees_marker && report.write_root != 0 && report.write_scratch == 0,
            &format!(
                "a file of the host seen: {}, writing outside the scratch folder: error {}, inside: error {}",
                report.sees_marker, report.write_root, report.write_scratch
            ),
        ),
        namespace(host, Layer::NetworkNamespace, "net"),
        namespace(host, Layer::IpcNamespace, "ipc"),
        both(
            namespace(host, Layer::HostName, "uts"),
            report.host_name == "sandbox",
            &format!("host name {:?}", report.host_name),
        ),
        LayerSeen::new(
            Layer::Landlock,
            report.write_device == libc::EACCES,
            format!("writing a device that the mounts would let it write: error {}", report.write_device),
        ),
        LayerSeen::new(
            Layer::SystemCalls,
            report.socket == refused
                && report.fork == refused
                && report.refused_calls.iter().all(|answer| *answer == refused)
                && report.refused_calls.len() == REFUSED_CALLS.len(),
            format!("socket: error {}, fork: error {}, others: {:?}", report.socket, report.fork, report.refused_calls),
        ),
        LayerSeen::new(
            Layer::Limits,
            report.limits[..3].iter().zip(expected_limits).all(|(seen, asked)| *seen >= 0 && *seen <= asked)
                && report.limits[3] > 0,
            format!("memory, file size, core, descriptors: {:?}", report.limits),
        ),
        LayerSeen::new(
            Layer::Descriptors,
            report.descriptors == [0, 1, 2, 3],
            format!("open: {:?}", report.descriptors),
        ),
        LayerSeen::new(
            Layer::Interpreter,
            report.missing_modules.is_empty(),
            format!("modules missing: {:?}", report.missing_modules),
        ),
    ])
}

/// Asks the kernel whether the host's process is in a namespace of its own.
fn namespace(host: &Host, layer: Layer, name: &str) -> LayerSeen {
    let read = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/{name}"));
    match (read("self"), read(&host.pid.to_string())) {
        (Ok(ours), Ok(theirs)) => {
            LayerSeen::new(layer, ours != theirs, format!("{} outside, {} inside", ours.display(), theirs.display()))
        }
        (Err(error), _) | (_, Err(error)) => {
            LayerSeen::new(layer, false, format!("reading the {name} namespace: {error}"))
        }
    }
}

fn both(seen: LayerSeen, holds: bool, probed: &str) -> LayerSeen {
    LayerSeen::new(seen.layer, seen.in_force && holds, seen.probed + "; " + probed)
}
