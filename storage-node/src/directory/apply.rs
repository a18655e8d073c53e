//! Make it so: idempotent puts and deletes of directory objects.

use deadpool_postgres::Transaction;
use kontor_model::FolderRole;
use kontor_storage_proto as proto;
use proto::apply_result::Outcome;
use proto::put::Object;

use super::Directory;
use crate::address::{Address, is_domain};
use crate::error::{Error, bigint, unix_now, unsigned};

/// A change that was refused: what, why, and which field.
struct Refusal(Outcome, String, &'static str);

impl From<tokio_postgres::Error> for Refusal {
    fn from(error: tokio_postgres::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Exists(what) => Refusal(Outcome::Conflict, format!("{what} is taken"), ""),
            Error::Invalid(why) => Refusal(Outcome::Invalid, why, ""),
            other => Refusal(Outcome::Unspecified, other.to_string(), ""),
        }
    }
}

impl Directory {
    /// Applies changes in order, each in its own transaction with its own result. A database that is away
    /// ends the whole call, so that the caller tries all of it again.
    pub async fn apply(&self, changes: Vec<proto::Change>) -> Result<Vec<proto::ApplyResult>, Error> {
        if changes.len() > MOST_CHANGES {
            return Err(Error::Invalid(format!("at most {MOST_CHANGES} changes in one call")));
        }
        let mut results = Vec::with_capacity(changes.len());
        for change in changes {
            let outcome = match change.change {
                Some(proto::change::Change::Put(put)) => self.put(put).await,
                Some(proto::change::Change::Delete(delete)) => self.delete(&delete).await,
                None => Err(Refusal(Outcome::Invalid, "an empty change".into(), "")),
            };
            results.push(match outcome {
                Ok(outcome) => proto::ApplyResult { outcome: outcome as i32, ..Default::default() },
                Err(Refusal(Outcome::Unspecified, why, _)) => return Err(Error::Unavailable(why)),
                Err(Refusal(outcome, message, field)) => {
                    proto::ApplyResult { outcome: outcome as i32, message, field: field.into() }
                }
            });
        }
        self.forget();
        Ok(results)
    }

    async fn put(&self, put: proto::Put) -> Result<Outcome, Refusal> {
        // The slow hash is made before the transaction, not in it.
        let hash = match &put.object {
            Some(Object::Account(account)) if !account.password_hash.is_empty() => {
                if !account.password_hash.starts_with("$argon2id$") {
                    return Err(invalid("an argon2id PHC string is wanted", "password_hash"));
                }
                account.password_hash.clone()
            }
            Some(Object::Account(account)) if !account.password.is_empty() => {
                if account.password.len() > 1024 {
                    return Err(invalid("a password has at most 1024 octets", "password"));
                }
                self.hash(account.password.clone()).await?
            }
            _ => String::new(),
        };
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let meta = Meta {
            owner: put.owner,
            generation: put.generation,
            create_only: put.create_only,
            update_only: put.update_only,
        };
        let outcome = match put.object {
            Some(Object::Tenant(tenant)) => put_tenant(&transaction, tenant, &meta).await?,
            Some(Object::Domain(domain)) => put_domain(&transaction, domain, &meta).await?,
            Some(Object::Account(account)) => {
                let (outcome, id) = put_account(&transaction, account, hash, &meta).await?;
                self.access.forget_account(unsigned(id));
                outcome
            }
            Some(Object::Group(group)) => put_group(&transaction, group, &meta).await?,
            None => return Err(invalid("a put without an object", "")),
        };
        transaction.commit().await?;
        Ok(outcome)
    }

