//! Tenant → tenant of the directory.

use super::declared::{Composed, Declaration, Declared, Reclaim, octets};
use super::world::World;
use crate::conditions::Finding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kontor_crds::{GroupwareDeployment, Tenant, TenantStatus};
use kontor_storage_client::proto::{self, put::Object};
use kube::ResourceExt;

impl Declared for Tenant {
    type Status = TenantStatus;
    const ENTRY: &'static str = "tenant";

    fn status(&self) -> Option<&TenantStatus> {
        self.status.as_ref()
    }

    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default()
    }

    fn declare(&self, world: &World) -> Result<Declaration, Finding> {
        let deployment = world.deployment_of(self)?;
        if let Some(quota) = &self.spec.default_quota {
            octets(quota, "defaultQuota")?;
        }
        let mut managed = vec!["name", "max_mailboxes", "max_domains", "max_groups", "suspended"];
        if self.spec.display_name.is_some() {
            managed.push("display_name");
        }
        let limits = &self.spec.limits;
        let object = Object::Tenant(proto::Tenant {
            name: directory_name(self, &deployment),
            display_name: self.spec.display_name.clone().unwrap_or_default(),
            max_mailboxes: limits.max_mailboxes.unwrap_or(0),
            max_domains: limits.max_domains.unwrap_or(0),
            max_groups: limits.max_groups.unwrap_or(0),
            suspended: self.spec.suspended,
            quota: 0,
        });
        Ok(Declaration { deployment, object, managed, findings: Vec::new(), members: None })
    }

    fn compose(&self, conditions: Vec<Condition>, outcome: &Composed<'_>) -> TenantStatus {
        let name = outcome.declaration.and_then(|d| match &d.object {
            Object::Tenant(tenant) => Some(tenant.name.clone()),
            _ => None,
        });
        TenantStatus {
            observed_generation: self.metadata.generation,
            conditions,
            directory_name: name.or_else(|| self.status.as_ref()?.directory_name.clone()),
        }
    }

    fn reclaim(&self) -> Reclaim {
        self.spec.reclaim_policy.into()
    }

    fn face(&self) -> serde_json::Value {
        let spec = &self.spec;
        serde_json::json!([
            spec.deployment_ref,
            spec.default_quota,
            spec.allowed_namespaces,
            self.metadata.deletion_timestamp.is_some(),
            super::world::obstacle(self.conditions()),
        ])
    }
}

/// The name in the directory: tenants of other namespaces than the installation's carry theirs.
pub fn directory_name(tenant: &Tenant, deployment: &GroupwareDeployment) -> String {
    let (home, name) = (tenant.namespace().unwrap_or_default(), tenant.name_any());
    if Some(&home) == deployment.namespace().as_ref() { name } else { format!("{name}.{home}") }
}
