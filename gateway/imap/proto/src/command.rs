//! Commands: their types, and the parser from a framed command to them.
//!
//! A command that takes arguments has a file of its own name. APPEND is the one that is not parsed
//! from a whole frame: see [`append`].

pub mod append;
pub mod authenticate;
pub mod copy;
pub mod create;
pub mod enable;
pub mod fetch;
pub mod id;
pub mod list;
pub mod login;
pub mod rename;
pub mod search;
pub mod select;
pub mod status;
pub mod store;
pub mod uid;

use crate::{
    Context, MailboxName, ParseError, ParseFailure, SequenceSet, Tag,
    cursor::{Cursor, Result},
};

/// A command and its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The client's tag.
    pub tag: Tag,
    /// What it asks.
    pub body: CommandBody,
}

/// What a command asks. Whether the session's state allows it is the session's affair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandBody {
    /// CAPABILITY
    Capability,
    /// NOOP
    Noop,
    /// LOGOUT
    Logout,
    /// ID, with the client's description of itself.
    Id(Vec<(String, Option<String>)>),
    /// STARTTLS
    StartTls,
    /// AUTHENTICATE
    Authenticate(authenticate::Authenticate),
    /// LOGIN
    Login(login::Login),
    /// ENABLE, with capability names in capitals.
    Enable(Vec<String>),
    /// SELECT or EXAMINE
    Select(select::Select),
    /// CREATE
    Create(create::Create),
    /// DELETE
    Delete(MailboxName),
    /// RENAME
    Rename(rename::Rename),
    /// SUBSCRIBE
    Subscribe(MailboxName),
    /// UNSUBSCRIBE
    Unsubscribe(MailboxName),
    /// LIST
    List(list::List),
    /// LSUB
    Lsub(list::Lsub),
    /// NAMESPACE
    Namespace,
    /// STATUS
    Status(status::Status),
    /// IDLE
    Idle,
    /// CHECK
    Check,
    /// CLOSE
    Close,
    /// UNSELECT
    Unselect,
    /// EXPUNGE, or UID EXPUNGE with its set.
    Expunge(Option<SequenceSet>),
    /// SEARCH or UID SEARCH
    Search(search::Search),
    /// FETCH or UID FETCH
    Fetch(fetch::Fetch),
    /// STORE or UID STORE
    Store(store::Store),
    /// COPY or UID COPY
    Copy(copy::Copy),
    /// MOVE or UID MOVE
    Move(copy::Copy),
}

impl CommandBody {
    /// The command's name, UID commands by their plain one.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Capability => "CAPABILITY",
            Self::Noop => "NOOP",
            Self::Logout => "LOGOUT",
            Self::Id(_) => "ID",
            Self::StartTls => "STARTTLS",
            Self::Authenticate(_) => "AUTHENTICATE",
            Self::Login(_) => "LOGIN",
            Self::Enable(_) => "ENABLE",
            Self::Select(select) => {
                if select.read_only {
                    "EXAMINE"
                } else {
                    "SELECT"
                }
            }
            Self::Create(_) => "CREATE",
            Self::Delete(_) => "DELETE",
            Self::Rename(_) => "RENAME",
            Self::Subscribe(_) => "SUBSCRIBE",
            Self::Unsubscribe(_) => "UNSUBSCRIBE",
            Self::List(_) => "LIST",
            Self::Lsub(_) => "LSUB",
            Self::Namespace => "NAMESPACE",
            Self::Status(_) => "STATUS",
            Self::Idle => "IDLE",
            Self::Check => "CHECK",
            Self::Close => "CLOSE",
            Self::Unselect => "UNSELECT",
            Self::Expunge(_) => "EXPUNGE",
            Self::Search(_) => "SEARCH",
            Self::Fetch(_) => "FETCH",
            Self::Store(_) => "STORE",
            Self::Copy(_) => "COPY",
            Self::Move(_) => "MOVE",
        }
    }
}

/// Parses a command that [`crate::Framer`] framed.
///
/// # Errors
/// Says what is wrong, with the tag if it could be read.
pub fn parse(frame: &[u8], context: &Context) -> std::result::Result<Command, ParseFailure> {
    let mut cursor = Cursor::new(frame, context);
    let tag = cursor.tag().ok_or(ParseFailure { tag: None, error: ParseError::Syntax("expected a tag") })?;
    match body(&mut cursor) {
        Ok(body) => Ok(Command { tag, body }),
        Err(error) => Err(ParseFailure { tag: Some(tag), error }),
    }
}

fn body(cursor: &mut Cursor<'_>) -> Result<CommandBody> {
    cursor.sp()?;
    let name = cursor.take_while(|b| b.is_ascii_alphabetic());
    let mut upper = [0_u8; 12];
    let upper = upper.get_mut(..name.len()).ok_or(ParseError::UnknownCommand)?;
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    let body = match &*upper {
        b"CAPABILITY" => CommandBody::Capability,
        b"NOOP" => CommandBody::Noop,
        b"LOGOUT" => CommandBody::Logout,
        b"ID" => CommandBody::Id(id::parse(cursor)?),
        b"STARTTLS" => CommandBody::StartTls,
        b"AUTHENTICATE" => CommandBody::Authenticate(authenticate::parse(cursor)?),
        b"LOGIN" => CommandBody::Login(login::parse(cursor)?),
        b"ENABLE" => CommandBody::Enable(enable::parse(cursor)?),
        b"SELECT" => CommandBody::Select(select::parse(cursor, false)?),
        b"EXAMINE" => CommandBody::Select(select::parse(cursor, true)?),
        b"CREATE" => CommandBody::Create(create::parse(cursor)?),
        b"DELETE" => CommandBody::Delete(mailbox(cursor)?),
        b"RENAME" => CommandBody::Rename(rename::parse(cursor)?),
        b"SUBSCRIBE" => CommandBody::Subscribe(mailbox(cursor)?),
        b"UNSUBSCRIBE" => CommandBody::Unsubscribe(mailbox(cursor)?),
        b"LIST" => CommandBody::List(list::parse(cursor)?),
        b"LSUB" => CommandBody::Lsub(list::parse_lsub(cursor)?),
        b"NAMESPACE" => CommandBody::Namespace,
        b"STATUS" => CommandBody::Status(status::parse(cursor)?),
        b"APPEND" => return Err(ParseError::Syntax("APPEND needs a message literal")),
        b"IDLE" => CommandBody::Idle,
        b"CHECK" => CommandBody::Check,
        b"CLOSE" => CommandBody::Close,
        b"UNSELECT" => CommandBody::Unselect,
        b"EXPUNGE" => CommandBody::Expunge(None),
        b"SEARCH" => CommandBody::Search(search::parse(cursor, false)?),
        b"FETCH" => CommandBody::Fetch(fetch::parse(cursor, false)?),
        b"STORE" => CommandBody::Store(store::parse(cursor, false)?),
        b"COPY" => CommandBody::Copy(copy::parse(cursor, false)?),
        b"MOVE" => CommandBody::Move(copy::parse(cursor, false)?),
        b"UID" => uid::parse(cursor)?,
        _ => return Err(ParseError::UnknownCommand),
    };
    cursor.end()?;
    Ok(body)
}

fn mailbox(cursor: &mut Cursor<'_>) -> Result<MailboxName> {
    cursor.sp()?;
    cursor.mailbox()
}
