//! Domains.

use deadpool_postgres::{GenericClient, Transaction};
use kontor_storage_proto as proto;
use proto::apply_result::Outcome;

use super::owner::Claim;
use super::tenant::{self, Counted};
use super::{Done, Refusal, Step, execute, invalid, merge, row};
use crate::address::{Address, is_domain};

#[derive(Default)]
struct Domain {
    alias_of: String,
    catch_all: String,
}

struct Plan {
    name: String,
    tenant: i64,
    after: Domain,
    exists: bool,
    done: Done,
}

pub(super) async fn step<C: GenericClient>(
    client: &C,
    domain: &proto::Domain,
    claim: &Claim,
) -> Result<Step, Refusal> {
    let plan = plan(client, domain, claim, "").await?;
    Ok(if plan.done.outcome == Outcome::Unchanged { Step::Nothing(plan.done) } else { Step::Write })
}

async fn plan<C: GenericClient>(
    client: &C,
    domain: &proto::Domain,
    claim: &Claim,
    lock: &str,
) -> Result<Plan, Refusal> {
    let name = domain.name.trim().to_lowercase();
    if !is_domain(&name) {
        return Err(invalid(format!("{name:?} is not a domain name"), "name"));
    }
    let tenant = tenant::id(client, &domain.tenant).await?;
    let alias_of = domain.alias_of.trim().to_lowercase();
    if !alias_of.is_empty() {
        let target =
            row(client, "SELECT tenant_id, alias_of FROM domain WHERE name = $1", &[&alias_of]).await?;
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
    let found = row(
        client,
        &format!(
            "SELECT owner, generation, tenant_id, alias_of, catch_all FROM domain WHERE name = $1 {lock}"
        ),
        &[&name],
    )
    .await?;
    let before = match &found {
        Some(row) => Domain { alias_of: row.get(3), catch_all: row.get(4) },
        None => Domain::default(),
    };
    let mut after = Domain { alias_of, catch_all };
    let changed = merge!(claim, before, after; alias_of, catch_all);
    let what = format!("domain {name}");
    let done = match &found {
        None => {
            claim.admits_new(&what)?;
            Done::from(Outcome::Created)
        }
        Some(row) => {
            let (owner, generation): (&str, i64) = (row.get(0), row.get(1));
            if row.get::<_, i64>(2) != tenant {
                return Err(Refusal::new(
                    Outcome::Conflict,
                    format!("the domain {name} belongs to another tenant"),
                    "name",
                )
                .held_by(owner));
            }
            let same = changed.is_empty() && owner == claim.owner && generation == claim.generation;
            if !claim.admits(owner, generation, &what)? || same {
                Done::from(Outcome::Unchanged)
            } else {
                if before.alias_of.is_empty() && !after.alias_of.is_empty() {
                    check_unused(client, &name).await?;
                }
                let drifted = !changed.is_empty() && claim.said_so_before(owner, generation);
                Done { outcome: Outcome::Updated, changed, drifted, account: None }
            }
        }
    };
    Ok(Plan { name, tenant, after, exists: found.is_some(), done })
}

/// A domain that becomes an alias would hide the addresses in it.
async fn check_unused<C: GenericClient>(client: &C, name: &str) -> Result<(), Refusal> {
    let used: i64 =
        row(client, "SELECT count(*) FROM address WHERE split_part(address, '@', 2) = $1", &[&name])
            .await?
            .map_or(0, |r| r.get(0));
    if used > 0 {
        return Err(Refusal::new(
            Outcome::Conflict,
            format!("{used} addresses are still in this domain, which then could not be reached any more"),
            "alias_of",
        ));
    }
    Ok(())
}

pub(super) async fn write(
    transaction: &Transaction<'_>,
    domain: &proto::Domain,
    claim: &Claim,
) -> Result<Done, Refusal> {
    let Plan { name, tenant, after, exists, done } = plan(transaction, domain, claim, "FOR UPDATE").await?;
    if done.outcome == Outcome::Unchanged {
        return Ok(done);
    }
    if exists {
        execute(
            transaction,
            "UPDATE domain SET alias_of = $2, catch_all = $3, owner = $4, generation = $5 WHERE name = $1",
            &[&name, &after.alias_of, &after.catch_all, &claim.owner, &claim.generation],
        )
        .await?;
    } else {
        tenant::check_room(transaction, tenant, Counted::Domains).await?;
        execute(
            transaction,
            "INSERT INTO domain (name, tenant_id, alias_of, catch_all, owner, generation)
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[&name, &tenant, &after.alias_of, &after.catch_all, &claim.owner, &claim.generation],
        )
        .await?;
    }
    Ok(done)
}
