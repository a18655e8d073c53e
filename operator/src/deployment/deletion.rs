//! Deletion that waits for mailboxes, and never for anything else.

use crate::Context;
use crate::conditions::{self, Finding};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kontor_crds::groupware_deployment::GroupwareDeployment;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};

/// Holds a deployment until its mailboxes are gone.
pub const FINALIZER: &str = "kontor.dev/deletion-protection";

/// Sees to it that the finalizer is there exactly when deletion is protected. True when it was changed.
///
/// # Errors
/// When the API server does not do it.
pub async fn protect(context: &Context, deployment: &GroupwareDeployment) -> Result<bool, kube::Error> {
    let wanted = deployment.spec.deletion_protection;
    if wanted == deployment.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        return Ok(false);
    }
    set(context, deployment, wanted).await?;
    Ok(true)
}

/// What keeps a deployment that is being deleted, or none when it was let go.
///
/// # Errors
/// When the API server does not do it.
pub async fn let_go(
    context: &Context,
    deployment: &GroupwareDeployment,
) -> Result<Option<Finding>, kube::Error> {
    if !deployment.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        return Ok(None);
    }
    let counted = context.census.of(deployment).map(|counts| counts.mailboxes);
    let known = deployment.status.as_ref().and_then(|status| status.directory.mailboxes);
    let mailboxes = counted.or_else(|| known.and_then(|known| u64::try_from(known).ok())).unwrap_or(0);
    if deployment.spec.deletion_protection && mailboxes > 0 && !namespace_goes(context, deployment).await {
        return Ok(Some(Finding::yes(
            "DeletionBlocked",
            "MailboxesExist",
            format!(
                "{mailboxes} mailboxes are still there: delete them, or set spec.deletionProtection to false. Everything \
                 keeps running until then"
            ),
        )));
    }
    set(context, deployment, false).await?;
    Ok(None)
}

/// The conditions of a deployment whose deletion waits.
pub fn blocked(
    deployment: &GroupwareDeployment,
    finding: &Finding,
    now: Timestamp,
) -> Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    let before = deployment.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
    conditions::merge(&before, std::slice::from_ref(finding), deployment.metadata.generation, now)
}

/// Whoever deletes a namespace wants all of it gone.
async fn namespace_goes(context: &Context, deployment: &GroupwareDeployment) -> bool {
    let namespaces: Api<Namespace> = Api::all(context.client.clone());
    match namespaces.get_opt(&deployment.namespace().unwrap_or_default()).await {
        Ok(Some(namespace)) => namespace.metadata.deletion_timestamp.is_some(),
        Ok(None) => true,
        Err(error) => {
            tracing::warn!(%error, "cannot see whether the namespace is being deleted");
            false
        }
    }
}

async fn set(context: &Context, deployment: &GroupwareDeployment, wanted: bool) -> Result<(), kube::Error> {
    let mut finalizers = deployment.finalizers().to_vec();
    finalizers.retain(|finalizer| finalizer != FINALIZER);
    if wanted {
        finalizers.push(FINALIZER.to_owned());
    }
    let api: Api<GroupwareDeployment> =
        Api::namespaced(context.client.clone(), &deployment.namespace().unwrap_or_default());
    // The version makes sure that nobody else's finalizer is lost.
    let patch = serde_json::json!({ "metadata": {
        "resourceVersion": deployment.metadata.resource_version,
        "finalizers": finalizers,
    }});
    match api.patch(&deployment.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}
