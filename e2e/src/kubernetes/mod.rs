//! A real Kubernetes for tests: etcd, the API server, the controllers, the scheduler, CoreDNS and up to a few nodes
//! with kubelet, kube-proxy and containerd, in network namespaces of their own that lead nowhere.
//!
//! It is not a distribution and not a fake: pods are containers with real processes, and nobody writes a status
//! that a kubelet did not report. The programs come from [`programs`]; images are made by [`image`] without a
//! registry or a daemon. `kontor-e2e cluster up` runs one for people; [`session`] runs one for the tests of a binary.
//!
//! Without root, or without containerd, there is a control plane only, and [`Cluster::missing`] says why.

pub mod audit;
pub mod component;
pub mod control_plane;
pub mod image;
pub mod installation;
pub mod network;
pub mod node;
pub mod operands;
pub mod pki;
pub mod programs;
pub mod session;
pub mod sweep;
pub mod volumes;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Node as ApiNode, ServiceAccount};
use kube::api::{Api, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::binaries;
use crate::process::{eventually, free_port};
use component::Component;
use control_plane::{ControlPlane, Place};
use network::Network;
use node::{Node, Setting};
use programs::Programs;
use session::Info;

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tells clusters on one machine apart: lower-case letters, digits and `-`, at most 20 of them.
    pub name: String,
    /// How many nodes, if there can be nodes here.
    pub nodes: usize,
}

/// A running cluster. [`Cluster::down`] takes it down and says what went wrong on the way; dropping it only kills
/// its programs, and the rest goes at the next start or with `kontor-e2e cluster down`.
pub struct Cluster {
    name: String,
    folder: PathBuf,
    logs: PathBuf,
    programs: Programs,
    kubeconfig: PathBuf,
    network: Option<Network>,
    nodes: Vec<Node>,
    components: Vec<Component>,
    missing: Option<String>,
    _lock: File,
}