    async fn delete(&self, delete: &proto::Delete) -> Result<Outcome, Refusal> {
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let name = delete.name.trim().to_lowercase();
        let (select, sql): (&str, &[&str]) = match delete.kind.as_str() {
            "tenant" => (
                "SELECT owner, tenant_id FROM tenant WHERE name = $1 FOR UPDATE",
                &["DELETE FROM tenant WHERE tenant_id = $1"],
            ),
            "domain" => ("SELECT owner, tenant_id FROM domain WHERE name = $1 FOR UPDATE", &[]),
            "account" => (
                "SELECT owner, account_id FROM account WHERE address = $1 FOR UPDATE",
                &[
                    // The content stays until the retention ends.
                    "UPDATE mailbox SET deleted_at = extract(epoch FROM now())::bigint
                     WHERE mailbox_id = (SELECT mailbox_id FROM account WHERE account_id = $1)",
                    "DELETE FROM folder_permission WHERE principal_kind = 2 AND principal_id = $1",
                    "DELETE FROM account WHERE account_id = $1",
                ],
            ),
            "group" => (
                "SELECT owner, group_id FROM mail_group WHERE address = $1 FOR UPDATE",
                &[
                    "DELETE FROM folder_permission WHERE principal_kind = 3 AND principal_id = $1",
                    "DELETE FROM mail_group WHERE group_id = $1",
                ],
            ),
            other => return Err(invalid(&format!("there is no kind {other:?} in the directory"), "kind")),
        };
        let Some(row) = transaction.query_opt(select, &[&name]).await? else { return Ok(Outcome::NotFound) };
        check_owner(row.get(0), &delete.owner)?;
        let id: i64 = row.get(1);
        if delete.kind == "tenant" {
            let used = transaction
                .query_one(
                    "SELECT (SELECT count(*) FROM account WHERE tenant_id = $1),
                            (SELECT count(*) FROM domain WHERE tenant_id = $1)",
                    &[&id],
                )
                .await?;
            let (accounts, domains): (i64, i64) = (used.get(0), used.get(1));
            if accounts + domains > 0 {
                return Err(Refusal(
                    Outcome::Conflict,
                    format!(
                        "the tenant still has {accounts} mailboxes and {domains} domains; delete them first"
                    ),
                    "",
                ));
            }
        }
        if delete.kind == "domain" {
            let used = transaction
                .query_one("SELECT count(*) FROM address WHERE address LIKE '%@' || $1", &[&name])
                .await?;
            let used: i64 = used.get(0);
            if used > 0 {
                return Err(Refusal(
                    Outcome::Conflict,
                    format!("{used} addresses are still in this domain; delete them first"),
                    "",
                ));
            }
            transaction.execute("DELETE FROM domain WHERE name = $1", &[&name]).await?;
        }
        for statement in sql {
            transaction.execute(*statement, &[&id]).await?;
        }
        transaction.commit().await?;
        if delete.kind == "account" {
            self.access.forget_account(unsigned(id));
        }
        Ok(Outcome::Deleted)
    }
}

struct Meta {
    owner: String,
    generation: i64,
    create_only: bool,
    update_only: bool,
}

impl Meta {
    /// Whether an existing object may be changed by this put; `false` = it is older and does nothing.
    fn admits(&self, owner: &str, generation: i64, what: &str) -> Result<bool, Refusal> {
        if self.create_only {
            return Err(Refusal(Outcome::Conflict, format!("{what} exists already"), "name"));
        }
        check_owner(owner, &self.owner)?;
        Ok(self.owner.is_empty() || self.generation >= generation)
    }

    fn admits_new(&self, what: &str) -> Result<(), Refusal> {
        if self.update_only {
            return Err(Refusal(Outcome::NotFound, format!("{what} does not exist"), "name"));
        }
        Ok(())
    }
}

fn check_owner(owner: &str, caller: &str) -> Result<(), Refusal> {
    if owner.is_empty() || owner == caller {
        return Ok(());
    }
    Err(Refusal(Outcome::Denied, format!("it is declared by {owner}; change it there"), "owner"))
}

fn invalid(why: &str, field: &'static str) -> Refusal {
    Refusal(Outcome::Invalid, why.to_string(), field)
}

