//! UID: the commands that name messages by UID (RFC 9051 §6.4.9, RFC 4315).

use super::{CommandBody, copy, fetch, search, store};
use crate::{
    ParseError, SequenceSet,
    cursor::{Cursor, Result},
};

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<CommandBody> {
    cursor.sp()?;
    let name = cursor.take_while(|b| b.is_ascii_alphabetic());
    let is = |word: &[u8]| name.eq_ignore_ascii_case(word);
    if is(b"FETCH") {
        fetch::parse(cursor, true).map(CommandBody::Fetch)
    } else if is(b"STORE") {
        store::parse(cursor, true).map(CommandBody::Store)
    } else if is(b"SEARCH") {
        search::parse(cursor, true).map(CommandBody::Search)
    } else if is(b"COPY") {
        copy::parse(cursor, true).map(CommandBody::Copy)
    } else if is(b"MOVE") {
        copy::parse(cursor, true).map(CommandBody::Move)
    } else if is(b"EXPUNGE") {
        cursor.sp()?;
        SequenceSet::parse(cursor).map(|set| CommandBody::Expunge(Some(set)))
    } else {
        Err(ParseError::UnknownCommand)
    }
}
