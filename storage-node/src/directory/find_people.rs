//! The address book of a tenant.

use std::collections::HashMap;

use deadpool_postgres::GenericClient;
use kontor_storage_proto as proto;

use super::Directory;
use crate::error::{Error, bigint};
use crate::token::Principal;

impl Directory {
    /// People and groups of the caller's tenant, by address: those whose name or address begins with a text, or has it
    /// in it, or those of some addresses.
    pub async fn find_people(
        &self,
        who: &Principal,
        request: &proto::FindPeopleRequest,
    ) -> Result<proto::FindPeopleResponse, Error> {
        let client = self.db.get().await?;
        let tenant = bigint(who.tenant_id);
        let (mut people, next_page_token) = if request.addresses.is_empty() {
            by_text(&client, tenant, request).await?
        } else if request.addresses.len() <= MOST_ADDRESSES {
            (by_addresses(&client, tenant, &request.addresses).await?, String::new())
        } else {
            return Err(Error::Invalid(format!("at most {MOST_ADDRESSES} addresses in one call")));
        };
        if request.members {
            put_members(&client, tenant, &mut people).await?;
        }
        Ok(proto::FindPeopleResponse { people, next_page_token })
    }
}

/// A page, and the token of the next one.
async fn by_text(
    client: &impl GenericClient,
    tenant: i64,
    request: &proto::FindPeopleRequest,
) -> Result<(Vec<proto::Person>, String), Error> {
    let size = match request.page_size {
        0 => 100,
        n => i64::from(n.min(1000)),
    };
    let text = request.prefix.trim().to_lowercase();
    let statement = client
        .prepare_cached(&format!(
            "SELECT address, display_name, kind FROM ({SHOWN}) p
             WHERE address > $2 AND ($3 = '' OR starts_with(address, $3)
                   OR starts_with(lower(display_name), $3) OR strpos(lower(display_name), ' ' || $3) > 0
                   OR ($5 AND (strpos(address, $3) > 0 OR strpos(lower(display_name), $3) > 0)))
                   AND ($6::text[] = '{{}}' OR kind = ANY ($6))
             ORDER BY address LIMIT $4"
        ))
        .await?;
    let rows = client
        .query(
            &statement,
            &[&tenant, &request.page_token, &text, &(size + 1), &request.anywhere, &request.kinds],
        )
        .await?;
    let mut people: Vec<proto::Person> = rows.iter().map(person).collect();
    let more = people.len() as u64 > size.cast_unsigned();
    people.truncate(usize::try_from(size).unwrap_or(1000));
    let next =
        if more { people.last().map(|p| p.address.clone()).unwrap_or_default() } else { String::new() };
    Ok((people, next))
}

async fn by_addresses(
    client: &impl GenericClient,
    tenant: i64,
    addresses: &[String],
) -> Result<Vec<proto::Person>, Error> {
    let statement = client
        .prepare_cached(&format!(
            "SELECT address, display_name, kind FROM ({SHOWN}) p WHERE address = ANY ($2) ORDER BY address"
        ))
        .await?;
    let rows = client.query(&statement, &[&tenant, &addresses]).await?;
    Ok(rows.iter().map(person).collect())
}

/// Who is in the groups among these. Who is hidden is hidden here too.
async fn put_members(
    client: &impl GenericClient,
    tenant: i64,
    people: &mut [proto::Person],
) -> Result<(), Error> {
    let groups: Vec<&str> =
        people.iter().filter(|person| person.kind == "group").map(|person| person.address.as_str()).collect();
    if groups.is_empty() {
        return Ok(());
    }
    let statement = client
        .prepare_cached(
            "SELECT g.address, m.member FROM mail_group g CROSS JOIN LATERAL unnest(g.members) AS m (member)
             WHERE g.tenant_id = $1 AND g.address = ANY ($2)
                 AND NOT EXISTS (SELECT FROM address a
                     LEFT JOIN account c ON c.account_id = a.account_id
                     LEFT JOIN mail_group h ON h.group_id = a.group_id
                     WHERE a.address = m.member AND (c.hidden OR h.hidden))
             ORDER BY 1, 2",
        )
        .await?;
    let mut members: HashMap<String, Vec<String>> = HashMap::new();
    for row in client.query(&statement, &[&tenant, &groups]).await? {
        members.entry(row.get(0)).or_default().push(row.get(1));
    }
    for person in people {
        person.members = members.remove(&person.address).unwrap_or_default();
    }
    Ok(())
}

fn person(row: &tokio_postgres::Row) -> proto::Person {
    proto::Person { address: row.get(0), display_name: row.get(1), kind: row.get(2), members: Vec::new() }
}

/// Everybody of a tenant ($1) whom address books show.
const SHOWN: &str = "SELECT address, display_name, kind FROM account WHERE tenant_id = $1 AND NOT hidden
    UNION ALL SELECT address, display_name, 'group' FROM mail_group WHERE tenant_id = $1 AND NOT hidden";
const MOST_ADDRESSES: usize = 1000;
