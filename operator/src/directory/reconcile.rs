//! The pipeline of all five kinds: dereference, validate, build (all in [`Declared::declare`]), apply, status.
//!
//! A resource is looked at when it, or something that it refers to, changes, and every ten minutes or so, when the
//! directory is told again what it should hold.

use super::admin::{Batches, Trouble};
use super::credentials::{self, Credential};
use super::declared::{self, Composed, Declaration, Declared, Reclaim};
use super::mailbox::set_password;
use super::outcome;
use super::world::{self, World};
use crate::conditions::{self, Finding};
use crate::events::Events;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kontor_crds::DIRECTORY_FINALIZER;
use kontor_crds::conditions::{reasons, types};
use kontor_crds::groupware_deployment::Reconciliation;
use kontor_storage_client::proto::{ApplyResult, apply_result::Outcome};
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt};
use parking_lot::Mutex;
use rand::Rng;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What the controllers work with.
pub struct Directory {
    /// The way to the API server.
    pub client: Client,
    /// What the cluster holds.
    pub world: World,
    /// The way to the storage nodes.
    pub batches: Batches,
    /// Tells people.
    pub events: Events,
    /// Failures in a row, by UID.
    pub failures: Mutex<HashMap<String, u32>>,
}

/// The API server did not do what was asked; it is tried again.
#[derive(Debug, thiserror::Error)]
#[error("cannot {attempt}")]
pub struct Failed {
    attempt: &'static str,
    #[source]
    source: kube::Error,
}

/// What came of one look.
struct Settled {
    findings: Vec<Finding>,
    declaration: Option<Declaration>,
    answer: Option<ApplyResult>,
    credentials_version: Option<String>,
    next: Next,
}

/// When to look again, if nothing happens before.
enum Next {
    /// All is well.
    Later,
    /// A change of something else will wake it.
    Awaited,
    /// Soon, and later each time.
    Backoff,
    /// Soon: the storage nodes serve, and have not been found yet.
    Soon,
}

/// Looks at one resource.
///
/// # Errors
/// [`Failed`]
pub async fn reconcile<K: Declared>(object: Arc<K>, directory: Arc<Directory>) -> Result<Action, Failed> {
    let started = std::time::Instant::now();
    let outcome = look(&*object, &directory).await;
    let kind = K::kind(&()).into_owned();
    metrics::histogram!("kontor_operator_directory_reconcile_seconds", "kind" => kind)
        .record(started.elapsed().as_secs_f64());
    outcome
}

async fn look<K: Declared>(object: &K, directory: &Directory) -> Result<Action, Failed> {
    if object.meta().deletion_timestamp.is_some() {
        return give_up(object, directory).await;
    }
    let declaration = match object.declare(&directory.world) {
        Ok(declaration) => declaration,
        Err(finding) => {
            if may_come_yet(object, &finding) {
                return Ok(Action::requeue(jitter(GRACE)));
            }
            let settled = Settled {
                findings: vec![finding, outcome::not_accepted()],
                declaration: None,
                answer: None,
                credentials_version: None,
                next: Next::Awaited,
            };
            return conclude(object, directory, settled).await;
        }
    };
    if declaration.deployment.spec.reconciliation == Reconciliation::Paused {
        return Ok(Action::requeue(jitter(AGAIN)));
    }
    hold(object, directory, &declaration).await?;
    let settled = settle(object, directory, declaration).await?;
    conclude(object, directory, settled).await
}

/// Applies it, and finds out how that went.
async fn settle<K: Declared>(
    object: &K,
    directory: &Directory,
    mut declaration: Declaration,
) -> Result<Settled, Failed> {
    let namespace = object.namespace().unwrap_or_default();
    let fetch = async |again: bool| {
        credentials::fetch(
            &directory.client,
            &directory.world,
            &namespace,
            object.credentials(),
            object.credentials_version(),
            again,
        )
        .await
        .map_err(|source| Failed { attempt: "read the Secret with the password", source })
    };
    let mut credential = fetch(false).await?;
    let known = matches!(credential, Credential::Known(_));
    credential = with_password(&mut declaration, credential);
    let mut outcome = apply(object, directory, &declaration).await;
    // The entry is new although its password was set once: it was lost in between, with the password.
    if known && outcome.as_ref().is_ok_and(|r| r.outcome() == Outcome::Created) {
        credential = with_password(&mut declaration, fetch(true).await?);
        outcome = apply(object, directory, &declaration).await;
    }
    Ok(judge(object, declaration, &credential, outcome))
}

