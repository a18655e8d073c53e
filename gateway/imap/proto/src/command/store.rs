//! STORE and UID STORE (RFC 9051 §6.4.6, UNCHANGEDSINCE: RFC 7162 §3.1.3).

use crate::{
    Flag, ParseError, SequenceSet,
    cursor::{Cursor, Result},
};

/// Changes flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The set is of UIDs.
    pub uid: bool,
    /// Which messages.
    pub set: SequenceSet,
    /// Only messages that did not change after this modification sequence.
    pub unchanged_since: Option<u64>,
    /// What happens with the flags.
    pub action: StoreAction,
    /// `.SILENT`: the client does not want to hear the new flags.
    pub silent: bool,
    /// The flags.
    pub flags: Vec<Flag>,
}

/// How STORE uses its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreAction {
    /// FLAGS
    Replace,
    /// +FLAGS
    Add,
    /// -FLAGS
    Remove,
}

pub(super) fn parse(cursor: &mut Cursor<'_>, uid: bool) -> Result<Store> {
    cursor.sp()?;
    let set = SequenceSet::parse(cursor)?;
    cursor.sp()?;
    let mut unchanged_since = None;
    if cursor.eat(b'(') {
        if !cursor.eat_word("UNCHANGEDSINCE") {
            return Err(ParseError::Syntax("unknown STORE modifier"));
        }
        cursor.sp()?;
        unchanged_since = Some(cursor.number64()?);
        cursor.expect(b')', "expected )")?;
        cursor.sp()?;
    }
    let action = match cursor.peek() {
        Some(b'+') => StoreAction::Add,
        Some(b'-') => StoreAction::Remove,
        _ => StoreAction::Replace,
    };
    if action != StoreAction::Replace {
        cursor.advance(1);
    }
    let word = cursor.keyword();
    let silent = word.eq_ignore_ascii_case(b"FLAGS.SILENT");
    if !silent && !word.eq_ignore_ascii_case(b"FLAGS") {
        return Err(ParseError::Syntax("expected FLAGS"));
    }
    cursor.sp()?;
    let flags = Flag::parse_list(cursor)?;
    Ok(Store { uid, set, unchanged_since, action, silent, flags })
}
