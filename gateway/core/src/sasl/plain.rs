//! PLAIN, RFC 4616: `[authzid] NUL authcid NUL passwd`.

use super::{Credentials, SaslError, Secret, text};

/// Waits for the one response.
#[derive(Debug)]
pub struct Plain;

impl Plain {
    pub(super) fn respond(self, response: &Secret) -> Result<Credentials, SaslError> {
        let mut fields = response.expose().split(|b| *b == 0);
        let (Some(act_as), Some(name), Some(password), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(SaslError::Malformed);
        };
        let (act_as, name, password) = (text(act_as)?, text(name)?, text(password)?);
        if name.is_empty() || password.is_empty() {
            return Err(SaslError::Malformed);
        }
        Ok(Credentials::Password {
            act_as: (!act_as.is_empty() && act_as != name).then(|| act_as.to_owned()),
            name: name.to_owned(),
            password: Secret::from(password),
        })
    }
}
