//! An upstream in the same process: a service, and no socket in between.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Body;
use hyper::service::Service;

use crate::body::RequestBody;

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

pub(crate) type LocalBody = UnsyncBoxBody<Bytes, BoxError>;
type LocalFuture = Pin<Box<dyn Future<Output = Result<Response<LocalBody>, BoxError>> + Send>>;

/// A gateway that is served by this process. Cheap to clone.
///
/// It gets requests as a remote one would: cleaned, with `X-Forwarded-*` set. [`ClientAddress`] is in the extensions
/// as well, and `hyper::upgrade::OnUpgrade` for an upgrade.
#[derive(Clone)]
pub struct Local(Arc<dyn Fn(Request<RequestBody>) -> LocalFuture + Send + Sync>);

/// The client that a request comes from, in the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl Local {
    /// From a hyper service. (A tower one becomes that by `hyper_util::service::TowerToHyperService`.)
    pub fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<RequestBody>, Response = Response<B>> + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Arc::new(move |request| {
            let answer = service.call(request);
            Box::pin(async move {
                let response = answer.await.map_err(Into::into)?;
                Ok(response.map(|body| UnsyncBoxBody::new(body.map_err(Into::into))))
            })
        }))
    }

    pub(crate) async fn call(&self, request: Request<RequestBody>) -> Result<Response<LocalBody>, BoxError> {
        (self.0)(request).await
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Local")
    }
}
