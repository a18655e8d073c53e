//! Commands (RFC 1939 §3 to §7 and the extensions named in the crate's documentation).

use std::fmt;

/// A command. Displayed in its wire form, without CRLF. Message numbers start at 1.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// `USER name`
    User(String),
    /// `PASS string`: everything after the first blank, blanks included.
    Pass(String),
    /// `AUTH`: lists mechanisms; with a mechanism it starts a SASL exchange (RFC 5034).
    Auth {
        /// Upper case; `None` asks for the list.
        mechanism: Option<String>,
        /// Base64 as it stood on the wire; `=` is an empty response.
        initial_response: Option<String>,
    },
    /// `CAPA`
    Capa,
    /// `STLS`
    Stls,
    /// `UTF8`
    Utf8,
    /// `STAT`
    Stat,
    /// `LIST [message]`
    List(Option<u32>),
    /// `UIDL [message]`
    Uidl(Option<u32>),
    /// `RETR message`
    Retr(u32),
    /// `TOP message lines`
    Top {
        /// Message number.
        message: u32,
        /// Lines of the body.
        lines: u64,
    },
    /// `DELE message`
    Dele(u32),
    /// `NOOP`
    Noop,
    /// `RSET`
    Rset,
    /// `QUIT`
    Quit,
}

/// Why a line is not a command: `-ERR` with this text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The keyword is not one of ours.
    #[error("unknown command")]
    UnknownCommand,
    /// The line is not text.
    #[error("a command is ASCII or UTF-8 without control characters")]
    NotText,
    /// The arguments are not what the command takes.
    #[error("{0}")]
    Syntax(&'static str),
}

impl Command {
    /// Reads a line without its CRLF.
    pub fn parse(line: &[u8]) -> Result<Self, ParseError> {
        let line = std::str::from_utf8(line).map_err(|_| ParseError::NotText)?;
        if line.chars().any(char::is_control) {
            return Err(ParseError::NotText);
        }
        let (keyword, argument) = line.split_once(' ').unwrap_or((line, ""));
        // A password may begin or end with blanks; nothing else does.
        if keyword.eq_ignore_ascii_case("PASS") {
            return if argument.is_empty() {
                syntax("expected PASS password")
            } else {
                Ok(Self::Pass(argument.into()))
            };
        }
        let argument = argument.trim_matches(' ');
        let mut words = argument.split(' ').filter(|word| !word.is_empty());
        let command = match keyword.to_ascii_uppercase().as_str() {
            "USER" if argument.is_empty() => return syntax("expected USER name"),
            "USER" => return Ok(Self::User(argument.into())),
            "AUTH" => {
                let mechanism = words.next().map(str::to_ascii_uppercase);
                if mechanism.as_deref().is_some_and(|name| !is_mechanism(name)) {
                    return syntax("bad mechanism name");
                }
                Self::Auth { mechanism, initial_response: words.next().map(str::to_owned) }
            }
            "CAPA" => Self::Capa,
            "STLS" => Self::Stls,
            "UTF8" => Self::Utf8,
            "STAT" => Self::Stat,
            "LIST" => Self::List(words.next().map(message).transpose()?),
            "UIDL" => Self::Uidl(words.next().map(message).transpose()?),
            "RETR" => Self::Retr(message(words.next().unwrap_or_default())?),
            "TOP" => {
                let message = message(words.next().unwrap_or_default())?;
                match words.next().and_then(number) {
                    Some(lines) => Self::Top { message, lines },
                    None => return syntax("expected TOP message lines"),
                }
            }
            "DELE" => Self::Dele(message(words.next().unwrap_or_default())?),
            "NOOP" => Self::Noop,
            "RSET" => Self::Rset,
            "QUIT" => Self::Quit,
            _ => return Err(ParseError::UnknownCommand),
        };
        if words.next().is_some() { syntax("too many arguments") } else { Ok(command) }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let optional = |f: &mut fmt::Formatter<'_>, keyword: &str, message: &Option<u32>| match message {
            Some(message) => write!(f, "{keyword} {message}"),
            None => f.write_str(keyword),
        };
        match self {
            Self::User(name) => write!(f, "USER {name}"),
            Self::Pass(password) => write!(f, "PASS {password}"),
            Self::Auth { mechanism, initial_response } => {
                f.write_str("AUTH")?;
                for word in [mechanism, initial_response].into_iter().flatten() {
                    write!(f, " {word}")?;
                }
                Ok(())
            }
            Self::Capa => f.write_str("CAPA"),
            Self::Stls => f.write_str("STLS"),
            Self::Utf8 => f.write_str("UTF8"),
            Self::Stat => f.write_str("STAT"),
            Self::List(message) => optional(f, "LIST", message),
            Self::Uidl(message) => optional(f, "UIDL", message),
            Self::Retr(message) => write!(f, "RETR {message}"),
            Self::Top { message, lines } => write!(f, "TOP {message} {lines}"),
            Self::Dele(message) => write!(f, "DELE {message}"),
            Self::Noop => f.write_str("NOOP"),
            Self::Rset => f.write_str("RSET"),
            Self::Quit => f.write_str("QUIT"),
        }
    }
}