impl Cluster {
    /// Starts a cluster and waits until its nodes are ready. Sweeps away what a killed one of the same name left.
    pub async fn up(options: &Options) -> Result<Self> {
        check_name(&options.name)?;
        ensure!((1..=network::MOST_NODES).contains(&options.nodes), "1 to {} nodes", network::MOST_NODES);
        let programs = tokio::task::spawn_blocking(Programs::find_or_build).await??;
        let lock = lock(&options.name)?;
        let (name, folder) = (options.name.clone(), folder(&options.name)?);
        let logs = binaries::target_folder().join("e2e").join(&name);
        let missing = missing();
        let nodes = if missing.is_some() { 0 } else { options.nodes };
        sweep::sweep(&name, &folder)?;
        let _ = std::fs::remove_dir_all(&logs);
        std::fs::create_dir_all(&logs)?;
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("pid"), std::process::id().to_string())?;
        let network = (nodes > 0).then(|| Network::new(&name, nodes));
        if let Some(network) = &network {
            keep_machine()?;
            network.up()?;
        }
        let mut this = Self {
            name,
            kubeconfig: folder.join("kubeconfig"),
            folder,
            logs,
            programs,
            network,
            nodes: Vec::new(),
            components: Vec::new(),
            missing,
            _lock: lock,
        };
        match this.start(nodes).await {
            Ok(()) => Ok(this),
            Err(error) => {
                let logs = this.logs.clone();
                let _ = this.down();
                Err(error.context(format!("the cluster did not come up; its logs are in {}", logs.display())))
            }
        }
    }

    async fn start(&mut self, nodes: usize) -> Result<()> {
        let namespace = self.network.as_ref().map(|network| network.namespace(0));
        let ports = match namespace {
            Some(_) => [16443, 12379, 12380, 10257, 10259],
            None => [free_port()?, free_port()?, free_port()?, free_port()?, free_port()?],
        };
        let place = Place { folder: &self.folder, logs: &self.logs, namespace: namespace.as_deref(), ports };
        let (plane, components) = ControlPlane::new(&self.programs, &place)?;
        self.components = components;
        // The API server finds etcd by itself; the rest would only wait and write that down.
        for component in self.components.iter_mut().take(2) {
            component.start()?;
        }
        let outside = network::forward(namespace.as_deref(), plane.api, 0).await?;
        let made = plane.authority.kubeconfig(
            "outside",
            &format!("https://{outside}"),
            "admin",
            Some("system:masters"),
        )?;
        std::fs::copy(made, &self.kubeconfig)?;

        let server = format!("https://{}", plane.api);
        if let Some(network) = &self.network {
            let setting = Setting {
                programs: &self.programs,
                cluster: &self.name,
                folder: &self.folder,
                logs: &self.logs,
                network,
                authority: &plane.authority,
                server: &server,
            };
            for number in 0..nodes {
                self.nodes.push(Node::new(number, &setting)?);
            }
            let pause = image::pause(&self.programs, &self.folder)?;
            for node in &mut self.nodes {
                node.start_containerd()?;
                node.import(&pause)?;
            }
        }

        let client = client(&self.kubeconfig).await?;
        self.wait("the API server", async || {
            let request = http::Request::get("/readyz").body(Vec::new())?;
            Ok(client.request_text(request).await.is_ok())
        })
        .await?;
        for component in &mut self.components {
            component.start()?;
        }
        for node in &mut self.nodes {
            node.start_agents()?;
        }
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
        self.wait("the default service account", async || Ok(accounts.get_opt("default").await?.is_some()))
            .await?;
        volumes::storage_class(&client).await?;
        self.wait_for_nodes().await
    }

    /// Waits until every node says that it is ready and is not tainted: the taint of a node that was not ready a
    /// moment ago would evict the pods that come now.
    pub async fn wait_for_nodes(&mut self) -> Result<()> {
        let api: Api<ApiNode> = Api::all(client(&self.kubeconfig).await?);
        let wanted = self.nodes.len();
        self.wait("ready nodes", async || {
            let nodes = api.list(&ListParams::default()).await?;
            Ok(nodes.iter().filter(|node| is_ready(node) && !is_tainted(node)).count() >= wanted)
        })
        .await
    }

    /// Waits for `there` as long as all programs run: what has ended will not come.
    async fn wait(&mut self, what: &str, mut there: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
        eventually(what, LIMIT, async || {
            if let Err(ended) = self.check() {
                return Ok(Some(Err(ended)));
            }
            Ok(there().await?.then_some(Ok(())))
        })
        .await?
    }

    /// An error with the end of its log when one of the programs has ended.
    pub fn check(&mut self) -> Result<()> {
        self.components.iter_mut().try_for_each(Component::check)?;
        self.nodes.iter_mut().try_for_each(Node::check)
    }

    /// What there is to know about it, for other processes.
    pub fn info(&self) -> Result<Info> {
        let volumes = self.folder.join("volumes");
        std::fs::create_dir_all(&volumes)?;
        let info = Info {
            kubeconfig: self.kubeconfig.clone(),
            programs: self.programs.folder.clone(),
            origin: self.programs.origin.clone(),
            logs: Some(self.logs.clone()),
            namespaces: self.namespaces(),
            sockets: self.nodes.iter().map(Node::socket).collect(),
            volumes: (!self.nodes.is_empty()).then_some(volumes),
            missing: self.missing.clone(),
        };
        std::fs::write(self.folder.join("info.json"), serde_json::to_vec(&info)?)?;
        Ok(info)
    }

    /// The cluster's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Logs of all programs, and `audit.log` with every write that did not come from Kubernetes itself.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Why there are no nodes, if there are none.
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// The network namespaces of the nodes.
    fn namespaces(&self) -> Vec<PathBuf> {
        let network = self.network.as_ref();
        network.map_or_else(Vec::new, |n| (0..self.nodes.len()).map(|node| n.namespace(node)).collect())
    }

    /// Cuts a node off and kills all that runs on it, as a power failure would.
    pub fn kill_node(&mut self, name: &str) -> Result<()> {
        let network = self.network.as_ref().context("no nodes")?;
        let node = self.nodes.iter_mut().find(|node| node.name == name).context("no such node")?;
        network.disconnect(node.number)?;
        node.kill();
        Ok(())
    }

    /// Starts a node again after [`Cluster::kill_node`] and waits until it is ready.
    pub async fn start_node(&mut self, name: &str) -> Result<()> {
        let network = self.network.as_ref().context("no nodes")?;
        let node = self.nodes.iter_mut().find(|node| node.name == name).context("no such node")?;
        network.connect(node.number)?;
        node.start_containerd()?;
        node.start_agents()?;
        self.wait_for_nodes().await
    }

    /// Kills one program of the control plane, such as `kube-controller-manager`, or starts it again.
    pub fn component(&mut self, name: &str) -> Result<&mut Component> {
        let index = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "coredns"]
            .iter()
            .position(|known| *known == name)
            .with_context(|| format!("no component {name}"))?;
        self.components.get_mut(index).context("not started")
    }

    /// Takes the cluster down and leaves nothing but its logs.
    pub fn down(mut self) -> Result<()> {
        // The one that takes a minute to say goodbye to its watchers goes first, and all of them by force: nobody
        // needs the data again.
        for component in self.components.iter_mut().skip(1) {
            component.kill();
        }
        for node in &mut self.nodes {
            node.kill();
        }
        self.components.clear();
        self.nodes.clear();
        take_away(&self.name, &self.folder)
    }
}

