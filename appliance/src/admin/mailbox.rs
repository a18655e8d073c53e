//! `kontor mailbox`

use anyhow::{Context, Result, bail};
use kontor_storage_client::proto::Account;
use kontor_storage_client::proto::put::Object;
use serde_json::json;

use super::booking::{self, BookingFields};
use super::{Admin, Reach, Table, confirm, parse_size};
use crate::first::generate_password;

/// See `kontor mailbox --help`.
#[derive(clap::Subcommand, Debug)]
#[command(after_help = "\
Examples:
  kontor mailbox add ann@example.org --display-name 'Ann Ash' --quota 10GiB
  pass show ann | kontor mailbox add ann@example.org --password-stdin
  kontor mailbox add room1@example.org --kind room --capacity 12 --location 'Main house, 2nd floor'
  kontor mailbox set room1@example.org --booking-window-days 365 --max-conflict-instances 3
  kontor mailbox set room1@example.org --working-hours 'Mon-Fri 08:00-18:00 Europe/Berlin'
  kontor mailbox set room1@example.org --book-in-policy board@example.org --all-request-in-policy true \
      --delegate ann@example.org
  kontor mailbox set ann@example.org --locked true
  kontor mailbox set ann@example.org --forward-to ann@example.com --forward-only true
  kontor mailbox list --tenant acme --json")]
