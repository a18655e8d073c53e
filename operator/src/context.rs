//! What all controllers share.

use crate::apis::Apis;
use crate::children::Children;
use crate::events::Events;
use crate::observe::Observer;
use crate::storage::StorageAccess;
use anyhow::Context as _;
use kontor_crds::groupware_deployment::GroupwareDeployment;
use kube::api::ObjectMeta;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, Resource};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Where the operator works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere.
    Cluster,
    /// In one namespace.
    Namespace(String),
}

impl Scope {
    /// All objects of a kind in this scope.
    pub fn api<K>(&self, client: Client) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        match self {
            Self::Cluster => Api::all(client),
            Self::Namespace(namespace) => Api::namespaced(client, namespace),
        }
    }
}

/// What all controllers share.
pub struct Context {
    /// The way to the API server.
    pub client: Client,
    /// Where the operator works.
    pub scope: Scope,
    /// Optional APIs.
    pub apis: Apis,
    /// Tells people.
    pub events: Events,
    /// All GroupwareDeployments in the scope, kept current.
    pub deployments: Store<GroupwareDeployment>,
    /// The objects that the operator made, kept current.
    pub children: Arc<Children>,
    /// The pods of all deployments.
    pub observer: Arc<Observer>,
    /// Clients of the storage nodes.
    pub storage: StorageAccess,
    /// What the directory controllers know, by UID of the deployment.
    pub census: Census,
}

impl Context {
    /// Waits until what the controllers compare with is known. For one task alone: a reflector's store wakes only the one
    /// that asked it last, and any other would wait forever.
    ///
    /// # Errors
    /// When a watch ended.
    pub async fn known(&self) -> anyhow::Result<()> {
        self.children.ready().await;
        self.observer.ready().await?;
        self.deployments.wait_until_ready().await.context("the watch of GroupwareDeployments ended")
    }

    /// The deployment of this name, if there is one.
    pub fn deployment(&self, namespace: &str, name: &str) -> Option<Arc<GroupwareDeployment>> {
        self.deployments.get(&ObjectRef::new(name).within(namespace))
    }
}

/// What the directory controllers count for a deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tenants.
    pub tenants: u64,
    /// Mailboxes of every kind.
    pub mailboxes: u64,
    /// Resources that wait to be made so.
    pub pending: u64,
    /// Resources that cannot be made so.
    pub failed: u64,
}

/// The counts of all deployments. The directory controllers say them, the deployment controller puts them into its
/// status and holds deletion back while there are mailboxes.
#[derive(Clone)]
pub struct Census {
    counts: Arc<RwLock<HashMap<String, Counts>>>,
    wake: Wake,
}

impl Census {
    /// An empty one.
    pub fn new(wake: Wake) -> Self {
        Self { counts: Arc::default(), wake }
    }

    /// Says what there is; the deployment's controller hears of it when it changed.
    pub fn say(&self, deployment: &GroupwareDeployment, counts: Counts) {
        let before = self.counts.write().insert(deployment.uid().to_owned(), counts);
        if before != Some(counts) {
            self.wake.deployment(&deployment.metadata);
        }
    }

    /// What was said last, or none when nobody has counted yet.
    pub fn of(&self, deployment: &GroupwareDeployment) -> Option<Counts> {
        self.counts.read().get(deployment.uid()).copied()
    }
}

/// Has GroupwareDeployments looked at again. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Wake(mpsc::UnboundedSender<ObjectRef<GroupwareDeployment>>);

impl Wake {
    /// The other end is what the deployment controller listens to. It takes what comes at once and keeps one entry for
    /// each deployment, so that nothing piles up.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<ObjectRef<GroupwareDeployment>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// This deployment.
    pub fn deployment(&self, meta: &ObjectMeta) {
        if let (Some(namespace), Some(name)) = (&meta.namespace, &meta.name) {
            self.named(namespace, name);
        }
    }

    /// The deployment of this name.
    pub fn named(&self, namespace: &str, name: &str) {
        // Nobody listens while another replica leads.
        let _ = self.0.send(ObjectRef::new(name).within(namespace));
    }
}
