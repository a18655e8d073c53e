//! What the cluster holds, kept current, and who may refer to whom. Lookups only; no client.

use crate::conditions::{self, Finding};
use crate::deployment::status::STORAGE_AVAILABLE;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kontor_crds::conditions::{reasons, types};
use kontor_crds::{
    AllowedNamespaces, DistributionGroup, GroupwareDeployment, MailDomain, Mailbox, NamespacesFrom,
    Reference, ResourceMailbox, Tenant,
};
use kube::ResourceExt;
use kube::core::{PartialObjectMeta, Selector, SelectorExt};
use kube::runtime::reflector::{ObjectRef, Store};
use std::sync::Arc;

/// The shared stores of all directory controllers.
#[derive(Clone)]
pub struct World {
    /// Installations.
    pub deployments: Store<GroupwareDeployment>,
    /// Tenants.
    pub tenants: Store<Tenant>,
    /// Domains.
    pub domains: Store<MailDomain>,
    /// Mailboxes.
    pub mailboxes: Store<Mailbox>,
    /// Groups.
    pub groups: Store<DistributionGroup>,
    /// Rooms and equipment.
    pub resources: Store<ResourceMailbox>,
    /// Namespaces with their labels; empty where the operator sees only its own.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
    /// Which Secrets there are, in which version; not what is in them.
    pub secrets: Store<PartialObjectMeta<Secret>>,
}

/// Where an address is: its domain, that one's tenant, and their installation.
#[derive(Clone)]
pub struct Place {
    /// The domain.
    pub domain: Arc<MailDomain>,
    /// Its tenant.
    pub tenant: Arc<Tenant>,
    /// The installation.
    pub deployment: Arc<GroupwareDeployment>,
}

impl World {
    /// The installation of a tenant, when both ends agree.
    ///
    /// # Errors
    /// What is wrong, as a finding for `Accepted`.
    pub fn deployment_of(&self, tenant: &Tenant) -> Result<Arc<GroupwareDeployment>, Finding> {
        let home = tenant.namespace().unwrap_or_default();
        let reference = &tenant.spec.deployment_ref;
        let namespace = reference.namespace_or(&home);
        let deployment = self
            .deployments
            .get(&ObjectRef::new(&reference.name).within(namespace))
            .ok_or_else(|| not_found("GroupwareDeployment", namespace, reference))?;
        if deployment.metadata.deletion_timestamp.is_some() {
            return Err(going("GroupwareDeployment", namespace, reference));
        }
        if !self.admits(&deployment.spec.directory.allowed_namespaces, namespace, &home) {
            return Err(not_permitted(
                &format!("GroupwareDeployment {namespace}/{}", reference.name),
                "spec.directory.allowedNamespaces",
                &home,
            ));
        }
        Ok(deployment)
    }

    /// The tenant of a domain and their installation, when all ends agree.
    ///
    /// # Errors
    /// What is wrong, as a finding for `Accepted`.
    pub fn tenant_of(&self, domain: &MailDomain) -> Result<(Arc<Tenant>, Arc<GroupwareDeployment>), Finding> {
        let home = domain.namespace().unwrap_or_default();
        let reference = &domain.spec.tenant_ref;
        let namespace = reference.namespace_or(&home);
        let tenant = self
            .tenants
            .get(&ObjectRef::new(&reference.name).within(namespace))
            .ok_or_else(|| not_found("Tenant", namespace, reference))?;
        if !self.admits(&tenant.spec.allowed_namespaces, namespace, &home) {
            return Err(not_permitted(
                &format!("Tenant {namespace}/{}", reference.name),
                "spec.allowedNamespaces",
                &home,
            ));
        }
        if tenant.metadata.deletion_timestamp.is_some() {
            return Err(going("Tenant", namespace, reference));
        }
        let status = tenant.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
        provisioned(status, "Tenant", namespace, reference)?;
        let deployment = self.deployment_of(&tenant)?;
        Ok((tenant, deployment))
    }

