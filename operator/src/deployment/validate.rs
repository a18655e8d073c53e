//! Step 2 (pure): a spec and what it refers to become something that can be built, or the reason why not.

use super::dereference::{References, SecretData};
use super::names::{DATABASE, Identity, OBJECT_STORE};
use crate::apis::{Found, Optional};
use crate::conditions::Finding;
use kontor_crds::groupware_deployment::{
    Embedded, ExposureType, GroupwareDeployment, GroupwareDeploymentSpec, ProxyProtocolMode, SecretKey,
};
use kube::ResourceExt;
use thiserror::Error;

/// A deployment that can be built.
#[derive(Clone, Debug)]
pub struct Valid {
    /// Name, namespace, UID.
    pub identity: Identity,
    /// The spec; what it refers to has been found.
    pub spec: GroupwareDeploymentSpec,
    /// The key of a Secret that holds the database's URL.
    pub database: SecretKey,
    /// Another one when the URL is.
    pub database_revision: String,
    /// Where bodies are.
    pub object_store: Bucket,
    /// The Secret with the certificate for the outside, when it is not the operator's own.
    pub certificate_secret: Option<String>,
    /// Another one when a relay's credentials are.
    pub relay_revision: String,
    /// Optional APIs.
    pub apis: Found,
    /// What holds or does not without being a reason to build nothing.
    pub findings: Vec<Finding>,
}

/// Where bodies are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// URL; empty for AWS.
    pub endpoint: String,
    /// Region.
    pub region: String,
    /// Bucket.
    pub bucket: String,
    /// Put in front of keys.
    pub prefix: String,
    /// The Secret with `accessKey` and `secretKey`.
    pub secret: String,
    /// Another one when the credentials are.
    pub revision: String,
}

/// Why nothing can be built.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}")]
pub struct Invalid {
    /// In CamelCase.
    pub reason: &'static str,
    /// For a person.
    pub message: String,
}

impl Valid {
    /// The embedded storage, if it is asked for.
    pub fn embedded(&self) -> Option<&Embedded> {
        self.spec.storage.embedded.as_ref()
    }

    /// The networks whose connections begin with a header of the PROXY protocol.
    pub fn proxies(&self) -> &[String] {
        match self.spec.network.proxy_protocol.mode {
            ProxyProtocolMode::Enabled => &self.spec.network.proxy_protocol.trusted_cidrs,
            ProxyProtocolMode::Disabled => &[],
        }
    }
}

/// Checks it all.
///
/// # Errors
/// [`Invalid`], with what a person has to change.
pub fn validate(deployment: &GroupwareDeployment, references: &References) -> Result<Valid, Invalid> {
    let spec = &deployment.spec;
    let identity = Identity {
        name: deployment.name_any(),
        namespace: deployment.namespace().unwrap_or_default(),
        uid: deployment.uid().to_owned(),
    };
    check_rules(deployment)?;
    let mut findings = Vec::new();
    let (database, database_revision) = database(&identity, spec, references)?;
    let object_store = object_store(&identity, spec, references)?;
    let certificate_secret = certificate(&identity, spec, references, &mut findings)?;
    let mut relay_revision = String::new();
    for pool in &spec.gateways {
        let relay = pool.config.smtp.relay.as_ref();
        if let Some(secret) = relay.and_then(|relay| relay.credentials_secret_ref.as_ref()) {
            let what = format!("gateways[{}].config.smtp.relay.credentialsSecretRef", pool.name);
            let data = secret_with(references, &secret.name, &["username", "password"], &what)?;
            relay_revision.push_str(&data.revision());
        }
    }
    routes(spec, references, &mut findings);
    Ok(Valid {
        identity,
        spec: spec.clone(),
        database,
        database_revision,
        object_store,
        certificate_secret,
        relay_revision,
        apis: references.apis.clone(),
        findings,
    })
}

