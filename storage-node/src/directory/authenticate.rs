//! Who is this?

use std::sync::LazyLock;
use std::time::Instant;

use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use kontor_storage_proto as proto;

use super::{Directory, PROOF_LIFE};
use crate::address::Address;
use crate::error::{Error, bigint, unix_now, unsigned};
use crate::token::Principal;

struct Credentials {
    account_id: u64,
    tenant_id: u64,
    mailbox_id: u64,
    epoch: u64,
    address: String,
    display_name: String,
    tenant_admin: bool,
    hash: String,
    disabled_services: Vec<String>,
    good: bool,
}

impl Directory {
    /// Checks a password or an app password. A name that does not exist takes as long as a wrong password.
    pub async fn authenticate(&self, request: &proto::AuthenticateRequest) -> Result<proto::Session, Error> {
        if request.password.is_empty() || request.password.len() > LONGEST_PASSWORD {
            return Err(Error::Unauthenticated);
        }
        let credentials = match Address::parse(&request.login) {
            Ok(address) => self.credentials(&address.to_string()).await?,
            Err(_) => None,
        };
        let Some(credentials) = credentials else {
            self.verify(DUMMY_HASH.clone(), request.password.clone()).await?;
            return Err(Error::Unauthenticated);
        };
        let proven = self.prove(&credentials, request).await?;
        if !proven || !credentials.good || credentials.disabled_services.contains(&request.service) {
            return Err(Error::Unauthenticated);
        }
        let other = !request.authorize_as.is_empty()
            && Address::parse(&request.authorize_as).map(|a| a.to_string()).ok().as_deref()
                != Some(credentials.address.as_str());
        if other {
            // Acting as somebody else by password is for tenant administrators, in their own tenant.
            let target = Address::parse(&request.authorize_as).map_err(|_| Error::Unauthenticated)?;
            let target = self.credentials(&target.to_string()).await?.ok_or(Error::Unauthenticated)?;
            if !credentials.tenant_admin || target.tenant_id != credentials.tenant_id || !target.good {
                return Err(Error::Unauthenticated);
            }
            self.audit(&credentials.address, "impersonate", &target.address, &request.client_address).await?;
            return Ok(self.session(&target, true));
        }
        Ok(self.session(&credentials, false))
    }

    /// A session as somebody else, for an administrator.
    pub async fn impersonate(&self, address: &str) -> Result<proto::Session, Error> {
        let address = Address::parse(address)?.to_string();
        let credentials =
            self.credentials(&address).await?.ok_or_else(|| Error::NotFound(format!("account {address}")))?;
        self.audit("administrator", "impersonate", &address, "").await?;
        Ok(self.session(&credentials, true))
    }

    /// The primary address of a person.
    pub async fn address_of(&self, who: &Principal) -> Result<String, Error> {
        let client = self.db.get().await?;
        let row = client
            .query_opt("SELECT address FROM account WHERE account_id = $1", &[&bigint(who.account_id)])
            .await?;
        row.map(|r| r.get(0)).ok_or(Error::Unauthenticated)
    }

    /// A new token for a person whose old one is still good.
    pub async fn renew(&self, token: &str) -> Result<proto::Session, Error> {
        let principal = self.access.open_for_renewal(token).await?;
        let expires_at = unix_now() + SESSION_SECONDS;
        Ok(proto::Session {
            token: self.access.seal(&Principal { expires_at, ..principal }),
            expires_at,
            account_id: principal.account_id,
            tenant_id: principal.tenant_id,
            mailbox_id: principal.mailbox_id,
            max_message_size: self.max_message_size,
            ..Default::default()
        })
    }

    /// Hashes a password for the directory.
    pub(super) async fn hash(&self, password: String) -> Result<String, Error> {
        let _permit = self.hashing.acquire().await.map_err(|e| Error::Internal(e.to_string()))?;
        tokio::task::spawn_blocking(move || {
            let salt = SaltString::generate(&mut OsRng);
            Argon2::default().hash_password(password.as_bytes(), &salt).map(|h| h.to_string())
        })
        .await
        .map_err(|e| Error::Internal(e.to_string()))?
        .map_err(|e| Error::Internal(format!("hashing a password: {e}")))
    }

    async fn verify(&self, hash: String, password: String) -> Result<bool, Error> {
        let _permit = self.hashing.acquire().await.map_err(|e| Error::Internal(e.to_string()))?;
        tokio::task::spawn_blocking(move || match PasswordHash::new(&hash) {
            Ok(hash) => Argon2::default().verify_password(password.as_bytes(), &hash).is_ok(),
            Err(_) => false,
        })
        .await
        .map_err(|e| Error::Internal(e.to_string()))
    }

