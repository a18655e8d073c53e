//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::admin::{self, Reach};
use crate::config_check::{self, ConfigCommand};
use crate::postgres::child::{ChildArgs, become_child};
use crate::up::{self, UpArgs};

/// Kontor: mail for organisations. Runs a server, and administers one that runs.
#[derive(Parser)]
#[command(name = "kontor", version, after_help = EXAMPLES, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  kontor up                                    run a trial server on this machine
  kontor mailbox add ann@kontor.test           make a mailbox; its password is printed
  kontor mailbox list --json                   for programs
  kontor import old.mbox --mailbox ann@kontor.test
  kontor check                                 is everything in order?

`kontor COMMAND --help` says more, with examples.";

#[derive(Subcommand)]
enum Command {
    Up(UpArgs),
    /// Organisations: hard borders between people who do not know each other.
    #[command(subcommand_required = true)]
    Tenant(Administered<admin::tenant::TenantCommand>),
    /// Mail domains of a tenant.
    Domain(Administered<admin::domain::DomainCommand>),
    /// Mailboxes of people, teams, rooms and equipment.
    Mailbox(Administered<admin::mailbox::MailboxCommand>),
    /// Further addresses of a mailbox or group.
    Alias(Administered<admin::alias::AliasCommand>),
    /// Distribution groups.
    Group(Administered<admin::group::GroupCommand>),
    /// Passwords for one program or device, which can be taken back alone.
    AppPassword(Administered<admin::app_password::AppPasswordCommand>),
    /// Mail that waits to leave.
    Queue(Administered<admin::queue::QueueCommand>),
    /// Calendars from elsewhere that people subscribe to.
    Subscription(Administered<admin::subscription::SubscriptionCommand>),
    Check(AdministeredArgs<admin::check::CheckArgs>),
    Import(AdministeredArgs<admin::import::ImportArgs>),
    Export(AdministeredArgs<admin::export::ExportArgs>),
    /// Configuration files.
    #[command(subcommand)]
    Config(ConfigCommand),
    #[command(name = crate::postgres::child::SUBCOMMAND, hide = true)]
    RunPostgresProgram(ChildArgs),
}

#[derive(Args)]
struct Administered<C: Subcommand> {
    #[command(subcommand)]
    command: C,
    #[command(flatten)]
    reach: ReachArgs,
}

#[derive(Args)]
struct AdministeredArgs<C: Args> {
    #[command(flatten)]
    command: C,
    #[command(flatten)]
    reach: ReachArgs,
}

// Which server, and how to answer. (A doc comment would become the help of the command it is part of.)
#[derive(Args, Clone, Debug)]
struct ReachArgs {
    /// The data folder of the server on this machine.
    #[arg(long, value_name = "DIR", global = true, help_heading = "Server")]
    data: Option<PathBuf>,
    /// The storage nodes of a cluster instead (host:port).
    #[arg(long, value_name = "ADDRESS", global = true, env = "KONTOR_STORE", help_heading = "Server")]
    store: Option<String>,
    /// The CA of the storage nodes (PEM).
    #[arg(long, value_name = "FILE", global = true, env = "KONTOR_STORE_CA", help_heading = "Server")]
    store_ca: Option<PathBuf>,
    /// Our certificate for them (PEM); its common name begins with kontor-admin.
    #[arg(
        long,
        value_name = "FILE",
        global = true,
        env = "KONTOR_STORE_CERTIFICATE",
        help_heading = "Server"
    )]
    store_certificate: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, value_name = "FILE", global = true, env = "KONTOR_STORE_KEY", help_heading = "Server")]
    store_key: Option<PathBuf>,
    /// Answer in JSON, for programs.
    #[arg(long, global = true, help_heading = "Output")]
    json: bool,
}

/// The program.
pub fn main() -> ExitCode {
    // `kontor mailbox list | head` is no error.
    reset_broken_pipe();
    let cli = Cli::parse();
    kontor_gateway_core::tls::install_default_provider();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kontor: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Up(args) => up::run(&args)?,
        Command::Config(command) => config_check::run(&command)?,
        Command::RunPostgresProgram(args) => match become_child(&args)? {},
        Command::Tenant(all) => {
            administer(all.reach, async |reach| admin::tenant::run(reach, all.command).await)?
        }
        Command::Domain(all) => {
            administer(all.reach, async |reach| admin::domain::run(reach, all.command).await)?
        }
        Command::Mailbox(all) => {
            administer(all.reach, async |reach| admin::mailbox::run(reach, all.command).await)?
        }
        Command::Alias(all) => {
            administer(all.reach, async |reach| admin::alias::run(reach, all.command).await)?
        }
        Command::Group(all) => {
            administer(all.reach, async |reach| admin::group::run(reach, all.command).await)?
        }
        Command::AppPassword(all) => {
            administer(all.reach, async |reach| admin::app_password::run(reach, all.command).await)?;
        }
        Command::Queue(all) => {
            administer(all.reach, async |reach| admin::queue::run(reach, all.command).await)?
        }
        Command::Subscription(all) => {
            administer(all.reach, async |reach| admin::subscription::run(reach, all.command).await)?;
        }
        Command::Check(all) => {
            return administer(all.reach, async |reach| admin::check::run(reach, all.command).await);
        }
        Command::Import(all) => {
            administer(all.reach, async |reach| admin::import::run(reach, all.command).await)?
        }
        Command::Export(all) => {
            administer(all.reach, async |reach| admin::export::run(reach, all.command).await)?
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn administer<T>(args: ReachArgs, work: impl AsyncFnOnce(Reach) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let reach = Reach {
            data: args.data,
            store: args.store,
            ca: args.store_ca,
            certificate: args.store_certificate,
            key: args.store_key,
            json: args.json,
        };
        work(reach).await
    })
}

fn reset_broken_pipe() {
    // Rust's programs ignore SIGPIPE; printing then panics. The hook turns just that panic into a quiet end.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload_as_str().unwrap_or_default();
        if text.contains("failed printing to stdout") && text.contains("Broken pipe") {
            std::process::exit(0);
        }
        usual(info);
    }));
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_may_stand_anywhere() {
        for words in [
            &["kontor", "mailbox", "add", "a@b.c", "--data", "/x", "--json"][..],
            &["kontor", "mailbox", "--data", "/x", "--json", "add", "a@b.c"],
            &["kontor", "check", "--data", "/x"],
        ] {
            Cli::try_parse_from(words).expect("understood");
        }
    }
}
