//! `ResourceMailbox` (`rmbx`): a room or a piece of equipment.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MailAddress, MailboxQuota, MailboxReclaimPolicy, Reference};

/// A room or a piece of equipment: a mailbox that nobody logs in to, which address books show as what it is.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "kontor.dev",
    version = "v1alpha1",
    kind = "ResourceMailbox",
    plural = "resourcemailboxes",
    namespaced,
    shortname = "rmbx",
    category = "groupware",
    status = "ResourceMailboxStatus",
    derive = "PartialEq",
    doc = "A room or a piece of equipment: a mailbox that nobody logs in to, which address books show as what it is.",
    cel,
    printcolumn = r#"{"name":"Address","type":"string","jsonPath":".spec.primaryAddress"}"#,
    printcolumn = r#"{"name":"Type","type":"string","jsonPath":".spec.resourceType"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].status","description":"Whether the directory holds what this says."}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type=='Ready')].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    selectable = ".spec.primaryAddress"
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "self.primaryAddress == oldSelf.primaryAddress || (has(self.aliases) && oldSelf.primaryAddress in self.aliases)",
        "a renamed resource keeps its old address: add it to aliases"
    ),
    validation = (
        "!has(self.aliases) || !(self.primaryAddress in self.aliases)",
        "aliases: the primary address is not one of them"
    )
)]
pub struct ResourceMailboxSpec {
    /// The MailDomain of the primary address. It cannot be changed. A domain in another namespace must belong to a
    /// Tenant that admits this namespace.
    #[x_kube(validation = ("self == oldSelf", "domainRef cannot be changed: add an alias in the other domain, or make a new resource"))]
    pub domain_ref: Reference,

    /// The address that invitations go to, in the domain of `domainRef`. When it changes, the old one must stay among
    /// `aliases`.
    pub primary_address: MailAddress,

    /// Further addresses that it receives for, in domains of the same tenant. Unset: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200), extend("x-kubernetes-list-type" = "set"))]
    pub aliases: Option<Vec<MailAddress>>,

    /// Name for people. Unset: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,

    /// `Room` or `Equipment`.
    pub resource_type: ResourceType,

    /// How much it may hold. Unset: the tenant's `defaultQuota`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<MailboxQuota>,

    /// Whether address books leave it out. Unset: not managed, and false for a new resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden_from_address_lists: Option<bool>,

    /// What becomes of the mailbox when this resource is deleted. Default: Retain.
    #[serde(default)]
    pub reclaim_policy: MailboxReclaimPolicy,
}

/// What it is.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum ResourceType {
    /// A room that meetings are in.
    #[default]
    Room,
    /// Something that is taken along.
    Equipment,
}

/// What the operator says of a room or a piece of equipment.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ResourceMailboxStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What holds: Ready sums up Accepted and Provisioned. QuotaExceeded and Drifted are bad when True. Each of them has
    /// a reason to act on and a message that says how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// Number of the mailbox in the store, as the `kontor` command shows it. It stays when the mailbox is renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox_id: Option<u64>,

    /// The primary address that the directory has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}
