//! Accounts and their mailboxes.

use deadpool_postgres::{GenericClient, Transaction};
use kontor_model::FolderRole;
use kontor_model::booking::Rules;
use kontor_storage_proto as proto;
use proto::apply_result::Outcome;
use proto::change::Change;
use proto::put::Object;

use super::owner::Claim;
use super::tenant::{self, Counted};
use super::{Directory, Done, Refusal, Step, address, booking, execute, invalid, merge, one_of, row};
use crate::error::{bigint, unix_now, unsigned};

/// Where an account stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Standing {
    pub account_id: u64,
    pub mailbox_id: u64,
    pub used: u64,
    pub messages: u64,
}

#[derive(Default)]
struct Account {
    address: String,
    display_name: String,
    kind: String,
    role: String,
    locked: bool,
    forward_to: Vec<String>,
    forward_only: bool,
    hidden: bool,
    send_as: Vec<String>,
    disabled_services: Vec<String>,
    quota: i64,
    quota_is_final: bool,
    /// Sorted, without the primary address.
    aliases: Vec<String>,
    password_version: String,
    /// Of rooms and equipment.
    booking: Option<Rules>,
    capacity: i32,
    location: String,
}

struct Plan {
    /// Account and mailbox, when they exist.
    found: Option<(i64, i64)>,
    tenant: i64,
    before: Account,
    after: Account,
    /// The hash is another one than the stored.
    new_hash: bool,
    done: Done,
}

impl Directory {
    /// The hash that a change sets, or nothing when the password stays.
    pub(super) async fn password_hash_of(&self, change: &proto::Change) -> Result<String, Refusal> {
        let Some(Change::Put(proto::Put { object: Some(Object::Account(account)), owner, .. })) =
            &change.change
        else {
            return Ok(String::new());
        };
        if account.password.is_empty() && account.password_hash.is_empty() {
            return Ok(String::new());
        }
        if !account.password_version.is_empty() && !owner.is_empty() {
            let client = self.db.get().await?;
            let known = row(
                &client,
                "SELECT FROM account WHERE owner = $1 AND owner <> '' AND password_version = $2",
                &[owner, &account.password_version],
            )
            .await?;
            if known.is_some() {
                return Ok(String::new());
            }
        }
        if !account.password_hash.is_empty() {
            if !is_argon2id(&account.password_hash) {
                return Err(invalid("an argon2id PHC string is wanted", "password_hash"));
            }
            return Ok(account.password_hash.clone());
        }
        if account.password.len() > 1024 {
            return Err(invalid("a password has at most 1024 octets", "password"));
        }
        Ok(self.hash(account.password.clone()).await?)
    }
}

fn is_argon2id(text: &str) -> bool {
    text.starts_with("$argon2id$")
        && argon2::password_hash::PasswordHash::new(text)
            .is_ok_and(|hash| hash.salt.is_some() && hash.hash.is_some())
}

pub(super) async fn step<C: GenericClient>(
    client: &C,
    account: &proto::Account,
    hash: &str,
    claim: &Claim,
) -> Result<Step, Refusal> {
    let plan = plan(client, account, hash, claim, false).await?;
    Ok(if plan.done.outcome == Outcome::Unchanged { Step::Nothing(plan.done) } else { Step::Write })
}

