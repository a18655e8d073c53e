//! `kontor group`

use anyhow::{Result, bail};
use kontor_storage_client::proto::Group;
use kontor_storage_client::proto::put::Object;
use serde_json::json;

use super::{Admin, Reach, Table, confirm};

/// See `kontor group --help`.
#[derive(clap::Subcommand, Debug)]
#[command(after_help = "\
Examples:
  kontor group add sales@example.org --member ann@example.org --member bob@example.org
  kontor group add-member sales@example.org eve@example.com
  kontor group set sales@example.org --senders members
  kontor group show sales@example.org")]
pub enum GroupCommand {
    /// Make a group.
    Add {
        /// Its address; the domain has to be set up.
        address: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// List groups.
    List {
        /// Only those of this tenant.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Show one with its members.
    Show {
        /// Its address.
        address: String,
    },
    /// Change one; what is not named stays.
    Set {
        /// Its address.
        address: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Add members.
    AddMember {
        /// The group's address.
        address: String,
        /// Mailboxes, groups, or addresses elsewhere.
        #[arg(required = true)]
        members: Vec<String>,
    },
    /// Take members out.
    RemoveMember {
        /// The group's address.
        address: String,
        /// Who.
        #[arg(required = true)]
        members: Vec<String>,
    },
    /// Remove a group.
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
    /// The name for people.
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// A member; may be given several times. With `set` these and no others. Empty takes all out.
    #[arg(long = "member", value_name = "ADDRESS")]
    members: Vec<String>,
    /// Who may write to it.
    #[arg(long, value_parser = ["anyone", "tenant", "members"])]
    senders: Option<String>,
}

impl Fields {
    fn over(self, group: Group) -> Group {
        Group {
            display_name: self.display_name.unwrap_or(group.display_name),
            members: if self.members.is_empty() {
                group.members
            } else {
                self.members.into_iter().filter(|member| !member.is_empty()).collect()
            },
            senders: self.senders.unwrap_or(group.senders),
            ..group
        }
    }
}

/// Runs one.
pub async fn run(reach: Reach, command: GroupCommand) -> Result<()> {
    let admin = Admin::connect(&reach).await?;
    match command {
        GroupCommand::Add { address, fields } => {
            let tenant = admin.tenant_of(&address).await?;
            let fresh = Group {
                address: address.clone(),
                tenant,
                senders: "anyone".to_owned(),
                ..Default::default()
            };
            admin.create(Object::Group(fields.over(fresh))).await?;
            admin.done(format_args!("Group {address} is there."), &json!({"address": address}));
        }
        GroupCommand::List { tenant } => {
            let objects = admin.list("group", tenant.as_deref().unwrap_or_default(), "").await?;
            let mut table = Table::new(&["address", "tenant", "display_name", "senders", "members"]);
            for object in &objects {
                if let Object::Group(group) = object {
                    let members = if admin.json { json!(group.members) } else { json!(group.members.len()) };
                    table.row(vec![
                        json!(group.address),
                        json!(group.tenant),
                        json!(group.display_name),
                        json!(group.senders),
                        members,
                    ]);
                }
            }
            table.print(admin.json, "No group. Make one with `kontor group add ADDRESS --member ADDRESS`.");
        }
        GroupCommand::Show { address } => {
            let group = admin.group(&address).await?;
            let mut table =
                Table::new(&["address", "tenant", "display_name", "senders", "aliases", "members"]);
            table.row(vec![
                json!(group.address),
                json!(group.tenant),
                json!(group.display_name),
                json!(group.senders),
                json!(group.aliases),
                json!(group.members),
            ]);
            table.print_one(admin.json);
        }
        GroupCommand::Set { address, fields } => {
            let group = fields.over(admin.group(&address).await?);
            change(&admin, group).await?;
        }
        GroupCommand::AddMember { address, members } => {
            let mut group = admin.group(&address).await?;
            for member in members {
                if !group.members.iter().any(|have| have.eq_ignore_ascii_case(&member)) {
                    group.members.push(member);
                }
            }
            change(&admin, group).await?;
        }
        GroupCommand::RemoveMember { address, members } => {
            let mut group = admin.group(&address).await?;
            for member in members {
                let before = group.members.len();
                group.members.retain(|have| !have.eq_ignore_ascii_case(&member));
                if group.members.len() == before {
                    bail!("{member} is not a member of {address}; nothing was changed");
                }
            }
            change(&admin, group).await?;
        }
        GroupCommand::Remove { address, yes } => {
            confirm(&format!("This removes the group {address}; its members stay."), yes)?;
            admin.delete("group", &address).await?;
            admin.done(
                format_args!("Group {address} is gone."),
                &json!({"address": address, "removed": true}),
            );
        }
    }
    Ok(())
}

async fn change(admin: &Admin, group: Group) -> Result<()> {
    let (address, count) = (group.address.clone(), group.members.len());
    let changed = admin.update(Object::Group(group)).await?;
    let said = if changed { "changed" } else { "as it was" };
    admin.done(
        format_args!("Group {address} is {said}; it has {count} members."),
        &json!({"address": address, "changed": changed, "members": count}),
    );
    Ok(())
}
