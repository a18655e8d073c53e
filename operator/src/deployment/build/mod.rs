//! Step 4 (pure): the desired objects, a file for each kind.

pub mod autoscaler;
pub mod certificate;
pub mod config;
pub mod config_map;
pub mod disruption_budget;
pub mod embedded;
pub mod gateway_route;
pub mod ingress;
pub mod job;
pub mod network_policy;
pub mod pod;
pub mod prometheus;
pub mod secret;
pub mod service;
pub mod service_account;
pub mod workload;

use super::material::Material;
use super::names::{DATABASE, MIGRATE, OBJECT_STORE, STORAGE_NODE};
use super::validate::Valid;
use crate::apply::Object;

/// How far an upgrade is: which version each tier may run now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// Tag of the storage nodes; none: not yet.
    pub storage: Option<String>,
    /// Tag of the gateways; none: not yet.
    pub gateways: Option<String>,
    /// Whether the embedded database and object store serve, so that a migration makes sense.
    pub dependencies: bool,
}

impl Stage {
    /// Everything at one version: the end of every upgrade.
    pub fn complete(tag: &str) -> Self {
        Self { storage: Some(tag.to_owned()), gateways: Some(tag.to_owned()), dependencies: true }
    }
}

/// The desired objects, in the order in which they are applied.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// All of them.
    pub objects: Vec<Object>,
}

/// Builds them.
pub fn build(valid: &Valid, material: &Material, stage: &Stage) -> Desired {
    let mut objects = Vec::new();
    let pools = &valid.spec.gateways;
    let embedded = valid.embedded();

    let mut components = vec![STORAGE_NODE, MIGRATE];
    components.extend(pools.iter().map(|pool| pool.name.as_str()));
    components.extend(embedded.iter().flat_map(|_| [DATABASE, OBJECT_STORE]));
    objects.extend(components.iter().map(|component| Object::of(&service_account::build(valid, component))));
    objects.extend(secret::build(valid, material).iter().map(Object::of));
    objects.push(Object::of(&config_map::storage_node(valid)));
    objects.extend(pools.iter().map(|pool| Object::of(&config_map::pool(valid, pool))));
    objects.extend(config_map::object_store(valid).iter().map(Object::of));
    objects.extend(network_policy::build(valid).iter().map(Object::of));
    objects.extend(service::storage_node(valid).iter().map(Object::of));
    objects
        .extend(pools.iter().flat_map(|pool| service::pool(valid, pool)).map(|service| Object::of(&service)));
    if let Some(embedded) = embedded {
        objects.extend(embedded::services(valid).iter().map(Object::of));
        objects.push(Object::of(&embedded::database(valid, embedded)));
        objects.push(Object::of(&embedded::object_store(valid, embedded)));
    }
    objects.extend(certificate::build(valid));
    if stage.dependencies {
        objects.push(Object::of(&job::build(valid)));
    }
    if let Some(tag) = &stage.storage {
        objects.push(Object::of(&workload::storage_node(valid, tag)));
    }
    if let Some(tag) = &stage.gateways {
        objects.extend(pools.iter().map(|pool| Object::of(&workload::pool(valid, material, pool, tag))));
    }
    objects.extend(autoscaler::build(valid).iter().map(Object::of));
    objects.extend(disruption_budget::build(valid).iter().map(Object::of));
    objects.extend(ingress::build(valid).iter().map(Object::of));
    objects.extend(gateway_route::build(valid));
    objects.extend(prometheus::build(valid));
    Desired { objects }
}
