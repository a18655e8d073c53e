//! The address book of a tenant.

use kontor_storage_proto as proto;

use super::Directory;
use crate::error::{Error, bigint};
use crate::token::Principal;

impl Directory {
    /// People and groups of the caller's tenant whose name or address begins so, by address.
    pub async fn find_people(
        &self,
        who: &Principal,
        request: &proto::FindPeopleRequest,
    ) -> Result<proto::FindPeopleResponse, Error> {
        let size = match request.page_size {
            0 => 100,
            n => i64::from(n.min(1000)),
        };
        let prefix = request.prefix.trim().to_lowercase();
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT address, display_name, kind FROM (
                     SELECT address, display_name, kind FROM account WHERE tenant_id = $1 AND NOT hidden
                     UNION ALL SELECT address, display_name, 'group' FROM mail_group
                     WHERE tenant_id = $1 AND NOT hidden) p
                 WHERE address > $2 AND ($3 = '' OR starts_with(address, $3)
                       OR starts_with(lower(display_name), $3) OR strpos(lower(display_name), ' ' || $3) > 0)
                       AND ($5::text[] = '{}' OR kind = ANY ($5))
                 ORDER BY address LIMIT $4",
            )
            .await?;
        let rows = client
            .query(
                &statement,
                &[&bigint(who.tenant_id), &request.page_token, &prefix, &(size + 1), &request.kinds],
            )
            .await?;
        let mut people: Vec<proto::Person> = rows
            .iter()
            .map(|row| proto::Person { address: row.get(0), display_name: row.get(1), kind: row.get(2) })
            .collect();
        let more = people.len() as u64 > size.cast_unsigned();
        people.truncate(usize::try_from(size).unwrap_or(1000));
        let next_page_token =
            if more { people.last().map(|p| p.address.clone()).unwrap_or_default() } else { String::new() };
        Ok(proto::FindPeopleResponse { people, next_page_token })
    }
}
