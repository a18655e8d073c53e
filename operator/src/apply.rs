//! Server-side apply that writes nothing when nothing is to be written, puts back what others changed, and deletes
//! what is not wanted any more.
//!
//! An object carries the hash of what was last applied. When hash and fields agree with what is wanted, nothing is
//! sent. When the hash agrees and the fields do not, somebody edited the object; when the object is gone although it
//! was applied before, somebody deleted it. Both are put right and reported.

use crate::children::{Children, Key};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::core::{ApiResource, NamespaceResourceScope};
use kube::{Api, Client, Resource};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// An object as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its kind.
    pub resource: ApiResource,
    /// All of it that is the operator's.
    pub value: Value,
}

impl Object {
    /// A typed object.
    ///
    /// # Panics
    /// Never: objects of the API are JSON.
    pub fn of<K>(object: &K) -> Self
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        let resource = ApiResource::erase::<K>(&());
        let value = serde_json::to_value(object).expect("objects of the API are JSON");
        Self::new(resource, value)
    }

    /// An object of a kind that has no type here.
    pub fn new(resource: ApiResource, mut value: Value) -> Self {
        if let Value::Object(map) = &mut value {
            map.insert("apiVersion".into(), resource.api_version.clone().into());
            map.insert("kind".into(), resource.kind.clone().into());
        }
        Self { resource, value }
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        &self.resource.kind
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.meta("name")
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        self.meta("namespace")
    }

    /// Which one it is.
    pub fn key(&self) -> Key {
        Key {
            group: self.resource.group.clone(),
            kind: self.resource.kind.clone(),
            namespace: self.namespace().to_owned(),
            name: self.name().to_owned(),
        }
    }

    fn meta(&self, field: &str) -> &str {
        self.value.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).unwrap_or_default()
    }

    fn with_hash(&self, hash: &str) -> Value {
        let mut value = self.value.clone();
        if let Some(Value::Object(meta)) = value.get_mut("metadata") {
            let annotations = meta.entry("annotations").or_insert_with(|| Value::Object(Default::default()));
            if let Value::Object(annotations) = annotations {
                annotations.insert(APPLIED.into(), hash.into());
            }
        }
        value
    }
}

/// What was done to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: it was so.
    Unchanged,
    /// It is new.
    Created,
    /// It was of an earlier making.
    Updated,
    /// Somebody had edited it: who, and which fields.
    PutBack {
        /// The manager of the fields.
        by: String,
        /// Paths of what differed.
        fields: Vec<String>,
    },
    /// Somebody had deleted it.
    Restored,
}

/// Makes objects so.
pub struct Applier {
    client: Client,
    children: Arc<Children>,
    manager: String,
    /// What was applied in this process's life: hash, and the paths that the API server has its own mind about.
    applied: Mutex<HashMap<Key, (String, BTreeSet<String>)>>,
}

/// What cannot be made so.
#[derive(Debug, Error)]
#[error("cannot {attempt} {key}")]
pub struct ApplyError {
    attempt: &'static str,
    key: Key,
    #[source]
    source: Box<kube::Error>,
}

impl ApplyError {
    /// The API server refused for good: the object itself is the problem, as when a quota or an admission policy
    /// forbids it.
    pub fn is_refusal(&self) -> bool {
        matches!(&*self.source, kube::Error::Api(status) if matches!(status.code, 400 | 403 | 422))
    }

    /// There is no such API, or no longer.
    pub fn is_unknown_api(&self) -> bool {
        matches!(&*self.source, kube::Error::Api(status) if status.code == 404)
    }

    /// What the API server said.
    pub fn reason(&self) -> String {
        match &*self.source {
            kube::Error::Api(status) => status.message.clone(),
            error => error.to_string(),
        }
    }
}

impl Applier {
    /// The field manager is `kontor-operator/<controller>`.
    pub fn new(client: Client, children: Arc<Children>, controller: &str) -> Self {
        Self { client, children, manager: format!("kontor-operator/{controller}"), applied: Mutex::default() }
    }

