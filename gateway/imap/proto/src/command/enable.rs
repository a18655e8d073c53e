//! ENABLE (RFC 9051 §6.3.1, RFC 5161).

use crate::{
    ParseError,
    cursor::{Cursor, Result},
};

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    loop {
        cursor.sp()?;
        if names.len() >= cursor.context.limits.list {
            return Err(ParseError::Limit("capabilities"));
        }
        names.push(cursor.atom()?.to_ascii_uppercase());
        if cursor.at_end() {
            return Ok(names);
        }
    }
}
