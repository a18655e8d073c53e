//! MailDomain → domain of the directory.

use super::declared::{Composed, Declaration, Declared, Reclaim};
use super::tenant::directory_name;
use super::world::World;
use crate::conditions::Finding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kontor_crds::{MailDomain, MailDomainStatus};
use kontor_storage_client::proto::{self, put::Object};

impl Declared for MailDomain {
    type Status = MailDomainStatus;
    const ENTRY: &'static str = "domain";

    fn status(&self) -> Option<&MailDomainStatus> {
        self.status.as_ref()
    }

    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default()
    }

    fn declare(&self, world: &World) -> Result<Declaration, Finding> {
        let (tenant, deployment) = world.tenant_of(self)?;
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let object = Object::Domain(proto::Domain {
            name: self.spec.domain_name.0.clone(),
            tenant: directory_name(&tenant, &deployment),
            alias_of: text(self.spec.alias_of.as_ref().map(|d| d.as_str())),
            catch_all: text(self.spec.catch_all.as_ref().map(|a| a.as_str())),
        });
        // What a domain is cannot be left to others: an alias hides addresses, a catch-all takes mail.
        Ok(Declaration { deployment, object, managed: Vec::new(), findings: Vec::new(), members: None })
    }

    fn compose(&self, conditions: Vec<Condition>, _: &Composed<'_>) -> MailDomainStatus {
        MailDomainStatus { observed_generation: self.metadata.generation, conditions }
    }

    fn reclaim(&self) -> Reclaim {
        self.spec.reclaim_policy.into()
    }

    fn face(&self) -> serde_json::Value {
        serde_json::json!([
            self.spec.tenant_ref,
            self.spec.alias_of,
            self.metadata.deletion_timestamp.is_some(),
            super::world::obstacle(self.conditions()),
        ])
    }
}
