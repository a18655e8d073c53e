//! Pools grow with open connections, by a metric that the operator serves itself, and shrink politely.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kontor_e2e::imap::Imap;
use kontor_e2e::process::eventually;
use serde_json::Value;

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
    let annotations = "jsonpath={.spec.template.metadata.annotations}";
    let before = kubectl(&["get", "deployment", "trial-imap", "-o", annotations])?;
    let before: Value = serde_json::from_str(&before).unwrap_or_default();
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
    // With the new limit in every pod, and none of the old ones left to be counted.
    eventually("the pods have the new limit", LIMIT, async || {
        let text = kubectl(&["get", "deployment", "trial-imap", "-o", "json"])?;
        let deployment: Value = serde_json::from_str(&text)?;
        let hash = &deployment["spec"]["template"]["metadata"]["annotations"];
        let status = &deployment["status"];
        let settled = status["observedGeneration"] == deployment["metadata"]["generation"]
            && status["updatedReplicas"] == 2
            && status["replicas"] == 2
            && status["readyReplicas"] == 2;
        Ok((settled && *hash != before).then_some(()))
    })
    .await?;

    let address = installation.endpoint_tls("imap", 993).await?;
    let start = Instant::now();
    let mut crowd = idle(address, 500).await?;
    println!("{:6.1} s  500 sessions are in IDLE", start.elapsed().as_secs_f64());
    let pods = async || -> Result<usize> {
        Ok(kubectl(&["get", "pods", "-l", IMAP_PODS, "-o", "name"])?.lines().count())
    };
    let start = Instant::now();
    let mut timeline = Timeline { start, last: 2 };
    eventually("the pool grows to what 500 sessions need", LIMIT, async || {
        let path = "jsonpath={.status.readyReplicas}";
        let ready: usize =
            kubectl(&["get", "deployment", "trial-imap", "-o", path])?.parse().unwrap_or_default();
        timeline.say(ready);
        Ok((ready >= 4).then_some(()))
    })
    .await?;

    // Others come, to all the pods that there are now, and the crowd goes. The pods that go after it say goodbye.
    // They come over some seconds, for Services learn of new pods a moment after these are ready.
    let mut sessions = Vec::new();
    for _ in 0..12 {
        sessions.extend(idle(address, 5).await?);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    crowd.clear();
    let mut timeline = Timeline { start: Instant::now(), last: pods().await? };
    eventually("the pool shrinks again, and the last pod of those that go is gone", LIMIT, async || {
        let now = pods().await?;
        timeline.say(now);
        Ok((now == 2).then_some(()))
    })
    .await?;
    let (mut goodbyes, mut rude, mut connected) = (0, 0, 0);
    for session in &mut sessions {
        match session.wait_for(Duration::from_millis(100), |line| line.starts_with("* BYE")).await {
            Ok(_) => goodbyes += 1,
            // Cut off without a word is another error.
            Err(error) if format!("{error:#}").contains("did not come") => connected += 1,
            Err(_) => rude += 1,
        }
    }
    println!("          of 60, {goodbyes} were told BYE, {rude} were cut off, {connected} are connected");
    ensure!(rude == 0, "{rude} sessions ended without BYE");
    ensure!(
        goodbyes > 0 && connected > 0,
        "nobody was on the pods that went, or nobody on those that stayed"
    );
    drop(sessions);
    let back = format!(r#"[{{"op":"remove","path":"/spec/gateways/{imap}/autoscaling"}}]"#);
    kubectl(&["patch", "gwd", "trial", "--type=json", "-p", &back])?;
    installation.wait_ready("gwd", LIMIT)
}

/// Sessions of Anna's that wait for mail.
async fn idle(address: SocketAddr, count: usize) -> Result<Vec<Imap>> {
    let mut sessions = Vec::with_capacity(count);
    for _ in 0..count {
        let mut session = Imap::login(&address.to_string(), ANNA.0, ANNA.1).await?;
        session.select("INBOX").await?;
        session.idle().await?;
        sessions.push(session);
    }
    Ok(sessions)
}

/// Says when a number changes.
struct Timeline {
    start: Instant,
    last: usize,
}

impl Timeline {
    fn say(&mut self, now: usize) {
        if now != self.last {
            println!("{:6.1} s  {} pods, then {now}", self.start.elapsed().as_secs_f64(), self.last);
            self.last = now;
        }
    }
}

const IMAP_PODS: &str = "app.kubernetes.io/instance=trial,app.kubernetes.io/component=imap";
const LIMIT: Duration = Duration::from_secs(240);
