//! Keeping the server running, and stopping it.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cluster::Cluster;

/// A running server.
///
/// It lives in a thread of its own: the kernel's "end with the parent" means the thread that started the child, so
/// that thread has to stay as long as the process.
#[derive(Debug)]
pub struct Supervisor {
    cluster: Cluster,
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// Starts the server, waits until it answers, and makes the database `name` when it is not there.
    pub async fn start(cluster: Cluster, name: &str) -> Result<Self> {
        cluster.clean_up()?;
        let (stop, stopped) = channel();
        let watched = cluster.clone();
        let thread = std::thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || watch(&watched, &stopped))
            .context("cannot start a thread")?;
        let supervisor = Self { cluster, stop, thread: Some(thread) };
        supervisor.create_database(name).await?;
        Ok(supervisor)
    }

    /// Stops the server (fast: sessions end, nothing is lost) and waits for it.
    pub async fn stop(mut self) {
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
            self.cluster.remove_socket_folder();
        }
    }

    async fn create_database(&self, name: &str) -> Result<()> {
        let url = self.cluster.url("postgres");
        let deadline = Instant::now() + START;
        loop {
            let owner = self.cluster.owner_name();
            match kontor_storage_node::create_database(&url, name, owner.as_deref()).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let gone = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
                    if gone || Instant::now() > deadline {
                        bail!(
                            "PostgreSQL does not start ({error}). Run again with KONTOR_LOG=debug to see what it says."
                        );
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Starts the server again whenever it ends, until it is told to stop.
fn watch(cluster: &Cluster, stopped: &Receiver<()>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        match spawn(cluster) {
            Ok(mut child) => {
                if wait(&mut child, stopped) {
                    return;
                }
            }
            Err(error) => tracing::error!(error = format!("{error:#}"), "cannot start PostgreSQL"),
        }
        if begun.elapsed() > STEADY {
            pause = FIRST_PAUSE;
        }
        tracing::error!(pause_ms = pause.as_millis(), "PostgreSQL ended, starting it again");
        metrics::counter!("kontor_postgres_restarts_total").increment(1);
        match stopped.recv_timeout(pause) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
        pause = (pause * 2).min(LAST_PAUSE);
        if let Err(error) = cluster.clean_up() {
            tracing::error!(error = format!("{error:#}"), "cannot clean up after PostgreSQL");
        }
    }
}

fn spawn(cluster: &Cluster) -> Result<Child> {
    let mut command = cluster.server()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start it")?;
    if let Some(stderr) = child.stderr.take() {
        let _ = std::thread::Builder::new().name("postgres-log".to_owned()).spawn(move || log(stderr));
    }
    Ok(child)
}

/// Waits for the server's end; true when it was asked for.
fn wait(child: &mut Child, stopped: &Receiver<()>) -> bool {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                tracing::debug!(%status, "PostgreSQL ended");
                return false;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "cannot wait for PostgreSQL");
                return false;
            }
        }
        match stopped.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                end(child);
                return true;
            }
        }
    }
}

/// Fast, and when that takes too long immediate: the log has everything.
fn end(child: &mut Child) {
    for (signal, patience) in [(Signal::SIGINT, FAST), (Signal::SIGQUIT, IMMEDIATE)] {
        if let Ok(pid) = i32::try_from(child.id()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        tracing::warn!(%signal, "PostgreSQL takes its time to stop");
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn log(stderr: ChildStderr) {
    for line in BufReader::new(stderr).lines() {
        let Ok(line) = line else { return };
        let severe = ["FATAL:", "PANIC:"].iter().any(|word| line.contains(word));
        // Said while it starts up or is told to stop; whoever hears it tries again.
        let passing =
            line.contains("the database system is") || line.contains("due to administrator command");
        if severe && !passing {
            tracing::error!(target: "postgres", "{line}");
        } else {
            tracing::debug!(target: "postgres", "{line}");
        }
    }
}

const START: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(200);
const FAST: Duration = Duration::from_secs(30);
const IMMEDIATE: Duration = Duration::from_secs(10);
const STEADY: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(10);