/// Takes down the cluster `name`: the one that runs, or what a killed one left.
pub fn down(name: &str) -> Result<()> {
    check_name(name)?;
    let folder = folder(name)?;
    if let Ok(lock) = lock_now(name) {
        take_away(name, &folder)?;
        drop(lock);
        return Ok(());
    }
    let pid: u32 = std::fs::read_to_string(folder.join("pid"))?.trim().parse().context("its process id")?;
    crate::process::send_signal(pid, "TERM")?;
    let _lock = lock(name).context("the cluster does not end")?;
    take_away(name, &folder)
}

/// What there is to know about the running cluster `name`.
pub fn running(name: &str) -> Result<Info> {
    check_name(name)?;
    let text = std::fs::read(folder(name)?.join("info.json"))
        .with_context(|| format!("no cluster called {name} runs"))?;
    Ok(serde_json::from_slice(&text)?)
}

/// A client of the API server that a kubeconfig leads to.
pub async fn client(kubeconfig: &Path) -> Result<kube::Client> {
    kontor_process::tls::install_default_provider();
    let config = Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
    Ok(kube::Client::try_from(config)?)
}

/// Where a cluster keeps everything but its logs: `KONTOR_E2E_STATE`, or below `/tmp`. Sockets are in there, so the
/// path is short.
fn folder(name: &str) -> Result<PathBuf> {
    Ok(base()?.join(name))
}

fn base() -> Result<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let uid = nix::unistd::geteuid().as_raw();
    let base = std::env::var_os("KONTOR_E2E_STATE")
        .map_or_else(|| PathBuf::from(format!("/tmp/kontor-e2e-{uid}")), PathBuf::from);
    if !base.exists() {
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(&base)?;
    }
    let owner = std::fs::symlink_metadata(&base)?;
    ensure!(owner.is_dir() && owner.uid() == uid, "{} belongs to somebody else", base.display());
    Ok(base)
}

fn lock_now(name: &str) -> Result<File> {
    let file = File::create(base()?.join(format!("{name}.lock")))?;
    file.try_lock().with_context(|| format!("a cluster called {name} runs already"))?;
    Ok(file)
}

/// Waits for the one before to be gone: it may still be on its way down.
fn lock(name: &str) -> Result<File> {
    let end = Instant::now() + LIMIT;
    loop {
        match lock_now(name) {
            Ok(lock) => return Ok(lock),
            Err(error) if Instant::now() > end => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// Keeps how the machine was before the first cluster on it.
fn keep_machine() -> Result<()> {
    let path = base()?.join("machine.json");
    if !path.exists() {
        std::fs::write(path, serde_json::to_vec(&sweep::Machine::now())?)?;
    }
    Ok(())
}

fn take_away(name: &str, folder: &Path) -> Result<()> {
    sweep::sweep(name, folder)?;
    let base = base()?;
    let others = std::fs::read_dir(&base)?.flatten().any(|entry| entry.path().is_dir());
    if !others {
        let path = base.join("machine.json");
        if let Ok(text) = std::fs::read(&path) {
            serde_json::from_slice::<sweep::Machine>(&text)?.restore();
            std::fs::remove_file(path)?;
        }
    }
    let left = sweep::leavings(name, folder);
    if !left.is_empty() {
        bail!("left behind: {}", left.join("; "));
    }
    Ok(())
}

/// Why nodes cannot be run here.
fn missing() -> Option<String> {
    if std::env::var_os("KONTOR_E2E_CONTROL_PLANE_ONLY").is_some() {
        return Some("KONTOR_E2E_CONTROL_PLANE_ONLY is set".into());
    }
    if !nix::unistd::geteuid().is_root() {
        return Some("not root".into());
    }
    for program in ["containerd", "runc", "ctr", "nft", "ip", "nsenter"] {
        if programs::on_path(program).is_none() {
            return Some(format!("no {program}"));
        }
    }
    (!Path::new(node::CNI_PLUGINS).join("bridge").is_file())
        .then(|| format!("no CNI plugins in {}", node::CNI_PLUGINS))
}

fn check_name(name: &str) -> Result<()> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(
        !name.is_empty() && name.len() <= 20 && name.chars().all(fine),
        "a cluster's name is 1 to 20 of a-z, 0-9 and -: {name:?}"
    );
    Ok(())
}

fn is_ready(node: &ApiNode) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}

fn is_tainted(node: &ApiNode) -> bool {
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    taints.is_some_and(|taints| !taints.is_empty())
}

/// For each thing that is waited for. The machine may be busy with something else.
const LIMIT: Duration = Duration::from_secs(120);
