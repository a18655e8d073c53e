//! A cluster for the tests of one binary, and what they do with it.
//!
//! The cluster is run by `kontor-e2e cluster up --supervised`, a process of its own that takes it down when the test
//! process ends, however it ends. Tests share it and use a namespace each.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use serde::{Deserialize, Serialize};

use super::audit::Mark;
use super::image::{Image, Size};
use super::{network, volumes};
use crate::process::{output_of, run};

/// What there is to know about a running cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Info {
    /// The kubeconfig of an administrator.
    pub kubeconfig: PathBuf,
    /// The folder of the programs, `kubectl` and `helm` among them, unless they are in `PATH`.
    pub programs: Option<PathBuf>,
    /// Where the programs came from.
    pub origin: String,
    /// Logs of all programs, unless the cluster is somebody else's.
    pub logs: Option<PathBuf>,
    /// The network namespaces of the nodes.
    pub namespaces: Vec<PathBuf>,
    /// Where each node's containerd listens.
    pub sockets: Vec<PathBuf>,
    /// Where volumes can be.
    pub volumes: Option<PathBuf>,
    /// Why there are no nodes of ours.
    pub missing: Option<String>,
}

/// A cluster to test with.
pub struct Session {
    info: Info,
    supervisor: Option<Mutex<Supervisor>>,
    imported: Mutex<Vec<String>>,
}

struct Supervisor {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Session {
    /// The one cluster of this test binary, started by whoever asks first. It ends with the process.
    pub fn shared(program: &str, name: &str, nodes: usize) -> Result<&'static Self> {
        static SHARED: Mutex<Option<&'static Session>> = Mutex::new(None);
        let mut shared = unpoisoned(&SHARED);
        if let Some(session) = *shared {
            return Ok(session);
        }
        let session: &'static Self = Box::leak(Box::new(Self::start(program, name, nodes)?));
        *shared = Some(session);
        Ok(session)
    }

    /// The cluster of `KUBECONFIG` if that is set, else one of its own, run by `program` (`kontor-e2e`).
    pub fn start(program: &str, name: &str, nodes: usize) -> Result<Self> {
        if let Some(kubeconfig) = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()) {
            let kubeconfig = PathBuf::from(kubeconfig);
            println!("cluster: KUBECONFIG={}", kubeconfig.display());
            let info = Info {
                origin: "KUBECONFIG".into(),
                kubeconfig,
                programs: None,
                logs: None,
                namespaces: Vec::new(),
                sockets: Vec::new(),
                volumes: None,
                missing: Some("KUBECONFIG is set, and its nodes are not ours to use".into()),
            };
            return Ok(Self { info, supervisor: None, imported: Mutex::default() });
        }
        let mut command = Command::new(program);
        command.args(["cluster", "up", "--supervised", "--name", name, "--nodes", &nodes.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let commands = child.stdin.take().context("its input is a pipe")?;
        let mut answers = BufReader::new(child.stdout.take().context("its output is a pipe")?);
        let mut line = String::new();
        answers.read_line(&mut line)?;
        if line.is_empty() {
            bail!("the cluster did not come up ({}); see above", child.wait()?);
        }
        let info: Info = serde_json::from_str(&line)?;
        println!(
            "cluster {name}: programs from {}, {} nodes{}",
            info.origin,
            info.sockets.len(),
            info.missing.as_ref().map(|why| format!(" ({why})")).unwrap_or_default()
        );
        let supervisor = Supervisor { child, commands, answers };
        Ok(Self { info, supervisor: Some(Mutex::new(supervisor)), imported: Mutex::default() })
    }

    /// What there is to know.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Whether pods of our images can run. If not, says that the test `name` is skipped, and how many were so far.
    pub fn has_pods(&self, name: &str) -> bool {
        static SKIPPED: AtomicUsize = AtomicUsize::new(0);
        let Some(why) = &self.info.missing else { return true };
        let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
        println!("SKIPPED {name}: it needs pods of our images, and {why} ({count} skipped in this binary)");
        false
    }

    /// A client of an administrator, for the runtime that it is asked for in.
    pub async fn client(&self) -> Result<Client> {
        super::client(&self.info.kubeconfig).await
    }

    /// Runs `kubectl` and returns what it printed; an error when it fails.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.tool("kubectl", arguments)
    }

    /// Runs `helm` and returns what it printed; an error when it fails.
    pub fn helm(&self, arguments: &[&str]) -> Result<String> {
        self.tool("helm", arguments)
    }

