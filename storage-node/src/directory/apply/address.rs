//! The addresses of accounts and groups: one name, one owner.

use std::collections::HashMap;

use deadpool_postgres::{GenericClient, Transaction};
use proto::apply_result::Outcome;

use super::{Refusal, execute, invalid, rows};
use crate::address::Address;
use kontor_storage_proto as proto;

/// The primary address and the aliases, sorted: in canonical form, each once. Their domains must be the tenant's own and no
/// aliases.
pub(super) async fn own<C: GenericClient>(
    client: &C,
    tenant: i64,
    primary: &str,
    aliases: &[String],
    lock: &str,
) -> Result<(String, Vec<String>), Refusal> {
    if aliases.len() > MOST_ALIASES {
        return Err(invalid(format!("at most {MOST_ALIASES} aliases"), "aliases"));
    }
    let mut parsed: Vec<(Address, &'static str)> = Vec::with_capacity(1 + aliases.len());
    let texts =
        std::iter::once((primary, "address")).chain(aliases.iter().map(|alias| (alias.as_str(), "aliases")));
    for (text, field) in texts {
        let address = Address::parse(text).map_err(|e| invalid(e.to_string(), field))?;
        if parsed.iter().all(|(known, _)| *known != address) {
            parsed.push((address, field));
        }
    }
    let mut names: Vec<&str> = parsed.iter().map(|(address, _)| address.domain.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let sql =
        format!("SELECT name, tenant_id, alias_of FROM domain WHERE name = ANY ($1) ORDER BY name {lock}");
    let domains: HashMap<String, (i64, String)> = rows(client, &sql, &[&names])
        .await?
        .iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2))))
        .collect();
    for (address, field) in &parsed {
        match domains.get(&address.domain) {
            None => {
                return Err(invalid(format!("domain {} is not set up; add it first", address.domain), field));
            }
            Some((owner, _)) if *owner != tenant => {
                return Err(Refusal::new(
                    Outcome::Conflict,
                    format!("domain {} belongs to another tenant", address.domain),
                    field,
                ));
            }
            Some((_, alias_of)) if !alias_of.is_empty() => {
                return Err(invalid(
                    format!("{} is an alias of {alias_of}; use that domain", address.domain),
                    field,
                ));
            }
            Some(_) => {}
        }
    }
    let mut addresses = parsed.into_iter().map(|(address, _)| address.to_string());
    let primary = addresses.next().unwrap_or_default();
    let mut aliases: Vec<String> = addresses.collect();
    aliases.sort_unstable();
    Ok((primary, aliases))
}

/// Gives an account or a group exactly these addresses.
pub(super) async fn set(
    transaction: &Transaction<'_>,
    tenant: i64,
    account: Option<i64>,
    group: Option<i64>,
    wanted: &[String],
) -> Result<(), Refusal> {
    let have: Vec<String> = rows(
        transaction,
        "SELECT address FROM address WHERE account_id = $1 OR group_id = $2",
        &[&account, &group],
    )
    .await?
    .iter()
    .map(|r| r.get(0))
    .collect();
    let gone: Vec<&String> = have.iter().filter(|a| !wanted.contains(a)).collect();
    if !gone.is_empty() {
        execute(transaction, "DELETE FROM address WHERE address = ANY ($1)", &[&gone]).await?;
    }
    let fresh: Vec<&String> = wanted.iter().filter(|a| !have.contains(a)).collect();
    if fresh.is_empty() {
        return Ok(());
    }
    // In one order for everybody, so that two who want the same addresses wait for each other and do not lock up.
    let added = rows(
        transaction,
        "INSERT INTO address (address, tenant_id, account_id, group_id)
         SELECT a, $2, $3, $4 FROM unnest($1::text[]) a ORDER BY a ON CONFLICT DO NOTHING RETURNING address",
        &[&fresh, &tenant, &account, &group],
    )
    .await?;
    if added.len() == fresh.len() {
        return Ok(());
    }
    let added: Vec<String> = added.iter().map(|r| r.get(0)).collect();
    let taken = fresh.iter().find(|a| !added.contains(a)).map(|a| a.as_str()).unwrap_or_default();
    let field = if wanted.first().is_some_and(|a| a == taken) { "address" } else { "aliases" };
    Err(taken_by(transaction, taken, field).await?)
}

/// The refusal that names who has an address.
pub(super) async fn taken_by<C: GenericClient>(
    client: &C,
    address: &str,
    field: &'static str,
) -> Result<Refusal, Refusal> {
    let holder = rows(
        client,
        "SELECT coalesce(a.owner, g.owner, ''), coalesce(a.address, g.address, n.address)
         FROM address n LEFT JOIN account a USING (account_id) LEFT JOIN mail_group g USING (group_id)
         WHERE n.address = $1",
        &[&address],
    )
    .await?;
    let (owner, primary): (String, String) = match holder.first() {
        Some(row) => (row.get(0), row.get(1)),
        None => (String::new(), address.to_owned()),
    };
    let message = if primary == address {
        format!("the address {address} belongs to somebody else")
    } else {
        format!("the address {address} belongs to somebody else, {primary}")
    };
    Ok(Refusal::new(Outcome::Conflict, message, field).held_by(owner))
}

/// Addresses in canonical form, each once; those of accounts as their primary address, so that a renamed account stays
/// what it is wherever it is named.
pub(super) async fn canonical<C: GenericClient>(
    client: &C,
    texts: &[String],
    most: usize,
    field: &'static str,
) -> Result<Vec<String>, Refusal> {
    if texts.len() > most {
        return Err(invalid(format!("at most {most} addresses"), field));
    }
    let mut parsed = Vec::with_capacity(texts.len());
    for text in texts {
        parsed.push(Address::parse(text).map_err(|e| invalid(e.to_string(), field))?.to_string());
    }
    if parsed.is_empty() {
        return Ok(parsed);
    }
    let primary: HashMap<String, String> = rows(
        client,
        "SELECT n.address, a.address FROM address n JOIN account a USING (account_id) WHERE n.address = ANY ($1)",
        &[&parsed],
    )
    .await?
    .iter()
    .map(|row| (row.get(0), row.get(1)))
    .collect();
    let mut seen = std::collections::HashSet::new();
    Ok(parsed
        .into_iter()
        .map(|address| primary.get(&address).cloned().unwrap_or(address))
        .filter(|address| seen.insert(address.clone()))
        .collect())
}

const MOST_ALIASES: usize = 1000;
