//! `kontor app-password`

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::{
    CreateAppPasswordRequest, DeleteAppPasswordRequest, ListAppPasswordsRequest,
};
use serde_json::json;

use super::{Admin, Reach, Table, timed};

/// See `kontor app-password --help`.
#[derive(clap::Subcommand, Debug)]
#[command(after_help = "\
Examples:
  kontor app-password add ann@example.org --label 'printer, 2nd floor' --service smtp
  kontor app-password add ann@example.org --label phone --expires-in 365
  kontor app-password list ann@example.org
  kontor app-password remove ann@example.org 3")]
pub enum AppPasswordCommand {
    /// Make one. It is shown now and never again.
    Add {
        /// The mailbox.
        address: String,
        /// What it is for.
        #[arg(long)]
        label: String,
        /// It opens only this: imap, smtp, pop3 ...; may be given several times. Without it, everything.
        #[arg(long = "service", value_name = "SERVICE")]
        services: Vec<String>,
        /// Days that it is good for. Without it, for ever.
        #[arg(long, value_name = "DAYS")]
        expires_in: Option<u32>,
    },
    /// List those of a mailbox.
    List {
        /// The mailbox.
        address: String,
    },
    /// Take one back.
    Remove {
        /// The mailbox.
        address: String,
        /// Its number, as `list` shows it.
        id: u64,
    },
}

/// Runs one.
pub async fn run(reach: Reach, command: AppPasswordCommand) -> Result<()> {
    let admin = Admin::connect(&reach).await?;
    let mut directory = admin.store.directory()?;
    match command {
        AppPasswordCommand::Add { address, label, services, expires_in } => {
            let expires_at = match expires_in {
                None => 0,
                Some(days) => {
                    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
                    i64::try_from(now + u64::from(days) * 86_400).context("too far in the future")?
                }
            };
            let request = CreateAppPasswordRequest { address: address.clone(), label, services, expires_at };
            let made =
                directory.create_app_password(timed(request)).await.map_err(StoreError::from)?.into_inner();
            let id = made.app_password.map_or(0, |password| password.id);
            admin.done(
                format_args!("App password {id} of {address}, shown only now: {}", made.secret),
                &json!({"address": address, "id": id, "password": made.secret}),
            );
        }
        AppPasswordCommand::List { address } => {
            let request = ListAppPasswordsRequest { address };
            let found =
                directory.list_app_passwords(timed(request)).await.map_err(StoreError::from)?.into_inner();
            let mut table =
                Table::new(&["id", "label", "services", "created_at", "expires_at", "last_used_at"]);
            for one in found.app_passwords {
                table.row(vec![
                    json!(one.id),
                    json!(one.label),
                    json!(one.services),
                    json!(one.created_at),
                    json!(one.expires_at),
                    json!(one.last_used_at),
                ]);
            }
            table.print(
                admin.json,
                "No app password. Make one with `kontor app-password add ADDRESS --label TEXT`.",
            );
        }
        AppPasswordCommand::Remove { address, id } => {
            let request = DeleteAppPasswordRequest { address: address.clone(), id };
            directory.delete_app_password(timed(request)).await.map_err(StoreError::from)?;
            admin.done(
                format_args!("App password {id} of {address} opens nothing any more."),
                &json!({"address": address, "id": id, "removed": true}),
            );
        }
    }
    Ok(())
}
