//! `DistributionGroup` (`dg`): an address behind which there are several.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MailAddress, ReclaimPolicy, Reference};

/// An address behind which there are several: a distribution list, or an alias with one hidden member.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "kontor.dev",
    version = "v1alpha1",
    kind = "DistributionGroup",
    namespaced,
    shortname = "dg",
    category = "groupware",
    status = "DistributionGroupStatus",
    derive = "PartialEq",
    doc = "An address behind which there are several: a distribution list, or an alias with one hidden member.",
    cel,
    printcolumn = r#"{"name":"Address","type":"string","jsonPath":".spec.primaryAddress"}"#,
    printcolumn = r#"{"name":"Members","type":"integer","jsonPath":".status.resolvedMembers"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].status","description":"Whether the directory holds what this says."}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type=='Ready')].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    selectable = ".spec.primaryAddress"
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "self.membershipType == 'Static' ? !has(self.memberSelector) : has(self.memberSelector) && !has(self.members)",
        "members go with membershipType: Static, memberSelector with Dynamic"
    ),
    validation = (
        "self.primaryAddress == oldSelf.primaryAddress || (has(self.aliases) && oldSelf.primaryAddress in self.aliases)",
        "a renamed group keeps its old address: add it to aliases"
    ),
    validation = (
        "!has(self.aliases) || !(self.primaryAddress in self.aliases)",
        "aliases: the primary address is not one of them"
    )
)]
pub struct DistributionGroupSpec {
    /// The MailDomain of the primary address. It cannot be changed. A domain in another namespace must belong to a
    /// Tenant that admits this namespace.
    #[x_kube(validation = ("self == oldSelf", "domainRef cannot be changed: add an alias in the other domain, or make a new group"))]
    pub domain_ref: Reference,

    /// Address of the group, in the domain of `domainRef`. When it changes, the old one must stay among `aliases`.
    pub primary_address: MailAddress,

    /// Further addresses of the group, in domains of the same tenant. Unset: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200), extend("x-kubernetes-list-type" = "set"))]
    pub aliases: Option<Vec<MailAddress>>,

    /// Name for people. Unset: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,

    /// `Static`: the `members` listed here. `Dynamic`: the mailboxes of this namespace that `memberSelector` selects.
    /// Default: Static.
    #[serde(default)]
    pub membership_type: MembershipType,

    /// Members, with `membershipType: Static`. Unset: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000), extend("x-kubernetes-list-type" = "atomic"))]
    pub members: Option<Vec<Member>>,

    /// Labels of Mailbox and ResourceMailbox resources in this namespace, with `membershipType: Dynamic`. Those of the
    /// same tenant that match are the members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_selector: Option<LabelSelector>,

    /// Whose mail the group takes. Unset: not managed, and everybody's for a new group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<GroupDelivery>,

    /// Whether address books leave it out. Unset: not managed, and false for a new group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden_from_address_lists: Option<bool>,

    /// What becomes of the group in the directory when this resource is deleted. Default: Retain.
    #[serde(default)]
    pub reclaim_policy: ReclaimPolicy,
}

/// Where members come from.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum MembershipType {
    /// They are listed.
    #[default]
    Static,
    /// They are selected by labels.
    Dynamic,
}

/// A member: exactly one of the four.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "[has(self.mailboxRef), has(self.groupRef), has(self.resourceRef), has(self.smtpAddress)].filter(x, x).size() == 1",
        "members: exactly one of mailboxRef, groupRef, resourceRef and smtpAddress"
    )
)]
pub struct Member {
    /// A Mailbox of the same tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox_ref: Option<Reference>,

    /// A DistributionGroup of the same tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_ref: Option<Reference>,

    /// A ResourceMailbox of the same tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_ref: Option<Reference>,

    /// An address, here or elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp_address: Option<MailAddress>,
}

/// Whose mail a group takes.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GroupDelivery {
    /// `Anyone`: everybody. `Tenant`: people of the tenant who logged in. `Members`: members who logged in. Default:
    /// Anyone.
    #[serde(default)]
    pub accept_from: AcceptFrom,
}

/// Whose mail a group takes.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum AcceptFrom {
    /// Everybody's.
    #[default]
    Anyone,
    /// That of people of the tenant.
    Tenant,
    /// That of members.
    Members,
}

/// What the operator says of a group.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DistributionGroupStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What holds: Ready sums up Accepted, Provisioned and MembersResolved. Each False has a reason to act on and a
    /// message that says how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// Members that mail goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_members: Option<u32>,

    /// References for which there is no ready resource; mail goes to the others. At most 50 are named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub unresolved: Vec<String>,
}
