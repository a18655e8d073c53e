//! Every gateway by its name: what the `kontor-gateway` program and the `kontor` appliance start.
//!
//! It binds the listeners that a configuration names, hands them to the protocol crates and ends them in order. It
//! knows no protocol itself.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let config: kontor_gateway::Config = kontor_gateway_core::config::load(None)?;
//! kontor_gateway::run(&[kontor_gateway::Name::Imap], config).await
//! # }
//! ```

#![warn(missing_docs)]

mod config;
mod endpoint;
mod locals;

pub use config::{Config, Listen, ProcessConfig, StoreConfig};
pub use endpoint::{Bound, Certificates, Endpoint, Name, Protocols, Taken};

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use kontor_gateway_core::{AuthLimiter, Budget, Drain, Health, Shared, drain, monitor};
use kontor_storage_client::StoreClient;

/// Runs these gateways until SIGTERM or SIGINT, then ends them within the grace period.
///
/// # Errors
/// When something cannot be set up; nothing listens then.
pub async fn run(names: &[Name], config: Config) -> Result<()> {
    raise_file_limit();
    monitor::install_metrics();
    let shared = shared(&config);
    let tls = match config.tls.certificates.as_slice() {
        [] => None,
        _ => Some(Certificates::load(&config.tls)?),
    };
    let store = match names {
        [Name::Ingress] => None,
        _ => Some(config.store.connect()?),
    };
    let protocols = Protocols {
        smtp: config.smtp,
        imap: config.imap,
        pop3: config.pop3,
        dav: config.dav,
        ingress: config.ingress,
    };
    let bound = Bound::bind(names, &config.listen, &protocols, tls.as_ref(), Taken::Fails)?;
    anyhow::ensure!(
        !bound.endpoints().is_empty(),
        "nothing to listen on: set listen.{}",
        names.iter().map(|name| name.endpoints().join(", listen.")).collect::<Vec<_>>().join(", listen.")
    );
    if let Some(tls) = &tls {
        tls.watch(&shared);
    }
    if let Some(store) = &store {
        watch_store(&shared, store.clone());
    }
    if let Some(address) = config.process.monitor {
        monitor::serve(address, shared.health.clone(), shared.drain.clone())
            .with_context(|| format!("cannot listen on {address} for metrics"))?;
    }
    bound.start(&protocols, store.as_ref(), &shared)?;
    let signal = drain::stop_requested().await;
    tracing::info!(signal, "stopping");
    shared.drain.finish(config.process.grace).await;
    Ok(())
}

/// What the sessions of a process share, as its configuration says.
pub fn shared(config: &Config) -> Shared {
    Shared {
        drain: Drain::new(),
        budget: Budget::new(&config.memory),
        auth: Arc::new(AuthLimiter::new(config.auth.clone())),
        health: Health::default(),
    }
}

/// Keeps the readiness `store` true to what the store says of itself, until the drain begins.
pub fn watch_store(shared: &Shared, store: StoreClient) {
    let (health, drain) = (shared.health.clone(), shared.drain.clone());
    health.set("store", false);
    shared.drain.spawn(async move {
        loop {
            let ready = store.ready().await;
            let met = ready.as_ref().is_ok_and(|ready| ready.database && ready.blobs);
            health.set("store", met);
            let pause = if met { STEADY } else { ANXIOUS };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = drain.begun() => return,
            }
        }
    });
}

/// Lets this process have as many connections as its administrator allows: the soft limit of open files is raised to
/// the hard one.
pub fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard { setrlimit(Resource::RLIMIT_NOFILE, hard, hard) } else { Ok(()) }
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files; see `ulimit -n`");
    }
}

const STEADY: Duration = Duration::from_secs(5);
const ANXIOUS: Duration = Duration::from_millis(500);
