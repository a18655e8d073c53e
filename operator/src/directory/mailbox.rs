//! Mailbox → account of the directory.

use super::declared::{Composed, Declaration, Declared, Reclaim, account, check_domain, octets, texts};
use super::tenant::directory_name;
use super::world::{Place, World};
use crate::conditions::Finding;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kontor_crds::conditions::{reasons, types};
use kontor_crds::{Credentials, Mailbox, MailboxQuota, MailboxStatus, MailboxType, MailboxUsage, Switch};
use kontor_storage_client::proto::{ApplyResult, put::Object};
use kube::ResourceExt;

impl Declared for Mailbox {
    type Status = MailboxStatus;
    const ENTRY: &'static str = "account";

    fn status(&self) -> Option<&MailboxStatus> {
        self.status.as_ref()
    }

    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default()
    }

    fn declare(&self, world: &World) -> Result<Declaration, Finding> {
        let home = self.namespace().unwrap_or_default();
        let place = world.place(&self.spec.domain_ref, &home)?;
        check_domain(&self.spec.primary_address, &place)?;
        build(self, place)
    }

    fn credentials(&self) -> Option<&Credentials> {
        self.spec.credentials.as_ref()
    }

    fn credentials_version(&self) -> Option<&str> {
        self.status.as_ref()?.credentials_resource_version.as_deref()
    }

    fn judge(&self, answer: &ApplyResult) -> Vec<Finding> {
        quota_finding(self.spec.quota.as_ref(), answer.used).into_iter().collect()
    }

    fn compose(&self, conditions: Vec<Condition>, outcome: &Composed<'_>) -> MailboxStatus {
        let before = self.status.clone().unwrap_or_default();
        let id = outcome.answer.map(|a| a.mailbox_id).filter(|id| *id > 0);
        let address = outcome.answer.map(|_| self.spec.primary_address.0.clone());
        let usage = match (outcome.answer, outcome.now) {
            (Some(answer), Some(now)) => usage(before.usage, answer, now),
            _ => before.usage,
        };
        let version = match &self.spec.credentials {
            None => None,
            Some(_) => outcome.credentials_version.clone().or(before.credentials_resource_version),
        };
        MailboxStatus {
            observed_generation: self.metadata.generation,
            conditions,
            mailbox_id: id.or(before.mailbox_id),
            address: address.or(before.address),
            usage,
            credentials_resource_version: version,
        }
    }

    fn reclaim(&self) -> Reclaim {
        (&self.spec.reclaim_policy).into()
    }

    fn face(&self) -> serde_json::Value {
        serde_json::json!([
            self.spec.primary_address,
            self.metadata.labels,
            self.metadata.deletion_timestamp.is_some(),
            crate::conditions::is_true(self.conditions(), types::PROVISIONED),
        ])
    }
}

/// The entry of a mailbox that is in its place.
fn build(mailbox: &Mailbox, place: Place) -> Result<Declaration, Finding> {
    let spec = &mailbox.spec;
    let tenant = directory_name(&place.tenant, &place.deployment);
    let kind = match spec.type_ {
        MailboxType::User => "user",
        MailboxType::Shared => "shared",
    };
    let mut account = account(&spec.primary_address, &tenant, kind);
    let mut managed = vec!["address", "kind"];
    if let Some(aliases) = &spec.aliases {
        account.aliases = texts(aliases);
        managed.push("aliases");
    }
    if let Some(name) = &spec.display_name {
        account.display_name = name.clone();
        managed.push("display_name");
    }
    if let Some(enabled) = spec.enabled {
        account.locked = !enabled;
        managed.push("locked");
    }
    if let Some(protocols) = &spec.protocols {
        // The services are called as gateways say them when somebody logs in.
        let switches = [
            ("imap", protocols.imap),
            ("pop3", protocols.pop3),
            ("smtp", protocols.submission),
            ("dav", protocols.dav),
        ];
        account.disabled_services = switches
            .iter()
            .filter(|(_, switch)| *switch == Switch::Disabled)
            .map(|(service, _)| (*service).to_owned())
            .collect();
        managed.push("disabled_services");
    }
    if let Some(delegation) = &spec.delegation {
        account.send_as = texts(&delegation.send_as);
        managed.push("send_as");
    }
    if let Some(forwarding) = &spec.forwarding {
        account.forward_to = texts(&forwarding.smtp_addresses);
        account.forward_only = !forwarding.deliver_to_mailbox;
        managed.extend(["forward_to", "forward_only"]);
    }
    if let Some(hidden) = spec.hidden_from_address_lists {
        account.hidden = hidden;
        managed.push("hidden");
    }
    if let Some(quota) = quota(spec.quota.as_ref(), &place)? {
        account.quota = quota;
        managed.push("quota");
    }
    Ok(Declaration {
        deployment: place.deployment,
        object: Object::Account(account),
        managed,
        findings: Vec::new(),
        members: None,
    })
}

