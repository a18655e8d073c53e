//! Storage for pods: folders of this machine as PersistentVolumes, made by hand because nothing provisions them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::PersistentVolume;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::Client;
use kube::api::{Api, ObjectMeta, Patch, PatchParams};
use serde_json::json;

/// Makes the default storage class, whose volumes come from [`Volumes`].
pub async fn storage_class(client: &Client) -> Result<()> {
    let class = StorageClass {
        metadata: ObjectMeta {
            name: Some(STORAGE_CLASS.into()),
            annotations: Some(BTreeMap::from([(
                "storageclass.kubernetes.io/is-default-class".into(),
                "true".into(),
            )])),
            ..Default::default()
        },
        provisioner: "kubernetes.io/no-provisioner".into(),
        volume_binding_mode: Some("WaitForFirstConsumer".into()),
        reclaim_policy: Some("Retain".into()),
        ..Default::default()
    };
    let api: Api<StorageClass> = Api::all(client.clone());
    api.patch(STORAGE_CLASS, &PatchParams::apply("kontor-e2e").force(), &Patch::Apply(&class)).await?;
    Ok(())
}

/// Makes `count` volumes of `size` (a Kubernetes quantity) below `folder`. Any user may write to them: which pod takes
/// which is not known before, and a hostPath volume takes no notice of `fsGroup`. They are the first node's, so that
/// losing another one loses no data.
pub async fn make(client: &Client, folder: &Path, prefix: &str, count: usize, size: &str) -> Result<()> {
    let api: Api<PersistentVolume> = Api::all(client.clone());
    for number in 0..count {
        let name = format!("{prefix}-{number}");
        let path = folder.join(&name);
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777))?;
        let volume: PersistentVolume = serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": size},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": STORAGE_CLASS,
                "hostPath": {"path": path},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                    {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node1"]},
                ]}]}},
            },
        }))?;
        api.patch(&name, &PatchParams::apply("kontor-e2e").force(), &Patch::Apply(&volume)).await?;
    }
    Ok(())
}

/// The default storage class.
pub const STORAGE_CLASS: &str = "folders";
