//! Passwords from Secrets. Needs a client; what is in a Secret is read only when its version is a new one.

use super::mailbox::Password;
use super::world::World;
use crate::conditions::Finding;
use k8s_openapi::api::core::v1::Secret;
use kontor_crds::conditions::{reasons, types};
use kontor_crds::{Credentials, SecretKeyReference};
use kube::{Api, Client, ResourceExt};

/// What there is to say and to do about a password.
pub(super) enum Credential {
    /// Passwords are not managed here.
    NotManaged,
    /// The version of the Secret that is set already.
    Known(String),
    /// A password and the version of the Secret that it is from.
    New(Password, String),
    /// There is none, for this reason.
    Missing(Finding),
}

impl Credential {
    /// The finding about `CredentialsReady`, once the entry is made so.
    pub fn finding(&self) -> Finding {
        match self {
            Credential::NotManaged => Finding::yes(
                types::CREDENTIALS_READY,
                reasons::NOT_MANAGED,
                "the resource names no credentials",
            ),
            Credential::Known(_) | Credential::New(..) => {
                Finding::yes(types::CREDENTIALS_READY, reasons::AS_DECLARED, "")
            }
            Credential::Missing(finding) => finding.clone(),
        }
    }

    pub fn version(&self) -> Option<String> {
        match self {
            Credential::Known(version) | Credential::New(_, version) => Some(version.clone()),
            Credential::NotManaged | Credential::Missing(_) => None,
        }
    }
}

/// Which key of which Secret, and whether a hash is in it.
fn reference(credentials: &Credentials) -> Option<(&SecretKeyReference, bool)> {
    let plain = credentials.password_secret_ref.as_ref().map(|r| (r, false));
    plain.or_else(|| credentials.password_hash_secret_ref.as_ref().map(|r| (r, true)))
}

/// The name of the Secret that credentials are in.
pub(super) fn secret_name(credentials: &Credentials) -> Option<&str> {
    reference(credentials).map(|(reference, _)| reference.name.as_str())
}

/// `known` is the version whose password is set already, `again` reads it in any case.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn fetch(
    client: &Client,
    world: &World,
    namespace: &str,
    credentials: Option<&Credentials>,
    known: Option<&str>,
    again: bool,
) -> Result<Credential, kube::Error> {
    let Some((reference, hashed)) = credentials.and_then(reference) else {
        return Ok(Credential::NotManaged);
    };
    // Which key is meant, and what it holds, is part of the version: another reference is another password.
    let kind = if hashed { "hash" } else { "password" };
    let version_of = |secret: &str| format!("{secret}/{}/{kind}", reference.key);
    if !again
        && let Some(version) = world.secret_version(namespace, &reference.name).map(|v| version_of(&v))
        && known == Some(version.as_str())
    {
        return Ok(Credential::Known(version));
    }
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let Some(secret) = secrets.get_opt(&reference.name).await? else {
        return Ok(missing(
            reasons::SECRET_NOT_FOUND,
            format!("there is no Secret {namespace}/{}; make it, or correct credentials", reference.name),
        ));
    };
    Ok(read(&secret, namespace, reference, hashed).map_or_else(Credential::Missing, |password| {
        let version =
            format!("{}/{}", secret.uid().unwrap_or_default(), secret.resource_version().unwrap_or_default());
        Credential::New(password, version_of(&version))
    }))
}

fn missing(reason: &'static str, message: String) -> Credential {
    Credential::Missing(Finding::no(types::CREDENTIALS_READY, reason, message))
}

fn read(
    secret: &Secret,
    namespace: &str,
    reference: &SecretKeyReference,
    hashed: bool,
) -> Result<Password, Finding> {
    let bad = |what: &str| {
        Finding::no(
            types::CREDENTIALS_READY,
            reasons::SECRET_INVALID,
            format!("key {} of Secret {namespace}/{} {what}", reference.key, reference.name),
        )
    };
    let bytes = secret.data.as_ref().and_then(|data| data.get(&reference.key));
    let bytes = bytes.ok_or_else(|| bad("is not there"))?;
    let text = std::str::from_utf8(&bytes.0).map_err(|_| bad("is no UTF-8 text"))?;
    // Editors and `kubectl create secret --from-file` leave a line end.
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(bad("is empty"));
    }
    if hashed {
        if !text.starts_with("$argon2id$") {
            return Err(bad("is no Argon2id hash ($argon2id$…)"));
        }
        return Ok(Password::Hash(text.to_owned()));
    }
    if text.len() > 1024 {
        return Err(bad("is longer than 1024 octets"));
    }
    Ok(Password::Plain(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;

    fn outcome(value: Option<&[u8]>, hashed: bool) -> Result<String, &'static str> {
        let data = value.map(|v| [("password".to_owned(), ByteString(v.to_vec()))].into());
        let secret = Secret { data, ..Default::default() };
        let reference = SecretKeyReference { name: "anna".into(), key: "password".into() };
        match read(&secret, "acme", &reference, hashed) {
            Ok(Password::Plain(text) | Password::Hash(text)) => Ok(text),
            Err(finding) => Err(finding.reason),
        }
    }

    #[test]
    fn a_line_end_is_no_part_of_a_password() {
        assert_eq!(outcome(Some(b"secret \n"), false), Ok("secret ".into()));
        assert_eq!(outcome(Some(b"$argon2id$x\r\n"), true), Ok("$argon2id$x".into()));
    }

    #[test]
    fn what_is_no_password_is_said() {
        let long = [b'x'; 2000];
        for (value, hashed) in [
            (None, false),
            (Some(&b""[..]), false),
            (Some(b"\n"), false),
            (Some(b"\xff"), false),
            (Some(&long), false),
            (Some(b"secret"), true),
        ] {
            assert_eq!(outcome(value, hashed), Err(reasons::SECRET_INVALID));
        }
    }
}
