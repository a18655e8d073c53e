//! Network namespaces: one for each node, joined by a bridge, with no way out.

use std::fs::File;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, setns};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::process::run;

/// The network of one cluster. Several clusters may use the same addresses: their namespaces never meet.
#[derive(Debug, Clone)]
pub struct Network {
    name: String,
    nodes: usize,
}

impl Network {
    /// The network of the cluster `name` with this many nodes.
    pub fn new(name: &str, nodes: usize) -> Self {
        Self { name: name.to_owned(), nodes }
    }

    /// The namespace of a node, counted from 0.
    pub fn namespace(&self, node: usize) -> PathBuf {
        Path::new("/run/netns").join(self.namespace_name(node))
    }

    /// The address of a node, counted from 0.
    pub fn node_address(node: usize) -> String {
        format!("192.0.2.{}", 10 + node)
    }

    /// The addresses of a node's pods, as a CIDR.
    pub fn pod_range(node: usize) -> String {
        format!("198.18.{node}.0/24")
    }

    /// Makes the namespaces and joins them.
    pub fn up(&self) -> Result<()> {
        for node in 0..self.nodes {
            let (name, address) = (self.namespace_name(node), format!("{}/24", Self::node_address(node)));
            ip(&["netns", "add", &name])?;
            ip(&["-n", &name, "link", "set", "lo", "up"])?;
            if node == 0 {
                // Not a dummy interface, which not every kernel has.
                ip(&["-n", &name, "link", "add", "node0", "type", "bridge"])?;
            } else {
                let first = self.namespace_name(0);
                let port = format!("node{node}");
                ip(&[
                    "-n", &first, "link", "add", &port, "type", "veth", "peer", "name", "node0", "netns",
                    &name,
                ])?;
                ip(&["-n", &first, "link", "set", &port, "master", "node0", "up"])?;
            }
            ip(&["-n", &name, "addr", "add", &address, "dev", "node0"])?;
            self.connect(node)?;
            for setting in [
                "net.ipv4.ip_forward=1",
                "net.bridge.bridge-nf-call-iptables=1",
                "net.bridge.bridge-nf-call-ip6tables=1",
            ] {
                let at = format!("--net={}", self.namespace(node).display());
                run("nsenter", [at.as_str(), "sysctl", "-qw", setting], LIMIT)?;
            }
        }
        Ok(())
    }

    /// Sets a node's link up, with its routes: there is no default route, so the addresses of services need one
    /// of their own to be reached from the node itself.
    pub fn connect(&self, node: usize) -> Result<()> {
        let name = self.namespace_name(node);
        ip(&["-n", &name, "link", "set", "node0", "up"])?;
        ip(&["-n", &name, "route", "replace", SERVICES, "dev", "node0"])?;
        for other in (0..self.nodes).filter(|other| *other != node) {
            let (range, via) = (Self::pod_range(other), Self::node_address(other));
            ip(&["-n", &name, "route", "replace", &range, "via", &via])?;
        }
        Ok(())
    }

    /// Sets a node's link down, as a pulled plug would.
    pub fn disconnect(&self, node: usize) -> Result<()> {
        ensure!(node > 0, "the first node carries the bridge");
        ip(&["-n", &self.namespace_name(node), "link", "set", "node0", "down"])
    }

    fn namespace_name(&self, node: usize) -> String {
        format!("kontor-{}-{}", self.name, node + 1)
    }
}

/// Connects from inside a network namespace. The socket stays in it, wherever it is used from then on.
pub async fn connect_within(namespace: &Path, address: SocketAddr) -> Result<TcpStream> {
    let namespace = namespace.to_owned();
    // A thread of its own, because what enters a namespace must not come back to a pool.
    let (done, connected) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let connect = || -> Result<StdTcpStream> {
            setns(File::open(&namespace)?, CloneFlags::CLONE_NEWNET)
                .with_context(|| format!("cannot enter {}", namespace.display()))?;
            let stream = StdTcpStream::connect_timeout(&address, Duration::from_secs(10))?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let _ = done.send(connect());
    });
    let stream = connected.await.context("the connecting thread ended")??;
    Ok(TcpStream::from_std(stream)?)
}

/// Listens on loopback outside and hands each connection to `address` inside of the namespace, for as long as
/// the runtime lives. Returns where it listens.
pub async fn forward(namespace: Option<&Path>, address: SocketAddr, port: u16) -> Result<SocketAddr> {
    let namespace = namespace.map(Path::to_owned);
    serve(port, move |mut outside| {
        let namespace = namespace.clone();
        async move {
            let mut inside = match &namespace {
                Some(namespace) => connect_within(namespace, address).await?,
                None => TcpStream::connect(address).await?,
            };
            tokio::io::copy_bidirectional(&mut outside, &mut inside).await?;
            Ok(())
        }
    })
    .await
}

/// As [`forward`], to a server that speaks TLS from the first octet: what comes out on loopback is plain, for clients
/// that know no better. Any certificate will do.
pub async fn forward_tls(namespace: &Path, address: SocketAddr) -> Result<SocketAddr> {
    kontor_process::tls::install_default_provider();
    let config = rustls::ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let namespace = namespace.to_owned();
    serve(0, move |mut outside| {
        let (namespace, connector) = (namespace.clone(), connector.clone());
        async move {
            let inside = connect_within(&namespace, address).await?;
            let mut inside = connector.connect(ServerName::from(address.ip()), inside).await?;
            tokio::io::copy_bidirectional(&mut outside, &mut inside).await?;
            Ok(())
        }
    })
    .await
}

async fn serve<F, Fut>(port: u16, hand_over: F) -> Result<SocketAddr>
where
    F: Fn(TcpStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send,
{
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let local = listener.local_addr()?;
    let hand_over = Arc::new(hand_over);
    tokio::spawn(async move {
        while let Ok((outside, _)) = listener.accept().await {
            let hand_over = hand_over.clone();
            tokio::spawn(async move {
                let _ = outside.set_nodelay(true);
                // Whoever connected sees the end of the connection, and knows better whether that is an error.
                let _ = hand_over(outside).await;
            });
        }
    });
    Ok(local)
}

/// Believes everybody. What servers show, and to whom, is tested where it is made.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Removes the namespaces of a cluster, whether it still runs or not.
pub fn remove(name: &str) {
    for node in 0..MOST_NODES {
        let namespace = Network::new(name, MOST_NODES).namespace_name(node);
        if Path::new("/run/netns").join(&namespace).exists() {
            let _ = ip(&["netns", "delete", &namespace]);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    run("ip", arguments, LIMIT).map(drop)
}

/// The addresses of services, as a CIDR.
pub const SERVICES: &str = "198.19.0.0/16";
/// The addresses of all pods, as a CIDR.
pub const PODS: &str = "198.18.0.0/16";
/// More nodes than this are not started.
pub const MOST_NODES: usize = 4;

const LIMIT: Duration = Duration::from_secs(20);