/// The rules of the schema, for those who have an older one.
fn check_rules(deployment: &GroupwareDeployment) -> Result<(), Invalid> {
    let invalid = |message: String| Invalid { reason: "InvalidSpec", message };
    if deployment.name_any().len() > 40 {
        return Err(invalid("metadata.name: at most 40 characters".into()));
    }
    let mut served = std::collections::BTreeSet::new();
    for pool in &deployment.spec.gateways {
        if pool.replicas.is_some() && pool.autoscaling.is_some() {
            return Err(invalid(format!("gateways[{}]: replicas or autoscaling, not both", pool.name)));
        }
        if pool.protocols.len() > 1 && super::routes::is_ingress(pool) {
            return Err(invalid(format!("gateways[{}]: Ingress, or other protocols, not both", pool.name)));
        }
        for protocol in &pool.protocols {
            if !served.insert(*protocol) {
                return Err(invalid(format!("gateways[{}]: {protocol:?} belongs to one pool", pool.name)));
            }
        }
    }
    if let Some(embedded) = &deployment.spec.storage.embedded
        && !is_quantity(&embedded.size)
    {
        return Err(invalid(format!("storage.embedded.size: {:?} is no size such as 10Gi", embedded.size)));
    }
    Ok(())
}

fn database(
    identity: &Identity,
    spec: &GroupwareDeploymentSpec,
    references: &References,
) -> Result<(SecretKey, String), Invalid> {
    if spec.storage.embedded.is_some() {
        // Made once and never changed.
        return Ok((SecretKey { name: identity.child(DATABASE), key: "url".into() }, String::new()));
    }
    let database = spec.storage.database.as_ref().ok_or_else(|| Invalid {
        reason: "InvalidSpec",
        message: "storage: either embedded, or database and objectStore".into(),
    })?;
    if let Some(external) = &database.external {
        let SecretKey { name, key } = &external.url_secret_ref;
        let what = "storage.database.external.urlSecretRef";
        let data = secret_with(references, name, &[key], what)?;
        let url = data.text(key).map(str::trim).unwrap_or_default();
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://") || url.contains("host=")) {
            return Err(Invalid {
                reason: "InvalidSecret",
                message: format!("{what}: key {key} of Secret {name} holds no postgres:// URL"),
            });
        }
        return Ok((external.url_secret_ref.clone(), data.revision()));
    }
    let Some(cluster) = &database.cloud_native_pg else {
        return Err(Invalid {
            reason: "InvalidSpec",
            message: "storage.database: one of external and cloudNativePG".into(),
        });
    };
    let name = &cluster.cluster_ref.name;
    let what = "storage.database.cloudNativePG.clusterRef";
    if !references.apis.contains_key(&Optional::PostgresCluster) {
        return Err(Invalid {
            reason: "CRDMissing",
            message: format!("{what}: the cluster has no API postgresql.cnpg.io; install CloudNativePG"),
        });
    }
    let Some(found) = &references.postgres else {
        return Err(Invalid {
            reason: "RefNotFound",
            message: format!("{what}: there is no Cluster {name}"),
        });
    };
    if !found.ready {
        return Err(Invalid {
            reason: "RefNotReady",
            message: format!("{what}: Cluster {name} is not ready: {}", found.phase),
        });
    }
    let secret = format!("{name}-app");
    let data = secret_with(references, &secret, &["uri"], what)?;
    Ok((SecretKey { name: secret, key: "uri".into() }, data.revision()))
}

fn object_store(
    identity: &Identity,
    spec: &GroupwareDeploymentSpec,
    references: &References,
) -> Result<Bucket, Invalid> {
    if spec.storage.embedded.is_some() {
        return Ok(Bucket {
            endpoint: format!("http://{}.{}.svc:3900", identity.child(OBJECT_STORE), identity.namespace),
            region: "garage".into(),
            bucket: "kontor".into(),
            prefix: String::new(),
            secret: identity.child(OBJECT_STORE),
            revision: String::new(),
        });
    }
    let store = spec.storage.object_store.as_ref().ok_or_else(|| Invalid {
        reason: "InvalidSpec",
        message: "storage: either embedded, or database and objectStore".into(),
    })?;
    let secret = store.credentials_secret_ref.name.clone();
    let what = "storage.objectStore.credentialsSecretRef";
    let data = secret_with(references, &secret, &["accessKey", "secretKey"], what)?;
    Ok(Bucket {
        endpoint: store.endpoint.clone(),
        region: store.region.clone(),
        bucket: store.bucket.clone(),
        prefix: store.prefix.clone(),
        secret,
        revision: data.revision(),
    })
}

