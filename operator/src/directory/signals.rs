//! Who is to be looked at again when something changes: one watch of each kind, and a queue to each controller.

use super::credentials::secret_name;
use super::declared::Declared;
use super::world::{self, World};
use crate::conditions::is_true;
use crate::deployment::status::SCHEMA_CURRENT;
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kontor_crds::conditions::types;
use kontor_crds::{
    ADOPT_ANNOTATION, DistributionGroup, GroupwareDeployment, MailDomain, Mailbox, MembershipType, Reference,
    ResourceMailbox, Tenant,
};
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Resource, ResourceExt};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The queues of the controllers. Cheap to clone.
#[derive(Clone)]
pub struct Signals {
    tenants: mpsc::UnboundedSender<ObjectRef<Tenant>>,
    domains: mpsc::UnboundedSender<ObjectRef<MailDomain>>,
    mailboxes: mpsc::UnboundedSender<ObjectRef<Mailbox>>,
    groups: mpsc::UnboundedSender<ObjectRef<DistributionGroup>>,
    resources: mpsc::UnboundedSender<ObjectRef<ResourceMailbox>>,
    /// Something changed that is counted.
    pub counted: Arc<tokio::sync::Notify>,
}

/// The other ends. A controller takes what comes at once and keeps one entry for each object, so that nothing piles up.
pub struct Queues {
    /// Tenants to look at.
    pub tenants: mpsc::UnboundedReceiver<ObjectRef<Tenant>>,
    /// Domains to look at.
    pub domains: mpsc::UnboundedReceiver<ObjectRef<MailDomain>>,
    /// Mailboxes to look at.
    pub mailboxes: mpsc::UnboundedReceiver<ObjectRef<Mailbox>>,
    /// Groups to look at.
    pub groups: mpsc::UnboundedReceiver<ObjectRef<DistributionGroup>>,
    /// Rooms and equipment to look at.
    pub resources: mpsc::UnboundedReceiver<ObjectRef<ResourceMailbox>>,
}

/// What is told of a change of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// The resource itself says something new.
    Declared,
    /// What others see of it is new.
    Face,
}

impl Signals {
    /// Both ends.
    pub fn new() -> (Self, Queues) {
        let (tenants, tenants_out) = mpsc::unbounded_channel();
        let (domains, domains_out) = mpsc::unbounded_channel();
        let (mailboxes, mailboxes_out) = mpsc::unbounded_channel();
        let (groups, groups_out) = mpsc::unbounded_channel();
        let (resources, resources_out) = mpsc::unbounded_channel();
        let counted = Arc::default();
        (
            Self { tenants, domains, mailboxes, groups, resources, counted },
            Queues {
                tenants: tenants_out,
                domains: domains_out,
                mailboxes: mailboxes_out,
                groups: groups_out,
                resources: resources_out,
            },
        )
    }

    /// An installation changed.
    pub fn deployment(&self, world: &World, deployment: &ObjectRef<GroupwareDeployment>) {
        for tenant in world.tenants.state() {
            if refers(&tenant.spec.deployment_ref, &*tenant, deployment) {
                let _ = self.tenants.send(ObjectRef::from_obj(&*tenant));
                self.tenant(world, &ObjectRef::from_obj(&*tenant));
            }
        }
    }

    /// An installation answers again: whoever is not well may have waited for it, with pauses that have grown.
    pub fn answering(&self, world: &World) {
        wake_unready(self, &world.tenants);
        wake_unready(self, &world.domains);
        wake_unready(self, &world.mailboxes);
        wake_unready(self, &world.groups);
        wake_unready(self, &world.resources);
    }

    /// A tenant changed: its domains, and all that is in them.
    pub fn tenant(&self, world: &World, tenant: &ObjectRef<Tenant>) {
        for domain in world.domains.state() {
            if refers(&domain.spec.tenant_ref, &*domain, tenant) {
                let _ = self.domains.send(ObjectRef::from_obj(&*domain));
                self.domain(world, &ObjectRef::from_obj(&*domain));
            }
        }
    }

