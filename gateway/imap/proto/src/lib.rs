//! The IMAP server's grammar: bytes to typed commands, typed responses to bytes.
//!
//! Sans-IO: no socket, clock or runtime. [`Framer`] finds where a command ends, across lines and
//! literals, and holds the byte budget; [`command::parse`] turns one framed command into a
//! [`Command`]; [`Encoder`] writes responses and cannot write one that breaks the grammar. What the
//! commands do is the business of the `kontor-imap` gateway, and message structure (ENVELOPE,
//! BODYSTRUCTURE) is rendered elsewhere and passed through here as finished bytes.
//!
//! ```
//! use kontor_imap_proto::{Context, Event, Framer, FramerLimits, Limits, command};
//!
//! let mut framer = Framer::new(FramerLimits::before_login());
//! let mut input: &[u8] = b"a1 LOGIN joe {3+}\r\nabc\r\n";
//! let Event::Command(frame) = framer.next(&mut input) else { panic!("a whole command") };
//! let context = Context { utf8: false, limits: Limits::default() };
//! let command = command::parse(&frame, &context).expect("well formed");
//! assert_eq!(command.tag.as_str(), "a1");
//! ```
//!
//! Implements RFC 3501 §6-9, RFC 9051 §6-9, and the grammars of RFC 2177 (IDLE), 2342 (NAMESPACE),
//! 2971 (ID), 3502 (MULTIAPPEND), 3516 (BINARY), 3691 (UNSELECT), 4315 (UIDPLUS), 4466, 4731
//! (ESEARCH), 4959 (SASL-IR), 5032 (WITHIN), 5161 (ENABLE), 5182 (SEARCHRES), 5258 (LIST-EXTENDED),
//! 5530 (response codes), 5819 (LIST-STATUS), 6154 (SPECIAL-USE), 6851 (MOVE), 6855 (UTF8=ACCEPT),
//! 7162 (CONDSTORE, QRESYNC), 7888 (LITERAL+), 7889 (APPENDLIMIT), 8438 (STATUS=SIZE), 8474
//! (OBJECTID) and 8514 (SAVEDATE).

#![warn(missing_docs)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::indexing_slicing))]

pub mod command;
mod cursor;
mod date_time;
mod encoder;
mod error;
mod fetch_writer;
mod flag;
mod framer;
mod limits;
mod mailbox_name;
mod response_code;
mod section;
mod sequence_set;

pub use command::{Command, CommandBody};
pub use date_time::{Date, DateTime};
pub use encoder::{Encoder, EsearchResult, ListEntry, NamespaceEntry, Status, StatusValue};
pub use error::{ParseError, ParseFailure};
pub use fetch_writer::{FetchWriter, SuspendedFetch};
pub use flag::{Flag, SpecialUse};
pub use framer::{Event, Framer, LiteralRequest, Rejection};
pub use limits::{FramerLimits, Limits};
pub use mailbox_name::{MailboxName, decode_utf7, encode_utf7};
pub use response_code::Code;
pub use section::{Partial, Section, SectionText};
pub use sequence_set::{SequenceRange, SequenceSet, join, write_number, write_set};

/// How a command is to be read: what the session has enabled, and the budgets.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Mailbox names are UTF-8 (after ENABLE IMAP4rev2 or UTF8=ACCEPT) and not modified UTF-7.
    pub utf8: bool,
    /// Budgets of the parser.
    pub limits: Limits,
}

/// A command's tag as the client sent it: never empty, only the characters RFC 9051 §9 allows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tag(Box<str>);

impl Tag {
    /// Takes `bytes` as a tag if they are one.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() || bytes.len() > 256 || !bytes.iter().all(|&b| cursor::is_tag_char(b)) {
            return None;
        }
        std::str::from_utf8(bytes).ok().map(|s| Self(s.into()))
    }

    /// The tag's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