    /// The place of an address that a resource in `home` wants in a domain.
    ///
    /// # Errors
    /// What is wrong, as a finding for `Accepted`.
    pub fn place(&self, reference: &Reference, home: &str) -> Result<Place, Finding> {
        let namespace = reference.namespace_or(home);
        let domain = self
            .domains
            .get(&ObjectRef::new(&reference.name).within(namespace))
            .ok_or_else(|| not_found("MailDomain", namespace, reference))?;
        if domain.metadata.deletion_timestamp.is_some() {
            return Err(going("MailDomain", namespace, reference));
        }
        let status = domain.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
        provisioned(status, "MailDomain", namespace, reference)?;
        let (tenant, deployment) = self.tenant_of(&domain)?;
        let tenant_home = tenant.namespace().unwrap_or_default();
        if home != namespace && !self.admits(&tenant.spec.allowed_namespaces, &tenant_home, home) {
            return Err(not_permitted(
                &format!("Tenant {tenant_home}/{}", tenant.name_any()),
                "spec.allowedNamespaces",
                home,
            ));
        }
        if let Some(target) = &domain.spec.alias_of {
            return Err(Finding::no(
                types::ACCEPTED,
                reasons::INVALID_SPEC,
                format!(
                    "MailDomain {namespace}/{} is an alias of {target} and has no addresses of its own; refer to the \
                     MailDomain of {target}",
                    reference.name
                ),
            ));
        }
        Ok(Place { domain, tenant, deployment })
    }

    /// Whether `allowed`, set on something in `home`, admits the namespace `guest`.
    pub fn admits(&self, allowed: &AllowedNamespaces, home: &str, guest: &str) -> bool {
        if home == guest {
            return true;
        }
        match allowed.from {
            NamespacesFrom::Same => false,
            NamespacesFrom::All => true,
            NamespacesFrom::Selector => {
                let Some(selector) = &allowed.selector else { return false };
                let Ok(selector) = Selector::try_from(selector.clone()) else { return false };
                self.namespaces
                    .get(&ObjectRef::new(guest))
                    .is_some_and(|namespace| selector.matches(namespace.labels()))
            }
        }
    }

    /// `<uid>/<resourceVersion>` of a Secret, when it exists.
    pub fn secret_version(&self, namespace: &str, name: &str) -> Option<String> {
        let secret = self.secrets.get(&ObjectRef::new(name).within(namespace))?;
        Some(format!(
            "{}/{}",
            secret.metadata.uid.as_deref().unwrap_or_default(),
            secret.metadata.resource_version.as_deref().unwrap_or_default()
        ))
    }
}

/// Whether an installation says that its storage nodes serve.
pub fn answers(deployment: &GroupwareDeployment) -> bool {
    let status = deployment.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    conditions::is_true(status, STORAGE_AVAILABLE)
}

/// What those who refer to a resource say of it while it is not in the directory; it may be nothing.
pub fn obstacle(status: &[Condition]) -> Option<&str> {
    if conditions::is_true(status, types::PROVISIONED) {
        return None;
    }
    Some(conditions::find(status, types::READY).map_or("", |ready| ready.message.as_str()))
}

fn provisioned(
    status: &[Condition],
    kind: &str,
    namespace: &str,
    reference: &Reference,
) -> Result<(), Finding> {
    let Some(why) = obstacle(status) else { return Ok(()) };
    let name = format!("{kind} {namespace}/{}", reference.name);
    let message = match why {
        "" => format!("{name} is not ready"),
        why => format!("{name} is not ready: {why}"),
    };
    Err(Finding::no(types::ACCEPTED, reasons::REF_NOT_READY, message))
}

fn not_found(kind: &str, namespace: &str, reference: &Reference) -> Finding {
    Finding::no(
        types::ACCEPTED,
        reasons::REF_NOT_FOUND,
        format!("there is no {kind} {namespace}/{}; make it, or correct the reference", reference.name),
    )
}

fn going(kind: &str, namespace: &str, reference: &Reference) -> Finding {
    Finding::no(
        types::ACCEPTED,
        reasons::REF_NOT_READY,
        format!("{kind} {namespace}/{} is being deleted", reference.name),
    )
}

fn not_permitted(what: &str, field: &str, namespace: &str) -> Finding {
    Finding::no(
        types::ACCEPTED,
        reasons::REF_NOT_PERMITTED,
        format!("{what} does not admit namespace {namespace}; its {field} must"),
    )
}
