//! `external.metrics.k8s.io/v1beta1`: open connections by pool, for HorizontalPodAutoscalers, so that no adapter has to
//! be installed.
//!
//! Only the API server may ask: a connection without a certificate of its front proxy
//! (`kube-system/extension-apiserver-authentication`) is refused in the handshake. The API server has authorized the
//! request before it comes here.

mod answer;
mod identity;

use crate::Context;
use answer::answer;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use identity::Identity;
pub use identity::Registration;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// Serves until something ends it.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(
    context: Arc<Context>,
    address: SocketAddr,
    registration: Registration,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let identity = Arc::new(Identity::new(context.client.clone(), registration));
    let keeping = identity.clone().keep();
    let accepting = accept(listener, identity, context);
    tokio::select! {
        () = keeping => anyhow::bail!("the keeping of the metrics API's certificate ended"),
        () = accepting => anyhow::bail!("the metrics API ended"),
    }
}

async fn accept(listener: TcpListener, identity: Arc<Identity>, context: Arc<Context>) {
    let places = Arc::new(Semaphore::new(PLACES));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // Before there is a certificate nobody can be answered.
        let Some(config) = identity.server_config() else { continue };
        let (identity, context) = (identity.clone(), context.clone());
        tokio::spawn(async move {
            let connection = connection(stream, TlsAcceptor::from(config), &identity, &context);
            if tokio::time::timeout(LONGEST, connection).await.is_err() {
                tracing::debug!("a connection to the metrics API took its time");
            }
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, identity: &Identity, context: &Context) {
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    let (_, session) = stream.get_ref();
    let allowed =
        session.peer_certificates().and_then(|chain| chain.first()).is_some_and(|leaf| identity.admits(leaf));
    let service = service_fn(|request: Request<Incoming>| {
        let response: Response<Full<Bytes>> = answer(&request, allowed, |namespace, deployment, pool| {
            context.observer.connections(namespace, deployment, pool)
        });
        async move { Ok::<_, Infallible>(response) }
    });
    let serving = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    if let Err(error) = serving.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection to the metrics API");
    }
}

const PLACES: usize = 64;
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The API server keeps its connections; it makes new ones when they end.
const LONGEST: Duration = Duration::from_secs(3600);
