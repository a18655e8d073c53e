//! The server's side of SASL (RFC 4422) as an exchange without I/O, the same for IMAP, SMTP and POP3.
//!
//! All three carry it the same way: lines of base64, `*` to cancel, `=` for an initial response that is empty. A
//! gateway passes each line as it came, without its line ending, and sends each challenge behind its own prefix
//! (`+ ` or `334 `).
//!
//! ```
//! use kontor_gateway_core::sasl::{self, Credentials, Outcome};
//!
//! let outcome = sasl::start("PLAIN", Some(b"AHRpbQB0YW5zdGFhZg==")).unwrap();
//! let Outcome::Done(Credentials::Password { name, password, .. }) = outcome else { panic!() };
//! assert_eq!((name.as_str(), password.expose()), ("tim", b"tanstaaf".as_slice()));
//! ```

mod login;
mod plain;
mod secret;

pub use login::Login;
pub use plain::Plain;
pub use secret::Secret;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use thiserror::Error;

/// The mechanisms that [`start`] knows, strongest first, as they are advertised.
pub const MECHANISMS: &[&str] = &["PLAIN", "LOGIN"];

/// The longest line of an exchange, octets, without its line ending (RFC 4954 §4 asks for at least 12288).
pub const MAX_LINE: usize = 12_288;

/// The longest name or password, octets.
pub const MAX_FIELD: usize = 1024;

/// What a client proved, or claims to; the directory is asked with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// A name and a password (PLAIN, LOGIN, and the protocols' own LOGIN and USER/PASS).
    Password {
        /// The identity to act as, when it differs from `name` (a delegate or an administrator).
        act_as: Option<String>,
        /// The name to authenticate, as the client sent it.
        name: String,
        /// The password.
        password: Secret,
    },
}

/// An exchange that waits for the client's next line.
#[derive(Debug)]
#[non_exhaustive]
pub enum Exchange {
    /// RFC 4616.
    Plain(Plain),
    /// draft-murchison-sasl-login.
    Login(Login),
}

/// What to do next.
#[derive(Debug)]
pub enum Outcome {
    /// Send this (base64, possibly empty, no line ending), then give the answer to [`Exchange::step`].
    Challenge(String, Exchange),
    /// The client has said everything.
    Done(Credentials),
}

/// Begins an exchange. `initial` is the initial response as it stood on the wire (base64, or `=`), if there was one.
///
/// # Errors
/// See [`SaslError`]. The mechanism's name is compared without case.
pub fn start(mechanism: &str, initial: Option<&[u8]>) -> Result<Outcome, SaslError> {
    let exchange = if mechanism.eq_ignore_ascii_case("PLAIN") {
        Exchange::Plain(Plain)
    } else if mechanism.eq_ignore_ascii_case("LOGIN") {
        Exchange::Login(Login::start())
    } else {
        return Err(SaslError::UnknownMechanism);
    };
    match initial {
        None => Ok(Outcome::Challenge(STANDARD.encode(exchange.challenge()), exchange)),
        Some(b"=") => exchange.respond(Secret::new(Vec::new())),
        Some(line) => exchange.respond(decode(line)?),
    }
}

impl Exchange {
    /// Takes the client's next line, without its line ending.
    ///
    /// # Errors
    /// See [`SaslError`]; the exchange is over then.
    pub fn step(self, line: &[u8]) -> Result<Outcome, SaslError> {
        if line == b"*" {
            return Err(SaslError::Cancelled);
        }
        self.respond(decode(line)?)
    }

    fn challenge(&self) -> &'static [u8] {
        match self {
            Self::Plain(_) => b"",
            Self::Login(login) => login.challenge(),
        }
    }

    fn respond(self, response: Secret) -> Result<Outcome, SaslError> {
        match self {
            Self::Plain(plain) => plain.respond(&response).map(Outcome::Done),
            Self::Login(login) => login.respond(response),
        }
    }
}

/// Why an exchange ended without credentials.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SaslError {
    /// Not a mechanism of ours (IMAP NO, SMTP 504 5.5.4).
    #[error("unknown authentication mechanism")]
    UnknownMechanism,
    /// The client sent `*` (IMAP BAD, SMTP 501 5.7.0).
    #[error("authentication cancelled")]
    Cancelled,
    /// The line is not base64 (IMAP BAD, SMTP 501 5.5.2).
    #[error("invalid base64")]
    InvalidBase64,
    /// The line is longer than [`MAX_LINE`] or a field than [`MAX_FIELD`] (SMTP 500 5.5.6).
    #[error("authentication exchange too long")]
    TooLong,
    /// The decoded response breaks the mechanism's syntax (IMAP BAD, SMTP 501 5.5.2).
    #[error("malformed authentication response")]
    Malformed,
}

