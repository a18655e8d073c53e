//! One way in for all protocols.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::kubernetes::installation::{send, subjects};
use kontor_e2e::process::eventually;
use serde_json::{Value, json};

use crate::calendars::{Planner, ask};
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

    // A calendar is found by the host's name alone, over TLS that the ingress ends.
    let insecure = installation.endpoint("ingress", 80).await?;
    let (code, text) = ask(insecure, &[], "/dav/")?;
    ensure!(code == 308 && text.contains("location: https://"), "{text}");
    let web = installation.endpoint_tls("ingress", 443).await?;
    eventually("a calendar is found through the ingress", Duration::from_secs(120), async || {
        let (code, text) = ask(web, &FIND, "/.well-known/caldav")?;
        Ok((code == 301 && text.contains("207 Multi-Status")).then_some(()))
    })
    .await?;
    // The last pods of the pool are still replaced by those that listen to the ingress, and then all of them once more: who
    // works with it does not see it.
    let planner = Planner::start(web, "ingress");
    let list = ["get", "pods", "-l", "app.kubernetes.io/component=dav", "-o", "name"];
    for deployment in ["deployment/trial-dav", "deployment/trial-ingress"] {
        kubectl(&["rollout", "status", deployment, "--timeout=240s"])?;
    }
    let old = kubectl(&list)?;
    for pool in
        pools.as_array_mut().context("a list of pools")?.iter_mut().filter(|pool| pool["name"] == "dav")
    {
        pool["config"] = json!({"dav": {"maxItemBytes": 1_048_576}});
    }
    declare(&pools, "LoadBalancer")?;
    eventually("every pod of the pool is another one", LIMIT, async || {
        let now = kubectl(&list)?;
        Ok((!now.is_empty() && old.lines().all(|pod| !now.contains(pod))).then_some(()))
    })
    .await?;
    // Not Ready: here is no balancer that would give the ingress an address.
    kubectl(&["wait", "gwd/trial", "--for=condition=GatewaysAvailable", "--timeout=240s"])?;
    planner.stop().await?;

    // Everybody else is believed nothing: the port behind the ingress is closed to other pods.
    for (name, port) in [("trial-imap", "12993"), ("trial-dav", "18080")] {
        let policy: Value = serde_json::from_str(&kubectl(&["get", "networkpolicy", name, "-o", "json"])?)?;
        let rules = policy["spec"]["ingress"].as_array().context("rules")?;
        let behind = rules.iter().find(|rule| rule["ports"].to_string().contains(port));
        let behind = behind.with_context(|| format!("a rule for {port}"))?;
        ensure!(behind["from"].to_string().contains("ingress"), "{behind}");
    }

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

/// What a program asks a host of which it knows the name only.
const FIND: [&str; 6] = ["-X", "PROPFIND", "-H", "Depth: 0", "-L", "--location-trusted"];
const LIMIT: Duration = Duration::from_secs(240);
