//! Embedded storage, for trials: one PostgreSQL and one S3 server as StatefulSets.

use super::pod;
use crate::deployment::names::{DATABASE, OBJECT_STORE};
use crate::deployment::validate::Valid;
use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
};
use k8s_openapi::api::core::v1::{
    Container, EmptyDirVolumeSource, EnvVar, EnvVarSource, PersistentVolumeClaim, PersistentVolumeClaimSpec,
    Probe, SecretKeySelector, Service, ServicePort, ServiceSpec, TCPSocketAction, Volume, VolumeMount,
    VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kontor_crds::groupware_deployment::{DeletionPolicy, Embedded, ObjectStoreFlavor};
use std::collections::BTreeMap;

/// PostgreSQL.
pub fn database(valid: &Valid, embedded: &Embedded) -> StatefulSet {
    let (secret, secret_mount) =
        pod::secret("credentials", &valid.identity.child(DATABASE), &[("password", "password")]);
    let container = Container {
        name: "postgres".into(),
        image: Some(embedded.database_image.clone()),
        image_pull_policy: Some(valid.spec.image.pull_policy.as_str().into()),
        command: Some(["sh", "-c", ONE_SERVER].map(str::to_owned).to_vec()),
        env: Some(vec![
            variable("POSTGRES_USER", "kontor"),
            variable("POSTGRES_DB", "kontor"),
            variable("POSTGRES_PASSWORD_FILE", "/etc/kontor/credentials/password"),
            variable("PGDATA", "/var/lib/postgresql/data/pgdata"),
        ]),
        resources: Some(pod::resources(None, "100m", "256Mi", "1Gi")),
        volume_mounts: Some(vec![
            secret_mount,
            writable("data", "/var/lib/postgresql/data"),
            writable("run", "/var/run/postgresql"),
            writable("tmp", "/tmp"),
        ]),
        ..with_port(5432)
    };
    let volumes = vec![secret, empty("run"), empty("tmp")];
    // The user `postgres` of the upstream image.
    stateful_set(valid, embedded, DATABASE, 999, container, volumes)
}

/// Starts the server when no other one has the files. Where a pod was deleted by force, its successor is on the same node
/// while the server of the first may still run; two of them destroy the files, and PostgreSQL's own lock does not hold
/// between containers. Every process of the server inherits this one, so that it ends with the last of them.
const ONE_SERVER: &str =
    "exec 9>/var/lib/postgresql/data/server.lock && flock 9 && exec docker-entrypoint.sh postgres";

/// The S3 server.
pub fn object_store(valid: &Valid, embedded: &Embedded) -> StatefulSet {
    let name = valid.identity.child(OBJECT_STORE);
    let store = &embedded.object_store;
    let base = Container {
        name: "object-store".into(),
        image: Some(store.image.clone()),
        image_pull_policy: Some(valid.spec.image.pull_policy.as_str().into()),
        resources: Some(pod::resources(None, "50m", "64Mi", "512Mi")),
        ..with_port(3900)
    };
    let (container, volumes) = match store.flavor {
        ObjectStoreFlavor::Generic => {
            let keys = [("accessKey", "access-key"), ("secretKey", "secret-key")];
            let (secret, mount) = pod::secret("credentials", &name, &keys);
            let container = Container {
                env: Some(vec![
                    variable("S3_ACCESS_KEY_FILE", "/etc/kontor/credentials/access-key"),
                    variable("S3_SECRET_KEY_FILE", "/etc/kontor/credentials/secret-key"),
                ]),
                volume_mounts: Some(vec![mount, writable("data", "/data"), writable("tmp", "/tmp")]),
                ..base
            };
            (container, vec![secret, empty("tmp")])
        }
        ObjectStoreFlavor::Garage => {
            let (config, config_mount) = pod::config(&name);
            let secret = |variable: &str, key: &str| EnvVar {
                name: variable.to_owned(),
                value: None,
                value_from: Some(EnvVarSource {
                    secret_key_ref: Some(SecretKeySelector {
                        name: name.clone(),
                        key: key.to_owned(),
                        optional: None,
                    }),
                    ..EnvVarSource::default()
                }),
            };
            let container = Container {
                command: Some(vec!["/garage".into()]),
                args: Some(
                    ["-c", "/etc/kontor/config/garage.toml", "server", "--single-node", "--default-bucket"]
                        .map(str::to_owned)
                        .to_vec(),
                ),
                env: Some(vec![
                    secret("GARAGE_RPC_SECRET", "rpcSecret"),
                    secret("GARAGE_DEFAULT_ACCESS_KEY", "accessKey"),
                    secret("GARAGE_DEFAULT_SECRET_KEY", "secretKey"),
                    variable("GARAGE_DEFAULT_BUCKET", &valid.object_store.bucket),
                ]),
                volume_mounts: Some(vec![config_mount, writable("data", "/data"), writable("tmp", "/tmp")]),
                ..base
            };
            (container, vec![config, empty("tmp")])
        }
    };
    stateful_set(valid, embedded, OBJECT_STORE, pod::USER, container, volumes)
}

/// Garage's configuration.
pub fn garage_config(valid: &Valid) -> String {
    format!(
        "metadata_dir = \"/data/meta\"\ndata_dir = \"/data/data\"\ndb_engine = \"sqlite\"\nreplication_factor = 1\n\
         rpc_bind_addr = \"127.0.0.1:3901\"\nrpc_public_addr = \"127.0.0.1:3901\"\n\n\
         [s3_api]\ns3_region = \"{}\"\napi_bind_addr = \"0.0.0.0:3900\"\n",
        valid.object_store.region
    )
}

/// The Services of both.
pub fn services(valid: &Valid) -> Vec<Service> {
    [(DATABASE, 5432), (OBJECT_STORE, 3900)]
        .map(|(component, number)| Service {
            metadata: valid.identity.meta(&valid.identity.child(component), component),
            spec: Some(ServiceSpec {
                type_: Some("ClusterIP".into()),
                selector: Some(valid.identity.selector_labels(component)),
                ports: Some(vec![ServicePort {
                    name: Some("server".into()),
                    port: number,
                    target_port: Some(IntOrString::String("server".into())),
                    protocol: Some("TCP".into()),
                    ..ServicePort::default()
                }]),
                ..ServiceSpec::default()
            }),
            status: None,
        })
        .to_vec()
}

fn stateful_set(
    valid: &Valid,
    embedded: &Embedded,
    component: &str,
    user: i64,
    container: Container,
    mut volumes: Vec<Volume>,
) -> StatefulSet {
    let volatile = embedded.size.starts_with('0');
    if volatile {
        volumes.push(empty("data"));
    }
    let claim = PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some("data".into()),
            labels: Some(valid.identity.selector_labels(component)),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".into()]),
            storage_class_name: embedded.storage_class_name.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), Quantity(embedded.size.clone()))])),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    };
    let when_deleted = match valid.spec.deletion_policy {
        DeletionPolicy::Retain => "Retain",
        DeletionPolicy::Delete => "Delete",
    };
    let mut template = pod::template(valid, component, String::new(), user, container, volumes);
    if let Some(meta) = &mut template.metadata {
        meta.annotations = None;
    }
    if let Some(spec) = &mut template.spec {
        spec.termination_grace_period_seconds = Some(60);
    }
    StatefulSet {
        metadata: valid.identity.meta(&valid.identity.child(component), component),
        spec: Some(StatefulSetSpec {
            replicas: Some(1),
            service_name: Some(valid.identity.child(component)),
            selector: valid.identity.selector(component),
            template,
            volume_claim_templates: (!volatile).then(|| vec![claim]),
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some(when_deleted.into()),
                when_scaled: Some("Retain".into()),
            }),
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}

fn with_port(number: i32) -> Container {
    let probe = |failures: i32, period: i32| Probe {
        tcp_socket: Some(TCPSocketAction { port: IntOrString::String("server".into()), host: None }),
        period_seconds: Some(period),
        failure_threshold: Some(failures),
        timeout_seconds: Some(3),
        ..Probe::default()
    };
    Container {
        ports: Some(vec![pod::port("server", number)]),
        startup_probe: Some(probe(300, 1)),
        readiness_probe: Some(probe(3, 5)),
        ..Container::default()
    }
}

fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.to_owned()), value_from: None }
}

fn writable(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}

fn empty(name: &str) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() }
}
