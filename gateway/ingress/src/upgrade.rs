//! `101 Switching Protocols`: from there on both sides have the connection for themselves (WebSocket and the like).

use std::future::Future;
use std::time::Duration;

use http::{Request, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use kontor_gateway_core::Drain;

use crate::tunnel::tunnel;

/// The client's half: to be taken before the request is sent on.
pub(crate) fn of_client<B>(request: &mut Request<B>) -> OnUpgrade {
    hyper::upgrade::on(request)
}

/// Joins both halves once our `101` is out; ends with either side, after a silence, or when the drain wants it.
pub(crate) fn join<B>(
    client: OnUpgrade,
    response: &mut Response<B>,
    idle: Duration,
    ending: impl Future<Output = ()> + Send + 'static,
    drain: &Drain,
    held: impl Send + 'static,
) {
    let upstream = hyper::upgrade::on(response);
    drain.spawn(async move {
        let _held = held;
        let both = async { tokio::try_join!(client, upstream) };
        let Ok(Ok((client, upstream))) = tokio::time::timeout(TAKEN_UP, both).await else { return };
        let (sent, received) = tunnel(TokioIo::new(client), TokioIo::new(upstream), idle, ending).await;
        tracing::debug!(received, sent, "a tunnel ended");
    });
}

const TAKEN_UP: Duration = Duration::from_secs(30);
