//! `kubectl kontor diff`: what the operator would change.
//!
//! The same functions as in the operator say what there should be; the API server says, by a dry run of the very write
//! that the operator would make, what each object would become.

mod compare;
mod references;

use crate::Outcome;
use crate::cli::{Diff, Format};
use crate::cluster::{Cluster, Place};
use crate::manifest;
use crate::style;
use anyhow::{Context, Result, bail};
use compare::{Change, Kind};
use jiff::Timestamp;
use kontor_crds::GroupwareDeployment;
use kontor_operator::apis::{Apis, Found};
use kontor_operator::apply::{APPLIED, Object, hash};
use kontor_operator::children;
use kontor_operator::deployment::validate::validate;
use kontor_operator::deployment::{Stage, build, material};
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use std::collections::HashSet;

/// Runs the command.
pub async fn run(place: &Place, arguments: &Diff) -> Result<Outcome> {
    let cluster = place.connect().await?;
    let (apis, _) =
        Apis::discover(cluster.client.clone()).await.context("cannot see the APIs of the cluster")?;
    let mut changes = Vec::new();
    for deployment in wanted(&cluster, arguments).await? {
        let name = format!("{}/{}", deployment.namespace().unwrap_or_default(), deployment.name_any());
        let found = of(&cluster, &deployment, apis.now()).await;
        changes.extend(found.with_context(|| format!("GroupwareDeployment {name}"))?);
    }
    match arguments.output {
        Format::Json => anstream::println!("{:#}", serde_json::to_value(&changes)?),
        Format::Table if changes.is_empty() => anstream::println!("No difference."),
        Format::Table => print(&changes),
    }
    Ok(if changes.is_empty() { Outcome::Fine } else { Outcome::Remarkable })
}

/// The deployments as they should be, each with the identity that it has in the cluster if it is there.
async fn wanted(cluster: &Cluster, arguments: &Diff) -> Result<Vec<GroupwareDeployment>> {
    if let Some(name) = &arguments.name {
        let api = Api::<GroupwareDeployment>::namespaced(cluster.client.clone(), &cluster.namespace);
        let live = api.get(name).await;
        return Ok(vec![
            live.with_context(|| format!("no GroupwareDeployment {name} in {}", cluster.namespace))?,
        ]);
    }
    let Some(file) = &arguments.file else { bail!("a name or a file is needed") };
    let mut all = manifest::read(file)?;
    for deployment in &mut all {
        let namespace = deployment.namespace().unwrap_or_else(|| cluster.namespace.clone());
        let api = Api::<GroupwareDeployment>::namespaced(cluster.client.clone(), &namespace);
        let live = api.get_opt(&deployment.name_any()).await.context("cannot look for it in the cluster")?;
        deployment.metadata.namespace = Some(namespace);
        deployment.metadata.uid = live.and_then(|live| live.metadata.uid);
    }
    Ok(all)
}

async fn of(cluster: &Cluster, deployment: &GroupwareDeployment, apis: Found) -> Result<Vec<Change>> {
    let references = references::fetch(&cluster.client, deployment, apis.clone()).await?;
    let valid = validate(deployment, &references)?;
    let existing = references::made(&cluster.client, deployment).await?;
    let material = material::complete(&valid, &existing, Timestamp::now(), &mut |octets| vec![0; octets])?;
    let desired = build(&valid, &material, &Stage::complete(&deployment.spec.image.tag));
    let mut changes = Vec::new();
    let mut names = HashSet::new();
    for object in &desired.objects {
        names.insert(object.key());
        let api = api(cluster, object.namespace(), &object.resource);
        let live =
            api.get_opt(object.name()).await.with_context(|| format!("cannot read {}", object.key()))?;
        let becomes = dry_run(&api, object, live.is_some()).await?;
        changes.extend(compare::change(live.as_ref(), Some(&becomes)));
    }
    changes.extend(unwanted(cluster, deployment, &apis, &names).await?);
    Ok(changes)
}

/// What the object would become. One that is not there becomes what is applied: a dry run would need the namespace and
/// the owner to exist.
async fn dry_run(api: &Api<DynamicObject>, object: &Object, exists: bool) -> Result<DynamicObject> {
    if !exists {
        return serde_json::from_value(object.value.clone()).context("not an object");
    }
    let parameters = PatchParams::apply(MANAGER).force().dry_run();
    let mut value = object.value.clone();
    // With the operator's mark, so that it is none of the differences.
    value["metadata"]["annotations"][APPLIED] = hash(&object.value).into();
    match api.patch(object.name(), &parameters, &Patch::Apply(&value)).await {
        Ok(becomes) => Ok(becomes),
        // The operator makes Jobs and Services anew that cannot be changed in place.
        Err(kube::Error::Api(status)) if status.code == 422 && matches!(object.kind(), "Job" | "Service") => {
            serde_json::from_value(object.value.clone()).context("not an object")
        }
        Err(error) => Err(error).with_context(|| format!("the API server refuses {}", object.key())),
    }
}

/// What the operator made for this deployment and would not make any more.
async fn unwanted(
    cluster: &Cluster,
    deployment: &GroupwareDeployment,
    apis: &Found,
    names: &HashSet<children::Key>,
) -> Result<Vec<Change>> {
    let (namespace, name) = (deployment.namespace().unwrap_or_default(), deployment.name_any());
    let uid = deployment.metadata.uid.as_deref();
    let selector = format!("{}={},{}={name}", children::MANAGED_BY, children::OPERATOR, children::INSTANCE);
    let mut changes = Vec::new();
    for resource in children::core().into_iter().chain(apis.values().cloned()) {
        let list = api(cluster, &namespace, &resource).list(&ListParams::default().labels(&selector)).await;
        let list = list.with_context(|| format!("cannot list {}", resource.plural))?;
        for mut object in list.items {
            let ours = object.owner_references().iter().any(|owner| Some(owner.uid.as_str()) == uid);
            if ours && !names.contains(&children::key(&resource, &object)) {
                object.types.get_or_insert_with(|| kube::core::TypeMeta {
                    api_version: resource.api_version.clone(),
                    kind: resource.kind.clone(),
                });
                changes.extend(compare::change(Some(&object), None));
            }
        }
    }
    Ok(changes)
}

fn api(cluster: &Cluster, namespace: &str, resource: &kube::core::ApiResource) -> Api<DynamicObject> {
    Api::namespaced_with(cluster.client.clone(), namespace, resource)
}

fn print(changes: &[Change]) {
    for change in changes {
        let heading = format!("{} {}/{}", change.action.verb(), change.kind, change.name);
        anstream::println!("{}", style::bold(&heading));
        for line in change.diff.lines() {
            match line.as_bytes().first() {
                Some(b'+') => anstream::println!("{}", style::good(line)),
                Some(b'-') => anstream::println!("{}", style::bad(line)),
                Some(b'@') => anstream::println!("{}", style::faint(line)),
                _ => anstream::println!("{line}"),
            }
        }
        if change.restarts {
            anstream::println!("{}", style::doubtful("  its pods are replaced, a few at a time"));
        }
    }
    let count = |kind: Kind| changes.iter().filter(|change| change.action == kind).count();
    let (made, changed, deleted) = (count(Kind::Create), count(Kind::Change), count(Kind::Delete));
    anstream::println!("\n{made} to make, {changed} to change, {deleted} to delete");
}

const MANAGER: &str = "kontor-operator/deployment";
