//! Proves that each layer is in force: a program inside tries what it must not be able to do, and the kernel is asked outside.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Layer, SandboxError};
use crate::host::{Host, INNER_ID};
use crate::job;
use crate::outcome::{End, Isolation, Outcome};
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
        Self { layer, in_force, probed: probed.into(), hint: (!in_force).then(|| layer.hint()) }
    }
}

/// What the canary says. It runs before any program that could tamper with it, in a process of its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "one answer for each thing tried")]
struct Report {
    user: [u32; 4],
    no_capabilities: bool,
    no_new_privileges: bool,
    pid: u32,
    kill_all: i32,
    kill_parent: i32,
    sees_marker: bool,
    sees_marker_content: bool,
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
pub(crate) fn canary(marker: &Path, isolation: Isolation) -> Program {
    // Where nothing is refused, trying could do harm.
    let calls: &[libc::c_long] = if isolation == Isolation::Unsafe { &[] } else { &REFUSED_CALLS };
    let question = Question { marker, calls, modules: &REQUIRED_MODULES };
    Program {
        source: include_bytes!("canary.py").to_vec(),
        stdin: serde_json::to_vec(&question).expect("strings and numbers always serialise"),
        files: BTreeMap::new(),
        ..Program::default()
    }
}

/// Every layer, judged by the canary's report and by what the kernel says about the host's process.
pub(crate) fn judge(
    host: &Host,
    outcome: &Outcome,
    isolation: Isolation,
    can_ask: bool,
    group: Result<(), &str>,
) -> Result<Vec<LayerSeen>, SandboxError> {
    let report: Report = match &outcome.end {
        End::Exited { code: 0 } => serde_json::from_slice(&outcome.channel)
            .map_err(|error| SandboxError::engine("reading the canary's report", error))?,
        end => {
            let text = String::from_utf8_lossy(&outcome.stderr);
            return Err(SandboxError::engine("running the canary", format!("{end}: {}", text.trim())));
        }
    };
    let mut layers = judge_report(&report, isolation, |layer, name| namespace(host, layer, name));
    let (in_force, probed) = judge_observer(outcome, can_ask);
    let observer = LayerSeen::new(Layer::Observer, in_force, probed);
    let probed = group.err().unwrap_or("memory, processes and processor time of each program's whole tree");
    let control_group = LayerSeen::new(Layer::ControlGroup, group.is_ok(), probed);
    // In the order of set-up, the interpreter last.
    let interpreter = layers.len() - 1;
    layers.splice(interpreter..interpreter, [observer, control_group]);
    Ok(layers)
}

/// The canary's own attempts must have been heard of.
fn judge_observer(outcome: &Outcome, can_ask: bool) -> (bool, String) {
    if !can_ask {
        return (false, "the kernel asks nobody".to_owned());
    }
    let named = |name: &str| outcome.tamper.iter().any(|tamper| tamper.detail.contains(name));
    let missed: Vec<&str> = ["ptrace", "unshare", "bpf", "socket"].into_iter().filter(|name| !named(name)).collect();
    match missed[..] {
        [] => (true, "heard of every attempt of the canary".to_owned()),
        _ => (false, format!("did not hear of {}", missed.join(", "))),
    }
}

fn judge_report(report: &Report, isolation: Isolation, namespace: impl Fn(Layer, &str) -> LayerSeen) -> Vec<LayerSeen> {
    let refused = report.refused;
    let has_namespaces = isolation.has_namespaces();
    let expected_user = if has_namespaces { INNER_ID } else { report.user[0] };
    let is_somebody = report.user == [expected_user; 4] && report.user[0] != 0;
    let limits = &canary(Path::new(""), isolation).limits;
    let expected_limits =
        [limits.memory_bytes as i64, limits.file_bytes as i64, job::NO_CORE as i64, job::DESCRIPTORS as i64];
    vec![
        namespace(Layer::UserNamespace, "user"),
        LayerSeen::new(
            Layer::Privileges,
            is_somebody && report.no_capabilities && report.no_new_privileges,
            format!(
                "user and group {:?}, capabilities none: {}, no new privileges: {}",
                report.user, report.no_capabilities, report.no_new_privileges
            ),
        ),
        both(
            namespace(Layer::PidNamespace, "pid"),
            report.pid == 1 && report.kill_all == libc::ESRCH,
            &format!("own number {}, signal to everyone: error {}", report.pid, report.kill_all),
        ),
        both(
            namespace(Layer::MountNamespace, "mnt"),
            !report.sees_marker && report.write_root != 0 && report.write_scratch == 0,
            &format!(
                "a file of the host seen: {}, writing outside the scratch folder: error {}, inside: error {}",
                report.sees_marker, report.write_root, report.write_scratch
            ),
        ),
        namespace(Layer::NetworkNamespace, "net"),
        namespace(Layer::IpcNamespace, "ipc"),
        both(
            namespace(Layer::HostName, "uts"),
            report.host_name == "sandbox",
            &format!("host name {:?}", report.host_name),
        ),
        LayerSeen::new(
            Layer::Landlock,
            report.write_device == libc::EACCES
                && !report.sees_marker_content
                && (has_namespaces || report.kill_parent == libc::EPERM),
            format!(
                "writing a device that the mounts would let it write: error {}, reading a file of the host: {}, \
                 signal to its parent: error {}",
                report.write_device, report.sees_marker_content, report.kill_parent
            ),
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
            report.limits.iter().zip(expected_limits).all(|(seen, asked)| *seen >= 0 && *seen <= asked),
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
    ]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> serde_json::Value {
        serde_json::json!({
            "user": [1000, 1000, 1000, 1000], "no_capabilities": true, "no_new_privileges": true, "pid": 1,
            "kill_all": libc::ESRCH, "kill_parent": 0, "sees_marker": false, "sees_marker_content": false, "write_root": libc::EROFS, "write_scratch": 0,
            "write_device": libc::EACCES, "host_name": "sandbox", "socket": 1, "fork": 1, "refused_calls": [1, 1, 1, 1, 1, 1],
            "limits": [512 << 20, 8 << 20, 0, 128], "descriptors": [0, 1, 2, 3], "missing_modules": [], "refused": 1,
        })
    }

    fn missing(report: &serde_json::Value, shared: Option<&str>) -> Vec<Layer> {
        let report: Report = serde_json::from_value(report.clone()).unwrap();
        let layers =
            judge_report(&report, Isolation::Full, |layer, name| LayerSeen::new(layer, Some(name) != shared, "asked"));
        assert_eq!(layers.len() + 2, Layer::ALL.len());
        layers.into_iter().filter(|seen| !seen.in_force).map(|seen| seen.layer).collect()
    }

    #[test]
    fn a_canary_that_could_do_nothing_proves_every_layer() {
        assert_eq!(missing(&good(), None), []);
    }

    #[test]
    fn whatever_the_canary_could_do_names_the_layer_that_let_it() {
        let escapes = [
            ("user", serde_json::json!([0, 1000, 1000, 1000]), Layer::Privileges),
            ("no_capabilities", false.into(), Layer::Privileges),
            ("no_new_privileges", false.into(), Layer::Privileges),
            ("pid", 77.into(), Layer::PidNamespace),
            ("kill_all", 0.into(), Layer::PidNamespace),
            ("sees_marker", true.into(), Layer::MountNamespace),
            ("write_root", 0.into(), Layer::MountNamespace),
            ("write_scratch", libc::EROFS.into(), Layer::MountNamespace),
            ("write_device", 0.into(), Layer::Landlock),
            ("host_name", "host".into(), Layer::HostName),
            ("socket", 0.into(), Layer::SystemCalls),
            ("fork", 0.into(), Layer::SystemCalls),
            ("refused_calls", serde_json::json!([1, 1, 0, 1, 1, 1]), Layer::SystemCalls),
            ("refused_calls", serde_json::json!([]), Layer::SystemCalls),
            ("limits", serde_json::json!([-1, 8 << 20, 0, 128]), Layer::Limits),
            ("descriptors", serde_json::json!([0, 1, 2, 3, 7]), Layer::Descriptors),
            ("missing_modules", serde_json::json!(["ssl"]), Layer::Interpreter),
        ];
        for (field, value, layer) in escapes {
            let mut report = good();
            report[field] = value;
            assert_eq!(missing(&report, None), [layer], "{field}");
        }
    }

    #[test]
    fn a_namespace_shared_with_the_host_is_a_missing_layer() {
        let names = [
            ("user", Layer::UserNamespace),
            ("pid", Layer::PidNamespace),
            ("mnt", Layer::MountNamespace),
            ("net", Layer::NetworkNamespace),
            ("ipc", Layer::IpcNamespace),
            ("uts", Layer::HostName),
        ];
        for (name, layer) in names {
            assert_eq!(missing(&good(), Some(name)), [layer]);
        }
    }
}
