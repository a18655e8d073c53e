//! What goes when a resource is deleted, and what stays.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::kubernetes::installation::{Installation, send, subjects, trial};
use kontor_e2e::process::eventually;
use serde_json::json;

use crate::faults::mailbox;
use crate::installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_is_blocked_while_there_are_mailboxes_and_keeps_the_data() -> Result<()> {
    let Some((installation, _turn)) =
        installation("deletion_is_blocked_while_there_are_mailboxes_and_keeps_the_data").await?
    else {
        return Ok(());
    };
    let namespace = installation.session.namespace("goner").await?;
    let mut manifest = trial()?.in_namespace(&namespace);
    manifest.resources.retain(|resource| resource["kind"] != "Namespace");
    let spec = &mut manifest.get("GroupwareDeployment", "trial")?["spec"];
    // Kubernetes deletes a namespace's other resources after half of its pods' longest grace period.
    spec["gateways"] = json!([{
        "name": "imap", "protocols": ["IMAP"], "replicas": 1, "drain": {"preStopDelaySeconds": 1, "gracePeriodSeconds": 30},
    }]);
    spec["storage"]["nodes"] = json!({"replicas": 1});
    installation.session.volumes("goner", 2, "1Gi").await?;
    installation.session.apply(&manifest.yaml())?;
    let goner = Installation::new(installation.session, &namespace, "trial");
    goner.wait_ready("gwd,tn,md,mbx", Duration::from_secs(300))?;

    goner.kubectl(&["delete", "gwd", "trial", "--wait=false"])?;
    let said = goner.wait_condition("gwd/trial", "DeletionBlocked", "True", "MailboxesExist").await?;
    ensure!(said.message.contains("deletionProtection"), "{}", said.message);
    let running =
        goner.kubectl(&["get", "deployment", "trial-imap", "-o", "jsonpath={.status.readyReplicas}"])?;
    ensure!(running == "1", "the gateway went first: {running:?}");
    let allow = r#"{"spec":{"deletionProtection":false}}"#;
    goner.kubectl(&["patch", "gwd", "trial", "--type=merge", "-p", allow])?;
    goner.kubectl(&["wait", "--for=delete", "gwd/trial", "--timeout=120s"])?;
    // By `deletionPolicy: Retain`, the default: what holds the data, and the keys to it.
    let kept = goner.kubectl(&["get", "pvc,secret", "-o", "name"])?;
    println!("          kept: {}", kept.split_whitespace().collect::<Vec<_>>().join(" "));
    for data in ["trial-database", "trial-object-store"] {
        ensure!(kept.contains(&format!("secret/{data}")), "the Secret {data} is gone: {kept}");
        ensure!(
            kept.lines().any(|name| name.starts_with("persistentvolumeclaim/") && name.contains(data)),
            "{kept}"
        );
    }
    // It comes back with what it had, for those who say that it is theirs: to Kubernetes these are other resources.
    let before = goner.kubectl(&["get", "mailbox", "anna", "-o", "jsonpath={.status.mailboxId}"])?;
    installation.session.apply(&manifest.yaml())?;
    let said = goner.wait_condition("tn/example", "Ready", "False", "NotOwned").await?;
    println!("          tn/example: {}", said.message);
    eventually("a mailbox says what to do", Duration::from_secs(30), async || {
        let ready = goner.condition("mailbox/anna", "Ready")?;
        Ok(ready.filter(|ready| ready.message.contains("kontor.dev/adopt")))
    })
    .await?;
    let adopt = ["annotate", "tn,md,mbx", "--all", "kontor.dev/adopt=true"];
    goner.kubectl(&adopt)?;
    goner.wait_ready("gwd,tn,md,mbx", Duration::from_secs(120))?;
    let after = goner.kubectl(&["get", "mailbox", "anna", "-o", "jsonpath={.status.mailboxId}"])?;
    ensure!(!before.is_empty() && before == after, "Anna's mailbox was {before} and is {after}");

    goner.kubectl(&["patch", "gwd", "trial", "--type=merge", "-p", allow])?;
    goner.kubectl(&["delete", "gwd", "trial", "--timeout=120s"])?;
    // What was in it is left without it, and must not wedge the namespace.
    installation.session.kubectl(&["delete", "namespace", &namespace, "--timeout=180s"])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retained_mailbox_works_on_and_is_adopted() -> Result<()> {
    let Some((installation, _turn)) = installation("a_retained_mailbox_works_on_and_is_adopted").await?
    else {
        return Ok(());
    };
    let (user, password) = ("rita@example.org", "window-seat-11");
    let literal = format!("--from-literal=password={password}");
    installation.kubectl(&["create", "secret", "generic", "rita", &literal])?;
    let mut rita = mailbox(&installation.namespace, "rita", user, Some("rita"));
    installation.session.apply(&rita.to_string())?;
    installation.wait_condition("mailbox/rita", "Ready", "True", "").await?;
    let path = ["get", "mailbox", "rita", "-o", "jsonpath={.status.mailboxId}"];
    let before = installation.kubectl(&path)?;
    installation.kubectl(&["delete", "mailbox", "rita", "--timeout=60s"])?;

    let smtp = installation.endpoint("smtp", 25).await?;
    send(smtp, "s@elsewhere.test", user, b"Subject: still here\r\n\r\n")
        .await
        .context("to a retained mailbox")?;
    let imap = installation.endpoint_tls("imap", 993).await?;
    eventually("Rita reads her mail", Duration::from_secs(30), async || {
        Ok(subjects(imap, user, password).await?.contains(&"still here".to_owned()).then_some(()))
    })
    .await?;

    // Another resource of the name does not get it by itself.
    installation.session.apply(&rita.to_string())?;
    let said = installation.wait_condition("mailbox/rita", "Ready", "False", "").await?;
    println!("          {}: {}", said.reason, said.message);
    ensure!(said.message.contains("kontor.dev/adopt"), "{} {}", said.reason, said.message);
    rita["metadata"]["annotations"] = json!({"kontor.dev/adopt": "true"});
    rita["spec"]["reclaimPolicy"] = json!({"type": "Delete"});
    installation.session.apply(&rita.to_string())?;
    installation.wait_condition("mailbox/rita", "Ready", "True", "").await?;
    ensure!(installation.kubectl(&path)? == before, "it is another mailbox");

    // And with `Delete` it goes.
    installation.kubectl(&["delete", "mailbox/rita", "secret/rita", "--timeout=60s"])?;
    let refused = send(smtp, "s@elsewhere.test", user, b"Subject: gone\r\n\r\n").await;
    ensure!(
        refused.is_err_and(|error| format!("{error:#}").contains("550")),
        "mail to a deleted mailbox is taken"
    );
    Ok(())
}