    async fn prove(
        &self,
        credentials: &Credentials,
        request: &proto::AuthenticateRequest,
    ) -> Result<bool, Error> {
        // The stored hash is part of the key, so that a changed password is forgotten at once.
        let mut hasher = blake3::Hasher::new_keyed(&self.proof_key);
        for part in [
            &credentials.account_id.to_be_bytes()[..],
            credentials.hash.as_bytes(),
            request.service.as_bytes(),
            request.password.as_bytes(),
        ] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let key = *hasher.finalize().as_bytes();
        if self.proofs.get(&key).is_some_and(|at| at.elapsed() < PROOF_LIFE) {
            return Ok(true);
        }
        if self.is_app_password(credentials.account_id, &request.service, &request.password).await? {
            return Ok(true);
        }
        let hash = if credentials.hash.is_empty() { DUMMY_HASH.clone() } else { credentials.hash.clone() };
        let proven = self.verify(hash, request.password.clone()).await? && !credentials.hash.is_empty();
        if proven {
            self.proofs.insert(key, Instant::now());
        }
        Ok(proven)
    }

    async fn credentials(&self, address: &str) -> Result<Option<Credentials>, Error> {
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT a.account_id, a.tenant_id, a.mailbox_id, a.auth_epoch, a.address, a.display_name, a.role,
                        a.password_hash, NOT a.locked AND NOT t.suspended, a.disabled_services
                 FROM address n JOIN account a USING (account_id) JOIN tenant t ON t.tenant_id = a.tenant_id
                 WHERE n.address = $1",
            )
            .await?;
        let row = client.query_opt(&statement, &[&address]).await?;
        Ok(row.map(|row| Credentials {
            account_id: unsigned(row.get(0)),
            tenant_id: unsigned(row.get(1)),
            mailbox_id: unsigned(row.get(2)),
            epoch: unsigned(row.get(3)),
            address: row.get(4),
            display_name: row.get(5),
            tenant_admin: row.get::<_, &str>(6) == "tenant-admin",
            hash: row.get(7),
            good: row.get(8),
            disabled_services: row.get(9),
        }))
    }

    fn session(&self, credentials: &Credentials, impersonated: bool) -> proto::Session {
        let expires_at = unix_now() + SESSION_SECONDS;
        let principal = Principal {
            account_id: credentials.account_id,
            tenant_id: credentials.tenant_id,
            mailbox_id: credentials.mailbox_id,
            epoch: credentials.epoch,
            expires_at,
            tenant_admin: credentials.tenant_admin,
            impersonated,
        };
        proto::Session {
            token: self.access.seal(&principal),
            expires_at,
            account_id: credentials.account_id,
            tenant_id: credentials.tenant_id,
            mailbox_id: credentials.mailbox_id,
            address: credentials.address.clone(),
            display_name: credentials.display_name.clone(),
            max_message_size: self.max_message_size,
        }
    }

    pub(super) async fn audit(
        &self,
        actor: &str,
        action: &str,
        object: &str,
        detail: &str,
    ) -> Result<(), Error> {
        let client = self.db.get().await?;
        client
            .execute(
                "INSERT INTO audit (actor, action, object, detail) VALUES ($1, $2, $3, $4)",
                &[&actor, &action, &object, &detail],
            )
            .await?;
        Ok(())
    }

    /// May this person send with this address? One's own addresses, and those of mailboxes that one may send as.
    pub async fn may_send_as(&self, who: &Principal, address: &str) -> Result<bool, Error> {
        let Ok(address) = Address::parse(address) else { return Ok(false) };
        let mut candidates = vec![address.to_string()];
        if let Some((plain, _)) = address.split_detail() {
            candidates.push(plain.to_string());
        }
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT EXISTS (SELECT FROM address n WHERE n.account_id = $1 AND n.address = ANY ($2))
                     OR EXISTS (SELECT FROM address n JOIN account a USING (account_id)
                                JOIN domain d ON d.tenant_id = a.tenant_id
                                WHERE n.account_id = $1 AND d.name = $3
                                  AND n.address = $4 || '@' || d.alias_of)
                     OR EXISTS (SELECT FROM address n JOIN account a USING (account_id)
                                JOIN account me ON me.account_id = $1 AND me.tenant_id = a.tenant_id
                                WHERE n.address = ANY ($2) AND me.address = ANY (a.send_as))",
            )
            .await?;
        let row = client
            .query_one(&statement, &[&bigint(who.account_id), &candidates, &address.domain, &address.local])
            .await?;
        Ok(row.get(0))
    }
}

/// Verified in place of a hash that is not there, so that time tells nothing.
static DUMMY_HASH: LazyLock<String> = LazyLock::new(|| {
    let salt = SaltString::generate(&mut OsRng);
    Argon2::default()
        .hash_password(b"nobody has this password", &salt)
        .map(|h| h.to_string())
        .unwrap_or_default()
});

const SESSION_SECONDS: i64 = 900;
const LONGEST_PASSWORD: usize = 1024;
