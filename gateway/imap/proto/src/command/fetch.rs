//! FETCH and UID FETCH (RFC 9051 §6.4.5; CHANGEDSINCE and VANISHED: RFC 7162 §3.1.4.1, §3.2.6;
//! BINARY: RFC 3516; EMAILID and THREADID: RFC 8474; SAVEDATE: RFC 8514).

use crate::{
    ParseError, Partial, Section, SequenceSet,
    cursor::{Cursor, Result},
};

/// Asks for messages' data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The set is of UIDs.
    pub uid: bool,
    /// Which messages.
    pub set: SequenceSet,
    /// Which data; ALL, FAST and FULL are already written out.
    pub items: Vec<FetchItem>,
    /// Only messages that changed after this modification sequence.
    pub changed_since: Option<u64>,
    /// Tell also which of the set have vanished since.
    pub vanished: bool,
}

/// One piece of a message's data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the plain ones are the item of their name")]
pub enum FetchItem {
    Envelope,
    Flags,
    InternalDate,
    Rfc822,
    Rfc822Header,
    Rfc822Size,
    Rfc822Text,
    Body,
    BodyStructure,
    Uid,
    ModSeq,
    EmailId,
    ThreadId,
    SaveDate,
    /// `BODY[...]`, or `BODY.PEEK[...]` which does not set `\Seen`.
    BodySection {
        peek: bool,
        section: Section,
        partial: Option<Partial>,
    },
    /// `BINARY[...]`, or `BINARY.PEEK[...]` which does not set `\Seen`.
    Binary {
        peek: bool,
        part: Vec<u32>,
        partial: Option<Partial>,
    },
    /// `BINARY.SIZE[...]`
    BinarySize {
        part: Vec<u32>,
    },
}

impl FetchItem {
    /// Whether fetching it sets `\Seen`.
    pub fn sets_seen(&self) -> bool {
        matches!(
            self,
            Self::Rfc822
                | Self::Rfc822Text
                | Self::BodySection { peek: false, .. }
                | Self::Binary { peek: false, .. }
        )
    }
}

pub(super) fn parse(cursor: &mut Cursor<'_>, uid: bool) -> Result<Fetch> {
    cursor.sp()?;
    let set = SequenceSet::parse(cursor)?;
    cursor.sp()?;
    let items = items(cursor)?;
    let mut fetch = Fetch { uid, set, items, changed_since: None, vanished: false };
    if !cursor.at_end() {
        cursor.sp()?;
        cursor.list(false, |cursor| modifier(cursor, &mut fetch))?;
    }
    if fetch.vanished && (fetch.changed_since.is_none() || !uid) {
        return Err(ParseError::Syntax("VANISHED is for UID FETCH with CHANGEDSINCE"));
    }
    Ok(fetch)
}

fn modifier(cursor: &mut Cursor<'_>, fetch: &mut Fetch) -> Result<()> {
    if cursor.eat_word("CHANGEDSINCE") {
        cursor.sp()?;
        fetch.changed_since = Some(cursor.number64()?);
    } else if cursor.eat_word("VANISHED") {
        fetch.vanished = true;
    } else {
        return Err(ParseError::Syntax("unknown FETCH modifier"));
    }
    Ok(())
}

fn items(cursor: &mut Cursor<'_>) -> Result<Vec<FetchItem>> {
    use FetchItem::{Body, Envelope, Flags, InternalDate, Rfc822Size};
    if cursor.peek() == Some(b'(') {
        return cursor.list(false, item);
    }
    if cursor.eat_word("ALL") {
        Ok(vec![Flags, InternalDate, Rfc822Size, Envelope])
    } else if cursor.eat_word("FAST") {
        Ok(vec![Flags, InternalDate, Rfc822Size])
    } else if cursor.eat_word("FULL") {
        Ok(vec![Flags, InternalDate, Rfc822Size, Envelope, Body])
    } else {
        Ok(vec![item(cursor)?])
    }
}

fn item(cursor: &mut Cursor<'_>) -> Result<FetchItem> {
    let word = cursor.keyword();
    let mut upper = [0_u8; 16];
    let upper = upper.get_mut(..word.len()).ok_or(ParseError::Syntax("unknown FETCH item"))?;
    upper.copy_from_slice(word);
    upper.make_ascii_uppercase();
    if cursor.peek() == Some(b'[') {
        cursor.advance(1);
        return with_section(cursor, upper);
    }
    Ok(match &*upper {
        b"ENVELOPE" => FetchItem::Envelope,
        b"FLAGS" => FetchItem::Flags,
        b"INTERNALDATE" => FetchItem::InternalDate,
        b"RFC822" => FetchItem::Rfc822,
        b"RFC822.HEADER" => FetchItem::Rfc822Header,
        b"RFC822.SIZE" => FetchItem::Rfc822Size,
        b"RFC822.TEXT" => FetchItem::Rfc822Text,
        b"BODY" => FetchItem::Body,
        b"BODYSTRUCTURE" => FetchItem::BodyStructure,
        b"UID" => FetchItem::Uid,
        b"MODSEQ" => FetchItem::ModSeq,
        b"EMAILID" => FetchItem::EmailId,
        b"THREADID" => FetchItem::ThreadId,
        b"SAVEDATE" => FetchItem::SaveDate,
        _ => return Err(ParseError::Syntax("unknown FETCH item")),
    })
}

fn with_section(cursor: &mut Cursor<'_>, name: &[u8]) -> Result<FetchItem> {
    let peek = name.ends_with(b".PEEK");
    match name {
        b"BODY" | b"BODY.PEEK" => {
            let section = Section::parse(cursor)?;
            Ok(FetchItem::BodySection { peek, section, partial: Partial::parse(cursor)? })
        }
        b"BINARY" | b"BINARY.PEEK" => {
            let part = binary_part(cursor)?;
            Ok(FetchItem::Binary { peek, part, partial: Partial::parse(cursor)? })
        }
        b"BINARY.SIZE" => Ok(FetchItem::BinarySize { part: binary_part(cursor)? }),
        _ => Err(ParseError::Syntax("unknown FETCH item")),
    }
}

fn binary_part(cursor: &mut Cursor<'_>) -> Result<Vec<u32>> {
    let part = Section::parse_part(cursor)?;
    cursor.expect(b']', "expected ]")?;
    Ok(part)
}
