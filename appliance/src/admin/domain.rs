//! `kontor domain`

use anyhow::{Result, bail};
use kontor_storage_client::proto::Domain;
use kontor_storage_client::proto::put::Object;
use serde_json::json;

use super::{Admin, Reach, Table, confirm};

/// See `kontor domain --help`.
#[derive(clap::Subcommand, Debug)]
#[command(after_help = "\
Examples:
  kontor domain add example.org --tenant acme
  kontor domain add example.com --alias-of example.org
  kontor domain set example.org --catch-all postmaster@example.org
  kontor domain list --tenant acme")]
pub enum DomainCommand {
    /// Make a domain.
    Add {
        /// Its name.
        name: String,
        /// The tenant that owns it; may be left out when there is one only.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        fields: Fields,
    },
    /// List domains.
    List {
        /// Only those of this tenant.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Show one.
    Show {
        /// Its name.
        name: String,
    },
    /// Change one; what is not named stays.
    Set {
        /// Its name.
        name: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Remove one that has no address left.
    Remove {
        /// Its name.
        name: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
}

/// What can be set.
#[derive(clap::Args, Debug)]
pub struct Fields {
    /// Mail for anybody here goes to the same name at that domain. Empty takes it back.
    #[arg(long, value_name = "DOMAIN")]
    alias_of: Option<String>,
    /// Mail for names that do not exist goes there. Empty takes it back.
    #[arg(long, value_name = "ADDRESS")]
    catch_all: Option<String>,
}

impl Fields {
    fn over(self, domain: Domain) -> Domain {
        Domain {
            alias_of: self.alias_of.unwrap_or(domain.alias_of),
            catch_all: self.catch_all.unwrap_or(domain.catch_all),
            name: domain.name,
            tenant: domain.tenant,
        }
    }
}

/// Runs one.
pub async fn run(reach: Reach, command: DomainCommand) -> Result<()> {
    let admin = Admin::connect(&reach).await?;
    match command {
        DomainCommand::Add { name, tenant, fields } => {
            let tenant = match (tenant, &fields.alias_of) {
                (Some(tenant), _) => tenant,
                (None, Some(target)) if !target.is_empty() => admin.domain(target).await?.tenant,
                (None, _) => only_tenant(&admin).await?,
            };
            let domain =
                fields.over(Domain { name: name.clone(), tenant: tenant.clone(), ..Default::default() });
            admin.create(Object::Domain(domain)).await?;
            admin.done(
                format_args!(
                    "Domain {name} belongs to {tenant} now. A mailbox in it: kontor mailbox add NAME@{name}"
                ),
                &json!({"domain": name, "tenant": tenant}),
            );
        }
        DomainCommand::List { tenant } => {
            let objects = admin.list("domain", tenant.as_deref().unwrap_or_default(), "").await?;
            table(&objects).print(admin.json, "No domain. Add one with `kontor domain add NAME`.");
        }
        DomainCommand::Show { name } => {
            table(&[Object::Domain(admin.domain(&name).await?)]).print_one(admin.json);
        }
        DomainCommand::Set { name, fields } => {
            let domain = fields.over(admin.domain(&name).await?);
            let changed = admin.update(Object::Domain(domain)).await?;
            let said = if changed { "changed" } else { "as it was" };
            admin
                .done(format_args!("Domain {name} is {said}."), &json!({"domain": name, "changed": changed}));
        }
        DomainCommand::Remove { name, yes } => {
            confirm(&format!("This removes the domain {name}."), yes)?;
            admin.delete("domain", &name).await?;
            admin.done(format_args!("Domain {name} is gone."), &json!({"domain": name, "removed": true}));
        }
    }
    Ok(())
}

async fn only_tenant(admin: &Admin) -> Result<String> {
    match admin.list("tenant", "", "").await?.as_slice() {
        [Object::Tenant(tenant)] => Ok(tenant.name.clone()),
        [] => bail!("there is no tenant yet. Make one first: kontor tenant add NAME"),
        _ => bail!("there are several tenants; say which one with --tenant"),
    }
}

fn table(objects: &[Object]) -> Table {
    let mut table = Table::new(&["name", "tenant", "alias_of", "catch_all"]);
    for object in objects {
        if let Object::Domain(domain) = object {
            table.row(vec![
                json!(domain.name),
                json!(domain.tenant),
                json!(domain.alias_of),
                json!(domain.catch_all),
            ]);
        }
    }
    table
}
