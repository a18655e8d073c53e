//! Answers, and what a failure says to the client.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use kontor_dav_proto::response::{ErrorBody, Multistatus};
use kontor_dav_proto::{Error, Precondition};
use kontor_gateway_core::budget::BudgetError;
use kontor_storage_client::StoreError;

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, StoreError>;

/// An answer.
pub(crate) type Answer = Response<Body>;

/// A body that is there as a whole.
pub(crate) fn whole(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Nothing but a status.
pub(crate) fn status(status: StatusCode) -> Answer {
    let mut answer = Response::new(whole(Bytes::new()));
    *answer.status_mut() = status;
    answer
}

/// A document of XML.
pub(crate) fn xml(status: StatusCode, body: Vec<u8>) -> Answer {
    document(status, XML, body)
}

/// A document of some type.
pub(crate) fn document(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(whole(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// The whole of a multistatus.
pub(crate) fn multistatus(multistatus: Multistatus) -> Answer {
    xml(StatusCode::MULTI_STATUS, multistatus.finish(None))
}

/// Puts a header whose value is made of characters that a header can have; otherwise it is left out.
pub(crate) fn put(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// Why a request is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The request is none, or asks for what is not there to be had.
    #[error(transparent)]
    Protocol(#[from] Error),
    /// A status, and words for a person.
    #[error("{1}")]
    Status(StatusCode, &'static str),
    /// A condition, with the resources that it is about.
    #[error("a condition does not hold")]
    Condition(StatusCode, ErrorBody),
    /// Too many wrong passwords.
    #[error("too many wrong passwords, try again in {0} seconds")]
    TooOften(u64),
    /// The process holds as many bodies as it may.
    #[error("the server has too much to do now; nothing was changed, try again later")]
    Busy,
    /// Nobody has signed in, or not as themselves.
    #[error("sign in with your address and password")]
    SignIn,
}

impl Failure {
    pub fn precondition(precondition: Precondition, what: &'static str) -> Self {
        Self::Protocol(Error::Precondition(precondition, what))
    }

    pub fn not_found() -> Self {
        Self::Status(StatusCode::NOT_FOUND, "there is nothing of this name")
    }

    pub fn forbidden(what: &'static str) -> Self {
        Self::Status(StatusCode::FORBIDDEN, what)
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Store(error) => of_store(error),
            Self::Protocol(error) => {
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::Status(status, _) | Self::Condition(status, _) => *status,
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::SignIn => StatusCode::UNAUTHORIZED,
        }
    }

    /// The answer.
    pub fn answer(&self) -> Answer {
        let status = self.status();
        let condition = match self {
            Self::Protocol(error) => ErrorBody::of_error(error),
            Self::Condition(_, condition) => Some(condition.clone()),
            Self::Store(StoreError::OverQuota) => Some(ErrorBody::of(Precondition::QuotaNotExceeded)),
            _ => None,
        };
        let mut answer = match condition {
            Some(condition) => xml(status, condition.to_body()),
            None => document(status, TEXT, format!("{}\n", self.words())),
        };
        match self {
            Self::SignIn | Self::Store(StoreError::Unauthenticated) => {
                put(&mut answer, WWW_AUTHENTICATE, "Basic realm=\"Kontor\", charset=\"UTF-8\"");
            }
            Self::TooOften(seconds) => put(&mut answer, RETRY_AFTER, &seconds.to_string()),
            Self::Busy => put(&mut answer, RETRY_AFTER, "5"),
            Self::Store(StoreError::Unavailable(error)) => {
                tracing::warn!(error, "the store did not answer");
                put(&mut answer, RETRY_AFTER, "5");
            }
            Self::Store(StoreError::Internal(error)) => tracing::error!(error, "the store refused a call"),
            _ => {}
        }
        answer
    }

    /// What a person may read. Of the store's own trouble nothing is told.
    fn words(&self) -> String {
        match self {
            Self::Store(StoreError::Unavailable(_)) => {
                "the server is not available now; nothing was changed, try again later".to_owned()
            }
            Self::Store(StoreError::Internal(_)) => "internal error, try again later".to_owned(),
            other => other.to_string(),
        }
    }
}

impl From<BudgetError> for Failure {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::Busy => Self::Busy,
            BudgetError::TooLarge { .. } => {
                Self::Status(StatusCode::PAYLOAD_TOO_LARGE, "this is larger than what is taken")
            }
        }
    }
}

fn of_store(error: &StoreError) -> StatusCode {
    match error {
        StoreError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        StoreError::Unauthenticated => StatusCode::UNAUTHORIZED,
        StoreError::NotFound(_) => StatusCode::NOT_FOUND,
        StoreError::Denied(_) => StatusCode::FORBIDDEN,
        StoreError::Exists(_) => StatusCode::METHOD_NOT_ALLOWED,
        StoreError::Conflict(_) => StatusCode::PRECONDITION_FAILED,
        StoreError::OverQuota | StoreError::Limit(_) => StatusCode::INSUFFICIENT_STORAGE,
        StoreError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        StoreError::Invalid(_) => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

pub(crate) const XML: &str = "application/xml; charset=utf-8";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
