//! The handler of the HTTP listeners: from a connection to requests.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ipnet::IpNet;
use kontor_gateway_core::listener::Refused;
use kontor_gateway_core::{Connection, Drain, Handler, Shared};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::body::ResponseBody;
use crate::client::{Peer, Scheme};
use crate::ingress::Ingress;
use crate::preface;

/// HTTP/1.1, and HTTP/2 where TLS agreed on it or, without TLS, where the client begins with it (RFC 9113 §3.3).
pub struct HttpServer {
    pub(crate) ingress: Arc<Ingress>,
    pub(crate) scheme: Scheme,
    /// Send clients to the listener with TLS.
    pub(crate) redirect: bool,
    /// Proxies that are believed.
    pub(crate) trusted: Vec<IpNet>,
}

impl Handler for HttpServer {
    async fn serve(self: Arc<Self>, mut connection: Connection, shared: Shared) {
        let ip: IpAddr = connection.peer_ip();
        let settings = self.ingress.settings();
        let (is_h2, early) = match connection.tls() {
            Some(tls) => (tls.alpn.as_deref() == Some("h2"), Vec::new()),
            None if !self.ingress.knows_prior_knowledge() => (false, Vec::new()),
            None => {
                let read = tokio::time::timeout(settings.header_timeout, preface::read(&mut connection));
                let first = tokio::select! {
                    first = read => first,
                    // Nothing was asked yet.
                    () = shared.drain.begun() => return,
                };
                let Ok(Ok(first)) = first else { return };
                (first.is_h2, first.octets)
            }
        };
        let peer = Arc::new(Peer::new(ip, self.scheme, is_h2));
        let requests = Requests { server: self.clone(), peer: peer.clone(), drain: shared.drain.clone() };
        // A proxy hears within this that we are going; until then each answer says so, and no request that is on its way is
        // met by a closed connection. HTTP/2 has words for that.
        let is_proxy = self.trusted.iter().any(|network| network.contains(&ip));
        let notice = if is_proxy && !is_h2 { NOTICE.min(settings.drain / 3) } else { Duration::ZERO };
        let times = Times { notice, drain: settings.drain };
        let io = TokioIo::new(Watched::new(connection, early, settings.write_timeout));
        if is_h2 {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS)
                .max_header_list_size(settings.max_header)
                .max_send_buf_size(SEND_BUFFER)
                .keep_alive_interval(PING_EVERY)
                .keep_alive_timeout(PONG_WITHIN)
                .serve_connection(io, requests);
            let connection = pin!(connection);
            serve(connection, |connection| connection.graceful_shutdown(), &peer, &shared, times).await;
        } else {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(settings.header_timeout)
                .max_headers(MOST_HEADERS)
                .max_header_size(settings.max_header as usize)
                .max_buf_size((settings.max_header as usize).max(READ_BUFFER))
                .serve_connection(io, requests)
                .with_upgrades();
            let connection = pin!(connection);
            serve(connection, |connection| connection.graceful_shutdown(), &peer, &shared, times).await;
        }
    }

    fn refusal(&self, reason: Refused) -> &'static [u8] {
        match reason {
            Refused::TooMany => {
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            }
            Refused::TooManyFromAddress | Refused::TooOften => {
                b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            }
        }
    }
}

/// How a connection ends.
#[derive(Clone, Copy)]
struct Times {
    /// How long it is kept for those who do not know yet that we are going.
    notice: Duration,
    /// How long all of it may take.
    drain: Duration,
}

/// Runs a connection. When the drain begins it takes no new requests and ends with those that it has; the ones that
/// only wait are answered early, and what then is still there is cut.
async fn serve<C>(
    mut connection: Pin<&mut C>,
    leave: impl FnOnce(Pin<&mut C>),
    peer: &Peer,
    shared: &Shared,
    times: Times,
) where
    C: Future<Output = hyper::Result<()>>,
{
    let stalled = async {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if peer.has_stalled() {
                return;
            }
        }
    };
    tokio::select! {
        ended = connection.as_mut() => return note(peer, ended),
        () = stalled => {
            tracing::debug!(client = %peer.ip, "a client takes nothing, its connection is closed");
            return;
        }
        () = shared.drain.begun() => {}
    }
    if !times.notice.is_zero() {
        tokio::select! {
            ended = connection.as_mut() => return note(peer, ended),
            () = tokio::time::sleep(times.notice) => {}
        }
    }
    leave(connection.as_mut());
    let wait = jitter(times.drain).saturating_sub(times.notice);
    tokio::select! {
        ended = connection.as_mut() => return note(peer, ended),
        () = tokio::time::sleep(wait) => {}
    }
    peer.ending.cancel();
    // Those that wait are told now; a moment for the words to go out.
    let _ = tokio::time::timeout(LAST_WORDS, connection).await;
}

fn note(peer: &Peer, ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(client = %peer.ip, error = %crate::record::chain(&error), "a connection ended");
    }
}

/// Resolves when a tunnel is to end: some time after the drain began, not all at once.
pub(crate) async fn ending(drain: Drain, longest: Duration) {
    drain.begun().await;
    tokio::time::sleep(jitter(longest)).await;
}

fn jitter(drain: Duration) -> Duration {
    drain.mul_f64(rand::random_range(0.5..1.0))
}

/// The requests of one connection. The future is boxed for each: an idle connection holds none.
struct Requests {
    server: Arc<HttpServer>,
    peer: Arc<Peer>,
    drain: Drain,
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (server, peer, drain) = (self.server.clone(), self.peer.clone(), self.drain.clone());
        Box::pin(async move {
            let is_h1 = request.version() < Version::HTTP_2;
            let mut response = server.ingress.answer(request, &peer, &server, &drain).await;
            let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            if is_h1 && !is_upgrade && drain.is_begun() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        })
    }
}

/// A client that takes nothing of what is written to it ends.
struct Watched {
    connection: Connection,
    /// What was read already.
    early: Vec<u8>,
    longest: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    fn new(connection: Connection, early: Vec<u8>, longest: Duration) -> Self {
        Self { connection, early, longest, timer: None }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.timer = None;
            return polled;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.longest)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.early.is_empty() {
            return Pin::new(&mut this.connection).poll_read(cx, buffer);
        }
        let some = this.early.len().min(buffer.remaining());
        buffer.put_slice(&this.early.drain(..some).collect::<Vec<u8>>());
        if this.early.is_empty() {
            this.early = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.connection).poll_write(cx, bytes);
        this.watch(cx, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.connection).poll_write_vectored(cx, bytes);
        this.watch(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.connection).poll_flush(cx);
        this.watch(cx, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.connection).poll_shutdown(cx);
        this.watch(cx, polled)
    }
}

/// Longer than an ingress of ours takes to look after its upstreams again.
const NOTICE: Duration = Duration::from_secs(6);
const STREAMS: u32 = 128;
const MOST_HEADERS: usize = 100;
const READ_BUFFER: usize = 64 << 10;
const SEND_BUFFER: usize = 64 << 10;
const PING_EVERY: Duration = Duration::from_secs(60);
const PONG_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_secs(15);
const LAST_WORDS: Duration = Duration::from_secs(1);
