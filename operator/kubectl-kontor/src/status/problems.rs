//! What is wrong, out of what was seen. Pure.

use super::advice::{for_condition, for_pod};
use super::directory::Unwell;
use crate::installation::PodView;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kontor_crds::GroupwareDeployment;
use kube::ResourceExt;
use serde::Serialize;
use std::collections::BTreeMap;

/// Something that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Kind and name of the object.
    pub about: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// What is wrong with an installation, the cause before what follows from it where that is known.
pub fn find(
    deployment: &GroupwareDeployment,
    pods: &[PodView],
    events: &[Event],
    unwell: &[Unwell],
) -> Vec<Problem> {
    let name = deployment.name_any();
    let about = format!("GroupwareDeployment/{name}");
    let status = deployment.status.as_ref();
    let conditions: &[Condition] = status.map_or(&[], |status| status.conditions.as_slice());
    let mut found = Vec::new();
    if conditions.is_empty() {
        found.push(Problem {
            about: about.clone(),
            what: "no operator has looked at it yet".into(),
            advice: "See whether an operator runs and watches this namespace: \
                     kubectl get pods -A -l app.kubernetes.io/name=kontor-operator"
                .into(),
        });
    }
    let behind = status
        .and_then(|status| status.observed_generation)
        .is_some_and(|seen| Some(seen) < deployment.metadata.generation);
    if behind {
        found.push(Problem {
            about: about.clone(),
            what: "the operator has not seen the latest change".into(),
            advice: "If this stays so, look at the operator's log: \
                     kubectl logs -A -l app.kubernetes.io/name=kontor-operator --tail=50"
                .into(),
        });
    }
    for condition in conditions {
        // Ready only sums up the others.
        if is_bad(condition)
            && (condition.type_ != "Ready" || !conditions.iter().any(|c| c.type_ != "Ready" && is_bad(c)))
        {
            found.push(Problem {
                about: about.clone(),
                what: sentence(condition),
                advice: for_condition(&condition.type_, &condition.reason, &name),
            });
        }
    }
    found.extend(pod_problems(pods));
    found.extend(event_problems(&name, pods, events, &found));
    found.extend(unwell.iter().map(|unwell| {
        let kind = unwell.about.split('/').next().unwrap_or_default();
        Problem {
            about: unwell.about.clone(),
            what: sentence(&unwell.condition),
            advice: for_condition(
                kind,
                &unwell.condition.reason,
                unwell.about.rsplit('/').next().unwrap_or_default(),
            ),
        }
    }));
    found
}

/// Pods with the same trouble in the same pool are one problem.
fn pod_problems(pods: &[PodView]) -> Vec<Problem> {
    let mut troubles: BTreeMap<(&str, &str), Vec<&PodView>> = BTreeMap::new();
    for pod in pods {
        if let Some((reason, _)) = &pod.trouble {
            troubles.entry((&pod.component, reason)).or_default().push(pod);
        }
    }
    troubles
        .into_iter()
        .filter_map(|((component, reason), pods)| {
            let first = pods.first()?;
            let message = first.trouble.as_ref().map_or("", |(_, message)| message.as_str());
            let more = match pods.len() {
                1 => String::new(),
                more => format!(" ({more} pods of {component})"),
            };
            let colon = if message.is_empty() { "" } else { ": " };
            Some(Problem {
                about: format!("Pod/{}", first.name),
                what: format!("{reason}{more}{colon}{message}"),
                advice: for_pod(reason, &first.name),
            })
        })
        .collect()
}

/// The newest warning about each object of the installation, unless a condition or a pod says the same already.
fn event_problems(name: &str, pods: &[PodView], events: &[Event], found: &[Problem]) -> Vec<Problem> {
    let prefix = format!("{name}-");
    let mut newest: BTreeMap<String, &Event> = BTreeMap::new();
    for event in events {
        let Some(regarding) = &event.regarding else { continue };
        let (kind, object) =
            (regarding.kind.as_deref().unwrap_or_default(), regarding.name.as_deref().unwrap_or_default());
        // What warnings say of pods that are well, or are gone, is over; conditions say more than their own Events.
        let counts = match kind {
            "Pod" => pods.iter().any(|pod| pod.name == object && !pod.ready),
            "GroupwareDeployment" => false,
            _ => object == name || object.starts_with(&prefix),
        };
        let about = format!("{kind}/{object}");
        if !counts || found.iter().any(|problem| problem.about == about) {
            continue;
        }
        let slot = newest.entry(about).or_insert(event);
        if time(event) > time(slot) {
            *slot = event;
        }
    }
    let newest = newest.into_iter();
    newest
        .filter(|(_, event)| is_recent(event, events))
        .map(|(about, event)| Problem {
            what: format!(
                "warned {}: {}",
                event.reason.as_deref().unwrap_or_default(),
                event.note.as_deref().unwrap_or_default()
            ),
            advice: format!("kubectl describe {}", about.to_lowercase()),
            about,
        })
        .collect()
}

/// Of the last quarter of an hour before the newest of all: this machine's clock need not be the cluster's.
fn is_recent(event: &Event, all: &[Event]) -> bool {
    let newest = all.iter().filter_map(time).max();
    match (time(event), newest) {
        (Some(time), Some(newest)) => time + 900 >= newest,
        _ => true,
    }
}

/// Seconds.
fn time(event: &Event) -> Option<i64> {
    let series = event.series.as_ref().map(|series| series.last_observed_time.0);
    let time = series.or(event.event_time.as_ref().map(|time| time.0));
    time.or(event.deprecated_last_timestamp.as_ref().map(|time| time.0)).map(|time| time.as_second())
}

fn sentence(condition: &Condition) -> String {
    let Condition { type_, status, reason, message, .. } = condition;
    match message.as_str() {
        "" => format!("{type_} is {status} ({reason})"),
        message => format!("{type_} is {status} ({reason}): {message}"),
    }
}

/// Whether a condition says that something is wrong: most are good when True, some when False.
pub fn is_bad(condition: &Condition) -> bool {
    match condition.type_.as_str() {
        "Degraded" | "Drifted" | "DeletionBlocked" | "QuotaExceeded" => condition.status == "True",
        "Progressing" | "Trial" | "Paused" | "Upgradeable" => false,
        _ => condition.status == "False",
    }
}

#[cfg(test)]
#[path = "problems_tests.rs"]
mod tests;
