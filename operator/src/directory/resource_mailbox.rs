//! ResourceMailbox → account of the directory.

use super::declared::{Composed, Declaration, Declared, Reclaim, account, check_domain, texts};
use super::mailbox::{quota, quota_finding};
use super::tenant::directory_name;
use super::world::World;
use crate::conditions::Finding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kontor_crds::conditions::types;
use kontor_crds::{ResourceMailbox, ResourceMailboxStatus, ResourceType};
use kontor_storage_client::proto::{ApplyResult, put::Object};
use kube::ResourceExt;

impl Declared for ResourceMailbox {
    type Status = ResourceMailboxStatus;
    const ENTRY: &'static str = "account";

    fn status(&self) -> Option<&ResourceMailboxStatus> {
        self.status.as_ref()
    }

    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default()
    }

    fn declare(&self, world: &World) -> Result<Declaration, Finding> {
        let home = self.namespace().unwrap_or_default();
        let spec = &self.spec;
        let place = world.place(&spec.domain_ref, &home)?;
        check_domain(&spec.primary_address, &place)?;
        let kind = match spec.resource_type {
            ResourceType::Room => "room",
            ResourceType::Equipment => "equipment",
        };
        let mut account =
            account(&spec.primary_address, &directory_name(&place.tenant, &place.deployment), kind);
        let mut managed = vec!["address", "kind"];
        if let Some(aliases) = &spec.aliases {
            account.aliases = texts(aliases);
            managed.push("aliases");
        }
        if let Some(name) = &spec.display_name {
            account.display_name = name.clone();
            managed.push("display_name");
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

    fn judge(&self, answer: &ApplyResult) -> Vec<Finding> {
        quota_finding(self.spec.quota.as_ref(), answer.used).into_iter().collect()
    }

    fn compose(&self, conditions: Vec<Condition>, outcome: &Composed<'_>) -> ResourceMailboxStatus {
        let before = self.status.clone().unwrap_or_default();
        let id = outcome.answer.map(|a| a.mailbox_id).filter(|id| *id > 0);
        let address = outcome.answer.map(|_| self.spec.primary_address.0.clone());
        ResourceMailboxStatus {
            observed_generation: self.metadata.generation,
            conditions,
            mailbox_id: id.or(before.mailbox_id),
            address: address.or(before.address),
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
