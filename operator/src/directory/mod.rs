//! The controllers of the directory kinds: Tenant, MailDomain, Mailbox, DistributionGroup and ResourceMailbox become
//! entries of the directory of an installation, through the administration of its storage nodes.
//!
//! One watch of each kind fills a store that all of them share ([`world`]); what changes wakes those whom it concerns
//! ([`signals`]); each look goes through [`reconcile`]; changes are sent together ([`admin`]). The kinds differ in how
//! they are looked up, checked and built, and in their status; that is in the file of each kind.

pub mod admin;
mod census;
mod credentials;
pub mod declared;
mod distribution_group;
mod mail_domain;
mod mailbox;
pub mod outcome;
mod reconcile;
mod resource_mailbox;
pub mod signals;
mod tenant;
pub mod world;

use crate::context::Census;
use crate::events::Events;
use crate::{Context, Scope};
use admin::{Admin, Batches};
use anyhow::Context as _;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::ObjectMeta;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Config, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store, store::Writer};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use reconcile::Directory;
use signals::{Signalled, Signals};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use world::World;

pub use reconcile::{DEPLOYMENT_ANNOTATION, MANAGER};

/// Runs them; it returns only when one of them ends.
///
/// # Errors
/// When one of them ends.
pub async fn run(context: Arc<Context>) -> anyhow::Result<()> {
    let admin = Arc::new(context.storage.clone());
    serve(&context.client, &context.scope, &context.events, &context.census, admin).await
}

/// As [`run`], with another way to the storage nodes.
///
/// # Errors
/// When a controller ends.
pub async fn serve(
    client: &Client,
    scope: &Scope,
    events: &Events,
    census: &Census,
    admin: Arc<dyn Admin>,
) -> anyhow::Result<()> {
    let (tenants, tenants_in) = reflector::store();
    let (domains, domains_in) = reflector::store();
    let (mailboxes, mailboxes_in) = reflector::store();
    let (groups, groups_in) = reflector::store();
    let (resources, resources_in) = reflector::store();
    let (namespaces, namespaces_in) = reflector::store();
    let (secrets, secrets_in) = reflector::store();
    let (deployments, deployments_in) = reflector::store();
    let world = World { deployments, tenants, domains, mailboxes, groups, resources, namespaces, secrets };
    let (signals, queues) = Signals::new();
    let mut tasks = JoinSet::new();

    follow(&mut tasks, scope.api(client.clone()), tenants_in, &world, &signals);
    follow(&mut tasks, scope.api(client.clone()), domains_in, &world, &signals);
    follow(&mut tasks, scope.api(client.clone()), mailboxes_in, &world, &signals);
    follow(&mut tasks, scope.api(client.clone()), groups_in, &world, &signals);
    follow(&mut tasks, scope.api(client.clone()), resources_in, &world, &signals);
    let watched = watcher(scope.api(client.clone()), watcher::Config::default());
    let followed = reflector(deployments_in, watched.default_backoff());
    tasks.spawn(signals::follow_deployments(followed, world.clone(), signals.clone()));
    // Of Secrets and Namespaces only their metadata comes over the wire.
    let api: Api<PartialObjectMeta<Secret>> = scope.api(client.clone());
    let watched = watcher(api, watcher::Config::default()).modify(|secret| slim(&mut secret.metadata));
    let followed = reflector(secrets_in, watched.default_backoff());
    tasks.spawn(signals::follow_secrets(followed, world.clone(), signals.clone()));
    if *scope == Scope::Cluster {
        let api: Api<PartialObjectMeta<Namespace>> = Api::all(client.clone());
        let watched =
            watcher(api, watcher::Config::default()).modify(|namespace| slim(&mut namespace.metadata));
        let followed = reflector(namespaces_in, watched.default_backoff());
        tasks.spawn(signals::follow_namespaces(followed, world.clone(), signals.clone()));
        ready(&world.namespaces).await?;
    }
    // Nothing is judged by what is not known yet.
    ready(&world.deployments).await?;
    ready(&world.secrets).await?;
    ready(&world.tenants).await?;
    ready(&world.domains).await?;
    ready(&world.mailboxes).await?;
    ready(&world.groups).await?;
    ready(&world.resources).await?;

    tasks.spawn(census::keep(world.clone(), census.clone(), signals.counted.clone()));
    let directory = Arc::new(Directory {
        client: client.clone(),
        world: world.clone(),
        batches: Batches::new(admin),
        events: events.clone(),
        failures: parking_lot::Mutex::default(),
    });
    tasks.spawn(control(&world.tenants, queues.tenants, &signals, directory.clone()));
    tasks.spawn(control(&world.domains, queues.domains, &signals, directory.clone()));
    tasks.spawn(control(&world.mailboxes, queues.mailboxes, &signals, directory.clone()));
    tasks.spawn(control(&world.groups, queues.groups, &signals, directory.clone()));
    tasks.spawn(control(&world.resources, queues.resources, &signals, directory));
    match tasks.join_next().await {
        Some(Err(error)) => Err(error).context("a directory controller died"),
        Some(Ok(())) | None => anyhow::bail!("a directory controller ended"),
    }
}

async fn ready<K>(store: &Store<K>) -> anyhow::Result<()>
where
    K: reflector::Lookup + Clone + 'static,
    K::DynamicType: Eq + std::hash::Hash + Clone,
{
    store.wait_until_ready().await.context("a watch of the directory kinds ended")
}

fn follow<K: Signalled + Resource<DynamicType = ()>>(
    tasks: &mut JoinSet<()>,
    api: Api<K>,
    writer: Writer<K>,
    world: &World,
    signals: &Signals,
) {
    let watched =
        watcher(api, watcher::Config::default()).modify(|object| slim(object.meta_mut())).default_backoff();
    let events = reflector(writer, watched);
    tasks.spawn(signals::follow(events, world.clone(), signals.clone()));
}

/// What nobody here reads need not be kept for every object.
fn slim(meta: &mut ObjectMeta) {
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

fn reflector<K>(
    writer: Writer<K>,
    events: impl futures::Stream<Item = watcher::Result<Event<K>>>,
) -> impl futures::Stream<Item = watcher::Result<Event<K>>>
where
    K: reflector::Lookup + Clone,
    K::DynamicType: Eq + std::hash::Hash + Clone,
{
    reflector::reflector(writer, events)
}

/// Runs the controller of one kind, which is woken by its queue alone.
fn control<K: Signalled + Resource<DynamicType = ()>>(
    store: &Store<K>,
    mut queue: mpsc::UnboundedReceiver<ObjectRef<K>>,
    signals: &Signals,
    directory: Arc<Directory>,
) -> impl Future<Output = ()> + Send + 'static {
    signals::wake_all(signals, store);
    let woken = futures::stream::poll_fn(move |context| queue.poll_recv(context));
    let controller = Controller::for_stream(futures::stream::pending(), store.clone())
        .with_config(Config::default().concurrency(CONCURRENCY).debounce(DEBOUNCE))
        .reconcile_on(woken)
        .run(reconcile::reconcile::<K>, reconcile::error_policy::<K>, directory);
    async move {
        let mut outcomes = std::pin::pin!(controller);
        while let Some(outcome) = outcomes.next().await {
            if let Err(error) = outcome {
                tracing::debug!(error = &error as &dyn std::error::Error, kind = %K::kind(&()), "a look failed");
            }
        }
    }
}

/// Looks at the same time, for each kind: enough to fill a call to the storage nodes while others write their status.
const CONCURRENCY: u16 = 100;
/// What changes several times in a moment is looked at once.
const DEBOUNCE: Duration = Duration::from_millis(100);
