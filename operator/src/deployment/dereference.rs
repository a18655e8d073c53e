//! Step 1 (client): fetches what a GroupwareDeployment refers to.

use crate::Context;
use crate::apis::{Found, Optional};
use crate::apply::hash;
use k8s_openapi::api::core::v1::Secret;
use kontor_crds::groupware_deployment::GroupwareDeployment;
use kube::api::DynamicObject;
use kube::{Api, ResourceExt};
use std::collections::BTreeMap;

/// What a GroupwareDeployment refers to, as far as it exists.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// Secrets by name: those that the spec names, with their data.
    pub secrets: BTreeMap<String, SecretData>,
    /// The CloudNativePG Cluster, if it is named and exists.
    pub postgres: Option<PostgresCluster>,
    /// Optional APIs.
    pub apis: Found,
}

/// The data of a Secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretData(pub BTreeMap<String, Vec<u8>>);

impl SecretData {
    /// The text of a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Another one when anything in it is.
    pub fn revision(&self) -> String {
        hash(&serde_json::json!(self.0))
    }
}

impl std::fmt::Debug for SecretData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A Cluster of CloudNativePG.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostgresCluster {
    /// Whether it takes connections.
    pub ready: bool,
    /// What it says of itself.
    pub phase: String,
}

/// Fetches it all.
///
/// # Errors
/// When the API server does not answer. What does not exist is no error here.
pub async fn dereference(
    context: &Context,
    deployment: &GroupwareDeployment,
) -> Result<References, kube::Error> {
    let namespace = deployment.namespace().unwrap_or_default();
    let apis = context.apis.now();
    let mut references = References { apis: apis.clone(), ..References::default() };
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &namespace);
    for name in secret_names(deployment) {
        if let Some(secret) = secrets.get_opt(&name).await? {
            let data = secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0));
            references.secrets.insert(name, SecretData(data.collect()));
        }
    }
    let cluster =
        deployment.spec.storage.database.as_ref().and_then(|database| database.cloud_native_pg.as_ref());
    if let (Some(cluster), Some(resource)) = (cluster, apis.get(&Optional::PostgresCluster)) {
        let clusters: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &namespace, resource);
        if let Some(found) = clusters.get_opt(&cluster.cluster_ref.name).await? {
            references.postgres = Some(postgres(&found));
        }
    }
    Ok(references)
}

/// The names of all Secrets that a spec names.
pub fn secret_names(deployment: &GroupwareDeployment) -> Vec<String> {
    let spec = &deployment.spec;
    let mut names = Vec::new();
    if let Some(database) = &spec.storage.database {
        names.extend(database.external.iter().map(|external| external.url_secret_ref.name.clone()));
        names.extend(database.cloud_native_pg.iter().map(|pg| format!("{}-app", pg.cluster_ref.name)));
    }
    names.extend(spec.storage.object_store.iter().map(|store| store.credentials_secret_ref.name.clone()));
    names.extend(spec.tls.secret_ref.iter().map(|secret| secret.name.clone()));
    if spec.tls.cert_manager.is_some() {
        names.push(super::validate::certificate_secret(&deployment.name_any()));
    }
    for pool in &spec.gateways {
        let relay = pool.config.smtp.relay.as_ref();
        names.extend(relay.and_then(|relay| relay.credentials_secret_ref.clone()).map(|secret| secret.name));
    }
    names.sort();
    names.dedup();
    names
}

fn postgres(cluster: &DynamicObject) -> PostgresCluster {
    let status = cluster.data.get("status");
    let number =
        |field: &str| status.and_then(|status| status.get(field)).and_then(serde_json::Value::as_i64);
    let phase = status.and_then(|status| status.get("phase")).and_then(serde_json::Value::as_str);
    PostgresCluster {
        ready: number("readyInstances").unwrap_or(0) > 0,
        phase: phase.unwrap_or("not started").to_owned(),
    }
}
