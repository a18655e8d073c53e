//! Groups.

use deadpool_postgres::{GenericClient, Transaction};
use kontor_storage_proto as proto;
use proto::apply_result::Outcome;

use super::owner::Claim;
use super::tenant::{self, Counted};
use super::{Done, Refusal, Step, address, execute, merge, one_of, row};

#[derive(Default)]
struct Group {
    address: String,
    display_name: String,
    members: Vec<String>,
    senders: String,
    hidden: bool,
    /// Sorted, without the primary address.
    aliases: Vec<String>,
}

struct Plan {
    id: Option<i64>,
    tenant: i64,
    after: Group,
    done: Done,
}

pub(super) async fn step<C: GenericClient>(
    client: &C,
    group: &proto::Group,
    claim: &Claim,
) -> Result<Step, Refusal> {
    let plan = plan(client, group, claim, false).await?;
    Ok(if plan.done.outcome == Outcome::Unchanged { Step::Nothing(plan.done) } else { Step::Write })
}

async fn plan<C: GenericClient>(
    client: &C,
    group: &proto::Group,
    claim: &Claim,
    lock: bool,
) -> Result<Plan, Refusal> {
    let tenant = tenant::id(client, &group.tenant).await?;
    let share = if lock { "FOR SHARE" } else { "" };
    let (primary, aliases) = address::own(client, tenant, &group.address, &group.aliases, share).await?;
    let found = row(
        client,
        &format!(
            "SELECT owner, generation, tenant_id, group_id, address, display_name, members, senders, hidden,
                    ARRAY (SELECT n.address FROM address n WHERE n.group_id = g.group_id AND n.address <> g.address
                           ORDER BY n.address COLLATE \"C\")
             FROM mail_group g WHERE address = $1 OR (owner = $2 AND owner <> '')
             ORDER BY (owner = $2 AND owner <> '') DESC LIMIT 1 {}",
            if lock { "FOR UPDATE" } else { "" }
        ),
        &[&primary, &claim.owner],
    )
    .await?;
    let before = match &found {
        Some(row) => Group {
            address: row.get(4),
            display_name: row.get(5),
            members: row.get(6),
            senders: row.get(7),
            hidden: row.get(8),
            aliases: row.get(9),
        },
        None => Group { senders: "anyone".to_owned(), ..Default::default() },
    };
    let mut after = Group {
        address: primary,
        display_name: group.display_name.clone(),
        members: address::canonical(client, &group.members, MOST_MEMBERS, "members").await?,
        senders: one_of(&group.senders, &["anyone", "tenant", "members"], "senders")?,
        hidden: group.hidden,
        aliases,
    };
    let mut changed = merge!(claim, before, after; display_name, members, senders, hidden, aliases);
    if after.address != before.address {
        changed.push("address");
        // Aliases that are not managed may hold the name that the group goes by now.
        after.aliases.retain(|a| *a != after.address);
    }
    let what = format!("group {}", after.address);
    let (id, done) = match &found {
        None => {
            claim.admits_new(&what)?;
            (None, Done::from(Outcome::Created))
        }
        Some(row) => {
            let (owner, generation): (&str, i64) = (row.get(0), row.get(1));
            let id = Some(row.get(3));
            if row.get::<_, i64>(2) != tenant {
                return Err(Refusal::new(
                    Outcome::Conflict,
                    "the group belongs to another tenant",
                    "address",
                )
                .held_by(owner));
            }
            let same = changed.is_empty() && owner == claim.owner && generation == claim.generation;
            if !claim.admits(owner, generation, &what)? || same {
                (id, Done::from(Outcome::Unchanged))
            } else {
                let drifted = !changed.is_empty() && claim.said_so_before(owner, generation);
                (id, Done { outcome: Outcome::Updated, changed, drifted, account: None })
            }
        }
    };
    Ok(Plan { id, tenant, after, done })
}

pub(super) async fn write(
    transaction: &Transaction<'_>,
    group: &proto::Group,
    claim: &Claim,
) -> Result<Done, Refusal> {
    let Plan { id, tenant, after, done } = plan(transaction, group, claim, true).await?;
    if done.outcome == Outcome::Unchanged {
        return Ok(done);
    }
    let mut addresses = vec![after.address.clone()];
    addresses.extend(after.aliases.iter().cloned());
    if let Some(id) = id {
        address::set(transaction, tenant, None, Some(id), &addresses).await?;
        execute(
            transaction,
            "UPDATE mail_group SET address = $2, display_name = $3, members = $4, senders = $5, hidden = $6,
                    owner = $7, generation = $8 WHERE group_id = $1",
            &[
                &id,
                &after.address,
                &after.display_name,
                &after.members,
                &after.senders,
                &after.hidden,
                &claim.owner,
                &claim.generation,
            ],
        )
        .await?;
        return Ok(done);
    }
    tenant::check_room(transaction, tenant, Counted::Groups).await?;
    let row = row(
        transaction,
        "INSERT INTO mail_group (tenant_id, address, display_name, members, senders, hidden, owner, generation)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING group_id",
        &[
            &tenant,
            &after.address,
            &after.display_name,
            &after.members,
            &after.senders,
            &after.hidden,
            &claim.owner,
            &claim.generation,
        ],
    )
    .await?;
    address::set(transaction, tenant, None, row.map(|r| r.get(0)), &addresses).await?;
    Ok(done)
}

const MOST_MEMBERS: usize = 10_000;
