//! Kubernetes Events: one for each transition, in the words of its condition.

use crate::conditions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use std::time::Duration;

/// Tells people what happens to an object. Cheap to clone.
#[derive(Clone)]
pub struct Events(Recorder);

impl Events {
    /// `identity` is the name of this process.
    pub fn new(client: Client, identity: &str) -> Self {
        let reporter = Reporter { controller: "kontor-operator".into(), instance: Some(identity.to_owned()) };
        Self(Recorder::new(client, reporter))
    }

    /// One Event. Failing to tell is logged and changes nothing.
    pub async fn tell<K>(&self, object: &K, type_: EventType, reason: &str, action: &str, note: String)
    where
        K: Resource<DynamicType = ()>,
    {
        let note = note.chars().take(LONGEST).collect();
        let event =
            Event { type_, reason: reason.into(), note: Some(note), action: action.into(), secondary: None };
        let reference = object.object_ref(&());
        match tokio::time::timeout(DEADLINE, self.0.publish(&event, &reference)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, reason, "cannot write an Event"),
            Err(_) => tracing::warn!(reason, "writing an Event took too long"),
        }
    }

    /// An Event for each condition with another status or reason than before. What begins as Unknown tells nobody
    /// anything.
    pub async fn transitions<K>(&self, object: &K, before: &[Condition], after: &[Condition])
    where
        K: Resource<DynamicType = ()>,
    {
        for (old, new) in conditions::transitions(before, after) {
            if new.status == "Unknown" && old.is_none() {
                continue;
            }
            let type_ = if new.status == bad(&new.type_) { EventType::Warning } else { EventType::Normal };
            let note = match new.message.as_str() {
                "" => format!("{} is {}", new.type_, new.status),
                message => format!("{} is {}: {message}", new.type_, new.status),
            };
            self.tell(object, type_, &new.reason, &new.type_, note).await;
        }
    }
}

/// The status of a condition that a person should hear of as a warning.
fn bad(type_: &str) -> &'static str {
    match type_ {
        "Degraded" | "Drifted" | "DeletionBlocked" | "QuotaExceeded" => "True",
        "Progressing" | "Trial" => "never",
        _ => "False",
    }
}

const LONGEST: usize = 1000;
const DEADLINE: Duration = Duration::from_secs(10);
