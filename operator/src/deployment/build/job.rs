//! The migration: a Job that brings the schema up to date and makes the bucket, before any pod of a version runs. Its
//! result is also how the operator knows whether database and bucket can be reached.

use super::{pod, workload};
use crate::apply::hash;
use crate::deployment::names::MIGRATE;
use crate::deployment::validate::Valid;
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::Container;

/// The Job. Its name says what it does: another version, database or bucket is another Job.
pub fn build(valid: &Valid) -> Job {
    let (volumes, mounts) = workload::storage_mounts(valid);
    let image = workload::storage_image(valid, &valid.spec.image.tag);
    let container = Container {
        name: "migrate".into(),
        image: Some(image),
        image_pull_policy: Some(valid.spec.image.pull_policy.as_str().into()),
        args: Some(vec!["--config".into(), workload::storage_config_file(), "migrate".into()]),
        resources: Some(pod::resources(None, "50m", "64Mi", "256Mi")),
        volume_mounts: Some(mounts),
        // The last lines say what is wrong; the operator reads them.
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        ..Container::default()
    };
    let mut template = pod::template(valid, MIGRATE, String::new(), pod::USER, container, volumes);
    if let Some(meta) = &mut template.metadata {
        meta.annotations = None;
    }
    if let Some(spec) = &mut template.spec {
        spec.restart_policy = Some("Never".into());
        spec.termination_grace_period_seconds = Some(30);
    }
    Job {
        metadata: valid.identity.meta(&name(valid), MIGRATE),
        spec: Some(JobSpec {
            // The operator tries again itself, with a growing pause and a condition that says why.
            backoff_limit: Some(0),
            active_deadline_seconds: Some(600),
            template,
            ..JobSpec::default()
        }),
        status: None,
    }
}

/// Its name.
pub fn name(valid: &Valid) -> String {
    let store = &valid.object_store;
    let image = workload::storage_image(valid, &valid.spec.image.tag);
    let what = serde_json::json!([
        image,
        [valid.database.name, valid.database.key],
        valid.database_revision,
        [store.endpoint, store.bucket, store.secret],
        store.revision,
    ]);
    let short: String = hash(&what).chars().take(10).collect();
    valid.identity.child(&format!("{MIGRATE}-{short}"))
}
