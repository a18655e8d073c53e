//! Listening sockets: who may come in, how many, and by which door.

mod config;

pub use config::{ListenerConfig, Listeners, TlsMode};

use crate::budget::Budget;
use crate::connection::Connection;
use crate::drain::Drain;
use crate::monitor::Health;
use crate::proxy;
use crate::rate::{AuthLimiter, TokenBuckets};
use crate::tls::TlsServer;
use ipnet::IpNet;
use parking_lot::Mutex;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A protocol's server.
pub trait Handler: Send + Sync + 'static {
    /// Serves one connection until it ends. Called once for each client, in a task of its own, after the PROXY
    /// header and implicit TLS. The future's size is memory for each idle connection: box what is rare. It should
    /// end soon after `shared.drain.begun()`, saying goodbye.
    fn serve(self: Arc<Self>, connection: Connection, shared: Shared) -> impl Future<Output = ()> + Send;

    /// What to tell a client that is not let in (`421 4.3.2 ...`, `* BYE ...`, `-ERR ...`, with CRLF). Nothing is
    /// said on an implicit TLS listener before its handshake.
    fn refusal(&self, _reason: Refused) -> &'static [u8] {
        b""
    }
}

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The listener is full.
    TooMany,
    /// The client's address has too many connections.
    TooManyFromAddress,
    /// The client's address connects too often.
    TooOften,
}

/// What all listeners of a process share. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    /// The end of the process.
    pub drain: Drain,
    /// Memory for incoming messages.
    pub budget: Budget,
    /// Wrong passwords.
    pub auth: Arc<AuthLimiter>,
    /// What `/readyz` says.
    pub health: Health,
}

/// A bound socket that does not accept yet.
#[derive(Debug)]
pub struct Listener {
    protocol: &'static str,
    config: Arc<ListenerConfig>,
    tls: Option<Arc<TlsServer>>,
    socket: TcpListener,
    local: SocketAddr,
    table: Arc<Table>,
}

impl Listener {
    /// Binds (`SO_REUSEADDR`, IPv6 only on an IPv6 address) within a tokio runtime. `protocol` names the listener in
    /// metrics and logs: `smtp`, `imaps`.
    ///
    /// # Errors
    /// [`BindError`], naming the address.
    pub fn bind(
        protocol: &'static str,
        config: &ListenerConfig,
        tls: Option<Arc<TlsServer>>,
    ) -> Result<Self, BindError> {
        if config.tls == TlsMode::Implicit && tls.is_none() {
            return Err(BindError::NoCertificate { protocol, address: config.bind });
        }
        let failed = |source| BindError::Socket { protocol, address: config.bind, source };
        let socket = bind(config).map_err(failed)?;
        let local = socket.local_addr().map_err(failed)?;
        let tls = tls.filter(|_| config.tls != TlsMode::None);
        let table = Arc::new(Table {
            protocol,
            total: Arc::new(Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS))),
            by_address: Mutex::new(HashMap::new()),
            often: TokenBuckets::per_minute(config.max_per_minute, config.max_per_minute, TABLE),
        });
        Ok(Self { protocol, config: Arc::new(config.clone()), tls, socket, local, table })
    }

    /// The bound address, with the port that the kernel chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The name given to [`Listener::bind`].
    pub fn protocol(&self) -> &'static str {
        self.protocol
    }

    /// Proxies of HTTP that are believed; see [`ListenerConfig::forwarded_from`].
    pub fn forwarded_from(&self) -> &[IpNet] {
        &self.config.forwarded_from
    }

    /// Accepts until the drain begins. Each client gets a task that the drain waits for.
    pub async fn serve<H: Handler>(self, handler: Arc<H>, shared: Shared) {
        tracing::info!(protocol = self.protocol, address = %self.local, "listening");
        let mut pause = FIRST_PAUSE;
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = shared.drain.begun() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    pause = FIRST_PAUSE;
                    self.admit(stream, peer, &handler, &shared);
                }
                Err(error) if is_of_one_client(&error) => {}
                Err(error) => {
                    // Out of descriptors or memory: somebody has to leave first.
                    tracing::error!(protocol = self.protocol, %error, "cannot accept, pausing");
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = shared.drain.begun() => break,
                    }
                    pause = (pause * 2).min(LAST_PAUSE);
                }
            }
        }
        tracing::debug!(protocol = self.protocol, address = %self.local, "no longer listening");
    }

    fn admit<H: Handler>(&self, stream: TcpStream, peer: SocketAddr, handler: &Arc<H>, shared: &Shared) {
        metrics::counter!("kontor_connections_total", "protocol" => self.protocol).increment(1);
        let Ok(permit) = self.table.total.clone().try_acquire_owned() else {
            let (protocol, config) = (self.protocol, self.config.clone());
            let words = handler.refusal(Refused::TooMany);
            count_refusal(protocol, Refused::TooMany);
            // Without a task: a flood must not become a flood of tasks. The socket's empty buffer takes a line.
            if config.tls != TlsMode::Implicit {
                let _ = stream.try_write(words);
            }
            return;
        };
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
        let Ok(mut connection) = Connection::plain(stream, self.tls.clone()) else { return };
        connection.set_slot(Slot::new(self.table.clone(), permit));
        connection.limit_reading(self.config.read_rate);
        let (config, tls, handler, session) =
            (self.config.clone(), self.tls.clone(), handler.clone(), shared.clone());
        shared.drain.spawn(async move {
            // Boxed, so that what only the beginning needs is not held by every idle connection.
            let words = handler.clone();
            let prepared = Box::pin(prepare(connection, peer, &config, tls, move |r| words.refusal(r)));
            let prepared = tokio::select! {
                prepared = prepared => prepared,
                // Nothing was said to this client yet, so there is nothing to finish.
                () = session.drain.begun() => None,
            };
            if let Some(connection) = prepared {
                handler.serve(connection, session).await;
            }
        });
    }
}

