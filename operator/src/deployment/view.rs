//! The children of a deployment as they are now, for the pure steps.

use super::dereference::SecretData;
use crate::children::Key;
use crate::observe::PodView;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use kube::api::DynamicObject;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What there is now.
#[derive(Clone, Default)]
pub struct View {
    /// The children.
    pub objects: Vec<(Key, Arc<DynamicObject>)>,
    /// The pods.
    pub pods: Vec<PodView>,
}

impl View {
    /// A child as a typed object.
    pub fn get<K: DeserializeOwned>(&self, kind: &str, name: &str) -> Option<K> {
        let (_, object) = self.objects.iter().find(|(key, _)| key.kind == kind && key.name == name)?;
        let value = serde_json::to_value(&**object).ok()?;
        serde_json::from_value(value).ok()
    }

    /// A Deployment.
    pub fn workload(&self, name: &str) -> Option<Workload> {
        self.get::<Deployment>("Deployment", name).map(Workload::of)
    }

    /// A Job.
    pub fn job(&self, name: &str) -> Option<JobState> {
        self.get::<Job>("Job", name).map(|job| JobState::of(&job))
    }

    /// The Secrets among them.
    pub fn secrets(&self) -> BTreeMap<String, SecretData> {
        let secrets = self.objects.iter().filter(|(key, _)| key.kind == "Secret");
        secrets
            .filter_map(|(key, object)| {
                let secret: k8s_openapi::api::core::v1::Secret =
                    serde_json::to_value(&**object).and_then(serde_json::from_value).ok()?;
                let data = secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0));
                Some((key.name.clone(), SecretData(data.collect())))
            })
            .collect()
    }

    /// Whether a StatefulSet has a ready pod.
    pub fn serves(&self, stateful_set: &str) -> bool {
        let set = self.get::<k8s_openapi::api::apps::v1::StatefulSet>("StatefulSet", stateful_set);
        set.and_then(|set| set.status).and_then(|status| status.ready_replicas).unwrap_or(0) > 0
    }

    /// The pods of a component.
    pub fn pods_of<'a>(&'a self, component: &'a str) -> impl Iterator<Item = &'a PodView> {
        self.pods.iter().filter(move |pod| pod.component == component)
    }
}

/// How a Deployment stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// The tag of its image.
    pub tag: String,
    /// Pods that it should have.
    pub wanted: i32,
    /// Pods that there are.
    pub replicas: i32,
    /// Pods that serve.
    pub ready: i32,
    /// Whether all pods are of the latest template, and none of another is left.
    pub rolled_out: bool,
    /// Why it does not get further, if it does not.
    pub stalled: Option<String>,
    /// Why no pods can be made, if they cannot.
    pub refused: Option<String>,
}

impl Workload {
    fn of(deployment: Deployment) -> Self {
        let spec = deployment.spec.unwrap_or_default();
        let status = deployment.status.unwrap_or_default();
        let image =
            spec.template.spec.as_ref().and_then(|pod| pod.containers.first()).and_then(|c| c.image.as_ref());
        let tag =
            image.and_then(|image| image.rsplit_once(':')).map(|(_, tag)| tag.to_owned()).unwrap_or_default();
        let wanted = spec.replicas.unwrap_or(1);
        let number = |value: Option<i32>| value.unwrap_or(0);
        let conditions = status.conditions.unwrap_or_default();
        let message = |type_: &str, bad: &str| {
            let found = conditions.iter().find(|c| c.type_ == type_ && c.status == bad);
            found.map(|c| c.message.clone().unwrap_or_default())
        };
        let seen = status.observed_generation >= deployment.metadata.generation;
        Self {
            tag,
            wanted,
            replicas: number(status.replicas),
            ready: number(status.ready_replicas),
            rolled_out: seen
                && number(status.updated_replicas) == wanted
                && number(status.replicas) == wanted
                && number(status.available_replicas) == wanted,
            stalled: message("Progressing", "False"),
            refused: message("ReplicaFailure", "True"),
        }
    }
}

/// How a Job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It runs or will.
    Running,
    /// It did its work.
    Complete,
    /// It could not, since this time (Unix seconds).
    Failed(i64),
}

impl JobState {
    fn of(job: &Job) -> Self {
        let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
        for condition in conditions.filter(|condition| condition.status == "True") {
            match condition.type_.as_str() {
                "Complete" => return Self::Complete,
                "Failed" => {
                    let since = condition.last_transition_time.as_ref().map_or(0, |time| time.0.as_second());
                    return Self::Failed(since);
                }
                _ => {}
            }
        }
        Self::Running
    }
}
