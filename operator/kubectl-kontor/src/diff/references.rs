//! What a spec refers to, and what the operator made up for it before, read with the rights of whoever calls.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Secret;
use kontor_crds::GroupwareDeployment;
use kontor_operator::apis::{Found, Optional};
use kontor_operator::children;
use kontor_operator::deployment::dereference::{PostgresCluster, References, SecretData, secret_names};
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a spec refers to, as far as it exists.
pub async fn fetch(client: &Client, deployment: &GroupwareDeployment, apis: Found) -> Result<References> {
    let namespace = deployment.namespace().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let mut references = References { apis: apis.clone(), ..References::default() };
    for name in secret_names(deployment) {
        let found = secrets.get_opt(&name).await;
        if let Some(secret) = found.with_context(|| format!("cannot read Secret {name}"))? {
            references.secrets.insert(name, data(secret));
        }
    }
    let cluster =
        deployment.spec.storage.database.as_ref().and_then(|database| database.cloud_native_pg.as_ref());
    if let (Some(cluster), Some(resource)) = (cluster, apis.get(&Optional::PostgresCluster)) {
        let clusters: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, resource);
        let found = clusters.get_opt(&cluster.cluster_ref.name).await.context("cannot read the Cluster")?;
        references.postgres = found.map(|found| PostgresCluster {
            ready: found.data.pointer("/status/readyInstances").and_then(Value::as_i64).unwrap_or(0) > 0,
            phase: String::new(),
        });
    }
    Ok(references)
}

/// The Secrets that the operator made for a deployment.
pub async fn made(client: &Client, deployment: &GroupwareDeployment) -> Result<BTreeMap<String, SecretData>> {
    let namespace = deployment.namespace().unwrap_or_default();
    let (managed_by, operator, instance) = (children::MANAGED_BY, children::OPERATOR, children::INSTANCE);
    let selector = format!("{managed_by}={operator},{instance}={}", deployment.name_any());
    let found = Api::<Secret>::namespaced(client.clone(), &namespace);
    let found = found.list(&ListParams::default().labels(&selector)).await;
    let found =
        found.context("cannot list the Secrets that the operator made, which the comparison needs")?;
    Ok(found.items.into_iter().map(|secret| (secret.name_any(), data(secret))).collect())
}

fn data(secret: Secret) -> SecretData {
    SecretData(secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect())
}
