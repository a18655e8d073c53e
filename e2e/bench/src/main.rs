//! `kontor-bench`: a load generator that drives any mail server by address, and a comparison of Kontor with
//! Dovecot in one run.
//!
//! It is not a test: nothing here asserts a speed. It does assert that what it measured really happened: all
//! deliveries visible, all messages listed, all hits found.
//!
//! ```text
//! kontor-bench compare --quick
//! kontor-bench lmtp --lmtp 127.0.0.1:2424 --imap 127.0.0.1:2143 --pid 4711 --count 10000 --connections 8
//! ```

mod append;
mod compare;
mod dav;
mod deliver;
mod dovecot;
mod figures;
mod folder;
mod idle;
mod kontor;
mod login;
mod message;
mod target;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::compare::Compare;
use crate::dovecot::{Dovecot, Fsync};
use crate::message::Messages;
use crate::target::Target;

/// Loads mail servers and says what they do.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print results as JSON, one object on a line.
    #[arg(long, global = true)]
    json_lines: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start Kontor and Dovecot here and run the same workload on both.
    Compare(Compare),
    /// Start Kontor and Radicale here and keep the same calendars and contacts on both.
    Dav(dav::Compare),
    /// Deliver messages by LMTP and count them when they are visible.
    Lmtp {
        #[command(flatten)]
        target: Target,
        /// How many messages.
        #[arg(long, default_value_t = 10_000)]
        count: usize,
        /// How many connections.
        #[arg(long, default_value_t = 8)]
        connections: usize,
    },
    /// APPEND messages on eight connections, to eight users and to one INBOX.
    Append {
        #[command(flatten)]
        target: Target,
        /// How many messages go to the one INBOX; a fifth of it to the eight users.
        #[arg(long, default_value_t = 10_000)]
        count: usize,
    },
    /// List, download, flag and search the folder that `append` filled.
    Folder {
        #[command(flatten)]
        target: Target,
        /// How many messages are there at least.
        #[arg(long, default_value_t = 10_000)]
        count: usize,
    },
    /// Hold idle connections and weigh them.
    Idle {
        #[command(flatten)]
        target: Target,
        /// How many connections.
        #[arg(long, default_value_t = 2_000)]
        connections: usize,
    },
    /// Log in and out again.
    Login {
        #[command(flatten)]
        target: Target,
        /// How many times.
        #[arg(long, default_value_t = 1_000)]
        count: usize,
    },
    /// Start a private Dovecot in a folder and keep it until standard input ends.
    Dovecot {
        /// Its folder.
        folder: PathBuf,
    },
    /// Print one message of the workload.
    Message {
        /// Which.
        #[arg(default_value_t = 0)]
        number: usize,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let messages = Arc::new(Messages::new(u64::from(std::process::id())));
    let figures = match cli.command {
        Command::Compare(options) => return compare::compare(options).await,
        Command::Dav(options) => return dav::compare(options).await,
        Command::Lmtp { target, count, connections } => {
            vec![deliver::deliver(&target, &messages, count, connections).await?]
        }
        Command::Append { target, count } => vec![
            append::to_many(&target, &messages, count / 5, 0).await?,
            append::to_one(&target, &messages, count).await?,
        ],
        Command::Folder { target, count } => folder::folder(&target, count).await?,
        Command::Idle { target, connections } => vec![idle::idle(&target, &messages, connections).await?],
        Command::Login { target, count } => vec![login::login(&target, count).await?],
        Command::Dovecot { folder } => {
            let dovecot = Dovecot::start("dovecot", &folder, Fsync::Always, false).await?;
            let target = dovecot.target(50);
            let pids: Vec<String> = target.pids.iter().map(u32::to_string).collect();
            println!("--lmtp {} --imap {} --pid {}", target.lmtp, target.imap, pids.join(","));
            println!("POP3 {}", dovecot.pop3());
            tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
                .await??;
            return Ok(());
        }
        Command::Message { number } => {
            use std::io::Write;
            std::io::stdout().write_all(&messages.message(number))?;
            return Ok(());
        }
    };
    for one in &figures {
        if cli.json_lines {
            println!("{}", serde_json::to_string(one)?);
        } else {
            println!("{}", compare::line(one));
        }
    }
    Ok(())
}