/// PROXY header, limits of the client's address, implicit TLS, in this order.
async fn prepare(
    mut connection: Connection,
    socket_peer: SocketAddr,
    config: &ListenerConfig,
    tls: Option<Arc<TlsServer>>,
    refusal: impl Fn(Refused) -> &'static [u8],
) -> Option<Connection> {
    if contains(&config.proxy_from, socket_peer.ip()) {
        match tokio::time::timeout(PROXY_DEADLINE, proxy::read(connection.tcp_mut())).await {
            Ok(Ok(proxy::Header::Proxied { source, destination })) => {
                connection.set_addresses(source, destination);
            }
            Ok(Ok(proxy::Header::Local)) => {}
            Ok(Err(error)) => {
                tracing::warn!(peer = %socket_peer, %error, "a trusted balancer did not say who its client is");
                return None;
            }
            Err(_) => {
                tracing::warn!(peer = %socket_peer, "a trusted balancer sent no PROXY protocol header in time");
                return None;
            }
        }
    }
    let ip = connection.peer_ip();
    if !contains(&config.exempt, ip)
        && !contains(&config.forwarded_from, ip)
        && let Some(slot) = connection.slot_mut()
        && let Err(reason) = slot.take_address(ip, config.max_per_address)
    {
        count_refusal(slot.table.protocol, reason);
        tracing::debug!(protocol = slot.table.protocol, peer = %ip, ?reason, "refused");
        if config.tls != TlsMode::Implicit {
            let _ = tokio::time::timeout(GOODBYE, connection.write_all(refusal(reason))).await;
            let _ = tokio::time::timeout(GOODBYE, connection.shutdown()).await;
        }
        return None;
    }
    if config.tls == TlsMode::Implicit
        && let Some(tls) = tls
    {
        return match connection.implicit_tls(&tls).await {
            Ok(connection) => Some(connection),
            Err(error) => {
                tracing::debug!(peer = %ip, %error, "no TLS");
                None
            }
        };
    }
    Some(connection)
}

/// Who is connected to one listener.
#[derive(Debug)]
struct Table {
    protocol: &'static str,
    total: Arc<Semaphore>,
    by_address: Mutex<HashMap<IpAddr, usize>>,
    often: TokenBuckets<IpAddr>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    table: Arc<Table>,
    address: Option<IpAddr>,
    _permit: OwnedSemaphorePermit,
}

impl Slot {
    fn new(table: Arc<Table>, permit: OwnedSemaphorePermit) -> Self {
        metrics::gauge!("kontor_connections_open", "protocol" => table.protocol).increment(1.0);
        Self { table, address: None, _permit: permit }
    }

    fn take_address(&mut self, ip: IpAddr, most: usize) -> Result<(), Refused> {
        let key = crate::rate::client_network(ip);
        if !self.table.often.take(key, 1.0, Instant::now()) {
            return Err(Refused::TooOften);
        }
        let mut by_address = self.table.by_address.lock();
        let count = by_address.entry(key).or_insert(0);
        if *count >= most.max(1) {
            return Err(Refused::TooManyFromAddress);
        }
        *count += 1;
        self.address = Some(key);
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        metrics::gauge!("kontor_connections_open", "protocol" => self.table.protocol).decrement(1.0);
        let Some(key) = self.address else { return };
        let mut by_address = self.table.by_address.lock();
        if let Some(count) = by_address.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&key);
            }
        }
    }
}

/// Why there is no listener.
#[derive(Debug, Error)]
pub enum BindError {
    /// The address is taken, not ours, or needs rights.
    #[error("cannot listen on {address} for {protocol}: {source}")]
    Socket {
        /// The listener's name.
        protocol: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Implicit TLS without a certificate.
    #[error("{protocol} on {address} begins with TLS and there is no certificate: set tls.certificates")]
    NoCertificate {
        /// The listener's name.
        protocol: &'static str,
        /// The address.
        address: SocketAddr,
    },
}

impl BindError {
    /// Whether somebody else listens there.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Socket { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

fn bind(config: &ListenerConfig) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(config.bind), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if config.bind.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&config.bind.into())?;
    socket.listen(config.backlog)?;
    TcpListener::from_std(socket.into())
}

fn contains(networks: &[IpNet], ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    networks.iter().any(|network| network.contains(&ip))
}

fn count_refusal(protocol: &'static str, reason: Refused) {
    let reason = match reason {
        Refused::TooMany => "too_many",
        Refused::TooManyFromAddress => "too_many_from_address",
        Refused::TooOften => "too_often",
    };
    metrics::counter!("kontor_connections_refused_total", "protocol" => protocol, "reason" => reason)
        .increment(1);
}

/// Errors of accept(2) that say something about the client and nothing about us.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);
const PROXY_DEADLINE: Duration = Duration::from_secs(5);
const GOODBYE: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(120);
const TABLE: usize = 100_000;
