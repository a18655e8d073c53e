//! From a request of HTTP to the method that answers it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ALLOW, CONTENT_LENGTH, HeaderName, LOCATION};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as HttpBody;
use kontor_dav_proto::{Href, Limits};
use kontor_gateway_core::{Budget, Permit, Shared};
use kontor_storage_client::StoreClient;

use crate::answer::{Answer, Body, Failure, put, status};
use crate::call::Call;
use crate::condition::if_holds;
use crate::config::DavConfig;
use crate::method;
use crate::place::Place;
use crate::sign_in::SignIn;
use crate::subscription::Subscriptions;

/// Answers requests. One for a process.
pub struct Gateway {
    config: DavConfig,
    limits: Limits,
    sign_in: SignIn,
    subscriptions: Arc<Subscriptions>,
    budget: Budget,
}

impl Gateway {
    /// Over a store; wrong passwords and the memory for bodies are counted with all else that the process does.
    pub fn new(config: DavConfig, store: StoreClient, shared: &Shared) -> Arc<Self> {
        let sign_in = SignIn::new(store, shared.auth.clone(), config.sign_in_for);
        let subscriptions = Subscriptions::new(&config.subscriptions);
        let budget = shared.budget.clone();
        Arc::new(Self { config, limits: Limits::default(), sign_in, subscriptions, budget })
    }

    /// Answers a request of a client. It never fails: what goes wrong is an answer too.
    pub async fn answer<B>(&self, request: Request<B>, client: IpAddr) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let method = request.method().clone();
        let (parts, body) = request.into_parts();
        let mut body = Some(body);
        let answered = self.try_answer(&parts, &mut body, client).await;
        if let Some(body) = body {
            discard(body).await;
        }
        let mut answer = match answered {
            Ok(answer) => answer,
            Err(failure) => {
                let mut answer = failure.answer();
                if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
                    put(&mut answer, ALLOW, METHODS);
                }
                answer
            }
        };
        put(&mut answer, DAV, CLASSES);
        let code = answer.status().as_str().to_owned();
        let method = if METHODS.split(", ").any(|known| known == method.as_str()) {
            method.to_string()
        } else {
            "other".to_owned()
        };
        metrics::counter!("kontor_dav_requests_total", "method" => method, "status" => code).increment(1);
        answer
    }

    /// The body is left where it is not needed.
    async fn try_answer<B>(
        &self,
        parts: &Parts,
        body: &mut Option<B>,
        client: IpAddr,
    ) -> Result<Answer, Failure>
    where
        B: HttpBody<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if let Some(elsewhere) = elsewhere(parts.uri.path()) {
            let mut answer = status(StatusCode::MOVED_PERMANENTLY);
            put(&mut answer, LOCATION, &elsewhere);
            return Ok(answer);
        }
        if parts.method == Method::OPTIONS {
            let mut answer = status(StatusCode::OK);
            put(&mut answer, ALLOW, METHODS);
            return Ok(answer);
        }
        let session = self.sign_in.session(&parts.headers, client).await?;
        let href = Href::parse(parts.uri.path(), &self.limits)
            .map_err(|_| Failure::Status(StatusCode::BAD_REQUEST, "this path cannot be read"))?;
        let place = Place::of(&href).ok_or_else(Failure::not_found)?;
        let limit = match (&parts.method, &place) {
            (&Method::POST, Place::Item(..)) => self.config.max_attachment,
            (&Method::PUT | &Method::POST, _) => self.config.max_item,
            _ => self.limits.body as u64,
        };
        let stated =
            parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if stated.is_some_and(|stated| stated > limit) {
            return Err(TOO_LARGE);
        }
        // The permit is held until the request is answered.
        let (body, _permit) = match body.take() {
            Some(body) => read(body, stated.unwrap_or(0), limit, &self.budget).await?,
            None => (Bytes::new(), self.budget.acquire(0).await?),
        };
        let call = Call {
            session: &session,
            headers: &parts.headers,
            query: parts.uri.query().unwrap_or_default(),
            body,
            limits: &self.limits,
            config: &self.config,
            subscriptions: &self.subscriptions,
        };
        if !HAVE_VERSIONS.contains(&parts.method.as_str()) {
            if_holds(&call, &place).await?;
        }
        match parts.method.as_str() {
            "GET" | "HEAD" => method::get(&call, &place, parts.method == Method::HEAD).await,
            "PUT" => method::put(&call, &place).await,
            "POST" => method::post(&call, &place).await,
            "DELETE" => method::delete(&call, &place).await,
            "PROPFIND" => method::propfind(&call, &place).await,
            "PROPPATCH" => method::proppatch(&call, &place).await,
            "MKCALENDAR" => method::mkcalendar(&call, &place).await,
            "MKCOL" => method::mkcol(&call, &place).await,
            "COPY" => method::transfer(&call, &place, false).await,
            "MOVE" => method::transfer(&call, &place, true).await,
            "LOCK" => method::lock(&call, &place).await,
            "UNLOCK" => method::unlock(&call, &place).await,
            "REPORT" => method::report(&call, &place).await,
            "ACL" => method::acl(&call, &place).await,
            _ => Err(Call::not_here()),
        }
    }
}

