//! COPY and MOVE, plain and by UID (RFC 9051 §6.4.7, §6.4.8, RFC 6851).

use crate::{
    MailboxName, SequenceSet,
    cursor::{Cursor, Result},
};

/// The arguments of COPY and of MOVE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The set is of UIDs.
    pub uid: bool,
    /// Which messages.
    pub set: SequenceSet,
    /// Where to.
    pub mailbox: MailboxName,
}

pub(super) fn parse(cursor: &mut Cursor<'_>, uid: bool) -> Result<Copy> {
    cursor.sp()?;
    let set = SequenceSet::parse(cursor)?;
    Ok(Copy { uid, set, mailbox: super::mailbox(cursor)? })
}