/// The Secret for the outside. Until cert-manager has issued, the operator's own certificate serves.
fn certificate(
    identity: &Identity,
    spec: &GroupwareDeploymentSpec,
    references: &References,
    findings: &mut Vec<Finding>,
) -> Result<Option<String>, Invalid> {
    if let Some(secret) = &spec.tls.secret_ref {
        let what = "tls.secretRef";
        let data = secret_with(references, &secret.name, &["tls.crt", "tls.key"], what)?;
        if crate::authority::not_after(data.text("tls.crt").unwrap_or_default()).is_err() {
            return Err(Invalid {
                reason: "InvalidSecret",
                message: format!("{what}: tls.crt of Secret {} holds no certificate in PEM", secret.name),
            });
        }
        return Ok(Some(secret.name.clone()));
    }
    if spec.tls.cert_manager.is_none() {
        return Ok(None);
    }
    if !references.apis.contains_key(&Optional::Certificate) {
        findings.push(Finding::no(
            super::status::CERTIFICATES_READY,
            "CRDMissing",
            "tls.certManager: the cluster has no API cert-manager.io; install cert-manager. Until then the operator's \
             own certificate serves, which clients do not know",
        ));
        return Ok(None);
    }
    let name = certificate_secret(&identity.name);
    if references.secrets.get(&name).is_some_and(|secret| secret.text("tls.crt").is_some()) {
        return Ok(Some(name));
    }
    findings.push(Finding::no(
        super::status::CERTIFICATES_READY,
        "Pending",
        format!(
            "tls.certManager: cert-manager has not issued yet, see `kubectl describe certificate {name}`; until then \
             the operator's own certificate serves"
        ),
    ));
    Ok(None)
}

fn routes(spec: &GroupwareDeploymentSpec, references: &References, findings: &mut Vec<Finding>) {
    if spec.network.exposure.type_ != ExposureType::Gateway {
        return;
    }
    let http = super::routes::http_pools(spec).next().is_some();
    let needed = [(Optional::TlsRoute, "TLSRoute"), (Optional::TcpRoute, "TCPRoute")]
        .into_iter()
        .chain(http.then_some((Optional::HttpRoute, "HTTPRoute")));
    let missing: Vec<_> =
        needed.filter(|(api, _)| !references.apis.contains_key(api)).map(|(_, kind)| kind).collect();
    if !missing.is_empty() {
        findings.push(Finding::no(
            super::status::ROUTES_ACCEPTED,
            "CRDMissing",
            format!(
                "network.exposure: the cluster does not know {} of gateway.networking.k8s.io (TCPRoute is in the \
                 experimental channel); what needs them is not routed. network.exposure.type LoadBalancer needs none",
                missing.join(" and ")
            ),
        ));
    }
}

fn secret_with<'a>(
    references: &'a References,
    name: &str,
    keys: &[&str],
    what: &str,
) -> Result<&'a SecretData, Invalid> {
    let data = references.secrets.get(name).ok_or_else(|| Invalid {
        reason: "RefNotFound",
        message: format!("{what}: there is no Secret {name} in this namespace"),
    })?;
    for key in keys {
        if data.text(key).is_none_or(|value| value.trim().is_empty()) {
            let reason = "InvalidSecret";
            return Err(Invalid {
                reason,
                message: format!("{what}: Secret {name} has no key {key}, or it is empty"),
            });
        }
    }
    Ok(data)
}

fn is_quantity(text: &str) -> bool {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    end > 0 && matches!(text.get(end..), Some("" | "Ki" | "Mi" | "Gi" | "Ti" | "k" | "M" | "G" | "T"))
}

/// The Secret that cert-manager is asked to write to.
pub fn certificate_secret(deployment: &str) -> String {
    format!("{deployment}-certificate")
}
