//! DistributionGroup → group of the directory.

use super::declared::{Composed, Declaration, Declared, Reclaim, check_domain, texts};
use super::tenant::directory_name;
use super::world::{Place, World};
use crate::conditions::{self, Finding};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kontor_crds::conditions::{reasons, types};
use kontor_crds::{
    AcceptFrom, DistributionGroup, DistributionGroupStatus, MailAddress, MembershipType, Reference,
};
use kontor_storage_client::proto::{self, put::Object};
use kube::ResourceExt;
use kube::core::{Selector, SelectorExt};
use kube::runtime::reflector::ObjectRef;
use std::collections::HashSet;

impl Declared for DistributionGroup {
    type Status = DistributionGroupStatus;
    const ENTRY: &'static str = "group";

    fn status(&self) -> Option<&DistributionGroupStatus> {
        self.status.as_ref()
    }

    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default()
    }

    fn declare(&self, world: &World) -> Result<Declaration, Finding> {
        let home = self.namespace().unwrap_or_default();
        let place = world.place(&self.spec.domain_ref, &home)?;
        check_domain(&self.spec.primary_address, &place)?;
        if let Some(through) = cycle(self, world) {
            return Err(Finding::no(
                types::ACCEPTED,
                reasons::MEMBERSHIP_CYCLE,
                format!(
                    "the group contains itself, through DistributionGroup {through}; take one of the two out"
                ),
            ));
        }
        let members = Members::of(self, world, &place)?;
        Ok(build(self, place, members))
    }

    fn compose(&self, conditions: Vec<Condition>, outcome: &Composed<'_>) -> DistributionGroupStatus {
        let before = self.status.clone().unwrap_or_default();
        let members = outcome.declaration.and_then(|d| d.members.clone());
        let (resolved_members, unresolved) = match members {
            Some((resolved, mut unresolved)) => {
                unresolved.truncate(NAMED);
                (Some(resolved), unresolved)
            }
            None => (before.resolved_members, before.unresolved),
        };
        DistributionGroupStatus {
            observed_generation: self.metadata.generation,
            conditions,
            resolved_members,
            unresolved,
        }
    }

    fn reclaim(&self) -> Reclaim {
        self.spec.reclaim_policy.into()
    }

    fn face(&self) -> serde_json::Value {
        serde_json::json!([
            self.spec.primary_address,
            self.spec.members,
            self.metadata.deletion_timestamp.is_some(),
            conditions::is_true(self.conditions(), types::PROVISIONED),
        ])
    }
}

/// Who is in a group.
#[derive(Default)]
struct Members {
    /// Whether the resource says who.
    managed: bool,
    addresses: Vec<String>,
    unresolved: Vec<String>,
}

impl Members {
    fn of(group: &DistributionGroup, world: &World, place: &Place) -> Result<Self, Finding> {
        let home = group.namespace().unwrap_or_default();
        match group.spec.membership_type {
            MembershipType::Dynamic => Self::selected(group, world, place, &home),
            MembershipType::Static => Ok(Self::listed(group, world, place, &home)),
        }
    }

    fn selected(
        group: &DistributionGroup,
        world: &World,
        place: &Place,
        home: &str,
    ) -> Result<Self, Finding> {
        let selector = group.spec.member_selector.clone().unwrap_or_default();
        let selector = Selector::try_from(selector).map_err(|error| {
            Finding::no(types::ACCEPTED, reasons::INVALID_SPEC, format!("memberSelector: {error}"))
        })?;
        let mut addresses = Vec::new();
        let mut take = |labels: &std::collections::BTreeMap<String, String>,
                        domain: &Reference,
                        status: &[Condition],
                        address: &MailAddress| {
            let ready = conditions::is_true(status, types::PROVISIONED);
            if ready && selector.matches(labels) && same_tenant(world, place, domain, home) {
                addresses.push(address.0.clone());
            }
        };
        for mailbox in world.mailboxes.state() {
            if mailbox.metadata.namespace.as_deref() == Some(home) {
                take(
                    mailbox.labels(),
                    &mailbox.spec.domain_ref,
                    mailbox.conditions(),
                    &mailbox.spec.primary_address,
                );
            }
        }
        for resource in world.resources.state() {
            if resource.metadata.namespace.as_deref() == Some(home) {
                take(
                    resource.labels(),
                    &resource.spec.domain_ref,
                    resource.conditions(),
                    &resource.spec.primary_address,
                );
            }
        }
        addresses.sort_unstable();
        Ok(Self { managed: true, addresses, unresolved: Vec::new() })
    }

