//! SEARCH and UID SEARCH (RFC 9051 §6.4.4; RFC 3501 §6.4.4 for RECENT, NEW, OLD; RFC 4731; RFC 5182;
//! RFC 5032; RFC 7162 §3.1.5; RFC 8474 §5.3; RFC 8514 §4.3).

use crate::{
    Date, ParseError, SequenceSet,
    cursor::{Cursor, Result},
};

/// Asks which messages match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The answer is in UIDs.
    pub uid: bool,
    /// RETURN options; none if the command had no RETURN.
    pub returns: Option<Returns>,
    /// What must hold: all of these.
    pub keys: Vec<SearchKey>,
}

/// RETURN options. `RETURN ()` comes as ALL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Returns {
    /// MIN
    pub min: bool,
    /// MAX
    pub max: bool,
    /// ALL
    pub all: bool,
    /// COUNT
    pub count: bool,
    /// SAVE
    pub save: bool,
}

/// One condition. Text is UTF-8 and matches as a substring, whatever its case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the plain ones are the key of their name")]
pub enum SearchKey {
    All,
    Answered,
    Bcc(String),
    Before(Date),
    Body(String),
    Cc(String),
    Deleted,
    Draft,
    EmailId(String),
    Flagged,
    From(String),
    /// Field name and text; empty text asks only whether the field is there.
    Header(String, String),
    Keyword(String),
    Larger(u64),
    /// Modification sequence at or above this.
    ModSeq(u64),
    New,
    Not(Box<SearchKey>),
    Old,
    /// Arrived longer ago than so many seconds.
    Older(u32),
    On(Date),
    Or(Box<SearchKey>, Box<SearchKey>),
    Recent,
    SaveDateSupported,
    SavedBefore(Date),
    SavedOn(Date),
    SavedSince(Date),
    Seen,
    SentBefore(Date),
    SentOn(Date),
    SentSince(Date),
    Since(Date),
    Smaller(u64),
    Subject(String),
    Text(String),
    ThreadId(String),
    To(String),
    Uid(SequenceSet),
    Unanswered,
    Undeleted,
    Undraft,
    Unflagged,
    Unkeyword(String),
    Unseen,
    /// Arrived within so many seconds.
    Younger(u32),
    /// Message numbers.
    Set(SequenceSet),
    /// A parenthesized list: all of these.
    And(Vec<SearchKey>),
}

pub(super) fn parse(cursor: &mut Cursor<'_>, uid: bool) -> Result<Search> {
    cursor.sp()?;
    let mut returns = None;
    if cursor.eat_word("RETURN") {
        cursor.sp()?;
        returns = Some(return_options(cursor)?);
        cursor.sp()?;
    }
    if cursor.eat_word("CHARSET") {
        cursor.sp()?;
        let charset = cursor.astring()?;
        if !charset.eq_ignore_ascii_case("UTF-8") && !charset.eq_ignore_ascii_case("US-ASCII") {
            return Err(ParseError::BadCharset);
        }
        cursor.sp()?;
    }
    let mut keys = vec![key(cursor, 0)?];
    while !cursor.at_end() {
        cursor.sp()?;
        keys.push(key(cursor, 0)?);
    }
    Ok(Search { uid, returns, keys })
}

fn return_options(cursor: &mut Cursor<'_>) -> Result<Returns> {
    let mut out = Returns::default();
    let options = cursor.list(true, |cursor| {
        let word = cursor.keyword();
        let slot = if word.eq_ignore_ascii_case(b"MIN") {
            &mut out.min
        } else if word.eq_ignore_ascii_case(b"MAX") {
            &mut out.max
        } else if word.eq_ignore_ascii_case(b"ALL") {
            &mut out.all
        } else if word.eq_ignore_ascii_case(b"COUNT") {
            &mut out.count
        } else if word.eq_ignore_ascii_case(b"SAVE") {
            &mut out.save
        } else {
            return Err(ParseError::Syntax("unknown SEARCH return option"));
        };
        *slot = true;
        Ok(())
    })?;
    out.all |= options.is_empty();
    Ok(out)
}

