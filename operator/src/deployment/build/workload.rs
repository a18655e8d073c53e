//! Deployments of storage nodes and gateway pools.

use super::config;
use super::pod;
use crate::apply::hash;
use crate::deployment::material::{Material, pool_secret, server_secret};
use crate::deployment::names::STORAGE_NODE;
use crate::deployment::routes;
use crate::deployment::validate::Valid;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Container, EnvVar, EnvVarSource, Lifecycle, LifecycleHandler, PodTemplateSpec, SecretKeySelector,
    SleepAction, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kontor_crds::groupware_deployment::GatewayPool;

/// The storage nodes.
pub fn storage_node(valid: &Valid, tag: &str) -> Deployment {
    let nodes = &valid.spec.storage.nodes;
    let (mut volumes, mut mounts) = storage_mounts(valid);
    let (volume, mount) = pod::secret("tls", &valid.identity.child("storage-node-tls"), &[]);
    volumes.push(volume);
    mounts.push(mount);
    let container = pod::with_probes(Container {
        name: "storage-node".into(),
        image: Some(storage_image(valid, tag)),
        image_pull_policy: Some(valid.spec.image.pull_policy.as_str().into()),
        args: Some(vec!["--config".into(), storage_config_file()]),
        ports: Some(vec![pod::port("grpc", crate::storage::PORT), pod::monitor_port()]),
        resources: Some(pod::resources(nodes.resources.as_ref(), "100m", "128Mi", "1Gi")),
        volume_mounts: Some(mounts),
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        lifecycle: Some(sleep(STORAGE_DELAY)),
        ..Container::default()
    });
    let revision = storage_revision(valid);
    let mut template = pod::template(valid, STORAGE_NODE, revision, pod::USER, container, volumes);
    if let Some(spec) = &mut template.spec {
        pod::place(valid, STORAGE_NODE, &nodes.placement, spec);
        spec.termination_grace_period_seconds = Some(STORAGE_GRACE);
    }
    let replicas = nodes.autoscaling.is_none().then(|| nodes.wanted());
    deployment(valid, STORAGE_NODE, replicas, template)
}