async fn put_tenant(
    transaction: &Transaction<'_>,
    tenant: proto::Tenant,
    meta: &Meta,
) -> Result<Outcome, Refusal> {
    let name = tenant.name.trim().to_lowercase();
    if name.is_empty()
        || name.len() > 63
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    {
        return Err(invalid("a tenant's name has 1 to 63 letters, digits, hyphens or dots", "name"));
    }
    let (quota, most) = (bigint(tenant.quota), i64::from(tenant.max_mailboxes));
    let existing = transaction
        .query_opt(
            "SELECT owner, generation, display_name = $2 AND quota = $3 AND max_mailboxes = $4 AND suspended = $5
                    AND owner = $6 FROM tenant WHERE name = $1 FOR UPDATE",
            &[&name, &tenant.display_name, &quota, &most, &tenant.suspended, &meta.owner],
        )
        .await?;
    match existing {
        Some(row) => {
            if !meta.admits(row.get(0), row.get(1), &format!("tenant {name}"))? || row.get(2) {
                return Ok(Outcome::Unchanged);
            }
            transaction
                .execute(
                    "UPDATE tenant SET display_name = $2, quota = $3, max_mailboxes = $4, suspended = $5,
                            owner = $6, generation = $7 WHERE name = $1",
                    &[
                        &name,
                        &tenant.display_name,
                        &quota,
                        &most,
                        &tenant.suspended,
                        &meta.owner,
                        &meta.generation,
                    ],
                )
                .await?;
            Ok(Outcome::Updated)
        }
        None => {
            meta.admits_new(&format!("tenant {name}"))?;
            transaction
                .execute(
                    "INSERT INTO tenant (name, display_name, quota, max_mailboxes, suspended, owner, generation)
                     VALUES ($1, $2, $3, $4, $5, $6, $7)",
                    &[&name, &tenant.display_name, &quota, &most, &tenant.suspended, &meta.owner, &meta.generation],
                )
                .await?;
            Ok(Outcome::Created)
        }
    }
}

async fn tenant_id(transaction: &Transaction<'_>, name: &str) -> Result<i64, Refusal> {
    let row = transaction
        .query_opt("SELECT tenant_id FROM tenant WHERE name = $1 FOR SHARE", &[&name.trim().to_lowercase()])
        .await?;
    match row {
        Some(row) => Ok(row.get(0)),
        None => Err(invalid(&format!("there is no tenant {name:?}"), "tenant")),
    }
}

async fn put_domain(
    transaction: &Transaction<'_>,
    domain: proto::Domain,
    meta: &Meta,
) -> Result<Outcome, Refusal> {
    let name = domain.name.trim().to_lowercase();
    if !is_domain(&name) {
        return Err(invalid(&format!("{name:?} is not a domain name"), "name"));
    }
    let tenant = tenant_id(transaction, &domain.tenant).await?;
    let alias_of = domain.alias_of.trim().to_lowercase();
    if !alias_of.is_empty() {
        let target = transaction
            .query_opt("SELECT tenant_id, alias_of FROM domain WHERE name = $1", &[&alias_of])
            .await?;
        match target {
            Some(row) if row.get::<_, i64>(0) == tenant && row.get::<_, &str>(1).is_empty() => {}
            _ => {
                return Err(invalid(
                    "an alias points to a domain of the same tenant that is no alias itself",
                    "alias_of",
                ));
            }
        }
    }
    let catch_all = match domain.catch_all.trim() {
        "" => String::new(),
        address => Address::parse(address)?.to_string(),
    };
    let existing = transaction
        .query_opt(
            "SELECT owner, generation, alias_of = $2 AND catch_all = $3 AND owner = $4, tenant_id
             FROM domain WHERE name = $1 FOR UPDATE",
            &[&name, &alias_of, &catch_all, &meta.owner],
        )
        .await?;
    match existing {
        Some(row) => {
            if row.get::<_, i64>(3) != tenant {
                return Err(Refusal(
                    Outcome::Conflict,
                    "the domain belongs to another tenant".into(),
                    "name",
                ));
            }
            if !meta.admits(row.get(0), row.get(1), &format!("domain {name}"))? || row.get(2) {
                return Ok(Outcome::Unchanged);
            }
            transaction
                .execute(
                    "UPDATE domain SET alias_of = $2, catch_all = $3, owner = $4, generation = $5 WHERE name = $1",
                    &[&name, &alias_of, &catch_all, &meta.owner, &meta.generation],
                )
                .await?;
            Ok(Outcome::Updated)
        }
        None => {
            meta.admits_new(&format!("domain {name}"))?;
            transaction
                .execute(
                    "INSERT INTO domain (name, tenant_id, alias_of, catch_all, owner, generation)
                     VALUES ($1, $2, $3, $4, $5, $6)",
                    &[&name, &tenant, &alias_of, &catch_all, &meta.owner, &meta.generation],
                )
                .await?;
            Ok(Outcome::Created)
        }
    }
}

