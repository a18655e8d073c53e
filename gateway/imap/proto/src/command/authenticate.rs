//! AUTHENTICATE (RFC 9051 §6.2.2, with its initial response: RFC 4959).

use crate::{
    ParseError,
    cursor::{Cursor, Result},
};

/// Begins a SASL exchange.
#[derive(Clone, PartialEq, Eq)]
pub struct Authenticate {
    /// The mechanism's name in capitals.
    pub mechanism: String,
    /// The initial response as it stood on the wire: base64, or `=` for an empty one.
    pub initial: Option<String>,
}

impl std::fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticate").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Authenticate> {
    cursor.sp()?;
    let mechanism = cursor.atom()?.to_ascii_uppercase();
    if cursor.at_end() {
        return Ok(Authenticate { mechanism, initial: None });
    }
    cursor.sp()?;
    let text = cursor.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    if text.is_empty() {
        return Err(ParseError::Syntax("expected base64"));
    }
    Ok(Authenticate { mechanism, initial: Some(String::from_utf8_lossy(text).into_owned()) })
}
