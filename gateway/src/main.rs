//! One gateway as a process of its own.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use kontor_gateway::{Config, Name};
use kontor_gateway_core::{config, logging, tls};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One of Kontor's gateways, in front of storage nodes that run elsewhere, or the ingress in front of gateways.
///
/// It keeps nothing: run as many as the load wants, behind any balancer.
#[derive(Parser)]
#[command(name = "kontor-gateway", version, after_help = EXAMPLES)]
struct Arguments {
    /// Which gateway.
    #[arg(value_enum, required = true)]
    names: Vec<Name>,
    /// Configuration file (TOML). `KONTOR_SECTION__KEY` in the environment has the last word.
    #[arg(short, long, value_name = "FILE", env = "KONTOR_CONFIG")]
    config: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  kontor-gateway imap --config /etc/kontor/gateway.toml
  KONTOR_LISTEN__IMAP=0.0.0.0:143 KONTOR_STORE__ADDRESSES=storage:7070 kontor-gateway imap

A configuration:
  [store]
  addresses = [\"storage.kontor.svc:7070\"]
  ca = \"/etc/kontor/store/ca.crt\"
  certificate = \"/etc/kontor/store/tls.crt\"
  key = \"/etc/kontor/store/tls.key\"

  [[tls.certificates]]
  certificate = \"/etc/kontor/tls/tls.crt\"
  key = \"/etc/kontor/tls/tls.key\"

  [listen]
  imap = \"0.0.0.0:143\"
  imaps = { bind = \"0.0.0.0:993\", proxy_from = [\"10.0.0.0/8\"] }

  [process]
  monitor = \"0.0.0.0:9090\"

CalDAV and CardDAV, behind an ingress at 10.0.0.5 and for clients themselves:
  [listen]
  dav = { bind = \"0.0.0.0:8080\", forwarded_from = [\"10.0.0.5/32\"] }
  davs = \"0.0.0.0:8443\"

The ingress needs no storage node; it has:
  [listen]
  http = \"0.0.0.0:8080\"
  https = \"0.0.0.0:8443\"

  [ingress.upstreams.dav]
  dns = \"kontor-dav-headless.kontor.svc:8080\"
  health_port = 9090

  [ingress.tcp.imaps]
  listen = \"0.0.0.0:2993\"
  dns = \"kontor-imap-headless.kontor.svc:2993\"
  health_port = 9090";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kontor-gateway: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &Arguments) -> Result<()> {
    let config: Config = config::load(arguments.config.as_deref())?;
    logging::init(&config.log)?;
    tls::install_default_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(kontor_gateway::run(&arguments.names, config))
}