/// The address, whose domain must be the tenant's own and no alias.
async fn own_address(
    transaction: &Transaction<'_>,
    text: &str,
    tenant: i64,
    field: &'static str,
) -> Result<String, Refusal> {
    let address = Address::parse(text).map_err(|e| Refusal(Outcome::Invalid, e.to_string(), field))?;
    let domain = transaction
        .query_opt("SELECT tenant_id, alias_of FROM domain WHERE name = $1 FOR SHARE", &[&address.domain])
        .await?;
    match domain {
        Some(row) if row.get::<_, i64>(0) != tenant => Err(Refusal(
            Outcome::Conflict,
            format!("domain {} belongs to another tenant", address.domain),
            field,
        )),
        Some(row) if !row.get::<_, &str>(1).is_empty() => Err(Refusal(
            Outcome::Invalid,
            format!("{} is an alias of {}; use that domain", address.domain, row.get::<_, &str>(1)),
            field,
        )),
        Some(_) => Ok(address.to_string()),
        None => Err(Refusal(
            Outcome::Invalid,
            format!("domain {} is not set up; add it first", address.domain),
            field,
        )),
    }
}

/// Gives an account or a group exactly these addresses.
async fn set_addresses(
    transaction: &Transaction<'_>,
    tenant: i64,
    account: Option<i64>,
    group: Option<i64>,
    wanted: &[String],
) -> Result<bool, Refusal> {
    let rows = transaction
        .query("SELECT address FROM address WHERE account_id = $1 OR group_id = $2", &[&account, &group])
        .await?;
    let have: Vec<String> = rows.iter().map(|r| r.get(0)).collect();
    let gone: Vec<&String> = have.iter().filter(|a| !wanted.contains(a)).collect();
    let mut changed = !gone.is_empty();
    if changed {
        transaction.execute("DELETE FROM address WHERE address = ANY ($1)", &[&gone]).await?;
    }
    for address in wanted.iter().filter(|a| !have.contains(a)) {
        let added = transaction
            .execute(
                "INSERT INTO address (address, tenant_id, account_id, group_id) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING",
                &[address, &tenant, &account, &group],
            )
            .await?;
        if added == 0 {
            return Err(Refusal(
                Outcome::Conflict,
                format!("the address {address} belongs to somebody else"),
                "aliases",
            ));
        }
        changed = true;
    }
    Ok(changed)
}