/// Keeps passwords and proofs out of logs.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass(_) => f.write_str("PASS ***"),
            Self::Auth { mechanism, .. } => {
                write!(f, "AUTH {} ***", mechanism.as_deref().unwrap_or_default())
            }
            other => fmt::Display::fmt(other, f),
        }
    }
}

fn syntax(expected: &'static str) -> Result<Command, ParseError> {
    Err(ParseError::Syntax(expected))
}

fn message(word: &str) -> Result<u32, ParseError> {
    let value = number(word).and_then(|value| u32::try_from(value).ok()).filter(|&value| value > 0);
    value.ok_or(ParseError::Syntax("expected a message number"))
}

fn number(word: &str) -> Option<u64> {
    (!word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())).then(|| word.parse().ok()).flatten()
}

fn is_mechanism(name: &str) -> bool {
    name.len() <= 20
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_are_read() {
        assert_eq!(Command::parse(b"user a b"), Ok(Command::User("a b".into())));
        assert_eq!(Command::parse(b"PASS  x "), Ok(Command::Pass(" x ".into())));
        assert_eq!(Command::parse(b"list"), Ok(Command::List(None)));
        assert_eq!(Command::parse(b"LIST 3"), Ok(Command::List(Some(3))));
        assert_eq!(Command::parse(b"AUTH"), Ok(Command::Auth { mechanism: None, initial_response: None }));
        let auth = Command::Auth { mechanism: Some("PLAIN".into()), initial_response: Some("=".into()) };
        assert_eq!(Command::parse(b"auth plain ="), Ok(auth));
        for bad in [
            &b"RETR"[..],
            b"RETR 0",
            b"RETR -1",
            b"RETR x",
            b"RETR 99999999999",
            b"TOP 1",
            b"TOP 1 x",
            b"STAT 1",
            b"USER",
            b"PASS",
            b"DELE 1 2",
            b"AUTH a!b",
            b"AUTH a b c",
        ] {
            assert!(matches!(Command::parse(bad), Err(ParseError::Syntax(_))), "{bad:?}");
        }
        assert_eq!(Command::parse(b"XTND"), Err(ParseError::UnknownCommand));
        assert_eq!(Command::parse(b"PASS a\0"), Err(ParseError::NotText));
        assert_eq!(Command::parse(b"USER \xff"), Err(ParseError::NotText));
    }

    #[test]
    fn secrets_are_not_shown_in_debug() {
        assert_eq!(format!("{:?}", Command::Pass("x y".into())), "PASS ***");
        assert_eq!(format!("{:?}", Command::parse(b"AUTH PLAIN AAAA").unwrap()), "AUTH PLAIN ***");
    }

    fn command() -> impl Strategy<Value = Command> {
        let message = || 1u32..=u32::MAX;
        prop_oneof![
            "[!-~\u{e9}]{1,10}".prop_map(Command::User),
            "[ -~\u{e9}]{1,10}".prop_map(Command::Pass),
            prop::option::of(message()).prop_map(Command::List),
            prop::option::of(message()).prop_map(Command::Uidl),
            message().prop_map(Command::Retr),
            message().prop_map(Command::Dele),
            (message(), any::<u64>()).prop_map(|(message, lines)| Command::Top { message, lines }),
            ("[A-Z0-9-]{1,20}", prop::option::of("[A-Za-z0-9+/=]{1,20}")).prop_map(
                |(name, initial_response)| Command::Auth { mechanism: Some(name), initial_response }
            ),
            prop::sample::select(vec![
                Command::Capa,
                Command::Stls,
                Command::Utf8,
                Command::Stat,
                Command::Noop,
                Command::Rset,
                Command::Quit,
            ]),
        ]
    }

    proptest! {
        #[test]
        fn every_command_comes_back(command in command()) {
            prop_assert_eq!(Command::parse(command.to_string().as_bytes()), Ok(command));
        }

        #[test]
        fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Command::parse(&line);
        }
    }
}
