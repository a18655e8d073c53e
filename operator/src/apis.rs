//! APIs that a cluster may have or not, and may get later: cert-manager, Gateway API, the Prometheus operator,
//! CloudNativePG. They are looked for again and again; one that is missing is never an error by itself.

use kube::Client;
use kube::core::ApiResource;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// An API that a cluster may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Optional {
    /// `cert-manager.io` Certificate.
    Certificate,
    /// `gateway.networking.k8s.io` TLSRoute.
    TlsRoute,
    /// `gateway.networking.k8s.io` TCPRoute.
    TcpRoute,
    /// `gateway.networking.k8s.io` HTTPRoute.
    HttpRoute,
    /// `monitoring.coreos.com` ServiceMonitor.
    ServiceMonitor,
    /// `monitoring.coreos.com` PrometheusRule.
    PrometheusRule,
    /// `postgresql.cnpg.io` Cluster.
    PostgresCluster,
}

impl Optional {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Certificate,
        Self::TlsRoute,
        Self::TcpRoute,
        Self::HttpRoute,
        Self::ServiceMonitor,
        Self::PrometheusRule,
        Self::PostgresCluster,
    ];

    /// Group and kind.
    pub fn group_kind(self) -> (&'static str, &'static str) {
        match self {
            Self::Certificate => ("cert-manager.io", "Certificate"),
            Self::TlsRoute => ("gateway.networking.k8s.io", "TLSRoute"),
            Self::TcpRoute => ("gateway.networking.k8s.io", "TCPRoute"),
            Self::HttpRoute => ("gateway.networking.k8s.io", "HTTPRoute"),
            Self::ServiceMonitor => ("monitoring.coreos.com", "ServiceMonitor"),
            Self::PrometheusRule => ("monitoring.coreos.com", "PrometheusRule"),
            Self::PostgresCluster => ("postgresql.cnpg.io", "Cluster"),
        }
    }
}

/// What the cluster has of them now.
pub type Found = Arc<BTreeMap<Optional, ApiResource>>;

/// What the cluster has of them, as time goes by. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Apis(watch::Receiver<Found>);

impl Apis {
    /// Looks once, and then as long as the returned future is polled.
    ///
    /// # Errors
    /// When the first look fails.
    pub async fn discover(client: Client) -> Result<(Self, impl Future<Output = ()> + Send), kube::Error> {
        let (sender, receiver) = watch::channel(Arc::new(look(&client).await?));
        let looking = async move {
            loop {
                tokio::time::sleep(INTERVAL).await;
                match look(&client).await {
                    Ok(found) => {
                        sender.send_if_modified(|before| {
                            let changed = **before != found;
                            if changed {
                                tracing::info!(
                                    apis = ?found.keys().collect::<Vec<_>>(),
                                    "the cluster's optional APIs changed"
                                );
                                *before = Arc::new(found);
                            }
                            changed
                        });
                    }
                    Err(error) => tracing::warn!(%error, "cannot look for optional APIs"),
                }
            }
        };
        Ok((Self(receiver), looking))
    }

    /// A fixed set, for tests.
    pub fn fixed(found: BTreeMap<Optional, ApiResource>) -> Self {
        Self(watch::channel(Arc::new(found)).1)
    }

    /// What there is now.
    pub fn now(&self) -> Found {
        self.0.borrow().clone()
    }

    /// Waits until something appears or goes.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn look(client: &Client) -> Result<BTreeMap<Optional, ApiResource>, kube::Error> {
    let groups = client.list_api_groups().await?;
    let mut found = BTreeMap::new();
    for group in groups.groups {
        let wanted: Vec<_> =
            Optional::ALL.iter().copied().filter(|api| api.group_kind().0 == group.name).collect();
        if wanted.is_empty() {
            continue;
        }
        // The preferred version first; a kind may exist in another one only (TCPRoute).
        let mut versions: Vec<_> = group.versions.iter().map(|v| v.group_version.clone()).collect();
        if let Some(preferred) = &group.preferred_version {
            versions.sort_by_key(|version| *version != preferred.group_version);
        }
        for version in versions {
            // A group whose server is away is looked at next time.
            let Ok(resources) = client.list_api_group_resources(&version).await else { continue };
            for resource in resources.resources {
                let api = wanted.iter().find(|api| api.group_kind().1 == resource.kind);
                if let Some(api) = api.filter(|_| !resource.name.contains('/')) {
                    found.entry(*api).or_insert_with(|| ApiResource {
                        group: group.name.clone(),
                        version: version.rsplit('/').next().unwrap_or(&version).to_owned(),
                        api_version: version.clone(),
                        kind: resource.kind,
                        plural: resource.name,
                    });
                }
            }
        }
    }
    Ok(found)
}

const INTERVAL: Duration = Duration::from_secs(30);
