//! The objects that the operator made, as the API server has them now.
//!
//! Every kind that the operator makes is watched by label; kinds of optional APIs from the moment that they appear. A
//! change wakes the deployment that the object belongs to. What is kept is what a comparison needs: the field sets of
//! `managedFields` are left out, who wrote is kept.

use crate::Scope;
use crate::apis::{Apis, Optional};
use crate::context::Wake;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{DynamicObject, TypeMeta};
use kube::core::ApiResource;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use parking_lot::RwLock;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tokio::sync::watch;

/// Which object: kind with its group, namespace, name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// API group; empty for the core.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// The objects that the operator made.
pub struct Children {
    objects: RwLock<HashMap<Key, Arc<DynamicObject>>>,
    /// The kinds whose first list has come.
    listed: watch::Sender<BTreeSet<String>>,
    wake: Wake,
}

impl Children {
    /// Empty.
    pub fn new(wake: Wake) -> Arc<Self> {
        Arc::new(Self { objects: RwLock::default(), listed: watch::Sender::default(), wake })
    }

    /// The object as it is now.
    pub fn get(&self, key: &Key) -> Option<Arc<DynamicObject>> {
        self.objects.read().get(key).cloned()
    }

    /// All objects in a namespace that belong to the deployment of this name.
    pub fn of(&self, namespace: &str, deployment: &str) -> Vec<(Key, Arc<DynamicObject>)> {
        let objects = self.objects.read();
        let mine = objects.iter().filter(|(key, object)| {
            key.namespace == namespace
                && object.labels().get(INSTANCE).is_some_and(|instance| instance == deployment)
        });
        mine.map(|(key, object)| (key.clone(), object.clone())).collect()
    }

    /// An object as an answer of the API server shows it, ahead of the watch.
    pub fn put(&self, resource: &ApiResource, object: DynamicObject) {
        let object = Arc::new(slim(resource, object));
        let key = key(resource, &object);
        let mut objects = self.objects.write();
        // The watch may have been faster, and newer.
        let newer = objects.get(&key).is_some_and(|known| version(known) > version(&object));
        if !newer {
            objects.insert(key, object);
        }
    }

    /// Whether a kind is watched and its first list has come.
    pub fn is_listed(&self, resource: &ApiResource) -> bool {
        self.listed.borrow().contains(&resource.kind)
    }

    /// Waits until all kinds that every cluster has are known.
    pub async fn ready(&self) {
        let mut listed = self.listed.subscribe();
        let all = |listed: &BTreeSet<String>| core().iter().all(|resource| listed.contains(&resource.kind));
        // The sender is in `self`.
        let _ = listed.wait_for(all).await;
    }

    /// Watches all kinds, and those of optional APIs as they appear.
    pub async fn watch(self: Arc<Self>, client: Client, scope: Scope, mut apis: Apis) {
        let mut watching: BTreeMap<Optional, tokio::task::AbortHandle> = BTreeMap::new();
        let mut tasks = tokio::task::JoinSet::new();
        for resource in core() {
            tasks.spawn(self.clone().watch_kind(client.clone(), scope.clone(), resource));
        }
        loop {
            let found = apis.now();
            watching.retain(|api, task| {
                let there = found.contains_key(api);
                if !there {
                    task.abort();
                    self.forget_kind(api.group_kind());
                }
                there
            });
            for (api, resource) in found.iter().filter(|(api, _)| **api != Optional::PostgresCluster) {
                watching.entry(*api).or_insert_with(|| {
                    tasks.spawn(self.clone().watch_kind(client.clone(), scope.clone(), resource.clone()))
                });
            }
            apis.changed().await;
        }
    }

