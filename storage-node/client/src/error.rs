//! What a failed call means to its caller.

use tonic::{Code, Status};

/// Shaped by what the caller can do about it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store, its database or its blobs are not to be had now. Try later; nothing was lost.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// Wrong credentials, or a session that ended.
    #[error("authentication failed")]
    Unauthenticated,
    /// Not there, or not for this session to see.
    #[error("not found: {0}")]
    NotFound(String),
    /// It is seen, but this is not allowed.
    #[error("not permitted: {0}")]
    Denied(String),
    /// It is there already.
    #[error("it exists already: {0}")]
    Exists(String),
    /// Somebody changed it meanwhile, or it is in a state that does not allow this.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The mailbox or tenant is full.
    #[error("over quota")]
    OverQuota,
    /// One item is larger than allowed.
    #[error("too large: {0}")]
    TooLarge(String),
    /// A bound on counts was reached (keywords, folders, depth).
    #[error("limit reached: {0}")]
    Limit(String),
    /// The cursor is older than what is kept.
    #[error("the cursor is too old; start over")]
    StartOver,
    /// The request makes no sense.
    #[error("invalid: {0}")]
    Invalid(String),
    /// A defect: ours, not the caller's.
    #[error("internal error: {0}")]
    Internal(String),
}

impl StoreError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, StoreError::Unavailable(_))
    }
}

/// Name of the metadata entry that tells apart what one gRPC code means.
pub(crate) const ERROR_KIND: &str = "kontor-error";

impl From<Status> for StoreError {
    fn from(status: Status) -> Self {
        let kind = status.metadata().get(ERROR_KIND).and_then(|v| v.to_str().ok()).unwrap_or("");
        let message = status.message().to_string();
        match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => StoreError::Unavailable(message),
            Code::Unauthenticated => StoreError::Unauthenticated,
            Code::NotFound => StoreError::NotFound(message),
            Code::PermissionDenied => StoreError::Denied(message),
            Code::AlreadyExists => StoreError::Exists(message),
            Code::Aborted | Code::FailedPrecondition => StoreError::Conflict(message),
            Code::ResourceExhausted => match kind {
                "quota" => StoreError::OverQuota,
                "too-large" => StoreError::TooLarge(message),
                "busy" => StoreError::Unavailable(message),
                _ => StoreError::Limit(message),
            },
            Code::OutOfRange if kind == "start-over" => StoreError::StartOver,
            // tonic answers OUT_OF_RANGE to a message larger than the peer takes.
            Code::OutOfRange => StoreError::TooLarge(message),
            Code::InvalidArgument => StoreError::Invalid(message),
            // A connection that breaks in the middle of an answer comes as UNKNOWN with a transport source.
            Code::Unknown if std::error::Error::source(&status).is_some() => StoreError::Unavailable(message),
            Code::Unknown if message.contains("transport") || message.contains("h2 protocol") => {
                StoreError::Unavailable(message)
            }
            _ => StoreError::Internal(message),
        }
    }
}
