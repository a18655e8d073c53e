//! The first tenant, domain and account of an empty store.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use kontor_storage_client::StoreClient;
use kontor_storage_client::proto::apply_result::Outcome;
use kontor_storage_client::proto::{self, change, put};

use crate::admin::Admin;
use crate::config::FirstConfig;
use crate::data::{DataFolder, write_atomically};
use crate::ready::Account;

/// The first account, made when there is no tenant yet. `None` when somebody else made what is there.
pub async fn prepare(
    store: &StoreClient,
    config: &FirstConfig,
    data: &DataFolder,
) -> Result<Option<Account>> {
    let kept = data.account();
    if let Some(account) = read(&kept)? {
        return Ok(Some(account));
    }
    let admin = Admin::over(store.clone());
    // Kept before it is used: a start that is cut in half goes on with the same password.
    let making = making(&kept);
    let account = match read(&making)? {
        Some(account) => account,
        None if config.address.is_empty() || !admin.list("tenant", "", "").await?.is_empty() => {
            return Ok(None);
        }
        None => {
            let account = Account { address: config.address.to_lowercase(), password: generate_password() };
            write_atomically(&making, serde_json::to_string_pretty(&account)?.as_bytes(), 0o600)?;
            account
        }
    };
    let Some((_, domain)) = account.address.rsplit_once('@') else {
        bail!("first.address is {:?}, which is not an address such as me@example.org", account.address);
    };
    let tenant = config.tenant.clone();
    let objects = [
        put::Object::Tenant(proto::Tenant { name: tenant.clone(), ..Default::default() }),
        put::Object::Domain(proto::Domain {
            name: domain.to_owned(),
            tenant: tenant.clone(),
            ..Default::default()
        }),
        put::Object::Account(proto::Account {
            address: account.address.clone(),
            tenant,
            password: account.password.clone(),
            kind: "user".to_owned(),
            role: "tenant-admin".to_owned(),
            ..Default::default()
        }),
    ];
    let changes = objects
        .into_iter()
        .map(|object| {
            let put = proto::Put { object: Some(object), ..Default::default() };
            proto::Change { change: Some(change::Change::Put(put)) }
        })
        .collect();
    for result in store.apply(changes).await.context("cannot make the first account")? {
        if !matches!(result.outcome(), Outcome::Created | Outcome::Updated | Outcome::Unchanged) {
            bail!("cannot make the first account {}: {}", account.address, result.message);
        }
    }
    std::fs::rename(&making, &kept)?;
    Ok(Some(account))
}

/// Letters and digits that cannot be taken for each other; 20 of 31 are 99 bits.
pub fn generate_password() -> String {
    use rand::Rng;
    let mut random = rand::rng();
    let mut letters = std::iter::from_fn(|| ALPHABET.get(random.random_range(0..ALPHABET.len())).copied());
    let groups: Vec<String> =
        (0..4).map(|_| letters.by_ref().take(5).map(char::from).collect::<String>()).collect();
    groups.join("-")
}

fn read(file: &Path) -> Result<Option<Account>> {
    match std::fs::read_to_string(file) {
        Ok(text) => {
            serde_json::from_str(&text).map(Some).with_context(|| format!("{} is damaged", file.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

fn making(kept: &Path) -> PathBuf {
    kept.with_extension("json.new")
}

const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";

#[cfg(test)]
mod tests {
    #[test]
    fn a_password_is_long_and_new() {
        let (one, two) = (super::generate_password(), super::generate_password());
        assert_eq!(one.len(), 23);
        assert_ne!(one, two);
    }
}
