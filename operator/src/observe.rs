//! The pods of all deployments: which there are, what keeps them from starting, what they say of themselves.
//!
//! Every replica of the operator looks, also one that does not lead: each serves metrics to autoscalers.

use crate::Scope;
use crate::children::{INSTANCE, MANAGED_BY, OPERATOR};
use crate::context::Wake;
use crate::deployment::names::{COMPONENT, STORAGE_NODE};
use crate::deployment::routes::MONITOR;
use anyhow::Context as _;
use futures::StreamExt;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What is known of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// Its component: a pool, or `storage-node` and the like.
    pub component: String,
    /// Why a container of it does not run, as the kubelet says: reason and message.
    pub waiting: Option<(String, String)>,
    /// The last words of a container that ended with an error.
    pub last_words: Option<String>,
    /// Open connections, once it was asked.
    pub connections: Option<u64>,
    /// What it needs and does not have (`database`, `blobs`, `store`), once it was asked.
    pub unmet: Option<Vec<String>>,
}

/// What a pod said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    connections: Option<u64>,
    unmet: Option<Vec<String>>,
}

/// The pods of all deployments.
pub struct Observer {
    pods: Store<Pod>,
    /// By namespace and name.
    said: RwLock<HashMap<(String, String), Said>>,
    wake: Wake,
}

impl Observer {
    /// The observer, and what has to be polled for it to see anything.
    pub fn new(
        client: Client,
        scope: &Scope,
        wake: Wake,
    ) -> (Arc<Self>, impl Future<Output = ()> + Send + use<>) {
        let (pods, writer) = reflector::store();
        let observer = Arc::new(Self { pods, said: RwLock::default(), wake });
        let config = watcher::Config::default().labels(&format!("{MANAGED_BY}={OPERATOR}"));
        let watched = watcher(scope.api::<Pod>(client), config).default_backoff().modify(slim);
        let mut events = reflector::reflector(writer, watched).touched_objects().boxed();
        let watching = observer.clone();
        let asking = observer.clone();
        let run = async move {
            let watch = async {
                while let Some(event) = events.next().await {
                    match event {
                        Ok(pod) => watching.wake_owner(&pod),
                        Err(error) => tracing::warn!(%error, "watching pods"),
                    }
                }
            };
            tokio::select! {
                () = watch => {}
                () = asking.ask() => {}
            }
        };
        (observer, run)
    }

    /// Waits until the pods are known; see [`crate::Context::known`].
    ///
    /// # Errors
    /// When the watch ended.
    pub async fn ready(&self) -> anyhow::Result<()> {
        self.pods.wait_until_ready().await.context("the watch of pods ended")
    }

    /// The pods of a deployment.
    pub fn of(&self, namespace: &str, deployment: &str) -> Vec<PodView> {
        let said = self.said.read();
        let mut views: Vec<_> = self
            .pods
            .state()
            .iter()
            .filter(|pod| {
                pod.namespace().as_deref() == Some(namespace)
                    && pod.labels().get(INSTANCE).is_some_and(|instance| instance == deployment)
            })
            .map(|pod| view(pod, said.get(&key(pod))))
            .collect();
        views.sort_by(|a, b| a.name.cmp(&b.name));
        views
    }

    /// Open connections of a pool; none when none of its pods has been asked yet.
    pub fn connections(&self, namespace: &str, deployment: &str, pool: &str) -> Option<u64> {
        let counts = self.of(namespace, deployment).into_iter().filter(|pod| pod.component == pool);
        counts.filter_map(|pod| pod.connections).reduce(u64::saturating_add)
    }

    async fn ask(&self) {
        let client: HttpClient<_, Empty<Bytes>> = {
            let mut connector = HttpConnector::new();
            connector.set_connect_timeout(Some(DEADLINE));
            // Pods go, and their addresses go to others: no connection is kept.
            HttpClient::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector)
        };
        loop {
            let pods: Vec<_> = self.pods.state().into_iter().filter(|pod| address(pod).is_some()).collect();
            let answers = futures::stream::iter(pods)
                .map(|pod| {
                    let client = client.clone();
                    async move {
                        let said = ask_pod(&client, &pod).await;
                        (pod, said)
                    }
                })
                .buffer_unordered(CONCURRENCY)
                .collect::<Vec<_>>()
                .await;
            self.take(answers);
            tokio::time::sleep(INTERVAL).await;
        }
    }

    fn take(&self, answers: Vec<(Arc<Pod>, Said)>) {
        let mut after = HashMap::with_capacity(answers.len());
        let mut changed = Vec::new();
        {
            let before = self.said.read();
            for (pod, said) in answers {
                let key = key(&pod);
                if before.get(&key).and_then(|said| said.unmet.as_ref()) != said.unmet.as_ref() {
                    changed.push(pod);
                }
                after.insert(key, said);
            }
        }
        *self.said.write() = after;
        for pod in changed {
            self.wake_owner(&pod);
        }
    }

    fn wake_owner(&self, pod: &Pod) {
        if let (Some(namespace), Some(instance)) = (pod.namespace(), pod.labels().get(INSTANCE)) {
            self.wake.named(&namespace, instance);
        }
    }
}