    /// Makes one object so.
    ///
    /// # Errors
    /// When the API server does not do it.
    pub async fn apply(&self, object: &Object) -> Result<Outcome, ApplyError> {
        let key = object.key();
        let hash = hash(&object.value);
        let wanted = object.with_hash(&hash);
        let live = self.children.get(&key);
        let known = self.applied.lock().get(&key).cloned();
        let outcome = match &live {
            None if known.is_some() => Outcome::Restored,
            None => Outcome::Created,
            Some(live) if annotation(live) != Some(&hash) => Outcome::Updated,
            Some(live) => {
                let mut fields = differences(&wanted, &to_value(live));
                if let Some((_, own_mind)) = &known {
                    fields.retain(|path| !own_mind.contains(path));
                }
                if fields.is_empty() {
                    self.applied.lock().entry(key).or_insert((hash, BTreeSet::new()));
                    return Ok(Outcome::Unchanged);
                }
                Outcome::PutBack { by: self.last_writer(live), fields }
            }
        };
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &key.namespace, &object.resource);
        let params = PatchParams::apply(&self.manager).force();
        match &live {
            None => self.check_free(&api, &key).await?,
            Some(_) if key.kind == "Deployment" && wanted.pointer("/spec/replicas").is_none() => {
                self.hand_over_replicas(&api, &key).await?;
            }
            Some(_) => {}
        }
        let written = match api.patch(&key.name, &params, &Patch::Apply(&wanted)).await {
            // What cannot be changed in place (a Job's template, a Service's cluster address) is made anew; never
            // what holds data.
            Err(kube::Error::Api(status))
                if status.code == 422 && live.is_some() && matches!(key.kind.as_str(), "Job" | "Service") =>
            {
                tracing::info!(object = %key, "cannot be changed in place, making it anew");
                self.delete_key(&object.resource, &key, live.as_deref()).await?;
                api.patch(&key.name, &params, &Patch::Apply(&wanted)).await
            }
            written => written,
        };
        let written = written.map_err(|source| ApplyError {
            attempt: "apply",
            key: key.clone(),
            source: Box::new(source),
        })?;
        let own_mind: BTreeSet<String> = differences(&wanted, &to_value(&written)).into_iter().collect();
        if !own_mind.is_empty() {
            tracing::debug!(object = %key, ?own_mind, "the API server has its own mind about some fields");
        }
        self.applied.lock().insert(key.clone(), (hash, own_mind));
        metrics::counter!("kontor_operator_writes_total", "verb" => "apply", "kind" => key.kind.clone())
            .increment(1);
        self.children.put(&object.resource, written);
        Ok(outcome)
    }

    /// A Deployment that is scaled by load from now on keeps the pods that it has: a field that its only owner lets go
    /// falls back to its default, and that is one pod.
    async fn hand_over_replicas(&self, api: &Api<DynamicObject>, key: &Key) -> Result<(), ApplyError> {
        let failed = |source| ApplyError {
            attempt: "hand over the scaling of",
            key: key.clone(),
            source: Box::new(source),
        };
        let Some(live) = api.get_opt(&key.name).await.map_err(failed)? else { return Ok(()) };
        let owned = live.metadata.managed_fields.iter().flatten().any(|entry| {
            let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
            entry.manager.as_deref() == Some(self.manager.as_str())
                && fields.is_some_and(|fields| fields.pointer("/f:spec/f:replicas").is_some())
        });
        let Some(replicas) = live.data.pointer("/spec/replicas").filter(|_| owned) else { return Ok(()) };
        let patch = serde_json::json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": key.name, "namespace": key.namespace },
            "spec": { "replicas": replicas },
        });
        let params = PatchParams::apply("kontor-operator/handover").force();
        api.patch(&key.name, &params, &Patch::Apply(&patch)).await.map(drop).map_err(failed)
    }

    /// An object of somebody else's that happens to have this name is left alone.
    async fn check_free(&self, api: &Api<DynamicObject>, key: &Key) -> Result<(), ApplyError> {
        let failed = |source| ApplyError { attempt: "look at", key: key.clone(), source: Box::new(source) };
        let Some(found) = api.get_metadata_opt(&key.name).await.map_err(failed)? else { return Ok(()) };
        let labels = found.metadata.labels.unwrap_or_default();
        if labels.get(crate::children::MANAGED_BY).is_some_and(|manager| manager == crate::children::OPERATOR)
        {
            return Ok(());
        }
        let message = format!(
            "there is a {} {} already that the operator did not make: rename or delete it, or choose another name",
            key.kind, key.name
        );
        Err(failed(kube::Error::Api(Box::new(kube::core::Status {
            message,
            code: 422,
            reason: "NameTaken".into(),
            ..Default::default()
        }))))
    }

    /// Deletes an object that is ours.
    ///
    /// # Errors
    /// When the API server does not do it.
    pub async fn delete(&self, resource: &ApiResource, live: &DynamicObject) -> Result<(), ApplyError> {
        let key = crate::children::key(resource, live);
        self.delete_key(resource, &key, Some(live)).await
    }

    async fn delete_key(
        &self,
        resource: &ApiResource,
        key: &Key,
        live: Option<&DynamicObject>,
    ) -> Result<(), ApplyError> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &key.namespace, resource);
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            // Not another one of the same name that has come in between.
            preconditions: live
                .map(|live| Preconditions { uid: live.metadata.uid.clone(), resource_version: None }),
            ..DeleteParams::default()
        };
        self.applied.lock().remove(key);
        metrics::counter!("kontor_operator_writes_total", "verb" => "delete", "kind" => key.kind.clone())
            .increment(1);
        match api.delete(&key.name, &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(source) => Err(ApplyError { attempt: "delete", key: key.clone(), source: Box::new(source) }),
        }
    }

    /// Forgets what was applied in a namespace for a deployment that is gone, so that one of the same name later does
    /// not look as if somebody had deleted its children.
    pub fn forget(&self, namespace: &str, deployment: &str) {
        let prefix = format!("{deployment}-");
        self.applied.lock().retain(|key, _| key.namespace != namespace || !key.name.starts_with(&prefix));
    }

    fn last_writer(&self, live: &DynamicObject) -> String {
        let entries = live.metadata.managed_fields.iter().flatten();
        let others = entries.filter(|entry| {
            entry.subresource.as_deref() != Some("status")
                && entry.manager.as_deref() != Some(self.manager.as_str())
        });
        let last = others.max_by_key(|entry| entry.time.as_ref().map(|time| time.0));
        last.and_then(|entry| entry.manager.clone()).unwrap_or_else(|| "somebody".to_owned())
    }
}

