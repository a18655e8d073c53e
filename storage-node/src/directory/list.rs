//! What there is, for administrators.

use kontor_storage_proto as proto;
use proto::put::Object;

use super::{Directory, booking};
use crate::error::{Error, unsigned};

impl Directory {
    /// Objects of one kind by name, in pages. Secrets stay where they are.
    pub async fn list(&self, request: &proto::ListRequest) -> Result<proto::ListResponse, Error> {
        let size = match request.page_size {
            0 => 100,
            n => n.min(1000) as usize,
        };
        let limit = i64::try_from(size + 1).unwrap_or(1001);
        let name = request.name.trim().to_lowercase();
        let sql = match request.kind.as_str() {
            "tenant" => {
                "SELECT t.name, t.display_name, t.quota, t.max_mailboxes, t.suspended, t.owner, t.generation,
                        t.max_domains, t.max_groups
                 FROM tenant t WHERE t.name > $1 AND ($2 = '' OR t.name = $2) AND ($3 = '' OR t.name = $3)
                 ORDER BY t.name LIMIT $4"
            }
            "domain" => {
                "SELECT d.name, t.name, d.alias_of, d.catch_all, d.owner, d.generation
                 FROM domain d JOIN tenant t USING (tenant_id)
                 WHERE d.name > $1 AND ($2 = '' OR d.name = $2) AND ($3 = '' OR t.name = $3)
                 ORDER BY d.name LIMIT $4"
            }
            "account" => {
                "SELECT a.address, t.name, a.display_name, a.kind, m.quota, a.locked, m.quota_is_final,
                        ARRAY (SELECT n.address FROM address n WHERE n.account_id = a.account_id
                               AND n.address <> a.address ORDER BY 1),
                        a.role, a.forward_to, a.forward_only, a.mailbox_id, m.used, m.messages, a.owner, a.generation,
                        a.hidden, a.send_as, a.disabled_services, a.password_version, a.booking, a.capacity, a.location
                 FROM account a JOIN tenant t USING (tenant_id) JOIN mailbox m USING (mailbox_id)
                 WHERE a.address > $1 AND ($2 = '' OR a.address = $2 OR a.account_id =
                           (SELECT n.account_id FROM address n WHERE n.address = $2))
                   AND ($3 = '' OR t.name = $3)
                 ORDER BY a.address LIMIT $4"
            }
            "group" => {
                "SELECT g.address, t.name, g.display_name, g.members, g.senders,
                        ARRAY (SELECT n.address FROM address n WHERE n.group_id = g.group_id
                               AND n.address <> g.address ORDER BY 1), g.owner, g.generation, g.hidden
                 FROM mail_group g JOIN tenant t USING (tenant_id)
                 WHERE g.address > $1 AND ($2 = '' OR g.address = $2) AND ($3 = '' OR t.name = $3)
                 ORDER BY g.address LIMIT $4"
            }
            other => return Err(Error::Invalid(format!("there is no kind {other:?} in the directory"))),
        };
        let client = self.db.get().await?;
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &[&request.page_token, &name, &request.tenant, &limit]).await?;
        let next_page_token = match rows.get(size.wrapping_sub(1)) {
            Some(last) if rows.len() > size => last.get(0),
            _ => String::new(),
        };
        let objects = rows
            .iter()
            .take(size)
            .map(|row| {
                Ok(match request.kind.as_str() {
                    "tenant" => put(
                        Object::Tenant(proto::Tenant {
                            name: row.get(0),
                            display_name: row.get(1),
                            quota: unsigned(row.get(2)),
                            max_mailboxes: u32::try_from(row.get::<_, i64>(3)).unwrap_or(u32::MAX),
                            suspended: row.get(4),
                            max_domains: u32::try_from(row.get::<_, i64>(7)).unwrap_or(u32::MAX),
                            max_groups: u32::try_from(row.get::<_, i64>(8)).unwrap_or(u32::MAX),
                        }),
                        row.get(5),
                        row.get(6),
                    ),
                    "domain" => put(
                        Object::Domain(proto::Domain {
                            name: row.get(0),
                            tenant: row.get(1),
                            alias_of: row.get(2),
                            catch_all: row.get(3),
                        }),
                        row.get(4),
                        row.get(5),
                    ),
                    "account" => put(
                        Object::Account(proto::Account {
                            address: row.get(0),
                            tenant: row.get(1),
                            display_name: row.get(2),
                            kind: row.get(3),
                            quota: unsigned(row.get(4)),
                            locked: row.get(5),
                            quota_is_final: row.get(6),
                            aliases: row.get(7),
                            role: row.get(8),
                            forward_to: row.get(9),
                            forward_only: row.get(10),
                            mailbox_id: unsigned(row.get(11)),
                            used: unsigned(row.get(12)),
                            messages: unsigned(row.get(13)),
                            password: String::new(),
                            password_hash: String::new(),
                            hidden: row.get(16),
                            send_as: row.get(17),
                            disabled_services: row.get(18),
                            password_version: row.get(19),
                            booking: booking::stored(row.get(3), row.get(20), row.get(21))?
                                .as_ref()
                                .map(booking::to_wire),
                            capacity: u32::try_from(row.get::<_, i32>(21)).unwrap_or(0),
                            location: row.get(22),
                        }),
                        row.get(14),
                        row.get(15),
                    ),
                    _ => put(
                        Object::Group(proto::Group {
                            address: row.get(0),
                            tenant: row.get(1),
                            display_name: row.get(2),
                            members: row.get(3),
                            senders: row.get(4),
                            aliases: row.get(5),
                            hidden: row.get(8),
                        }),
                        row.get(6),
                        row.get(7),
                    ),
                })
            })
            .collect::<Result<_, Error>>()?;
        Ok(proto::ListResponse { objects, next_page_token })
    }
}

fn put(object: Object, owner: String, generation: i64) -> proto::Put {
    proto::Put { object: Some(object), owner, generation, ..Default::default() }
}