    /// A domain changed: what has its address there.
    pub fn domain(&self, world: &World, domain: &ObjectRef<MailDomain>) {
        for mailbox in world.mailboxes.state() {
            if refers(&mailbox.spec.domain_ref, &*mailbox, domain) {
                let _ = self.mailboxes.send(ObjectRef::from_obj(&*mailbox));
            }
        }
        for resource in world.resources.state() {
            if refers(&resource.spec.domain_ref, &*resource, domain) {
                let _ = self.resources.send(ObjectRef::from_obj(&*resource));
            }
        }
        for group in world.groups.state() {
            if refers(&group.spec.domain_ref, &*group, domain) {
                let _ = self.groups.send(ObjectRef::from_obj(&*group));
            }
        }
    }

    /// A possible member changed: the groups that name it, and the dynamic groups of its namespace.
    fn member<K: Resource<DynamicType = ()>>(
        &self,
        world: &World,
        member: &ObjectRef<K>,
        named: fn(&kontor_crds::Member) -> Option<&Reference>,
    ) {
        for group in world.groups.state() {
            let concerned = match group.spec.membership_type {
                MembershipType::Dynamic => group.metadata.namespace == member.namespace,
                MembershipType::Static => group
                    .spec
                    .members
                    .iter()
                    .flatten()
                    .filter_map(named)
                    .any(|reference| refers(reference, &*group, member)),
            };
            if concerned {
                let _ = self.groups.send(ObjectRef::from_obj(&*group));
            }
        }
    }

    /// A Secret changed: the mailboxes whose password is in it.
    pub fn secret(&self, world: &World, secret: &ObjectRef<PartialObjectMeta<Secret>>) {
        for mailbox in world.mailboxes.state() {
            if mailbox.metadata.namespace == secret.namespace
                && mailbox.spec.credentials.as_ref().and_then(secret_name) == Some(secret.name.as_str())
            {
                let _ = self.mailboxes.send(ObjectRef::from_obj(&*mailbox));
            }
        }
    }

    /// The labels of a namespace changed: all that is in it may be admitted somewhere now, or not any more.
    pub fn namespace(&self, world: &World, namespace: &str) {
        let here = |meta: &kube::api::ObjectMeta| meta.namespace.as_deref() == Some(namespace);
        for tenant in world.tenants.state().iter().filter(|t| here(&t.metadata)) {
            let _ = self.tenants.send(ObjectRef::from_obj(&**tenant));
        }
        for domain in world.domains.state().iter().filter(|d| here(&d.metadata)) {
            let _ = self.domains.send(ObjectRef::from_obj(&**domain));
        }
        for mailbox in world.mailboxes.state().iter().filter(|m| here(&m.metadata)) {
            let _ = self.mailboxes.send(ObjectRef::from_obj(&**mailbox));
        }
        for group in world.groups.state().iter().filter(|g| here(&g.metadata)) {
            let _ = self.groups.send(ObjectRef::from_obj(&**group));
        }
        for resource in world.resources.state().iter().filter(|r| here(&r.metadata)) {
            let _ = self.resources.send(ObjectRef::from_obj(&**resource));
        }
    }
}

/// A kind with a controller, and whom a change of it concerns.
pub trait Signalled: Declared {
    /// Has it looked at.
    fn wake(signals: &Signals, object: ObjectRef<Self>);
    /// Has those looked at that depend on it.
    fn dependents(signals: &Signals, world: &World, object: &ObjectRef<Self>);
}

impl Signalled for Tenant {
    fn wake(signals: &Signals, object: ObjectRef<Self>) {
        let _ = signals.tenants.send(object);
    }
    fn dependents(signals: &Signals, world: &World, object: &ObjectRef<Self>) {
        signals.tenant(world, object);
    }
}

impl Signalled for MailDomain {
    fn wake(signals: &Signals, object: ObjectRef<Self>) {
        let _ = signals.domains.send(object);
    }
    fn dependents(signals: &Signals, world: &World, object: &ObjectRef<Self>) {
        signals.domain(world, object);
        // A domain that is an alias needs the other one first.
        if let Some(changed) = world.domains.get(object) {
            for domain in world.domains.state() {
                if domain.spec.alias_of.as_ref() == Some(&changed.spec.domain_name) {
                    let _ = signals.domains.send(ObjectRef::from_obj(&*domain));
                }
            }
        }
    }
}