/// A gateway pool.
pub fn pool(valid: &Valid, material: &Material, pool: &GatewayPool, tag: &str) -> Deployment {
    let mut volumes: Vec<Volume> = Vec::new();
    let mut mounts: Vec<VolumeMount> = Vec::new();
    let client_certificate = pool_secret(valid, &pool.name);
    let server_certificate = valid.certificate_secret.clone().unwrap_or_else(|| server_secret(valid));
    let mut parts = vec![pod::config(&valid.identity.child(&pool.name))];
    // The ingress has nothing to ask the storage nodes, and leads connections on as they are: it has keys for HTTP only.
    let is_ingress = routes::is_ingress(pool);
    let endpoints = routes::of_pool(&valid.spec, pool);
    if !is_ingress {
        parts.push(pod::secret("store", &client_certificate, &[]));
    }
    if !is_ingress || endpoints.iter().any(|endpoint| endpoint.http) {
        let keys = [("tls.crt", "tls.crt"), ("tls.key", "tls.key")];
        parts.push(pod::secret("tls", &server_certificate, &keys));
    }
    let relay = pool.config.smtp.relay.as_ref().and_then(|relay| relay.credentials_secret_ref.as_ref());
    parts.extend(relay.map(|secret| pod::secret("relay", &secret.name, &[("password", "password")])));
    for (volume, mount) in parts {
        volumes.push(volume);
        mounts.push(mount);
    }
    let mut names: Vec<_> = pool.protocols.iter().map(|protocol| routes::gateway(*protocol)).collect();
    names.sort_unstable();
    names.dedup();
    let mut args: Vec<String> = names.into_iter().map(str::to_owned).collect();
    args.extend(["--config".to_owned(), format!("{}/config/gateway.toml", config::FOLDER)]);
    let mut ports: Vec<_> =
        endpoints.iter().map(|endpoint| pod::port(endpoint.name, endpoint.pod_port)).collect();
    if !is_ingress && routes::ingress(&valid.spec).is_some() {
        let behind =
            endpoints.iter().filter_map(|endpoint| Some((endpoint.name, endpoint.behind_ingress()?)));
        ports.extend(behind.map(|(name, port)| pod::port(&format!("px-{name}"), port)));
    }
    ports.push(pod::monitor_port());
    let user = relay.map(|secret| EnvVar {
        name: "KONTOR_SMTP__RELAY__USER".into(),
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret.name.clone(),
                key: "username".into(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
        value: None,
    });
    let image = &valid.spec.image;
    let container = pod::with_probes(Container {
        name: "gateway".into(),
        image: Some(format!("{}/kontor-gateway:{tag}", image.registry)),
        image_pull_policy: Some(image.pull_policy.as_str().into()),
        args: Some(args),
        env: user.map(|user| vec![user]),
        ports: Some(ports),
        resources: Some(pod::resources(pool.resources.as_ref(), "50m", "64Mi", "512Mi")),
        volume_mounts: Some(mounts),
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        lifecycle: Some(sleep(i64::from(config::pre_stop_delay(pool)))),
        ..Container::default()
    });
    // Certificates for the outside are read again when they change; those towards the storage nodes are not.
    let revision = hash(&serde_json::json!([
        config::gateway(valid, pool),
        material.revision(&client_certificate),
        if relay.is_some() { valid.relay_revision.as_str() } else { "" },
    ]));
    let mut template = pod::template(valid, &pool.name, revision, pod::USER, container, volumes);
    if let Some(spec) = &mut template.spec {
        pod::place(valid, &pool.name, &pool.placement, spec);
        spec.termination_grace_period_seconds = Some(i64::from(config::grace_period(pool)));
    }
    let replicas = pool.autoscaling.is_none().then(|| pool.wanted());
    deployment(valid, &pool.name, replicas, template)
}

/// What storage nodes and the migration have mounted alike.
pub fn storage_mounts(valid: &Valid) -> (Vec<Volume>, Vec<VolumeMount>) {
    let keys = [("accessKey", "access-key"), ("secretKey", "secret-key")];
    [
        pod::config(&valid.identity.child(STORAGE_NODE)),
        pod::secret("database", &valid.database.name, &[(&valid.database.key, "url")]),
        pod::secret("object-store", &valid.object_store.secret, &keys),
    ]
    .into_iter()
    .unzip()
}

/// Another one when what storage nodes read only at their start is.
pub fn storage_revision(valid: &Valid) -> String {
    let (database, store) = (&valid.database_revision, &valid.object_store.revision);
    hash(&serde_json::json!([config::storage_node(valid), database, store]))
}

/// The image of storage nodes and of the migration.
pub fn storage_image(valid: &Valid, tag: &str) -> String {
    format!("{}/kontor-storage-node:{tag}", valid.spec.image.registry)
}

/// The storage nodes' configuration in the container.
pub fn storage_config_file() -> String {
    format!("{}/config/storage-node.toml", config::FOLDER)
}

fn deployment(
    valid: &Valid,
    component: &str,
    replicas: Option<i32>,
    template: PodTemplateSpec,
) -> Deployment {
    let upgrade = &valid.spec.upgrade;
    Deployment {
        metadata: valid.identity.meta(&valid.identity.child(component), component),
        spec: Some(DeploymentSpec {
            // Left out when the autoscaler decides.
            replicas,
            selector: valid.identity.selector(component),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".into()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(upgrade.max_surge)),
                    max_unavailable: Some(IntOrString::Int(upgrade.max_unavailable)),
                }),
            }),
            revision_history_limit: Some(3),
            progress_deadline_seconds: Some(300),
            template,
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

/// Nothing is said until nobody sends clients any more. The kubelet sleeps: images have no shell.
fn sleep(seconds: i64) -> Lifecycle {
    Lifecycle {
        pre_stop: Some(LifecycleHandler {
            sleep: Some(SleepAction { seconds }),
            ..LifecycleHandler::default()
        }),
        ..Lifecycle::default()
    }
}

/// Gateways follow DNS; they look every five seconds.
const STORAGE_DELAY: i64 = 6;
const STORAGE_GRACE: i64 = 60;