fn key(cursor: &mut Cursor<'_>, depth: usize) -> Result<SearchKey> {
    if depth > cursor.context.limits.depth {
        return Err(ParseError::Limit("nesting of search keys"));
    }
    cursor.search_keys_left =
        cursor.search_keys_left.checked_sub(1).ok_or(ParseError::Limit("search keys"))?;
    match cursor.peek() {
        Some(b'(') => {
            return Ok(SearchKey::And(cursor.list(false, |cursor| key(cursor, depth + 1))?));
        }
        Some(b'0'..=b'9' | b'*' | b'$') => return Ok(SearchKey::Set(SequenceSet::parse(cursor)?)),
        _ => {}
    }
    let word = cursor.take_while(|b| b.is_ascii_alphabetic());
    let mut upper = [0_u8; 20];
    let upper = upper.get_mut(..word.len()).ok_or(ParseError::Syntax("unknown search key"))?;
    upper.copy_from_slice(word);
    upper.make_ascii_uppercase();
    if let Some(plain) = plain_key(upper) {
        return Ok(plain);
    }
    cursor.sp()?;
    Ok(match &*upper {
        b"BCC" => SearchKey::Bcc(cursor.astring()?),
        b"BEFORE" => SearchKey::Before(Date::parse(cursor)?),
        b"BODY" => SearchKey::Body(cursor.astring()?),
        b"CC" => SearchKey::Cc(cursor.astring()?),
        b"EMAILID" => SearchKey::EmailId(cursor.astring()?),
        b"FROM" => SearchKey::From(cursor.astring()?),
        b"HEADER" => {
            let field = cursor.astring()?;
            cursor.sp()?;
            SearchKey::Header(field, cursor.astring()?)
        }
        b"KEYWORD" => SearchKey::Keyword(cursor.atom()?.to_owned()),
        b"LARGER" => SearchKey::Larger(cursor.number64()?),
        b"MODSEQ" => mod_seq(cursor)?,
        b"NOT" => SearchKey::Not(Box::new(key(cursor, depth + 1)?)),
        b"OLDER" => SearchKey::Older(cursor.nz_number()?),
        b"ON" => SearchKey::On(Date::parse(cursor)?),
        b"OR" => {
            let first = key(cursor, depth + 1)?;
            cursor.sp()?;
            SearchKey::Or(Box::new(first), Box::new(key(cursor, depth + 1)?))
        }
        b"SAVEDBEFORE" => SearchKey::SavedBefore(Date::parse(cursor)?),
        b"SAVEDON" => SearchKey::SavedOn(Date::parse(cursor)?),
        b"SAVEDSINCE" => SearchKey::SavedSince(Date::parse(cursor)?),
        b"SENTBEFORE" => SearchKey::SentBefore(Date::parse(cursor)?),
        b"SENTON" => SearchKey::SentOn(Date::parse(cursor)?),
        b"SENTSINCE" => SearchKey::SentSince(Date::parse(cursor)?),
        b"SINCE" => SearchKey::Since(Date::parse(cursor)?),
        b"SMALLER" => SearchKey::Smaller(cursor.number64()?),
        b"SUBJECT" => SearchKey::Subject(cursor.astring()?),
        b"TEXT" => SearchKey::Text(cursor.astring()?),
        b"THREADID" => SearchKey::ThreadId(cursor.astring()?),
        b"TO" => SearchKey::To(cursor.astring()?),
        b"UID" => SearchKey::Uid(SequenceSet::parse(cursor)?),
        b"UNKEYWORD" => SearchKey::Unkeyword(cursor.atom()?.to_owned()),
        b"YOUNGER" => SearchKey::Younger(cursor.nz_number()?),
        _ => return Err(ParseError::Syntax("unknown search key")),
    })
}

fn plain_key(upper: &[u8]) -> Option<SearchKey> {
    Some(match upper {
        b"ALL" => SearchKey::All,
        b"ANSWERED" => SearchKey::Answered,
        b"DELETED" => SearchKey::Deleted,
        b"DRAFT" => SearchKey::Draft,
        b"FLAGGED" => SearchKey::Flagged,
        b"NEW" => SearchKey::New,
        b"OLD" => SearchKey::Old,
        b"RECENT" => SearchKey::Recent,
        b"SAVEDATESUPPORTED" => SearchKey::SaveDateSupported,
        b"SEEN" => SearchKey::Seen,
        b"UNANSWERED" => SearchKey::Unanswered,
        b"UNDELETED" => SearchKey::Undeleted,
        b"UNDRAFT" => SearchKey::Undraft,
        b"UNFLAGGED" => SearchKey::Unflagged,
        b"UNSEEN" => SearchKey::Unseen,
        _ => return None,
    })
}

/// `MODSEQ ["entry" type] n`: Kontor has one modification sequence a message, so that the entry
/// (RFC 7162 §3.1.5) makes no difference.
fn mod_seq(cursor: &mut Cursor<'_>) -> Result<SearchKey> {
    if cursor.peek() == Some(b'"') {
        cursor.string()?;
        cursor.sp()?;
        cursor.atom()?;
        cursor.sp()?;
    }
    Ok(SearchKey::ModSeq(cursor.number64()?))
}
