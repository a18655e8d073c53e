//! The rules of rooms and equipment.

use deadpool_postgres::{GenericClient, Transaction};
use kontor_model::FolderRole;
use kontor_model::booking::Rules;
use kontor_storage_proto as proto;
use prost::Message;
use proto::Rights;

use super::owner::Claim;
use super::{Refusal, address, execute, invalid};
pub(super) use crate::directory::booking::stored;
use crate::directory::booking::{is_resource, of_wire, to_wire};

/// The rules that an account is to have.
pub(super) async fn wanted<C: GenericClient>(
    client: &C,
    account: &proto::Account,
    claim: &Claim,
    kind: &str,
    before: Option<&Rules>,
    capacity: i32,
) -> Result<Option<Rules>, Refusal> {
    let given = account.booking.as_ref().filter(|_| claim.manages("booking"));
    if !is_resource(kind) {
        return match given {
            Some(_) => Err(invalid("only rooms and equipment have booking rules", "booking")),
            None => Ok(None),
        };
    }
    let mut rules = match (given, before) {
        (None, Some(before)) if !claim.manages("booking") => before.clone(),
        (given, _) => {
            let mut rules = of_wire(&given.cloned().unwrap_or_default()).map_err(wrong)?;
            for list in [&mut rules.delegates, &mut rules.book_in_policy, &mut rules.request_in_policy] {
                *list = address::canonical(client, list, MOST_NAMES, "booking").await?;
            }
            rules
        }
    };
    rules.capacity = u32::try_from(capacity).unwrap_or(0);
    rules.check().map_err(wrong)?;
    Ok(Some(rules))
}

/// Whoever decides for a resource works in its calendar: delegates who came may, those who went may not.
pub(super) async fn share(
    transaction: &Transaction<'_>,
    tenant: i64,
    mailbox: i64,
    before: Option<&Rules>,
    after: Option<&Rules>,
) -> Result<(), Refusal> {
    let names = |rules: Option<&Rules>| rules.map(|rules| rules.delegates.clone()).unwrap_or_default();
    let (before, after) = (names(before), names(after));
    let lacking = |some: &[String], all: &[String]| -> Vec<String> {
        some.iter().filter(|name| !all.contains(name)).cloned().collect()
    };
    let (gone, come) = (lacking(&before, &after), lacking(&after, &before));
    let folder = i64::from(FolderRole::Calendar.code());
    if !gone.is_empty() {
        execute(
            transaction,
            "DELETE FROM folder_permission p USING address n
             WHERE p.mailbox_id = $1 AND p.folder_id = $2 AND n.tenant_id = $3 AND n.address = ANY ($4)
                AND (p.principal_kind = 2 AND p.principal_id = n.account_id
                     OR p.principal_kind = 3 AND p.principal_id = n.group_id)",
            &[&mailbox, &folder, &tenant, &gone],
        )
        .await?;
    }
    if !come.is_empty() {
        execute(
            transaction,
            "INSERT INTO folder_permission (mailbox_id, folder_id, principal_kind, principal_id, rights)
             SELECT $1, $2, CASE WHEN n.account_id IS NULL THEN 3 ELSE 2 END, coalesce(n.account_id, n.group_id), $5
             FROM address n WHERE n.tenant_id = $3 AND n.address = ANY ($4)
             ON CONFLICT (mailbox_id, folder_id, principal_kind, principal_id)
             DO UPDATE SET rights = folder_permission.rights | excluded.rights",
            &[&mailbox, &folder, &tenant, &come, &DELEGATE.cast_signed()],
        )
        .await?;
    }
    Ok(())
}

/// The rules as a row has them.
pub(super) fn encoded(rules: &Rules) -> Vec<u8> {
    to_wire(rules).encode_to_vec()
}

pub(super) fn capacity(capacity: u32) -> Result<i32, Refusal> {
    let fits = i32::try_from(capacity).ok().filter(|capacity| *capacity <= MOST_PEOPLE);
    fits.ok_or_else(|| invalid(format!("a capacity is at most {MOST_PEOPLE}"), "capacity"))
}

pub(super) fn location(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.len() > MOST_TEXT || text.chars().any(char::is_control) {
        return Err(invalid(format!("a location is one line of at most {MOST_TEXT} octets"), "location"));
    }
    Ok(text.to_owned())
}

fn wrong(error: kontor_model::booking::RuleError) -> Refusal {
    invalid(error.to_string(), "booking")
}

/// All but to give the folder away.
const DELEGATE: u32 = Rights::FreeBusy as u32
    | Rights::Visible as u32
    | Rights::Read as u32
    | Rights::Flags as u32
    | Rights::Create as u32
    | Rights::Edit as u32
    | Rights::Delete as u32;
const MOST_NAMES: usize = 1000;
const MOST_PEOPLE: i32 = 1_000_000;
const MOST_TEXT: usize = 1024;
