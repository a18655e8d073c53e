//! From names to listeners to sessions.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use kontor_gateway_core::{Handler, Listener, Listeners, Shared, TlsMode, TlsServer};
use kontor_imap::ImapConfig;
use kontor_pop3::Pop3Config;
use kontor_smtp::{Mode, SmtpConfig, runner};
use kontor_storage_client::StoreClient;

use crate::config::Listen;

/// A gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Name {
    /// Mail from servers and clients, LMTP, and the queue runner.
    Smtp,
    /// IMAP4rev1 and IMAP4rev2.
    Imap,
    /// POP3.
    Pop3,
}

impl Name {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Smtp, Self::Imap, Self::Pop3];

    /// The endpoints that it serves, as they are called under `listen`.
    pub fn endpoints(self) -> &'static [&'static str] {
        match self {
            Self::Smtp => &["smtp", "submission", "submissions", "lmtp"],
            Self::Imap => &["imap", "imaps"],
            Self::Pop3 => &["pop3", "pop3s"],
        }
    }
}

/// The protocols' own configurations.
#[derive(Clone, Debug, Default)]
pub struct Protocols {
    /// SMTP.
    pub smtp: SmtpConfig,
    /// IMAP.
    pub imap: ImapConfig,
    /// POP3.
    pub pop3: Pop3Config,
}

/// What to do about a port that somebody else has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Fail.
    Fails,
    /// Take a free one at the same address.
    TakesAnother,
}

/// One listening endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// As it is called under `listen`.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    listener: Listener,
}

/// Listeners that do not accept yet.
#[derive(Debug)]
pub struct Bound {
    endpoints: Vec<Endpoint>,
    smtp: bool,
}

impl Bound {
    /// Binds what `listen` names for these gateways.
    ///
    /// # Errors
    /// Naming the address that cannot be bound.
    pub fn bind(names: &[Name], listen: &Listen, tls: Option<Arc<TlsServer>>, taken: Taken) -> Result<Self> {
        let mut endpoints = Vec::new();
        for name in names.iter().flat_map(|name| name.endpoints()) {
            let (listeners, implicit) = listen.of(name);
            for config in &listeners.0 {
                let mut config = config.clone();
                if implicit {
                    config.tls = TlsMode::Implicit;
                }
                let listener = match Listener::bind(name, &config, tls.clone()) {
                    Err(error) if error.is_taken() && taken == Taken::TakesAnother => {
                        tracing::warn!(endpoint = name, address = %config.bind, "the port is taken, using another one");
                        config.bind.set_port(0);
                        Listener::bind(name, &config, tls.clone())?
                    }
                    bound => bound?,
                };
                endpoints.push(Endpoint { name, address: listener.local_addr(), listener });
            }
        }
        Ok(Self { endpoints, smtp: names.contains(&Name::Smtp) })
    }

    /// The first address of each endpoint.
    pub fn endpoints(&self) -> BTreeMap<&'static str, SocketAddr> {
        // The first one wins: collected backwards, earlier ones come last.
        self.endpoints.iter().rev().map(|endpoint| (endpoint.name, endpoint.address)).collect()
    }

    /// Accepts clients, and runs the queue beside SMTP, until the drain begins.
    pub fn start(self, protocols: &Protocols, store: &StoreClient, shared: &Shared) {
        let smtp = kontor_smtp::Gateway::new(protocols.smtp.clone(), store.clone(), shared.drain.clone());
        if self.smtp && protocols.smtp.queue.runner {
            shared.drain.spawn(runner::run(smtp.clone()));
        }
        let imap = Arc::new(kontor_imap::Server::new(protocols.imap.clone(), store.clone()));
        let pop3 = Arc::new(kontor_pop3::Server::new(protocols.pop3.clone(), store.clone()));
        for endpoint in self.endpoints {
            let listener = endpoint.listener;
            match endpoint.name {
                "smtp" => serve(listener, Arc::new(smtp.server(Mode::Mx)), shared),
                "submission" | "submissions" => {
                    serve(listener, Arc::new(smtp.server(Mode::Submission)), shared);
                }
                "lmtp" => serve(listener, Arc::new(smtp.server(Mode::Lmtp)), shared),
                "imap" | "imaps" => serve(listener, imap.clone(), shared),
                _ => serve(listener, pop3.clone(), shared),
            }
        }
    }
}

fn serve<H: Handler>(listener: Listener, handler: Arc<H>, shared: &Shared) {
    shared.drain.spawn(listener.serve(handler, shared.clone()));
}

impl Listen {
    /// The listeners of an endpoint, and whether TLS is implicit on it.
    fn of(&self, endpoint: &str) -> (&Listeners, bool) {
        match endpoint {
            "smtp" => (&self.smtp, false),
            "submission" => (&self.submission, false),
            "submissions" => (&self.submissions, true),
            "lmtp" => (&self.lmtp, false),
            "imap" => (&self.imap, false),
            "imaps" => (&self.imaps, true),
            "pop3" => (&self.pop3, false),
            _ => (&self.pop3s, true),
        }
    }
}
