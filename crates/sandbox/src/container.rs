//! In which kind of container we run, and what its owner must give it for a layer that is missing.
//!
//! What runtimes refuse by default: their seccomp profile refuses `clone` with namespaces to whoever lacks `CAP_SYS_ADMIN`, and
//! Docker's AppArmor profile refuses `mount` in any namespace.

use std::path::Path;

use crate::error::Layer;

/// Who started the container that we run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Docker,
    Podman,
    Kubernetes,
}

impl Container {
    fn find() -> Option<Self> {
        Self::from_signs(
            std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
                || Path::new("/var/run/secrets/kubernetes.io").exists(),
            Path::new("/run/.containerenv").exists(),
            Path::new("/.dockerenv").exists(),
        )
    }

    fn from_signs(is_kubernetes: bool, is_podman: bool, is_docker: bool) -> Option<Self> {
        // Kubernetes uses the others' runtimes, and their files may be there too.
        [(is_kubernetes, Self::Kubernetes), (is_podman, Self::Podman), (is_docker, Self::Docker)]
            .into_iter()
            .find_map(|(is_it, container)| is_it.then_some(container))
    }

    fn flags(self, layer: Layer) -> Option<&'static str> {
        let confinement = match self {
            Self::Docker => {
                "this is a Docker container: start it with `--security-opt seccomp=unconfined --security-opt \
                 apparmor=unconfined`"
            }
            Self::Podman => "this is a Podman container: start it with `--security-opt seccomp=unconfined`",
            Self::Kubernetes => {
                "this is a Kubernetes pod: set securityContext.seccompProfile.type and appArmorProfile.type to Unconfined"
            }
        };
        let group = match self {
            Self::Docker | Self::Podman => "in this container: add `--cgroupns=private` and a writable /sys/fs/cgroup",
            Self::Kubernetes => "in this pod: mount a writable /sys/fs/cgroup",
        };
        match layer {
            Layer::UserNamespace
            | Layer::PidNamespace
            | Layer::MountNamespace
            | Layer::NetworkNamespace
            | Layer::IpcNamespace
            | Layer::HostName
            | Layer::SystemCalls
            | Layer::Landlock
            | Layer::Observer => Some(confinement),
            Layer::ControlGroup => Some(group),
            Layer::Privileges | Layer::Limits | Layer::Descriptors | Layer::Interpreter => None,
        }
    }
}

/// What to add to the hint for a layer, where we run in a container.
pub(crate) fn flags(layer: Layer) -> Option<&'static str> {
    Container::find()?.flags(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_a_pod_whatever_runs_it() {
        assert_eq!(Container::from_signs(true, false, true), Some(Container::Kubernetes));
        assert_eq!(Container::from_signs(false, true, true), Some(Container::Podman));
        assert_eq!(Container::from_signs(false, false, true), Some(Container::Docker));
        assert_eq!(Container::from_signs(false, false, false), None);
    }

    #[test]
    fn flags_are_named_where_flags_help() {
        assert!(Container::Docker.flags(Layer::UserNamespace).unwrap().contains("seccomp=unconfined"));
        assert_eq!(Container::Docker.flags(Layer::Interpreter), None);
    }
}
