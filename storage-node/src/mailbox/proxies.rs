//! Who may act for the owner of a mailbox in all of their calendars (Apple's calendar-proxy), those of later too.

use deadpool_postgres::GenericClient;
use kontor_storage_proto as proto;

use super::Mailboxes;
use super::permissions::{ACCOUNT, GROUP};
use crate::access::MINE;
use crate::address::Address;
use crate::error::{Error, bigint};
use crate::token::Principal;

impl Mailboxes {
    /// Who acts for the caller, and for whom the caller acts.
    pub async fn calendar_proxies(&self, who: &Principal) -> Result<proto::CalendarProxiesResponse, Error> {
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT coalesce(a.address, g.address), coalesce(a.display_name, g.display_name), x.writes
                 FROM calendar_proxy x
                 LEFT JOIN account a ON x.principal_kind = 2 AND a.account_id = x.principal_id
                 LEFT JOIN mail_group g ON x.principal_kind = 3 AND g.group_id = x.principal_id
                 WHERE x.mailbox_id = $1 AND coalesce(a.address, g.address) IS NOT NULL ORDER BY 1",
            )
            .await?;
        let by = client.query(&statement, &[&bigint(who.mailbox_id)]).await?;
        let statement = client
            .prepare_cached(&format!(
                "WITH {MINE}
                 SELECT a.address, a.display_name, bool_or(x.writes) FROM calendar_proxy x
                 JOIN mine ON x.principal_kind = mine.kind AND x.principal_id = mine.id
                 JOIN mailbox m USING (mailbox_id) JOIN account a USING (mailbox_id)
                 WHERE m.tenant_id = $2 AND m.deleted_at IS NULL AND m.mailbox_id <> $3
                 GROUP BY 1, 2 ORDER BY 1 LIMIT {MOST_PROXIES}"
            ))
            .await?;
        let (account, tenant) = (bigint(who.account_id), bigint(who.tenant_id));
        let of = client.query(&statement, &[&account, &tenant, &bigint(who.mailbox_id)]).await?;
        let read = |rows: &[tokio_postgres::Row]| {
            let each = rows.iter().map(|row| proto::CalendarProxy {
                address: row.get(0),
                display_name: row.get(1),
                writes: row.get(2),
            });
            each.collect()
        };
        Ok(proto::CalendarProxiesResponse { by: read(&by), acts_for: read(&of) })
    }

    /// Says who acts for the caller, in the place of all who did so.
    pub async fn set_calendar_proxies(
        &self,
        who: &Principal,
        request: &proto::SetCalendarProxiesRequest,
    ) -> Result<(), Error> {
        if request.addresses.len() > MOST_PROXIES {
            return Err(Error::Limit(format!("at most {MOST_PROXIES} people act for somebody")));
        }
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let m = bigint(who.mailbox_id);
        // Two changes at once come one after the other.
        transaction.execute("SELECT FROM mailbox WHERE mailbox_id = $1 FOR UPDATE", &[&m]).await?;
        transaction
            .execute(
                "DELETE FROM calendar_proxy WHERE mailbox_id = $1 AND writes = $2",
                &[&m, &request.writes],
            )
            .await?;
        for address in &request.addresses {
            let (kind, id) = principal_of(&transaction, who, address).await?;
            transaction
                .execute(
                    "INSERT INTO calendar_proxy (mailbox_id, principal_kind, principal_id, writes)
                     VALUES ($1, $2, $3, $4) ON CONFLICT (mailbox_id, principal_kind, principal_id)
                     DO UPDATE SET writes = excluded.writes",
                    &[&m, &kind, &id, &request.writes],
                )
                .await?;
        }
        transaction.commit().await?;
        self.access.forget_grants();
        Ok(())
    }
}

/// Somebody who can be named in a permission. Only people and groups of the same tenant can be; others do not exist from
/// here.
pub(super) async fn principal_of(
    client: &impl GenericClient,
    who: &Principal,
    address: &str,
) -> Result<(i16, i64), Error> {
    let address = Address::parse(address)?.to_string();
    let statement = client
        .prepare_cached("SELECT account_id, group_id FROM address WHERE address = $1 AND tenant_id = $2")
        .await?;
    let row = client
        .query_opt(&statement, &[&address, &bigint(who.tenant_id)])
        .await?
        .ok_or_else(|| Error::Invalid(format!("{address} is nobody here")))?;
    Ok(match row.get::<_, Option<i64>>(0) {
        Some(account) => (ACCOUNT, account),
        None => (GROUP, row.get::<_, Option<i64>>(1).unwrap_or(0)),
    })
}

const MOST_PROXIES: usize = 500;
