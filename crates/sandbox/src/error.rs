//! What can go wrong that is not the program's doing.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::container;
use crate::language::Language;
use crate::outcome::Isolation;

/// One protection, or one thing the protections need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Own user namespace: the program's user exists only inside.
    UserNamespace,
    /// Own unprivileged user, no capability, no new privileges.
    Privileges,
    /// Own process numbers: the program sees and can signal nobody else, and dies as a whole.
    PidNamespace,
    /// Own view of the file system: system folders read-only, a fresh scratch folder, nothing else.
    MountNamespace,
    /// Own network, which is empty.
    NetworkNamespace,
    /// Own message queues and shared memory.
    IpcNamespace,
    /// Own host name.
    HostName,
    /// File access by allow-list in the kernel, behind the mount namespace.
    Landlock,
    /// System calls by allow-list.
    SystemCalls,
    /// Memory, processor time, file size, descriptors and processes.
    Limits,
    /// Only descriptors 0 to 3 are open in the program.
    Descriptors,
    /// Somebody outside hears of what a program tries. Not needed to run one.
    Observer,
    /// A control group of its own for each worker: memory, processes and processor time of a whole tree. Not needed.
    ControlGroup,
    /// A Python interpreter that works inside all of the above.
    Interpreter,
}

impl Layer {
    /// Every layer, in the order in which they are set up.
    pub const ALL: [Layer; 14] = [
        Layer::UserNamespace,
        Layer::Privileges,
        Layer::PidNamespace,
        Layer::MountNamespace,
        Layer::NetworkNamespace,
        Layer::IpcNamespace,
        Layer::HostName,
        Layer::Landlock,
        Layer::SystemCalls,
        Layer::Limits,
        Layer::Descriptors,
        Layer::Observer,
        Layer::ControlGroup,
        Layer::Interpreter,
    ];

    /// Whether programs run without it, at the same level of isolation or a lower one.
    pub fn is_needed(self, isolation: Isolation) -> bool {
        match self {
            Self::Observer => false,
            Self::ControlGroup => isolation == Isolation::FullCgroup,
            Self::UserNamespace
            | Self::PidNamespace
            | Self::MountNamespace
            | Self::NetworkNamespace
            | Self::IpcNamespace
            | Self::HostName => isolation.has_namespaces(),
            Self::Privileges | Self::Landlock | Self::SystemCalls => isolation != Isolation::Unsafe,
            Self::Limits | Self::Descriptors | Self::Interpreter => true,
        }
    }

    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Layer::UserNamespace => "user_namespace",
            Layer::Privileges => "privileges",
            Layer::PidNamespace => "pid_namespace",
            Layer::MountNamespace => "mount_namespace",
            Layer::NetworkNamespace => "network_namespace",
            Layer::IpcNamespace => "ipc_namespace",
            Layer::HostName => "host_name",
            Layer::Landlock => "landlock",
            Layer::SystemCalls => "system_calls",
            Layer::Limits => "limits",
            Layer::Descriptors => "descriptors",
            Layer::Observer => "observer",
            Layer::ControlGroup => "control_group",
            Layer::Interpreter => "interpreter",
        }
    }

    /// What a person can do when this layer is missing on this host, or in this container.
    pub fn hint(self) -> String {
        container::flags(self)
            .map_or_else(|| self.remedy().to_owned(), |flags| format!("{flags}; else {}", self.remedy()))
    }

    fn remedy(self) -> &'static str {
        match self {
            Layer::UserNamespace
            | Layer::PidNamespace
            | Layer::NetworkNamespace
            | Layer::IpcNamespace
            | Layer::HostName => {
                "allow unprivileged user namespaces: set user.max_user_namespaces above 0 and, where they exist, \
                 kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0"
            }
            Layer::Privileges => {
                "run as an ordinary user, or as root with the right to map user 65534 (CAP_SETUID and CAP_SETGID)"
            }
            Layer::MountNamespace => "use Linux 5.12 or later and let user namespaces mount tmpfs",
            Layer::Observer => {
                "use Linux 5.5 or later; in a container, one whose runtime does not itself use seccomp notifications"
            }
            Layer::ControlGroup => {
                "start under a delegated cgroup v2 subtree with the memory and pids controllers, for example with \
                 `systemd-run --user --scope -p Delegate=yes`, or name one in CODEWARD_CGROUP"
            }
            Layer::Landlock => "use Linux 5.13 or later with landlock in the kernel's lsm= list",
            Layer::SystemCalls => "use a kernel with CONFIG_SECCOMP_FILTER, on x86-64 or 64-bit ARM",
            Layer::Limits | Layer::Descriptors => "use Linux 5.9 or later",
            Layer::Interpreter => {
                "install Python 3.9 or later under /usr, or set CODEWARD_PYTHON to one whose folder every user may read"
            }
        }
    }
}

