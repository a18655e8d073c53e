//! `kubectl kontor drain`: eviction, one pod after another, with the clients watched as they leave.
//!
//! A pod that is evicted does the rest by itself: it stops being ready, takes no new clients, says goodbye to the ones it
//! has and ends inside its grace period. What is added here is patience with disruption budgets, the order, and a view
//! of how far it is.

use crate::Outcome;
use crate::cli::{Drain, Format};
use crate::cluster::{Cluster, Place};
use crate::installation::{component, connections, pods, view};
use crate::style;
use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Pod;
use kontor_crds::GroupwareDeployment;
use kube::api::{EvictParams, ListParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// Runs the command.
pub async fn run(place: &Place, arguments: &Drain) -> Result<Outcome> {
    let cluster = place.connect().await?;
    let deployment = deployment(&cluster, arguments.deployment.as_deref()).await?;
    let all = pods(&cluster.client, &deployment).await?;
    let chosen = choose(&deployment, &all, &arguments.what)?;
    let says = Voice { format: arguments.output, begun: Instant::now() };
    if arguments.dry_run {
        for pod in &chosen {
            let open = connections(&cluster.client, pod).await.ok().map(|by| by.values().sum());
            says.step(pod, "would be evicted", open);
        }
        return Ok(Outcome::Fine);
    }
    let deadline = Instant::now() + arguments.timeout;
    let api = Api::<Pod>::namespaced(cluster.client.clone(), &cluster.namespace);
    for (at, pod) in chosen.iter().enumerate() {
        let drain = Leaving { client: &cluster.client, api: &api, pod, says: &says, deadline };
        if !drain.evict().await? || !drain.watch().await? {
            return Ok(says.late(pod));
        }
        // The last one's successor is waited for as well: only then the pool is what it was.
        let successor = replaced(&cluster.client, &deployment, pod, &all, deadline).await?;
        match successor {
            Some(ready) => says.line(&format!("{ready} ready in its place ({} of {})", at + 1, chosen.len())),
            None => return Ok(says.late(pod)),
        }
    }
    Ok(Outcome::Fine)
}

async fn deployment(cluster: &Cluster, name: Option<&str>) -> Result<GroupwareDeployment> {
    let api = Api::<GroupwareDeployment>::namespaced(cluster.client.clone(), &cluster.namespace);
    if let Some(name) = name {
        return api
            .get(name)
            .await
            .with_context(|| format!("no GroupwareDeployment {name} in {}", cluster.namespace));
    }
    let found = api.list(&ListParams::default()).await.context("cannot list GroupwareDeployments")?.items;
    let names: Vec<_> = found.iter().map(ResourceExt::name_any).collect();
    match found.into_iter().next() {
        None => bail!("there is no GroupwareDeployment in namespace {}", cluster.namespace),
        Some(one) if names.len() == 1 => Ok(one),
        Some(_) => bail!("there is more than one: choose with --deployment from {}", names.join(", ")),
    }
}

/// The pods that are meant, in an order that does not depend on how they were listed. Pods on their way out already are
/// left alone.
fn choose(deployment: &GroupwareDeployment, all: &[Pod], what: &str) -> Result<Vec<Pod>> {
    if let Some(pod) = all.iter().find(|pod| pod.name_any() == what) {
        return Ok(vec![pod.clone()]);
    }
    let mut pools: Vec<_> = deployment.spec.gateways.iter().map(|pool| pool.name.as_str()).collect();
    pools.push("storage-node");
    if !pools.contains(&what) {
        bail!(
            "{what} is neither a pod of {} nor one of its pools: {}",
            deployment.name_any(),
            pools.join(", ")
        );
    }
    let mut chosen: Vec<_> = all
        .iter()
        .filter(|pod| component(pod) == what && pod.metadata.deletion_timestamp.is_none())
        .cloned()
        .collect();
    if chosen.is_empty() {
        bail!("{what} has no pods");
    }
    chosen.sort_by_key(ResourceExt::name_any);
    Ok(chosen)
}

struct Leaving<'a> {
    client: &'a Client,
    api: &'a Api<Pod>,
    pod: &'a Pod,
    says: &'a Voice,
    deadline: Instant,
}

