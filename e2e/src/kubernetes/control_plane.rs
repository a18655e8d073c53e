//! etcd, the API server, the controller manager, the scheduler and CoreDNS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::component::Component;
use super::network::{Network, SERVICES};
use super::pki::{Authority, service_account_key};
use super::programs::Programs;

/// Where a control plane keeps what it needs, and where it listens.
pub struct ControlPlane {
    /// Signs everything but what the API server shows to aggregated API servers.
    pub authority: Authority,
    /// The API server, as seen from where the cluster's programs run.
    pub api: SocketAddr,
    /// The kubeconfig of an administrator, for those programs.
    pub admin: PathBuf,
}

/// What differs between a control plane in a namespace of its own and one on loopback.
pub struct Place<'a> {
    /// Keys, configuration and data.
    pub folder: &'a Path,
    /// Logs, the audit log among them.
    pub logs: &'a Path,
    /// The namespace of the first node, if there are nodes.
    pub namespace: Option<&'a Path>,
    /// The ports of the API server, etcd's clients and etcd's peers, the controller manager and the scheduler.
    pub ports: [u16; 5],
}

impl ControlPlane {
    /// Writes keys and configuration and describes the programs, in the order to start them.
    pub fn new(programs: &Programs, place: &Place<'_>) -> Result<(Self, Vec<Component>)> {
        let Place {
            folder,
            logs,
            namespace,
            ports: [api_port, etcd_port, peer_port, manager_port, scheduler_port],
        } = *place;
        let address = match namespace {
            Some(_) => Network::node_address(0),
            None => "127.0.0.1".into(),
        };
        let api: SocketAddr = format!("{address}:{api_port}").parse().context("the API server's address")?;
        let server = format!("https://{api}");
        let pki = folder.join("pki");
        std::fs::create_dir_all(&pki)?;

        let authority = Authority::new(&pki, "ca")?;
        let front = Authority::new(&pki, "front-proxy-ca")?;
        let names = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "127.0.0.1",
            &Network::node_address(0),
            "198.19.0.1",
        ];
        authority.server("apiserver", "kube-apiserver", &names)?;
        authority.client("apiserver-kubelet", "kube-apiserver-kubelet-client", Some("system:masters"))?;
        front.client("front-proxy", "front-proxy-client", None)?;
        service_account_key(&pki)?;
        let admin = authority.kubeconfig("admin", &server, "admin", Some("system:masters"))?;
        let manager =
            authority.kubeconfig("controller-manager", &server, "system:kube-controller-manager", None)?;
        let scheduler = authority.kubeconfig("scheduler", &server, "system:kube-scheduler", None)?;
        let policy = folder.join("audit-policy.yaml");
        std::fs::write(&policy, AUDIT_POLICY)?;

