//! ConfigMaps: the configuration files of storage nodes and gateways.

use super::config;
use crate::deployment::names::{OBJECT_STORE, STORAGE_NODE};
use crate::deployment::validate::Valid;
use k8s_openapi::api::core::v1::ConfigMap;
use kontor_crds::groupware_deployment::{GatewayPool, ObjectStoreFlavor};
use std::collections::BTreeMap;

/// The storage nodes' and the migration's.
pub fn storage_node(valid: &Valid) -> ConfigMap {
    of(valid, STORAGE_NODE, "storage-node.toml", config::storage_node(valid))
}

/// A pool's.
pub fn pool(valid: &Valid, pool: &GatewayPool) -> ConfigMap {
    of(valid, &pool.name, "gateway.toml", config::gateway(valid, pool))
}

/// Garage's, when it is the embedded object store.
pub fn object_store(valid: &Valid) -> Option<ConfigMap> {
    let embedded = valid.embedded()?;
    (embedded.object_store.flavor == ObjectStoreFlavor::Garage)
        .then(|| of(valid, OBJECT_STORE, "garage.toml", super::embedded::garage_config(valid)))
}

fn of(valid: &Valid, component: &str, file: &str, text: String) -> ConfigMap {
    ConfigMap {
        metadata: valid.identity.meta(&valid.identity.child(component), component),
        data: Some(BTreeMap::from([(file.to_owned(), text)])),
        ..ConfigMap::default()
    }
}
