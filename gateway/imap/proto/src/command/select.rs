//! SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3), with CONDSTORE and QRESYNC (RFC 7162 §3.1.8, §3.2.5).

use crate::{
    MailboxName, ParseError, SequenceSet,
    cursor::{Cursor, Result},
};

/// Opens a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// Which.
    pub mailbox: MailboxName,
    /// EXAMINE.
    pub read_only: bool,
    /// The CONDSTORE parameter was given.
    pub condstore: bool,
    /// The QRESYNC parameter.
    pub qresync: Option<Qresync>,
}

/// What a client that was here before still knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qresync {
    /// The mailbox's UIDVALIDITY then.
    pub uid_validity: u32,
    /// The last modification sequence it knows.
    pub mod_seq: u64,
    /// The UIDs it knows; none means all.
    pub known_uids: Option<SequenceSet>,
    /// Pairs of message numbers and UIDs that it knows to match.
    pub match_data: Option<(SequenceSet, SequenceSet)>,
}

pub(super) fn parse(cursor: &mut Cursor<'_>, read_only: bool) -> Result<Select> {
    let mailbox = super::mailbox(cursor)?;
    let mut select = Select { mailbox, read_only, condstore: false, qresync: None };
    if cursor.at_end() {
        return Ok(select);
    }
    cursor.sp()?;
    cursor.list(false, |cursor| {
        if cursor.eat_word("CONDSTORE") {
            select.condstore = true;
        } else if cursor.eat_word("QRESYNC") && select.qresync.is_none() {
            cursor.sp()?;
            select.qresync = Some(qresync(cursor)?);
        } else {
            return Err(ParseError::Syntax("unknown SELECT parameter"));
        }
        Ok(())
    })?;
    Ok(select)
}

fn qresync(cursor: &mut Cursor<'_>) -> Result<Qresync> {
    cursor.expect(b'(', "expected (")?;
    let uid_validity = cursor.nz_number()?;
    cursor.sp()?;
    let mod_seq = cursor.number64()?;
    let mut out = Qresync { uid_validity, mod_seq, known_uids: None, match_data: None };
    if cursor.eat(b' ') {
        if cursor.peek() != Some(b'(') {
            out.known_uids = Some(SequenceSet::parse(cursor)?);
        }
        if (out.known_uids.is_none() || cursor.eat(b' ')) && cursor.eat(b'(') {
            let numbers = SequenceSet::parse(cursor)?;
            cursor.sp()?;
            out.match_data = Some((numbers, SequenceSet::parse(cursor)?));
            cursor.expect(b')', "expected )")?;
        }
    }
    cursor.expect(b')', "expected )")?;
    let plain = |set: &SequenceSet| matches!(set, SequenceSet::Ranges(_)) && !set.has_star();
    let sets = out.known_uids.iter().chain(out.match_data.iter().flat_map(|(a, b)| [a, b]));
    if !sets.into_iter().all(plain) {
        return Err(ParseError::Syntax("only numbers are allowed in QRESYNC sets"));
    }
    Ok(out)
}
