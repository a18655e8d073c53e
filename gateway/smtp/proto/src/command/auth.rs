//! `AUTH` (RFC 4954 §4).

use std::fmt;

use crate::ParseError;

/// `AUTH mechanism [initial-response]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    /// Upper case.
    pub mechanism: String,
    /// Base64 as it stood on the wire; `=` is an empty response.
    pub initial_response: Option<String>,
}

impl Auth {
    pub(super) fn parse(argument: &str) -> Result<Self, ParseError> {
        let mut words = argument.split([' ', '\t']).filter(|word| !word.is_empty());
        let mechanism = words.next().ok_or(ParseError::Syntax("expected AUTH mechanism"))?;
        let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if mechanism.len() > 20 || !mechanism.bytes().all(is_name) {
            return Err(ParseError::Syntax("bad mechanism name"));
        }
        let initial_response = words.next().map(str::to_owned);
        if words.next().is_some() || initial_response.as_ref().is_some_and(|text| !text.is_ascii()) {
            return Err(ParseError::Syntax("expected AUTH mechanism [initial-response]"));
        }
        Ok(Self { mechanism: mechanism.to_ascii_uppercase(), initial_response })
    }
}

impl fmt::Display for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AUTH {}", self.mechanism)?;
        match &self.initial_response {
            Some(response) => write!(f, " {response}"),
            None => Ok(()),
        }
    }
}

/// Keeps the proof out of logs.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}
