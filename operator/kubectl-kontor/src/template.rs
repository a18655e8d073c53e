//! `kubectl kontor template`: what the operator would make of a file, without a cluster.
//!
//! What a file refers to and is not in it, is taken to exist. What the operator makes up (passwords, certificates) is
//! shown as a placeholder, so that the same file gives the same text.

use crate::Outcome;
use crate::cli::{Format, Template};
use crate::cluster::Place;
use crate::manifest;
use anyhow::{Context, Result};
use clap::ValueEnum;
use jiff::Timestamp;
use kontor_crds::GroupwareDeployment;
use kontor_operator::apis::Optional;
use kontor_operator::authority;
use kontor_operator::deployment::dereference::{PostgresCluster, References, SecretData, secret_names};
use kontor_operator::deployment::validate::{Valid, validate};
use kontor_operator::deployment::{Material, Stage, build, material};
use kube::ResourceExt;
use kube::core::ApiResource;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An optional API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Api {
    /// cert-manager.io Certificate.
    Certificate,
    /// gateway.networking.k8s.io TLSRoute.
    TlsRoute,
    /// gateway.networking.k8s.io TCPRoute.
    TcpRoute,
    /// gateway.networking.k8s.io HTTPRoute.
    HttpRoute,
    /// monitoring.coreos.com ServiceMonitor.
    ServiceMonitor,
    /// monitoring.coreos.com PrometheusRule.
    PrometheusRule,
}

impl Api {
    fn resource(self) -> (Optional, ApiResource) {
        let (api, version, plural) = match self {
            Self::Certificate => (Optional::Certificate, "v1", "certificates"),
            Self::TlsRoute => (Optional::TlsRoute, "v1", "tlsroutes"),
            Self::TcpRoute => (Optional::TcpRoute, "v1alpha2", "tcproutes"),
            Self::HttpRoute => (Optional::HttpRoute, "v1", "httproutes"),
            Self::ServiceMonitor => (Optional::ServiceMonitor, "v1", "servicemonitors"),
            Self::PrometheusRule => (Optional::PrometheusRule, "v1", "prometheusrules"),
        };
        (api, resource(api, version, plural))
    }
}

/// Runs the command.
pub fn run(place: &Place, arguments: &Template) -> Result<Outcome> {
    let mut all = Vec::new();
    for mut deployment in manifest::read(&arguments.file)? {
        let namespace = deployment.namespace().or_else(|| place.namespace().map(str::to_owned));
        deployment.metadata.namespace = Some(namespace.unwrap_or_else(|| "default".to_owned()));
        let apis = arguments.apis.iter().map(|api| api.resource());
        all.extend(
            objects(&deployment, apis)
                .with_context(|| format!("GroupwareDeployment {}", deployment.name_any()))?,
        );
    }
    match arguments.output {
        Format::Json => anstream::println!("{:#}", Value::Array(all)),
        Format::Table => {
            for object in &all {
                anstream::println!("---\n{}", serde_saphyr::to_string(object)?.trim_end());
            }
        }
    }
    Ok(Outcome::Fine)
}

fn objects(
    deployment: &GroupwareDeployment,
    apis: impl Iterator<Item = (Optional, ApiResource)>,
) -> Result<Vec<Value>> {
    let valid = validate(deployment, &references(deployment, apis)?)?;
    let material = placeholders(&valid)?;
    let desired = build(&valid, &material, &Stage::complete(&deployment.spec.image.tag));
    Ok(desired.objects.into_iter().map(|object| shown(object.value)).collect())
}

/// Whatever a spec names, as if it were there.
fn references(
    deployment: &GroupwareDeployment,
    apis: impl Iterator<Item = (Optional, ApiResource)>,
) -> Result<References> {
    let spec = &deployment.spec;
    let mut found: BTreeMap<_, _> = apis.collect();
    let postgres = spec.storage.database.as_ref().and_then(|database| database.cloud_native_pg.as_ref());
    if postgres.is_some() {
        let api = Optional::PostgresCluster;
        found.entry(api).or_insert_with(|| resource(api, "v1", "clusters"));
    }
    let certificate = authority::found(PLACEHOLDER, Timestamp::now())?.certificate;
    let mut keys = BTreeMap::from([
        ("accessKey", PLACEHOLDER),
        ("secretKey", PLACEHOLDER),
        ("username", PLACEHOLDER),
        ("password", PLACEHOLDER),
        ("uri", "postgres://placeholder"),
        ("tls.crt", certificate.as_str()),
        ("tls.key", PLACEHOLDER),
    ]);
    let external = spec.storage.database.as_ref().and_then(|database| database.external.as_ref());
    if let Some(external) = external {
        keys.insert(external.url_secret_ref.key.as_str(), "postgres://placeholder");
    }
    let data: BTreeMap<_, _> =
        keys.into_iter().map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec())).collect();
    let mut names = secret_names(deployment);
    // cert-manager has issued only where it is.
    if !found.contains_key(&Optional::Certificate) && spec.tls.cert_manager.is_some() {
        names.retain(|name| !name.ends_with("-certificate"));
    }
    Ok(References {
        secrets: names.into_iter().map(|name| (name, SecretData(data.clone()))).collect(),
        postgres: postgres.map(|_| PostgresCluster { ready: true, phase: String::new() }),
        apis: Arc::new(found),
    })
}