pub enum MailboxCommand {
    /// Make a mailbox. Without a password one is made up and printed.
    Add {
        /// Its address; the domain has to be set up.
        address: String,
        #[command(flatten)]
        fields: Box<Fields>,
    },
    /// List mailboxes.
    List {
        /// Only those of this tenant.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Show one.
    Show {
        /// Its address.
        address: String,
    },
    /// Change one; what is not named stays.
    Set {
        /// Its address.
        address: String,
        #[command(flatten)]
        fields: Box<Fields>,
    },
    /// Remove one. Its content is kept until the retention time ends.
    Remove {
        /// Its address.
        address: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
}

/// What can be set.
#[derive(clap::Args, Debug)]
pub struct Fields {
    /// The password. Others on this machine can see it while the command runs; see --password-stdin.
    #[arg(long, value_name = "PASSWORD", conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Read the password from the first line of the standard input.
    #[arg(long)]
    password_stdin: bool,
    /// The name for people.
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// What it is.
    #[arg(long, value_parser = ["user", "shared", "room", "equipment"])]
    kind: Option<String>,
    /// Space for it, such as 10GiB; `none` is no limit.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    quota: Option<u64>,
    /// A sender is told that a full mailbox is final, instead of to try later.
    #[arg(long, value_name = "true|false")]
    quota_is_final: Option<bool>,
    /// Nobody logs in to it while it is.
    #[arg(long, value_name = "true|false")]
    locked: Option<bool>,
    /// What its owner may do.
    #[arg(long, value_parser = ["user", "tenant-admin"])]
    role: Option<String>,
    /// Copies go there too; may be given several times. Empty takes all back.
    #[arg(long, value_name = "ADDRESS")]
    forward_to: Vec<String>,
    /// Keep no copy of what is forwarded.
    #[arg(long, value_name = "true|false")]
    forward_only: Option<bool>,
    /// Further addresses; may be given several times. Empty takes all back.
    #[arg(long, value_name = "ADDRESS")]
    alias: Vec<String>,
    #[command(flatten)]
    booking: BookingFields,
}

impl Fields {
    fn over(self, mut account: Account) -> Result<Account> {
        let password = match (self.password, self.password_stdin) {
            (Some(password), _) if password.is_empty() => bail!("an empty password opens nothing"),
            (Some(password), _) => password,
            (None, true) => {
                let mut line = String::new();
                std::io::stdin().read_line(&mut line).context("cannot read the password")?;
                let password = line.trim_end_matches(['\r', '\n']);
                anyhow::ensure!(
                    !password.is_empty(),
                    "the first line of the standard input is empty; a password is wanted there"
                );
                password.to_owned()
            }
            (None, false) => String::new(),
        };
        account.kind = self.kind.unwrap_or(account.kind);
        if !matches!(account.kind.as_str(), "room" | "equipment") {
            account.booking = None;
        }
        self.booking.over(&mut account);
        Ok(Account {
            password,
            display_name: self.display_name.unwrap_or(account.display_name),
            quota: self.quota.unwrap_or(account.quota),
            quota_is_final: self.quota_is_final.unwrap_or(account.quota_is_final),
            locked: self.locked.unwrap_or(account.locked),
            role: self.role.unwrap_or(account.role),
            forward_to: replaced(self.forward_to, account.forward_to),
            forward_only: self.forward_only.unwrap_or(account.forward_only),
            aliases: replaced(self.alias, account.aliases),
            password_hash: String::new(),
            mailbox_id: 0,
            used: 0,
            messages: 0,
            ..account
        })
    }
}

/// The given ones when there are any; one that is empty stands for none.
pub(super) fn replaced(given: Vec<String>, before: Vec<String>) -> Vec<String> {
    if given.is_empty() { before } else { given.into_iter().filter(|text| !text.is_empty()).collect() }
}

/// Runs one.
pub async fn run(reach: Reach, command: MailboxCommand) -> Result<()> {
    let admin = Admin::connect(&reach).await?;
    match command {
        MailboxCommand::Add { address, fields } => {
            let tenant = admin.tenant_of(&address).await?;
            let fresh = Account {
                address: address.clone(),
                tenant,
                kind: "user".to_owned(),
                role: "user".to_owned(),
                ..Default::default()
            };
            let mut account = fields.over(fresh)?;
            // Rooms and shared mailboxes are opened by others, with their own passwords.
            let generated = account.password.is_empty() && account.kind == "user";
            if generated {
                account.password = generate_password();
            }
            let password = account.password.clone();
            admin.create(Object::Account(account)).await?;
            let mut object = json!({"address": address});
            if generated {
                object["password"] = json!(password);
                admin.done(format_args!("Mailbox {address} is there.\nPassword: {password}"), &object);
            } else {
                admin.done(format_args!("Mailbox {address} is there."), &object);
            }
        }
        MailboxCommand::List { tenant } => {
            let objects = admin.list("account", tenant.as_deref().unwrap_or_default(), "").await?;
            list(&objects).print(admin.json, "No mailbox. Make one with `kontor mailbox add ADDRESS`.");
        }
        MailboxCommand::Show { address } => {
            detail(&admin.account(&address).await?).print_one(admin.json);
        }
        MailboxCommand::Set { address, fields } => {
            let account = fields.over(admin.account(&address).await?)?;
            let changed = admin.update(Object::Account(account)).await?;
            let said = if changed { "changed" } else { "as it was" };
            admin.done(
                format_args!("Mailbox {address} is {said}."),
                &json!({"address": address, "changed": changed}),
            );
        }
        MailboxCommand::Remove { address, yes } => {
            confirm(&format!("This removes the mailbox {address} with its content."), yes)?;
            admin.delete("account", &address).await?;
            admin.done(
                format_args!("Mailbox {address} is gone."),
                &json!({"address": address, "removed": true}),
            );
        }
    }
    Ok(())
}

fn list(objects: &[Object]) -> Table {
    let mut table =
        Table::new(&["address", "tenant", "display_name", "kind", "used", "quota", "messages", "locked"]);
    for object in objects {
        if let Object::Account(account) = object {
            table.row(vec![
                json!(account.address),
                json!(account.tenant),
                json!(account.display_name),
                json!(account.kind),
                json!(account.used),
                json!(account.quota),
                json!(account.messages),
                json!(account.locked),
            ]);
        }
    }
    table
}

fn detail(account: &Account) -> Table {
    let mut fields = vec![
        ("address", json!(account.address)),
        ("tenant", json!(account.tenant)),
        ("display_name", json!(account.display_name)),
        ("kind", json!(account.kind)),
        ("role", json!(account.role)),
        ("aliases", json!(account.aliases)),
        ("forward_to", json!(account.forward_to)),
        ("forward_only", json!(account.forward_only)),
        ("used", json!(account.used)),
        ("quota", json!(account.quota)),
        ("quota_is_final", json!(account.quota_is_final)),
        ("messages", json!(account.messages)),
        ("locked", json!(account.locked)),
    ];
    fields.extend(booking::columns(account));
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    let mut table = Table::new(&names);
    table.row(values);
    table
}
