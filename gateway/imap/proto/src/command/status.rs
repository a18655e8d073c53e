//! STATUS (RFC 9051 §6.3.11; HIGHESTMODSEQ: RFC 7162; MAILBOXID: RFC 8474; APPENDLIMIT: RFC 7889).

use crate::{
    MailboxName, ParseError,
    cursor::{Cursor, Result},
};

/// Asks for a mailbox's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Which mailbox.
    pub mailbox: MailboxName,
    /// Which figures.
    pub items: Vec<StatusItem>,
}

/// One figure of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the item of its name")]
pub enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    Size,
    HighestModSeq,
    MailboxId,
    AppendLimit,
}

impl StatusItem {
    /// Every item.
    pub const EVERY: [Self; 10] = [
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
        Self::Deleted,
        Self::Size,
        Self::HighestModSeq,
        Self::MailboxId,
        Self::AppendLimit,
    ];

    /// The item's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::Deleted => "DELETED",
            Self::Size => "SIZE",
            Self::HighestModSeq => "HIGHESTMODSEQ",
            Self::MailboxId => "MAILBOXID",
            Self::AppendLimit => "APPENDLIMIT",
        }
    }

    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self> {
        let word = cursor.keyword();
        Self::EVERY
            .into_iter()
            .find(|item| word.eq_ignore_ascii_case(item.as_str().as_bytes()))
            .ok_or(ParseError::Syntax("unknown STATUS item"))
    }
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Status> {
    let mailbox = super::mailbox(cursor)?;
    cursor.sp()?;
    Ok(Status { mailbox, items: cursor.list(false, StatusItem::parse)? })
}
