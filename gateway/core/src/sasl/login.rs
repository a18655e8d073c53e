//! LOGIN, draft-murchison-sasl-login: the server asks for a name, then for a password. Obsolete, and what many
//! printers and scripts speak.

use super::{Credentials, Exchange, Outcome, SaslError, Secret, text};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Waits for the name, then for the password.
#[derive(Debug)]
pub struct Login {
    name: Option<String>,
}

impl Login {
    pub(super) fn start() -> Self {
        Self { name: None }
    }

    pub(super) fn challenge(&self) -> &'static [u8] {
        if self.name.is_none() { b"Username:" } else { b"Password:" }
    }

    pub(super) fn respond(self, response: Secret) -> Result<Outcome, SaslError> {
        let given = text(response.expose())?;
        if given.is_empty() {
            return Err(SaslError::Malformed);
        }
        match self.name {
            None => {
                let next = Self { name: Some(given.to_owned()) };
                Ok(Outcome::Challenge(STANDARD.encode(next.challenge()), Exchange::Login(next)))
            }
            Some(name) => Ok(Outcome::Done(Credentials::Password { act_as: None, name, password: response })),
        }
    }
}
