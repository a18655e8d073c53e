//! `kontor-storage-node`: one replica of the storage tier as a process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
use kontor_process::{Drain, Health, config, drain, logging, monitor, tls};
use kontor_storage_node::{Config, StorageNode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The storage tier of Kontor: serves mailboxes from PostgreSQL and a blob store to the gateways.
#[derive(Parser)]
#[command(name = "kontor-storage-node", version)]
struct Arguments {
    /// Configuration file (TOML). `KONTOR_SECTION__KEY` in the environment has the last word.
    #[arg(long, short, env = "KONTOR_CONFIG")]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve gateways (the default).
    Serve,
    /// Only bring the database schema up to date, and make the bucket where there is none, then exit.
    Migrate,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kontor-storage-node: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut config: Config = config::load(Some(&arguments.config))?;
    if let Ok(url) = std::env::var("KONTOR_DATABASE_URL") {
        config.database_url = url;
    }
    logging::init(&config.log)?;
    tls::install_default_provider();
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Migrate => {
            let version = StorageNode::migrate(&config).await?;
            println!("the schema is at version {version}");
            Ok(())
        }
        Command::Serve => serve(config).await,
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let listen = config.listen.clone().context(
        "[listen] is missing: a storage node needs an address, certificate, key and client_ca to serve gateways",
    )?;
    let (drain, health) = (Drain::new(), Health::default());
    health.set("database", false);
    health.set("blobs", false);
    if let Some(address) = config.monitor {
        monitor::serve(address, health.clone(), drain.clone())
            .with_context(|| format!("cannot serve metrics and health on {address}"))?;
    }
    let node = Arc::new(StorageNode::start(config).await?);
    drain.spawn(watch_health(node.clone(), health, drain.clone()));
    tokio::select! {
        outcome = node.serve(&listen) => outcome,
        signal = drain::stop_requested() => {
            tracing::info!(signal, "stopping");
            drain.begin();
            node.stop();
            // What is being served gets a moment; a commit that is under way ends in its own task.
            tokio::time::sleep(LAST_CALLS).await;
            Ok(())
        }
    }
}

/// Keeps telling the monitor what the node says of its database and its blobs.
async fn watch_health(node: Arc<StorageNode>, health: Health, drain: Drain) {
    loop {
        let (database, blobs) = node.ready().await;
        health.set("database", database);
        health.set("blobs", blobs);
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = drain.begun() => return,
        }
    }
}

const LAST_CALLS: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_secs(5);
