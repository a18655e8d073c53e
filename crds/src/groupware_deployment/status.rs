//! What the operator says of an installation.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What the operator says of an installation.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GroupwareDeploymentStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What holds: Ready sums up the others. Each False has a reason to act on and a message that says how.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// Versions.
    #[serde(default)]
    pub version: VersionStatus,

    /// The gateway pools.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub gateways: Vec<GatewayStatus>,

    /// Ready gateway pods of those wanted, such as `4/4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateways_ready: Option<String>,

    /// Where protocols are served.
    #[serde(default)]
    pub endpoints: Vec<EndpointStatus>,

    /// Certificates and how long they last.
    #[serde(default)]
    pub certificates: Vec<CertificateStatus>,

    /// What the directory holds.
    #[serde(default)]
    pub directory: DirectoryStatus,
}

/// Versions.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct VersionStatus {
    /// The version that all pods run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,

    /// The version that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,

    /// The version whose schema the database has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,

    /// The operator's own version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
}

/// A gateway pool.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    /// Its name.
    pub name: String,

    /// Pods that there are.
    #[serde(default)]
    pub replicas: i32,

    /// Pods that serve.
    #[serde(default)]
    pub ready_replicas: i32,

    /// Open connections of all its pods, looked at once a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<i64>,

    /// Labels of its pods, for `kubectl get pods -l`.
    #[serde(default)]
    pub selector: String,
}

/// Where a protocol is served.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EndpointStatus {
    /// Protocol, such as `imaps`.
    pub protocol: String,

    /// Name or address: of the balancer when there is one, else the Service's.
    pub host: String,

    /// Port.
    pub port: i32,
}

/// A certificate.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// The Secret that it is in.
    pub secret_name: String,

    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Time>,
}

/// What the directory holds, as far as it is declared by resources.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryStatus {
    /// Tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<i64>,

    /// Mailboxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailboxes: Option<i64>,

    /// Resources that wait to be made so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<i64>,

    /// Resources that cannot be made so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<i64>,
}