/// Where a path has moved to: what RFC 6764 §5 has clients ask first, and where Apple's look for principals.
fn elsewhere(path: &str) -> Option<String> {
    let rest =
        |prefix: &str| path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    if rest("/.well-known/caldav").or_else(|| rest("/.well-known/carddav")).is_some() {
        return Some(Place::Root.href());
    }
    rest("/principals").map(|rest| format!("/dav/principals{}", if rest.is_empty() { "/" } else { rest }))
}

/// Takes what is left of a small body, so that the connection can go on; clients send the next request on it at once.
async fn discard<B>(body: B)
where
    B: HttpBody<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let rest = std::pin::pin!(Limited::new(body, DISCARDED).collect());
    // A body that is larger, slow or broken ends the connection, which is right.
    drop(tokio::time::timeout(DISCARD_WITHIN, rest).await);
}

/// Takes a body as far as it may go, with room for it in the process's memory.
async fn read<B>(body: B, stated: u64, limit: u64, budget: &Budget) -> Result<(Bytes, Permit), Failure>
where
    B: HttpBody<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut permit = budget.acquire(stated).await?;
    let collected = async {
        let mut whole = BytesMut::with_capacity(usize::try_from(stated).unwrap_or_default());
        let mut frames = std::pin::pin!(Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX)));
        while let Some(frame) = frames.frame().await {
            let data = frame.map_err(broken)?.into_data().unwrap_or_default();
            permit.grow_to(permit.octets().max((whole.len() + data.len()) as u64)).await?;
            whole.extend_from_slice(&data);
        }
        Ok::<_, Failure>(whole.freeze())
    };
    match tokio::time::timeout(BODY_WITHIN, collected).await {
        Ok(body) => Ok((body?, permit)),
        Err(_) => Err(Failure::Status(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

fn broken(error: Box<dyn std::error::Error + Send + Sync>) -> Failure {
    if error.is::<LengthLimitError>() {
        return TOO_LARGE;
    }
    tracing::debug!(%error, "a body ended before its end");
    Failure::Status(StatusCode::BAD_REQUEST, "the body ended before its end")
}

const TOO_LARGE: Failure =
    Failure::Status(StatusCode::PAYLOAD_TOO_LARGE, "this is larger than what is taken");
const DAV: HeaderName = HeaderName::from_static("dav");
const CLASSES: &str = "1, 2, 3, access-control, extended-mkcol, calendar-access, calendar-auto-schedule, calendar-no-timezone, \
    calendar-managed-attachments, calendar-proxy, calendarserver-sharing, addressbook";
const METHODS: &str = "OPTIONS, GET, HEAD, PUT, POST, DELETE, PROPFIND, PROPPATCH, MKCALENDAR, MKCOL, COPY, MOVE, LOCK, UNLOCK, \
    REPORT, ACL";
/// Those that look at `If` where they look at what it is about.
const HAVE_VERSIONS: [&str; 4] = ["PUT", "DELETE", "COPY", "MOVE"];
/// Octets.
const DISCARDED: usize = 256 << 10;
const DISCARD_WITHIN: Duration = Duration::from_secs(2);
const BODY_WITHIN: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::elsewhere;

    #[test]
    fn well_known_paths_lead_to_the_root() {
        for path in ["/.well-known/caldav", "/.well-known/carddav/", "/.well-known/caldav/x"] {
            assert_eq!(elsewhere(path).as_deref(), Some("/dav/"));
        }
        assert_eq!(elsewhere("/principals/").as_deref(), Some("/dav/principals/"));
        assert_eq!(elsewhere("/principals/a%40b").as_deref(), Some("/dav/principals/a%40b"));
        assert_eq!(elsewhere("/principalsx"), None);
        assert_eq!(elsewhere("/dav/"), None);
    }
}