        let component = |name: &str| -> Result<Component> {
            Ok(Component::new(name, programs.get(name)?, namespace, logs))
        };
        let etcd_url = format!("http://127.0.0.1:{etcd_port}");
        let mut etcd = component("etcd")?.flags(&[
            ("data-dir", folder.join("etcd")),
            ("listen-client-urls", etcd_url.clone().into()),
            ("listen-peer-urls", format!("http://127.0.0.1:{peer_port}").into()),
        ]);
        if !is_ours(programs)? {
            // The real one has more to be told; ours does all of this by itself.
            etcd = etcd.flags(&[("advertise-client-urls", etcd_url.as_str()), ("log-level", "warn")]).args([
                "--unsafe-no-fsync".to_owned(),
                format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}"),
                format!("--initial-cluster=default=http://127.0.0.1:{peer_port}"),
            ]);
        }

        let key = |name: &str| pki.join(name).display().to_string();
        let mut api_server = component("kube-apiserver")?.flags(&[
            ("etcd-servers", etcd_url.as_str()),
            ("bind-address", if namespace.is_some() { "0.0.0.0" } else { "127.0.0.1" }),
            ("secure-port", &api_port.to_string()),
            // Loopback would be refused.
            ("advertise-address", &Network::node_address(0)),
            ("endpoint-reconciler-type", if namespace.is_some() { "lease" } else { "none" }),
            ("service-cluster-ip-range", SERVICES),
            ("authorization-mode", "Node,RBAC"),
            ("enable-admission-plugins", "NodeRestriction"),
            ("client-ca-file", &key("ca.crt")),
            ("tls-cert-file", &key("apiserver.crt")),
            ("tls-private-key-file", &key("apiserver.key")),
            ("service-account-issuer", "https://kubernetes.default.svc"),
            ("service-account-key-file", &key("service-account.pub")),
            ("service-account-signing-key-file", &key("service-account.key")),
            ("kubelet-client-certificate", &key("apiserver-kubelet.crt")),
            ("kubelet-client-key", &key("apiserver-kubelet.key")),
            ("kubelet-certificate-authority", &key("ca.crt")),
            ("kubelet-preferred-address-types", "InternalIP"),
            ("requestheader-client-ca-file", &key("front-proxy-ca.crt")),
            ("requestheader-allowed-names", "front-proxy-client"),
            ("requestheader-extra-headers-prefix", "X-Remote-Extra-"),
            ("requestheader-group-headers", "X-Remote-Group"),
            ("requestheader-username-headers", "X-Remote-User"),
            ("proxy-client-cert-file", &key("front-proxy.crt")),
            ("proxy-client-key-file", &key("front-proxy.key")),
            ("audit-policy-file", &policy.display().to_string()),
            ("audit-log-path", &logs.join("audit.log").display().to_string()),
            ("audit-log-maxsize", "2048"),
            ("allow-privileged", "true"),
            // A test does not wait five minutes for the pods of a lost node.
            ("default-not-ready-toleration-seconds", "3"),
            ("default-unreachable-toleration-seconds", "3"),
        ]);
        if namespace.is_none() {
            // Without kube-proxy the addresses of services lead nowhere.
            api_server = api_server.args(["--enable-aggregator-routing=true"]);
        }

        let manager = manager.display().to_string();
        let controller_manager = component("kube-controller-manager")?.flags(&[
            ("kubeconfig", manager.as_str()),
            ("authentication-kubeconfig", &manager),
            ("authorization-kubeconfig", &manager),
            ("bind-address", "127.0.0.1"),
            ("secure-port", &manager_port.to_string()),
            ("leader-elect", "false"),
            ("use-service-account-credentials", "true"),
            ("kube-api-qps", "300"),
            ("kube-api-burst", "600"),
            ("service-account-private-key-file", &key("service-account.key")),
            ("root-ca-file", &key("ca.crt")),
            ("cluster-signing-cert-file", &key("ca.crt")),
            ("cluster-signing-key-file", &key("ca.key")),
            ("horizontal-pod-autoscaler-sync-period", "3s"),
            ("node-monitor-grace-period", "20s"),
            // How soon a node that became ready loses its taint.
            ("node-monitor-period", "1s"),
        ]);
        let scheduler = scheduler.display().to_string();
        let scheduler = component("kube-scheduler")?.flags(&[
            ("kubeconfig", scheduler.as_str()),
            ("authentication-kubeconfig", &scheduler),
            ("authorization-kubeconfig", &scheduler),
            ("bind-address", "127.0.0.1"),
            ("secure-port", &scheduler_port.to_string()),
            ("leader-elect", "false"),
        ]);
        let mut components = vec![etcd, api_server, controller_manager, scheduler];
        if namespace.is_some() {
            let corefile = folder.join("Corefile");
            std::fs::write(&corefile, core_file(&admin))?;
            components.push(component("coredns")?.args(["-conf".into(), corefile.into_os_string()]));
        }
        Ok((Self { authority, api, admin }, components))
    }
}

/// Whether etcd is the one of `e2e/cluster`, which knows three flags.
fn is_ours(programs: &Programs) -> Result<bool> {
    let etcd = std::fs::canonicalize(programs.get("etcd")?)?;
    Ok(etcd.file_name().is_some_and(|name| name == "cluster"))
}

/// Pods ask the first node's address. Nothing leads outside, so other names do not exist.
fn core_file(kubeconfig: &Path) -> String {
    format!(
        "cluster.local in-addr.arpa ip6.arpa {{\n    bind {address}\n    errors\n    cache 2\n    kubernetes cluster.local \
         in-addr.arpa ip6.arpa {{\n        kubeconfig {kubeconfig}\n        ttl 2\n    }}\n}}\n",
        address = Network::node_address(0),
        kubeconfig = kubeconfig.display(),
    )
}

/// Every write of anyone who is not a part of Kubernetes itself, so that a test can count them.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users: [system:kube-scheduler, system:kube-controller-manager, system:apiserver, system:kube-proxy]
  - level: None
    userGroups: [system:nodes, system:serviceaccounts:kube-system]
  - level: Metadata
    verbs: [create, update, patch, delete, deletecollection]
  - level: None
";
