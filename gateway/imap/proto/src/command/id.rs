//! ID (RFC 2971 §3.1).

use crate::{
    ParseError,
    cursor::{Cursor, Result},
};

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Vec<(String, Option<String>)>> {
    cursor.sp()?;
    if cursor.eat_word("NIL") {
        return Ok(Vec::new());
    }
    // RFC 2971 §3.3 allows thirty pairs.
    let mut left = 30;
    cursor.list(true, |cursor| {
        left -= 1;
        if left < 0 {
            return Err(ParseError::Limit("ID pairs"));
        }
        let field = cursor.utf8_string()?;
        cursor.sp()?;
        Ok((field, cursor.nstring()?))
    })
}