async fn plan<C: GenericClient>(
    client: &C,
    account: &proto::Account,
    hash: &str,
    claim: &Claim,
    lock: bool,
) -> Result<Plan, Refusal> {
    let tenant = tenant::id(client, &account.tenant).await?;
    let share = if lock { "FOR SHARE" } else { "" };
    let (primary, aliases) = address::own(client, tenant, &account.address, &account.aliases, share).await?;
    let found = row(
        client,
        &format!(
            "SELECT a.owner, a.generation, a.tenant_id, a.account_id, a.mailbox_id, m.used, m.messages,
                    a.password_hash, a.address, a.display_name, a.kind, a.role, a.locked, a.forward_to, a.forward_only,
                    a.hidden, a.send_as, a.disabled_services, m.quota, m.quota_is_final,
                    ARRAY (SELECT n.address FROM address n WHERE n.account_id = a.account_id
                           AND n.address <> a.address ORDER BY n.address COLLATE \"C\"), a.password_version,
                    a.booking, a.capacity, a.location
             FROM account a JOIN mailbox m USING (mailbox_id)
             WHERE a.address = $1 OR (a.owner = $2 AND a.owner <> '')
             ORDER BY (a.owner = $2 AND a.owner <> '') DESC LIMIT 1 {}",
            if lock { "FOR UPDATE" } else { "" }
        ),
        &[&primary, &claim.owner],
    )
    .await?;
    let before = match &found {
        Some(row) => Account {
            address: row.get(8),
            display_name: row.get(9),
            kind: row.get(10),
            role: row.get(11),
            locked: row.get(12),
            forward_to: row.get(13),
            forward_only: row.get(14),
            hidden: row.get(15),
            send_as: row.get(16),
            disabled_services: row.get(17),
            quota: row.get(18),
            quota_is_final: row.get(19),
            aliases: row.get(20),
            password_version: row.get(21),
            booking: booking::stored(row.get(10), row.get(22), row.get(23))?,
            capacity: row.get(23),
            location: row.get(24),
        },
        None => Account { kind: "user".to_owned(), role: "user".to_owned(), ..Default::default() },
    };
    let mut after = Account {
        address: primary,
        display_name: account.display_name.clone(),
        kind: one_of(&account.kind, &["user", "shared", "room", "equipment"], "kind")?,
        role: one_of(&account.role, &["user", "tenant-admin"], "role")?,
        locked: account.locked,
        forward_to: address::canonical(client, &account.forward_to, MOST_FORWARDS, "forward_to").await?,
        forward_only: account.forward_only,
        hidden: account.hidden,
        send_as: address::canonical(client, &account.send_as, MOST_DELEGATES, "send_as").await?,
        disabled_services: account.disabled_services.clone(),
        quota: bigint(account.quota),
        quota_is_final: account.quota_is_final,
        aliases,
        password_version: account.password_version.clone(),
        booking: None,
        capacity: booking::capacity(account.capacity)?,
        location: booking::location(&account.location)?,
    };
    let mut changed = merge!(claim, before, after; display_name, kind, role, locked, forward_to, forward_only, hidden,
        send_as, disabled_services, quota, quota_is_final, aliases, capacity, location);
    after.booking =
        booking::wanted(client, account, claim, &after.kind, before.booking.as_ref(), after.capacity).await?;
    if after.booking != before.booking {
        changed.push("booking");
    }
    if after.address != before.address {
        changed.push("address");
        // Aliases that are not managed may hold the name that the account goes by now.
        after.aliases.retain(|a| *a != after.address);
    }
    let new_hash = !hash.is_empty() && found.as_ref().is_none_or(|row| row.get::<_, &str>(7) != hash);
    if new_hash {
        changed.push("password");
    }
    if hash.is_empty() {
        after.password_version = before.password_version.clone();
    }
    let what = format!("mailbox {}", after.address);
    let (ids, done) = match &found {
        None => {
            claim.admits_new(&what)?;
            (None, Done::from(Outcome::Created))
        }
        Some(row) => {
            let (owner, generation): (&str, i64) = (row.get(0), row.get(1));
            let standing = Standing {
                account_id: unsigned(row.get(3)),
                mailbox_id: unsigned(row.get(4)),
                used: unsigned(row.get(5)),
                messages: unsigned(row.get(6)),
            };
            if row.get::<_, i64>(2) != tenant {
                return Err(Refusal::new(
                    Outcome::Conflict,
                    format!("the mailbox {} belongs to another tenant", before.address),
                    "address",
                )
                .held_by(owner));
            }
            let same = changed.is_empty()
                && after.password_version == before.password_version
                && owner == claim.owner
                && generation == claim.generation;
            let outcome = if !claim.admits(owner, generation, &what)? || same {
                Done::from(Outcome::Unchanged)
            } else {
                let others = changed.iter().any(|field| *field != "password");
                let drifted = others && claim.said_so_before(owner, generation);
                Done { outcome: Outcome::Updated, changed, drifted, account: None }
            };
            (Some((row.get(3), row.get(4))), Done { account: Some(standing), ..outcome })
        }
    };
    Ok(Plan { found: ids, tenant, before, after, new_hash, done })
}

pub(super) async fn write(
    transaction: &Transaction<'_>,
    account: &proto::Account,
    hash: String,
    claim: &Claim,
) -> Result<Done, Refusal> {
    let plan = plan(transaction, account, &hash, claim, true).await?;
    if plan.done.outcome == Outcome::Unchanged {
        return Ok(plan.done);
    }
    match plan.found {
        Some((id, mailbox)) => update(transaction, plan, id, mailbox, &hash, claim).await,
        None => create(transaction, plan, &hash, claim).await,
    }
}

async fn update(
    transaction: &Transaction<'_>,
    plan: Plan,
    id: i64,
    mailbox: i64,
    hash: &str,
    claim: &Claim,
) -> Result<Done, Refusal> {
    let Plan { tenant, before, after, new_hash, done, .. } = plan;
    let renamed = before.address != after.address;
    if renamed || before.aliases != after.aliases {
        address::set(transaction, tenant, Some(id), None, &all_addresses(&after)).await?;
    }
    // Sessions end when the password changes, the account is locked, or a service is taken away.
    let ends = new_hash
        || after.locked && !before.locked
        || after.disabled_services.iter().any(|s| !before.disabled_services.contains(s));
    execute(
        transaction,
        "UPDATE account SET address = $2, display_name = $3, kind = $4, role = $5, locked = $6, forward_to = $7,
                forward_only = $8, hidden = $9, send_as = $10, disabled_services = $11, password_version = $12,
                owner = $13, generation = $14, password_hash = CASE WHEN $15 = '' THEN password_hash ELSE $15 END,
                auth_epoch = auth_epoch + CASE WHEN $16 THEN 1 ELSE 0 END, booking = $17, capacity = $18, location = $19
         WHERE account_id = $1",
        &[
            &id,
            &after.address,
            &after.display_name,
            &after.kind,
            &after.role,
            &after.locked,
            &after.forward_to,
            &after.forward_only,
            &after.hidden,
            &after.send_as,
            &after.disabled_services,
            &after.password_version,
            &claim.owner,
            &claim.generation,
            &hash,
            &ends,
            &after.booking.as_ref().map(booking::encoded),
            &after.capacity,
            &after.location,
        ],
    )
    .await?;
    if before.quota != after.quota || before.quota_is_final != after.quota_is_final {
        execute(
            transaction,
            "UPDATE mailbox SET quota = $2, quota_is_final = $3 WHERE mailbox_id = $1",
            &[&mailbox, &after.quota, &after.quota_is_final],
        )
        .await?;
    }
    booking::share(transaction, tenant, mailbox, before.booking.as_ref(), after.booking.as_ref()).await?;
    if renamed {
        let names: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
            &[&tenant, &before.address, &after.address];
        for sql in [
            "UPDATE mail_group SET members = array_replace(members, $2, $3)
             WHERE tenant_id = $1 AND members @> ARRAY[$2]",
            "UPDATE account SET send_as = array_replace(send_as, $2, $3)
             WHERE tenant_id = $1 AND send_as @> ARRAY[$2] AND send_as <> '{}'",
        ] {
            execute(transaction, sql, names).await?;
        }
    }
    Ok(done)
}

async fn create(
    transaction: &Transaction<'_>,
    plan: Plan,
    hash: &str,
    claim: &Claim,
) -> Result<Done, Refusal> {
    let Plan { tenant, after, done, .. } = plan;
    tenant::check_room(transaction, tenant, Counted::Mailboxes).await?;
    let mailbox = create_mailbox(transaction, tenant, after.quota, after.quota_is_final).await?;
    // One who has the address as an alias is found by the unique index; he is to be named.
    let id = row(
        transaction,
        "INSERT INTO account (tenant_id, mailbox_id, address, display_name, kind, role, password_hash, password_version,
                locked, forward_to, forward_only, hidden, send_as, disabled_services, owner, generation,
                booking, capacity, location)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
         RETURNING account_id",
        &[
            &tenant,
            &mailbox,
            &after.address,
            &after.display_name,
            &after.kind,
            &after.role,
            &hash,
            &after.password_version,
            &after.locked,
            &after.forward_to,
            &after.forward_only,
            &after.hidden,
            &after.send_as,
            &after.disabled_services,
            &claim.owner,
            &claim.generation,
            &after.booking.as_ref().map(booking::encoded),
            &after.capacity,
            &after.location,
        ],
    )
    .await?;
    let id: i64 = id.map_or(0, |r| r.get(0));
    address::set(transaction, tenant, Some(id), None, &all_addresses(&after)).await?;
    booking::share(transaction, tenant, mailbox, None, after.booking.as_ref()).await?;
    let standing = Standing { account_id: unsigned(id), mailbox_id: unsigned(mailbox), ..Default::default() };
    Ok(Done { account: Some(standing), ..done })
}

fn all_addresses(account: &Account) -> Vec<String> {
    std::iter::once(&account.address).chain(&account.aliases).cloned().collect()
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
    let row = row(
        transaction,
        "SELECT create_mailbox($1, $2, $3, $4, $5, $6, $7, $8)",
        &[&tenant, &quota, &quota_is_final, &roles, &parents, &names, &classes, &validity],
    )
    .await?;
    Ok(row.map_or(0, |r| r.get(0)))
}

const MOST_FORWARDS: usize = 100;
const MOST_DELEGATES: usize = 10_000;
