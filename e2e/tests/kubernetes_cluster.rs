//! The cluster that the other tests stand on: it comes up, runs pods of our images, survives the loss of a node and
//! leaves nothing behind.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kontor_e2e::kubernetes::image::Image;
use kontor_e2e::kubernetes::session::Session;
use kontor_e2e::kubernetes::sweep;
use kontor_e2e::process::eventually;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kontor-e2e");
const NAME: &str = "test-cluster";
const IMAGE: &str = "localhost/kontor-e2e:test";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_runs_pods_loses_a_node_and_leaves_nothing() -> Result<()> {
    let start = Instant::now();
    let session = Session::start(PROGRAM, NAME, 2)?;
    println!("up in {:.1} s", start.elapsed().as_secs_f64());
    if session.has_pods("a_cluster_runs_pods_loses_a_node_and_leaves_nothing") {
        pods(&session).await?;
    }
    let volumes = session.info().volumes.clone();
    let start = Instant::now();
    session.down()?;
    println!("down in {:.1} s", start.elapsed().as_secs_f64());
    if let Some(folder) = volumes.as_ref().and_then(|volumes| volumes.parent()) {
        let left = sweep::leavings(NAME, folder);
        ensure!(left.is_empty(), "left behind: {left:?}");
    }
    Ok(())
}

async fn pods(session: &Session) -> Result<()> {
    let start = Instant::now();
    session.import(IMAGE, |reference| Image::of_program(reference, &PathBuf::from(PROGRAM)))?;
    let namespace = session.namespace("pods").await?;
    session.kubectl(&["-n", &namespace, "apply", "-f", &manifest()?])?;
    session.kubectl(&["-n", &namespace, "rollout", "status", "deployment/hello", "--timeout=120s"])?;
    println!("pods of our image on both nodes after {:.1} s", start.elapsed().as_secs_f64());

    // By DNS name, from another pod.
    session.kubectl(&["-n", &namespace, "wait", "--for=condition=Complete", "job/ask", "--timeout=120s"])?;
    eventually("the Job's pod says what it was told", Duration::from_secs(30), async || {
        let said = session.kubectl(&["-n", &namespace, "logs", "-l", "batch.kubernetes.io/job-name=ask"])?;
        Ok(said.contains("hello from hello-").then_some(()))
    })
    .await
    .map_err(|error| error.context(session.what_is_wrong(&namespace)))?;

    // By cluster address, from a test.
    let address = session.forward(&namespace, "hello", 80).await?;
    let asked = async || -> Result<String> {
        let mut text = String::new();
        TcpStream::connect(address).await?.read_to_string(&mut text).await?;
        Ok(text)
    };
    let said = asked().await?;
    ensure!(said.starts_with("hello from hello-"), "{said:?}");

    // The writes of an administrator are in the audit log, and only they.
    let mark = session.audit()?;
    session.kubectl(&["-n", &namespace, "label", "service", "hello", "written=once"])?;
    let writes = mark.writes("admin")?;
    ensure!(writes.len() == 1 && writes.iter().all(|write| write.resource == "services"), "{writes:?}");

    let start = Instant::now();
    session.kill_node("node2")?;
    let ready = async |wanted: usize| {
        eventually(&format!("{wanted} ready nodes"), Duration::from_secs(120), async || {
            let path = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}";
            let text = session.kubectl(&["get", "nodes", "-o", path])?;
            Ok((text.split(' ').filter(|status| *status == "True").count() == wanted).then_some(()))
        })
        .await
    };
    ready(1).await?;
    println!("a lost node was noticed after {:.1} s", start.elapsed().as_secs_f64());
    eventually("the Service answers without the lost node", Duration::from_secs(60), async || {
        // Until kube-proxy has heard of it, connections go there too.
        let Ok(said) = tokio::time::timeout(Duration::from_secs(2), asked()).await else { return Ok(None) };
        Ok(said.ok().filter(|said| !said.is_empty()))
    })
    .await
    .context("after a node was lost")?;
    let start = Instant::now();
    session.start_node("node2")?;
    ready(2).await?;
    println!("it was back after {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// A Deployment with a pod on each node, its Service, and a Job that asks it by name.
fn manifest() -> Result<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes/hello.yaml");
    Ok(folder.to_str().context("a path in UTF-8")?.to_owned())
}
