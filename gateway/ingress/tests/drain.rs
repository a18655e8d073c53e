//! An orderly end: what runs ends, what only waits is told, nothing new comes in.

mod support;

use std::time::Duration;

use support::{LIMIT, Served, Upstream, curl};

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_ends_and_what_waits_is_told() {
    let upstream = Upstream::start("a");
    let served = Served::start(&format!("drain = '4s'\n{}", upstream.config())).await;
    let (short, long) =
        (served.url("/dav/slow?seconds=1"), served.url("/Microsoft-Server-ActiveSync/slow?seconds=300"));
    let ca = served.ca();
    let long_h2 = served.secure_url("/Microsoft-Server-ActiveSync/slow?seconds=300");
    let (short, long, h2) = (
        tokio::spawn(async move { curl(&["-i", &short]).await.text() }),
        tokio::spawn(async move { curl(&["-i", &long]).await.text() }),
        tokio::spawn(async move { curl(&["-i", "--http2", "--cacert", &ca, &long_h2]).await.text() }),
    );
    // All three are at the upstream.
    let arrived = async {
        while served.seen().await.matches("slow").count() < 3 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, arrived).await.expect("in time");
    assert!(served.shared.drain.finish(LIMIT).await, "nothing had to be forced");
    let short = short.await.expect("no panic");
    assert!(short.starts_with("HTTP/1.1 200") && short.contains("connection: close"), "{short}");
    for (told, version) in [(long, "HTTP/1.1 503"), (h2, "HTTP/2 503")] {
        let told = told.await.expect("no panic");
        assert!(told.starts_with(version) && told.contains("retry-after: 1"), "{told}");
    }
    assert!(!curl(&[&served.url("/dav/x")]).await.0.status.success());
}
