//! How many there are, for the status of the installation and its deletion protection.

use super::declared::Declared;
use super::world::World;
use crate::conditions;
use crate::context::{Census, Counts};
use kontor_crds::Reference;
use kontor_crds::conditions::types;
use kube::ResourceExt;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::Notify;

/// Counts after changes, and says what came of it; it returns never.
pub async fn keep(world: World, census: Census, changed: std::sync::Arc<Notify>) {
    loop {
        let counts = count(&world);
        for deployment in world.deployments.state() {
            let key = (deployment.namespace().unwrap_or_default(), deployment.name_any());
            census.say(&deployment, counts.get(&key).copied().unwrap_or_default());
        }
        changed.notified().await;
        tokio::time::sleep(PAUSE).await;
    }
}

type Name = (String, String);

/// The counts by namespace and name of the installation, whether or not it admits what refers to it.
fn count(world: &World) -> HashMap<Name, Counts> {
    let mut all: HashMap<Name, Counts> = HashMap::new();
    let mut of_tenant: HashMap<Name, Name> = HashMap::new();
    for tenant in world.tenants.state() {
        let deployment = target(&tenant.spec.deployment_ref, &*tenant);
        of_tenant.insert(name(&*tenant), deployment.clone());
        let counts = all.entry(deployment).or_default();
        counts.tenants += 1;
        tally(counts, &*tenant);
    }
    let mut of_domain: HashMap<Name, Name> = HashMap::new();
    for domain in world.domains.state() {
        if let Some(deployment) = of_tenant.get(&target(&domain.spec.tenant_ref, &*domain)) {
            of_domain.insert(name(&*domain), deployment.clone());
            tally(all.entry(deployment.clone()).or_default(), &*domain);
        }
    }
    let mut add = |reference: &Reference, home: Name, is_mailbox: bool, bad: (u64, u64)| {
        let key = (reference.namespace_or(&home.0).to_owned(), reference.name.clone());
        if let Some(deployment) = of_domain.get(&key) {
            let counts = all.entry(deployment.clone()).or_default();
            counts.mailboxes += u64::from(is_mailbox);
            counts.pending += bad.0;
            counts.failed += bad.1;
        }
    };
    for mailbox in world.mailboxes.state() {
        add(&mailbox.spec.domain_ref, name(&*mailbox), true, standing(&*mailbox));
    }
    for resource in world.resources.state() {
        add(&resource.spec.domain_ref, name(&*resource), true, standing(&*resource));
    }
    for group in world.groups.state() {
        add(&group.spec.domain_ref, name(&*group), false, standing(&*group));
    }
    all
}

fn name<K: Declared>(object: &K) -> Name {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn target<K: Declared>(reference: &Reference, from: &K) -> Name {
    let home = from.namespace().unwrap_or_default();
    (reference.namespace_or(&home).to_owned(), reference.name.clone())
}

fn tally<K: Declared>(counts: &mut Counts, object: &K) {
    let (pending, failed) = standing(object);
    counts.pending += pending;
    counts.failed += failed;
}

/// Whether it is pending, and whether it failed: 0 or 1 each.
fn standing<K: Declared>(object: &K) -> (u64, u64) {
    match conditions::find(object.conditions(), types::READY) {
        Some(ready) if ready.status == "True" => (0, 0),
        Some(ready) if ready.status == "False" => (0, 1),
        _ => (1, 0),
    }
}

/// Statuses come by the hundred; counting them once in a while will do.
const PAUSE: Duration = Duration::from_secs(2);
