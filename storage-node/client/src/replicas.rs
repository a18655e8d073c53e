//! The storage-node replicas behind a client: which there are, and which one gets the next call.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::StoreError;

/// mTLS towards storage-node. PEM texts.
#[derive(Clone)]
pub struct Tls {
    /// CA that signed the storage nodes' certificates.
    pub ca: String,
    /// Our certificate chain.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// Name in the storage nodes' certificates.
    pub server_name: String,
}

/// One replica.
pub(crate) struct Replica {
    pub channel: Channel,
    pub name: String,
    /// Not used before this, after a failure.
    avoid_until: RwLock<Option<Instant>>,
}

impl Replica {
    fn new(name: String, channel: Channel) -> Arc<Self> {
        Arc::new(Replica { channel, name, avoid_until: RwLock::new(None) })
    }

    pub fn failed(&self) {
        *self.avoid_until.write() = Some(Instant::now() + AVOID);
    }

    fn usable(&self, now: Instant) -> bool {
        self.avoid_until.read().is_none_or(|until| until <= now)
    }
}

/// The set of replicas; it follows DNS.
pub(crate) struct Replicas {
    list: RwLock<Vec<Arc<Replica>>>,
    next: AtomicUsize,
    changed: tokio::sync::watch::Sender<u64>,
}

impl Replicas {
    /// One replica behind a channel that exists already.
    pub fn fixed(channel: Channel) -> Arc<Self> {
        Arc::new(Replicas {
            list: RwLock::new(vec![Replica::new("local".into(), channel)]),
            next: AtomicUsize::new(0),
            changed: tokio::sync::watch::channel(0).0,
        })
    }

    /// Replicas by `host:port`; each name is looked up again and again and may stand for many.
    pub fn resolve(addresses: &[String], tls: Option<Tls>) -> Result<Arc<Self>, StoreError> {
        let replicas = Arc::new(Replicas {
            list: RwLock::new(Vec::new()),
            next: AtomicUsize::new(0),
            changed: tokio::sync::watch::channel(0).0,
        });
        let builder = Builder::new(tls)?;
        let mut known = BTreeMap::new();
        for address in addresses {
            if let Ok(address) = address.parse::<SocketAddr>() {
                known.insert(address, Replica::new(address.to_string(), builder.channel(address)?));
            }
        }
        *replicas.list.write() = known.values().cloned().collect();
        let names: Vec<String> =
            addresses.iter().filter(|a| a.parse::<SocketAddr>().is_err()).cloned().collect();
        if !names.is_empty() {
            tokio::spawn(follow_dns(Arc::downgrade(&replicas), names, known, builder));
        } else if addresses.is_empty() {
            return Err(StoreError::Invalid("no storage-node address is configured".into()));
        }
        Ok(replicas)
    }

    /// The next replica to ask, other than those in `tried`.
    pub fn pick(&self, tried: &[String]) -> Option<Arc<Replica>> {
        let list = self.list.read();
        if list.is_empty() {
            return None;
        }
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let in_turn = || (0..list.len()).filter_map(|i| list.get((start.wrapping_add(i)) % list.len()));
        in_turn()
            .find(|r| r.usable(now) && !tried.contains(&r.name))
            .or_else(|| in_turn().find(|r| !tried.contains(&r.name)))
            .cloned()
    }

    pub fn all(&self) -> Vec<Arc<Replica>> {
        self.list.read().clone()
    }

    /// Ticks when the set changes.
    pub fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

struct Builder {
    tls: Option<ClientTlsConfig>,
}

impl Builder {
    fn new(tls: Option<Tls>) -> Result<Self, StoreError> {
        let tls = tls.map(|tls| {
            ClientTlsConfig::new()
                .ca_certificate(Certificate::from_pem(tls.ca))
                .identity(Identity::from_pem(tls.certificate, tls.key))
                .domain_name(tls.server_name)
        });
        Ok(Builder { tls })
    }

    fn channel(&self, address: SocketAddr) -> Result<Channel, StoreError> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
            .map_err(|e| StoreError::Invalid(e.to_string()))?
            .connect_timeout(Duration::from_secs(3))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5))
            .keep_alive_while_idle(true)
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(8 << 20);
        if let Some(tls) = &self.tls {
            endpoint = endpoint.tls_config(tls.clone()).map_err(|e| StoreError::Invalid(e.to_string()))?;
        }
        Ok(endpoint.connect_lazy())
    }
}

async fn follow_dns(
    replicas: Weak<Replicas>,
    names: Vec<String>,
    fixed: BTreeMap<SocketAddr, Arc<Replica>>,
    builder: Builder,
) {
    let mut known = fixed.clone();
    loop {
        let mut found: BTreeMap<SocketAddr, Arc<Replica>> = fixed.clone();
        let mut complete = true;
        for name in &names {
            match tokio::time::timeout(DNS_DEADLINE, tokio::net::lookup_host(name)).await {
                Ok(Ok(addresses)) => {
                    for address in addresses {
                        if let Some(replica) = known.get(&address) {
                            found.insert(address, replica.clone());
                        } else if let Ok(channel) = builder.channel(address) {
                            found.insert(address, Replica::new(address.to_string(), channel));
                        }
                    }
                }
                Ok(Err(error)) => {
                    tracing::debug!(%name, %error, "storage-node name does not resolve");
                    complete = false;
                }
                Err(_) => complete = false,
            }
        }
        let Some(replicas) = replicas.upgrade() else { return };
        // A failed lookup takes no replica away that worked a moment ago.
        if !complete {
            for (address, replica) in &known {
                found.entry(*address).or_insert_with(|| replica.clone());
            }
        }
        if !found.keys().eq(known.keys()) || replicas.list.read().is_empty() {
            *replicas.list.write() = found.values().cloned().collect();
            replicas.changed.send_modify(|n| *n = n.wrapping_add(1));
        }
        known = found;
        let pause = if known.is_empty() { Duration::from_millis(500) } else { DNS_INTERVAL };
        drop(replicas);
        tokio::time::sleep(pause).await;
    }
}

/// How long a replica that failed is passed over while another one answers.
const AVOID: Duration = Duration::from_secs(2);
const DNS_INTERVAL: Duration = Duration::from_secs(5);
const DNS_DEADLINE: Duration = Duration::from_secs(5);
