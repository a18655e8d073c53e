//! What is counted and logged of an exchange, once, when it is over.
//!
//! Metrics: `kontor_http_requests_total{route,method,status}` with the classes of both (`read`, `write`, `stream`;
//! `2xx`), `kontor_http_response_seconds{route}` until the head of the response, `kontor_http_requests_in_flight{route}`,
//! `kontor_http_octets_total{route,direction}`. The log has the path but never the query, which ActiveSync fills with
//! names, and no header.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::{Method, StatusCode};
use metrics::{Counter, Gauge, Histogram};

use crate::body::BodyError;
use crate::client::Place;
use crate::endpoint::InFlight;
use crate::exchange::Exchange;

/// The metrics of one route, looked up once.
pub(crate) struct RouteMetrics {
    route: &'static str,
    requests: [[OnceLock<Counter>; STATUSES.len()]; METHODS.len()],
    seconds: Histogram,
    in_flight: Gauge,
    received: Counter,
    sent: Counter,
}

impl RouteMetrics {
    pub fn of(route: &'static str) -> Self {
        Self {
            route,
            requests: Default::default(),
            seconds: metrics::histogram!("kontor_http_response_seconds", "route" => route),
            in_flight: metrics::gauge!("kontor_http_requests_in_flight", "route" => route),
            received: metrics::counter!("kontor_http_octets_total", "route" => route, "direction" => "received"),
            sent: metrics::counter!("kontor_http_octets_total", "route" => route, "direction" => "sent"),
        }
    }

    fn count(&self, method: usize, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1).min(STATUSES.len() - 1);
        let Some(counter) = self.requests.get(method).and_then(|row| row.get(class)) else { return };
        counter
            .get_or_init(|| {
                let (method, status) = (METHODS.get(method).copied(), STATUSES.get(class).copied());
                metrics::counter!(
                    "kontor_http_requests_total",
                    "route" => self.route,
                    "method" => method.unwrap_or_default(),
                    "status" => status.unwrap_or_default()
                )
            })
            .increment(1);
    }
}

/// One exchange. Written down when dropped.
pub(crate) struct Record {
    metrics: Arc<RouteMetrics>,
    exchange: Arc<Exchange>,
    began: Instant,
    method: usize,
    status: StatusCode,
    outcome: Outcome,
    line: Option<Box<Line>>,
    /// Held as long as the exchange lasts.
    _upstream: Option<InFlight>,
    _place: Option<Place>,
}

/// What is logged; only made when somebody reads it.
struct Line {
    client: IpAddr,
    method: Method,
    host: String,
    path: String,
    upstream: Option<SocketAddr>,
    is_info: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Dropped before its end: the client went.
    Cancelled,
    Complete,
    Broken,
}

impl Record {
    pub fn new(
        metrics: Arc<RouteMetrics>,
        exchange: Arc<Exchange>,
        method: &Method,
        place: Option<Place>,
    ) -> Self {
        metrics.in_flight.increment(1.0);
        Self {
            metrics,
            exchange,
            began: Instant::now(),
            method: class_of(method),
            status: CLOSED,
            outcome: Outcome::Cancelled,
            line: None,
            _upstream: None,
            _place: place,
        }
    }

    /// Notes what the log wants to know, if anybody reads it.
    pub fn note(&mut self, client: IpAddr, method: &Method, host: &str, path: &str, is_info: bool) {
        let wanted = if is_info {
            tracing::enabled!(target: TARGET, tracing::Level::INFO)
        } else {
            tracing::enabled!(target: TARGET, tracing::Level::DEBUG)
        };
        if wanted {
            let (method, host, path) = (method.clone(), host.to_owned(), path.to_owned());
            self.line = Some(Box::new(Line { client, method, host, path, upstream: None, is_info }));
        }
    }

    /// The head of the response is there.
    pub fn answered(&mut self, status: StatusCode, upstream: Option<InFlight>) {
        self.status = status;
        self.metrics.seconds.record(self.began.elapsed());
        if let Some(line) = &mut self.line {
            line.upstream = upstream.as_ref().map(InFlight::address);
        }
        self._upstream = upstream;
    }

    /// All of it went out.
    pub fn complete(&mut self) {
        if self.outcome == Outcome::Cancelled {
            self.outcome = Outcome::Complete;
        }
    }

    /// The upstream broke off in the middle of the response.
    pub fn broken(&mut self, error: &BodyError) {
        self.outcome = Outcome::Broken;
        tracing::debug!(route = self.metrics.route, error = %chain(error), "a response broke off");
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let (received, sent) = self.exchange.octets();
        self.metrics.in_flight.decrement(1.0);
        self.metrics.received.increment(received);
        self.metrics.sent.increment(sent);
        self.metrics.count(self.method, self.status);
        let Some(line) = &self.line else { return };
        let upstream = line.upstream.map(|address| address.to_string());
        macro_rules! log {
            ($level:expr) => {
                tracing::event!(
                    target: TARGET,
                    $level,
                    client = %line.client,
                    method = %line.method,
                    host = line.host,
                    path = line.path,
                    route = self.metrics.route,
                    status = self.status.as_u16(),
                    upstream,
                    received,
                    sent,
                    ms = self.began.elapsed().as_millis() as u64,
                    outcome = ?self.outcome,
                )
            };
        }
        if line.is_info { log!(tracing::Level::INFO) } else { log!(tracing::Level::DEBUG) }
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn class_of(method: &Method) -> usize {
    match method.as_str() {
        "GET" | "HEAD" | "OPTIONS" | "PROPFIND" | "REPORT" | "SEARCH" => 0,
        "RPC_IN_DATA" | "RPC_OUT_DATA" => 2,
        _ => 1,
    }
}

const METHODS: [&str; 3] = ["read", "write", "stream"];
const STATUSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
const TARGET: &str = "kontor_ingress::access";
/// The client went before there was an answer; nginx calls it that too.
const CLOSED: StatusCode = match StatusCode::from_u16(499) {
    Ok(status) => status,
    Err(_) => StatusCode::BAD_REQUEST,
};
