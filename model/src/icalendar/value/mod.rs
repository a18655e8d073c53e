//! Typed values (RFC 5545 §3.3). Dates and times are those of [`jiff::civil`].

mod address;
mod duration;
mod period;
mod recur;
mod text;
mod time;
mod utc_offset;

pub use address::CalAddress;
pub use duration::Duration;
pub use period::{Period, PeriodEnd};
pub use recur::{ByDay, Frequency, Recur, Until};
pub use text::{split_structured, split_texts, unescape};
pub use time::CalendarTime;
pub use utc_offset::UtcOffset;

pub use crate::content_line::escape;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A value that is not of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {0}")]
pub struct ValueError(
    /// The type by its name in RFC 5545 §3.3.
    pub &'static str,
);

/// BINARY (RFC 5545 §3.3.1); at most `limit` octets.
pub fn decode_binary(value: &str, limit: usize) -> Result<Vec<u8>, ValueError> {
    let digits: Vec<u8> = value.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    if digits.len() / 4 > limit / 3 + 1 {
        return Err(ValueError("BINARY of this length"));
    }
    let octets = BASE64.decode(digits).map_err(|_| ValueError("BINARY"))?;
    if octets.len() > limit { Err(ValueError("BINARY of this length")) } else { Ok(octets) }
}

/// BINARY as it is written.
pub fn encode_binary(octets: &[u8]) -> String {
    BASE64.encode(octets)
}

/// Digits only, so that a sign is none; `None` where it does not fit.
fn digits(text: &str) -> Option<u32> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Padding is often forgotten.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
