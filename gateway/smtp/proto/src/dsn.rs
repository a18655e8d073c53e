//! Delivery status notification parameters (RFC 3461 §4).

use std::fmt;

use crate::ParseError;
use crate::xtext::{decode_xtext, encode_xtext};

/// How much of the message a failure notice gives back (RFC 3461 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// All of it.
    Full,
    /// Its header only.
    Headers,
}

impl Ret {
    /// Reads the value of the parameter.
    pub fn parse(value: &str) -> Result<Self, ParseError> {
        if value.eq_ignore_ascii_case("FULL") {
            Ok(Self::Full)
        } else if value.eq_ignore_ascii_case("HDRS") {
            Ok(Self::Headers)
        } else {
            Err(ParseError::BadParameter("RET"))
        }
    }
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        })
    }
}

/// When a recipient's fate is told to the sender (RFC 3461 §4.1). All false is `NEVER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// It was delivered.
    pub success: bool,
    /// It could not be delivered.
    pub failure: bool,
    /// It takes long.
    pub delay: bool,
}

impl Notify {
    /// No notice at all.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };

    /// Reads the value of the parameter.
    pub fn parse(value: &str) -> Result<Self, ParseError> {
        if value.eq_ignore_ascii_case("NEVER") {
            return Ok(Self::NEVER);
        }
        let mut notify = Self::NEVER;
        for item in value.split(',') {
            let flag = if item.eq_ignore_ascii_case("SUCCESS") {
                &mut notify.success
            } else if item.eq_ignore_ascii_case("FAILURE") {
                &mut notify.failure
            } else if item.eq_ignore_ascii_case("DELAY") {
                &mut notify.delay
            } else {
                return Err(ParseError::BadParameter("NOTIFY"));
            };
            *flag = true;
        }
        Ok(notify)
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set: Vec<&str> = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")]
            .into_iter()
            .filter_map(|(on, name)| on.then_some(name))
            .collect();
        if set.is_empty() { f.write_str("NEVER") } else { f.write_str(&set.join(",")) }
    }
}

/// The address that the sender first meant (RFC 3461 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginalRecipient {
    /// `rfc822` or `utf-8`, lower case.
    pub address_type: String,
    /// The address, decoded from xtext.
    pub address: String,
}

impl OriginalRecipient {
    /// Reads the value of the parameter.
    pub fn parse(value: &str) -> Result<Self, ParseError> {
        const BAD: ParseError = ParseError::BadParameter("ORCPT");
        let (address_type, address) = value.split_once(';').ok_or(BAD)?;
        if address_type.is_empty()
            || address_type.len() > 32
            || !address_type.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
            return Err(BAD);
        }
        // RFC 6533 lets UTF-8 stand for itself in a utf-8 address.
        let address = if address.is_ascii() {
            String::from_utf8(decode_xtext(address).ok_or(BAD)?).map_err(|_| BAD)?
        } else {
            address.to_owned()
        };
        if address.is_empty() || address.chars().any(char::is_control) {
            return Err(BAD);
        }
        Ok(Self { address_type: address_type.to_ascii_lowercase(), address })
    }
}

impl fmt::Display for OriginalRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.address_type, encode_xtext(self.address.as_bytes()))
    }
}
