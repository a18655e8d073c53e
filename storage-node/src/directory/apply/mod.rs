//! Make it so: idempotent puts and deletes of directory objects.
//!
//! An object that is declared by an owner is known by that owner: a put with another address renames it. Fields that a
//! put does not manage stay as they are. What is so already is answered without a write or a lock.

mod account;
mod address;
mod booking;
mod delete;
mod domain;
mod group;
mod owner;
mod tenant;

use deadpool_postgres::GenericClient;
use kontor_storage_proto as proto;
use proto::apply_result::Outcome;
use proto::put::Object;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::Directory;
use crate::error::Error;
use owner::Claim;

/// A change that was refused: what, why, which field, and who has what is in the way.
pub(super) struct Refusal {
    outcome: Outcome,
    message: String,
    field: &'static str,
    holder: String,
}

impl Refusal {
    fn new(outcome: Outcome, message: impl Into<String>, field: &'static str) -> Self {
        Refusal { outcome, message: message.into(), field, holder: String::new() }
    }

    fn held_by(mut self, holder: impl Into<String>) -> Self {
        self.holder = holder.into();
        self
    }
}

impl From<tokio_postgres::Error> for Refusal {
    fn from(error: tokio_postgres::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Exists(what) => Refusal::new(Outcome::Conflict, format!("{what} is taken"), ""),
            Error::Invalid(why) => Refusal::new(Outcome::Invalid, why, ""),
            // What will not do for one change must not keep the others of its call from being made.
            Error::Internal(why) => {
                tracing::error!(error = why, "a change of the directory failed");
                Refusal::new(Outcome::Failed, why, "")
            }
            other => Refusal::new(Outcome::Unspecified, other.to_string(), ""),
        }
    }
}

fn invalid(why: impl Into<String>, field: &'static str) -> Refusal {
    Refusal::new(Outcome::Invalid, why, field)
}

/// What a put came to.
#[derive(Default)]
struct Done {
    outcome: Outcome,
    changed: Vec<&'static str>,
    drifted: bool,
    account: Option<account::Standing>,
}

impl From<Outcome> for Done {
    fn from(outcome: Outcome) -> Self {
        Done { outcome, ..Default::default() }
    }
}

/// What a pass over the rows found.
enum Step {
    /// It is so already, or it was not to be done.
    Nothing(Done),
    /// Something is to be written.
    Write,
}

impl Directory {
    /// Applies changes in order, each in its own transaction with its own result. A database that is away
    /// ends the whole call, so that the caller tries all of it again.
    pub async fn apply(&self, changes: Vec<proto::Change>) -> Result<Vec<proto::ApplyResult>, Error> {
        if changes.len() > MOST_CHANGES {
            return Err(Error::Invalid(format!("at most {MOST_CHANGES} changes in one call")));
        }
        // The slow hashes are made before the transactions, and for all changes side by side.
        let hashes =
            futures::future::join_all(changes.iter().map(|change| self.password_hash_of(change))).await;
        let mut results = Vec::with_capacity(changes.len());
        let mut written = false;
        for (change, hash) in changes.into_iter().zip(hashes) {
            let outcome = match (change.change, hash) {
                (_, Err(refusal)) => Err(refusal),
                (Some(proto::change::Change::Put(put)), Ok(hash)) => self.put(put, hash).await,
                (Some(proto::change::Change::Delete(delete)), Ok(_)) => {
                    self.delete(&delete).await.map(Done::from)
                }
                (None, Ok(_)) => Err(invalid("an empty change", "")),
            };
            results.push(match outcome {
                Ok(done) => {
                    written |= done.outcome != Outcome::Unchanged;
                    let standing = done.account.unwrap_or_default();
                    proto::ApplyResult {
                        outcome: done.outcome as i32,
                        changed: done.changed.into_iter().map(str::to_owned).collect(),
                        drifted: done.drifted,
                        mailbox_id: standing.mailbox_id,
                        used: standing.used,
                        messages: standing.messages,
                        ..Default::default()
                    }
                }
                Err(Refusal { outcome: Outcome::Unspecified, message, .. }) => {
                    return Err(Error::Unavailable(message));
                }
                Err(Refusal { outcome, message, field, holder }) => proto::ApplyResult {
                    outcome: outcome as i32,
                    message,
                    field: field.into(),
                    holder,
                    ..Default::default()
                },
            });
        }
        if written {
            self.forget();
        }
        Ok(results)
    }

    async fn put(&self, put: proto::Put, hash: String) -> Result<Done, Refusal> {
        let claim = Claim::of(&put);
        let object = put.object.ok_or_else(|| invalid("a put without an object", ""))?;
        let mut client = self.db.get().await?;
        let first = match &object {
            Object::Tenant(tenant) => tenant::step(&client, tenant, &claim).await?,
            Object::Domain(domain) => domain::step(&client, domain, &claim).await?,
            Object::Account(account) => account::step(&client, account, &hash, &claim).await?,
            Object::Group(group) => group::step(&client, group, &claim).await?,
        };
        if let Step::Nothing(done) = first {
            return Ok(done);
        }
        let transaction = client.transaction().await?;
        let done = match object {
            Object::Tenant(tenant) => tenant::write(&transaction, &tenant, &claim).await?,
            Object::Domain(domain) => domain::write(&transaction, &domain, &claim).await?,
            Object::Account(account) => account::write(&transaction, &account, hash, &claim).await?,
            Object::Group(group) => group::write(&transaction, &group, &claim).await?,
        };
        transaction.commit().await?;
        if let Some(standing) = done.account {
            self.access.forget_account(standing.account_id);
        }
        Ok(done)
    }
}

/// A prepared statement's rows.
async fn rows<C: GenericClient>(
    client: &C,
    sql: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Refusal> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query(&statement, values).await?)
}

/// A prepared statement's only row.
async fn row<C: GenericClient>(
    client: &C,
    sql: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Option<Row>, Refusal> {
    Ok(rows(client, sql, values).await?.into_iter().next())
}

/// Runs a prepared statement; how many rows it changed.
async fn execute<C: GenericClient>(
    client: &C,
    sql: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<u64, Refusal> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.execute(&statement, values).await?)
}

/// The value, the first of the choices when it is empty, or a refusal that names them.
fn one_of(value: &str, choices: &[&'static str], field: &'static str) -> Result<String, Refusal> {
    if value.is_empty() {
        return choices.first().map(|c| (*c).to_owned()).ok_or_else(|| invalid("no choice", field));
    }
    choices
        .iter()
        .find(|c| **c == value)
        .map(|c| (*c).to_owned())
        .ok_or_else(|| invalid(format!("{value:?} is not one of {}", choices.join(", ")), field))
}

/// The fields that differ, by name; those that are not managed are taken over from what is there first.
macro_rules! merge {
    ($claim:expr, $before:expr, $after:expr; $($field:ident),+ $(,)?) => {{
        let mut changed: Vec<&'static str> = Vec::new();
        $(
            if !$claim.manages(stringify!($field)) {
                $after.$field = $before.$field.clone();
            } else if $after.$field != $before.$field {
                changed.push(stringify!($field));
            }
        )+
        changed
    }};
}
use merge;

const MOST_CHANGES: usize = 1000;
