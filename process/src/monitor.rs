//! Metrics and health over HTTP: `/metrics` (Prometheus text), `/healthz` (the process lives), `/readyz` (send it
//! clients).
//!
//! Names that every gateway uses: `kontor_connections_open{protocol}`, `kontor_connections_total{protocol}`,
//! `kontor_connections_refused_total{protocol,reason}`, `kontor_auth_total{result}`, `kontor_tls_handshakes_total
//! {result}`, `kontor_tls_reloads_total{result}`, `kontor_message_memory_bytes`, and for their own work
//! `kontor_commands_total{protocol,command,result}` and `kontor_command_seconds{protocol,command}`.

use crate::drain::Drain;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Whether this process should get clients. Cheap to clone; all clones are one.
///
/// Ready means that no named need is unmet and no drain has begun. A process starts with no needs; a gateway
/// declares `store` unmet before it listens and keeps it true to what it sees.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<RwLock<BTreeMap<&'static str, bool>>>);

impl Health {
    /// Says whether a need is met (`store`, `listeners`).
    pub fn set(&self, need: &'static str, met: bool) {
        let before = self.0.write().insert(need, met);
        if before.is_some_and(|before| before != met) {
            if met {
                tracing::info!(need, "ready again");
            } else {
                tracing::warn!(need, "not ready");
            }
        }
    }

    /// Whether every need is met.
    pub fn is_ready(&self) -> bool {
        self.0.read().values().all(|met| *met)
    }

    /// The needs that are not met.
    pub fn unmet(&self) -> Vec<&'static str> {
        self.0.read().iter().filter(|(_, met)| !**met).map(|(need, _)| *need).collect()
    }
}

/// Makes this process count, once; later calls return the same handle.
pub fn install_metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
                .expect("the buckets are not empty");
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::error!("another metrics recorder is installed, /metrics stays empty");
            }
            handle
        })
        .clone()
}

/// Serves `/metrics`, `/healthz` and `/readyz` until the drain has *finished*: while it drains, the balancer has to
/// hear that it is not ready.
///
/// # Errors
/// When the address cannot be bound. Returns the bound address.
pub fn serve(bind: SocketAddr, health: Health, drain: Drain) -> Result<SocketAddr, std::io::Error> {
    let listener = std::net::TcpListener::bind(bind)?;
    listener.set_nonblocking(true)?;
    let (local, listener) = (listener.local_addr()?, TcpListener::from_std(listener)?);
    let handle = install_metrics();
    let upkeep = handle.clone();
    // Not the drain's own tasks: these would keep it waiting for themselves.
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(PLACES));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (handle, health, drain) = (handle.clone(), health.clone(), drain.clone());
            tokio::spawn(async move {
                let service = service_fn(|request: Request<Incoming>| {
                    let response = answer(request.method(), request.uri().path(), &handle, &health, &drain);
                    async move { Ok::<_, Infallible>(response) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(Duration::from_secs(10))
                    .serve_connection(TokioIo::new(stream), service);
                let _ = tokio::time::timeout(LONGEST, connection).await;
                drop(place);
            });
        }
    });
    tracing::info!(address = %local, "metrics and health");
    Ok(local)
}

fn answer(
    method: &Method,
    path: &str,
    handle: &PrometheusHandle,
    health: &Health,
    drain: &Drain,
) -> Response<Full<Bytes>> {
    let (status, body) = match path {
        _ if method != Method::GET && method != Method::HEAD => {
            (StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned())
        }
        "/metrics" => {
            process_metrics();
            (StatusCode::OK, handle.render())
        }
        "/healthz" => (StatusCode::OK, "ok\n".to_owned()),
        "/readyz" if drain.is_begun() => (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned()),
        "/readyz" if health.is_ready() => (StatusCode::OK, "ready\n".to_owned()),
        "/readyz" => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for: {}\n", health.unmet().join(", ")))
        }
        _ => (StatusCode::NOT_FOUND, "try /metrics, /healthz or /readyz\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

/// Resident memory, by the name that Prometheus' own clients use.
fn process_metrics() {
    let Ok(statm) = std::fs::read_to_string("/proc/self/statm") else { return };
    if let Some(pages) = statm.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()) {
        metrics::gauge!("process_resident_memory_bytes").set(pages * PAGE);
    }
}

const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
const UPKEEP: Duration = Duration::from_secs(5);
/// Scrapers at once; more wait.
const PLACES: usize = 64;
/// A connection's whole life.
const LONGEST: Duration = Duration::from_secs(300);
const PAGE: f64 = 4096.0;
