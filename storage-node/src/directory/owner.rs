//! Whose a mailbox is, under all of their addresses.

use kontor_model::message::Person;

use super::Directory;
use crate::address::Address;
use crate::error::{Error, bigint, unsigned};

/// The owner of a mailbox.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub mailbox_id: u64,
    pub tenant_id: u64,
    /// Primary.
    pub address: String,
    pub display_name: String,
    /// `user`, `shared`, `room`, `equipment`.
    pub kind: String,
    /// Every address that they receive under, the primary one first.
    pub addresses: Vec<String>,
}

impl Owner {
    /// Whether an address is one of theirs; with a subaddress (RFC 5233) too.
    pub fn is(&self, address: &str) -> bool {
        let Ok(address) = Address::parse(address) else { return false };
        let plain = address.split_detail().map(|(plain, _)| plain.to_string());
        let whole = address.to_string();
        self.addresses.iter().any(|own| *own == whole || Some(own) == plain.as_ref())
    }
}

impl Directory {
    /// The owner of a mailbox; `None` where it is nobody's any more.
    pub async fn owner(&self, mailbox: u64) -> Result<Option<Owner>, Error> {
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT a.tenant_id, a.address, a.display_name, a.kind, array(
                     SELECT n.address FROM address n WHERE n.account_id = a.account_id
                     UNION SELECT split_part(n.address, '@', 1) || '@' || d.name FROM address n
                         JOIN domain d ON d.alias_of = split_part(n.address, '@', 2)
                         WHERE n.account_id = a.account_id)
                 FROM account a WHERE a.mailbox_id = $1",
            )
            .await?;
        let row = client.query_opt(&statement, &[&bigint(mailbox)]).await?;
        Ok(row.map(|row| {
            let address: String = row.get(1);
            let mut addresses: Vec<String> = row.get(4);
            addresses.sort_by_key(|other| *other != address);
            Owner {
                mailbox_id: mailbox,
                tenant_id: unsigned(row.get(0)),
                address,
                display_name: row.get(2),
                kind: row.get(3),
                addresses,
            }
        }))
    }

    /// Somebody who did something, as a person in a mail.
    pub async fn actor(&self, account: u64) -> Result<Option<Person>, Error> {
        let client = self.db.get().await?;
        let statement =
            client.prepare_cached("SELECT display_name, address FROM account WHERE account_id = $1").await?;
        let row = client.query_opt(&statement, &[&bigint(account)]).await?;
        Ok(row.map(|row| Person { name: row.get(0), address: row.get(1) }))
    }

    /// Whether mail for an address is this installation's.
    pub async fn is_of_the_house(&self, address: &str) -> Result<bool, Error> {
        let Ok(address) = Address::parse(address) else { return Ok(false) };
        Ok(self.domain(&address.domain).await?.is_some())
    }
}