fn with_password(declaration: &mut Declaration, credential: Credential) -> Credential {
    match credential {
        Credential::New(password, version) => {
            set_password(&mut declaration.object, password, &version);
            Credential::Known(version)
        }
        other => other,
    }
}

async fn apply<K: Declared>(
    object: &K,
    directory: &Directory,
    declaration: &Declaration,
) -> Result<ApplyResult, Trouble> {
    directory.batches.apply(&declaration.deployment, declared::put(object, declaration)).await
}

/// What the answer means. Pure.
fn judge<K: Declared>(
    object: &K,
    declaration: Declaration,
    credential: &Credential,
    outcome: Result<ApplyResult, Trouble>,
) -> Settled {
    let mut findings = outcome::findings(&outcome, declaration.deployment.uid());
    findings.extend(declaration.findings.iter().cloned());
    let made = findings.iter().any(|f| f.type_ == types::PROVISIONED && f.reason == reasons::AS_DECLARED);
    let next = match &outcome {
        Err(Trouble::Unavailable(_)) if world::answers(&declaration.deployment) => Next::Soon,
        Err(_) => Next::Backoff,
        Ok(_) if made => Next::Later,
        // Whoever is in the way is not one of our resources, or none that wakes us.
        Ok(_) => Next::Backoff,
    };
    let mut credentials_version = None;
    let answer = outcome.ok().filter(|_| made);
    if let Some(answer) = &answer {
        findings.extend(object.judge(answer));
        findings.extend(drift(object.conditions(), answer));
        credentials_version = credential.version();
    }
    if K::ENTRY == "account" && (object.credentials().is_some() || K::kind(&()) == "Mailbox") {
        findings.push(match (&answer, credential.finding()) {
            (None, finding) if finding.reason == reasons::AS_DECLARED => {
                Finding::unknown(types::CREDENTIALS_READY, reasons::PENDING, "")
            }
            (_, finding) => finding,
        });
    }
    // A Secret that is made later wakes the mailbox.
    Settled { findings, declaration: Some(declaration), answer, credentials_version, next }
}

/// Whether somebody else changed the entry. Said only when it was, and until the next look finds nothing.
fn drift(before: &[Condition], answer: &ApplyResult) -> Option<Finding> {
    if answer.drifted {
        return Some(Finding::yes(
            types::DRIFTED,
            reasons::PUT_BACK,
            format!("changed in the directory by somebody else and put back: {}", answer.changed.join(", ")),
        ));
    }
    conditions::find(before, types::DRIFTED).map(|_| Finding::no(types::DRIFTED, reasons::NO_DRIFT, ""))
}

/// Writes the status, when it is another one, and tells people of a transition of `Ready`.
async fn conclude<K: Declared>(
    object: &K,
    directory: &Directory,
    settled: Settled,
) -> Result<Action, Failed> {
    let before = object.conditions();
    let generation = object.meta().generation;
    let mut findings = outcome::with_ready(settled.findings);
    if conditions::is_true(before, types::PROVISIONED) {
        // What the directory holds of an earlier generation stays there.
        findings.retain(|f| !(f.type_ == types::PROVISIONED && f.reason == reasons::NOT_ACCEPTED));
    }
    let action = next(object, directory, &settled.next);
    if away(&findings) && provisioned_already(before, generation) {
        // What is in the directory stays there while nobody answers; the installation's own conditions say so.
        return Ok(action);
    }
    let now = Timestamp::now();
    let after = conditions::merge(before, &findings, generation, now);
    let composed = Composed {
        declaration: settled.declaration.as_ref(),
        answer: settled.answer.as_ref(),
        credentials_version: settled.credentials_version,
        now: Some(now),
    };
    let status = object.compose(after.clone(), &composed);
    if object.status() == Some(&status) {
        return Ok(action);
    }
    write_status(object, directory, &status).await?;
    let told = |conditions: &[Condition]| -> Vec<Condition> {
        let of_interest = [types::READY, types::DRIFTED, types::QUOTA_EXCEEDED, types::DELETION_BLOCKED];
        conditions.iter().filter(|c| of_interest.contains(&c.type_.as_str())).cloned().collect()
    };
    let (mut before, mut after) = (told(before), told(&after));
    // That nothing is wrong yet is no news.
    let quiet = |c: &Condition| c.type_ != types::READY && c.status == "False";
    after.retain(|c| !(quiet(c) && before.iter().all(|b| b.type_ != c.type_)));
    before.retain(|c| after.iter().any(|a| a.type_ == c.type_));
    directory.events.transitions(object, &before, &after).await;
    Ok(action)
}

