//! The controller of GroupwareDeployments.
//!
//! `dereference` (client) → `validate` (pure) → `material` (pure) → `upgrade`, `build` (pure) → `apply` (client) →
//! `status` (pure, then written when it is another one).

pub mod apply;
pub mod build;
pub mod deletion;
pub mod dereference;
pub mod diagnose;
pub mod material;
pub mod names;
pub mod routes;
pub mod status;
pub mod upgrade;
pub mod validate;
pub mod view;

pub use build::{Desired, Stage, build};
pub use material::Material;

use crate::apply::{Applier, apply_status};
use crate::authority::{self, AuthorityError};
use crate::children::key;
use crate::{Context, conditions};
use build::job;
use dereference::{References, dereference};
use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kontor_crds::groupware_deployment::{GroupwareDeployment, GroupwareDeploymentStatus, Reconciliation};
use kube::core::ApiResource;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::{reflector::ObjectRef, watcher};
use kube::{Resource, ResourceExt};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::mpsc::UnboundedReceiver;
use upgrade::progress;
use validate::{Invalid, Valid, validate};
use view::{JobState, View};

/// Why a reconcile did not come to its end. It is tried again.
#[derive(Debug, Error)]
enum Error {
    #[error("the API server: {0}")]
    Api(#[from] kube::Error),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

struct State {
    context: Arc<Context>,
    applier: Applier,
    memory: Mutex<HashMap<String, Memory>>,
}

/// What is remembered of a deployment between reconciles.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    /// Reconciles in a row that failed.
    errors: u32,
    /// Migrations in a row that failed.
    migrations: u32,
    /// When the counts of connections were written.
    counted: Option<Instant>,
}

/// Runs the controller; it returns only when its watch ends. What it compares with must be there
/// ([`Context::known`]), or everything would be written once more.
///
/// # Errors
/// When its watch ends.
pub async fn run(
    context: Arc<Context>,
    woken: UnboundedReceiver<ObjectRef<GroupwareDeployment>>,
) -> anyhow::Result<()> {
    let applier = Applier::new(context.client.clone(), context.children.clone(), CONTROLLER);
    let state = Arc::new(State { context: context.clone(), applier, memory: Mutex::default() });
    let api = context.scope.api::<GroupwareDeployment>(context.client.clone());
    let woken = futures::stream::unfold(woken, async |mut woken| Some((woken.recv().await?, woken)));
    let apis = futures::stream::unfold(context.apis.clone(), async |mut apis| {
        apis.changed().await;
        Some(((), apis))
    });
    Controller::new(api, watcher::Config::default())
        .with_config(Config::default().concurrency(8).debounce(DEBOUNCE))
        .reconcile_on(woken)
        .reconcile_all_on(apis)
        .run(reconcile, on_error, state)
        .for_each(async |outcome| {
            if let Err(error) = outcome {
                tracing::debug!(%error, "reconcile");
            }
        })
        .await;
    anyhow::bail!("the controller of GroupwareDeployments ended")
}

async fn reconcile(deployment: Arc<GroupwareDeployment>, state: Arc<State>) -> Result<Action, Error> {
    let began = Instant::now();
    let outcome = reconcile_one(&deployment, &state).await;
    metrics::histogram!("kontor_operator_reconcile_seconds", "kind" => "GroupwareDeployment")
        .record(began.elapsed());
    let result = if outcome.is_ok() { "ok" } else { "error" };
    metrics::counter!("kontor_operator_reconciles_total", "kind" => "GroupwareDeployment", "result" => result)
        .increment(1);
    if outcome.is_ok()
        && let Some(memory) = state.memory.lock().get_mut(deployment.uid())
    {
        memory.errors = 0;
    }
    outcome
}

async fn reconcile_one(deployment: &GroupwareDeployment, state: &State) -> Result<Action, Error> {
    let context = &*state.context;
    if deployment.metadata.deletion_timestamp.is_some() {
        return delete(deployment, state).await;
    }
    if deletion::protect(context, deployment).await? {
        // The change comes back by the watch.
        return Ok(Action::await_change());
    }
    let now = Timestamp::now();
    let references = dereference(context, deployment).await?; // client
    let valid = validate(deployment, &references); // pure
    let view = look(context, deployment);
    let Ok(valid) = valid else {
        let invalid = valid.err().unwrap_or(Invalid { reason: "InvalidSpec", message: String::new() });
        let outcome = status::Outcome {
            view: &view,
            progress: None,
            valid: Err(&invalid),
            applied: None,
            counts: context.census.of(deployment),
            foreign_certificate: None,
        };
        say(deployment, state, status::status(deployment, &outcome, now)).await?;
        return Ok(Action::requeue(UNREADY));
    };
    let material = material::complete(&valid, &view.secrets(), now, &mut random)?; // pure
    let progress = progress(&valid, &view); // pure
    let desired = build(&valid, &material, &progress.stage); // pure
    let enabled = deployment.spec.reconciliation == Reconciliation::Enabled;
    let applied = if enabled {
        let identity = &valid.identity;
        Some(
            apply::apply(context, &state.applier, deployment, identity, &desired, &view, progress.hold).await,
        ) // client
    } else {
        None
    };
    let view = look(context, deployment);
    let outcome = status::Outcome {
        view: &view,
        progress: Some(&progress),
        valid: Ok((&valid, &material)),
        applied: applied.as_ref(),
        counts: context.census.of(deployment),
        foreign_certificate: foreign_certificate(&valid, &references),
    };
    let status = status::status(deployment, &outcome, now); // pure
    let ready = conditions::is_true(&status.conditions, status::READY);
    say(deployment, state, status).await?;
    let retry = if enabled { retry_migration(deployment, state, &valid, &progress, now).await } else { None };
    let later = match &applied {
        Some(applied) if applied.waiting => WAITING,
        _ if ready => READY_RESYNC,
        _ => UNREADY,
    };
    Ok(Action::requeue(retry.map_or(later, |retry| retry.min(later))))
}

/// The children and pods as they are now.
fn look(context: &Context, deployment: &GroupwareDeployment) -> View {
    let (namespace, name) = (deployment.namespace().unwrap_or_default(), deployment.name_any());
    View { objects: context.children.of(&namespace, &name), pods: context.observer.of(&namespace, &name) }
}

fn foreign_certificate(valid: &Valid, references: &References) -> Option<(String, Option<Timestamp>)> {
    let name = valid.certificate_secret.clone()?;
    let text = references.secrets.get(&name).and_then(|secret| secret.text("tls.crt"));
    let end = text.and_then(|pem| authority::not_after(pem).ok());
    Some((name, end))
}

/// A migration that failed is made anew after a pause that grows; the condition says why all the while.
async fn retry_migration(
    deployment: &GroupwareDeployment,
    state: &State,
    valid: &Valid,
    progress: &upgrade::Progress,
    now: Timestamp,
) -> Option<Duration> {
    let uid = deployment.uid().to_owned();
    match progress.migration {
        Some(JobState::Failed(since)) => {
            let tries = state.memory.lock().entry(uid.clone()).or_default().migrations;
            let pause = (FIRST_RETRY * 2_u32.saturating_pow(tries.min(10))).min(LAST_RETRY);
            let waited =
                Duration::from_secs(u64::try_from(now.as_second().saturating_sub(since)).unwrap_or(0));
            if waited < pause {
                return Some(pause.saturating_sub(waited) + Duration::from_millis(500));
            }
            let resource = ApiResource::erase::<Job>(&());
            let children = state.context.children.of(&valid.identity.namespace, &valid.identity.name);
            let name = job::name(valid);
            let failed = children.iter().find(|(key, _)| key.kind == Job::kind(&()) && key.name == name);
            if let Some((_, failed)) = failed {
                tracing::info!(job = %key(&resource, failed), tries, "the migration is tried again");
                if let Err(error) = state.applier.delete(&resource, failed).await {
                    tracing::warn!(%error, "cannot delete the failed migration");
                    return Some(FIRST_RETRY);
                }
                if let Some(memory) = state.memory.lock().get_mut(&uid) {
                    memory.migrations = memory.migrations.saturating_add(1);
                }
            }
            Some(Duration::from_secs(1))
        }
        Some(JobState::Complete) => {
            if let Some(memory) = state.memory.lock().get_mut(&uid) {
                memory.migrations = 0;
            }
            None
        }
        Some(JobState::Running) | None => None,
    }
}

async fn delete(deployment: &GroupwareDeployment, state: &State) -> Result<Action, Error> {
    let context = &*state.context;
    let (namespace, name) = (deployment.namespace().unwrap_or_default(), deployment.name_any());
    match deletion::let_go(context, deployment).await? {
        None => {
            state.applier.forget(&namespace, &name);
            state.memory.lock().remove(deployment.uid());
            context.storage.forget(deployment.uid());
            Ok(Action::await_change())
        }
        Some(finding) => {
            let mut status = deployment.status.clone().unwrap_or_default();
            status.conditions = deletion::blocked(deployment, &finding, Timestamp::now());
            say(deployment, state, status).await?;
            Ok(Action::requeue(UNREADY))
        }
    }
}

/// Writes the status when it says something else than before, and an Event for each transition.
async fn say(
    deployment: &GroupwareDeployment,
    state: &State,
    mut status: GroupwareDeploymentStatus,
) -> Result<(), Error> {
    let before = deployment.status.clone().unwrap_or_default();
    let counted = state.memory.lock().entry(deployment.uid().to_owned()).or_default().counted;
    let due = counted.is_none_or(|counted| counted.elapsed() > COUNT_CONNECTIONS);
    if !due {
        for pool in &mut status.gateways {
            let known = before.gateways.iter().find(|known| known.name == pool.name);
            pool.connections = known.and_then(|known| known.connections).or(pool.connections);
        }
    }
    if deployment.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let counts = |status: &GroupwareDeploymentStatus| {
        status.gateways.iter().map(|pool| pool.connections).collect::<Vec<_>>()
    };
    if counts(&status) != counts(&before)
        && let Some(memory) = state.memory.lock().get_mut(deployment.uid())
    {
        memory.counted = Some(Instant::now());
    }
    let context = &*state.context;
    match apply_status(context.client.clone(), CONTROLLER, deployment, &status).await {
        Ok(_) => {}
        // It is gone.
        Err(kube::Error::Api(answer)) if answer.code == 404 => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    context.events.transitions(deployment, &before.conditions, &status.conditions).await;
    Ok(())
}

fn on_error(deployment: Arc<GroupwareDeployment>, error: &Error, state: Arc<State>) -> Action {
    let errors = {
        let mut memory = state.memory.lock();
        let memory = memory.entry(deployment.uid().to_owned()).or_default();
        memory.errors = memory.errors.saturating_add(1);
        memory.errors
    };
    let pause = (Duration::from_secs(1) * 2_u32.saturating_pow(errors.min(10))).min(LAST_RETRY);
    tracing::warn!(name = %deployment.name_any(), %error, ?pause, "cannot reconcile, trying again");
    Action::requeue(pause)
}

fn random(octets: usize) -> Vec<u8> {
    let mut bytes = vec![0; octets];
    rand::fill(bytes.as_mut_slice());
    bytes
}

const CONTROLLER: &str = "deployment";
const DEBOUNCE: Duration = Duration::from_millis(300);
/// When everything is well: certificates come of age, Secrets that are not watched change.
const READY_RESYNC: Duration = Duration::from_secs(60);
const WAITING: Duration = Duration::from_secs(1);
const UNREADY: Duration = Duration::from_secs(10);
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(120);
const COUNT_CONNECTIONS: Duration = Duration::from_secs(60);
