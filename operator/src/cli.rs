//! The command line.

use clap::Parser;
use std::net::SocketAddr;

/// The Kubernetes operator of Kontor.
///
/// It runs inside a cluster with the service account of its pod, or anywhere with a kubeconfig ($KUBECONFIG).
#[derive(Clone, Debug, Parser)]
#[command(name = "kontor-operator", version)]
pub struct Arguments {
    /// Work in this namespace only. Default: in all, which takes a ClusterRole.
    #[arg(long, value_name = "NAMESPACE", env = "KONTOR_WATCH_NAMESPACE")]
    pub watch_namespace: Option<String>,

    /// The operator's own namespace: of its Lease, of its certificate and of its Service.
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", default_value = "kontor-system")]
    pub namespace: String,

    /// The name of this process among the operator's replicas.
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub identity: Option<String>,

    /// Name of the Lease that one replica holds.
    #[arg(long, value_name = "NAME", default_value = "kontor-operator")]
    pub lease: String,

    /// Address of `/metrics`, `/healthz` and `/readyz`.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9090")]
    pub monitor: SocketAddr,

    /// Address of the metrics API for autoscalers.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    pub external_metrics: SocketAddr,

    /// The Service in front of the metrics API. Empty: it is not served and not registered, and pools scale by CPU only.
    #[arg(long, value_name = "NAME", default_value = "kontor-operator", env = "KONTOR_SERVICE")]
    pub service: String,

    /// What is logged, such as `info` or `warn,kontor_operator=debug`.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
}
