//! What to do about it.

/// About a condition, or about a directory resource (then `subject` is its kind).
pub fn for_condition(subject: &str, reason: &str, name: &str) -> String {
    let advice = match (subject, reason) {
        (_, "InvalidSpec") => "Correct the field that the message names, and apply it again.",
        (_, "InvalidSecret") => {
            "Put what is missing into the Secret that the message names. It is taken up as soon as it is there."
        }
        (_, "RefNotReady") => {
            "Wait for what the message names, or look why it does not become ready: kubectl describe it."
        }
        (_, "QuotaExceeded") => "Raise the ResourceQuota of the namespace, or lower replicas and resources.",
        (_, "RefNotFound") => {
            "Create what the message names, or correct the reference. It is taken up as soon as it is there."
        }
        (_, "RefNotPermitted") => {
            "Have the other side allow this namespace in its allowedNamespaces, or move this resource."
        }
        (_, "AddressConflict") => {
            "Two resources claim the address; the message names the one that has it. Change one of them."
        }
        (_, "CRDMissing") => {
            "Install the API that the message names, or choose another way in the spec. It is looked for twice a minute."
        }
        ("DatabaseReady", "AuthFailed") => {
            "Put the right user and password into the Secret with the database's URL."
        }
        ("DatabaseReady", "DatabaseMissing") => {
            "Create the database that the URL names, or correct the name in the Secret."
        }
        ("DatabaseReady", "InvalidURL") => {
            "Put a URL such as postgres://user:password@host:5432/database into the Secret."
        }
        ("DatabaseReady", "PermissionDenied") => {
            "Make the user of the URL the owner of the database: it has to create tables in it."
        }
        ("DatabaseReady" | "ObjectStoreReady", "TLSFailed") => {
            "Compare the certificate of that server with the name in its URL and with the authorities that pods know."
        }
        ("DatabaseReady", "VersionTooOld") => "Upgrade PostgreSQL to version 16 or newer.",
        ("DatabaseReady", _) => {
            "See whether the database runs and is reachable from this namespace: network policies, name, port, TLS."
        }
        ("ObjectStoreReady", "AuthFailed") => {
            "Put the right keys into the Secret that storage.objectStore.credentialsSecretRef names."
        }
        ("ObjectStoreReady", "BucketMissing") => {
            "Create the bucket, or allow these credentials to create it."
        }
        ("ObjectStoreReady", _) => {
            "See whether the object store runs and is reachable from this namespace: endpoint, network policies, TLS."
        }
        ("SchemaCurrent", "MigrationRunning") => {
            "Wait: pods of the new version start when the schema is ready."
        }
        ("SchemaCurrent", _) => {
            return format!(
                "Read the log of the migration: kubectl logs -l app.kubernetes.io/instance={name},app.kubernetes.io/component=migrate --tail=50"
            );
        }
        ("CertificatesReady", _) => {
            "See the Certificate or the Secret that the message names: kubectl describe certificate,secret"
        }
        ("GatewaysAvailable" | "StorageNodesAvailable", _) => "See below which pods are not ready, and why.",
        ("RoutesAccepted", _) => {
            "See whether the Gateway or the load balancer that the message names takes the routes."
        }
        ("DirectorySynced", _) => {
            "See below which resources are not well; when there are many, whether the storage nodes are."
        }
        ("DeletionBlocked", _) => {
            "Delete the mailboxes first, or set spec.deletionProtection to false to let go."
        }
        ("Drifted", _) => {
            "Somebody changed what this resource manages; it was put back. Change the resource instead."
        }
        (kind, _)
            if ["Tenant", "MailDomain", "Mailbox", "DistributionGroup", "ResourceMailbox"]
                .contains(&kind) =>
        {
            return format!("kubectl describe {} {name}", kind.to_lowercase());
        }
        _ => return format!("kubectl describe gwd {name}"),
    };
    advice.to_owned()
}

/// About a pod that does not start.
pub fn for_pod(reason: &str, name: &str) -> String {
    match reason {
        "ImagePullBackOff" | "ErrImagePull" | "ErrImageNeverPull" | "InvalidImageName" => {
            "Correct spec.image (registry, tag), or spec.imagePullSecrets.".to_owned()
        }
        "CrashLoopBackOff" | "RunContainerError" | "Error" => {
            format!("Read what it said last: kubectl logs {name} --previous --tail=50")
        }
        "Unschedulable" => {
            "Add nodes or room on them, or lower the pool's resources, or loosen its placement.".to_owned()
        }
        "CreateContainerConfigError" => {
            "A Secret or ConfigMap that it mounts is missing; its name is in the message.".to_owned()
        }
        _ => format!("kubectl describe pod {name}"),
    }
}