type Asker = HttpClient<HttpConnector, Empty<Bytes>>;

async fn ask_pod(client: &Asker, pod: &Pod) -> Said {
    let Some(address) = address(pod) else { return Said::default() };
    let component = pod.labels().get(COMPONENT).map(String::as_str).unwrap_or_default();
    let ready = get(client, &address, "/readyz").await;
    let unmet = ready.map(|(ok, text)| if ok { Vec::new() } else { unmet(&text) });
    let connections = match component {
        STORAGE_NODE => None,
        _ => {
            get(client, &address, "/metrics").await.filter(|(ok, _)| *ok).map(|(_, text)| connections(&text))
        }
    };
    Said { connections, unmet }
}

async fn get(client: &Asker, address: &str, path: &str) -> Option<(bool, String)> {
    let uri = format!("http://{address}:{MONITOR}{path}").parse().ok()?;
    let answer = async {
        let answer = client.get(uri).await.ok()?;
        let ok = answer.status().is_success();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await.ok()?.to_bytes();
        Some((ok, String::from_utf8_lossy(&body).into_owned()))
    };
    tokio::time::timeout(DEADLINE, answer).await.ok().flatten()
}

/// The sum over all protocols.
fn connections(text: &str) -> u64 {
    let lines = text.lines().filter(|line| {
        line.strip_prefix("kontor_connections_open").is_some_and(|rest| rest.starts_with([' ', '{']))
    });
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    // A gauge of whole things.
    values.filter(|value| value.is_finite() && *value > 0.0).map(|value| value as u64).sum()
}

/// `waiting for: database, blobs`
fn unmet(text: &str) -> Vec<String> {
    let list = text.trim().strip_prefix("waiting for:").unwrap_or_default();
    list.split(',').map(str::trim).filter(|need| !need.is_empty()).map(str::to_owned).collect()
}

fn view(pod: &Pod, said: Option<&Said>) -> PodView {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let mut view = PodView {
        name: pod.name_any(),
        component: pod.labels().get(COMPONENT).cloned().unwrap_or_default(),
        connections: said.and_then(|said| said.connections),
        unmet: said.and_then(|said| said.unmet.clone()),
        ..PodView::default()
    };
    for status in statuses {
        let state = status.state.as_ref();
        if let Some(waiting) = state.and_then(|state| state.waiting.as_ref()) {
            let reason = waiting.reason.clone().unwrap_or_default();
            if !matches!(reason.as_str(), "ContainerCreating" | "PodInitializing") {
                view.waiting = Some((reason, waiting.message.clone().unwrap_or_default()));
            }
        }
        let ended = state.and_then(|state| state.terminated.as_ref());
        let before = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        let failed = ended.or(before).filter(|ended| ended.exit_code != 0);
        if let Some(failed) = failed.filter(|_| !status.ready) {
            let words = failed.message.clone().or_else(|| failed.reason.clone()).unwrap_or_default();
            view.last_words = Some(last_line(&words));
        }
    }
    view
}

/// The line that a program ends with says why it ends.
fn last_line(text: &str) -> String {
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.split_once(": ")
        .filter(|(program, _)| program.starts_with("kontor-"))
        .map_or(line, |(_, rest)| rest)
        .to_owned()
}

fn address(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    if status.phase.as_deref() != Some("Running") {
        return None;
    }
    // Databases and object stores have no monitor.
    let component = pod.labels().get(COMPONENT)?;
    if matches!(component.as_str(), "database" | "object-store" | "migrate") {
        return None;
    }
    let ip = status.pod_ip.clone().filter(|ip| !ip.is_empty())?;
    Some(if ip.contains(':') { format!("[{ip}]") } else { ip })
}

fn key(pod: &Pod) -> (String, String) {
    (pod.namespace().unwrap_or_default(), pod.name_any())
}

/// What is not looked at is not kept: there may be many pods.
fn slim(pod: &mut Pod) {
    pod.spec = None;
    pod.metadata.managed_fields = None;
    pod.metadata.annotations = None;
}

const INTERVAL: Duration = Duration::from_secs(5);
const DEADLINE: Duration = Duration::from_secs(2);
const CONCURRENCY: usize = 32;
const LARGEST: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_summed_over_protocols_and_nothing_else_counts() {
        let text = "# TYPE kontor_connections_open gauge\nkontor_connections_open{protocol=\"imap\"} 3\n\
                    kontor_connections_open{protocol=\"imaps\"} 4\nkontor_connections_opened_total 9\n";
        assert_eq!(connections(text), 7);
        assert_eq!(unmet("waiting for: database, blobs\n"), ["database", "blobs"]);
        assert_eq!(unmet("draining\n"), Vec::<String>::new());
    }

    #[test]
    fn the_last_line_says_why() {
        assert_eq!(last_line("{\"level\":\"INFO\"}\nkontor-storage-node: no way\n\n"), "no way");
    }
}
