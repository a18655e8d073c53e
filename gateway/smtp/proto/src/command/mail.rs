//! `MAIL` (RFC 5321 §4.1.1.2) with SIZE, BODY, SMTPUTF8, RET, ENVID and AUTH.

use std::fmt;

use super::{after_keyword, once, parameters, unknown};
use crate::path::take_reverse_path;
use crate::{Limits, ParseError, Ret, ReversePath, decode_xtext, encode_xtext};

/// `MAIL FROM:<path>` and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Where notifications go.
    pub from: ReversePath,
    /// `SIZE=`: octets of the message as the client estimates them (RFC 1870).
    pub size: Option<u64>,
    /// `BODY=`: what the message's octets are (RFC 6152, RFC 3030).
    pub body: Option<Body>,
    /// `SMTPUTF8`: addresses or headers are UTF-8 (RFC 6531).
    pub smtputf8: bool,
    /// `RET=`: how much a failure notice gives back (RFC 3461).
    pub ret: Option<Ret>,
    /// `ENVID=`: the sender's name for this transaction, decoded from xtext (RFC 3461).
    pub envid: Option<String>,
    /// `AUTH=`: who submitted it first, decoded from xtext; `None` inside is `<>` (RFC 4954 §5).
    pub auth: Option<Option<String>>,
}

/// The argument of `BODY=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Lines of ASCII.
    SevenBit,
    /// Lines of octets.
    EightBitMime,
    /// Octets without lines; only BDAT can carry it.
    BinaryMime,
}

impl Mail {
    /// A command without parameters.
    pub fn new(from: ReversePath) -> Self {
        Self { from, size: None, body: None, smtputf8: false, ret: None, envid: None, auth: None }
    }

    pub(super) fn parse(argument: &str, limits: &Limits) -> Result<Self, ParseError> {
        let rest =
            after_keyword(argument, "FROM:").ok_or(ParseError::Syntax("expected MAIL FROM:<address>"))?;
        let (from, rest) = take_reverse_path(rest, limits)?;
        let mut mail = Self::new(from);
        for (keyword, value) in parameters(rest, limits)? {
            let is = |name: &str| keyword.eq_ignore_ascii_case(name);
            if is("SIZE") {
                const BAD: ParseError = ParseError::BadParameter("SIZE");
                let digits =
                    value.filter(|v| v.len() <= 20 && v.bytes().all(|b| b.is_ascii_digit())).ok_or(BAD)?;
                // Twenty digits are allowed and can be more than fits: that is too large in any case.
                let size =
                    if digits.is_empty() { return Err(BAD) } else { digits.parse().unwrap_or(u64::MAX) };
                once(&mut mail.size, "SIZE", size)?;
            } else if is("BODY") {
                once(&mut mail.body, "BODY", Body::parse(value.unwrap_or_default())?)?;
            } else if is("SMTPUTF8") {
                if value.is_some() || mail.smtputf8 {
                    return Err(ParseError::BadParameter("SMTPUTF8"));
                }
                mail.smtputf8 = true;
            } else if is("RET") {
                once(&mut mail.ret, "RET", Ret::parse(value.unwrap_or_default())?)?;
            } else if is("ENVID") {
                const BAD: ParseError = ParseError::BadParameter("ENVID");
                let envid = printable(value.unwrap_or_default()).filter(|id| id.len() <= 100).ok_or(BAD)?;
                once(&mut mail.envid, "ENVID", envid)?;
            } else if is("AUTH") {
                const BAD: ParseError = ParseError::BadParameter("AUTH");
                let auth = match value.unwrap_or_default() {
                    "<>" => None,
                    value => Some(printable(value).ok_or(BAD)?),
                };
                once(&mut mail.auth, "AUTH", auth)?;
            } else {
                return Err(unknown(keyword));
            }
        }
        Ok(mail)
    }
}

impl fmt::Display for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MAIL FROM:<{}>", self.from)?;
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        if let Some(body) = self.body {
            write!(f, " BODY={body}")?;
        }
        if self.smtputf8 {
            f.write_str(" SMTPUTF8")?;
        }
        if let Some(ret) = self.ret {
            write!(f, " RET={ret}")?;
        }
        if let Some(envid) = &self.envid {
            write!(f, " ENVID={}", encode_xtext(envid.as_bytes()))?;
        }
        match &self.auth {
            None => Ok(()),
            Some(None) => f.write_str(" AUTH=<>"),
            Some(Some(auth)) => write!(f, " AUTH={}", encode_xtext(auth.as_bytes())),
        }
    }
}

impl Body {
    fn parse(value: &str) -> Result<Self, ParseError> {
        [Self::SevenBit, Self::EightBitMime, Self::BinaryMime]
            .into_iter()
            .find(|body| value.eq_ignore_ascii_case(body.as_str()))
            .ok_or(ParseError::BadParameter("BODY"))
    }

    /// Its keyword on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        }
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text of an xtext that will be shown in headers and notices.
fn printable(xtext: &str) -> Option<String> {
    let text = String::from_utf8(decode_xtext(xtext)?).ok()?;
    (!text.is_empty() && !text.chars().any(char::is_control)).then_some(text)
}