    /// Applies a manifest.
    pub fn apply(&self, manifest: &str) -> Result<String> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(manifest.as_bytes())?;
        self.kubectl(&["apply", "-f", &file.path().display().to_string()])
    }

    /// Makes a namespace whose name begins with `prefix`.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        let api: Api<Namespace> = Api::all(self.client().await?);
        let namespace = Namespace {
            metadata: ObjectMeta { generate_name: Some(format!("{prefix}-")), ..Default::default() },
            ..Default::default()
        };
        let made = api.create(&PostParams::default(), &namespace).await?;
        made.metadata.name.context("a namespace has a name")
    }

    /// Makes volumes; see [`volumes::make`].
    pub async fn volumes(&self, prefix: &str, count: usize, size: &str) -> Result<()> {
        let folder = self.info.volumes.as_ref().context("no nodes of ours")?;
        volumes::make(&self.client().await?, folder, prefix, count, size).await
    }

    /// Brings an image to every node. The same reference is brought once.
    pub fn import(&self, reference: &str, make: impl FnOnce(&str) -> Result<Image>) -> Result<Option<Size>> {
        let mut imported = unpoisoned(&self.imported);
        if imported.iter().any(|known| known == reference) {
            return Ok(None);
        }
        let archive = tempfile::NamedTempFile::new()?;
        let size = make(reference)?.write(archive.path())?;
        println!("image {size}");
        load(&self.info, archive.path())?;
        imported.push(reference.to_owned());
        Ok(Some(size))
    }

    /// Listens on loopback for as long as the current runtime lives, and hands connections to a Service by its
    /// cluster address, as a program on the first node would reach it.
    pub async fn forward(&self, namespace: &str, service: &str, port: u16) -> Result<SocketAddr> {
        network::forward(Some(self.inside()?), self.address(namespace, service, port).await?, 0).await
    }

    /// As [`Session::forward`], and ends TLS on the way; see [`network::forward_tls`].
    pub async fn forward_tls(&self, namespace: &str, service: &str, port: u16) -> Result<SocketAddr> {
        network::forward_tls(self.inside()?, self.address(namespace, service, port).await?).await
    }

    /// The cluster address of a Service.
    async fn address(&self, namespace: &str, service: &str, port: u16) -> Result<SocketAddr> {
        let api: Api<Service> = Api::namespaced(self.client().await?, namespace);
        let spec = api.get(service).await?.spec.context("a Service has a spec")?;
        let address = spec.cluster_ip.context("a Service has an address")?;
        Ok(format!("{address}:{port}").parse()?)
    }

    fn inside(&self) -> Result<&Path> {
        Ok(self.info.namespaces.first().context("no nodes of ours")?)
    }

    /// For an error: the pods of a namespace, how their containers are, and the latest of events and of what was logged.
    pub fn what_is_wrong(&self, namespace: &str) -> String {
        let said = |arguments: &[&str]| {
            let mut all = vec!["-n", namespace];
            all.extend(arguments);
            self.kubectl(&all).unwrap_or_else(|error| format!("{error:#}\n"))
        };
        let states =
            "jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[*].state}{'\\n'}{end}";
        let mut text = said(&["get", "pods", "-o", "wide"]) + &said(&["get", "pods", "-o", states]);
        let events = said(&["get", "events", "--sort-by=.lastTimestamp"]);
        let events: Vec<&str> = events.lines().collect();
        text.push_str(&events.get(events.len().saturating_sub(25)..).unwrap_or_default().join("\n"));
        for pod in said(&["get", "pods", "-o", "name"]).lines() {
            text.push_str(&format!("\n{pod}:\n{}", said(&["logs", "--tail=6", pod])));
        }
        text
    }

    /// The end of the audit log as of now.
    pub fn audit(&self) -> Result<Mark> {
        Mark::now(self.info.logs.as_ref().context("somebody else's cluster")?)
    }

    /// Cuts a node off and kills all that runs on it.
    pub fn kill_node(&self, node: &str) -> Result<()> {
        self.ask(&format!("kill-node {node}"))
    }

    /// Starts a node again and waits until it is ready.
    pub fn start_node(&self, node: &str) -> Result<()> {
        self.ask(&format!("start-node {node}"))
    }

    /// Kills a program of the control plane.
    pub fn kill_component(&self, name: &str) -> Result<()> {
        self.ask(&format!("kill {name}"))
    }

    /// Starts a program of the control plane again.
    pub fn start_component(&self, name: &str) -> Result<()> {
        self.ask(&format!("start {name}"))
    }

    /// Takes the cluster down and waits for the end of it; an error when something was left behind.
    pub fn down(self) -> Result<()> {
        let Some(supervisor) = self.supervisor else { return Ok(()) };
        let Supervisor { mut child, commands, .. } =
            supervisor.into_inner().unwrap_or_else(PoisonError::into_inner);
        drop(commands);
        let status = child.wait()?;
        ensure!(status.success(), "taking the cluster down: {status}");
        Ok(())
    }

    fn ask(&self, command: &str) -> Result<()> {
        let mut supervisor = unpoisoned(self.supervisor.as_ref().context("somebody else's cluster")?);
        writeln!(supervisor.commands, "{command}")?;
        let mut line = String::new();
        supervisor.answers.read_line(&mut line)?;
        let answer: Answer = serde_json::from_str(&line).context("the supervisor has ended")?;
        match answer.error {
            None => Ok(()),
            Some(error) => bail!("{command}: {error}"),
        }
    }

    fn tool(&self, name: &str, arguments: &[&str]) -> Result<String> {
        let program = self.info.programs.as_ref().map_or_else(|| name.into(), |folder| folder.join(name));
        let mut command = Command::new(program);
        command.args(arguments).env("KUBECONFIG", &self.info.kubeconfig);
        let output = output_of(command, TOOL_LIMIT)?;
        ensure!(
            output.status.success(),
            "{name} {}: {}\n{}{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// What the supervisor says to a command.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// What went wrong.
    pub error: Option<String>,
}

/// Brings an image from a docker-archive to every node of a cluster.
pub fn load(info: &Info, archive: &Path) -> Result<()> {
    let archive = archive.display().to_string();
    for socket in &info.sockets {
        let socket = socket.display().to_string();
        let arguments = ["-a", &socket, "-n", "k8s.io", "images", "import", &archive];
        run("ctr", arguments, TOOL_LIMIT)?;
    }
    Ok(())
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For one run of a tool.
const TOOL_LIMIT: Duration = Duration::from_secs(300);