impl std::fmt::Display for Layer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Why there is no outcome. None of these says anything about the program, except `BadProgram`.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// This host cannot enforce a protection, so nothing is run.
    #[error("isolation is not available: {layer}: {reason}")]
    Unavailable {
        /// The missing protection.
        layer: Layer,
        /// What was seen.
        reason: String,
        /// What a person can do about it.
        hint: String,
    },
    /// The program's surroundings could not be set up; it was not started.
    #[error("program could not be started: {reason}")]
    CouldNotStart {
        /// The step that failed and the system's answer.
        reason: String,
    },
    /// The program asks for something that cannot be: the caller's mistake.
    #[error("program is not acceptable: {reason}")]
    BadProgram {
        /// What is wrong with it.
        reason: String,
    },
    /// The compiler or interpreter for the program's language is not there.
    #[error("no toolchain for {language} on this host: {reason}")]
    NoToolchain {
        /// The language.
        language: Language,
        /// What was looked for.
        reason: String,
    },
    /// The program asks for what this level of isolation cannot confine.
    #[error("isolation level {} cannot confine {what}", isolation.name())]
    Unconfinable {
        /// What it asks for.
        what: &'static str,
        /// The level in force.
        isolation: Isolation,
    },
    /// A path of the host is not one to show to what runs inside: the caller's mistake.
    #[error("{path:?} cannot be shown inside: {reason}")]
    NotShowable {
        /// The path.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// The caller gave up before the program had ended.
    #[error("cancelled before the program had ended")]
    Cancelled,
    /// The caller's deadline passed before the program had ended; the program's own limits had not.
    #[error("the deadline passed before the program had ended")]
    DeadlinePassed,
    /// Our own machinery broke during the run; what the program would have done is unknown.
    #[error("sandbox engine failed: {reason}")]
    Engine {
        /// What was being done and the system's answer.
        reason: String,
    },
}

impl SandboxError {
    pub(crate) fn unavailable(layer: Layer, reason: impl Into<String>) -> Self {
        Self::Unavailable { layer, reason: reason.into(), hint: layer.hint() }
    }

    pub(crate) fn engine(doing: &str, error: impl std::fmt::Display) -> Self {
        Self::Engine { reason: format!("{doing}: {error}") }
    }

    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Unavailable { hint, .. } => Some(hint),
            Self::NoToolchain { language, .. } => Some(language.hint()),
            Self::Unconfinable { .. } => Some("run it on a host where user namespaces are allowed (codeward doctor)"),
            _ => None,
        }
    }

    /// A word for it, for records and scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::CouldNotStart { .. } => "could_not_start",
            Self::BadProgram { .. } => "bad_program",
            Self::NoToolchain { .. } => "no_toolchain",
            Self::Unconfinable { .. } => "unconfinable",
            Self::NotShowable { .. } => "not_showable",
            Self::Cancelled => "cancelled",
            Self::DeadlinePassed => "deadline_passed",
            Self::Engine { .. } => "engine_error",
        }
    }

    /// Whether the same call may succeed later without anyone changing anything.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::CouldNotStart { .. } | Self::Engine { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_names_are_their_json() {
        for layer in Layer::ALL {
            assert_eq!(serde_json::to_value(layer).unwrap(), layer.name());
        }
    }
}
