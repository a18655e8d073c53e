//! Deletion, and letting go.

use kontor_storage_proto as proto;
use proto::apply_result::Outcome;
use proto::delete::Mode;

use super::{Directory, Refusal, execute, invalid, owner, row};
use crate::error::{unix_now, unsigned};

impl Directory {
    pub(super) async fn delete(&self, delete: &proto::Delete) -> Result<Outcome, Refusal> {
        let (table, key, id) = match delete.kind.as_str() {
            "tenant" => ("tenant", "name", "tenant_id"),
            "domain" => ("domain", "name", "tenant_id"),
            "account" => ("account", "address", "account_id"),
            "group" => ("mail_group", "address", "group_id"),
            other => return Err(invalid(format!("there is no kind {other:?} in the directory"), "kind")),
        };
        let name = delete.name.trim().to_lowercase();
        if name.is_empty() && delete.owner.is_empty() {
            return Err(invalid("what is to be deleted has no name", "name"));
        }
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let sql = format!(
            "SELECT owner, {id}, {key} FROM {table}
             WHERE ({key} = $1 AND $1 <> '') OR ($1 = '' AND owner = $2 AND owner <> '') FOR UPDATE"
        );
        let Some(found) = row(&transaction, &sql, &[&name, &delete.owner]).await? else {
            return Ok(Outcome::NotFound);
        };
        owner::check(found.get(0), &delete.owner)?;
        let (id, name): (i64, String) = (found.get(1), found.get(2));
        if delete.mode() == Mode::Release {
            let sql = format!("UPDATE {table} SET owner = '', generation = 0 WHERE {key} = $1");
            execute(&transaction, &sql, &[&name]).await?;
            transaction.commit().await?;
            return Ok(Outcome::Updated);
        }
        match delete.kind.as_str() {
            "tenant" => {
                let used = transaction
                    .query_one(
                        "SELECT (SELECT count(*) FROM account WHERE tenant_id = $1),
                                (SELECT count(*) FROM domain WHERE tenant_id = $1)",
                        &[&id],
                    )
                    .await?;
                let (accounts, domains): (i64, i64) = (used.get(0), used.get(1));
                if accounts + domains > 0 {
                    return Err(Refusal::new(
                        Outcome::Conflict,
                        format!(
                            "the tenant still has {accounts} mailboxes and {domains} domains; delete them first"
                        ),
                        "",
                    ));
                }
                execute(&transaction, "DELETE FROM tenant WHERE tenant_id = $1", &[&id]).await?;
            }
            "domain" => {
                let used: i64 = row(
                    &transaction,
                    "SELECT (SELECT count(*) FROM address WHERE split_part(address, '@', 2) = $1)
                          + (SELECT count(*) FROM domain WHERE alias_of = $1)",
                    &[&name],
                )
                .await?
                .map_or(0, |r| r.get(0));
                if used > 0 {
                    return Err(Refusal::new(
                        Outcome::Conflict,
                        format!("{used} addresses or aliases are still in this domain; delete them first"),
                        "",
                    ));
                }
                execute(&transaction, "DELETE FROM domain WHERE name = $1", &[&name]).await?;
            }
            "account" => {
                // The content stays until the retention ends: the sweep counts it from deleted_at.
                let deleted_at = match (delete.mode(), delete.retention_days) {
                    (Mode::Purge, _) => 0,
                    (_, 0) => unix_now(),
                    (_, days) => unix_now() + (i64::from(days) - self.retention_days) * 86_400,
                };
                execute(
                    &transaction,
                    "UPDATE mailbox SET deleted_at = $2
                     WHERE mailbox_id = (SELECT mailbox_id FROM account WHERE account_id = $1)",
                    &[&id, &deleted_at],
                )
                .await?;
                for sql in [
                    "DELETE FROM folder_permission WHERE principal_kind = 2 AND principal_id = $1",
                    "DELETE FROM calendar_proxy WHERE principal_kind = 2 AND principal_id = $1",
                    "DELETE FROM account WHERE account_id = $1",
                ] {
                    execute(&transaction, sql, &[&id]).await?;
                }
            }
            _ => {
                for sql in [
                    "DELETE FROM folder_permission WHERE principal_kind = 3 AND principal_id = $1",
                    "DELETE FROM calendar_proxy WHERE principal_kind = 3 AND principal_id = $1",
                    "DELETE FROM mail_group WHERE group_id = $1",
                ] {
                    execute(&transaction, sql, &[&id]).await?;
                }
            }
        }
        transaction.commit().await?;
        if delete.kind == "account" {
            self.access.forget_account(unsigned(id));
        }
        Ok(Outcome::Deleted)
    }
}
