//! `RCPT` (RFC 5321 §4.1.1.3) with NOTIFY and ORCPT.

use std::fmt;

use super::{after_keyword, once, parameters, unknown};
use crate::path::take_forward_path;
use crate::{Limits, Notify, OriginalRecipient, ParseError, Recipient};

/// `RCPT TO:<path>` and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rcpt {
    /// Whom the message is for.
    pub to: Recipient,
    /// `NOTIFY=`: when the sender is told (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// `ORCPT=`: whom the sender first meant (RFC 3461 §4.2).
    pub orcpt: Option<OriginalRecipient>,
}

impl Rcpt {
    /// A command without parameters.
    pub fn new(to: Recipient) -> Self {
        Self { to, notify: None, orcpt: None }
    }

    pub(super) fn parse(argument: &str, limits: &Limits) -> Result<Self, ParseError> {
        let rest = after_keyword(argument, "TO:").ok_or(ParseError::Syntax("expected RCPT TO:<address>"))?;
        let (to, rest) = take_forward_path(rest, limits)?;
        let mut rcpt = Self::new(to);
        for (keyword, value) in parameters(rest, limits)? {
            if keyword.eq_ignore_ascii_case("NOTIFY") {
                once(&mut rcpt.notify, "NOTIFY", Notify::parse(value.unwrap_or_default())?)?;
            } else if keyword.eq_ignore_ascii_case("ORCPT") {
                once(&mut rcpt.orcpt, "ORCPT", OriginalRecipient::parse(value.unwrap_or_default())?)?;
            } else {
                return Err(unknown(keyword));
            }
        }
        Ok(rcpt)
    }
}

impl fmt::Display for Rcpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RCPT TO:<{}>", self.to)?;
        if let Some(notify) = self.notify {
            write!(f, " NOTIFY={notify}")?;
        }
        if let Some(orcpt) = &self.orcpt {
            write!(f, " ORCPT={orcpt}")?;
        }
        Ok(())
    }
}