    async fn watch_kind(self: Arc<Self>, client: Client, scope: Scope, resource: ApiResource) {
        let api: Api<DynamicObject> = match &scope {
            Scope::Cluster => Api::all_with(client, &resource),
            Scope::Namespace(namespace) => Api::namespaced_with(client, namespace, &resource),
        };
        let config = watcher::Config::default().labels(&format!("{MANAGED_BY}={OPERATOR}"));
        let mut events = watcher(api, config).default_backoff().boxed();
        let mut listing = HashMap::new();
        loop {
            match events.try_next().await {
                Ok(Some(watcher::Event::Init)) => listing.clear(),
                Ok(Some(watcher::Event::InitApply(object))) => {
                    listing.insert(key(&resource, &object), Arc::new(slim(&resource, object)));
                }
                Ok(Some(watcher::Event::InitDone)) => {
                    self.replace_kind(&resource, std::mem::take(&mut listing))
                }
                Ok(Some(watcher::Event::Apply(object))) => {
                    let object = slim(&resource, object);
                    self.wake_owner(&object);
                    self.objects.write().insert(key(&resource, &object), Arc::new(object));
                }
                Ok(Some(watcher::Event::Delete(object))) => {
                    self.objects.write().remove(&key(&resource, &object));
                    self.wake_owner(&object);
                }
                Ok(None) => return,
                Err(error) => tracing::warn!(%error, kind = %resource.kind, "watching what was made"),
            }
        }
    }

    fn replace_kind(&self, resource: &ApiResource, listed: HashMap<Key, Arc<DynamicObject>>) {
        {
            let mut objects = self.objects.write();
            objects.retain(|key, _| key.kind != resource.kind || key.group != resource.group);
            objects.extend(listed.iter().map(|(key, object)| (key.clone(), object.clone())));
        }
        self.listed.send_modify(|kinds| {
            kinds.insert(resource.kind.clone());
        });
        for object in listed.values() {
            self.wake_owner(object);
        }
    }

    fn forget_kind(&self, (group, kind): (&str, &str)) {
        self.objects.write().retain(|key, _| key.kind != kind || key.group != group);
        self.listed.send_modify(|kinds| {
            kinds.remove(kind);
        });
    }

    fn wake_owner(&self, object: &DynamicObject) {
        if let (Some(namespace), Some(instance)) = (&object.metadata.namespace, object.labels().get(INSTANCE))
        {
            self.wake.named(namespace, instance);
        }
    }
}

/// The key of an object of a kind.
pub fn key(resource: &ApiResource, object: &DynamicObject) -> Key {
    Key {
        group: resource.group.clone(),
        kind: resource.kind.clone(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    }
}

/// The kinds that the operator makes and every cluster has.
pub fn core() -> Vec<ApiResource> {
    use k8s_openapi::api;
    use kube::Resource;
    fn of<K: Resource<DynamicType = ()>>() -> ApiResource {
        ApiResource::erase::<K>(&())
    }
    vec![
        of::<api::core::v1::ConfigMap>(),
        of::<api::core::v1::Secret>(),
        of::<api::core::v1::Service>(),
        of::<api::core::v1::ServiceAccount>(),
        of::<api::apps::v1::Deployment>(),
        of::<api::apps::v1::StatefulSet>(),
        of::<api::batch::v1::Job>(),
        of::<api::autoscaling::v2::HorizontalPodAutoscaler>(),
        of::<api::policy::v1::PodDisruptionBudget>(),
        of::<api::networking::v1::NetworkPolicy>(),
        of::<api::networking::v1::Ingress>(),
    ]
}

/// Who wrote, and when, without what. Items of a list come without their kind.
fn slim(resource: &ApiResource, mut object: DynamicObject) -> DynamicObject {
    object.types = Some(TypeMeta { api_version: resource.api_version.clone(), kind: resource.kind.clone() });
    for entry in object.metadata.managed_fields.iter_mut().flatten() {
        *entry = ManagedFieldsEntry { fields_v1: None, ..std::mem::take(entry) };
    }
    object
}

fn version(object: &DynamicObject) -> u64 {
    // Versions of one kind compare as numbers since Kubernetes 1.35, and always did in fact.
    object.metadata.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// The label that all objects of the operator have, with value [`OPERATOR`].
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// See [`MANAGED_BY`].
pub const OPERATOR: &str = "kontor-operator";
/// The label that names the deployment.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