fn away(findings: &[Finding]) -> bool {
    findings.iter().any(|f| f.type_ == types::PROVISIONED && f.reason == reasons::BACKEND_UNAVAILABLE)
}

fn provisioned_already(before: &[Condition], generation: Option<i64>) -> bool {
    // What is said of something else that was wrong may not hold any more.
    conditions::is_true(before, types::ACCEPTED)
        && conditions::find(before, types::PROVISIONED)
            .is_some_and(|c| c.status == "True" && c.observed_generation == generation)
}

async fn write_status<K: Declared>(
    object: &K,
    directory: &Directory,
    status: &K::Status,
) -> Result<(), Failed> {
    let api: Api<K> = Api::namespaced(directory.client.clone(), &object.namespace().unwrap_or_default());
    let name = object.name_any();
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name, "uid": object.uid()},
        "status": status,
    });
    let parameters = PatchParams::apply(MANAGER).force();
    match api.patch_status(&name, &parameters, &Patch::Apply(&patch)).await {
        Ok(_) => {
            let kind = K::kind(&()).into_owned();
            metrics::counter!("kontor_operator_directory_status_writes_total", "kind" => kind).increment(1);
            Ok(())
        }
        // It is gone, or another one of the same name.
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        Err(source) => Err(Failed { attempt: "write the status", source }),
    }
}

/// Before anything is put into a directory: the resource will not go without that being given up, and remembers where
/// it is, whatever becomes of its references.
async fn hold<K: Declared>(
    object: &K,
    directory: &Directory,
    declaration: &Declaration,
) -> Result<(), Failed> {
    let deployment = &declaration.deployment;
    let place = format!("{}/{}", deployment.namespace().unwrap_or_default(), deployment.name_any());
    let held = object.finalizers().iter().any(|f| f == DIRECTORY_FINALIZER);
    if held && object.annotations().get(DEPLOYMENT_ANNOTATION) == Some(&place) {
        return Ok(());
    }
    let mut finalizers = object.finalizers().to_vec();
    if !held {
        finalizers.push(DIRECTORY_FINALIZER.to_owned());
    }
    let patch = json!({"metadata": {
        "resourceVersion": object.resource_version(),
        "finalizers": finalizers,
        "annotations": {DEPLOYMENT_ANNOTATION: place},
    }});
    patch_meta(object, directory, &patch, "set the finalizer").await
}

/// The resource goes: so does its entry, or its claim to it.
async fn give_up<K: Declared>(object: &K, directory: &Directory) -> Result<Action, Failed> {
    if !object.finalizers().iter().any(|f| f == DIRECTORY_FINALIZER) {
        return Ok(Action::await_change());
    }
    let place = object.annotations().get(DEPLOYMENT_ANNOTATION).and_then(|p| p.split_once('/'));
    let deployment = place.and_then(|(namespace, name)| {
        directory.world.deployments.get(&ObjectRef::new(name).within(namespace))
    });
    // Without an installation, or with one that goes as well, there is nothing to give up.
    if let Some(deployment) = deployment.filter(|d| d.metadata.deletion_timestamp.is_none()) {
        let how = object.reclaim();
        let change = declared::give_up(object, &deployment, how);
        let outcome = directory.batches.apply(&deployment, change).await;
        if let Some(finding) = blocked(&outcome, how, waited(object)) {
            let settled = Settled {
                findings: vec![
                    Finding::no(types::ACCEPTED, finding.reason, finding.message.clone()),
                    finding,
                ],
                declaration: None,
                answer: None,
                credentials_version: None,
                next: Next::Backoff,
            };
            conclude(object, directory, settled).await?;
            // What is in the way may go any moment, and nobody tells.
            return Ok(Action::requeue(jitter(BLOCKED)));
        }
    }
    let finalizers: Vec<_> =
        object.finalizers().iter().filter(|f| *f != DIRECTORY_FINALIZER).cloned().collect();
    let patch = json!({"metadata": {
        "resourceVersion": object.resource_version(),
        "finalizers": finalizers,
    }});
    patch_meta(object, directory, &patch, "take the finalizer away").await?;
    directory.failures.lock().remove(&object.uid().unwrap_or_default());
    Ok(Action::await_change())
}

/// How long it has been going, seconds.
fn waited<K: Declared>(object: &K) -> i64 {
    let since = object.meta().deletion_timestamp.as_ref();
    since.map_or(0, |t| Timestamp::now().as_second() - t.0.as_second())
}

