//! Commands (RFC 5321 §4.1).

mod auth;
mod bdat;
mod mail;
mod rcpt;

use std::fmt;

pub use self::auth::Auth;
pub use self::bdat::Bdat;
pub use self::mail::{Body, Mail};
pub use self::rcpt::Rcpt;
use crate::{Limits, ParseError};

/// A command of SMTP or LMTP. Displayed in its wire form, without CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `EHLO name`. The name is what the client says; servers show it and do not believe it, so it is
    /// bounded printable text and no more (RFC 5321 §4.1.4).
    Ehlo(String),
    /// `HELO name`
    Helo(String),
    /// `LHLO name` (RFC 2033)
    Lhlo(String),
    /// `MAIL FROM:<path> parameters`
    Mail(Mail),
    /// `RCPT TO:<path> parameters`
    Rcpt(Rcpt),
    /// `DATA`
    Data,
    /// `BDAT size [LAST]` (RFC 3030)
    Bdat(Bdat),
    /// `RSET`
    Rset,
    /// `NOOP`, whatever follows.
    Noop,
    /// `VRFY text`
    Vrfy(String),
    /// `EXPN text`
    Expn(String),
    /// `HELP`, whatever follows.
    Help,
    /// `QUIT`
    Quit,
    /// `STARTTLS` (RFC 3207)
    StartTls,
    /// `AUTH mechanism [initial-response]` (RFC 4954)
    Auth(Auth),
}

impl Command {
    /// Reads a line without its CRLF.
    pub fn parse(line: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        let Ok(line) = std::str::from_utf8(line) else {
            return Err(ParseError::Syntax("a command is ASCII or UTF-8"));
        };
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(ParseError::Syntax("control characters are not allowed"));
        }
        let line = line.trim_end_matches([' ', '\t']);
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let verb_is = |name: &str| verb.eq_ignore_ascii_case(name);
        let alone = |command: Self| match argument {
            "" => Ok(command),
            _ => Err(ParseError::Syntax("this command takes no argument")),
        };
        if verb_is("EHLO") {
            Ok(Self::Ehlo(client_name(argument)?))
        } else if verb_is("HELO") {
            Ok(Self::Helo(client_name(argument)?))
        } else if verb_is("LHLO") {
            Ok(Self::Lhlo(client_name(argument)?))
        } else if verb_is("MAIL") {
            Mail::parse(argument, limits).map(Self::Mail)
        } else if verb_is("RCPT") {
            Rcpt::parse(argument, limits).map(Self::Rcpt)
        } else if verb_is("DATA") {
            alone(Self::Data)
        } else if verb_is("BDAT") {
            Bdat::parse(argument).map(Self::Bdat)
        } else if verb_is("RSET") {
            alone(Self::Rset)
        } else if verb_is("NOOP") {
            Ok(Self::Noop)
        } else if verb_is("VRFY") {
            Ok(Self::Vrfy(text(argument)?))
        } else if verb_is("EXPN") {
            Ok(Self::Expn(text(argument)?))
        } else if verb_is("HELP") {
            Ok(Self::Help)
        } else if verb_is("QUIT") {
            alone(Self::Quit)
        } else if verb_is("STARTTLS") {
            alone(Self::StartTls)
        } else if verb_is("AUTH") {
            Auth::parse(argument).map(Self::Auth)
        } else {
            Err(ParseError::UnknownCommand)
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ehlo(name) => write!(f, "EHLO {name}"),
            Self::Helo(name) => write!(f, "HELO {name}"),
            Self::Lhlo(name) => write!(f, "LHLO {name}"),
            Self::Mail(mail) => mail.fmt(f),
            Self::Rcpt(rcpt) => rcpt.fmt(f),
            Self::Data => f.write_str("DATA"),
            Self::Bdat(bdat) => bdat.fmt(f),
            Self::Rset => f.write_str("RSET"),
            Self::Noop => f.write_str("NOOP"),
            Self::Vrfy(text) => write!(f, "VRFY {text}"),
            Self::Expn(text) => write!(f, "EXPN {text}"),
            Self::Help => f.write_str("HELP"),
            Self::Quit => f.write_str("QUIT"),
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Auth(auth) => auth.fmt(f),
        }
    }
}

/// Clients send what they like here; a space would break the trace header that shows it.
fn client_name(argument: &str) -> Result<String, ParseError> {
    let name = argument.trim_matches([' ', '\t']);
    if name.is_empty() || name.len() > 255 || name.contains([' ', '\t', '(', ')', '\\', '"', ';', '<', '>']) {
        return Err(ParseError::Syntax("expected a domain or an address literal"));
    }
    Ok(name.to_owned())
}

fn text(argument: &str) -> Result<String, ParseError> {
    let text = argument.trim_matches([' ', '\t']);
    if text.is_empty() { Err(ParseError::Syntax("expected an argument")) } else { Ok(text.to_owned()) }
}

/// What follows `FROM:` or `TO:`. Blanks before the path are common enough to be let through.
fn after_keyword<'a>(argument: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, rest) = argument.trim_start_matches([' ', '\t']).split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then(|| rest.trim_start_matches([' ', '\t']))
}

/// The ESMTP parameters after a path, as (keyword, value).
fn parameters<'a>(
    rest: &'a str,
    limits: &Limits,
) -> Result<impl Iterator<Item = (&'a str, Option<&'a str>)>, ParseError> {
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return Err(ParseError::Syntax("expected a blank after the path"));
    }
    let items = || rest.split([' ', '\t']).filter(|item| !item.is_empty());
    if items().count() > limits.parameters {
        return Err(ParseError::Syntax("too many parameters"));
    }
    Ok(items().map(|item| match item.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (item, None),
    }))
}

/// Sets a parameter that may be given once.
fn once<T>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), ParseError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(ParseError::BadParameter(name)),
    }
}

fn unknown(keyword: &str) -> ParseError {
    let shown = keyword.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    ParseError::UnknownParameter(shown)
}

#[cfg(test)]
mod tests;
