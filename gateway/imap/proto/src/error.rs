//! Why a command was not understood.

use crate::Tag;

/// What is wrong with a command. Each is answered with a tagged BAD, but for
/// [`ParseError::BadCharset`], which RFC 9051 §6.4.4 wants as `NO [BADCHARSET]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The grammar is broken; says what was expected.
    #[error("{0}")]
    Syntax(&'static str),
    /// The command is well formed so far and holds more than [`crate::Limits`] allow.
    #[error("too many or too deep: {0}")]
    Limit(&'static str),
    /// No such command.
    #[error("unknown command")]
    UnknownCommand,
    /// SEARCH in a character set other than US-ASCII and UTF-8.
    #[error("character set not supported")]
    BadCharset,
}

/// A command that was not understood, with its tag if at least that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseFailure {
    /// The command's tag; none makes the answer an untagged BAD.
    pub tag: Option<Tag>,
    /// What is wrong.
    pub error: ParseError,
}
