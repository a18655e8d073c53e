//! `GroupwareDeployment` (`gwd`): one installation of Kontor.

mod gateway;
mod network;
mod observability;
mod status;
mod storage;
mod tls;

pub use gateway::*;
pub use network::*;
pub use observability::*;
pub use status::*;
pub use storage::*;
pub use tls::*;

use k8s_openapi::api::core::v1::LocalObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One installation of Kontor: its version, its gateway pools, its storage tier and the way to it from outside.
///
/// The smallest useful one runs everything inside the cluster, for a trial:
///
/// ```yaml
/// apiVersion: kontor.dev/v1alpha1
/// kind: GroupwareDeployment
/// metadata: {name: groupware}
/// spec:
///   image: {tag: "0.1.0"}
///   gateways:
///   - {name: smtp, protocols: [SMTP, Submission, LMTP]}
///   - {name: imap, protocols: [IMAP]}
///   storage:
///     embedded: {}
/// ```
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "kontor.dev",
    version = "v1alpha1",
    kind = "GroupwareDeployment",
    namespaced,
    shortname = "gwd",
    category = "groupware",
    status = "GroupwareDeploymentStatus",
    derive = "PartialEq",
    doc = "One installation of Kontor: its version, its gateway pools, its storage tier and the way to it from outside.",
    cel,
    validation = ("self.metadata.name.size() <= 40", "metadata.name: at most 40 characters, names of children are made from it"),
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].status","description":"Whether everything is as it should be."}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".status.version.current","description":"The version that runs."}"#,
    printcolumn = r#"{"name":"Gateways","type":"string","jsonPath":".status.gatewaysReady","description":"Ready gateway pods of all."}"#,
    printcolumn = r#"{"name":"Mailboxes","type":"integer","jsonPath":".status.directory.mailboxes"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type=='Ready')].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    selectable = ".spec.deletionPolicy"
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "self.gateways.all(a, a.protocols.all(p, self.gateways.exists_one(b, p in b.protocols)))",
        "gateways: a protocol belongs to one pool"
    ),
    validation = (
        "self.gateways.all(a, self.gateways.exists_one(b, a.name == b.name))",
        "gateways: pool names differ"
    ),
    validation = (
        "oldSelf.deletionPolicy != 'Retain' || self.deletionPolicy == 'Retain' || self.deletionProtection == false",
        "deletionPolicy: set deletionProtection to false before data may be deleted"
    )
)]
pub struct GroupwareDeploymentSpec {
    /// Which version runs. Changing the tag upgrades: the schema first, by a Job, then storage nodes, then gateways.
    pub image: Image,

    /// Secrets in the same namespace with which images are pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Vec<LocalObjectReference>,

    /// The pools of protocol gateways. Gateways keep nothing: any pod can serve any mailbox.
    #[schemars(length(min = 1, max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub gateways: Vec<GatewayPool>,

    /// Where mailboxes are kept.
    pub storage: Storage,

    /// The way in from outside, and what may talk to what inside. Unset: Services inside the cluster only, and
    /// network policies that admit no more than what is needed.
    #[serde(default)]
    pub network: Network,

    /// The certificate that mail clients and other servers see. Unset: one from the operator's own authority, which
    /// clients do not know.
    #[serde(default)]
    pub tls: ServerTls,

    /// Who may put tenants into this installation.
    #[serde(default)]
    pub directory: DirectoryAccess,

    /// Logs, metrics and what watches them.
    #[serde(default)]
    pub observability: Observability,

    /// How versions and configurations are rolled out.
    #[serde(default)]
    pub upgrade: Upgrade,

    /// `Enabled`: the operator makes it so. `Paused`: it watches and reports and changes nothing. Default: Enabled.
    #[serde(default)]
    pub reconciliation: Reconciliation,

    /// What becomes of the data when this object is deleted. `Retain` (default): volumes and credentials of embedded
    /// storage stay. `Delete`: they go. External databases and buckets are never deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// Whether deletion waits until no mailbox is left. Default: true. While it waits, condition `DeletionBlocked`
    /// says how many there are; set this to false to let go.
    #[serde(default = "yes")]
    pub deletion_protection: bool,
}

/// Which images run.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Registry and path in front of `kontor-gateway` and `kontor-storage-node`. Default: ghcr.io/kontor.
    #[serde(default = "default_registry")]
    #[schemars(length(min = 1, max = 200))]
    pub registry: String,

    /// The version: the tag of both images.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._-]*$"))]
    pub tag: String,

    /// When the kubelet pulls: IfNotPresent (default), Always or Never.
    #[serde(default)]
    pub pull_policy: PullPolicy,
}

/// When the kubelet pulls an image.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum PullPolicy {
    /// When the node does not have it.
    #[default]
    IfNotPresent,
    /// At every start.
    Always,
    /// Not at all: the node has it.
    Never,
}

impl PullPolicy {
    /// As the Kubernetes API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IfNotPresent => "IfNotPresent",
            Self::Always => "Always",
            Self::Never => "Never",
        }
    }
}

/// Who may put tenants into this installation.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryAccess {
    /// Namespaces whose Tenants may name this installation. Default: only its own.
    #[serde(default)]
    pub allowed_namespaces: AllowedNamespaces,
}

/// A set of namespaces, as Gateway API's `allowedRoutes` describes it.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = (
        "self.from == 'Selector' ? has(self.selector) : !has(self.selector)",
        "allowedNamespaces: selector goes with from: Selector, and only with it"
    )
)]
pub struct AllowedNamespaces {
    /// `Same` (default): only the namespace of this object. `All`: every namespace. `Selector`: those with labels
    /// that match.
    #[serde(default)]
    pub from: NamespacesFrom,

    /// Labels of the namespaces, with `from: Selector`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// How namespaces are chosen.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum NamespacesFrom {
    /// Its own.
    #[default]
    Same,
    /// All.
    All,
    /// Those with labels that match.
    Selector,
}

/// How versions and configurations are rolled out.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = ("self.maxSurge > 0 || self.maxUnavailable > 0", "upgrade: maxSurge and maxUnavailable cannot both be 0")
)]
pub struct Upgrade {
    /// Pods of a pool that may exist beyond its size while it is rolled. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 100))]
    pub max_surge: i32,

    /// Pods of a pool that may be missing while it is rolled. Default: 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub max_unavailable: i32,
}

impl Default for Upgrade {
    fn default() -> Self {
        Self { max_surge: 1, max_unavailable: 0 }
    }
}

/// Whether the operator changes anything.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum Reconciliation {
    /// It makes things so.
    #[default]
    Enabled,
    /// It only reports.
    Paused,
}

/// What becomes of data.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// It stays.
    #[default]
    Retain,
    /// It goes.
    Delete,
}

impl GroupwareDeployment {
    /// Empty until the object exists in a cluster.
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }
}

fn default_registry() -> String {
    "ghcr.io/kontor".to_owned()
}

pub(crate) fn yes() -> bool {
    true
}

fn one() -> i32 {
    1
}

#[cfg(test)]
mod tests;