async fn put_account(
    transaction: &Transaction<'_>,
    account: proto::Account,
    hash: String,
    meta: &Meta,
) -> Result<(Outcome, i64), Refusal> {
    let tenant = tenant_id(transaction, &account.tenant).await?;
    let address = own_address(transaction, &account.address, tenant, "address").await?;
    let mut addresses = vec![address.clone()];
    for alias in &account.aliases {
        let alias = own_address(transaction, alias, tenant, "aliases").await?;
        if !addresses.contains(&alias) {
            addresses.push(alias);
        }
    }
    let kind = one_of(&account.kind, &["user", "shared", "room", "equipment"], "kind")?;
    let role = one_of(&account.role, &["user", "tenant-admin"], "role")?;
    let mut forward_to = Vec::new();
    for forward in &account.forward_to {
        forward_to.push(Address::parse(forward)?.to_string());
    }
    let quota = bigint(account.quota);
    let existing = transaction
        .query_opt(
            "SELECT a.owner, a.generation, a.tenant_id, a.account_id, a.mailbox_id,
                    a.display_name = $2 AND a.kind = $3 AND a.role = $4 AND a.locked = $5 AND a.forward_to = $6
                    AND a.forward_only = $7 AND m.quota = $8 AND m.quota_is_final = $9 AND a.owner = $10
                    AND ($11 = '' OR a.password_hash = $11), a.locked
             FROM account a JOIN mailbox m USING (mailbox_id) WHERE a.address = $1 FOR UPDATE",
            &[
                &address,
                &account.display_name,
                &kind,
                &role,
                &account.locked,
                &forward_to,
                &account.forward_only,
                &quota,
                &account.quota_is_final,
                &meta.owner,
                &hash,
            ],
        )
        .await?;
    if let Some(row) = existing {
        let (id, mailbox): (i64, i64) = (row.get(3), row.get(4));
        if row.get::<_, i64>(2) != tenant {
            return Err(Refusal(
                Outcome::Conflict,
                "the mailbox belongs to another tenant".into(),
                "address",
            ));
        }
        if !meta.admits(row.get(0), row.get(1), &format!("mailbox {address}"))? {
            return Ok((Outcome::Unchanged, id));
        }
        let moved = set_addresses(transaction, tenant, Some(id), None, &addresses).await?;
        if row.get(5) && !moved {
            return Ok((Outcome::Unchanged, id));
        }
        // Sessions end when the password changes or the account is locked.
        let ends = !hash.is_empty() || account.locked && !row.get::<_, bool>(6);
        transaction
            .execute(
                "UPDATE account SET display_name = $2, kind = $3, role = $4, locked = $5, forward_to = $6,
                        forward_only = $7, owner = $8, generation = $9,
                        password_hash = CASE WHEN $10 = '' THEN password_hash ELSE $10 END,
                        auth_epoch = auth_epoch + CASE WHEN $11 THEN 1 ELSE 0 END
                 WHERE account_id = $1",
                &[
                    &id,
                    &account.display_name,
                    &kind,
                    &role,
                    &account.locked,
                    &forward_to,
                    &account.forward_only,
                    &meta.owner,
                    &meta.generation,
                    &hash,
                    &ends,
                ],
            )
            .await?;
        transaction
            .execute(
                "UPDATE mailbox SET quota = $2, quota_is_final = $3 WHERE mailbox_id = $1",
                &[&mailbox, &quota, &account.quota_is_final],
            )
            .await?;
        return Ok((Outcome::Updated, id));
    }
    meta.admits_new(&format!("mailbox {address}"))?;
    let room = transaction
        .query_one(
            "SELECT t.max_mailboxes = 0 OR (SELECT count(*) FROM account a WHERE a.tenant_id = t.tenant_id)
                    < t.max_mailboxes FROM tenant t WHERE t.tenant_id = $1",
            &[&tenant],
        )
        .await?;
    if !room.get::<_, bool>(0) {
        return Err(Refusal(Outcome::Denied, "the tenant has as many mailboxes as it may".into(), "tenant"));
    }
    let mailbox = create_mailbox(transaction, tenant, quota, account.quota_is_final).await?;
    let row = transaction
        .query_one(
            "INSERT INTO account (tenant_id, mailbox_id, address, display_name, kind, role, password_hash, locked,
                    forward_to, forward_only, owner, generation)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING account_id",
            &[
                &tenant,
                &mailbox,
                &address,
                &account.display_name,
                &kind,
                &role,
                &hash,
                &account.locked,
                &forward_to,
                &account.forward_only,
                &meta.owner,
                &meta.generation,
            ],
        )
        .await?;
    let id: i64 = row.get(0);
    set_addresses(transaction, tenant, Some(id), None, &addresses).await?;
    Ok((Outcome::Created, id))
}

