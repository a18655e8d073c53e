//! `kontor up`: everything in one process.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use kontor_gateway::{Bound, Certificates as Served, Name, Protocols, Taken};
use kontor_gateway_core::{Shared, config, drain, logging, monitor};

use crate::certificates::Certificates;
use crate::config::{Config, standard_listeners, trial_listeners};
use crate::data::{DataFolder, write_atomically};
use crate::first;
use crate::postgres::{Cluster, Supervisor};
use crate::ready::{Account, Ready, reachable};
use crate::store::Store;

/// Run the whole server on this machine.
///
/// Without --config it is a trial: everything listens on the loopback address on ports that need no rights (2525,
/// 2587, 2465, 2424, 2143, 2993, 2110, 2995, HTTP on 8080 and 8443, metrics on 9090; another free one where one is taken), and a first
/// account is made. With --config it is a production server on the standard ports.
///
/// All data is in one folder. Ctrl-C or SIGTERM ends it in order; kill -9 loses nothing that was acknowledged.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct UpArgs {
    /// The data folder. Without it $KONTOR_DATA, else /var/lib/kontor for root and ~/.local/share/kontor for others.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Run as a production server with this configuration (TOML); `kontor config example` prints one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write where everything listens to this file (JSON) once all of it answers.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// The first account of an empty store.
    #[arg(long, value_name = "ADDRESS")]
    first_account: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  kontor up                                     a trial server, data in the usual place
  kontor up --data ./mail --ready-file r.json   for scripts: wait until r.json is there
  kontor up --config /etc/kontor.toml           a production server
  KONTOR_LOG=debug kontor up                    tells more
  KONTOR_PG_BIN=/opt/pg17/bin kontor up         with this PostgreSQL";

/// Runs until it is told to stop.
pub fn run(args: &UpArgs) -> Result<()> {
    let mut settings: Config = config::load(args.config.as_deref())?;
    let trial = args.config.is_none();
    if trial {
        settings = settings.for_trial();
    }
    if let Some(address) = &args.first_account {
        settings.first.address.clone_from(address);
    }
    if trial && settings.log.filter.is_empty() && std::io::stderr().is_terminal() {
        // A person looks at this terminal, and what they need is printed.
        settings.log.filter = "warn".to_owned();
    }
    logging::init(&settings.log)?;
    monitor::install_metrics();
    let data = DataFolder::at(args.data.as_deref().or(settings.data.as_deref()))?;
    let lock = data.take()?;
    let ready_file = args.ready_file.as_deref().map(std::path::absolute).transpose()?;
    if let Some(file) = &ready_file {
        let _ = std::fs::remove_file(file);
    }
    // Before the runtime: the children of this thread end with it, and it is the process's own.
    let cluster = match settings.storage.database_url.as_str() {
        "" => {
            Some(with_spinner("Preparing PostgreSQL", || Cluster::prepare(data.path(), &settings.postgres))?)
        }
        _ => None,
    };
    let certificates = Certificates::prepare(&data.tls(), &settings.hostname())?;
    kontor_gateway::raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome =
        runtime.block_on(serve(settings, trial, &data, cluster, &certificates, ready_file.as_deref()));
    runtime.shutdown_timeout(Duration::from_secs(2));
    if let Some(file) = &ready_file {
        let _ = std::fs::remove_file(file);
    }
    drop(lock);
    outcome
}

async fn serve(
    settings: Config,
    trial: bool,
    data: &DataFolder,
    cluster: Option<Cluster>,
    certificates: &Certificates,
    ready_file: Option<&Path>,
) -> Result<()> {
    // From here on a signal means an orderly end.
    let mut stop = tokio::spawn(drain::stop_requested());
    let (url, postgres) = match cluster {
        Some(cluster) => {
            let url = cluster.url(DATABASE);
            tokio::select! {
                started = Supervisor::start(cluster, DATABASE) => (url, Some(started?)),
                _ = &mut stop => return Ok(()),
            }
        }
        None => (settings.storage.database_url.clone(), None),
    };
    let outcome = match Store::start(&settings.storage, url, postgres.is_some(), data).await {
        Ok(store) => {
            let served = gateways(settings, trial, data, &store, certificates, ready_file, stop).await;
            store.stop().await;
            served
        }
        Err(error) => Err(error),
    };
    if let Some(postgres) = postgres {
        postgres.stop().await;
    }
    outcome
}

