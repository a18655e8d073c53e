//! Mail addresses as the directory compares them.

use crate::error::Error;

/// An address in canonical form: lower case, without surrounding space.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address {
    pub local: String,
    pub domain: String,
}

impl Address {
    /// RFC 5321 §4.5.3.1 bounds; UTF-8 as RFC 6531 has it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Invalid(format!("{text:?} is not a mail address"));
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
        let fits = !local.is_empty() && local.len() <= 64 * 4 && domain.len() <= 255;
        let clean =
            |s: &str| !s.chars().any(|c| c.is_control() || c.is_whitespace() || "<>\"(),;:\\".contains(c));
        // A quoted local part that needs no quotes is the same address without them.
        let local = match local.strip_prefix('"').and_then(|l| l.strip_suffix('"')) {
            Some(inner) => inner,
            None => local,
        };
        if !fits || local.is_empty() || !clean(local) || !is_domain(domain) {
            return Err(wrong());
        }
        Ok(Address { local: local.to_lowercase(), domain: domain.to_lowercase() })
    }

    /// Without its subaddress (RFC 5233), and the detail.
    pub fn split_detail(&self) -> Option<(Address, String)> {
        let (user, detail) = self.local.split_once('+')?;
        if user.is_empty() {
            return None;
        }
        Some((Address { local: user.into(), domain: self.domain.clone() }, detail.into()))
    }

    pub fn in_domain(&self, domain: &str) -> Address {
        Address { local: self.local.clone(), domain: domain.into() }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// Whether it can be the name of a mail domain.
pub(crate) fn is_domain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_quotes_do_not_matter() {
        for text in ["Anna@Example.ORG", " anna@example.org ", "\"anna\"@example.org"] {
            assert_eq!(Address::parse(text).expect(text).to_string(), "anna@example.org");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "@", "anna", "anna@", "@example.org", "a b@example.org", "a@b..c", "a@-b", "a\u{0}@b"]
        {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_detail_is_split_at_the_first_plus() {
        let (user, detail) = Address::parse("a+b+c@x.org").expect("address").split_detail().expect("detail");
        assert_eq!((user.to_string().as_str(), detail.as_str()), ("a@x.org", "b+c"));
        assert!(Address::parse("+b@x.org").expect("address").split_detail().is_none());
    }
}
