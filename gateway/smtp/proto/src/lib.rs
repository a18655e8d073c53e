//! The grammar of SMTP and LMTP, both sides of the wire, without I/O.
//!
//! What it is: a framer that finds where a command line ends, typed commands with their ESMTP parameters,
//! typed replies, the decoder that takes a message out of DATA or BDAT, and for the sending side the reply
//! parser, the capability list and the dot-stuffing writer. All of it works on byte slices and is
//! incremental: cutting the input at other places gives the same result.
//!
//! What it is not: a session. Which command is allowed when, who may relay and where mail goes is decided
//! by the gateway (`kontor-smtp`). Nothing here knows a socket, a clock or a runtime.
//!
//! ```
//! use kontor_smtp_proto::{Command, Frame, Limits, LineFramer};
//!
//! let mut framer = LineFramer::new(Limits::default().command_line);
//! let input = b"RCPT TO:<\"a b\"@example.org> NOTIFY=NEVER\r\nDATA\r\n";
//! let Frame::Line { line, consumed } = framer.frame(input) else { panic!() };
//! let Command::Rcpt(rcpt) = Command::parse(line, &Limits::default()).unwrap() else { panic!() };
//! assert_eq!(rcpt.to.to_string(), "\"a b\"@example.org");
//! assert_eq!(&input[consumed..], b"DATA\r\n");
//! ```
//!
//! Implements: RFC 5321 §4 (commands, replies), §4.5.2 (transparency), RFC 2033 (LMTP), RFC 1870 (SIZE),
//! RFC 2920 (PIPELINING), RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8), RFC 3030 (CHUNKING, BINARYMIME),
//! RFC 2034 and RFC 3463 (enhanced status codes), RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 3461 (DSN).

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic))]
#![warn(missing_docs)]

mod capability;
mod command;
mod data;
mod dsn;
mod error;
mod framer;
mod limits;
mod path;
mod reply;
mod stuffing;
mod xtext;

pub use capability::{AuthMechanisms, Capabilities};
pub use command::{Auth, Bdat, Body, Command, Mail, Rcpt};
pub use data::{BareNewline, DataDecoder, Decoded, find_bare_newline};
pub use dsn::{Notify, OriginalRecipient, Ret};
pub use error::ParseError;
pub use framer::{Frame, LineFramer};
pub use limits::Limits;
pub use path::{Domain, Mailbox, Recipient, ReversePath};
pub use reply::{EnhancedCode, Reply, ReplyError, ReplyFrame, parse_reply};
pub use stuffing::DotStuffer;
pub use xtext::{decode_xtext, encode_xtext};
