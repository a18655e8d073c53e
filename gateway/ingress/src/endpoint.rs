//! One address of an upstream: its connections, and what we think of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;

use crate::body::RequestBody;
use crate::exchange;

/// One address of an upstream.
pub(crate) struct Endpoint {
    pub address: SocketAddr,
    /// What names it in affinity cookies.
    pub token: String,
    idle: Mutex<Vec<(SendRequest<RequestBody>, Instant)>>,
    in_flight: AtomicUsize,
    checked: AtomicU8,
    failures: AtomicU32,
    ejected_until: AtomicU64,
}

/// How good an endpoint is; a lower one is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// Its health check says so.
    Healthy,
    /// Not asked yet.
    Unknown,
    /// It failed; tried when there is nothing better, since a check may be wrong.
    Doubtful,
}

impl Endpoint {
    pub fn new(address: SocketAddr, token: String) -> Self {
        Self {
            address,
            token,
            idle: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            checked: AtomicU8::new(UNKNOWN),
            failures: AtomicU32::new(0),
            ejected_until: AtomicU64::new(0),
        }
    }

    pub fn rank(&self) -> Rank {
        if self.ejected_until.load(Ordering::Relaxed) > exchange::now() {
            return Rank::Doubtful;
        }
        match self.checked.load(Ordering::Relaxed) {
            UP => Rank::Healthy,
            UNKNOWN => Rank::Unknown,
            _ => Rank::Doubtful,
        }
    }

    /// What the health check found. True when that is news.
    pub fn set_checked(&self, is_up: bool) -> bool {
        let now = if is_up { UP } else { DOWN };
        self.checked.swap(now, Ordering::Relaxed) != now
    }

    /// A request is on its way there.
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self.clone())
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// It could not be reached, or broke a new connection: it gets a rest, longer each time.
    pub fn failed(&self) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        let rest = FIRST_REST.saturating_mul(1 << failures.min(6)).min(LONGEST_REST);
        let until = exchange::now().saturating_add(u64::try_from(rest.as_millis()).unwrap_or(u64::MAX));
        self.ejected_until.store(until, Ordering::Relaxed);
    }

    /// It answered.
    pub fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.ejected_until.store(0, Ordering::Relaxed);
        }
    }

    /// A connection that was used before and seems to live.
    pub fn reuse(&self) -> Option<SendRequest<RequestBody>> {
        let mut idle = self.idle.lock();
        while let Some((sender, since)) = idle.pop() {
            if sender.is_ready() && since.elapsed() < KEPT {
                return Some(sender);
            }
        }
        None
    }

    /// A new connection.
    pub async fn connect(&self, deadline: Duration) -> io::Result<SendRequest<RequestBody>> {
        let stream = connect(self.address, deadline).await?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(READ_BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // It ends with its sender.
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to an upstream ended");
            }
        });
        Ok(sender)
    }

    /// Keeps a connection for the next request, as soon as this one's is over.
    pub fn keep(self: &Arc<Self>, mut sender: SendRequest<RequestBody>) {
        let this = self.clone();
        tokio::spawn(async move {
            if sender.ready().await.is_ok() {
                let mut idle = this.idle.lock();
                if idle.len() < MOST_KEPT {
                    idle.push((sender, Instant::now()));
                }
            }
        });
    }

    /// Forgets connections that nobody uses; all of them when `all`.
    pub fn forget_idle(&self, all: bool) {
        self.idle.lock().retain(|(sender, since)| !all && !sender.is_closed() && since.elapsed() < KEPT);
    }
}

/// A request that is on its way to an endpoint.
pub(crate) struct InFlight(Arc<Endpoint>);

impl InFlight {
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Connects within a deadline.
pub(crate) async fn connect(address: SocketAddr, deadline: Duration) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(deadline, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

const UNKNOWN: u8 = 0;
const UP: u8 = 1;
const DOWN: u8 = 2;
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// Less than our gateways keep a connection that says nothing, so that they do not close one that we are about to use.
const KEPT: Duration = Duration::from_secs(30);
const MOST_KEPT: usize = 256;
const READ_BUFFER: usize = 128 << 10;
