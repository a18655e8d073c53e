//! From names to listeners to sessions.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use kontor_dav::DavConfig;
use kontor_gateway_core::{
    Handler, Listener, ListenerConfig, Listeners, Shared, TlsConfig, TlsMode, TlsServer,
};
use kontor_imap::ImapConfig;
use kontor_ingress::routes::{TCP_ROUTES, TcpName};
use kontor_ingress::{Ingress, IngressConfig, Locals, Scheme};
use kontor_pop3::Pop3Config;
use kontor_smtp::{Mode, SmtpConfig, runner};
use kontor_storage_client::StoreClient;

use crate::config::Listen;
use crate::locals::locals;

/// A gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Name {
    /// Mail from servers and clients, LMTP, and the queue runner.
    Smtp,
    /// IMAP4rev1 and IMAP4rev2.
    Imap,
    /// POP3.
    Pop3,
    /// CalDAV and CardDAV.
    Dav,
    /// HTTP to the gateways that speak it, and TCP to the others. It needs no storage node.
    Ingress,
}

impl Name {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Smtp, Self::Imap, Self::Pop3, Self::Dav, Self::Ingress];

    /// The endpoints that it serves, as they are called under `listen`.
    pub fn endpoints(self) -> &'static [&'static str] {
        match self {
            Self::Smtp => &["smtp", "submission", "submissions", "lmtp"],
            Self::Imap => &["imap", "imaps"],
            Self::Pop3 => &["pop3", "pop3s"],
            Self::Dav => &["dav", "davs"],
            Self::Ingress => &["http", "https"],
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
    /// CalDAV and CardDAV.
    pub dav: DavConfig,
    /// HTTP and TCP routing.
    pub ingress: IngressConfig,
}

/// Certificates as protocols want them: the mail protocols know no ALPN, and a client that offers another protocol's
/// name must not be turned away there.
#[derive(Clone, Debug)]
pub struct Certificates {
    mail: Arc<TlsServer>,
    web: Arc<TlsServer>,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// Naming the file.
    pub fn load(config: &TlsConfig) -> Result<Self> {
        Ok(Self {
            mail: TlsServer::load(config)?,
            web: TlsServer::load_with_alpn(config, &["h2", "http/1.1"])?,
        })
    }

    /// Keeps looking at the files until the drain begins.
    pub fn watch(&self, shared: &Shared) {
        self.mail.watch(&shared.drain);
        self.web.watch(&shared.drain);
    }

    fn of(&self, endpoint: &str) -> Arc<TlsServer> {
        if matches!(endpoint, "https" | "davs") { self.web.clone() } else { self.mail.clone() }
    }
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
    names: Vec<Name>,
}

impl Bound {
    /// Binds what `listen` names for these gateways, and the ingress's TCP routes.
    ///
    /// # Errors
    /// Naming the address that cannot be bound.
    pub fn bind(
        names: &[Name],
        listen: &Listen,
        protocols: &Protocols,
        tls: Option<&Certificates>,
        taken: Taken,
    ) -> Result<Self> {
        let mut wanted: Vec<(&'static str, &Listeners, Option<TlsMode>)> = Vec::new();
        for name in names.iter().flat_map(|name| name.endpoints()) {
            let (listeners, mode) = listen.of(name);
            wanted.push((name, listeners, mode));
        }
        if names.contains(&Name::Ingress) {
            // TLS is the business of the gateway behind.
            let routes =
                TCP_ROUTES.iter().filter_map(|route| Some((route, protocols.ingress.tcp.get(&route.name)?)));
            wanted.extend(routes.map(|(route, tcp)| (route.endpoint, &tcp.listen, Some(TlsMode::None))));
        }
        let mut endpoints = Vec::new();
        for (name, listeners, mode) in wanted {
            // The ingress's connections are one figure, whatever they carry: its pool grows with it.
            let protocol = if is_of_ingress(name) { "ingress" } else { name };
            for config in &listeners.0 {
                let mut config = config.clone();
                if let Some(mode) = mode {
                    config.tls = mode;
                }
                let bind =
                    |config: &ListenerConfig| Listener::bind(protocol, config, tls.map(|tls| tls.of(name)));
                let listener = match bind(&config) {
                    Err(error) if error.is_taken() && taken == Taken::TakesAnother => {
                        tracing::warn!(endpoint = name, address = %config.bind, "the port is taken, using another one");
                        config.bind.set_port(0);
                        bind(&config)?
                    }
                    bound => bound?,
                };
                endpoints.push(Endpoint { name, address: listener.local_addr(), listener });
            }
        }
        Ok(Self { endpoints, names: names.to_vec() })
    }

    /// The first address of each endpoint.
    pub fn endpoints(&self) -> BTreeMap<&'static str, SocketAddr> {
        // The first one wins: collected backwards, earlier ones come last.
        self.endpoints.iter().rev().map(|endpoint| (endpoint.name, endpoint.address)).collect()
    }

    /// Accepts clients, and runs the queue beside SMTP, until the drain begins. Without a store there is nothing but the
    /// ingress.
    ///
    /// # Errors
    /// When the ingress's configuration contradicts itself, or a gateway has no store.
    pub fn start(self, protocols: &Protocols, store: Option<&StoreClient>, shared: &Shared) -> Result<()> {
        let (web, mail): (Vec<_>, Vec<_>) =
            self.endpoints.into_iter().partition(|endpoint| is_web(endpoint.name));
        if self.names.iter().any(|name| matches!(name, Name::Ingress | Name::Dav)) {
            let locals = match self.names.contains(&Name::Dav) {
                true => locals(protocols, store.context(NO_STORE)?, shared),
                false => Locals::new(),
            };
            start_web(web, &self.names, &protocols.ingress, locals, shared)?;
        }
        if self.names.iter().any(|name| matches!(name, Name::Smtp | Name::Imap | Name::Pop3)) {
            let store = store.context(NO_STORE)?;
            let runs_queue = self.names.contains(&Name::Smtp) && protocols.smtp.queue.runner;
            start_mail(mail, protocols, store, runs_queue, shared);
        }
        Ok(())
    }
}

fn start_mail(
    endpoints: Vec<Endpoint>,
    protocols: &Protocols,
    store: &StoreClient,
    runs_queue: bool,
    shared: &Shared,
) {
    let smtp = kontor_smtp::Gateway::new(protocols.smtp.clone(), store.clone(), shared.drain.clone());
    if runs_queue {
        shared.drain.spawn(runner::run(smtp.clone()));
    }
    let imap = Arc::new(kontor_imap::Server::new(protocols.imap.clone(), store.clone()));
    let pop3 = Arc::new(kontor_pop3::Server::new(protocols.pop3.clone(), store.clone()));
    for endpoint in endpoints {
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

/// What speaks HTTP: the ingress, and gateways that are one's own. These are served by an ingress that leads nowhere
/// else, so that HTTP is spoken, bounded and ended in one way, whether a process stands behind another or not.
fn start_web(
    endpoints: Vec<Endpoint>,
    names: &[Name],
    config: &IngressConfig,
    locals: Locals,
    shared: &Shared,
) -> Result<()> {
    let mut config = config.clone();
    if !names.contains(&Name::Ingress) {
        config.upstreams.clear();
        config.tcp.clear();
    }
    let ingress = Ingress::new(&config, locals)?;
    ingress.start(shared);
    let has_https = endpoints.iter().any(|endpoint| endpoint.name == "https");
    for Endpoint { name, listener, .. } in endpoints {
        let forwarded_from = listener.forwarded_from().to_vec();
        match name {
            "https" | "davs" => {
                serve(listener, Arc::new(ingress.handler(Scheme::Https, &forwarded_from)), shared);
            }
            "http" if config.https_redirect && has_https => {
                serve(listener, Arc::new(ingress.redirecting(&forwarded_from)), shared);
            }
            "http" | "dav" => {
                serve(listener, Arc::new(ingress.handler(Scheme::Http, &forwarded_from)), shared);
            }
            tcp => {
                let named = |name: &TcpName| name.route().endpoint == tcp;
                if let Some(server) =
                    config.tcp.keys().find(|name| named(name)).and_then(|name| ingress.tcp(*name))
                {
                    serve(listener, server, shared);
                }
            }
        }
    }
    Ok(())
}

fn is_web(endpoint: &str) -> bool {
    is_of_ingress(endpoint) || matches!(endpoint, "dav" | "davs")
}

fn is_of_ingress(endpoint: &str) -> bool {
    matches!(endpoint, "http" | "https") || endpoint.starts_with("ingress.")
}

fn serve<H: Handler>(listener: Listener, handler: Arc<H>, shared: &Shared) {
    shared.drain.spawn(listener.serve(handler, shared.clone()));
}

impl Listen {
    /// The listeners of an endpoint, and where TLS begins when that is not for them to say.
    fn of(&self, endpoint: &str) -> (&Listeners, Option<TlsMode>) {
        match endpoint {
            "smtp" => (&self.smtp, None),
            "submission" => (&self.submission, None),
            "submissions" => (&self.submissions, Some(TlsMode::Implicit)),
            "lmtp" => (&self.lmtp, None),
            "imap" => (&self.imap, None),
            "imaps" => (&self.imaps, Some(TlsMode::Implicit)),
            "pop3" => (&self.pop3, None),
            "pop3s" => (&self.pop3s, Some(TlsMode::Implicit)),
            "dav" => (&self.dav, Some(TlsMode::None)),
            "davs" => (&self.davs, Some(TlsMode::Implicit)),
            "http" => (&self.http, Some(TlsMode::None)),
            _ => (&self.https, Some(TlsMode::Implicit)),
        }
    }
}

const NO_STORE: &str = "a gateway other than the ingress needs a storage node";
