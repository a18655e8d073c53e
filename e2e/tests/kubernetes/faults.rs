//! What an administrator sees when something in the directory is wrong, and that it is well again when it is put right.

use std::time::Duration;

use anyhow::{Result, ensure};
use kontor_e2e::kubernetes::installation::Installation;
use kontor_e2e::process::eventually;
use serde_json::{Value, json};

use crate::installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_claimed_twice_names_the_other_claim() -> Result<()> {
    let Some((installation, _turn)) = installation("an_address_claimed_twice_names_the_other_claim").await?
    else {
        return Ok(());
    };
    installation.session.apply(&mailbox("groupware", "anna-too", "anna@example.org", None).to_string())?;
    let said =
        installation.wait_condition("mailbox/anna-too", "Accepted", "False", "AddressConflict").await?;
    ensure!(said.message.contains("anna"), "{}", said.message);
    ensure!(installation.condition("mailbox/anna", "Ready")?.is_some_and(|ready| ready.status == "True"));
    installation.kubectl(&["delete", "mailbox", "anna-too", "--timeout=60s"])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_secret_is_named_and_repaired() -> Result<()> {
    let Some((installation, _turn)) = installation("a_bad_secret_is_named_and_repaired").await? else {
        return Ok(());
    };
    let cleo = mailbox("groupware", "cleo", "cleo@example.org", Some("cleo-password"));
    installation.session.apply(&cleo.to_string())?;
    let said =
        installation.wait_condition("mailbox/cleo", "CredentialsReady", "False", "SecretNotFound").await?;
    ensure!(said.message.contains("cleo-password"), "{}", said.message);
    installation.kubectl(&[
        "create",
        "secret",
        "generic",
        "cleo-password",
        "--from-literal=password=lake-house-42",
    ])?;
    installation.wait_condition("mailbox/cleo", "Ready", "True", "").await?;
    installation.kubectl(&["delete", "mailbox/cleo", "secret/cleo-password", "--timeout=60s"])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_mailbox_keeps_its_mail_and_its_old_address() -> Result<()> {
    let Some((installation, _turn)) =
        installation("a_renamed_mailbox_keeps_its_mail_and_its_old_address").await?
    else {
        return Ok(());
    };
    let mut dora = mailbox("groupware", "dora", "dora@example.org", None);
    installation.session.apply(&dora.to_string())?;
    installation.wait_condition("mailbox/dora", "Ready", "True", "").await?;
    let id = ["get", "mailbox", "dora", "-o", "jsonpath={.status.mailboxId}"];
    let before = installation.kubectl(&id)?;
    dora["spec"]["primaryAddress"] = "dora.new@example.org".into();
    let refused = installation.session.apply(&dora.to_string());
    ensure!(refused.is_err_and(|error| format!("{error:#}").contains("keeps its old address")));
    dora["spec"]["aliases"] = json!(["dora@example.org"]);
    installation.session.apply(&dora.to_string())?;
    eventually("the directory has the new address", Duration::from_secs(60), async || {
        let path = "jsonpath={.status.address}";
        Ok((installation.kubectl(&["get", "mailbox", "dora", "-o", path])? == "dora.new@example.org")
            .then_some(()))
    })
    .await?;
    ensure!(installation.kubectl(&id)? == before, "it is another mailbox");
    installation.kubectl(&["delete", "mailbox", "dora", "--timeout=60s"])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_of_another_namespace_needs_consent() -> Result<()> {
    let Some((installation, _turn)) = installation("a_tenant_of_another_namespace_needs_consent").await?
    else {
        return Ok(());
    };
    let namespace = installation.session.namespace("guests").await?;
    let tenant = json!({
        "apiVersion": "kontor.dev/v1alpha1",
        "kind": "Tenant",
        "metadata": {"name": "guests", "namespace": namespace},
        "spec": {"deploymentRef": {"name": "trial", "namespace": "groupware"}},
    });
    installation.session.apply(&tenant.to_string())?;
    let there = Installation::new(installation.session, &namespace, "trial");
    there.wait_condition("tenant/guests", "Accepted", "False", "RefNotPermitted").await?;
    let consent = r#"{"spec":{"directory":{"allowedNamespaces":{"from":"All"}}}}"#;
    installation.kubectl(&["patch", "gwd", "trial", "--type=merge", "-p", consent])?;
    there.wait_condition("tenant/guests", "Ready", "True", "").await?;
    let back = r#"{"spec":{"directory":{"allowedNamespaces":{"from":"Same"}}}}"#;
    installation.kubectl(&["patch", "gwd", "trial", "--type=merge", "-p", back])?;
    // Consent that was taken back must not wedge the namespace.
    installation.session.kubectl(&["delete", "namespace", &namespace, "--timeout=120s"])?;
    Ok(())
}

/// A Mailbox of the trial's domain.
pub fn mailbox(namespace: &str, name: &str, address: &str, secret: Option<&str>) -> Value {
    let mut mailbox = json!({
        "apiVersion": "kontor.dev/v1alpha1",
        "kind": "Mailbox",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"domainRef": {"name": "example-org"}, "primaryAddress": address},
    });
    if let Some(secret) = secret {
        mailbox["spec"]["credentials"] = json!({"passwordSecretRef": {"name": secret, "key": "password"}});
    }
    mailbox
}
