use super::*;
use serde_json::{Value, json};

fn deployment(conditions: Value) -> GroupwareDeployment {
    serde_json::from_value(json!({
        "apiVersion": "kontor.dev/v1alpha1", "kind": "GroupwareDeployment",
        "metadata": {"name": "trial", "namespace": "groupware", "generation": 3},
        "spec": {"image": {"tag": "1"}, "gateways": [{"name": "imap", "protocols": ["IMAP"]}], "storage": {"embedded": {}}},
        "status": {"observedGeneration": 3, "conditions": conditions},
    }))
    .expect("a deployment")
}

fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": type_, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    })
}

fn pod(name: &str, trouble: Option<(&str, &str)>) -> PodView {
    PodView {
        name: name.into(),
        component: "imap".into(),
        node: None,
        ready: trouble.is_none(),
        leaving: false,
        restarts: 0,
        connections: None,
        trouble: trouble.map(|(reason, message)| (reason.to_owned(), message.to_owned())),
    }
}

fn event(kind: &str, name: &str, time: &str) -> Event {
    serde_json::from_value(json!({
        "metadata": {"name": "e"}, "eventTime": time, "type": "Warning", "reason": "FailedCreate", "note": "no quota",
        "regarding": {"kind": kind, "name": name},
    }))
    .expect("an event")
}

#[test]
fn nothing_is_wrong_when_all_is_well() {
    let deployment = deployment(json!([
        condition("Ready", "True", "AllWell", ""),
        condition("Progressing", "False", "Done", ""),
        condition("DeletionBlocked", "False", "NotDeleted", ""),
    ]));
    assert_eq!(find(&deployment, &[pod("trial-imap-1", None)], &[], &[]), []);
}

#[test]
fn ready_is_told_only_when_nothing_else_is() {
    let cause = condition("DatabaseReady", "False", "Unreachable", "connection refused");
    let found =
        find(&deployment(json!([condition("Ready", "False", "Unreachable", "x"), cause])), &[], &[], &[]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].what, "DatabaseReady is False (Unreachable): connection refused");
    let found = find(&deployment(json!([condition("Ready", "False", "Unreachable", "x")])), &[], &[], &[]);
    assert_eq!(found.len(), 1);
}

#[test]
fn an_installation_that_nobody_looked_at_says_so() {
    let found = find(&deployment(json!([])), &[], &[], &[]);
    assert_eq!(found.len(), 1);
    assert!(found[0].advice.contains("kontor-operator"));
}

#[test]
fn a_change_that_was_not_seen_is_told() {
    let mut deployment = deployment(json!([condition("Ready", "True", "AllWell", "")]));
    deployment.metadata.generation = Some(4);
    assert_eq!(find(&deployment, &[], &[], &[])[0].what, "the operator has not seen the latest change");
}

#[test]
fn pods_with_the_same_trouble_are_one_problem() {
    let trouble = Some(("ImagePullBackOff", "not found"));
    let pods = [pod("trial-imap-1", trouble), pod("trial-imap-2", trouble), pod("trial-imap-3", None)];
    let found = find(&deployment(json!([condition("Ready", "True", "AllWell", "")])), &pods, &[], &[]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].what, "ImagePullBackOff (2 pods of imap): not found");
}

#[test]
fn warnings_count_when_they_are_recent_and_about_what_is_not_well() {
    let events = [
        event("ReplicaSet", "trial-imap-5d8f", "2026-01-01T12:00:00.000000Z"),
        event("ReplicaSet", "trial-imap-old", "2026-01-01T11:00:00.000000Z"),
        event("ReplicaSet", "other-imap-5d8f", "2026-01-01T12:00:00.000000Z"),
        event("Pod", "trial-imap-1", "2026-01-01T12:00:00.000000Z"),
        event("GroupwareDeployment", "trial", "2026-01-01T12:00:00.000000Z"),
    ];
    let well = deployment(json!([condition("Ready", "True", "AllWell", "")]));
    let found = find(&well, &[pod("trial-imap-1", None)], &events, &[]);
    assert_eq!(
        found.iter().map(|problem| problem.about.as_str()).collect::<Vec<_>>(),
        ["ReplicaSet/trial-imap-5d8f"]
    );
}