impl Leaving<'_> {
    /// Asks until the disruption budget allows it. False: not in time.
    async fn evict(&self) -> Result<bool> {
        let name = self.pod.name_any();
        let mut said = String::new();
        loop {
            match self.api.evict(&name, &EvictParams::default()).await {
                Ok(_) => {
                    self.says.step(self.pod, "evicted", None);
                    return Ok(true);
                }
                Err(kube::Error::Api(status)) if status.code == 429 => {
                    if status.message != said {
                        self.says.step(self.pod, &format!("has to wait: {}", status.message), None);
                        said.clone_from(&status.message);
                    }
                }
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(true),
                Err(error) => return Err(error).with_context(|| format!("cannot evict {name}")),
            }
            if Instant::now() + BUDGET_PAUSE > self.deadline {
                return Ok(false);
            }
            tokio::time::sleep(BUDGET_PAUSE).await;
        }
    }

    /// Until the pod is gone. False: not in time.
    async fn watch(&self) -> Result<bool> {
        let mut last = None;
        loop {
            let now = self.api.get_opt(&self.pod.name_any()).await.context("cannot look after the pod")?;
            let gone = now.is_none_or(|now| now.metadata.uid != self.pod.metadata.uid);
            if gone {
                self.says.step(self.pod, "gone", None);
                return Ok(true);
            }
            if let Ok(open) = connections(self.client, self.pod).await {
                let open: u64 = open.values().sum();
                if last != Some(open) {
                    self.says.step(self.pod, "leaving", Some(open));
                    last = Some(open);
                }
            }
            if Instant::now() + PAUSE > self.deadline {
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Waits until the pool of `pod` has as many ready pods as it should have, and says how many. None: not in time.
async fn replaced(
    client: &Client,
    deployment: &GroupwareDeployment,
    pod: &Pod,
    before: &[Pod],
    deadline: Instant,
) -> Result<Option<usize>> {
    let pool = component(pod);
    // As many as there were: an autoscaler may have made more than the spec's minimum.
    let wanted = before.iter().filter(|other| component(other) == pool && view(other, None).ready).count();
    loop {
        let now = pods(client, deployment).await?;
        let ready = now
            .iter()
            .filter(|pod| component(pod) == pool)
            .map(|pod| view(pod, None))
            .filter(|pod| pod.ready && !pod.leaving)
            .count();
        if ready >= wanted {
            return Ok(Some(ready));
        }
        if Instant::now() + PAUSE > deadline {
            return Ok(None);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

struct Voice {
    format: Format,
    begun: Instant,
}

impl Voice {
    fn step(&self, pod: &Pod, what: &str, connections: Option<u64>) {
        let seconds = self.begun.elapsed().as_secs();
        match self.format {
            Format::Json => anstream::println!(
                "{}",
                json!({"pod": pod.name_any(), "step": what, "connections": connections, "seconds": seconds})
            ),
            Format::Table => {
                let open = match connections {
                    Some(1) => ", 1 connection".to_owned(),
                    Some(open) => format!(", {open} connections"),
                    None => String::new(),
                };
                anstream::println!(
                    "{} {}: {what}{open}",
                    style::faint(&format!("{seconds:>4} s")),
                    pod.name_any()
                );
            }
        }
    }

    fn line(&self, text: &str) {
        if self.format == Format::Table {
            anstream::println!(
                "{} {}",
                style::faint(&format!("{:>4} s", self.begun.elapsed().as_secs())),
                style::good(text)
            );
        }
    }

    fn late(&self, pod: &Pod) -> Outcome {
        self.step(pod, "not done in time; what was begun goes on in the cluster", None);
        Outcome::Remarkable
    }
}

const PAUSE: Duration = Duration::from_secs(1);
const BUDGET_PAUSE: Duration = Duration::from_secs(5);
