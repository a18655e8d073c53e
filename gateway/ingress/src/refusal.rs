//! Answers that are ours: small, and saying why.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};

use crate::body::ResponseBody;
use crate::exchange::Blame;

/// Why a request is not answered by an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not a request that we take.
    BadRequest(&'static str),
    /// A method that is not for proxies of our kind.
    BadMethod,
    /// The client has too many.
    TooMany(Duration),
    /// No route.
    NoRoute,
    /// A route whose gateway is not there at all.
    NotServed(&'static str),
    /// The body is too large.
    TooLarge(u64),
    /// The client said nothing for too long in the middle of its request.
    ClientIdle,
    /// The client went away in the middle of its request.
    ClientGone,
    /// The gateway has no upstream now.
    NoUpstream(&'static str),
    /// No upstream could be reached.
    Unreachable(&'static str),
    /// The upstream broke off, or what it said was not HTTP.
    Broken(&'static str),
    /// The upstream said nothing for too long.
    Timeout(&'static str),
    /// We are going.
    Draining,
    /// Come again with TLS.
    Redirect(StatusCode, String),
}

impl Refusal {
    /// What a client's broken body means for its request.
    pub fn blamed(blame: Blame, max_body: u64) -> Option<Self> {
        match blame {
            Blame::None => None,
            Blame::TooLarge => Some(Self::TooLarge(max_body)),
            Blame::ClientIdle => Some(Self::ClientIdle),
            Blame::ClientBroke => Some(Self::ClientGone),
        }
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::ClientGone => StatusCode::BAD_REQUEST,
            Self::BadMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NoRoute | Self::NotServed(_) => StatusCode::NOT_FOUND,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ClientIdle => StatusCode::REQUEST_TIMEOUT,
            Self::NoUpstream(_) | Self::Unreachable(_) | Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken(_) => StatusCode::BAD_GATEWAY,
            Self::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Redirect(status, _) => *status,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::BadRequest(why) => (*why).to_owned(),
            Self::BadMethod => "this method is not served here".to_owned(),
            Self::TooMany(_) => "too many requests from your address".to_owned(),
            Self::NoRoute => "nothing is served here".to_owned(),
            Self::NotServed(target) => format!("`{target}` is not set up on this server"),
            Self::TooLarge(most) => format!("the request is too large; {most} octets are the most here"),
            Self::ClientIdle => "the rest of the request did not come".to_owned(),
            Self::ClientGone => "the request ended too early".to_owned(),
            Self::NoUpstream(target) => format!("no `{target}` gateway is running now"),
            Self::Unreachable(target) => format!("no `{target}` gateway can be reached now"),
            Self::Broken(target) => format!("the `{target}` gateway broke off"),
            Self::Timeout(target) => format!("the `{target}` gateway did not answer in time"),
            Self::Draining => "this server is being replaced; try again".to_owned(),
            Self::Redirect(_, location) => location.clone(),
        }
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooMany(wait) => Some(wait.as_secs() + 1),
            Self::NoUpstream(_) | Self::Unreachable(_) => Some(5),
            Self::Draining => Some(1),
            _ => None,
        }
    }

    pub fn response(&self) -> Response<ResponseBody> {
        let status = self.status();
        let reason = status.canonical_reason().unwrap_or_default();
        let words = format!("{} {reason}: {}\n", status.as_u16(), self.words());
        let mut response = Response::new(ResponseBody::words(words));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Self::Redirect(_, location) = self
            && let Ok(location) = HeaderValue::from_str(location)
        {
            headers.insert(LOCATION, location);
        }
        response
    }
}
