//! Who we are to the API server, and who it is to us: the certificate of the metrics API, the authority of the front
//! proxy, and the registration as an APIService.

use crate::authority::{self, Pair, Request};
use anyhow::Context as _;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{
    APIService, APIServiceSpec, ServiceReference,
};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use parking_lot::RwLock;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Where the API server finds the metrics API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The operator's namespace.
    pub namespace: String,
    /// The Service in front of its replicas.
    pub service: String,
}

/// The current TLS configuration, kept current.
pub struct Identity {
    client: Client,
    registration: Registration,
    current: RwLock<Option<Current>>,
}

struct Current {
    material: Material,
    server: Arc<ServerConfig>,
    /// Common names that a front proxy may have; any, when empty.
    names: Vec<String>,
}

/// All that the TLS configuration is made from.
#[derive(Clone, PartialEq, Eq)]
struct Material {
    leaf: Pair,
    front_proxy: String,
    names: Vec<String>,
}

impl Identity {
    pub fn new(client: Client, registration: Registration) -> Self {
        Self { client, registration, current: RwLock::new(None) }
    }

    /// What a new connection gets; none before there is a certificate.
    pub fn server_config(&self) -> Option<Arc<ServerConfig>> {
        self.current.read().as_ref().map(|current| current.server.clone())
    }

    /// Whether a client certificate, which the handshake has checked, is the front proxy's.
    pub fn admits(&self, leaf: &CertificateDer<'_>) -> bool {
        let current = self.current.read();
        let Some(current) = current.as_ref() else { return false };
        if current.names.is_empty() {
            return true;
        }
        let Ok((_, certificate)) = x509_parser::parse_x509_certificate(leaf) else { return false };
        let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        name.is_some_and(|name| current.names.iter().any(|allowed| allowed == name))
    }