/// The Secrets that the operator makes up, by name and key, with nothing in them.
fn placeholders(valid: &Valid) -> Result<Material> {
    let made = material::complete(valid, &BTreeMap::new(), Timestamp::now(), &mut |octets| vec![0; octets])?;
    let blank = |data: SecretData| {
        SecretData(data.0.into_keys().map(|key| (key, PLACEHOLDER.as_bytes().to_vec())).collect())
    };
    Ok(Material { secrets: made.secrets.into_iter().map(|(name, data)| (name, blank(data))).collect() })
}

/// An object as it is shown: with the placeholders to be read, and without an owner that is in no cluster yet.
fn shown(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("ownerReferences");
    }
    if object["kind"] == "Secret"
        && let Some(object) = object.as_object_mut()
        && let Some(Value::Object(data)) = object.remove("data")
    {
        let keys = data.into_iter().map(|(key, _)| (key, PLACEHOLDER.into()));
        object.insert("stringData".to_owned(), Value::Object(keys.collect::<Map<_, _>>()));
    }
    without_nulls(object)
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(all) => {
            let kept = all.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        Value::Array(all) => Value::Array(all.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

fn resource(api: Optional, version: &str, plural: &str) -> ApiResource {
    let (group, kind) = api.group_kind();
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: format!("{group}/{version}"),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

const PLACEHOLDER: &str = "(made by the operator)";

#[cfg(test)]
mod tests {
    use super::*;

    fn example(text: &str) -> GroupwareDeployment {
        let path =
            std::env::temp_dir().join(format!("kubectl-kontor-{}-{}.yaml", std::process::id(), text.len()));
        std::fs::write(&path, text).expect("a temporary file");
        let mut found = manifest::read(&path).expect("the example is right");
        let _ = std::fs::remove_file(path);
        found.remove(0)
    }

    fn names(objects: &[Value]) -> Vec<String> {
        let name = |object: &Value| {
            format!(
                "{}/{}",
                object["kind"].as_str().unwrap_or(""),
                object["metadata"]["name"].as_str().unwrap_or("")
            )
        };
        objects.iter().map(name).collect()
    }

    #[test]
    fn the_trial_is_rendered_the_same_each_time() {
        let deployment = example(include_str!("../../../docs/examples/trial.yaml"));
        let first = objects(&deployment, std::iter::empty()).expect("rendered");
        let names = names(&first);
        for expected in
            ["Deployment/trial-imap", "Deployment/trial-storage-node", "StatefulSet/trial-database"]
        {
            assert!(names.iter().any(|name| name == expected), "no {expected} among {names:?}");
        }
        assert_eq!(first, objects(&deployment, std::iter::empty()).expect("rendered"));
        assert!(!serde_json::to_string(&first).expect("JSON").contains("BEGIN"), "a key is shown");
    }

    #[test]
    fn optional_apis_are_used_when_they_are_named() {
        let deployment = example(include_str!("../../../docs/examples/production.yaml"));
        let without = names(&objects(&deployment, std::iter::empty()).expect("rendered"));
        assert!(
            !without
                .iter()
                .any(|name| name.starts_with("Certificate/") || name.starts_with("ServiceMonitor/"))
        );
        let apis = [Api::Certificate, Api::ServiceMonitor].map(Api::resource);
        let with = names(&objects(&deployment, apis.into_iter()).expect("rendered"));
        assert!(with.iter().any(|name| name.starts_with("Certificate/")), "{with:?}");
        assert!(with.iter().any(|name| name.starts_with("ServiceMonitor/")), "{with:?}");
    }
}
