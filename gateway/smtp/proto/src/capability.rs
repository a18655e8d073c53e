//! The EHLO and LHLO keyword lists (RFC 5321 §4.1.1.1).

use crate::Reply;

/// What a server offers after EHLO or LHLO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// PIPELINING (RFC 2920)
    pub pipelining: bool,
    /// `SIZE n` (RFC 1870): octets; `Some(0)` is offered without a bound.
    pub size: Option<u64>,
    /// 8BITMIME (RFC 6152)
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531)
    pub smtputf8: bool,
    /// CHUNKING (RFC 3030)
    pub chunking: bool,
    /// BINARYMIME (RFC 3030)
    pub binary_mime: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034)
    pub enhanced_status_codes: bool,
    /// DSN (RFC 3461)
    pub dsn: bool,
    /// STARTTLS (RFC 3207)
    pub starttls: bool,
    /// AUTH (RFC 4954)
    pub auth: AuthMechanisms,
}

/// The SASL mechanisms that Kontor speaks on either side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuthMechanisms {
    /// PLAIN (RFC 4616)
    pub plain: bool,
    /// LOGIN
    pub login: bool,
}

impl Capabilities {
    /// Reads the lines of a 250 reply to EHLO. The first line is the server's name; unknown keywords are
    /// passed over.
    pub fn parse(reply: &Reply) -> Self {
        let mut caps = Self::default();
        for line in reply.lines.iter().skip(1) {
            let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
            let Some(keyword) = words.next() else { continue };
            match keyword.to_ascii_uppercase().as_str() {
                "PIPELINING" => caps.pipelining = true,
                "SIZE" => caps.size = Some(words.next().and_then(|size| size.parse().ok()).unwrap_or(0)),
                "8BITMIME" => caps.eight_bit_mime = true,
                "SMTPUTF8" => caps.smtputf8 = true,
                "CHUNKING" => caps.chunking = true,
                "BINARYMIME" => caps.binary_mime = true,
                "ENHANCEDSTATUSCODES" => caps.enhanced_status_codes = true,
                "DSN" => caps.dsn = true,
                "STARTTLS" => caps.starttls = true,
                "AUTH" => {
                    for mechanism in words {
                        caps.auth.plain |= mechanism.eq_ignore_ascii_case("PLAIN");
                        caps.auth.login |= mechanism.eq_ignore_ascii_case("LOGIN");
                    }
                }
                _ => {}
            }
        }
        caps
    }

    /// The reply to EHLO or LHLO of a server called `host`.
    pub fn to_reply(&self, host: &str) -> Reply {
        let mut lines = vec![host.to_owned()];
        let mut offer = |on: bool, keyword: &str| lines.extend(on.then(|| keyword.to_owned()));
        offer(self.pipelining, "PIPELINING");
        if let Some(size) = self.size {
            offer(true, &format!("SIZE {size}"));
        }
        offer(self.eight_bit_mime, "8BITMIME");
        offer(self.smtputf8, "SMTPUTF8");
        offer(self.chunking, "CHUNKING");
        offer(self.binary_mime, "BINARYMIME");
        offer(self.dsn, "DSN");
        offer(self.starttls, "STARTTLS");
        match (self.auth.plain, self.auth.login) {
            (true, true) => offer(true, "AUTH PLAIN LOGIN"),
            (true, false) => offer(true, "AUTH PLAIN"),
            (false, true) => offer(true, "AUTH LOGIN"),
            (false, false) => {}
        }
        offer(self.enhanced_status_codes, "ENHANCEDSTATUSCODES");
        Reply { code: 250, enhanced: None, lines }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_list_comes_back(on in any::<[bool; 10]>(), size in prop::option::of(any::<u64>())) {
            let caps = Capabilities {
                pipelining: on[0],
                size,
                eight_bit_mime: on[1],
                smtputf8: on[2],
                chunking: on[3],
                binary_mime: on[4],
                enhanced_status_codes: on[5],
                dsn: on[6],
                starttls: on[7],
                auth: AuthMechanisms { plain: on[8], login: on[9] },
            };
            prop_assert_eq!(Capabilities::parse(&caps.to_reply("mx.example.org")), caps);
        }
    }

    #[test]
    fn the_old_form_of_auth_is_read() {
        let lines = vec!["x".into(), "AUTH=LOGIN".into(), "size".into(), "X-NEW y".into()];
        let caps = Capabilities::parse(&Reply { code: 250, enhanced: None, lines });
        assert!(caps.auth.login && !caps.auth.plain);
        assert_eq!(caps.size, Some(0));
    }
}
