//! A rolling upgrade of every pool while clients are at work.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::binaries;
use kontor_e2e::imap::Imap;
use kontor_e2e::kubernetes::image::Image;
use kontor_e2e::kubernetes::installation::TAG;
use kontor_e2e::process::eventually;

use crate::calendars::Planner;
use crate::failover::Stream;
use crate::{ANNA, installation};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_upgrade_is_seen_by_no_client() -> Result<()> {
    let Some((installation, _turn)) = installation("a_rolling_upgrade_is_seen_by_no_client").await? else {
        return Ok(());
    };
    // The same programs by another name: what is upgraded to is not what is tested here.
    for name in ["kontor-storage-node", "kontor-gateway"] {
        let binary = binaries::find(name)?;
        installation
            .session
            .import(&format!("localhost/{name}:{NEXT}"), |reference| Image::of_program(reference, &binary))?;
    }
    let imap = installation.endpoint_tls("imap", 993).await?;
    let readers: Vec<Reader> = (0..READERS).map(|_| Reader::start(imap)).collect();
    let mail = Stream::start(installation.endpoint("smtp", 25).await?, "upgrade");
    let planner = Planner::start(installation.endpoint_tls("dav", 443).await?, "upgrade");

    let patch = format!(r#"{{"spec":{{"image":{{"tag":"{NEXT}"}}}}}}"#);
    installation.kubectl(&["patch", "gwd", "trial", "--type=merge", "-p", &patch])?;
    eventually("the new version runs everywhere", Duration::from_secs(600), async || {
        let text =
            installation.kubectl(&["get", "gwd", "trial", "-o", "jsonpath={.status.version.current}"])?;
        Ok((text == NEXT).then_some(()))
    })
    .await?;
    installation.wait_ready("gwd", Duration::from_secs(240))?;
    // Clients are moved when the pods that they are on say goodbye, which takes them a moment after they are told to go.
    eventually("the last pod of the old version is gone", Duration::from_secs(240), async || {
        let pods = installation.kubectl(&["get", "pods", "-l", GATEWAYS, "-o", IMAGES])?;
        Ok((!pods.contains(&format!("kontor-gateway:{TAG}"))).then_some(()))
    })
    .await?;

    let (mut operations, mut reconnects, mut failures) = (0, 0, 0);
    for reader in readers {
        let seen = reader.stop().await?;
        operations += seen.0;
        reconnects += seen.1;
        failures += seen.2;
    }
    println!(
        "          {operations} operations, {reconnects} reconnects, {failures} failures that a client shows"
    );
    ensure!(failures == 0, "{failures} failures");
    ensure!(reconnects >= READERS, "a client is still where it was, in a pod that is gone");
    planner.stop().await?;
    mail.all_arrived(&installation).await
}

/// A client that reads and flags, and connects again when it is told to go or the connection ends.
struct Reader {
    stop: Arc<AtomicBool>,
    counts: Arc<[AtomicU64; 3]>,
    task: tokio::task::JoinHandle<()>,
}

impl Reader {
    fn start(imap: SocketAddr) -> Self {
        let (stop, counts) = (Arc::new(AtomicBool::new(false)), Arc::new([const { AtomicU64::new(0) }; 3]));
        let (stopped, [operations, reconnects, failures]) = (stop.clone(), [0, 1, 2]);
        let count = counts.clone();
        let add = move |what: usize| {
            if let Some(count) = count.get(what) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        };
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let Some(mut session) = login(imap).await else {
                    add(failures);
                    continue;
                };
                loop {
                    match work(&mut session).await {
                        Ok(true) => add(operations),
                        // A tagged NO or BAD is what a client shows.
                        Ok(false) => add(failures),
                        Err(_) => {
                            add(reconnects);
                            break;
                        }
                    }
                    if stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        });
        Self { stop, counts, task }
    }

    async fn stop(self) -> Result<(u64, u64, u64)> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.context("a client died")?;
        let [operations, reconnects, failures] = &*self.counts;
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Ok((get(operations), get(reconnects), get(failures)))
    }
}

/// A client tries again for a while before it shows that it cannot connect.
async fn login(imap: SocketAddr) -> Option<Imap> {
    for _ in 0..120 {
        if let Ok(session) = Imap::login(&imap.to_string(), ANNA.0, ANNA.1).await {
            return Some(session);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    None
}

/// One round of a client; false when the server refused something, an error when the connection is gone.
async fn work(session: &mut Imap) -> Result<bool> {
    for command in ["SELECT INBOX", "UID SEARCH ALL", "NOOP"] {
        if session.command(command).await?.ok().is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

const NEXT: &str = "next";
const READERS: u64 = 4;
const GATEWAYS: &str = "app.kubernetes.io/part-of=kontor";
const IMAGES: &str = "jsonpath={.items[*].spec.containers[*].image}";
