//! A node: containerd, a kubelet and kube-proxy in a network namespace of their own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::component::Component;
use super::network::{Network, PODS};
use super::pki::Authority;
use super::programs::Programs;
use super::sweep;
use crate::process::run;

/// One node.
pub struct Node {
    /// Its name in the API.
    pub name: String,
    /// Counted from 0.
    pub number: usize,
    folder: PathBuf,
    cgroup: String,
    containerd: Component,
    agents: Vec<Component>,
}

/// What a node is made from.
pub struct Setting<'a> {
    /// The programs.
    pub programs: &'a Programs,
    /// The cluster's name.
    pub cluster: &'a str,
    /// The cluster's folder; the node's is below it.
    pub folder: &'a Path,
    /// Where logs go.
    pub logs: &'a Path,
    /// The cluster's network.
    pub network: &'a Network,
    /// Signs the kubelet's certificates.
    pub authority: &'a Authority,
    /// The API server's URL, from a node.
    pub server: &'a str,
}

impl Node {
    /// Writes keys and configuration and describes the programs.
    pub fn new(number: usize, setting: &Setting<'_>) -> Result<Self> {
        let name = format!("node{}", number + 1);
        let folder = setting.folder.join(&name);
        let address = Network::node_address(number);
        let cgroup = format!("{}{}-{name}", sweep::CGROUP_PREFIX, setting.cluster);
        for below in ["cni", "kubelet", "kubelet-pki", "plugins", "pod-logs", "containerd"] {
            std::fs::create_dir_all(folder.join(below))?;
        }
        make_cgroup(&cgroup)?;

        let at = |name: &str| folder.join(name);
        std::fs::write(at("containerd.toml"), containerd_config(&folder))?;
        std::fs::write(at("cni/10-bridge.conflist"), cni_config(number, &folder).to_string())?;
        std::fs::write(at("resolv.conf"), "")?;
        let authority = setting.authority;
        authority.server(&format!("kubelet-{name}"), &name, &[&name, &address])?;
        let user = format!("system:node:{name}");
        let kubelet_access = authority.kubeconfig(&user, setting.server, &user, Some("system:nodes"))?;
        let proxy_access = authority.kubeconfig(
            &format!("kube-proxy-{name}"),
            setting.server,
            "system:kube-proxy",
            Some("system:node-proxier"),
        )?;
        let pki = setting.folder.join("pki");
        let kubelet_config = json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            // The default refuses to start where only version 1 is.
            "failCgroupV1": false,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": format!("/{cgroup}"),
            "enforceNodeAllocatable": ["pods"],
            "containerRuntimeEndpoint": format!("unix://{}", at("containerd.sock").display()),
            "clusterDNS": [Network::node_address(0)],
            "clusterDomain": "cluster.local",
            "resolvConf": at("resolv.conf"),
            "failSwapOn": false,
            "tlsCertFile": pki.join(format!("kubelet-{name}.crt")),
            "tlsPrivateKeyFile": pki.join(format!("kubelet-{name}.key")),
            "authentication": {
                "anonymous": {"enabled": false},
                "webhook": {"enabled": true},
                "x509": {"clientCAFile": pki.join("ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "address": address,
            "healthzBindAddress": "127.0.0.1",
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {
                "memory.available": "50Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
                "nodefs.inodesFree": "1%",
            },
            "nodeStatusUpdateFrequency": "5s",
            "nodeLeaseDurationSeconds": 20,
            "syncFrequency": "10s",
            "maxPods": 250,
            "serializeImagePulls": false,
            "kubeAPIQPS": 100,
            "kubeAPIBurst": 200,
            "eventRecordQPS": 50,
            "podLogsDir": at("pod-logs"),
            "volumePluginDir": at("plugins"),
        });
        std::fs::write(at("kubelet.json"), kubelet_config.to_string())?;
        let proxy_config = json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "hostnameOverride": name,
            "clusterCIDR": PODS,
            "clientConnection": {"kubeconfig": proxy_access},
            "conntrack": {"maxPerCore": 0, "min": 0},
            "nftables": {"minSyncPeriod": "0s", "syncPeriod": "30s"},
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
        });
        std::fs::write(at("kube-proxy.json"), proxy_config.to_string())?;

