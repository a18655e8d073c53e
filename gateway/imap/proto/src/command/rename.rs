//! RENAME (RFC 9051 §6.3.6).

use crate::{
    MailboxName,
    cursor::{Cursor, Result},
};

/// Gives a mailbox another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// What it is called.
    pub from: MailboxName,
    /// What it shall be called.
    pub to: MailboxName,
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Rename> {
    let from = super::mailbox(cursor)?;
    Ok(Rename { from, to: super::mailbox(cursor)? })
}