/// The quota to set: the mailbox's own, else the tenant's, else none is managed.
pub(super) fn quota(own: Option<&MailboxQuota>, place: &Place) -> Result<Option<u64>, Finding> {
    if let Some(size) = own.and_then(|q| q.prohibit_send_receive.as_ref()) {
        return octets(size, "quota.prohibitSendReceive").map(Some);
    }
    place.tenant.spec.default_quota.as_ref().map(|size| octets(size, "the tenant's defaultQuota")).transpose()
}

/// How full it is, when the resource sets a bound.
pub(super) fn quota_finding(quota: Option<&MailboxQuota>, used: u64) -> Option<Finding> {
    let quota = quota?;
    let bound = |size: &Option<kontor_crds::Size>| {
        size.as_ref().and_then(|s| Some((s.octets().filter(|o| *o > 0)?, s.clone())))
    };
    let (limit, warning) = (bound(&quota.prohibit_send_receive), bound(&quota.issue_warning));
    if limit.is_none() && warning.is_none() {
        return None;
    }
    let full = |(octets, size): &(u64, kontor_crds::Size)| (used >= *octets).then(|| size.clone());
    if let Some(size) = limit.as_ref().and_then(full) {
        return Some(Finding::yes(
            types::QUOTA_EXCEEDED,
            reasons::RECEIVE_PROHIBITED,
            format!("it is full: nothing is received or stored above {size}"),
        ));
    }
    if let Some(size) = warning.as_ref().and_then(full) {
        return Some(Finding::yes(
            types::QUOTA_EXCEEDED,
            reasons::WARNING_LEVEL,
            format!("it holds more than {size}"),
        ));
    }
    Some(Finding::no(types::QUOTA_EXCEEDED, reasons::WITHIN_QUOTA, ""))
}

/// A new figure only when it differs enough to be worth a write.
fn usage(before: Option<MailboxUsage>, answer: &ApplyResult, now: Timestamp) -> Option<MailboxUsage> {
    if let Some(before) = &before {
        let difference = before.bytes.abs_diff(answer.used);
        let emptied = (answer.messages == 0) != (before.items == 0);
        if !emptied && difference <= (before.bytes / 100).max(LEAST) {
            return Some(before.clone());
        }
    } else if answer.messages == 0 {
        return None;
    }
    let as_of = Time(Timestamp::from_second(now.as_second()).unwrap_or(now));
    Some(MailboxUsage { bytes: answer.used, items: answer.messages, as_of })
}

/// Differences up to here are not worth a write, octets.
const LEAST: u64 = 1 << 20;

/// Sets the password in an entry.
pub(super) fn set_password(object: &mut Object, password: Password, version: &str) {
    if let Object::Account(account) = object {
        match password {
            Password::Plain(text) => account.password = text,
            Password::Hash(text) => account.password_hash = text,
        }
        account.password_version = version.to_owned();
    }
}

/// A password on its way. Never shown.
pub(super) enum Password {
    Plain(String),
    Hash(String),
}