    fn listed(group: &DistributionGroup, world: &World, place: &Place, home: &str) -> Self {
        let Some(members) = &group.spec.members else { return Self::default() };
        let mut all = Self { managed: true, ..Self::default() };
        for member in members {
            if let Some(address) = &member.smtp_address {
                all.addresses.push(address.0.clone());
            }
            if let Some(reference) = &member.mailbox_ref {
                let found = world.mailboxes.get(&key(reference, home)).map(|m| {
                    (m.spec.primary_address.clone(), m.spec.domain_ref.clone(), m.conditions().to_vec())
                });
                all.add("Mailbox", reference, found, world, place, home);
            }
            if let Some(reference) = &member.group_ref {
                let found = world.groups.get(&key(reference, home)).map(|g| {
                    (g.spec.primary_address.clone(), g.spec.domain_ref.clone(), g.conditions().to_vec())
                });
                all.add("DistributionGroup", reference, found, world, place, home);
            }
            if let Some(reference) = &member.resource_ref {
                let found = world.resources.get(&key(reference, home)).map(|r| {
                    (r.spec.primary_address.clone(), r.spec.domain_ref.clone(), r.conditions().to_vec())
                });
                all.add("ResourceMailbox", reference, found, world, place, home);
            }
        }
        let mut seen = HashSet::new();
        all.addresses.retain(|address| seen.insert(address.clone()));
        all
    }

    fn add(
        &mut self,
        kind: &str,
        reference: &Reference,
        found: Option<(MailAddress, Reference, Vec<Condition>)>,
        world: &World,
        place: &Place,
        home: &str,
    ) {
        let namespace = reference.namespace_or(home);
        match found {
            Some((address, domain, status))
                if same_tenant(world, place, &domain, namespace)
                    && conditions::is_true(&status, types::PROVISIONED) =>
            {
                self.addresses.push(address.0);
            }
            _ => self.unresolved.push(format!("{kind} {namespace}/{}", reference.name)),
        }
    }
}

/// Whether a resource in `home` with this domain is of the tenant of `place`. Another tenant's members do not exist
/// from here.
fn same_tenant(world: &World, place: &Place, domain: &Reference, home: &str) -> bool {
    world.place(domain, home).is_ok_and(|other| other.tenant.metadata.uid == place.tenant.metadata.uid)
}

fn key<K>(reference: &Reference, home: &str) -> ObjectRef<K>
where
    K: kube::Resource<DynamicType = ()>,
{
    ObjectRef::new(&reference.name).within(reference.namespace_or(home))
}

fn build(group: &DistributionGroup, place: Place, members: Members) -> Declaration {
    let spec = &group.spec;
    let mut object = proto::Group {
        address: spec.primary_address.0.clone(),
        tenant: directory_name(&place.tenant, &place.deployment),
        ..Default::default()
    };
    let mut managed = vec!["address"];
    if let Some(aliases) = &spec.aliases {
        object.aliases = texts(aliases);
        managed.push("aliases");
    }
    if let Some(name) = &spec.display_name {
        object.display_name = name.clone();
        managed.push("display_name");
    }
    if let Some(delivery) = &spec.delivery {
        object.senders = match delivery.accept_from {
            AcceptFrom::Anyone => "anyone",
            AcceptFrom::Tenant => "tenant",
            AcceptFrom::Members => "members",
        }
        .to_owned();
        managed.push("senders");
    }
    if let Some(hidden) = spec.hidden_from_address_lists {
        object.hidden = hidden;
        managed.push("hidden");
    }
    let count = u32::try_from(members.addresses.len()).unwrap_or(u32::MAX);
    if members.managed {
        object.members = members.addresses;
        managed.push("members");
    }
    let finding = match members.unresolved.as_slice() {
        [] => Finding::yes(types::MEMBERS_RESOLVED, reasons::AS_DECLARED, ""),
        missing => {
            let named: Vec<&str> = missing.iter().take(5).map(String::as_str).collect();
            let more = missing.len().saturating_sub(named.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Finding::no(
                types::MEMBERS_RESOLVED,
                reasons::MEMBERS_MISSING,
                format!(
                    "not there, not ready or not of this tenant: {}{more}; mail goes to the others",
                    named.join(", ")
                ),
            )
        }
    };
    Declaration {
        deployment: place.deployment,
        object: Object::Group(object),
        managed,
        findings: vec![finding],
        members: Some((count, members.unresolved)),
    }
}

/// The group by which this one contains itself, following references.
fn cycle(group: &DistributionGroup, world: &World) -> Option<String> {
    let start = (group.namespace().unwrap_or_default(), group.name_any());
    let mut seen = HashSet::new();
    let mut rest: Vec<(String, String)> = children(group);
    while let Some((namespace, name)) = rest.pop() {
        if !seen.insert((namespace.clone(), name.clone())) {
            continue;
        }
        if (&namespace, &name) == (&start.0, &start.1) {
            return Some(format!("{namespace}/{name}"));
        }
        let Some(child) = world.groups.get(&ObjectRef::new(&name).within(&namespace)) else { continue };
        let next = children(&child);
        if next.contains(&start) {
            return Some(format!("{namespace}/{name}"));
        }
        rest.extend(next);
    }
    None
}

fn children(group: &DistributionGroup) -> Vec<(String, String)> {
    let home = group.namespace().unwrap_or_default();
    let members = group.spec.members.iter().flatten();
    members
        .filter_map(|m| m.group_ref.as_ref())
        .map(|r| (r.namespace_or(&home).to_owned(), r.name.clone()))
        .collect()
}

/// Unresolved members that the status names.
const NAMED: usize = 50;
