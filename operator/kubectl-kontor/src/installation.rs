//! What there is of a GroupwareDeployment in the cluster: its pods, and the connections that they have.

use crate::cluster::metrics;
use crate::exposition::samples;
use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateWaiting, Pod};
use kontor_crds::GroupwareDeployment;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde::Serialize;
use std::collections::BTreeMap;

/// A pod, as far as it says how an installation is.
#[derive(Clone, Debug, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// The pool, `storage-node`, or another part.
    pub component: String,
    /// Where it runs.
    pub node: Option<String>,
    /// Whether it serves.
    pub ready: bool,
    /// Whether it is on its way out.
    pub leaving: bool,
    /// How often its containers have been started again.
    pub restarts: i32,
    /// Open connections by protocol; `None` when it could not be asked.
    pub connections: Option<BTreeMap<String, u64>>,
    /// Why it is not ready, when Kubernetes knows: a reason and a message.
    pub trouble: Option<(String, String)>,
}

/// All pods of an installation.
pub async fn pods(client: &Client, deployment: &GroupwareDeployment) -> Result<Vec<Pod>> {
    let namespace = deployment.namespace().unwrap_or_default();
    let parameters = ListParams::default().labels(&selector(&deployment.name_any()));
    let pods = Api::<Pod>::namespaced(client.clone(), &namespace).list(&parameters).await;
    Ok(pods.with_context(|| format!("cannot list the pods in {namespace}"))?.items)
}

/// The labels of everything that belongs to an installation.
pub fn selector(deployment: &str) -> String {
    format!("app.kubernetes.io/name=kontor,app.kubernetes.io/instance={deployment}")
}

/// The pool that a pod belongs to, or another part of the installation.
pub fn component(pod: &Pod) -> String {
    pod.labels().get("app.kubernetes.io/component").cloned().unwrap_or_default()
}

/// Looks at pods, and asks those that count connections for them.
pub async fn look(client: &Client, pods: Vec<Pod>) -> Vec<PodView> {
    let mut asked = tokio::task::JoinSet::new();
    for (at, pod) in pods.into_iter().enumerate() {
        let client = client.clone();
        asked.spawn(async move {
            let connections = if is_running(&pod) { connections(&client, &pod).await.ok() } else { None };
            (at, view(&pod, connections))
        });
    }
    let mut views = asked.join_all().await;
    views.sort_by_key(|(at, _)| *at);
    views.into_iter().map(|(_, view)| view).collect()
}

/// The open connections of a pod, by protocol.
pub async fn connections(client: &Client, pod: &Pod) -> Result<BTreeMap<String, u64>> {
    Ok(count(&metrics(client, pod).await?))
}

fn count(text: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for sample in samples(text, "kontor_connections_open") {
        let protocol = sample.label("protocol").unwrap_or("other").to_owned();
        // A gauge of whole things, never below zero for long.
        *counts.entry(protocol).or_insert(0) += sample.value.max(0.0) as u64;
    }
    counts
}

/// What a pod is, without its connections.
pub fn view(pod: &Pod, connections: Option<BTreeMap<String, u64>>) -> PodView {
    let status = pod.status.as_ref();
    let ready = status
        .and_then(|status| status.conditions.as_ref())
        .is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"));
    let containers = status.and_then(|status| status.container_statuses.as_ref());
    let restarts = containers.map_or(0, |all| all.iter().map(|container| container.restart_count).sum());
    PodView {
        name: pod.name_any(),
        component: component(pod),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        ready,
        leaving: pod.metadata.deletion_timestamp.is_some(),
        restarts,
        connections,
        trouble: if ready { None } else { trouble(pod) },
    }
}

fn is_running(pod: &Pod) -> bool {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
}

fn trouble(pod: &Pod) -> Option<(String, String)> {
    let status = pod.status.as_ref()?;
    let containers =
        status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    for container in containers {
        let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        if let Some(ContainerState { waiting: Some(ContainerStateWaiting { reason, message }), .. }) =
            &container.state
        {
            let reason = reason.clone().unwrap_or_default();
            if matches!(reason.as_str(), "ContainerCreating" | "PodInitializing") {
                continue;
            }
            let ended = last.map(|last| {
                let why = last.reason.as_deref().unwrap_or("it ended");
                format!("{why}, exit code {}", last.exit_code)
            });
            let message = ended.or_else(|| message.clone()).unwrap_or_default();
            return Some((reason, message));
        }
    }
    let unscheduled =
        status.conditions.iter().flatten().find(|c| c.type_ == "PodScheduled" && c.status == "False");
    if let Some(condition) = unscheduled {
        let reason = condition.reason.clone().unwrap_or_default();
        return Some((reason, condition.message.clone().unwrap_or_default()));
    }
    (status.phase.as_deref() == Some("Failed"))
        .then(|| (status.reason.clone().unwrap_or_default(), status.message.clone().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(status: serde_json::Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "trial-imap-1", "labels": {"app.kubernetes.io/component": "imap"}},
            "spec": {"containers": [], "nodeName": "node1"},
            "status": status,
        }))
        .expect("a pod")
    }

    #[test]
    fn a_pod_that_crashes_says_how_it_ended() {
        let view = view(
            &pod(
                json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [{
                    "name": "gateway", "image": "", "imageID": "", "ready": false, "restartCount": 4,
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 1m20s"}},
                    "lastState": {"terminated": {"exitCode": 78, "reason": "Error"}},
                }]}),
            ),
            None,
        );
        assert_eq!(view.trouble, Some(("CrashLoopBackOff".into(), "Error, exit code 78".into())));
        assert_eq!((view.component.as_str(), view.restarts, view.ready), ("imap", 4, false));
    }

    #[test]
    fn a_pod_that_has_no_place_says_why() {
        let message = "0/3 nodes are available: 3 Insufficient memory.";
        let view = view(
            &pod(json!({"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message},
            ]})),
            None,
        );
        assert_eq!(view.trouble, Some(("Unschedulable".into(), message.into())));
    }

    #[test]
    fn a_pod_that_starts_is_no_trouble() {
        let view = view(
            &pod(json!({"phase": "Pending", "containerStatuses": [{
                "name": "gateway", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": "ContainerCreating"}},
            }]})),
            None,
        );
        assert_eq!(view.trouble, None);
    }

    #[test]
    fn connections_are_summed_over_listeners() {
        let counts = count(
            "kontor_connections_open{protocol=\"imap\"} 3\nkontor_connections_open{protocol=\"imap\"} 4\n\
             kontor_connections_open{protocol=\"pop3\"} -1\n",
        );
        assert_eq!(counts, BTreeMap::from([("imap".to_owned(), 7), ("pop3".to_owned(), 0)]));
    }
}
