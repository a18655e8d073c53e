//! TCP routes: octets forwarded as they are, with the client's address in front.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kontor_gateway_core::{Connection, Handler, Shared, proxy};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::endpoint::{InFlight, connect};
use crate::server::ending;
use crate::tunnel::tunnel;
use crate::upstream::{Pool, Wish};

/// The handler of one TCP route's listeners. They must not do TLS: it is the upstream's.
pub struct TcpServer {
    pub(crate) pool: Arc<Pool>,
    pub(crate) proxy_protocol: bool,
    pub(crate) idle: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) upstream_wait: Duration,
    pub(crate) drain: Duration,
}

impl TcpServer {
    /// The first upstream that can be reached and takes the header.
    async fn reach(&self, connection: &Connection) -> Option<(TcpStream, InFlight)> {
        let mut tried: Vec<SocketAddr> = Vec::new();
        let until = Instant::now() + self.upstream_wait;
        loop {
            let chosen = self.pool.choose(Wish::None, &tried).filter(|_| tried.len() < MOST_TRIED);
            let Some(endpoint) = chosen else {
                if !self.pool.look_again(until).await {
                    return None;
                }
                tried.clear();
                continue;
            };
            let in_flight = endpoint.begin();
            let reached = async {
                let mut stream = connect(endpoint.address, self.connect_timeout).await?;
                if self.proxy_protocol {
                    let header = proxy::encode_v2(connection.peer(), connection.local());
                    stream.write_all(&header).await?;
                }
                std::io::Result::Ok(stream)
            };
            match reached.await {
                Ok(stream) => {
                    self.pool.reached(&endpoint);
                    return Some((stream, in_flight));
                }
                Err(error) => {
                    tracing::debug!(gateway = self.pool.target, address = %endpoint.address, %error, "cannot connect to an upstream");
                    endpoint.failed();
                    tried.push(endpoint.address);
                }
            }
        }
    }
}

impl Handler for TcpServer {
    async fn serve(self: Arc<Self>, connection: Connection, shared: Shared) {
        let target = self.pool.target;
        let Some((stream, _in_flight)) = Box::pin(self.reach(&connection)).await else {
            // No protocol of these has words for it that fit all of them; a closed connection is tried again.
            tracing::warn!(gateway = target, "no upstream can be reached, a client is sent away");
            metrics::counter!("kontor_tcp_unreachable_total", "route" => target).increment(1);
            return;
        };
        let peer = connection.peer_ip();
        let (received, sent) = tunnel(connection, stream, self.idle, ending(shared.drain, self.drain)).await;
        metrics::counter!("kontor_tcp_octets_total", "route" => target, "direction" => "received")
            .increment(received);
        metrics::counter!("kontor_tcp_octets_total", "route" => target, "direction" => "sent")
            .increment(sent);
        tracing::debug!(client = %peer, route = target, received, sent, "a connection ended");
    }
}

const MOST_TRIED: usize = 3;
