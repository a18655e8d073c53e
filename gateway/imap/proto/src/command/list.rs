//! LIST and LSUB (RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 5258, RFC 5819, RFC 6154).

use super::status::StatusItem;
use crate::{
    ParseError,
    cursor::{Cursor, Result},
};

/// LIST, basic or extended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    /// Which mailboxes, beyond the patterns.
    pub selection: Selection,
    /// What the patterns are relative to.
    pub reference: String,
    /// Patterns with `%` and `*`; at least one, and exactly one without parentheses.
    pub patterns: Vec<String>,
    /// What is wanted about each.
    pub returns: Returns,
    /// It used the extended syntax of RFC 5258 anywhere.
    pub extended: bool,
}

/// Selection options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selection {
    /// SUBSCRIBED
    pub subscribed: bool,
    /// REMOTE
    pub remote: bool,
    /// RECURSIVEMATCH
    pub recursive_match: bool,
    /// SPECIAL-USE
    pub special_use: bool,
}

/// Return options.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Returns {
    /// SUBSCRIBED
    pub subscribed: bool,
    /// CHILDREN
    pub children: bool,
    /// SPECIAL-USE
    pub special_use: bool,
    /// STATUS, with its items.
    pub status: Option<Vec<StatusItem>>,
}

/// LSUB: the subscribed names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lsub {
    /// What the pattern is relative to.
    pub reference: String,
    /// A pattern with `%` and `*`.
    pub pattern: String,
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<List> {
    cursor.sp()?;
    let mut list = List::default();
    if cursor.peek() == Some(b'(') {
        list.extended = true;
        cursor.list(true, |cursor| selection(cursor, &mut list.selection))?;
        cursor.sp()?;
    }
    list.reference = reference(cursor)?;
    cursor.sp()?;
    if cursor.peek() == Some(b'(') {
        list.extended = true;
        list.patterns = cursor.list(false, Cursor::list_mailbox)?;
    } else {
        list.patterns.push(cursor.list_mailbox()?);
    }
    if !cursor.at_end() {
        cursor.sp()?;
        if !cursor.eat_word("RETURN") {
            return Err(ParseError::Syntax("expected RETURN"));
        }
        list.extended = true;
        cursor.sp()?;
        cursor.list(true, |cursor| returns(cursor, &mut list.returns))?;
    }
    if list.selection.recursive_match && !list.selection.subscribed && !list.selection.special_use {
        return Err(ParseError::Syntax("RECURSIVEMATCH needs another selection option"));
    }
    Ok(list)
}

pub(super) fn parse_lsub(cursor: &mut Cursor<'_>) -> Result<Lsub> {
    cursor.sp()?;
    let reference = reference(cursor)?;
    cursor.sp()?;
    Ok(Lsub { reference, pattern: cursor.list_mailbox()? })
}

/// The reference is a mailbox name whose INBOX stays as it was written: it is only a prefix.
fn reference(cursor: &mut Cursor<'_>) -> Result<String> {
    cursor.list_mailbox()
}

fn selection(cursor: &mut Cursor<'_>, selection: &mut Selection) -> Result<()> {
    let word = cursor.keyword();
    let slot = if word.eq_ignore_ascii_case(b"SUBSCRIBED") {
        &mut selection.subscribed
    } else if word.eq_ignore_ascii_case(b"REMOTE") {
        &mut selection.remote
    } else if word.eq_ignore_ascii_case(b"RECURSIVEMATCH") {
        &mut selection.recursive_match
    } else if word.eq_ignore_ascii_case(b"SPECIAL-USE") {
        &mut selection.special_use
    } else {
        return Err(ParseError::Syntax("unknown LIST selection option"));
    };
    *slot = true;
    Ok(())
}

fn returns(cursor: &mut Cursor<'_>, returns: &mut Returns) -> Result<()> {
    let word = cursor.keyword();
    if word.eq_ignore_ascii_case(b"STATUS") {
        cursor.sp()?;
        returns.status = Some(cursor.list(false, StatusItem::parse)?);
        return Ok(());
    }
    let slot = if word.eq_ignore_ascii_case(b"SUBSCRIBED") {
        &mut returns.subscribed
    } else if word.eq_ignore_ascii_case(b"CHILDREN") {
        &mut returns.children
    } else if word.eq_ignore_ascii_case(b"SPECIAL-USE") {
        &mut returns.special_use
    } else {
        return Err(ParseError::Syntax("unknown LIST return option"));
    };
    *slot = true;
    Ok(())
}