    /// Keeps it all current. Failures are logged and tried again: autoscaling is not worth a process.
    pub async fn keep(self: Arc<Self>) {
        loop {
            let pause = match self.refresh().await {
                Ok(()) => INTERVAL,
                Err(error) => {
                    tracing::warn!("the metrics API for autoscalers: {error:#}");
                    RETRY
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn refresh(&self) -> anyhow::Result<()> {
        let (ca, leaf) = self.certificate().await.context("its certificate")?;
        let (front_proxy, names) = self.front_proxy().await.context("the authority of the front proxy")?;
        let material = Material { leaf, front_proxy, names };
        let known = self.current.read().as_ref().is_some_and(|current| current.material == material);
        if !known {
            let server = server_config(&material)?;
            let names = material.names.clone();
            *self.current.write() = Some(Current { material, server, names });
            tracing::info!("serving open connections to autoscalers");
        }
        self.register(&ca).await.context("its registration as an APIService")
    }

    /// Authority and certificate from the Secret that all replicas share; made or renewed by whoever comes first.
    async fn certificate(&self) -> anyhow::Result<(String, Pair)> {
        let Registration { namespace, service } = &self.registration;
        let name = format!("{service}-external-metrics");
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let now = Timestamp::now();
        let request = Request {
            common_name: service.clone(),
            dns_names: vec![format!("{service}.{namespace}.svc"), format!("{service}.{namespace}")],
        };
        let found = secrets.get_opt(&name).await?;
        let data = found.as_ref().and_then(|secret| secret.data.clone()).unwrap_or_default();
        let text = |key: &str| data.get(key).and_then(|bytes| String::from_utf8(bytes.0.clone()).ok());
        let pair =
            |certificate: &str, key: &str| Some(Pair { certificate: text(certificate)?, key: text(key)? });
        let ca = pair("ca.crt", "ca.key").filter(|ca| authority::is_good_authority(ca, now));
        let leaf = pair("tls.crt", "tls.key");
        if let (Some(ca), Some(leaf)) = (&ca, &leaf)
            && authority::is_good(leaf, ca, &request, now)
        {
            return Ok((ca.certificate.clone(), leaf.clone()));
        }
        let ca = match ca {
            Some(ca) => ca,
            None => authority::found(&format!("{service} metrics"), now)?,
        };
        let leaf = authority::issue(&ca, &request, now)?;
        let texts = [
            ("ca.crt", &ca.certificate),
            ("ca.key", &ca.key),
            ("tls.crt", &leaf.certificate),
            ("tls.key", &leaf.key),
        ];
        let data: BTreeMap<_, _> =
            texts.map(|(key, text)| (key.to_owned(), ByteString(text.clone().into_bytes()))).into();
        match found {
            None => {
                let secret = Secret {
                    metadata: ObjectMeta { name: Some(name), ..ObjectMeta::default() },
                    data: Some(data),
                    ..Secret::default()
                };
                match secrets.create(&PostParams::default(), &secret).await {
                    // Another replica was faster: its certificate is as good.
                    Err(kube::Error::Api(status)) if status.code == 409 => {
                        return Box::pin(self.certificate()).await;
                    }
                    created => drop(created?),
                }
            }
            Some(found) => {
                let version = found.metadata.resource_version;
                let patch = serde_json::json!({ "metadata": { "resourceVersion": version }, "data": data });
                secrets.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
            }
        }
        Ok((ca.certificate, leaf))
    }

    async fn front_proxy(&self) -> anyhow::Result<(String, Vec<String>)> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), "kube-system");
        let data = maps.get("extension-apiserver-authentication").await?.data.unwrap_or_default();
        let ca = data
            .get("requestheader-client-ca-file")
            .context("the API server has no front proxy (requestheader-client-ca-file)")?;
        let names = data.get("requestheader-allowed-names").map(String::as_str).unwrap_or("[]");
        Ok((ca.clone(), serde_json::from_str(names).context("requestheader-allowed-names")?))
    }

    /// The chart makes the APIService; without a chart the operator does. Either way its authority is the operator's.
    async fn register(&self, ca: &str) -> anyhow::Result<()> {
        let services: Api<APIService> = Api::all(self.client.clone());
        let Registration { namespace, service } = &self.registration;
        let bundle = ByteString(ca.as_bytes().to_vec());
        let Some(found) = services.get_opt(NAME).await? else {
            let wanted = APIService {
                metadata: ObjectMeta { name: Some(NAME.into()), ..ObjectMeta::default() },
                spec: Some(APIServiceSpec {
                    group: Some("external.metrics.k8s.io".into()),
                    version: Some("v1beta1".into()),
                    group_priority_minimum: 100,
                    version_priority: 100,
                    ca_bundle: Some(bundle),
                    service: Some(ServiceReference {
                        namespace: Some(namespace.clone()),
                        name: Some(service.clone()),
                        port: Some(443),
                    }),
                    ..APIServiceSpec::default()
                }),
                status: None,
            };
            services.create(&PostParams::default(), &wanted).await?;
            return Ok(());
        };
        let spec = found.spec.unwrap_or_default();
        let reference = spec.service.unwrap_or_default();
        let ours =
            reference.name.as_ref() == Some(service) && reference.namespace.as_ref() == Some(namespace);
        anyhow::ensure!(
            ours,
            "{NAME} belongs to {}/{}: pools scale by CPU only, unless that one serves kontor_connections_open",
            reference.namespace.unwrap_or_default(),
            reference.name.unwrap_or_default()
        );
        if spec.ca_bundle.as_ref() != Some(&bundle) {
            let patch = serde_json::json!({ "spec": { "caBundle": bundle } });
            services.patch(NAME, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        }
        Ok(())
    }
}

fn server_config(material: &Material) -> anyhow::Result<Arc<ServerConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(material.front_proxy.as_bytes()) {
        roots.add(certificate.context("the front proxy's authority is no certificate")?)?;
    }
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build()?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(material.leaf.certificate.as_bytes())
        .collect::<Result<_, _>>()
        .context("our certificate is none")?;
    let key = PrivateKeyDer::from_pem_slice(material.leaf.key.as_bytes()).context("our key is none")?;
    let mut config =
        ServerConfig::builder().with_client_cert_verifier(verifier).with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

const NAME: &str = "v1beta1.external.metrics.k8s.io";
const INTERVAL: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(10);
