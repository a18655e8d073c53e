//! One way in for all protocols.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::kubernetes::installation::{send, subjects};
use kontor_e2e::process::eventually;
use serde_json::{Value, json};

use crate::{ANNA, installation};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ingress_leads_to_every_pool_and_alone_may_say_who_the_client_is() -> Result<()> {
    let name = "an_ingress_leads_to_every_pool_and_alone_may_say_who_the_client_is";
    let Some((installation, _turn)) = installation(name).await? else { return Ok(()) };
    let kubectl = |arguments: &[&str]| installation.kubectl(arguments);
    let before: Value =
        serde_json::from_str(&kubectl(&["get", "gwd", "trial", "-o", "jsonpath={.spec.gateways}"])?)?;
    let mut pools = before.clone();
    let ingress = json!({"name": "ingress", "protocols": ["Ingress"], "replicas": 2});
    pools.as_array_mut().context("a list of pools")?.push(ingress);
    let declare = |pools: &Value, exposure: &str| {
        let patch = json!({"spec": {"gateways": pools, "network": {"exposure": {"type": exposure}}}});
        kubectl(&["patch", "gwd", "trial", "--type=merge", "-p", &patch.to_string()])
    };
    declare(&pools, "LoadBalancer")?;
    eventually("the ingress is there", LIMIT, async || {
        let ready = kubectl(&[
            "get",
            "deployment",
            "-o",
            "jsonpath={.items[?(@.metadata.name=='trial-ingress')].status.readyReplicas}",
        ])?;
        Ok((ready == "2").then_some(()))
    })
    .await?;
    let exposed = kubectl(&[
        "get",
        "services",
        "-o",
        "jsonpath={.items[?(@.spec.type=='LoadBalancer')].metadata.name}",
    ])?;
    ensure!(exposed == "trial-ingress-external", "exposed: {exposed}");

    let (smtp, imap) =
        (installation.endpoint("ingress", 25).await?, installation.endpoint_tls("ingress", 993).await?);
    eventually("a message through the ingress", Duration::from_secs(120), async || {
        let message = b"From: someone@elsewhere.test\r\nSubject: by the front door\r\n\r\nhello\r\n";
        Ok(send(smtp, "someone@elsewhere.test", ANNA.0, message).await.ok())
    })
    .await?;
    // It can be led on once the pool's pods have learnt to listen to the ingress.
    eventually("it is read through the ingress", Duration::from_secs(120), async || {
        let found = subjects(imap, ANNA.0, ANNA.1).await.unwrap_or_default();
        Ok(found.iter().any(|subject| subject == "by the front door").then_some(()))
    })
    .await?;

    // Everybody else is believed nothing: the port behind the ingress is closed to other pods.
    let policy: Value =
        serde_json::from_str(&kubectl(&["get", "networkpolicy", "trial-imap", "-o", "json"])?)?;
    let rules = policy["spec"]["ingress"].as_array().context("rules")?;
    let behind =
        rules.iter().find(|rule| rule["ports"].to_string().contains("12993")).context("a rule for 12993")?;
    ensure!(behind["from"].to_string().contains("ingress"), "{behind}");

    // A pod that goes takes nobody's mail along, and the other one goes on.
    let pods = kubectl(&[
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/component=ingress",
        "-o",
        "jsonpath={.items[0].metadata.name}",
    ])?;
    kubectl(&["delete", "pod", &pods, "--force", "--grace-period=0"])?;
    eventually("mail is read through the other one", Duration::from_secs(60), async || {
        Ok(subjects(imap, ANNA.0, ANNA.1).await.ok().filter(|found| !found.is_empty()))
    })
    .await?;

    declare(&before, "ClusterIP")?;
    eventually("the ingress is gone again", LIMIT, async || {
        let left = kubectl(&[
            "get",
            "deployments,services,networkpolicies,configmaps,serviceaccounts",
            "-l",
            "app.kubernetes.io/component=ingress",
            "-o",
            "name",
        ])?;
        Ok(left.is_empty().then_some(()))
    })
    .await?;
    installation.wait_ready("gwd", LIMIT)
}

const LIMIT: Duration = Duration::from_secs(240);
