//! Secrets that the operator makes up.

use crate::deployment::material::Material;
use crate::deployment::names::{DATABASE, OBJECT_STORE, SHARED};
use crate::deployment::validate::Valid;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kontor_crds::groupware_deployment::DeletionPolicy;

/// All of them. Credentials of embedded storage stay with its volumes when the deployment goes and its data stays.
pub fn build(valid: &Valid, material: &Material) -> Vec<Secret> {
    let identity = &valid.identity;
    let kept = [identity.child(DATABASE), identity.child(OBJECT_STORE)];
    let stays = |name: &String| valid.spec.deletion_policy == DeletionPolicy::Retain && kept.contains(name);
    let secrets = material.secrets.iter().map(|(name, data)| Secret {
        metadata: if stays(name) {
            identity.meta_of_its_own(name, SHARED)
        } else {
            identity.meta(name, SHARED)
        },
        data: Some(data.0.iter().map(|(key, value)| (key.clone(), ByteString(value.clone()))).collect()),
        type_: Some("Opaque".into()),
        ..Secret::default()
    });
    secrets.collect()
}
