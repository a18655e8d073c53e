//! AUTHENTICATE (RFC 9051 §6.2.2, with its initial response: RFC 4959).

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    ParseError,
    cursor::{Cursor, Result},
};

/// Begins a SASL exchange.
#[derive(Clone, PartialEq, Eq)]
pub struct Authenticate {
    /// The mechanism's name in capitals.
    pub mechanism: String,
    /// The decoded initial response.
    pub initial: Option<Vec<u8>>,
}

impl std::fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticate").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

/// The client's answer to a continuation.
#[derive(Clone, PartialEq, Eq)]
pub enum SaslResponse {
    /// Decoded bytes.
    Data(Vec<u8>),
    /// `*`: the client gives up.
    Cancel,
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Authenticate> {
    cursor.sp()?;
    let mechanism = cursor.atom()?.to_ascii_uppercase();
    if cursor.at_end() {
        return Ok(Authenticate { mechanism, initial: None });
    }
    cursor.sp()?;
    let text = cursor.take_while(|b| b.is_ascii_graphic());
    let initial = if text == b"=" { Vec::new() } else { decode(text)? };
    Ok(Authenticate { mechanism, initial: Some(initial) })
}

/// Reads the line that answers a continuation.
///
/// # Errors
/// The line is not base64.
pub fn parse_response(line: &[u8]) -> Result<SaslResponse> {
    if line == b"*" { Ok(SaslResponse::Cancel) } else { decode(line).map(SaslResponse::Data) }
}

fn decode(text: &[u8]) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|_| ParseError::Syntax("expected base64"))
}
