//! Session tokens: who is calling, sealed with a key that all replicas share.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::db::Db;
use crate::error::{Error, unix_now};

/// A principal, as proven by a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Principal {
    pub account_id: u64,
    pub tenant_id: u64,
    /// The account's own mailbox.
    pub mailbox_id: u64,
    /// The account's `auth_epoch` when the token was made.
    pub epoch: u64,
    /// Unix seconds.
    pub expires_at: i64,
    pub tenant_admin: bool,
    /// Made for an administrator who acts as this account.
    pub impersonated: bool,
}

/// Seals and opens tokens.
pub(crate) struct TokenKey([u8; 32]);

impl TokenKey {
    /// The key of this installation; the first process makes it.
    pub async fn load(db: &Db) -> Result<Self, Error> {
        let client = db.get().await?;
        let fresh: [u8; 32] = rand::random();
        client
            .execute(
                "INSERT INTO server_key (id, key) VALUES (1, $1) ON CONFLICT DO NOTHING",
                &[&fresh.as_slice()],
            )
            .await?;
        let row = client.query_one("SELECT key FROM server_key WHERE id = 1", &[]).await?;
        let key: Vec<u8> = row.get(0);
        let key = key.try_into().map_err(|_| Error::Internal("the server key has a wrong length".into()))?;
        Ok(TokenKey(key))
    }

    pub fn seal(&self, principal: &Principal) -> String {
        let mut bytes = Vec::with_capacity(LENGTH + MAC);
        bytes.push(VERSION);
        bytes.push(u8::from(principal.tenant_admin) | u8::from(principal.impersonated) << 1);
        for field in [principal.account_id, principal.tenant_id, principal.mailbox_id, principal.epoch] {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
        bytes.extend_from_slice(&principal.expires_at.to_be_bytes());
        let mac = blake3::keyed_hash(&self.0, &bytes);
        bytes.extend_from_slice(&mac.as_bytes()[..MAC]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub fn open(&self, token: &str) -> Result<Principal, Error> {
        self.open_at(token, unix_now())
    }

    /// For renewal: a session that was idle for long has a token that ended a while ago.
    pub fn open_for_renewal(&self, token: &str) -> Result<Principal, Error> {
        self.open_at(token, unix_now() - RENEWABLE)
    }

    fn open_at(&self, token: &str, now: i64) -> Result<Principal, Error> {
        let mut buffer = [0u8; LENGTH + MAC + 8];
        let length = URL_SAFE_NO_PAD.decode_slice(token, &mut buffer).map_err(|_| Error::Unauthenticated)?;
        let (sealed, mac) = buffer
            .get(..length)
            .filter(|b| b.len() == LENGTH + MAC)
            .and_then(|b| b.split_at_checked(LENGTH))
            .ok_or(Error::Unauthenticated)?;
        let expected = blake3::keyed_hash(&self.0, sealed);
        if !bool::from(expected.as_bytes()[..MAC].ct_eq(mac)) || sealed.first() != Some(&VERSION) {
            return Err(Error::Unauthenticated);
        }
        let bits = sealed.get(1).copied().unwrap_or(0);
        let field = |i: usize| {
            let at = 2 + i * 8;
            sealed.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes)
        };
        let principal = Principal {
            account_id: field(0),
            tenant_id: field(1),
            mailbox_id: field(2),
            epoch: field(3),
            expires_at: field(4).cast_signed(),
            tenant_admin: bits & 1 != 0,
            impersonated: bits & 2 != 0,
        };
        if principal.expires_at <= now {
            return Err(Error::Unauthenticated);
        }
        Ok(principal)
    }
}

/// How long after its end a token can be renewed, seconds: longer than a client idles without a word.
const RENEWABLE: i64 = 86_400;
const VERSION: u8 = 1;
const LENGTH: usize = 2 + 5 * 8;
const MAC: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn principal() -> Principal {
        Principal {
            account_id: 7,
            tenant_id: 8,
            mailbox_id: 9,
            epoch: 3,
            expires_at: unix_now() + 60,
            tenant_admin: true,
            impersonated: false,
        }
    }

    #[test]
    fn a_sealed_token_opens_to_the_same_principal() {
        let key = TokenKey([1; 32]);
        assert_eq!(key.open(&key.seal(&principal())).expect("own token"), principal());
    }

    #[test]
    fn a_changed_byte_or_another_key_does_not_open() {
        let key = TokenKey([1; 32]);
        let token = key.seal(&principal());
        for i in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[i] = if bytes[i] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).expect("ascii");
            if changed != token {
                assert!(key.open(&changed).is_err(), "byte {i}");
            }
        }
        assert!(TokenKey([2; 32]).open(&token).is_err());
        assert!(key.open("").is_err());
        assert!(key.open(&token.repeat(3)).is_err());
    }

    #[test]
    fn an_expired_token_does_not_open() {
        let key = TokenKey([1; 32]);
        let old = Principal { expires_at: unix_now() - 1, ..principal() };
        assert!(key.open(&key.seal(&old)).is_err());
        assert!(key.open_for_renewal(&key.seal(&old)).is_ok(), "a client that idled goes on");
        let forgotten = Principal { expires_at: unix_now() - RENEWABLE - 1, ..principal() };
        assert!(key.open_for_renewal(&key.seal(&forgotten)).is_err());
    }
}
