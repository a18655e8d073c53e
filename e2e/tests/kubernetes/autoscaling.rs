//! Pools grow with open connections, by a metric that the operator serves itself, and shrink politely.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kontor_e2e::imap::Imap;
use kontor_e2e::process::eventually;

use crate::{ANNA, installation};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_sessions_make_the_pool_grow_and_it_shrinks_after() -> Result<()> {
    let Some((installation, _turn)) =
        installation("idle_sessions_make_the_pool_grow_and_it_shrinks_after").await?
    else {
        return Ok(());
    };
    let kubectl = |arguments: &[&str]| installation.kubectl(arguments);
    let gateways = kubectl(&["get", "gwd", "trial", "-o", "jsonpath={.spec.gateways[*].name}"])?;
    let imap = gateways.split(' ').position(|name| name == "imap").context("no pool imap")?;
    let autoscaling = r#"{"minReplicas":2,"maxReplicas":5,"targetConnectionsPerPod":125,"behavior":{"scaleDown":{
        "stabilizationWindowSeconds":0,"policies":[{"type":"Pods","value":1,"periodSeconds":15}]}}}"#;
    let patch = format!(
        r#"[{{"op":"add","path":"/spec/gateways/{imap}/autoscaling","value":{autoscaling}}},
            {{"op":"add","path":"/spec/gateways/{imap}/config","value":{{"maxConnectionsPerAddress":2000}}}}]"#
    );
    kubectl(&["patch", "gwd", "trial", "--type=json", "-p", &patch])?;
    eventually("the autoscaler reads the metric", LIMIT, async || {
        let path = "jsonpath={.status.conditions[?(@.type=='ScalingActive')].status}";
        Ok((kubectl(&["get", "hpa", "trial-imap", "-o", path])? == "True").then_some(()))
    })
    .await?;
    kubectl(&["rollout", "status", "deployment/trial-imap", "--timeout=180s"])?;

    let address = installation.endpoint_tls("imap", 993).await?;
    let start = Instant::now();
    let mut sessions = Vec::new();
    for _ in 0..500 {
        let mut session = Imap::login(&address.to_string(), ANNA.0, ANNA.1).await?;
        session.select("INBOX").await?;
        session.idle().await?;
        sessions.push(session);
    }
    println!("{:6.1} s  500 sessions are in IDLE", start.elapsed().as_secs_f64());
    let replicas = async || -> Result<u32> {
        let path = "jsonpath={.status.readyReplicas}";
        Ok(kubectl(&["get", "deployment", "trial-imap", "-o", path])?.parse().unwrap_or_default())
    };
    let start = Instant::now();
    eventually("the pool grows to what 500 sessions need", LIMIT, async || {
        Ok((replicas().await? >= 4).then_some(()))
    })
    .await?;
    println!("{:6.1} s  the pool has grown to {}", start.elapsed().as_secs_f64(), replicas().await?);

    // Half of the clients go; the pods that go say goodbye to those that they still have.
    let start = Instant::now();
    sessions.truncate(100);
    let mut goodbyes = 0;
    eventually("the pool shrinks again", Duration::from_secs(600), async || {
        Ok((replicas().await? == 2).then_some(()))
    })
    .await?;
    println!("{:6.1} s  the pool has shrunk to 2", start.elapsed().as_secs_f64());
    let mut rude = 0;
    for session in &mut sessions {
        match session.wait_for(Duration::from_millis(200), |line| line.starts_with("* BYE")).await {
            Ok(_) => goodbyes += 1,
            // Still connected, or cut off without a word.
            Err(error) if format!("{error:#}").contains("did not come") => {}
            Err(_) => rude += 1,
        }
    }
    println!("          {goodbyes} sessions were told BYE, {rude} were cut off");
    ensure!(rude == 0, "{rude} sessions ended without BYE");
    drop(sessions);
    let back = format!(r#"[{{"op":"remove","path":"/spec/gateways/{imap}/autoscaling"}}]"#);
    kubectl(&["patch", "gwd", "trial", "--type=json", "-p", &back])?;
    installation.wait_ready("gwd", LIMIT)
}

const LIMIT: Duration = Duration::from_secs(240);
