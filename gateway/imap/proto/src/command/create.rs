//! CREATE (RFC 9051 §6.3.4, RFC 6154 §3 CREATE-SPECIAL-USE).

use crate::{
    MailboxName, ParseError, SpecialUse,
    cursor::{Cursor, Result},
};

/// Makes a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// Its name. A trailing `/` (only levels below are meant to follow) is kept.
    pub mailbox: MailboxName,
    /// What it is for.
    pub special_use: Vec<SpecialUse>,
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Create> {
    let mailbox = super::mailbox(cursor)?;
    let mut special_use = Vec::new();
    if !cursor.at_end() {
        cursor.sp()?;
        cursor.expect(b'(', "expected (")?;
        if !cursor.eat_word("USE") {
            return Err(ParseError::Syntax("unknown CREATE parameter"));
        }
        cursor.sp()?;
        special_use = cursor.list(true, |cursor| {
            cursor.expect(b'\\', "expected a special-use attribute")?;
            SpecialUse::from_name(cursor.atom()?).ok_or(ParseError::Syntax("unknown special-use attribute"))
        })?;
        cursor.expect(b')', "expected )")?;
    }
    Ok(Create { mailbox, special_use })
}