        let namespace = setting.network.namespace(number);
        let component = |program: &str, path: PathBuf| {
            Component::new(&format!("{program}-{name}"), path, Some(&namespace), setting.logs)
        };
        let containerd =
            component("containerd", super::programs::on_path("containerd").context("no containerd")?)
                .args(["--config".into(), at("containerd.toml").into_os_string()]);
        let kubelet = component("kubelet", setting.programs.get("kubelet")?).flags(&[
            ("config", at("kubelet.json")),
            ("kubeconfig", kubelet_access),
            ("hostname-override", name.clone().into()),
            ("node-ip", address.into()),
            ("root-dir", at("kubelet")),
            ("cert-dir", at("kubelet-pki")),
        ]);
        let proxy = component("kube-proxy", setting.programs.get("kube-proxy")?)
            .flags(&[("config", at("kube-proxy.json"))]);
        Ok(Self { name, number, folder, cgroup, containerd, agents: vec![kubelet, proxy] })
    }

    /// Starts containerd, so that images can be brought to it.
    pub fn start_containerd(&mut self) -> Result<()> {
        self.containerd.start()?;
        let socket = self.socket();
        let end = std::time::Instant::now() + Duration::from_secs(60);
        loop {
            let version = ["-a", &socket.display().to_string(), "version"].map(str::to_owned);
            if socket.exists() && run("ctr", version, Duration::from_secs(10)).is_ok() {
                return Ok(());
            }
            self.containerd.check()?;
            anyhow::ensure!(std::time::Instant::now() < end, "containerd: {}", self.containerd.log_tail());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Starts the kubelet and kube-proxy.
    pub fn start_agents(&mut self) -> Result<()> {
        self.agents.iter_mut().try_for_each(Component::start)
    }

    /// An error when one of the programs has ended by itself.
    pub fn check(&mut self) -> Result<()> {
        self.containerd.check()?;
        self.agents.iter_mut().try_for_each(Component::check)
    }

    /// Where containerd listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("containerd.sock")
    }

    /// Brings an image from a docker-archive.
    pub fn import(&self, archive: &Path) -> Result<()> {
        let (socket, archive) = (self.socket().display().to_string(), archive.display().to_string());
        let arguments = ["-a", &socket, "-n", "k8s.io", "images", "import", &archive];
        run("ctr", arguments, Duration::from_secs(120)).map(drop)
    }

    /// SIGKILL to all that runs on the node, containers too.
    pub fn kill(&mut self) {
        for agent in &mut self.agents {
            agent.kill();
        }
        self.containerd.kill();
        sweep::kill_shims(&self.folder);
        sweep::kill_cgroup(&self.cgroup);
    }
}

fn containerd_config(folder: &Path) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    let cri = "plugins.\"io.containerd.grpc.v1.cri\"";
    format!(
        "version = 2\n\
         root = \"{root}\"\n\
         state = \"{state}\"\n\
         disabled_plugins = [\"io.containerd.internal.v1.opt\"]\n\
         [grpc]\naddress = \"{socket}\"\n\
         [{cri}]\n\
         # Without CAP_SYS_RESOURCE no score can be lowered, and every pod would fail over it.\n\
         restrict_oom_score_adj = true\n\
         netns_mounts_under_state_dir = true\n\
         sandbox_image = \"{pause}\"\n\
         [{cri}.cni]\nbin_dir = \"{plugins}\"\nconf_dir = \"{cni}\"\n\
         [{cri}.containerd]\nsnapshotter = \"overlayfs\"\n\
         [{cri}.containerd.runtimes.runc]\nruntime_type = \"io.containerd.runc.v2\"\n\
         [{cri}.containerd.runtimes.runc.options]\nSystemdCgroup = false\nRoot = \"{runc}\"\n",
        root = at("containerd"),
        state = at("containerd-state"),
        socket = at("containerd.sock"),
        pause = super::image::PAUSE,
        plugins = CNI_PLUGINS,
        cni = at("cni"),
        runc = at("runc"),
    )
}

fn cni_config(number: usize, folder: &Path) -> serde_json::Value {
    json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": true,
                "ipMasq": false,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": folder.join("cni-addresses"),
                    "ranges": [[{"subnet": Network::pod_range(number)}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
}

/// Makes the control group that everything on a node is below, in every hierarchy.
fn make_cgroup(name: &str) -> Result<()> {
    let root = Path::new(sweep::CGROUPS);
    if root.join("cgroup.controllers").exists() {
        for controller in ["+cpu", "+cpuset", "+memory", "+pids", "+io"] {
            // Not all of them need to be there; the kubelet says which one it misses.
            let _ = std::fs::write(root.join("cgroup.subtree_control"), controller);
        }
        std::fs::create_dir_all(root.join(name))?;
        return Ok(());
    }
    for hierarchy in std::fs::read_dir(root)?.flatten().filter(|entry| entry.path().is_dir()) {
        let folder = hierarchy.path().join(name);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let from = hierarchy.path().join(file);
            if from.exists() {
                std::fs::write(folder.join(file), std::fs::read(from)?)?;
            }
        }
    }
    Ok(())
}

/// Where Debian's containernetworking-plugins are; other systems use /opt/cni/bin, which may be linked there.
pub const CNI_PLUGINS: &str = "/usr/lib/cni";