fn decode(line: &[u8]) -> Result<Secret, SaslError> {
    if line.len() > MAX_LINE {
        return Err(SaslError::TooLong);
    }
    LENIENT.decode(line).map(Secret::new).map_err(|_| SaslError::InvalidBase64)
}

/// Text of a name or password: UTF-8, no NUL, not endless.
fn text(bytes: &[u8]) -> Result<&str, SaslError> {
    if bytes.len() > MAX_FIELD {
        return Err(SaslError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| SaslError::Malformed)?;
    if text.contains('\0') { Err(SaslError::Malformed) } else { Ok(text) }
}

/// Some clients leave the padding out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn b64(bytes: &[u8]) -> Vec<u8> {
        STANDARD.encode(bytes).into_bytes()
    }

    fn done(outcome: Outcome) -> (Option<String>, String, Vec<u8>) {
        match outcome {
            Outcome::Done(Credentials::Password { act_as, name, password }) => {
                (act_as, name, password.expose().to_vec())
            }
            other => panic!("not done: {other:?}"),
        }
    }

    #[test]
    fn plain_with_and_without_initial_response() {
        let line = b64(b"admin\0tim\0secret");
        let expected = (Some("admin".to_owned()), "tim".to_owned(), b"secret".to_vec());
        assert_eq!(done(start("plain", Some(&line)).expect("valid")), expected);
        let Outcome::Challenge(challenge, exchange) = start("PLAIN", None).expect("known") else { panic!() };
        assert_eq!(challenge, "");
        assert_eq!(done(exchange.step(&line).expect("valid")), expected);
        let same = b64(b"tim\0tim\0secret");
        assert_eq!(done(start("PLAIN", Some(&same)).expect("valid")).0, None);
    }

    #[test]
    fn login_asks_twice_and_takes_a_name_up_front() {
        let Outcome::Challenge(challenge, exchange) = start("LOGIN", None).expect("known") else { panic!() };
        assert_eq!(challenge, "VXNlcm5hbWU6");
        let Outcome::Challenge(challenge, exchange) = exchange.step(&b64(b"tim")).expect("name") else {
            panic!()
        };
        assert_eq!(challenge, "UGFzc3dvcmQ6");
        assert_eq!(
            done(exchange.step(&b64(b"p\xc3\xa4ss")).expect("password")),
            (None, "tim".to_owned(), b"p\xc3\xa4ss".to_vec())
        );
        let Outcome::Challenge(challenge, _) = start("LOGIN", Some(&b64(b"tim"))).expect("known") else {
            panic!()
        };
        assert_eq!(challenge, "UGFzc3dvcmQ6");
    }

    #[test]
    fn every_way_to_fail() {
        let fresh = || match start("LOGIN", None) {
            Ok(Outcome::Challenge(_, exchange)) => exchange,
            other => panic!("{other:?}"),
        };
        assert_eq!(fresh().step(b"*").expect_err("cancel"), SaslError::Cancelled);
        assert_eq!(fresh().step(b"???").expect_err("base64"), SaslError::InvalidBase64);
        assert_eq!(fresh().step(&vec![b'A'; MAX_LINE + 1]).expect_err("long"), SaslError::TooLong);
        assert_eq!(fresh().step(&b64(&[b'a'; 1025])).expect_err("long"), SaslError::TooLong);
        assert_eq!(start("CRAM-MD5", None).expect_err("unknown"), SaslError::UnknownMechanism);
        for bad in [&b""[..], b"tim", b"\0tim", b"\0\0pw", b"\0tim\0", b"\0tim\0a\0b", b"\0t\xff\0pw"] {
            assert_eq!(start("PLAIN", Some(&b64(bad))).expect_err("malformed"), SaslError::Malformed);
        }
        assert_eq!(start("PLAIN", Some(b"=")).expect_err("empty"), SaslError::Malformed);
    }

    #[test]
    fn a_password_is_not_printed() {
        let shown = format!("{:?}", start("PLAIN", Some(&b64(b"\0tim\0hunter2"))));
        assert!(shown.contains("tim") && !shown.contains("hunter2"), "{shown}");
    }

    proptest! {
        #[test]
        fn never_panics(
            mechanism in "PLAIN|LOGIN|[A-Z-]{0,8}",
            initial: Option<Vec<u8>>,
            lines: Vec<Vec<u8>>,
        ) {
            let mut outcome = start(&mechanism, initial.as_deref());
            for line in lines {
                outcome = match outcome {
                    Ok(Outcome::Challenge(_, exchange)) => exchange.step(&line),
                    other => other,
                };
            }
        }

        #[test]
        fn plain_gives_back_what_went_in(name in "[^\0]{1,40}", password in "[^\0]{1,40}") {
            let line = b64(format!("\0{name}\0{password}").as_bytes());
            let (_, got, secret) = done(start("PLAIN", Some(&line)).expect("valid"));
            prop_assert_eq!((got, secret), (name, password.into_bytes()));
        }
    }
}