impl Signalled for Mailbox {
    fn wake(signals: &Signals, object: ObjectRef<Self>) {
        let _ = signals.mailboxes.send(object);
    }
    fn dependents(signals: &Signals, world: &World, object: &ObjectRef<Self>) {
        signals.member(world, object, |member| member.mailbox_ref.as_ref());
    }
}

impl Signalled for DistributionGroup {
    fn wake(signals: &Signals, object: ObjectRef<Self>) {
        let _ = signals.groups.send(object);
    }
    fn dependents(signals: &Signals, world: &World, object: &ObjectRef<Self>) {
        signals.member(world, object, |member| member.group_ref.as_ref());
    }
}

impl Signalled for ResourceMailbox {
    fn wake(signals: &Signals, object: ObjectRef<Self>) {
        let _ = signals.resources.send(object);
    }
    fn dependents(signals: &Signals, world: &World, object: &ObjectRef<Self>) {
        signals.member(world, object, |member| member.resource_ref.as_ref());
    }
}

fn refers<A: Resource, B: Resource<DynamicType = ()>>(
    reference: &Reference,
    from: &A,
    to: &ObjectRef<B>,
) -> bool {
    let home = from.meta().namespace.as_deref().unwrap_or_default();
    reference.name == to.name && to.namespace.as_deref() == Some(reference.namespace_or(home))
}

/// Remembers what was told of each object, so that an operator that writes a status does not wake itself.
struct Told(HashMap<String, (u64, u64)>);

impl Told {
    fn news<K: Declared>(&mut self, object: &K) -> Vec<News> {
        let now = (declared_hash(object), face_hash(object));
        let before = self.0.insert(object.uid().unwrap_or_default(), now);
        let mut news = Vec::new();
        if before.map(|b| b.0) != Some(now.0) {
            news.push(News::Declared);
        }
        if before.map(|b| b.1) != Some(now.1) {
            news.push(News::Face);
        }
        news
    }
}

fn declared_hash<K: Declared>(object: &K) -> u64 {
    let meta = object.meta();
    let mut hasher = DefaultHasher::new();
    meta.generation.hash(&mut hasher);
    meta.deletion_timestamp.is_some().hash(&mut hasher);
    object.annotations().get(ADOPT_ANNOTATION).hash(&mut hasher);
    hasher.finish()
}

fn face_hash<K: Declared>(object: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.face().to_string().hash(&mut hasher);
    hasher.finish()
}

/// Follows a watch of a kind that has a controller: the store is current before anybody is woken.
pub async fn follow<K>(events: impl Stream<Item = watcher::Result<Event<K>>>, world: World, signals: Signals)
where
    K: Signalled + Resource<DynamicType = ()>,
{
    let mut told = Told(HashMap::new());
    let mut events = std::pin::pin!(settled(events));
    while let Some(changes) = events.next().await {
        for change in changes {
            match change {
                Change::Known(object) => drop(told.news(&object)),
                Change::Is(object) => {
                    let reference = ObjectRef::from_obj(&object);
                    for news in told.news(&object) {
                        match news {
                            News::Declared => K::wake(&signals, reference.clone()),
                            News::Face => K::dependents(&signals, &world, &reference),
                        }
                    }
                }
                Change::Gone(object) => {
                    told.0.remove(&object.uid().unwrap_or_default());
                    K::dependents(&signals, &world, &ObjectRef::from_obj(&object));
                }
            }
            signals.counted.notify_one();
        }
    }
}

/// What an event means once the store has it.
enum Change<K> {
    /// There from the beginning: the controllers start with a look at everything.
    Known(K),
    /// It is so now, and may have been so before.
    Is(K),
    /// It is gone.
    Gone(K),
}

/// What the events of a watch mean, one after another.
fn settled<K: Resource<DynamicType = ()>>(
    events: impl Stream<Item = watcher::Result<Event<K>>>,
) -> impl Stream<Item = Vec<Change<K>>> {
    let mut listing = Listing::default();
    events.map(move |event| {
        event.map(|event| listing.settled(event)).unwrap_or_else(|error| {
            tracing::warn!(%error, kind = %K::kind(&()), "a watch was interrupted");
            Vec::new()
        })
    })
}

/// A list shows in the store only when it is complete. The first one is no news; of a later one, made because the watch
/// was interrupted for too long, anything may be.
struct Listing<K> {
    first: bool,
    listed: Vec<K>,
}

