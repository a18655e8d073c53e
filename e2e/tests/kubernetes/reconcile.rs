//! A reconcile that has nothing to do writes nothing, and what somebody changed is put back.

use std::time::Duration;

use anyhow::{Result, ensure};
use kontor_e2e::kubernetes::installation::{Installation, OPERATOR_NAMESPACE};
use kontor_e2e::process::eventually;

use crate::installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_reconcile_writes_nothing() -> Result<()> {
    let Some((installation, _turn)) = installation("a_second_reconcile_writes_nothing").await? else {
        return Ok(());
    };
    let kubectl = |arguments: &[&str]| installation.kubectl(arguments);
    settle(&installation).await?;
    let mark = installation.session.audit()?;
    // Everybody looks at it again: an annotation is no change of what is wanted.
    for kind in ["gwd", "tn", "md", "mbx"] {
        kubectl(&["annotate", kind, "--all", "--overwrite", "e2e.kontor.dev/looked=again"])?;
    }
    settle(&installation).await?;
    let writes = mark.writes("kontor-operator")?;
    let writes: Vec<_> = writes.into_iter().filter(|write| write.resource != "events").collect();
    ensure!(writes.is_empty(), "{} writes: {writes:#?}", writes.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_leader_changes_nothing() -> Result<()> {
    let Some((installation, _turn)) = installation("a_new_leader_changes_nothing").await? else {
        return Ok(());
    };
    // The API server gives an object a new version only when a write changed it.
    let versions = || {
        let path = "jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.resourceVersion}\n{end}";
        installation.kubectl(&[
            "get",
            CHILDREN,
            "-l",
            "app.kubernetes.io/managed-by=kontor-operator",
            "-o",
            path,
        ])
    };
    settle(&installation).await?;
    let (before, mark) = (versions()?, installation.session.audit()?);
    ensure!(before.lines().count() > 10, "these are not all: {before}");
    installation.session.kubectl(&["-n", OPERATOR_NAMESPACE, "rollout", "restart", "deployment"])?;
    let status = ["-n", OPERATOR_NAMESPACE, "rollout", "status", "deployment", "--timeout=120s"];
    installation.session.kubectl(&status)?;
    settle(&installation).await?;
    let writes = mark.writes("kontor-operator")?.len();
    println!("          {writes} requests of the new leader to write what was there already");
    let after = versions()?;
    ensure!(before == after, "before:\n{before}\nafter:\n{after}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_that_were_edited_or_deleted_are_put_back() -> Result<()> {
    let Some((installation, _turn)) =
        installation("children_that_were_edited_or_deleted_are_put_back").await?
    else {
        return Ok(());
    };
    let kubectl = |arguments: &[&str]| installation.kubectl(arguments);
    kubectl(&["delete", "service", "trial-imap"])?;
    kubectl(&["delete", "networkpolicy", "--all"])?;
    let patch = r#"{"spec":{"template":{"spec":{"automountServiceAccountToken":true}}}}"#;
    kubectl(&["patch", "deployment", "trial-smtp", "--type=merge", "-p", patch])?;
    eventually("all of it is put back", Duration::from_secs(60), async || {
        let service = kubectl(&["get", "service", "trial-imap", "-o", "name"]).is_ok();
        let policies = kubectl(&["get", "networkpolicy", "-o", "name"])?;
        let path = "jsonpath={.spec.template.spec.automountServiceAccountToken}";
        let token = kubectl(&["get", "deployment", "trial-smtp", "-o", path])?;
        Ok((service && !policies.is_empty() && token == "false").then_some(()))
    })
    .await?;
    installation.wait_ready("gwd", Duration::from_secs(180))?;
    let events = kubectl(&["get", "events", "-o", "jsonpath={.items[*].message}"])?;
    ensure!(events.contains("trial-imap"), "no event tells of it: {events}");
    Ok(())
}

/// Waits until the operator has written nothing for five seconds.
async fn settle(installation: &Installation<'_>) -> Result<()> {
    eventually("the operator has nothing left to write", Duration::from_secs(120), async || {
        let mark = installation.session.audit()?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let writes = mark.writes("kontor-operator")?;
        Ok(writes.iter().all(|write| write.resource == "events").then_some(()))
    })
    .await
}

/// What the operator makes and nobody else writes to.
const CHILDREN: &str = "serviceaccounts,services,configmaps,secrets,networkpolicies";
