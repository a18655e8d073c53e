//! `kontor alias`

use anyhow::{Result, bail};
use kontor_storage_client::proto::put::Object;
use serde_json::json;

use super::{Admin, Reach, Table};

/// See `kontor alias --help`.
#[derive(clap::Subcommand, Debug)]
#[command(after_help = "\
Examples:
  kontor alias add info@example.org ann@example.org
  kontor alias list
  kontor alias remove info@example.org")]
pub enum AliasCommand {
    /// Give a mailbox or group a further address.
    Add {
        /// The new address.
        alias: String,
        /// The mailbox's or group's own address.
        target: String,
    },
    /// List aliases.
    List {
        /// Only those of this mailbox or group.
        target: Option<String>,
    },
    /// Take an alias away.
    Remove {
        /// The alias.
        alias: String,
    },
}

/// Runs one.
pub async fn run(reach: Reach, command: AliasCommand) -> Result<()> {
    let admin = Admin::connect(&reach).await?;
    match command {
        AliasCommand::Add { alias, target } => {
            let mut object = find(&admin, &target).await?;
            let aliases = aliases_mut(&mut object);
            if !aliases.iter().any(|have| have.eq_ignore_ascii_case(&alias)) {
                aliases.push(alias.clone());
            }
            admin.update(object).await?;
            admin.done(
                format_args!("{alias} goes to {target} now."),
                &json!({"alias": alias, "target": target}),
            );
        }
        AliasCommand::List { target } => {
            let objects = match &target {
                Some(target) => vec![find(&admin, target).await?],
                None => all(&admin).await?,
            };
            let mut table = Table::new(&["alias", "target", "kind"]);
            for mut object in objects {
                let (target, kind) = name(&object);
                for alias in aliases_mut(&mut object) {
                    table.row(vec![json!(alias), json!(target), json!(kind)]);
                }
            }
            table.print(admin.json, "No alias. Add one with `kontor alias add ALIAS ADDRESS`.");
        }
        AliasCommand::Remove { alias } => {
            let found = all(&admin).await?.into_iter().find_map(|mut object| {
                let aliases = aliases_mut(&mut object);
                let before = aliases.len();
                aliases.retain(|have| !have.eq_ignore_ascii_case(alias.trim()));
                (aliases.len() < before).then_some(object)
            });
            let Some(object) = found else {
                bail!("there is no alias {alias}. `kontor alias list` shows what there is.");
            };
            admin.update(object).await?;
            admin.done(format_args!("Alias {alias} is gone."), &json!({"alias": alias, "removed": true}));
        }
    }
    Ok(())
}

async fn find(admin: &Admin, target: &str) -> Result<Object> {
    for kind in ["account", "group"] {
        if let Some(object) = admin.list(kind, "", target).await?.into_iter().next() {
            return Ok(object);
        }
    }
    bail!(
        "there is no mailbox and no group {target}. `kontor mailbox list` and `kontor group list` show what there is."
    )
}

async fn all(admin: &Admin) -> Result<Vec<Object>> {
    let mut objects = admin.list("account", "", "").await?;
    objects.extend(admin.list("group", "", "").await?);
    Ok(objects)
}

fn name(object: &Object) -> (String, &'static str) {
    match object {
        Object::Account(account) => (account.address.clone(), "mailbox"),
        Object::Group(group) => (group.address.clone(), "group"),
        Object::Tenant(tenant) => (tenant.name.clone(), "tenant"),
        Object::Domain(domain) => (domain.name.clone(), "domain"),
    }
}

fn aliases_mut(object: &mut Object) -> &mut Vec<String> {
    match object {
        Object::Account(account) => &mut account.aliases,
        Object::Group(group) => &mut group.aliases,
        Object::Tenant(_) | Object::Domain(_) => unreachable!("only accounts and groups are asked for"),
    }
}
