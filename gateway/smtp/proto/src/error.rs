/// Why a line is not a command. The session maps each to its reply code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The verb is not one of ours: `500 5.5.2`.
    #[error("unknown command")]
    UnknownCommand,
    /// The verb is known, its arguments are not well formed: `501 5.5.4`. Says what was expected.
    #[error("{0}")]
    Syntax(&'static str),
    /// The path or the mailbox in it is not well formed: `501 5.1.7` in MAIL, `501 5.1.3` in RCPT.
    #[error("{0}")]
    Address(&'static str),
    /// A parameter that was never offered: `555 5.5.4`.
    #[error("parameter {0} is not supported")]
    UnknownParameter(String),
    /// A known parameter with a bad value, or given twice: `501 5.5.4`.
    #[error("bad value for parameter {0}")]
    BadParameter(&'static str),
}
