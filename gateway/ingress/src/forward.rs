//! One request on its way to an upstream, until the head of the response is there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, request};
use hyper::body::{Body, Incoming};
use hyper::client::conn::TrySendError;
use tokio::time::Instant;

use crate::body::{Gate, RequestBody};
use crate::client::Peer;
use crate::endpoint::InFlight;
use crate::exchange::Exchange;
use crate::record::chain;
use crate::refusal::Refusal;
use crate::upstream::{Pool, Wish};

/// What a request needs on its way.
pub(crate) struct Way<'a> {
    pub pool: &'a Pool,
    pub wish: Wish<'a>,
    pub peer: &'a Peer,
    pub exchange: &'a Arc<Exchange>,
    pub idle: Duration,
    pub max_body: u64,
    pub connect_timeout: Duration,
    pub upstream_wait: Duration,
}

/// The head of a response, and where it comes from.
pub(crate) struct Answer {
    pub response: Response<Incoming>,
    pub upstream: InFlight,
    /// What names the upstream in affinity cookies.
    pub token: String,
}

impl Way<'_> {
    /// Sends a request to one upstream after the other, as long as it is certain that none has seen it, or that
    /// seeing it twice does no harm.
    ///
    /// # Errors
    /// What to tell the client.
    pub async fn send(&self, mut request: Request<RequestBody>) -> Result<Answer, Refusal> {
        let mut replay = replay_of(&request);
        let mut tried: Vec<SocketAddr> = Vec::new();
        let mut reuse = true;
        let target = self.pool.target;
        let until = Instant::now() + self.upstream_wait;
        loop {
            let chosen = self.pool.choose(self.wish, &tried).filter(|_| tried.len() < MOST_TRIED);
            let Some(endpoint) = chosen else {
                if self.or_ending(self.pool.look_again(until)).await? {
                    tried.clear();
                    continue;
                }
                return Err(if tried.is_empty() {
                    Refusal::NoUpstream(target)
                } else {
                    Refusal::Unreachable(target)
                });
            };
            let upstream = endpoint.begin();
            let reused = if reuse { endpoint.reuse() } else { None };
            let is_reused = reused.is_some();
            let mut sender = match reused {
                Some(sender) => sender,
                None => match self.or_ending(endpoint.connect(self.connect_timeout)).await? {
                    Ok(sender) => sender,
                    Err(error) => {
                        tracing::debug!(gateway = target, address = %endpoint.address, %error, "cannot connect to an upstream");
                        endpoint.failed();
                        tried.push(endpoint.address);
                        continue;
                    }
                },
            };
            self.exchange.touch();
            match self.head(sender.try_send_request(request)).await? {
                Ok(response) => {
                    self.pool.reached(&endpoint);
                    if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
                        endpoint.keep(sender);
                    }
                    let token = endpoint.token.clone();
                    return Ok(Answer { response, upstream, token });
                }
                Err(mut error) => {
                    if let Some(refusal) = Refusal::blamed(self.exchange.blamed(), self.max_body) {
                        return Err(refusal);
                    }
                    tracing::debug!(gateway = target, address = %endpoint.address, is_reused, error = %chain(error.error()), "an upstream broke off");
                    let again = error.take_message().or_else(|| {
                        let parts = replay.take().filter(|_| is_reused)?;
                        Some(Request::from_parts(parts, RequestBody::empty(self.exchange.clone())))
                    });
                    if !is_reused {
                        endpoint.failed();
                        tried.push(endpoint.address);
                    }
                    match again {
                        Some(again) if tried.len() < MOST_TRIED => request = again,
                        _ => return Err(Refusal::Broken(target)),
                    }
                    // A kept connection that broke says that its like have broken as well.
                    endpoint.forget_idle(true);
                    reuse = false;
                }
            }
        }
    }

    async fn or_ending<T>(&self, work: impl Future<Output = T>) -> Result<T, Refusal> {
        tokio::select! {
            done = work => Ok(done),
            () = self.peer.ending.cancelled() => Err(Refusal::Draining),
        }
    }

    async fn head(
        &self,
        sending: impl Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>>,
    ) -> Result<Result<Response<Incoming>, TrySendError<Request<RequestBody>>>, Refusal> {
        self.watched(sending).await
    }

    /// Waits for the head of a response, as long as somebody says something now and then.
    pub async fn watched<T>(&self, answer: impl Future<Output = T>) -> Result<T, Refusal> {
        watched(answer, self.exchange, self.idle, self.peer, self.pool.target).await
    }
}

/// See [`Way::watched`].
pub(crate) async fn watched<T>(
    answer: impl Future<Output = T>,
    exchange: &Exchange,
    idle: Duration,
    peer: &Peer,
    target: &'static str,
) -> Result<T, Refusal> {
    tokio::pin!(answer);
    loop {
        let Some(left) = exchange.left_of(idle.saturating_add(PRECEDENCE)) else {
            return Err(Refusal::Timeout(target));
        };
        tokio::select! {
            biased;
            answer = &mut answer => return Ok(answer),
            () = peer.ending.cancelled() => return Err(Refusal::Draining),
            () = tokio::time::sleep(left) => {}
        }
    }
}

/// Lets the upstream say whether it wants the body, and not us (RFC 9110 §10.1.1).
pub(crate) fn hold_body(request: &mut Request<RequestBody>, exchange: &Arc<Exchange>) -> Gate {
    let gate = request.body_mut().hold();
    let (opened, exchange) = (gate.clone(), exchange.clone());
    hyper::ext::on_informational(request, move |response| {
        exchange.touch();
        if response.status() == http::StatusCode::CONTINUE {
            opened.open();
        }
    });
    gate
}

/// The head of a request that may be sent twice: one without a body that changes nothing (RFC 9110 §9.2.2).
fn replay_of(request: &Request<RequestBody>) -> Option<request::Parts> {
    let method = request.method();
    let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
        || matches!(method.as_str(), "PROPFIND" | "REPORT" | "SEARCH");
    if !is_safe || !request.body().is_end_stream() {
        return None;
    }
    let mut builder = Request::builder().method(method.clone()).uri(request.uri().clone());
    if let Some(headers) = builder.headers_mut() {
        headers.clone_from(request.headers());
    }
    builder.body(()).ok().map(|request| request.into_parts().0)
}

/// When the client is the one that is silent, its own body notices first.
const PRECEDENCE: Duration = Duration::from_millis(500);
/// Upstreams that are tried for one request.
const MOST_TRIED: usize = 3;
