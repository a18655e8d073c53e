//! `kubectl kontor status`: what is up, what is wrong and what to do.

mod advice;
mod directory;
mod print;
mod problems;

use crate::Outcome;
use crate::cli::{Format, Status};
use crate::cluster::{Cluster, Place};
use crate::installation::{PodView, look, pods};
use anyhow::{Context, Result};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kontor_crds::GroupwareDeployment;
use kontor_crds::groupware_deployment::{CertificateStatus, DirectoryStatus, EndpointStatus, VersionStatus};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use problems::Problem;
use serde::Serialize;
use std::collections::BTreeMap;

/// What is known about an installation; what `-o json` prints a list of.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    namespace: String,
    name: String,
    ready: bool,
    version: VersionStatus,
    pools: Vec<PoolReport>,
    endpoints: Vec<EndpointStatus>,
    certificates: Vec<CertificateStatus>,
    directory: DirectoryStatus,
    conditions: Vec<Condition>,
    pods: Vec<PodView>,
    problems: Vec<Problem>,
}

/// A pool, or another part of an installation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolReport {
    name: String,
    protocols: Vec<String>,
    /// The fewest pods that it should have; unknown for parts that the spec does not size.
    wanted: Option<i32>,
    pods: usize,
    ready: usize,
    /// Open connections by protocol, of the pods that could be asked.
    connections: BTreeMap<String, u64>,
    /// Running pods that could not be asked.
    unasked: usize,
    restarts: i32,
}

/// Runs the command.
pub async fn run(place: &Place, arguments: &Status) -> Result<Outcome> {
    let cluster = place.connect().await?;
    let mut reports = Vec::new();
    for deployment in deployments(&cluster, arguments).await? {
        reports.push(report(&cluster, &deployment).await?);
    }
    match arguments.output {
        Format::Json => anstream::println!("{:#}", serde_json::to_value(&reports)?),
        Format::Table if reports.is_empty() => {
            anstream::println!("There is no GroupwareDeployment in {}.", where_(&cluster, arguments))
        }
        Format::Table => reports.iter().enumerate().for_each(|(at, report)| {
            if at > 0 {
                anstream::println!();
            }
            print!("{}", print::text(report));
        }),
    }
    let well = reports.iter().all(|report| report.ready && report.problems.is_empty());
    Ok(if well { Outcome::Fine } else { Outcome::Remarkable })
}

async fn deployments(cluster: &Cluster, arguments: &Status) -> Result<Vec<GroupwareDeployment>> {
    let api: Api<GroupwareDeployment> = match arguments.all_namespaces {
        true => Api::all(cluster.client.clone()),
        false => Api::namespaced(cluster.client.clone(), &cluster.namespace),
    };
    match &arguments.name {
        Some(name) => {
            let one = api.get(name).await;
            Ok(vec![one.with_context(|| format!("no GroupwareDeployment {name} in {}", cluster.namespace))?])
        }
        None => Ok(api.list(&ListParams::default()).await.context("cannot list GroupwareDeployments")?.items),
    }
}

fn where_(cluster: &Cluster, arguments: &Status) -> String {
    if arguments.all_namespaces {
        "any namespace".to_owned()
    } else {
        format!("namespace {}", cluster.namespace)
    }
}

async fn report(cluster: &Cluster, deployment: &GroupwareDeployment) -> Result<Report> {
    let client = &cluster.client;
    let namespace = deployment.namespace().unwrap_or_default();
    let pods = look(client, pods(client, deployment).await?).await;
    let status = deployment.status.clone().unwrap_or_default();
    let unwell = directory::unwell(client, deployment, &status.directory).await;
    // Who may not read Events sees all the rest.
    let events = Api::<Event>::namespaced(client.clone(), &namespace)
        .list(&ListParams::default().fields("type=Warning"))
        .await
        .map(|list| list.items)
        .unwrap_or_default();
    let problems = problems::find(deployment, &pods, &events, &unwell);
    let ready = status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
    Ok(Report {
        name: deployment.name_any(),
        namespace,
        ready,
        pools: pools(deployment, &pods),
        version: status.version,
        endpoints: status.endpoints,
        certificates: status.certificates,
        directory: status.directory,
        conditions: status.conditions,
        pods,
        problems,
    })
}

/// The pools of the spec in their order, then whatever else has pods.
fn pools(deployment: &GroupwareDeployment, pods: &[PodView]) -> Vec<PoolReport> {
    let mut names: Vec<(String, Vec<String>, Option<i32>)> = Vec::new();
    for pool in &deployment.spec.gateways {
        let protocols = pool.protocols.iter().map(protocol).collect();
        names.push((pool.name.clone(), protocols, Some(pool.wanted())));
    }
    names.push(("storage-node".to_owned(), Vec::new(), Some(deployment.spec.storage.nodes.wanted())));
    for pod in pods {
        // Jobs come and go; what they did is in the conditions.
        if pod.component != "migrate" && !names.iter().any(|(name, ..)| *name == pod.component) {
            names.push((pod.component.clone(), Vec::new(), None));
        }
    }
    let pool = |(name, protocols, wanted): (String, Vec<String>, Option<i32>)| {
        let mine: Vec<_> = pods.iter().filter(|pod| pod.component == name).collect();
        let mut connections = BTreeMap::new();
        for (protocol, open) in mine.iter().filter_map(|pod| pod.connections.as_ref()).flatten() {
            *connections.entry(protocol.clone()).or_insert(0) += open;
        }
        PoolReport {
            wanted,
            pods: mine.len(),
            ready: mine.iter().filter(|pod| pod.ready && !pod.leaving).count(),
            connections,
            unasked: mine.iter().filter(|pod| pod.ready && pod.connections.is_none()).count(),
            restarts: mine.iter().map(|pod| pod.restarts).sum(),
            name,
            protocols,
        }
    };
    names.into_iter().map(pool).collect()
}

fn protocol(protocol: &kontor_crds::groupware_deployment::Protocol) -> String {
    match serde_json::to_value(protocol) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
