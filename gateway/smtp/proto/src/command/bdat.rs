//! `BDAT` (RFC 3030 §2).

use std::fmt;

use crate::ParseError;

/// `BDAT size [LAST]`: that many octets follow the line at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bdat {
    /// Octets of the chunk.
    pub size: u64,
    /// The message ends with this chunk.
    pub last: bool,
}

impl Bdat {
    /// A size that cannot be read leaves the stream out of step, so the session must close then.
    pub(super) fn parse(argument: &str) -> Result<Self, ParseError> {
        const BAD: ParseError = ParseError::Syntax("expected BDAT size [LAST]");
        let mut words = argument.split([' ', '\t']).filter(|word| !word.is_empty());
        let size = words.next().filter(|word| word.bytes().all(|b| b.is_ascii_digit())).ok_or(BAD)?;
        let size = size.parse().map_err(|_| BAD)?;
        let last = match words.next() {
            None => false,
            Some(word) if word.eq_ignore_ascii_case("LAST") => true,
            Some(_) => return Err(BAD),
        };
        if words.next().is_some() { Err(BAD) } else { Ok(Self { size, last }) }
    }
}

impl fmt::Display for Bdat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BDAT {}{}", self.size, if self.last { " LAST" } else { "" })
    }
}
