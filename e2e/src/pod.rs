//! What the tests run inside of pods: a server that says who it is, and a client that asks it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer each connection with the pod's name.
    Serve {
        /// Where to listen.
        #[arg(long, default_value = "0.0.0.0:8080")]
        listen: String,
    },
    /// Connect to HOST:PORT until it answers, and print what it says.
    Ask {
        /// HOST:PORT
        address: String,
        /// Give up after this many seconds.
        #[arg(long, default_value_t = 60)]
        limit: u64,
    },
}

pub async fn run(command: Command) -> Result<()> {
    match command {
        Command::Serve { listen } => serve(&listen).await,
        Command::Ask { address, limit } => ask(&address, Duration::from_secs(limit)).await,
    }
}

async fn serve(listen: &str) -> Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let name = std::env::var("HOSTNAME").unwrap_or_default();
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            accepted = listener.accept() => {
                let (mut stream, _) = accepted?;
                stream.write_all(format!("hello from {name}\n").as_bytes()).await?;
            }
        }
    }
}

async fn ask(address: &str, limit: Duration) -> Result<()> {
    let end = tokio::time::Instant::now() + limit;
    loop {
        match tokio::time::timeout(Duration::from_secs(5), one_answer(address)).await {
            Ok(Ok(text)) if !text.is_empty() => {
                print!("{text}");
                return Ok(());
            }
            Ok(Ok(_)) => eprintln!("{address}: nothing"),
            Ok(Err(error)) => eprintln!("{address}: {error:#}"),
            Err(_) => eprintln!("{address}: no answer in 5 s"),
        }
        if tokio::time::Instant::now() > end {
            bail!("{address} did not answer within {limit:?}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn one_answer(address: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await.context("cannot connect")?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}
