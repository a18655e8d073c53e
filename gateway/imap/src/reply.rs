//! How a command ends, and the one place where the store's errors become IMAP's words.

use std::{borrow::Cow, io};

use kontor_imap_proto::{Code, Encoder, Status, Tag};
use kontor_storage_client::StoreError;

/// A command's tagged answer.
#[derive(Debug)]
pub struct Reply {
    status: Status,
    code: Option<ReplyCode>,
    text: Cow<'static, str>,
}

/// The code of a tagged answer.
#[derive(Debug)]
pub enum ReplyCode {
    /// One without lists.
    Plain(Code<'static>),
    /// UIDVALIDITY and new UIDs.
    AppendUid(u32, Vec<u32>),
    /// UIDVALIDITY, old and new UIDs.
    CopyUid(u32, Vec<u32>, Vec<u32>),
    /// Numbers or UIDs.
    Modified(Vec<u32>),
}

impl ReplyCode {
    /// The code to write.
    pub fn code(&self) -> Code<'_> {
        match self {
            Self::Plain(code) => *code,
            Self::AppendUid(validity, uids) => Code::AppendUid(*validity, uids),
            Self::CopyUid(validity, old, new) => Code::CopyUid(*validity, old, new),
            Self::Modified(numbers) => Code::Modified(numbers),
        }
    }
}

impl Reply {
    /// `OK text`
    pub fn ok(text: &'static str) -> Self {
        Self { status: Status::Ok, code: None, text: text.into() }
    }

    /// `OK [code] text`
    pub fn ok_with(code: ReplyCode, text: &'static str) -> Self {
        Self { status: Status::Ok, code: Some(code), text: text.into() }
    }

    /// `NO [code] text`
    pub fn no(code: Code<'static>, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::No, code: Some(ReplyCode::Plain(code)), text: text.into() }
    }

    /// `BAD text`
    pub fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::Bad, code: None, text: text.into() }
    }

    /// Appends the answer.
    pub fn write(&self, encoder: &mut Encoder<'_>, tag: &Tag) {
        encoder.tagged(tag, self.status, self.code.as_ref().map(ReplyCode::code), &self.text);
    }
}

/// Why a command did not end well.
#[derive(Debug)]
pub enum Failure {
    /// It was refused; the session goes on.
    Reply(Reply),
    /// The session ends with this in its BYE.
    Bye(&'static str),
    /// The client is gone.
    Closed(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Closed(error)
    }
}

impl From<Reply> for Failure {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (code, text) = match error {
            StoreError::Unauthenticated => return Self::Bye("The login is no longer valid"),
            StoreError::Unavailable(detail) => {
                tracing::warn!(%detail, "the store is not available");
                (Code::Unavailable, "The mail store is not available now, try again later".into())
            }
            StoreError::NotFound(_) => (Code::Nonexistent, "No such mailbox".into()),
            StoreError::Denied(_) => (Code::NoPerm, "Permission denied".into()),
            StoreError::Exists(_) => (Code::AlreadyExists, "It exists already".into()),
            StoreError::Conflict(_) => (Code::InUse, "It was changed meanwhile, try again".into()),
            StoreError::OverQuota => (Code::OverQuota, "The mailbox is full".into()),
            StoreError::TooLarge(_) => (Code::TooBig, "The message is too large".into()),
            StoreError::Limit(detail) => (Code::Limit, Cow::from(format!("A limit is reached: {detail}"))),
            StoreError::Invalid(detail) => {
                (Code::Cannot, Cow::from(format!("This cannot be done: {detail}")))
            }
            StoreError::StartOver => (Code::Unavailable, "Select the mailbox again".into()),
            StoreError::Internal(detail) => {
                tracing::error!(%detail, "a call of the store failed");
                (Code::ServerBug, "Internal error".into())
            }
            other => {
                tracing::error!(%other, "a call of the store failed");
                (Code::ServerBug, "Internal error".into())
            }
        };
        Self::Reply(Reply::no(code, text))
    }
}