async fn gateways(
    settings: Config,
    trial: bool,
    data: &DataFolder,
    store: &Store,
    certificates: &Certificates,
    ready_file: Option<&Path>,
    stop: tokio::task::JoinHandle<&'static str>,
) -> Result<()> {
    let account = first::prepare(&store.admin(), &settings.first, data).await?;
    let own_certificates = !settings.tls.certificates.is_empty();
    let tls = Served::load(if own_certificates { &settings.tls } else { &certificates.tls })?;
    let listen = match (&settings.listen, trial) {
        (Some(listen), _) => listen.clone(),
        (None, true) => trial_listeners(&last_ports(data)),
        (None, false) => standard_listeners(),
    };
    let hostname = settings.hostname();
    let mut smtp = settings.smtp.clone();
    if smtp.hostname.is_empty() {
        smtp.hostname.clone_from(&hostname);
    }
    let protocols = Protocols {
        smtp,
        imap: settings.imap.clone(),
        pop3: settings.pop3.clone(),
        dav: settings.dav.clone(),
        ingress: settings.ingress.clone(),
    };
    let gateway_config = kontor_gateway::Config {
        auth: settings.auth.clone(),
        memory: settings.memory.clone(),
        ..Default::default()
    };
    let shared: Shared = kontor_gateway::shared(&gateway_config);
    let taken = if trial { Taken::TakesAnother } else { Taken::Fails };
    let bound = Bound::bind(Name::ALL, &listen, &protocols, Some(&tls), taken)?;
    let addresses = bound.endpoints();
    let mut endpoints: BTreeMap<String, String> =
        addresses.iter().map(|(name, address)| ((*name).to_owned(), reachable(*address))).collect();
    if trial {
        keep_ports(data, &addresses)?;
    }
    tls.watch(&shared);
    let client = store.gateway();
    kontor_gateway::watch_store(&shared, client.clone());
    if let Some(address) = settings.process.monitor {
        let bound = serve_monitor(address, trial, &shared)?;
        endpoints.insert("metrics".to_owned(), reachable(bound));
    }
    let admin = store.serve_admin(&data.admin_socket())?;
    bound.start(&protocols, Some(&client), &shared)?;
    wait_until_ready(&shared).await?;

    let ready = Ready {
        endpoints,
        account,
        ca: (!own_certificates).then(|| certificates.ca.clone()),
        admin: data.admin_socket(),
        pid: std::process::id(),
    };
    if let Some(file) = ready_file {
        ready.write(file)?;
    }
    welcome(&ready, trial, data);
    let signal = stop.await.unwrap_or("a failure");
    tracing::info!(signal, "stopping");
    if std::io::stdout().is_terminal() {
        anstream::println!("\nStopping ...");
    }
    tokio::select! {
        _ = shared.drain.finish(settings.process.grace) => {}
        // A second signal: what is in flight is cut, what was acknowledged is stored.
        _ = drain::stop_requested() => {}
    }
    drop(admin);
    Ok(())
}

fn serve_monitor(address: SocketAddr, trial: bool, shared: &Shared) -> Result<SocketAddr> {
    let serve = |address| monitor::serve(address, shared.health.clone(), shared.drain.clone());
    match serve(address) {
        Err(error) if trial && error.kind() == std::io::ErrorKind::AddrInUse => {
            serve(SocketAddr::new(address.ip(), 0))
        }
        other => other,
    }
    .with_context(|| format!("cannot listen on {address} for metrics"))
}

