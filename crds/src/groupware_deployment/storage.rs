//! The storage tier.

use super::gateway::{Autoscaling, DisruptionBudget, Placement};
use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where mailboxes are kept: a database and an object store of yours, or both inside the cluster for a trial.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = (
        "has(self.embedded) ? !has(self.database) && !has(self.objectStore) : has(self.database) && has(self.objectStore)",
        "storage: either embedded, or database and objectStore"
    )
)]
pub struct Storage {
    /// The storage nodes: stateless processes between the gateways and the data.
    #[serde(default)]
    pub nodes: StorageNodes,

    /// The PostgreSQL database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,

    /// The S3 bucket for large bodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_store: Option<ObjectStore>,

    /// One PostgreSQL and one S3 server in this namespace. For trials: nothing is replicated, nothing is backed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedded: Option<Embedded>,
}

/// The storage nodes.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = ("!(has(self.replicas) && has(self.autoscaling))", "storage.nodes: replicas or autoscaling, not both")
)]
pub struct StorageNodes {
    /// Number of pods, when they are not scaled by load. Default: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,

    /// Scaling by load. Storage nodes have no client connections: only targetCPUUtilizationPercent counts, 70 by
    /// default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,

    /// CPU and memory of a pod. Default: requests of 100m and 128Mi, a memory limit of 1Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// Connections of a pod to the database. Default: 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 1000))]
    pub database_connections: Option<i32>,

    /// How many pods voluntary disruptions must leave alone. Default: one may be missing, when there are two or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_disruption_budget: Option<DisruptionBudget>,

    /// Where pods go.
    #[serde(default)]
    pub placement: Placement,
}

impl StorageNodes {
    /// The fewest pods that there should be.
    pub fn wanted(&self) -> i32 {
        match &self.autoscaling {
            Some(autoscaling) => autoscaling.min_replicas,
            None => self.replicas.unwrap_or_else(super::gateway::two),
        }
    }
}

/// The PostgreSQL database, version 16 or newer.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = (
        "[has(self.external), has(self.cloudNativePG)].filter(x, x).size() == 1",
        "storage.database: one of external and cloudNativePG"
    )
)]
pub struct Database {
    /// Any PostgreSQL, by URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalDatabase>,

    /// A `Cluster` of CloudNativePG.
    #[serde(default, rename = "cloudNativePG", skip_serializing_if = "Option::is_none")]
    pub cloud_native_pg: Option<CloudNativePg>,
}

/// A database that somebody else runs.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ExternalDatabase {
    /// The Secret that holds the URL, `postgres://user:password@host:5432/database`. When it changes, storage nodes
    /// are restarted one after another.
    pub url_secret_ref: SecretKey,
}

/// A database that CloudNativePG runs.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CloudNativePg {
    /// The `Cluster`, in the same namespace. Its application user's Secret (`<cluster>-app`) is used.
    pub cluster_ref: ObjectName,
}

/// The S3 bucket for large bodies. It is made when it does not exist and the credentials allow it.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = (
        "self.bucket == oldSelf.bucket && self.prefix == oldSelf.prefix",
        "storage.objectStore: bucket and prefix cannot change, the bodies are there"
    )
)]
pub struct ObjectStore {
    /// URL of the service, such as `https://s3.example.net`. Empty: AWS.
    #[serde(default)]
    #[schemars(length(max = 512), regex(pattern = "^(https?://.+)?$"))]
    pub endpoint: String,

    /// Region. Default: us-east-1.
    #[serde(default = "default_region")]
    #[schemars(length(min = 1, max = 64))]
    pub region: String,

    /// Bucket. Immutable.
    #[schemars(length(min = 3, max = 63), regex(pattern = "^[a-z0-9][a-z0-9.-]*[a-z0-9]$"))]
    pub bucket: String,

    /// Put in front of every key. Immutable. Default: nothing.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub prefix: String,

    /// A Secret with keys `accessKey` and `secretKey`.
    pub credentials_secret_ref: SecretName,
}

/// One PostgreSQL and one S3 server as StatefulSets, for trials.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Embedded {
    /// PostgreSQL image, used as the official one: its variables, entrypoint, `flock`. Default: docker.io/library/postgres:17.
    #[serde(default = "default_database_image")]
    #[schemars(length(min = 1, max = 300))]
    pub database_image: String,

    /// The S3 server.
    #[serde(default)]
    pub object_store: EmbeddedObjectStore,

    /// StorageClass of both volumes. Unset: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub storage_class_name: Option<String>,

    /// Size of each volume. Default: 10Gi. With `size: "0"` there is no volume: data lives and dies with the pod.
    #[serde(default = "default_size")]
    #[schemars(length(min = 1, max = 32))]
    pub size: String,
}

/// The S3 server of embedded storage.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EmbeddedObjectStore {
    /// Image. Default: docker.io/dxflrs/garage:v2.3.0.
    #[serde(default = "default_object_store_image")]
    #[schemars(length(min = 1, max = 300))]
    pub image: String,

    /// What is in the image. `Garage` (default), or `Generic`: a server that serves S3 on 0.0.0.0:3900 from /data and
    /// reads its credentials from the files that S3_ACCESS_KEY_FILE and S3_SECRET_KEY_FILE name.
    #[serde(default)]
    pub flavor: ObjectStoreFlavor,
}

/// What an image of an S3 server expects.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum ObjectStoreFlavor {
    /// Garage 2.
    #[default]
    Garage,
    /// Credentials in files that the environment names, data in /data.
    Generic,
}

/// A Secret in the same namespace.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretName {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// One key of a Secret in the same namespace.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// An object in the same namespace.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ObjectName {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

impl Default for Embedded {
    fn default() -> Self {
        Self {
            database_image: default_database_image(),
            object_store: EmbeddedObjectStore::default(),
            storage_class_name: None,
            size: default_size(),
        }
    }
}

impl Default for EmbeddedObjectStore {
    fn default() -> Self {
        Self { image: default_object_store_image(), flavor: ObjectStoreFlavor::default() }
    }
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

fn default_database_image() -> String {
    "docker.io/library/postgres:17".to_owned()
}

fn default_object_store_image() -> String {
    "docker.io/dxflrs/garage:v2.3.0".to_owned()
}

fn default_size() -> String {
    "10Gi".to_owned()
}
