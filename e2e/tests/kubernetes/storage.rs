//! What an administrator sees when the database or the object store is not there, or does not let Kontor in.

use std::time::Duration;

use anyhow::{Result, ensure};
use kontor_e2e::kubernetes::installation::{Installation, TAG, image};
use serde_json::json;

use crate::installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_down_is_said_and_comes_back() -> Result<()> {
    let Some((installation, _turn)) = installation("a_database_that_is_down_is_said_and_comes_back").await?
    else {
        return Ok(());
    };
    // A pod that cannot be scheduled: scaling it down would be put back.
    for (pod, condition) in
        [("trial-database-0", "DatabaseReady"), ("trial-object-store-0", "ObjectStoreReady")]
    {
        installation.session.kubectl(&["cordon", "node1"])?;
        installation.kubectl(&["delete", "pod", pod, "--wait=false"])?;
        let said = installation.wait_condition("gwd/trial", condition, "False", "").await?;
        println!("          {condition}: {} {}", said.reason, said.message);
        ensure!(!said.message.is_empty(), "{condition} says nothing");
        installation.session.kubectl(&["uncordon", "node1"])?;
        installation.wait_ready("gwd,tn,md,mbx", Duration::from_secs(240))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn external_storage_that_cannot_be_used_is_named() -> Result<()> {
    let Some((installation, _turn)) = installation("external_storage_that_cannot_be_used_is_named").await?
    else {
        return Ok(());
    };
    let secret = |name: &str, key: &str| -> Result<String> {
        let template = format!("go-template={{{{index .data \"{key}\" | base64decode}}}}");
        installation.kubectl(&["get", "secret", name, "-o", &template])
    };
    let password = secret("trial-database", "password")?;
    let database = |password: &str, name: &str| {
        format!("postgres://kontor:{password}@trial-database.groupware.svc:5432/{name}")
    };
    let (access, key) =
        (secret("trial-object-store", "accessKey")?, secret("trial-object-store", "secretKey")?);
    let there = "http://trial-object-store.groupware.svc:3900";
    let nowhere = "http://object-store.nowhere.svc:3900";
    let cases = [
        Case {
            name: "wrong-password",
            database: database("wrong", "kontor"),
            object_store: (there, &access, &key),
            says: ("DatabaseReady", "AuthFailed"),
        },
        Case {
            name: "no-database",
            database: database(&password, "missing"),
            object_store: (there, &access, &key),
            says: ("DatabaseReady", "DatabaseMissing"),
        },
        Case {
            name: "no-server",
            database: "postgres://kontor:x@database.nowhere.svc:5432/kontor".into(),
            object_store: (there, &access, &key),
            says: ("DatabaseReady", "Unreachable"),
        },
        Case {
            name: "no-object-store",
            database: database(&password, "postgres"),
            object_store: (nowhere, &access, &key),
            says: ("ObjectStoreReady", "Unreachable"),
        },
        Case {
            name: "wrong-key",
            database: database(&password, "postgres"),
            object_store: (there, &access, "wrong"),
            says: ("ObjectStoreReady", "AuthFailed"),
        },
    ];
    let namespace = installation.session.namespace("astray").await?;
    let astray = |case: &Case<'_>| Installation::new(installation.session, &namespace, case.name);
    for case in &cases {
        installation.session.apply(&case.manifest(&namespace))?;
    }
    for case in &cases {
        let (condition, reason) = case.says;
        let resource = format!("gwd/{}", case.name);
        let said = astray(case).wait_condition(&resource, condition, "False", reason).await?;
        println!("          {}: {} {}", case.name, said.reason, said.message);
        let ready = astray(case).condition(&resource, "Ready")?;
        ensure!(ready.as_ref().is_some_and(|ready| ready.reason == reason), "Ready says {ready:?}");
        ensure!(
            !said.message.contains(&password) && !said.message.contains(&key),
            "the message has a secret"
        );
    }
    // Nothing that never came up may hold its namespace.
    installation.session.kubectl(&["delete", "namespace", &namespace, "--timeout=120s"])?;
    Ok(())
}

/// An installation that cannot work.
struct Case<'a> {
    name: &'a str,
    database: String,
    /// Endpoint, access key and secret key.
    object_store: (&'a str, &'a str, &'a str),
    /// Condition and reason.
    says: (&'a str, &'a str),
}

impl Case<'_> {
    fn manifest(&self, namespace: &str) -> String {
        let (endpoint, access, key) = self.object_store;
        let (url, keys) = (format!("{}-url", self.name), format!("{}-keys", self.name));
        let secret = |name: &str, data: serde_json::Value| {
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": namespace},
                "stringData": data,
            })
        };
        let deployment = json!({
            "apiVersion": "kontor.dev/v1alpha1",
            "kind": "GroupwareDeployment",
            "metadata": {"name": self.name, "namespace": namespace},
            "spec": {
                "image": image(TAG),
                "gateways": [{"name": "imap", "protocols": ["IMAP"], "replicas": 1}],
                "deletionProtection": false,
                "storage": {
                    "nodes": {"replicas": 1},
                    "database": {"external": {"urlSecretRef": {"name": url, "key": "url"}}},
                    "objectStore": {
                        "endpoint": endpoint,
                        "region": "us-east-1",
                        "bucket": "astray",
                        "credentialsSecretRef": {"name": keys},
                    },
                },
            },
        });
        let documents = [
            secret(&url, json!({"url": self.database})),
            secret(&keys, json!({"accessKey": access, "secretKey": key})),
            deployment,
        ];
        documents.map(|document| document.to_string()).join("\n---\n")
    }
}
