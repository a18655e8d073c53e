//! What went wrong, and how it is said on the wire.

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

/// Shaped by what the caller can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    #[error("not available: {0}")]
    Unavailable(String),
    #[error("authentication failed")]
    Unauthenticated,
    #[error("{0} not found")]
    NotFound(String),
    #[error("{0}")]
    Denied(String),
    #[error("{0} exists already")]
    Exists(String),
    #[error("{0}")]
    Conflict(String),
    /// The folder moved on between read and write; the caller reads again.
    #[error("the folder changed meanwhile")]
    Stale,
    #[error("over quota")]
    OverQuota,
    #[error("{0}")]
    TooLarge(String),
    #[error("{0}")]
    Limit(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Internal(String),
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let (code, kind) = match &error {
            Error::Unavailable(_) | Error::Stale => (Code::Unavailable, ""),
            Error::Unauthenticated => (Code::Unauthenticated, ""),
            Error::NotFound(_) => (Code::NotFound, ""),
            Error::Denied(_) => (Code::PermissionDenied, ""),
            Error::Exists(_) => (Code::AlreadyExists, ""),
            Error::Conflict(_) => (Code::FailedPrecondition, ""),
            Error::OverQuota => (Code::ResourceExhausted, "quota"),
            Error::TooLarge(_) => (Code::ResourceExhausted, "too-large"),
            Error::Limit(_) => (Code::ResourceExhausted, "limit"),
            Error::Invalid(_) => (Code::InvalidArgument, ""),
            Error::Internal(_) => (Code::Internal, ""),
        };
        match &error {
            Error::Internal(_) => tracing::error!(%error, "a call failed"),
            Error::Unavailable(_) => tracing::warn!(%error, "a call could not be served"),
            _ => tracing::debug!(%error, "a call was refused"),
        }
        let mut status = Status::new(code, message);
        if !kind.is_empty() {
            status.metadata_mut().insert("kontor-error", MetadataValue::from_static(kind));
        }
        status
    }
}

/// A `bigint` of the database as what it stands for. Negative values do not occur.
pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// An id or a count from the wire as a `bigint`; one too large names nothing.
pub(crate) fn bigint(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Unix seconds now.
pub(crate) fn unix_now() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
