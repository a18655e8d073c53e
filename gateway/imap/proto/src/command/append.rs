//! APPEND (RFC 9051 §6.3.12, RFC 3502 MULTIAPPEND, RFC 6855 §4 UTF8).
//!
//! A message never passes through the parser. The framer gives what stands before each literal
//! ([`crate::LiteralRequest::prefix`]): the first goes to [`parse_first`], later ones to
//! [`parse_next`], and what stands after the last one to [`parse_end`].

use crate::{
    Context, DateTime, Flag, MailboxName, ParseError, ParseFailure, Tag,
    cursor::{Cursor, Result},
};

/// What comes before an APPEND's first message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The command's tag.
    pub tag: Tag,
    /// Where the messages go.
    pub mailbox: MailboxName,
    /// The first message's options.
    pub message: AppendMessage,
}

/// What is said about one message before its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppendMessage {
    /// Flags to set.
    pub flags: Vec<Flag>,
    /// INTERNALDATE; none for now.
    pub date: Option<DateTime>,
    /// The literal is inside `UTF8 (...)`: a `)` follows it.
    pub utf8: bool,
}

/// Parses the text before the first message.
///
/// # Errors
/// Says what is wrong, with the tag if it could be read.
pub fn parse_first(prefix: &[u8], context: &Context) -> std::result::Result<Append, ParseFailure> {
    let mut cursor = Cursor::new(prefix, context);
    let tag = cursor.tag().ok_or(ParseFailure { tag: None, error: ParseError::Syntax("expected a tag") })?;
    match first(&mut cursor) {
        Ok((mailbox, message)) => Ok(Append { tag, mailbox, message }),
        Err(error) => Err(ParseFailure { tag: Some(tag), error }),
    }
}

/// Parses the text between two messages; `utf8` is the former message's.
///
/// # Errors
/// Says what is wrong.
pub fn parse_next(prefix: &[u8], utf8: bool, context: &Context) -> Result<AppendMessage> {
    let mut cursor = Cursor::new(prefix, context);
    if utf8 {
        cursor.expect(b')', "expected ) after a UTF8 literal")?;
    }
    cursor.sp()?;
    options(&mut cursor)
}

/// Parses the text after the last message; `utf8` is that message's.
///
/// # Errors
/// Says what is wrong.
pub fn parse_end(text: &[u8], utf8: bool, context: &Context) -> Result<()> {
    let mut cursor = Cursor::new(text, context);
    if utf8 {
        cursor.expect(b')', "expected ) after a UTF8 literal")?;
    }
    cursor.end()
}

fn first(cursor: &mut Cursor<'_>) -> Result<(MailboxName, AppendMessage)> {
    cursor.sp()?;
    if !cursor.eat_word("APPEND") {
        return Err(ParseError::UnknownCommand);
    }
    cursor.sp()?;
    let mailbox = cursor.mailbox()?;
    cursor.sp()?;
    Ok((mailbox, options(cursor)?))
}

fn options(cursor: &mut Cursor<'_>) -> Result<AppendMessage> {
    let mut message = AppendMessage::default();
    if cursor.peek() == Some(b'(') {
        message.flags = Flag::parse_list(cursor)?;
        cursor.sp()?;
    }
    if cursor.peek() == Some(b'"') {
        message.date = Some(DateTime::parse(cursor)?);
        cursor.sp()?;
    }
    if cursor.eat_word("UTF8") {
        cursor.sp()?;
        cursor.expect(b'(', "expected ( after UTF8")?;
        message.utf8 = true;
    }
    cursor.end()?;
    Ok(message)
}