/// Writes the status of an object, all of it, by server-side apply. The caller has seen that it differs.
///
/// # Errors
/// What the API server says; the object may be gone.
pub async fn apply_status<K, S>(
    client: Client,
    controller: &str,
    object: &K,
    status: &S,
) -> Result<K, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    S: Serialize,
{
    let namespace = object.meta().namespace.clone().unwrap_or_default();
    let name = object.meta().name.clone().unwrap_or_default();
    let patch = serde_json::json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        // A status is of this very object, not of another one of its name.
        "metadata": { "uid": object.meta().uid },
        "status": status,
    });
    let api: Api<K> = Api::namespaced(client, &namespace);
    let params = PatchParams::apply(&format!("kontor-operator/{controller}")).force();
    metrics::counter!("kontor_operator_writes_total", "verb" => "status", "kind" => K::kind(&()).into_owned())
        .increment(1);
    match tokio::time::timeout(DEADLINE, api.patch_status(&name, &params, &Patch::Apply(&patch))).await {
        Ok(written) => written,
        Err(_) => Err(kube::Error::Service("writing the status took too long".into())),
    }
}

/// The hash of a wanted object. Keys are sorted, so that equal objects have equal hashes.
pub fn hash(value: &Value) -> String {
    blake3::hash(value.to_string().as_bytes()).to_hex().chars().take(16).collect()
}

/// Where `live` is not as `wanted`: paths of what is missing or another. What only `live` has is no difference.
pub fn differences(wanted: &Value, live: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(wanted, Some(live), String::new(), &mut found);
    found
}

