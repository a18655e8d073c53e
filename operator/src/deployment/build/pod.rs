//! Pods of our own programs: restricted, without a token, with nothing to write to.

use super::config::FOLDER;
use crate::deployment::names::COMPONENT;
use crate::deployment::routes::MONITOR;
use crate::deployment::validate::Valid;
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, ContainerPort, HTTPGetAction, KeyToPath,
    PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile,
    SecretVolumeSource, SecurityContext, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kontor_crds::groupware_deployment::Placement;
use std::collections::BTreeMap;

/// The user that our images run as.
pub const USER: i64 = 65532;

/// A pod with one container.
pub fn template(
    valid: &Valid,
    component: &str,
    revision: String,
    user: i64,
    container: Container,
    volumes: Vec<Volume>,
) -> PodTemplateSpec {
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(valid.identity.labels(component)),
            annotations: Some(BTreeMap::from([(REVISION.to_owned(), revision)])),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            service_account_name: Some(valid.identity.child(component)),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            security_context: Some(PodSecurityContext {
                run_as_non_root: Some(true),
                run_as_user: Some(user),
                run_as_group: Some(user),
                fs_group: Some(user),
                fs_group_change_policy: Some("OnRootMismatch".into()),
                seccomp_profile: Some(SeccompProfile {
                    type_: "RuntimeDefault".into(),
                    localhost_profile: None,
                }),
                ..PodSecurityContext::default()
            }),
            containers: vec![Container { security_context: Some(restricted()), ..container }],
            volumes: Some(volumes),
            ..PodSpec::default()
        }),
    }
}

/// Puts pods where they are wanted; without a wish, evenly over zones and nodes.
pub fn place(valid: &Valid, component: &str, placement: &Placement, pod: &mut PodSpec) {
    let evenly = |key: &str| TopologySpreadConstraint {
        max_skew: 1,
        topology_key: key.to_owned(),
        when_unsatisfiable: "ScheduleAnyway".into(),
        label_selector: Some(valid.identity.selector(component)),
        match_label_keys: Some(vec!["pod-template-hash".into()]),
        ..TopologySpreadConstraint::default()
    };
    let spread = placement.topology_spread_constraints.clone();
    pod.topology_spread_constraints =
        Some(spread.unwrap_or_else(|| {
            vec![evenly("topology.kubernetes.io/zone"), evenly("kubernetes.io/hostname")]
        }));
    pod.affinity = placement.affinity.clone();
    pod.tolerations = (!placement.tolerations.is_empty()).then(|| placement.tolerations.clone());
    pod.node_selector = (!placement.node_selector.is_empty()).then(|| placement.node_selector.clone());
    pod.priority_class_name = placement.priority_class_name.clone();
}

/// What the restricted pod security standard asks for, and no writing anywhere but in volumes.
pub fn restricted() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".into()]), add: None }),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(true),
        ..SecurityContext::default()
    }
}

/// Startup, readiness and liveness by the monitor.
pub fn with_probes(container: Container) -> Container {
    let get = |path: &str| {
        Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("monitor".into()),
            ..HTTPGetAction::default()
        })
    };
    Container {
        startup_probe: Some(Probe {
            http_get: get("/healthz"),
            period_seconds: Some(1),
            timeout_seconds: Some(2),
            failure_threshold: Some(120),
            ..Probe::default()
        }),
        readiness_probe: Some(Probe {
            http_get: get("/readyz"),
            period_seconds: Some(3),
            timeout_seconds: Some(3),
            failure_threshold: Some(2),
            ..Probe::default()
        }),
        liveness_probe: Some(Probe {
            http_get: get("/healthz"),
            period_seconds: Some(10),
            timeout_seconds: Some(5),
            failure_threshold: Some(3),
            ..Probe::default()
        }),
        ..container
    }
}

/// A container port; TCP.
pub fn port(name: &str, number: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".into()),
        ..ContainerPort::default()
    }
}

/// The monitor's.
pub fn monitor_port() -> ContainerPort {
    port("monitor", MONITOR)
}

/// Requests, and a limit of memory. No limit of CPU: it would only make people wait.
pub fn resources(
    given: Option<&ResourceRequirements>,
    cpu: &str,
    memory: &str,
    limit: &str,
) -> ResourceRequirements {
    let map = |pairs: &[(&str, &str)]| {
        Some(pairs.iter().map(|(key, value)| ((*key).to_owned(), Quantity((*value).to_owned()))).collect())
    };
    given.cloned().unwrap_or_else(|| ResourceRequirements {
        requests: map(&[("cpu", cpu), ("memory", memory)]),
        limits: map(&[("memory", limit)]),
        claims: None,
    })
}

/// A Secret at `/etc/kontor/<name>`; only some keys under other names, if any are given.
pub fn secret(name: &str, secret: &str, items: &[(&str, &str)]) -> (Volume, VolumeMount) {
    let items = items.iter().map(|(key, path)| KeyToPath {
        key: (*key).to_owned(),
        path: (*path).to_owned(),
        mode: None,
    });
    let items: Vec<_> = items.collect();
    let volume = Volume {
        name: name.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.to_owned()),
            default_mode: Some(0o440),
            items: (!items.is_empty()).then_some(items),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    };
    (volume, mount(name, &format!("{FOLDER}/{name}")))
}

/// A ConfigMap at `/etc/kontor/config`.
pub fn config(name: &str) -> (Volume, VolumeMount) {
    let volume = Volume {
        name: "config".into(),
        config_map: Some(ConfigMapVolumeSource { name: name.to_owned(), ..ConfigMapVolumeSource::default() }),
        ..Volume::default()
    };
    (volume, mount("config", &format!("{FOLDER}/config")))
}

/// A read-only mount.
fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    }
}

/// The component of a pod, by its labels.
pub fn component(labels: Option<&BTreeMap<String, String>>) -> Option<&str> {
    labels?.get(COMPONENT).map(String::as_str)
}

/// The annotation that is another one when what pods read only at their start is.
pub const REVISION: &str = "kontor.dev/revision";
