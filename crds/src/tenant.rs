//! `Tenant` (`tn`): an organisation in an installation.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AllowedNamespaces, Reference, Size};

/// An organisation in an installation. A tenant is a hard border: no mail address, address book or permission crosses it.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "kontor.dev",
    version = "v1alpha1",
    kind = "Tenant",
    namespaced,
    shortname = "tn",
    category = "groupware",
    status = "TenantStatus",
    derive = "PartialEq",
    doc = "An organisation in an installation. A tenant is a hard border: no mail address, address book or permission crosses it.",
    cel,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].status","description":"Whether the directory holds what this says."}"#,
    printcolumn = r#"{"name":"Deployment","type":"string","jsonPath":".spec.deploymentRef.name"}"#,
    printcolumn = r#"{"name":"Suspended","type":"boolean","jsonPath":".spec.suspended"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type=='Ready')].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct TenantSpec {
    /// The GroupwareDeployment that serves this tenant. It cannot be changed. One in another namespace must admit this
    /// namespace by `spec.directory.allowedNamespaces`.
    #[x_kube(validation = ("self == oldSelf", "deploymentRef cannot be changed: mailboxes do not move between installations"))]
    pub deployment_ref: Reference,

    /// Name of the organisation for people. Unset: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,

    /// How much there may be. Unset: no limit.
    #[serde(default)]
    pub limits: TenantLimits,

    /// Quota of mailboxes that set none themselves. Unset: no limit. A mailbox that is above it keeps what it has and
    /// receives nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_quota: Option<Size>,

    /// Namespaces whose MailDomains, Mailboxes, DistributionGroups and ResourceMailboxes may belong to this tenant.
    /// Default: only its own.
    #[serde(default)]
    pub allowed_namespaces: AllowedNamespaces,

    /// While true nobody of this tenant can log in, and mail for it is refused. Nothing is deleted. Default: false.
    #[serde(default)]
    pub suspended: bool,

    /// What becomes of the tenant in the directory when this resource is deleted. Default: Retain.
    #[serde(default)]
    pub reclaim_policy: ReclaimPolicy,
}

/// How much there may be in a tenant. What is there already when a limit is lowered stays.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TenantLimits {
    /// Mailboxes of people, shared mailboxes, rooms and equipment. Unset: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_mailboxes: Option<u32>,

    /// Domains, aliases of domains included. Unset: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_domains: Option<u32>,

    /// Distribution groups. Unset: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_groups: Option<u32>,
}

/// What becomes of a directory entry when its resource is deleted.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum ReclaimPolicy {
    /// It stays as it is and goes on working; no resource owns it any more.
    #[default]
    Retain,
    /// It goes. Deletion waits while something in the directory still needs it.
    Delete,
}

/// What the operator says of a tenant.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What holds: Ready sums up Accepted and Provisioned. Each False has a reason to act on and a message that says how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// Name of the tenant in the directory, as the `kontor` command shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory_name: Option<String>,
}