async fn create_mailbox(
    transaction: &Transaction<'_>,
    tenant: i64,
    quota: i64,
    quota_is_final: bool,
) -> Result<i64, Refusal> {
    let (mut roles, mut parents, mut names, mut classes) = (vec![], vec![], vec![], vec![]);
    for folder in &FolderRole::WELL_KNOWN {
        roles.push(i16::from(folder.role.code()));
        parents.push(folder.parent.map_or(0, |p| i64::from(p.code())));
        names.push(folder.role.display_name().to_string());
        classes.push(folder.role.container_class().to_string());
    }
    // RFC 9051 §2.3.1.1: never the same for a folder made anew; ours are made in different seconds or
    // have different ids.
    let validity = unix_now();
    let row = transaction
        .query_one(
            "SELECT create_mailbox($1, $2, $3, $4, $5, $6, $7, $8)",
            &[&tenant, &quota, &quota_is_final, &roles, &parents, &names, &classes, &validity],
        )
        .await?;
    Ok(row.get(0))
}

async fn put_group(
    transaction: &Transaction<'_>,
    group: proto::Group,
    meta: &Meta,
) -> Result<Outcome, Refusal> {
    let tenant = tenant_id(transaction, &group.tenant).await?;
    let address = own_address(transaction, &group.address, tenant, "address").await?;
    let mut addresses = vec![address.clone()];
    for alias in &group.aliases {
        let alias = own_address(transaction, alias, tenant, "aliases").await?;
        if !addresses.contains(&alias) {
            addresses.push(alias);
        }
    }
    if group.members.len() > MOST_MEMBERS {
        return Err(invalid(&format!("a group has at most {MOST_MEMBERS} members"), "members"));
    }
    let mut members = Vec::with_capacity(group.members.len());
    for member in &group.members {
        let member = Address::parse(member)?.to_string();
        if !members.contains(&member) {
            members.push(member);
        }
    }
    let senders = one_of(&group.senders, &["anyone", "tenant", "members"], "senders")?;
    let existing = transaction
        .query_opt(
            "SELECT owner, generation, tenant_id, group_id,
                    display_name = $2 AND members = $3 AND senders = $4 AND owner = $5
             FROM mail_group WHERE address = $1 FOR UPDATE",
            &[&address, &group.display_name, &members, &senders, &meta.owner],
        )
        .await?;
    if let Some(row) = existing {
        let id: i64 = row.get(3);
        if row.get::<_, i64>(2) != tenant {
            return Err(Refusal(Outcome::Conflict, "the group belongs to another tenant".into(), "address"));
        }
        if !meta.admits(row.get(0), row.get(1), &format!("group {address}"))? {
            return Ok(Outcome::Unchanged);
        }
        let moved = set_addresses(transaction, tenant, None, Some(id), &addresses).await?;
        if row.get(4) && !moved {
            return Ok(Outcome::Unchanged);
        }
        transaction
            .execute(
                "UPDATE mail_group SET display_name = $2, members = $3, senders = $4, owner = $5, generation = $6
                 WHERE group_id = $1",
                &[&id, &group.display_name, &members, &senders, &meta.owner, &meta.generation],
            )
            .await?;
        return Ok(Outcome::Updated);
    }
    meta.admits_new(&format!("group {address}"))?;
    let row = transaction
        .query_one(
            "INSERT INTO mail_group (tenant_id, address, display_name, members, senders, owner, generation)
             VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING group_id",
            &[&tenant, &address, &group.display_name, &members, &senders, &meta.owner, &meta.generation],
        )
        .await?;
    set_addresses(transaction, tenant, None, Some(row.get(0)), &addresses).await?;
    Ok(Outcome::Created)
}

/// The value, the first of the choices when it is empty, or a refusal that names them.
fn one_of(value: &str, choices: &[&'static str], field: &'static str) -> Result<&'static str, Refusal> {
    if value.is_empty() {
        return choices.first().copied().ok_or_else(|| invalid("no choice", field));
    }
    choices
        .iter()
        .find(|c| **c == value)
        .copied()
        .ok_or_else(|| invalid(&format!("{value:?} is not one of {}", choices.join(", ")), field))
}

const MOST_CHANGES: usize = 1000;
const MOST_MEMBERS: usize = 10_000;
