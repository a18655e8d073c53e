//! ServiceAccounts: one for each component, without a token, so that nobody runs as `default`.

use crate::deployment::validate::Valid;
use k8s_openapi::api::core::v1::ServiceAccount;

/// The ServiceAccount of a component.
pub fn build(valid: &Valid, component: &str) -> ServiceAccount {
    let pull_secrets = &valid.spec.image_pull_secrets;
    ServiceAccount {
        metadata: valid.identity.meta(&valid.identity.child(component), component),
        automount_service_account_token: Some(false),
        image_pull_secrets: (!pull_secrets.is_empty()).then(|| pull_secrets.clone()),
        ..ServiceAccount::default()
    }
}
