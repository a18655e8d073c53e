//! `kontor tenant`

use anyhow::Result;
use kontor_storage_client::proto::Tenant;
use kontor_storage_client::proto::put::Object;
use serde_json::json;

use super::{Admin, Reach, Table, confirm, parse_size};

/// See `kontor tenant --help`.
#[derive(clap::Subcommand, Debug)]
#[command(after_help = "\
Examples:
  kontor tenant add acme --display-name 'Acme Ltd' --quota 500GiB
  kontor tenant list
  kontor tenant set acme --suspended true
  kontor tenant remove acme")]
pub enum TenantCommand {
    /// Make a tenant.
    Add {
        /// A short name: letters, digits, hyphens.
        name: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// List tenants.
    List,
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
    /// Remove one that has no domain and no mailbox left.
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
    /// Its name for people.
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Space for all its mailboxes together, such as 500GiB; `none` is no limit.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    quota: Option<u64>,
    /// How many mailboxes it may have; 0 is no limit.
    #[arg(long, value_name = "COUNT")]
    max_mailboxes: Option<u32>,
    /// Nobody logs in and no mail comes in while it is.
    #[arg(long, value_name = "true|false")]
    suspended: Option<bool>,
}

impl Fields {
    fn over(self, tenant: Tenant) -> Tenant {
        Tenant {
            display_name: self.display_name.unwrap_or(tenant.display_name),
            quota: self.quota.unwrap_or(tenant.quota),
            max_mailboxes: self.max_mailboxes.unwrap_or(tenant.max_mailboxes),
            suspended: self.suspended.unwrap_or(tenant.suspended),
            ..tenant
        }
    }
}

/// Runs one.
pub async fn run(reach: Reach, command: TenantCommand) -> Result<()> {
    let admin = Admin::connect(&reach).await?;
    match command {
        TenantCommand::Add { name, fields } => {
            admin
                .create(Object::Tenant(fields.over(Tenant { name: name.clone(), ..Default::default() })))
                .await?;
            admin.done(
                format_args!(
                    "Tenant {name} is there. Its first domain: kontor domain add DOMAIN --tenant {name}"
                ),
                &json!({"tenant": name}),
            );
        }
        TenantCommand::List => {
            let objects = admin.list("tenant", "", "").await?;
            table(&objects).print(admin.json, "No tenant yet. Make one with `kontor tenant add NAME`.");
        }
        TenantCommand::Show { name } => {
            table(&[Object::Tenant(admin.tenant(&name).await?)]).print_one(admin.json);
        }
        TenantCommand::Set { name, fields } => {
            let tenant = fields.over(admin.tenant(&name).await?);
            let changed = admin.update(Object::Tenant(tenant)).await?;
            let said = if changed { "changed" } else { "as it was" };
            admin
                .done(format_args!("Tenant {name} is {said}."), &json!({"tenant": name, "changed": changed}));
        }
        TenantCommand::Remove { name, yes } => {
            confirm(&format!("This removes the tenant {name}."), yes)?;
            admin.delete("tenant", &name).await?;
            admin.done(format_args!("Tenant {name} is gone."), &json!({"tenant": name, "removed": true}));
        }
    }
    Ok(())
}

fn table(objects: &[Object]) -> Table {
    let mut table = Table::new(&["name", "display_name", "quota", "max_mailboxes", "suspended"]);
    for object in objects {
        if let Object::Tenant(tenant) = object {
            table.row(vec![
                json!(tenant.name),
                json!(tenant.display_name),
                json!(tenant.quota),
                json!(tenant.max_mailboxes),
                json!(tenant.suspended),
            ]);
        }
    }
    table
}
