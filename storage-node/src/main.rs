//! `kontor-storage-node`: one replica of the storage tier as a process.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, Subcommand};
use kontor_storage_node::{Config, StorageNode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The storage tier of Kontor: serves mailboxes from PostgreSQL and a blob store to the gateways.
#[derive(Parser)]
#[command(name = "kontor-storage-node", version)]
struct Arguments {
    /// Configuration file (TOML).
    #[arg(long, short, env = "KONTOR_CONFIG")]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve gateways (the default).
    Serve,
    /// Only bring the database schema up to date, then exit.
    Migrate,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("KONTOR_LOG").unwrap_or_else(|_| "info".into()),
        )
        .with_writer(std::io::stderr)
        // A log that cannot be written, on a full disk say, must not take the service with it.
        .log_internal_errors(false)
        .init();
    // Only fails when somebody set one before, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let text = std::fs::read_to_string(&arguments.config)
        .with_context(|| format!("cannot read {}", arguments.config.display()))?;
    let mut config: Config =
        toml::from_str(&text).with_context(|| format!("{} is not right", arguments.config.display()))?;
    if let Ok(url) = std::env::var("KONTOR_DATABASE_URL") {
        config.database_url = url;
    }
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Migrate => {
            let version = StorageNode::migrate(&config.database_url).await?;
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
    if !config.metrics.is_empty() {
        let address: std::net::SocketAddr = config
            .metrics
            .parse()
            .with_context(|| format!("metrics = {:?} is not host:port", config.metrics))?;
        metrics_exporter_prometheus::PrometheusBuilder::new()
            .with_http_listener(address)
            .install()
            .context("cannot serve metrics")?;
    }
    let node = StorageNode::start(config).await?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        outcome = node.serve(&listen) => outcome,
        _ = terminate.recv() => finish(&node).await,
        _ = tokio::signal::ctrl_c() => finish(&node).await,
    }
}

async fn finish(node: &StorageNode) -> anyhow::Result<()> {
    tracing::info!("stopping");
    node.stop();
    // What is being served gets a moment; a commit that is under way ends in its own task.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    Ok(())
}
