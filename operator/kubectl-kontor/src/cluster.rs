//! The way to the cluster: the one that kubectl takes.

use anyhow::{Context, Result};
use clap::Args;
use k8s_openapi::api::core::v1::Pod;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, ResourceExt};
use std::path::PathBuf;
use std::time::Duration;

/// Which cluster, and where in it.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// Path of the kubeconfig. Default: $KUBECONFIG, else ~/.kube/config.
    #[arg(long, value_name = "FILE", global = true)]
    kubeconfig: Option<PathBuf>,

    /// Context in the kubeconfig. Default: the current one.
    #[arg(long, value_name = "NAME", global = true)]
    context: Option<String>,

    /// Namespace. Default: that of the context.
    #[arg(short, long, value_name = "NAME", global = true)]
    namespace: Option<String>,
}

/// A cluster and a namespace in it.
pub struct Cluster {
    /// The way to the API server.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
}

impl Place {
    /// The namespace that was asked for by name.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Connects. Nothing is asked yet.
    pub async fn connect(&self) -> Result<Cluster> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let mut config = if let Some(path) = &self.kubeconfig {
            let file =
                Kubeconfig::read_from(path).with_context(|| format!("cannot read {}", path.display()))?;
            Config::from_custom_kubeconfig(file, &options).await?
        } else if self.context.is_some() {
            Config::from_kubeconfig(&options).await?
        } else {
            Config::infer().await.context("there is no usable kubeconfig, and this is no pod either")?
        };
        // A refused eviction says that a pod may not go yet; whether to ask again is decided here.
        config.default_retry = false;
        config.read_timeout = Some(Duration::from_secs(60));
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok(Cluster { client: Client::try_from(config)?, namespace })
    }
}

/// What a pod's `/metrics` answers, by way of the API server: only that one has to be reachable from here. Takes the right
/// to `get pods/proxy`.
pub async fn metrics(client: &Client, pod: &Pod) -> Result<String> {
    let namespace = pod.namespace().unwrap_or_default();
    let path = format!("/api/v1/namespaces/{namespace}/pods/{}:{MONITOR}/proxy/metrics", pod.name_any());
    let request = http::Request::get(path).body(Vec::new())?;
    tokio::time::timeout(SCRAPE, client.request_text(request))
        .await
        .context("no answer in time")?
        .map_err(Into::into)
}

/// The port of `/metrics` in every pod of Kontor.
const MONITOR: u16 = 9090;
const SCRAPE: Duration = Duration::from_secs(5);
