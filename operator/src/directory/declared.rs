//! What the five kinds have in common. Pure.

use super::world::World;
use crate::conditions::Finding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kontor_crds::conditions::{reasons, types};
use kontor_crds::{
    ADOPT_ANNOTATION, Credentials, GroupwareDeployment, MailAddress, MailboxReclaim, MailboxReclaimPolicy,
    ReclaimPolicy,
};
use kontor_storage_client::proto::{
    self, ApplyResult, Change, Delete, Put, change, delete::Mode, put::Object,
};
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;

/// A kind whose resources declare entries of the directory.
pub trait Declared:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
    /// Its status.
    type Status: Serialize + PartialEq + Send + Sync;

    /// Kind of the entry, as the store calls it.
    const ENTRY: &'static str;

    /// The status as it stands.
    fn status(&self) -> Option<&Self::Status>;

    /// The conditions as they stand.
    fn conditions(&self) -> &[Condition];

    /// Looks up what it refers to, checks it, and builds the entry: `dereference`, `validate` and `build` of the kind.
    ///
    /// # Errors
    /// The first thing that is wrong, as a finding for `Accepted`.
    fn declare(&self, world: &World) -> Result<Declaration, Finding>;

    /// Where its password is.
    fn credentials(&self) -> Option<&Credentials> {
        None
    }

    /// Version of the Secret whose password is set already.
    fn credentials_version(&self) -> Option<&str> {
        None
    }

    /// What the answer of the store says beyond `Provisioned`.
    fn judge(&self, _answer: &ApplyResult) -> Vec<Finding> {
        Vec::new()
    }

    /// The status with these conditions. `answer` is there when the store made it so.
    fn compose(&self, conditions: Vec<Condition>, outcome: &Composed<'_>) -> Self::Status;

    /// What becomes of the entry when the resource goes.
    fn reclaim(&self) -> Reclaim;

    /// What dependents see of it: they are looked at again when this changes.
    fn face(&self) -> serde_json::Value;
}

/// What goes into a status beside conditions.
#[derive(Default)]
pub struct Composed<'a> {
    /// The declaration, when there is one.
    pub declaration: Option<&'a Declaration>,
    /// The store's answer, when it made it so.
    pub answer: Option<&'a ApplyResult>,
    /// Version of the Secret whose password is set now.
    pub credentials_version: Option<String>,
    /// Now.
    pub now: Option<jiff::Timestamp>,
}

/// An entry as it should be.
#[derive(Clone)]
pub struct Declaration {
    /// Whose directory.
    pub deployment: Arc<GroupwareDeployment>,
    /// The entry.
    pub object: Object,
    /// The fields that the resource sets.
    pub managed: Vec<&'static str>,
    /// What is to be said beyond `Accepted`.
    pub findings: Vec<Finding>,
    /// Members that are known and those that are not, of a group.
    pub members: Option<(u32, Vec<String>)>,
}

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reclaim {
    /// It stays, and nobody owns it.
    Release,
    /// It goes; the content of a mailbox after so many days, 0 = when the store likes.
    Remove(u32),
    /// It goes with its content.
    Purge,
}

impl From<ReclaimPolicy> for Reclaim {
    fn from(policy: ReclaimPolicy) -> Self {
        match policy {
            ReclaimPolicy::Retain => Reclaim::Release,
            ReclaimPolicy::Delete => Reclaim::Purge,
        }
    }
}

impl From<&MailboxReclaimPolicy> for Reclaim {
    fn from(policy: &MailboxReclaimPolicy) -> Self {
        match policy.type_ {
            MailboxReclaim::Retain => Reclaim::Release,
            MailboxReclaim::SoftDelete => Reclaim::Remove(policy.retention_days.unwrap_or(0)),
            MailboxReclaim::Delete => Reclaim::Purge,
        }
    }
}

/// `<deployment uid>/<namespace>/<kind>/<name>/`: whose an entry is, but for the resource's own UID.
fn family<K: Declared>(object: &K, deployment: &GroupwareDeployment) -> String {
    let namespace = object.namespace().unwrap_or_default();
    format!("{}/{namespace}/{}/{}/", deployment.uid(), K::kind(&()), object.name_any())
}

/// Whose an entry is.
pub fn owner<K: Declared>(object: &K, deployment: &GroupwareDeployment) -> String {
    format!("{}{}", family(object, deployment), object.uid().unwrap_or_default())
}

/// `Mailbox acme/anna`, from the owner of an entry.
pub fn resource_of(owner: &str) -> Option<String> {
    let mut parts = owner.split('/').skip(1);
    let (namespace, kind, name) = (parts.next()?, parts.next()?, parts.next()?);
    Some(format!("{kind} {namespace}/{name}"))
}

/// The change that makes an entry what the declaration says.
pub fn put<K: Declared>(object: &K, declaration: &Declaration) -> Change {
    let adopt = object.annotations().get(ADOPT_ANNOTATION).is_some_and(|v| v == "true");
    Change {
        change: Some(change::Change::Put(Put {
            object: Some(declaration.object.clone()),
            owner: owner(object, &declaration.deployment),
            generation: object.meta().generation.unwrap_or(0),
            managed: declaration.managed.iter().map(|m| (*m).to_owned()).collect(),
            succeeds: family(object, &declaration.deployment),
            adopt,
            create_only: false,
            update_only: false,
        })),
    }
}

/// The change that gives an entry up.
pub fn give_up<K: Declared>(object: &K, deployment: &GroupwareDeployment, how: Reclaim) -> Change {
    let (mode, retention_days) = match how {
        Reclaim::Release => (Mode::Release, 0),
        Reclaim::Remove(days) => (Mode::Remove, days),
        Reclaim::Purge => (Mode::Purge, 0),
    };
    Change {
        change: Some(change::Change::Delete(Delete {
            kind: K::ENTRY.to_owned(),
            name: String::new(),
            owner: owner(object, deployment),
            mode: mode.into(),
            retention_days,
        })),
    }
}

/// Refuses an address that is not in the domain it is declared in.
///
/// # Errors
/// A finding for `Accepted`.
pub fn check_domain(address: &MailAddress, place: &super::world::Place) -> Result<(), Finding> {
    let domain = place.domain.spec.domain_name.as_str();
    if address.domain() == domain {
        return Ok(());
    }
    Err(Finding::no(
        types::ACCEPTED,
        reasons::INVALID_SPEC,
        format!(
            "primaryAddress {address} is not in {domain}, the domain that domainRef names; correct one of the two"
        ),
    ))
}

/// The texts of addresses.
pub fn texts(addresses: &[MailAddress]) -> Vec<String> {
    addresses.iter().map(|a| a.0.clone()).collect()
}

/// Octets of a size that the API server let through.
///
/// # Errors
/// A finding for `Accepted` when it is larger than can be counted.
pub fn octets(size: &kontor_crds::Size, field: &str) -> Result<u64, Finding> {
    size.octets().ok_or_else(|| {
        Finding::no(
            types::ACCEPTED,
            reasons::INVALID_SPEC,
            format!("{field} {size} is no size that can be counted"),
        )
    })
}

/// An account with nothing in it.
pub fn account(address: &MailAddress, tenant: &str, kind: &str) -> proto::Account {
    proto::Account {
        address: address.0.clone(),
        tenant: tenant.to_owned(),
        kind: kind.to_owned(),
        ..Default::default()
    }
}
