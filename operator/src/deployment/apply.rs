//! Step 5 (client): makes the desired objects so, in order, and deletes what is not desired any more.

use super::build::Desired;
use super::names::{DATABASE, Identity, OBJECT_STORE};
use super::view::View;
use crate::Context;
use crate::apply::{Applier, ApplyError, Outcome};
use crate::children::{self, Key};
use kontor_crds::groupware_deployment::GroupwareDeployment;
use kube::core::ApiResource;
use kube::runtime::events::EventType;
use std::collections::HashSet;

/// What came of it.
#[derive(Debug, Default)]
pub struct Applied {
    /// What others had changed, in words for people.
    pub put_back: Vec<String>,
    /// What the API server did not do.
    pub errors: Vec<ApplyError>,
    /// Whether something waits until the watch of its kind, whose API has just appeared, knows what there is.
    pub waiting: bool,
}

/// Applies. One object that is refused does not keep the others back.
pub async fn apply(
    context: &Context,
    applier: &Applier,
    deployment: &GroupwareDeployment,
    identity: &Identity,
    desired: &Desired,
    view: &View,
    hold: bool,
) -> Applied {
    let mut applied = Applied::default();
    for object in &desired.objects {
        if !context.children.is_listed(&object.resource) {
            applied.waiting = true;
            continue;
        }
        match applier.apply(object).await {
            Ok(Outcome::Unchanged | Outcome::Created | Outcome::Updated) => {}
            Ok(Outcome::PutBack { by, fields }) => {
                let shown = fields.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
                let note = format!("{} was edited by {by} ({shown}) and put back", object.key());
                context
                    .events
                    .tell(deployment, EventType::Warning, "ManualEdit", "PutBack", note.clone())
                    .await;
                applied.put_back.push(note);
            }
            Ok(Outcome::Restored) => {
                let note = format!("{} was deleted and made again", object.key());
                context
                    .events
                    .tell(deployment, EventType::Warning, "ManualDeletion", "Restored", note.clone())
                    .await;
                applied.put_back.push(note);
            }
            // An optional API that has just gone; the next look at the cluster's APIs knows.
            Err(error) if error.is_unknown_api() && object.resource.group.contains('.') => {
                applied.waiting = true;
            }
            Err(error) => {
                tracing::warn!(object = %object.key(), reason = error.reason(), "cannot apply");
                applied.errors.push(error);
            }
        }
    }
    let wanted: HashSet<Key> = desired.objects.iter().map(crate::apply::Object::key).collect();
    for (key, object) in &view.objects {
        if wanted.contains(key) || !is_ours(identity, key, object) || (hold && is_held(key)) {
            continue;
        }
        let Some(resource) = resource_of(context, key) else { continue };
        tracing::info!(object = %key, "not wanted any more");
        if let Err(error) = applier.delete(&resource, object).await {
            applied.errors.push(error);
        }
    }
    applied
}

/// While a migration is under way, workloads stay, wanted or not yet.
fn is_held(key: &Key) -> bool {
    key.kind == "Deployment"
}

/// Made for this very deployment, and not kept on purpose.
fn is_ours(identity: &Identity, key: &Key, object: &kube::api::DynamicObject) -> bool {
    let owners = object.metadata.owner_references.iter().flatten();
    let ours = owners.into_iter().any(|owner| owner.uid == identity.uid);
    let kept = [identity.child(DATABASE), identity.child(OBJECT_STORE)];
    ours && !(key.kind == "Secret" && kept.contains(&key.name))
}

fn resource_of(context: &Context, key: &Key) -> Option<ApiResource> {
    let core = children::core().into_iter();
    let found = context.apis.now();
    core.chain(found.values().cloned())
        .find(|resource| resource.kind == key.kind && resource.group == key.group)
}
