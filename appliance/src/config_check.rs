//! `kontor config`: validates a configuration without starting anything.

use std::path::PathBuf;

use anyhow::{Context, Result};
use kontor_gateway_core::{TlsConfig, TlsServer, config};

use crate::config::Config;

/// See `kontor config --help`.
#[derive(clap::Subcommand, Debug)]
pub enum ConfigCommand {
    /// Validate a file: keys, values, and that the certificates it names can be used.
    Check {
        /// The file (TOML).
        file: PathBuf,
        /// What it is for.
        #[arg(long = "for", value_enum, default_value = "up", value_name = "PROGRAM")]
        program: Program,
    },
    /// Print a commented example.
    Example,
}

/// Whose configuration it is.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Program {
    /// `kontor up --config FILE`.
    Up,
    /// `kontor-gateway NAME --config FILE`.
    Gateway,
    /// `kontor-storage-node --config FILE`.
    StorageNode,
}

/// Runs one.
pub fn run(command: &ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Example => print!("{}", crate::EXAMPLE_CONFIG),
        ConfigCommand::Check { file, program } => {
            let checked = match program {
                Program::Up => config::load::<Config>(Some(file)).map(|config| Some(config.tls)),
                Program::Gateway => {
                    config::load::<kontor_gateway::Config>(Some(file)).map(|config| Some(config.tls))
                }
                Program::StorageNode => config::load::<kontor_storage_node::Config>(Some(file)).map(|_| None),
            };
            let tls = checked.with_context(|| file.display().to_string())?;
            check_certificates(tls.as_ref()).with_context(|| file.display().to_string())?;
            anstream::println!("{}: ok", file.display());
        }
    }
    Ok(())
}

fn check_certificates(tls: Option<&TlsConfig>) -> Result<()> {
    if let Some(tls) = tls.filter(|tls| !tls.certificates.is_empty()) {
        TlsServer::load(tls)?;
    }
    Ok(())
}
