//! Who asks: HTTP Basic (RFC 7617), and a memory of who has just said so.
//!
//! Every request brings the password again, and to check one costs as much as it is meant to; so what was right is
//! remembered for a short while, by a keyed hash that nobody else can make.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use kontor_gateway_core::{AuthLimiter, Secret};
use kontor_storage_client::{Session, StoreClient, StoreError};
use parking_lot::Mutex;

use crate::answer::Failure;

pub(crate) struct SignIn {
    store: StoreClient,
    limiter: Arc<AuthLimiter>,
    remember_for: Duration,
    key: [u8; 32],
    known: Mutex<HashMap<[u8; 32], Known>>,
}

#[derive(Clone)]
struct Known {
    /// Held while the password is checked: who asks many things at once is asked once.
    session: Arc<tokio::sync::Mutex<Option<Session>>>,
    until: Instant,
}

impl SignIn {
    pub fn new(store: StoreClient, limiter: Arc<AuthLimiter>, remember_for: Duration) -> Self {
        Self { store, limiter, remember_for, key: rand::random(), known: Mutex::default() }
    }

    /// The session of who asks.
    ///
    /// # Errors
    /// [`Failure::SignIn`] without credentials, or with wrong ones, after a while.
    pub async fn session(&self, headers: &HeaderMap, client: IpAddr) -> Result<Session, Failure> {
        let (login, password) = credentials(headers).ok_or(Failure::SignIn)?;
        let key = self.key_of(&login, &password);
        let known = self.remembered(key);
        let mut session = known.session.lock().await;
        if let Some(session) = session.as_ref() {
            // A token that cannot be renewed is of an account that was locked, or has another password now.
            match session.token().await {
                Ok(_) => return Ok(session.clone()),
                Err(StoreError::Unauthenticated) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let checked = self.check(&login, &password, client).await;
        match checked {
            Ok(checked) => {
                *session = Some(checked.clone());
                Ok(checked)
            }
            Err(failure) => {
                self.known.lock().remove(&key);
                Err(failure)
            }
        }
    }

    async fn check(&self, login: &str, password: &Secret, client: IpAddr) -> Result<Session, Failure> {
        if let Err(too_many) = self.limiter.admit(client, login) {
            return Err(Failure::TooOften(too_many.retry_after.as_secs() + 1));
        }
        let password = password.expose_str().ok_or(Failure::SignIn)?;
        match self.store.authenticate(login, "", password, SERVICE, &client.to_string()).await {
            Ok(session) => {
                self.limiter.succeeded(client, login);
                Ok(session)
            }
            Err(StoreError::Unauthenticated) => {
                tokio::time::sleep(self.limiter.failed(client, login)).await;
                tracing::info!(login, %client, "wrong password");
                Err(Failure::SignIn)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn remembered(&self, key: [u8; 32]) -> Known {
        let now = Instant::now();
        let mut known = self.known.lock();
        if let Some(entry) = known.get(&key).filter(|entry| entry.until > now) {
            return entry.clone();
        }
        if known.len() >= MOST {
            known.retain(|_, entry| entry.until > now);
        }
        if known.len() >= MOST {
            known.clear();
        }
        let entry = Known { session: Arc::default(), until: now + self.remember_for };
        known.insert(key, entry.clone());
        entry
    }

    fn key_of(&self, login: &str, password: &Secret) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&(login.len() as u64).to_le_bytes());
        hasher.update(login.as_bytes());
        hasher.update(password.expose());
        *hasher.finalize().as_bytes()
    }
}

/// `None` without credentials of the only scheme there is.
fn credentials(headers: &HeaderMap) -> Option<(String, Secret)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok().filter(|value| value.len() <= LONGEST)?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let mut login = BASE64.decode(encoded.trim()).ok()?;
    let colon = login.iter().position(|octet| *octet == b':')?;
    let password = Secret::new(login.split_off(colon + 1));
    login.truncate(colon);
    let login = String::from_utf8(login).ok().filter(|login| !login.is_empty())?;
    Some((login, password))
}

/// With padding or without, as clients have it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// As app passwords know it.
const SERVICE: &str = "dav";
const MOST: usize = 100_000;
/// Octets of the header.
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        let (login, password) = credentials(&headers)?;
        Some((login, password.expose_str().unwrap().to_owned()))
    }

    #[test]
    fn credentials_are_read() {
        let pair = |login: &str, password: &str| Some((login.to_owned(), password.to_owned()));
        assert_eq!(read("Basic YTpi"), pair("a", "b"));
        assert_eq!(read("basic  YTpiOmM="), pair("a", "b:c"));
        assert_eq!(read("Basic YTpiOmM"), pair("a", "b:c"));
        assert_eq!(read("Basic YTo="), pair("a", ""));
        for bad in ["", "Basic", "Basic !", "Basic YQ==", "Basic OmI=", "Bearer YTpi", "Basic /zpi"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
