//! `MailDomain` (`md`): a domain of a tenant.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::{DomainName, MailAddress, ReclaimPolicy, Reference};

/// A domain of a tenant: mail for its addresses is taken here.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "kontor.dev",
    version = "v1alpha1",
    kind = "MailDomain",
    namespaced,
    shortname = "md",
    category = "groupware",
    status = "MailDomainStatus",
    derive = "PartialEq",
    doc = "A domain of a tenant: mail for its addresses is taken here.",
    cel,
    printcolumn = r#"{"name":"Domain","type":"string","jsonPath":".spec.domainName"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].status","description":"Whether the directory holds what this says."}"#,
    printcolumn = r#"{"name":"Tenant","type":"string","jsonPath":".spec.tenantRef.name"}"#,
    printcolumn = r#"{"name":"AliasOf","type":"string","jsonPath":".spec.aliasOf"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type=='Ready')].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    selectable = ".spec.domainName"
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "!has(self.aliasOf) || (!has(self.catchAll) && self.aliasOf != self.domainName)",
        "aliasOf names another domain, and goes without catchAll"
    )
)]
pub struct MailDomainSpec {
    /// The Tenant that the domain belongs to. It cannot be changed. A Tenant in another namespace must admit this
    /// namespace by `spec.allowedNamespaces`.
    #[x_kube(validation = ("self == oldSelf", "tenantRef cannot be changed: delete the domain and make it anew"))]
    pub tenant_ref: Reference,

    /// The domain, in lower case, such as `example.org`. It cannot be changed. An installation has each domain once.
    #[x_kube(validation = ("self == oldSelf", "domainName cannot be changed: make another MailDomain"))]
    pub domain_name: DomainName,

    /// Another domain of the same tenant: mail for `x` in this domain goes to `x` in that one, and there are no
    /// addresses of its own here. Unset: a domain with addresses of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_of: Option<DomainName>,

    /// Address that takes mail for local parts that nobody has. Unset: such mail is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_all: Option<MailAddress>,

    /// What becomes of the domain in the directory when this resource is deleted. Default: Retain.
    #[serde(default)]
    pub reclaim_policy: ReclaimPolicy,
}

/// What the operator says of a domain.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MailDomainStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What holds: Ready sums up Accepted and Provisioned. Each False has a reason to act on and a message that says how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