/// Why it cannot go yet. Pure.
fn blocked(outcome: &Result<ApplyResult, Trouble>, how: Reclaim, waited: i64) -> Option<Finding> {
    let say = |reason, message: String| Some(Finding::yes(types::DELETION_BLOCKED, reason, message));
    match outcome {
        Ok(result) => match result.outcome() {
            Outcome::Conflict => say(reasons::STILL_IN_USE, result.message.clone()),
            Outcome::Failed => say(reasons::BACKEND_REFUSED, result.message.clone()),
            // Somebody else has it, or nobody does: it is not ours to delete.
            _ => None,
        },
        // Nothing is lost when a claim is not given up: the same name finds it again, others adopt it.
        Err(_) if how == Reclaim::Release && waited > RELEASE_PATIENCE => None,
        Err(trouble) => say(
            reasons::BACKEND_UNAVAILABLE,
            format!(
                "{trouble}; it is tried again. To let go and keep the entry, set reclaimPolicy to Retain"
            ),
        ),
    }
}

async fn patch_meta<K: Declared>(
    object: &K,
    directory: &Directory,
    patch: &serde_json::Value,
    attempt: &'static str,
) -> Result<(), Failed> {
    let api: Api<K> = Api::namespaced(directory.client.clone(), &object.namespace().unwrap_or_default());
    let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..Default::default() };
    match api.patch_metadata(&object.name_any(), &parameters, &Patch::Merge(patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(Failed { attempt, source }),
    }
}

/// All parts of an application come at once; one that is a moment late is not missing.
fn may_come_yet<K: Declared>(object: &K, finding: &Finding) -> bool {
    let waiting = finding.reason == reasons::REF_NOT_FOUND || finding.reason == reasons::REF_NOT_READY;
    let fresh = object
        .creation_timestamp()
        .is_some_and(|t| Timestamp::now().as_second() - t.0.as_second() < GRACE_SECONDS);
    waiting && fresh && object.conditions().is_empty()
}

fn next<K: Declared>(object: &K, directory: &Directory, next: &Next) -> Action {
    let uid = object.uid().unwrap_or_default();
    match next {
        Next::Later => {
            directory.failures.lock().remove(&uid);
            Action::requeue(jitter(AGAIN))
        }
        Next::Awaited => {
            directory.failures.lock().remove(&uid);
            Action::requeue(jitter(AWAITED))
        }
        Next::Backoff => Action::requeue(backoff(directory, uid)),
        Next::Soon => Action::requeue(jitter(SOON)),
    }
}

fn backoff(directory: &Directory, uid: String) -> Duration {
    let mut failures = directory.failures.lock();
    let count = failures.entry(uid).or_default();
    *count = count.saturating_add(1);
    jitter(FIRST * 2_u32.pow((*count - 1).min(6)).min(60))
}

/// When an attempt failed by the API server's doing.
pub fn error_policy<K: Declared>(object: Arc<K>, error: &Failed, directory: Arc<Directory>) -> Action {
    let conflict = matches!(&error.source, kube::Error::Api(status) if status.code == 409);
    if conflict {
        // The copy here was old; the new one is on its way.
        return Action::requeue(jitter(FIRST));
    }
    tracing::warn!(
        error = error as &dyn std::error::Error,
        kind = %K::kind(&()),
        namespace = object.namespace().unwrap_or_default(),
        name = object.name_any(),
        "a resource could not be looked after"
    );
    metrics::counter!("kontor_operator_directory_failures_total").increment(1);
    Action::requeue(backoff(&directory, object.uid().unwrap_or_default()))
}

/// Up to a fifth more, so that what came together does not come together again.
fn jitter(base: Duration) -> Duration {
    base.mul_f64(rand::rng().random_range(1.0..1.2))
}

/// Field manager of what is written here.
pub const MANAGER: &str = "kontor-operator/directory";
/// Where the entry of a resource is: `<namespace>/<name>` of the GroupwareDeployment.
pub const DEPLOYMENT_ANNOTATION: &str = "kontor.dev/deployment";
/// How often the directory is told again.
const AGAIN: Duration = Duration::from_secs(600);
/// How often something is looked at that waits for something else, in case that was not noticed.
const AWAITED: Duration = Duration::from_secs(120);
/// How often storage nodes are asked that should answer: names take some seconds to be known.
const SOON: Duration = Duration::from_secs(3);
/// How often a deletion that waits is tried again.
const BLOCKED: Duration = Duration::from_secs(5);
const FIRST: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(2);
const GRACE_SECONDS: i64 = 5;
/// How long the storage nodes are asked to release an entry, seconds.
const RELEASE_PATIENCE: i64 = 120;