fn compare(wanted: &Value, live: Option<&Value>, path: String, found: &mut Vec<String>) {
    match (wanted, live) {
        (Value::Null, _) => {}
        (Value::Object(wanted), live) if wanted.is_empty() || live.is_some_and(Value::is_object) => {
            for (name, value) in wanted {
                let child = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(value, live.and_then(|live| live.get(name)), child, found);
            }
        }
        (Value::Array(wanted), None | Some(Value::Null)) if wanted.is_empty() => {}
        (Value::Array(wanted), Some(Value::Array(live))) => match merge_key(wanted) {
            Some(key) => {
                for item in wanted {
                    let same = live.iter().find(|other| other.get(key) == item.get(key));
                    let name = item.get(key).map(display).unwrap_or_default();
                    compare(item, same, format!("{path}[{name}]"), found);
                }
            }
            None if wanted.len() == live.len() => {
                for (n, (item, other)) in wanted.iter().zip(live).enumerate() {
                    compare(item, Some(other), format!("{path}[{n}]"), found);
                }
            }
            None => found.push(path),
        },
        // `false`, `0` and `""` are what an absent field means.
        (Value::Bool(false), None) => {}
        (Value::String(text), None) if text.is_empty() => {}
        (Value::Number(number), None) if number.as_i64() == Some(0) => {}
        (wanted, Some(live)) if wanted == live || same_quantity(wanted, live) => {}
        _ => found.push(path),
    }
}

/// The field that tells the items of a list apart, where the API merges lists by it.
fn merge_key(items: &[Value]) -> Option<&'static str> {
    let keys = ["name", "mountPath", "containerPort", "topologyKey"];
    keys.into_iter().find(|key| {
        let mut seen = BTreeSet::new();
        !items.is_empty()
            && items.iter().all(|item| item.get(key).is_some_and(|name| seen.insert(display(name))))
    })
}

fn display(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The API server writes `1024Mi` as `1Gi`.
fn same_quantity(a: &Value, b: &Value) -> bool {
    match (a.as_str().and_then(quantity), b.as_str().and_then(quantity)) {
        (Some(a), Some(b)) => (a - b).abs() <= a.abs() * 1e-9,
        _ => false,
    }
}

fn quantity(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let scale = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0_f64.powi(4),
        "Pi" => 1024.0_f64.powi(5),
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * scale)
}

fn annotation(live: &DynamicObject) -> Option<&String> {
    live.metadata.annotations.as_ref()?.get(APPLIED)
}

fn to_value(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// The annotation with the hash of what was applied.
pub const APPLIED: &str = "kontor.dev/applied";
const DEADLINE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_server_adds_is_no_difference() {
        let wanted = json!({"spec": {"ports": [{"name": "imap", "port": 143}], "empty": {}, "none": []}});
        let live = json!({"spec": {"clusterIP": "10.0.0.1",
            "ports": [{"name": "x", "port": 1}, {"name": "imap", "port": 143, "protocol": "TCP"}]}});
        assert_eq!(differences(&wanted, &live), Vec::<String>::new());
    }

    #[test]
    fn an_edited_or_removed_field_is_named() {
        let wanted = json!({"spec": {"replicas": 2, "containers": [{"name": "a", "args": ["x", "y"]}]}});
        let live = json!({"spec": {"replicas": 3, "containers": [{"name": "a", "args": ["x"]}]}});
        assert_eq!(differences(&wanted, &live), ["spec.containers[a].args", "spec.replicas"]);
        assert_eq!(differences(&wanted, &json!({"spec": {"replicas": 2}})), ["spec.containers"]);
    }

    #[test]
    fn quantities_compare_by_what_they_mean() {
        let wanted = json!({"cpu": "1000m", "memory": "1024Mi"});
        assert!(differences(&wanted, &json!({"cpu": "1", "memory": "1Gi"})).is_empty());
        assert_eq!(differences(&wanted, &json!({"cpu": "2", "memory": "1Gi"})), ["cpu"]);
    }
}
