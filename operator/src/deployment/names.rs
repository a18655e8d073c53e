//! Names and labels of everything that belongs to a deployment.

use crate::children::{INSTANCE, MANAGED_BY, OPERATOR};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use std::collections::BTreeMap;

/// A deployment, for whatever has to be called after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID; empty when it is in no cluster.
    pub uid: String,
}

impl Identity {
    /// `<deployment>-<part>`.
    pub fn child(&self, part: &str) -> String {
        format!("{}-{part}", self.name)
    }

    /// Labels of an object of a component.
    pub fn labels(&self, component: &str) -> BTreeMap<String, String> {
        let mut labels = self.selector_labels(component);
        labels.insert("app.kubernetes.io/name".into(), "kontor".into());
        labels.insert("app.kubernetes.io/part-of".into(), "kontor".into());
        labels.insert(MANAGED_BY.into(), OPERATOR.into());
        labels
    }

    /// The labels that tell a component's pods from all others. They never change.
    pub fn selector_labels(&self, component: &str) -> BTreeMap<String, String> {
        BTreeMap::from([
            (INSTANCE.to_owned(), self.name.clone()),
            (COMPONENT.to_owned(), component.to_owned()),
        ])
    }

    /// The selector of a component's pods.
    pub fn selector(&self, component: &str) -> LabelSelector {
        LabelSelector { match_labels: Some(self.selector_labels(component)), match_expressions: None }
    }

    /// Metadata of an object that goes when the deployment goes.
    pub fn meta(&self, name: &str, component: &str) -> ObjectMeta {
        let owner = OwnerReference {
            api_version: "kontor.dev/v1alpha1".into(),
            kind: "GroupwareDeployment".into(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        };
        ObjectMeta { owner_references: Some(vec![owner]), ..self.meta_of_its_own(name, component) }
    }

    /// Metadata of an object that stays when the deployment goes.
    pub fn meta_of_its_own(&self, name: &str, component: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.namespace.clone()),
            labels: Some(self.labels(component)),
            ..ObjectMeta::default()
        }
    }
}

/// The label that names the component: a pool, `storage-node`, `database`, `object-store`, `migrate`.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// The component of storage nodes.
pub const STORAGE_NODE: &str = "storage-node";
/// The component of the migration Job.
pub const MIGRATE: &str = "migrate";
/// The component of the embedded PostgreSQL.
pub const DATABASE: &str = "database";
/// The component of the embedded S3 server.
pub const OBJECT_STORE: &str = "object-store";
/// The component of what belongs to all of them.
pub const SHARED: &str = "shared";
