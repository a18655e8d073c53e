//! How many calls there are, how long they take, and how they end.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::future::FutureExt;
use tower::{Layer, Service};

/// Counts calls by method: `kontor_store_calls_total{method,outcome}` and `kontor_store_call_seconds{method}`
/// (until the answer begins; a stream may go on after that).
#[derive(Clone, Copy, Debug)]
pub(crate) struct MeasureLayer;

impl<S> Layer<S> for MeasureLayer {
    type Service = Measure<S>;

    fn layer(&self, inner: S) -> Measure<S> {
        Measure { inner }
    }
}

/// A service that is measured.
#[derive(Clone, Debug)]
pub(crate) struct Measure<S> {
    inner: S,
}

impl<S, B, R> Service<http::Request<B>> for Measure<S>
where
    S: Service<http::Request<B>, Response = http::Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let method = METHODS.iter().find(|m| **m == request.uri().path()).copied().unwrap_or("other");
        let begun = Instant::now();
        let answer = self.inner.call(request);
        async move {
            let answer = answer.await;
            let outcome = match &answer {
                // An error that ends a call before its stream is in the headers.
                Ok(response) => match response.headers().get("grpc-status").map(|v| v.as_bytes()) {
                    None | Some(b"0") => "ok",
                    Some(b"14" | b"4") => "unavailable",
                    Some(b"13" | b"2") => "defect",
                    Some(_) => "refused",
                },
                Err(_) => "defect",
            };
            metrics::counter!("kontor_store_calls_total", "method" => method, "outcome" => outcome)
                .increment(1);
            metrics::histogram!("kontor_store_call_seconds", "method" => method).record(begun.elapsed());
            answer
        }
        .boxed()
    }
}

/// Known paths, so that a stranger's make no labels.
const METHODS: &[&str] = &[
    "/kontor.storage.v1.Directory/Authenticate",
    "/kontor.storage.v1.Directory/RenewSession",
    "/kontor.storage.v1.Directory/ResolveRecipients",
    "/kontor.storage.v1.Directory/Apply",
    "/kontor.storage.v1.Directory/List",
    "/kontor.storage.v1.Mailbox/Open",
    "/kontor.storage.v1.Mailbox/ListFolders",
    "/kontor.storage.v1.Mailbox/Skeleton",
    "/kontor.storage.v1.Mailbox/Changes",
    "/kontor.storage.v1.Mailbox/Fetch",
    "/kontor.storage.v1.Mailbox/Search",
    "/kontor.storage.v1.Mailbox/StoreFlags",
    "/kontor.storage.v1.Mailbox/Copy",
    "/kontor.storage.v1.Mailbox/Expunge",
    "/kontor.storage.v1.Mailbox/Append",
    "/kontor.storage.v1.Delivery/Deliver",
    "/kontor.storage.v1.Bodies/Put",
    "/kontor.storage.v1.Bodies/Read",
    "/kontor.storage.v1.Queue/Enqueue",
    "/kontor.storage.v1.Queue/Lease",
    "/kontor.storage.v1.Queue/Report",
];
