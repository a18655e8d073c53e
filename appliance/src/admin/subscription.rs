//! `kontor subscription`

use anyhow::{Result, bail};
use kontor_dav::{Subscribed, subscribe, subscriptions, unsubscribe};
use kontor_storage_client::Session;
use serde_json::json;

use super::{Admin, Reach, Table};

/// See `kontor subscription --help`.
#[derive(clap::Subcommand, Debug)]
#[command(after_help = "\
Examples:
  kontor subscription add ann@example.org https://calendars.example.net/holidays.ics --name Holidays
  kontor subscription list ann@example.org
  kontor subscription remove ann@example.org Holidays")]
pub enum SubscriptionCommand {
    /// Subscribe a mailbox to a calendar. It is fetched as soon as a program of its owner looks at it.
    Add {
        /// The mailbox.
        address: String,
        /// Where the calendar is published: http, https or webcal.
        url: String,
        /// What its owner sees it as.
        #[arg(long, default_value = "Subscription")]
        name: String,
    },
    /// List those of a mailbox, with when each was fetched, or why it could not be.
    List {
        /// The mailbox.
        address: String,
    },
    /// End one, with all that came by it.
    Remove {
        /// The mailbox.
        address: String,
        /// Its name, as `list` shows it, or its URL.
        name: String,
    },
}

/// Runs one.
pub async fn run(reach: Reach, command: SubscriptionCommand) -> Result<()> {
    let admin = Admin::connect(&reach).await?;
    match command {
        SubscriptionCommand::Add { address, url, name } => {
            let session = session(&admin, &address).await?;
            let made = subscribe(&session, url.trim(), name.trim()).await?;
            admin.done(
                format_args!("{address} is subscribed to {url}, as {:?}.", made.name),
                &json!({"address": address, "name": made.name, "url": made.source}),
            );
        }
        SubscriptionCommand::List { address } => {
            let session = session(&admin, &address).await?;
            let mut table = Table::new(&["name", "url", "fetched_at", "error"]);
            for one in subscriptions(&session).await? {
                table.row(vec![json!(one.name), json!(one.source), json!(one.fetched), json!(one.error)]);
            }
            table.print(
                admin.json,
                "No subscription. Add one with `kontor subscription add ADDRESS URL --name NAME`.",
            );
        }
        SubscriptionCommand::Remove { address, name } => {
            let session = session(&admin, &address).await?;
            let is_it = |one: &Subscribed| one.name == name || one.source == name;
            let Some(found) = subscriptions(&session).await?.into_iter().find(is_it) else {
                bail!(
                    "{address} has no subscription {name}. `kontor subscription list {address}` shows those that there are."
                );
            };
            unsubscribe(&session, &found).await?;
            admin.done(
                format_args!("{address} is not subscribed to {} any more.", found.source),
                &json!({"address": address, "name": found.name, "url": found.source, "removed": true}),
            );
        }
    }
    Ok(())
}

/// What acts for the owner of a mailbox.
async fn session(admin: &Admin, address: &str) -> Result<Session> {
    admin.account(address).await?;
    Ok(admin.store.impersonate(address).await?)
}
