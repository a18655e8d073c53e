//! Killing any pod, the leader of the operators, or a whole node loses no mail that was acknowledged.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kontor_e2e::kubernetes::installation::{Installation, OPERATOR_NAMESPACE, send, subjects};
use kontor_e2e::process::eventually;

use crate::{BERT, installation};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_pods_lose_no_acknowledged_mail() -> Result<()> {
    let Some((installation, _turn)) = installation("killed_pods_lose_no_acknowledged_mail").await? else {
        return Ok(());
    };
    let mail = Stream::start(installation.endpoint("smtp", 25).await?, "pods");
    for component in
        ["smtp", "imap", "storage-node", "pop3", "object-store", "database", "database", "database"]
    {
        let start = Instant::now();
        let selector = format!("app.kubernetes.io/component={component}");
        let pods = installation.kubectl(&["get", "pods", "-l", &selector, "-o", "name"])?;
        let pod = pods.lines().next().with_context(|| format!("no pod of {component}"))?;
        installation.kubectl(&["delete", pod, "--grace-period=0", "--force"])?;
        all_ready(&installation, &selector).await?;
        println!("{:6.1} s  a pod of {component} was killed and replaced", start.elapsed().as_secs_f64());
    }
    mail.all_arrived(&installation).await?;
    installation.wait_ready("gwd,tn,md,mbx", LIMIT)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_is_followed_by_another() -> Result<()> {
    let Some((installation, _turn)) = installation("a_killed_leader_is_followed_by_another").await? else {
        return Ok(());
    };
    let kubectl = |arguments: &[&str]| {
        let mut all = vec!["-n", OPERATOR_NAMESPACE];
        all.extend(arguments);
        installation.session.kubectl(&all)
    };
    let holder = ["get", "lease", "kontor-operator", "-o", "jsonpath={.spec.holderIdentity}"];
    let before = kubectl(&holder)?;
    ensure!(!before.is_empty(), "nobody holds the lease");
    let start = Instant::now();
    kubectl(&["delete", "pod", &before, "--grace-period=0", "--force"])?;
    let after = eventually("another holds the lease", LIMIT, async || {
        Ok(Some(kubectl(&holder)?).filter(|now| !now.is_empty() && *now != before))
    })
    .await?;
    println!("{:6.1} s  {after} followed {before}", start.elapsed().as_secs_f64());
    // It does the work, too.
    installation.kubectl(&["delete", "service", "trial-pop3"])?;
    eventually("the new leader puts a child back", LIMIT, async || {
        Ok(installation.kubectl(&["get", "service", "trial-pop3"]).is_ok().then_some(()))
    })
    .await?;
    installation.wait_ready("gwd,tn,md,mbx", LIMIT)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_node_loses_no_acknowledged_mail() -> Result<()> {
    let Some((installation, _turn)) = installation("a_lost_node_loses_no_acknowledged_mail").await? else {
        return Ok(());
    };
    // The database and the objects are on the other one: they are one of each, and a trial says so.
    let mail = Stream::start(installation.endpoint("smtp", 25).await?, "node");
    let start = Instant::now();
    installation.session.kill_node("node2")?;
    eventually("the node's pods are replaced", LIMIT, async || {
        let path = "jsonpath={range .items[*]}{.status.availableReplicas}/{.spec.replicas}\n{end}";
        let text = installation.kubectl(&["get", "deployments", "-o", path])?;
        let gone =
            installation.kubectl(&["get", "pods", "--field-selector=spec.nodeName=node2", "-o", "name"])?;
        let whole = text
            .lines()
            .all(|line| line.split_once('/').is_some_and(|(available, wanted)| available == wanted));
        // Those that were there are told to go and cannot say that they went.
        Ok((whole && (gone.is_empty() || start.elapsed() > NOTICE)).then_some(()))
    })
    .await?;
    println!("{:6.1} s  the pods of a lost node were replaced", start.elapsed().as_secs_f64());
    installation.wait_ready("gwd,tn,md,mbx", LIMIT)?;
    mail.all_arrived(&installation).await?;
    installation.session.start_node("node2")?;
    installation.wait_ready("gwd,tn,md,mbx", LIMIT)
}

/// Mail that is sent again and again, by a server that tries again as servers do.
pub struct Stream {
    stop: Arc<AtomicBool>,
    sender: tokio::task::JoinHandle<(BTreeSet<String>, u64)>,
}

impl Stream {
    /// Begins to send to Bert, with subjects that begin with `name`.
    pub fn start(smtp: SocketAddr, name: &str) -> Self {
        let (stop, name) = (Arc::new(AtomicBool::new(false)), name.to_owned());
        let stopped = stop.clone();
        let sender = tokio::spawn(async move {
            let (mut acknowledged, mut again) = (BTreeSet::new(), 0);
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let subject = format!("{name} {number}");
                let message = format!("From: s@elsewhere.test\r\nSubject: {subject}\r\n\r\n{number}\r\n");
                let sent = send(smtp, "s@elsewhere.test", BERT.0, message.as_bytes());
                match tokio::time::timeout(Duration::from_secs(30), sent).await {
                    Ok(Ok(())) => {
                        acknowledged.insert(subject);
                    }
                    Ok(Err(_)) | Err(_) => again += 1,
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            (acknowledged, again)
        });
        Self { stop, sender }
    }

    /// Stops, and waits until everything that was acknowledged is in the INBOX.
    pub async fn all_arrived(self, installation: &Installation<'_>) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let (acknowledged, again) = self.sender.await?;
        println!("          {} messages acknowledged, {again} attempts failed", acknowledged.len());
        ensure!(!acknowledged.is_empty(), "nothing was acknowledged at all");
        let imap = installation.endpoint_tls("imap", 993).await?;
        eventually("everything acknowledged is there", LIMIT, async || {
            let found: BTreeSet<String> = subjects(imap, BERT.0, BERT.1).await?.into_iter().collect();
            let missing = acknowledged.difference(&found).count();
            ensure!(missing == 0, "{missing} of {} are missing", acknowledged.len());
            Ok(Some(()))
        })
        .await
    }
}

async fn all_ready(installation: &Installation<'_>, selector: &str) -> Result<()> {
    eventually(&format!("pods of {selector} are ready"), LIMIT, async || {
        let path = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}";
        let text = installation.kubectl(&["get", "pods", "-l", selector, "-o", path])?;
        Ok((!text.is_empty() && text.split(' ').all(|status| status == "True")).then_some(()))
    })
    .await
}

const LIMIT: Duration = Duration::from_secs(240);
/// After this a node that says nothing is called lost.
const NOTICE: Duration = Duration::from_secs(45);
