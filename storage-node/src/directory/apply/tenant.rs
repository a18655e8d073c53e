//! Tenants.

use deadpool_postgres::{GenericClient, Transaction};
use kontor_storage_proto as proto;
use proto::apply_result::Outcome;

use super::owner::Claim;
use super::{Done, Refusal, Step, execute, invalid, merge, row};
use crate::error::bigint;

#[derive(Default)]
struct Tenant {
    name: String,
    display_name: String,
    quota: i64,
    max_mailboxes: i64,
    max_domains: i64,
    max_groups: i64,
    suspended: bool,
}

struct Plan {
    after: Tenant,
    exists: bool,
    done: Done,
}

pub(super) async fn step<C: GenericClient>(
    client: &C,
    tenant: &proto::Tenant,
    claim: &Claim,
) -> Result<Step, Refusal> {
    let plan = plan(client, tenant, claim, "").await?;
    Ok(if plan.done.outcome == Outcome::Unchanged { Step::Nothing(plan.done) } else { Step::Write })
}

async fn plan<C: GenericClient>(
    client: &C,
    tenant: &proto::Tenant,
    claim: &Claim,
    lock: &str,
) -> Result<Plan, Refusal> {
    let name = tenant.name.trim().to_lowercase();
    if name.is_empty()
        || name.len() > 253
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    {
        return Err(invalid("a tenant's name has 1 to 253 letters, digits, hyphens or dots", "name"));
    }
    let mut after = Tenant {
        name,
        display_name: tenant.display_name.clone(),
        quota: bigint(tenant.quota),
        max_mailboxes: i64::from(tenant.max_mailboxes),
        max_domains: i64::from(tenant.max_domains),
        max_groups: i64::from(tenant.max_groups),
        suspended: tenant.suspended,
    };
    let found = row(
        client,
        &format!(
            "SELECT owner, generation, display_name, quota, max_mailboxes, max_domains, max_groups, suspended
             FROM tenant WHERE name = $1 {lock}"
        ),
        &[&after.name],
    )
    .await?;
    let what = format!("tenant {}", after.name);
    let before = match &found {
        Some(row) => Tenant {
            name: after.name.clone(),
            display_name: row.get(2),
            quota: row.get(3),
            max_mailboxes: row.get(4),
            max_domains: row.get(5),
            max_groups: row.get(6),
            suspended: row.get(7),
        },
        None => Tenant::default(),
    };
    let changed =
        merge!(claim, before, after; display_name, quota, max_mailboxes, max_domains, max_groups, suspended);
    let done = match &found {
        None => {
            claim.admits_new(&what)?;
            Done::from(Outcome::Created)
        }
        Some(row) => {
            let (owner, generation) = (row.get(0), row.get(1));
            let same = changed.is_empty() && owner == claim.owner && generation == claim.generation;
            if !claim.admits(owner, generation, &what)? || same {
                Done::from(Outcome::Unchanged)
            } else {
                let drifted = !changed.is_empty() && claim.said_so_before(owner, generation);
                Done { outcome: Outcome::Updated, changed, drifted, account: None }
            }
        }
    };
    Ok(Plan { after, exists: found.is_some(), done })
}

pub(super) async fn write(
    transaction: &Transaction<'_>,
    tenant: &proto::Tenant,
    claim: &Claim,
) -> Result<Done, Refusal> {
    let Plan { after, exists, done } = plan(transaction, tenant, claim, "FOR UPDATE").await?;
    if done.outcome == Outcome::Unchanged {
        return Ok(done);
    }
    let sql = if exists {
        "UPDATE tenant SET display_name = $2, quota = $3, max_mailboxes = $4, max_domains = $5, max_groups = $6,
                suspended = $7, owner = $8, generation = $9 WHERE name = $1"
    } else {
        "INSERT INTO tenant (name, display_name, quota, max_mailboxes, max_domains, max_groups, suspended, owner,
                generation) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    };
    execute(
        transaction,
        sql,
        &[
            &after.name,
            &after.display_name,
            &after.quota,
            &after.max_mailboxes,
            &after.max_domains,
            &after.max_groups,
            &after.suspended,
            &claim.owner,
            &claim.generation,
        ],
    )
    .await?;
    Ok(done)
}

/// The tenant of this name.
pub(super) async fn id<C: GenericClient>(client: &C, name: &str) -> Result<i64, Refusal> {
    let name = name.trim().to_lowercase();
    match row(client, "SELECT tenant_id FROM tenant WHERE name = $1", &[&name]).await? {
        Some(row) => Ok(row.get(0)),
        None => Err(invalid(format!("there is no tenant {name:?}"), "tenant")),
    }
}

/// What a tenant may have only so many of.
#[derive(Clone, Copy)]
pub(super) enum Counted {
    Mailboxes,
    Domains,
    Groups,
}

/// Refuses when the tenant has as many as it may. Those who make something of a limited tenant come here one after
/// another, so that the limit holds.
pub(super) async fn check_room(
    transaction: &Transaction<'_>,
    tenant: i64,
    counted: Counted,
) -> Result<(), Refusal> {
    let (limit, count, what) = match counted {
        Counted::Mailboxes => (
            "SELECT max_mailboxes FROM tenant WHERE tenant_id = $1",
            "SELECT count(*) FROM account WHERE tenant_id = $1",
            "mailboxes",
        ),
        Counted::Domains => (
            "SELECT max_domains FROM tenant WHERE tenant_id = $1",
            "SELECT count(*) FROM domain WHERE tenant_id = $1",
            "domains",
        ),
        Counted::Groups => (
            "SELECT max_groups FROM tenant WHERE tenant_id = $1",
            "SELECT count(*) FROM mail_group WHERE tenant_id = $1",
            "groups",
        ),
    };
    let most: i64 = row(transaction, limit, &[&tenant]).await?.map_or(0, |r| r.get(0));
    if most == 0 {
        return Ok(());
    }
    execute(transaction, "SELECT pg_advisory_xact_lock($1, hashint8($2))", &[&LIMIT_LOCK, &tenant]).await?;
    let have: i64 = row(transaction, count, &[&tenant]).await?.map_or(0, |r| r.get(0));
    if have >= most {
        return Err(Refusal::new(
            Outcome::Limit,
            format!("the tenant has as many {what} as it may: {most}"),
            "tenant",
        ));
    }
    Ok(())
}

const LIMIT_LOCK: i32 = 0x6b6c;
