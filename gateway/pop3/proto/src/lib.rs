//! The grammar of POP3, server side, without I/O.
//!
//! What it is: a framer that finds where a line ends, typed commands, typed responses, and the writer that
//! dot-stuffs a message piece by piece. What it is not: a session; which command is allowed in which state
//! is decided by the gateway (`kontor-pop3`).
//!
//! ```
//! use kontor_pop3_proto::{Command, Frame, Limits, LineFramer};
//!
//! let mut framer = LineFramer::new(Limits::default().command_line);
//! let Frame::Line { line, .. } = framer.frame(b"TOP 3 10\r\n") else { panic!() };
//! assert_eq!(Command::parse(line), Ok(Command::Top { message: 3, lines: 10 }));
//! ```
//!
//! Implements: RFC 1939, RFC 2449 (CAPA, response codes, PIPELINING, UIDL, EXPIRE), RFC 2595 §4 (STLS),
//! RFC 3206 (AUTH and SYS response codes), RFC 5034 (SASL), RFC 6856 §2.1 (UTF8).

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic))]
#![warn(missing_docs)]

mod capability;
mod command;
mod framer;
mod limits;
mod response;
mod stuffing;

pub use capability::Capabilities;
pub use command::{Command, ParseError};
pub use framer::{Frame, LineFramer};
pub use limits::Limits;
pub use response::{Response, ResponseCode, write_listing};
pub use stuffing::{DotStuffer, TopCounter};