impl<K> Default for Listing<K> {
    fn default() -> Self {
        Self { first: true, listed: Vec::new() }
    }
}

impl<K> Listing<K> {
    fn settled(&mut self, event: Event<K>) -> Vec<Change<K>> {
        match event {
            Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                self.listed.push(object);
                Vec::new()
            }
            Event::InitDone => {
                let change = if std::mem::take(&mut self.first) { Change::Known } else { Change::Is };
                std::mem::take(&mut self.listed).into_iter().map(change).collect()
            }
            Event::Apply(object) => vec![Change::Is(object)],
            Event::Delete(object) => vec![Change::Gone(object)],
        }
    }
}

/// Has every object of a store looked at.
pub fn wake_all<K: Signalled>(signals: &Signals, store: &Store<K>) {
    for object in store.state() {
        K::wake(signals, ObjectRef::from_obj(&*object));
    }
}

fn wake_unready<K: Signalled>(signals: &Signals, store: &Store<K>) {
    for object in store.state().iter().filter(|object| !is_true(object.conditions(), types::READY)) {
        K::wake(signals, ObjectRef::from_obj(&**object));
    }
}

/// Follows namespaces: only their labels matter.
pub async fn follow_namespaces(
    events: impl Stream<Item = watcher::Result<Event<PartialObjectMeta<Namespace>>>>,
    world: World,
    signals: Signals,
) {
    let mut labels = HashMap::new();
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(namespace)) => {
                let now = Some(namespace.labels().clone());
                if labels.insert(namespace.name_any(), namespace.labels().clone()) != now {
                    signals.namespace(&world, &namespace.name_any());
                }
            }
            Ok(Event::InitApply(namespace)) => {
                labels.insert(namespace.name_any(), namespace.labels().clone());
            }
            Ok(Event::Delete(namespace)) => {
                labels.remove(&namespace.name_any());
            }
            Ok(Event::Init | Event::InitDone) => {}
            Err(error) => tracing::warn!(%error, "the watch of Namespaces was interrupted"),
        }
    }
}

/// Follows Secrets: a new version of one that a mailbox refers to sets its password.
pub async fn follow_secrets(
    events: impl Stream<Item = watcher::Result<Event<PartialObjectMeta<Secret>>>>,
    world: World,
    signals: Signals,
) {
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(secret) | Event::Delete(secret)) => {
                signals.secret(&world, &ObjectRef::from_obj(&secret));
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the watch of Secrets was interrupted"),
        }
    }
}

/// Follows installations: a new spec, one that became ready or is not any more, one that answers again.
pub async fn follow_deployments(
    events: impl Stream<Item = watcher::Result<Event<GroupwareDeployment>>>,
    world: World,
    signals: Signals,
) {
    let mut known = HashMap::new();
    let mut events = std::pin::pin!(settled(events));
    while let Some(changes) = events.next().await {
        for change in changes {
            match change {
                Change::Known(deployment) => {
                    known.insert(deployment.uid().to_owned(), Face::of(&deployment));
                }
                Change::Is(deployment) => {
                    let now = Face::of(&deployment);
                    let before = known.insert(deployment.uid().to_owned(), now);
                    let same = |b: Face| b.generation == now.generation && b.schema == now.schema;
                    if !before.is_some_and(same) {
                        signals.deployment(&world, &ObjectRef::from_obj(&deployment));
                    }
                    if now.answers && !before.is_some_and(|before| before.answers) {
                        signals.answering(&world);
                    }
                }
                Change::Gone(deployment) => {
                    known.remove(deployment.uid());
                    signals.deployment(&world, &ObjectRef::from_obj(&deployment));
                }
            }
            signals.counted.notify_one();
        }
    }
}

/// What the directory kinds see of an installation.
#[derive(Clone, Copy)]
struct Face {
    generation: Option<i64>,
    /// The schema is current.
    schema: bool,
    /// Storage nodes answer.
    answers: bool,
}

impl Face {
    fn of(deployment: &GroupwareDeployment) -> Self {
        let conditions = deployment.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
        Self {
            generation: deployment.metadata.generation,
            schema: is_true(conditions, SCHEMA_CURRENT),
            answers: world::answers(deployment),
        }
    }
}