async fn wait_until_ready(shared: &Shared) -> Result<()> {
    let ready = async {
        while !shared.health.is_ready() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(READY, ready).await.context("the store does not become ready; see the log above")
}

fn last_ports(data: &DataFolder) -> BTreeMap<String, u16> {
    let text = std::fs::read_to_string(data.ports()).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// So that a mail client that was set up once finds the server again.
fn keep_ports(data: &DataFolder, addresses: &BTreeMap<&'static str, SocketAddr>) -> Result<()> {
    let ports: BTreeMap<&str, u16> =
        addresses.iter().map(|(name, address)| (*name, address.port())).collect();
    write_atomically(&data.ports(), serde_json::to_string(&ports)?.as_bytes(), 0o600)
}

fn welcome(ready: &Ready, trial: bool, data: &DataFolder) {
    let mut out = std::io::stdout().lock();
    let _ = write_welcome(&mut out, ready, trial, data).and_then(|()| out.flush());
}

fn write_welcome(out: &mut impl Write, ready: &Ready, trial: bool, data: &DataFolder) -> std::io::Result<()> {
    let at = |endpoint: &str| ready.endpoints.get(endpoint).cloned().unwrap_or_else(|| "-".to_owned());
    let host =
        |endpoint: &str| at(endpoint).rsplit_once(':').map_or_else(String::new, |(host, _)| host.to_owned());
    let port =
        |endpoint: &str| at(endpoint).rsplit_once(':').map_or_else(String::new, |(_, port)| port.to_owned());
    writeln!(out, "Kontor is running. Data: {}", data.path().display())?;
    if let Some(Account { address, password }) = &ready.account {
        writeln!(out, "\n  User name   {address}\n  Password    {password}")?;
    }
    writeln!(out, "\nIn a mail client:")?;
    for (direction, protocol, tls, plain) in [
        ("Incoming", "IMAP", "imaps", "imap"),
        ("Incoming", "POP3", "pop3s", "pop3"),
        ("Outgoing", "SMTP", "submissions", "submission"),
    ] {
        let known = |endpoint: &&str| ready.endpoints.contains_key(*endpoint);
        let ways: Vec<String> = [(tls, "TLS"), (plain, "STARTTLS")]
            .iter()
            .filter(|(endpoint, _)| known(endpoint))
            .map(|(endpoint, way)| format!("port {} ({way})", port(endpoint)))
            .collect();
        if let Some(endpoint) = [tls, plain].iter().find(|endpoint| known(endpoint)) {
            writeln!(out, "  {direction}    {protocol}   {}  {}", host(endpoint), ways.join(" or "))?;
        }
    }
    for (endpoint, scheme) in [("https", "https"), ("http", "http")] {
        if let Some(address) = ready.endpoints.get(endpoint) {
            writeln!(out, "  Calendars, tasks, contacts (CalDAV, CardDAV): {scheme}://{address}/dav/")?;
        }
    }
    for (endpoint, what) in [("smtp", "From other servers"), ("lmtp", "LMTP")] {
        if let Some(address) = ready.endpoints.get(endpoint) {
            writeln!(out, "  {what}: {address}")?;
        }
    }
    if let Some(metrics) = ready.endpoints.get("metrics") {
        writeln!(out, "  Metrics     http://{metrics}/metrics")?;
    }
    if let Some(ca) = &ready.ca {
        writeln!(out, "  Trust this CA: {}", ca.display())?;
    }
    if let (true, Some(account)) = (trial, &ready.account) {
        writeln!(out, "\nTry it:")?;
        if let Some(ca) = &ready.ca {
            writeln!(
                out,
                "  curl --cacert {} -u '{}:{}' imaps://localhost:{}/INBOX",
                ca.display(),
                account.address,
                account.password,
                port("imaps")
            )?;
        }
        writeln!(out, "  swaks --server {} --from you@example.com --to {}", at("smtp"), account.address)?;
        writeln!(out, "  kontor mailbox list --data {}", data.path().display())?;
        writeln!(out, "\nCtrl-C stops it.")?;
    }
    Ok(())
}

/// Something that takes seconds the first time, with a sign of life for whoever watches.
fn with_spinner<T>(what: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let spinner = ProgressBar::new_spinner().with_message(what).with_style(ProgressStyle::default_spinner());
    spinner.enable_steady_tick(Duration::from_millis(120));
    let outcome = work();
    spinner.finish_and_clear();
    outcome
}

const DATABASE: &str = "kontor";
const READY: Duration = Duration::from_secs(60);
