//! App passwords: random secrets for one client, limited to services and in time.

use kontor_storage_proto as proto;
use rand::Rng;
use subtle::ConstantTimeEq;

use super::Directory;
use crate::address::Address;
use crate::error::{Error, bigint, unix_now, unsigned};

impl Directory {
    pub(super) async fn is_app_password(
        &self,
        account: u64,
        service: &str,
        secret: &str,
    ) -> Result<bool, Error> {
        let compact: String = secret.chars().filter(|c| *c != '-' && *c != ' ').collect();
        if compact.len() != SECRET_LENGTH {
            return Ok(false);
        }
        let hash = blake3::hash(compact.to_lowercase().as_bytes());
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT app_password_id, secret_hash, last_used_at FROM app_password
                 WHERE account_id = $1 AND (expires_at = 0 OR expires_at > $2)
                   AND (services = '{}' OR $3 = ANY (services))",
            )
            .await?;
        let now = unix_now();
        for row in client.query(&statement, &[&bigint(account), &now, &service]).await? {
            let stored: &[u8] = row.get(1);
            if bool::from(stored.ct_eq(hash.as_bytes())) {
                if row.get::<_, i64>(2) < now - 3600 {
                    let id: i64 = row.get(0);
                    client
                        .execute(
                            "UPDATE app_password SET last_used_at = $2 WHERE app_password_id = $1",
                            &[&id, &now],
                        )
                        .await?;
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes one; the secret is told once.
    pub async fn create_app_password(
        &self,
        request: &proto::CreateAppPasswordRequest,
    ) -> Result<proto::CreateAppPasswordResponse, Error> {
        let account = self.account_id(&request.address).await?;
        if request.label.trim().is_empty() || request.label.len() > 200 {
            return Err(Error::Invalid("an app password needs a label of at most 200 characters".into()));
        }
        let secret: String = {
            let mut rng = rand::rng();
            (0..SECRET_LENGTH).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
        };
        let hash = blake3::hash(secret.as_bytes());
        let now = unix_now();
        let client = self.db.get().await?;
        let row = client
            .query_one(
                "INSERT INTO app_password (account_id, label, secret_hash, services, created_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6) RETURNING app_password_id",
                &[
                    &account,
                    &request.label,
                    &hash.as_bytes().as_slice(),
                    &request.services,
                    &now,
                    &request.expires_at,
                ],
            )
            .await?;
        let groups: Vec<&str> = (0..SECRET_LENGTH).step_by(4).filter_map(|i| secret.get(i..i + 4)).collect();
        Ok(proto::CreateAppPasswordResponse {
            app_password: Some(proto::AppPassword {
                id: unsigned(row.get(0)),
                label: request.label.clone(),
                services: request.services.clone(),
                created_at: now,
                expires_at: request.expires_at,
                last_used_at: 0,
            }),
            secret: groups.join("-"),
        })
    }

    pub async fn list_app_passwords(&self, address: &str) -> Result<Vec<proto::AppPassword>, Error> {
        let account = self.account_id(address).await?;
        let client = self.db.get().await?;
        let rows = client
            .query(
                "SELECT app_password_id, label, services, created_at, expires_at, last_used_at
                 FROM app_password WHERE account_id = $1 ORDER BY app_password_id LIMIT 1000",
                &[&account],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| proto::AppPassword {
                id: unsigned(row.get(0)),
                label: row.get(1),
                services: row.get(2),
                created_at: row.get(3),
                expires_at: row.get(4),
                last_used_at: row.get(5),
            })
            .collect())
    }

    pub async fn delete_app_password(&self, address: &str, id: u64) -> Result<(), Error> {
        let account = self.account_id(address).await?;
        let client = self.db.get().await?;
        let gone = client
            .execute(
                "DELETE FROM app_password WHERE account_id = $1 AND app_password_id = $2",
                &[&account, &bigint(id)],
            )
            .await?;
        if gone == 0 { Err(Error::NotFound(format!("app password {id}"))) } else { Ok(()) }
    }

    async fn account_id(&self, address: &str) -> Result<i64, Error> {
        let address = Address::parse(address)?.to_string();
        let client = self.db.get().await?;
        let row = client.query_opt("SELECT account_id FROM address WHERE address = $1", &[&address]).await?;
        row.and_then(|r| r.get::<_, Option<i64>>(0))
            .ok_or_else(|| Error::NotFound(format!("account {address}")))
    }
}

/// 32 letters of 5 bits each: 160 bits.
const SECRET_LENGTH: usize = 32;
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
