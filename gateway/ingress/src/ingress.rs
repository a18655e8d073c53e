//! The ingress itself: its table with the gateways behind it, and what happens to a request.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::header::{EXPECT, HeaderValue, SET_COOKIE, STRICT_TRANSPORT_SECURITY};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use ipnet::IpNet;
use kontor_gateway_core::{Drain, Shared};
use thiserror::Error;

use crate::affinity::{self, AffinityKey};
use crate::body::{Gate, RequestBody, ResponseBody, Silence, Tail};
use crate::client::{Clients, Peer, Scheme};
use crate::config::IngressConfig;
use crate::exchange::Exchange;
use crate::forward::{self, Way};
use crate::headers::{self, Origin};
use crate::health::Probe;
use crate::local::{ClientAddress, Local};
use crate::record::{Record, RouteMetrics};
use crate::refusal::Refusal;
use crate::resolve::Resolver;
use crate::routes::{self, Affinity, Name, ROUTES, Route, Target, TcpName};
use crate::server::{self, HttpServer};
use crate::tcp::TcpServer;
use crate::upgrade;
use crate::upstream::{Pool, Upstream, Wish};

/// Gateways that are served by this process.
pub type Locals = BTreeMap<Target, Local>;

/// The routing table at work. One for a process; its listeners share it.
pub struct Ingress {
    routes: Vec<Route>,
    upstreams: BTreeMap<Target, Upstream>,
    tcp: BTreeMap<TcpName, Arc<TcpServer>>,
    metrics: BTreeMap<Name, Arc<RouteMetrics>>,
    elsewhere: Arc<RouteMetrics>,
    clients: Arc<Clients>,
    trusted: Vec<IpNet>,
    hsts: Option<HeaderValue>,
    https_port: u16,
    access_log: bool,
    settings: Settings,
}

/// What connections need to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub header_timeout: Duration,
    pub write_timeout: Duration,
    pub max_header: u32,
    pub connect_timeout: Duration,
    pub upstream_wait: Duration,
    pub drain: Duration,
    check_interval: Duration,
}

impl Ingress {
    /// From its configuration. A gateway in `locals` wins over one that is configured.
    ///
    /// # Errors
    /// [`IngressError`], naming what is wrong.
    pub fn new(config: &IngressConfig, locals: Locals) -> Result<Arc<Self>, IngressError> {
        let secret = match &config.affinity_key_file {
            None => Vec::new(),
            Some(file) => {
                std::fs::read(file).map_err(|source| IngressError::Key { file: file.clone(), source })?
            }
        };
        let key = AffinityKey::new(&secret);
        let settings = Settings {
            header_timeout: config.header_timeout,
            write_timeout: config.write_timeout,
            max_header: u32::try_from(config.max_header).unwrap_or(u32::MAX).max(SMALLEST_HEADER),
            connect_timeout: config.connect_timeout,
            upstream_wait: config.upstream_wait,
            drain: config.drain,
            check_interval: config.check_interval.max(Duration::from_millis(50)),
        };
        let mut upstreams = BTreeMap::new();
        for (target, place) in &config.upstreams {
            if !locals.contains_key(target) {
                let pool = Pool::new(target.as_str(), place, Probe::Connect, key.clone())?;
                upstreams.insert(*target, Upstream::Remote(pool));
            }
        }
        upstreams.extend(locals.into_iter().map(|(target, local)| (target, Upstream::Local(local))));
        let mut tcp = BTreeMap::new();
        for (name, route) in &config.tcp {
            let probe = if route.proxy_protocol { Probe::ConnectProxied } else { Probe::Connect };
            let server = TcpServer {
                pool: Pool::new(name.as_str(), &route.upstream(), probe, key.clone())?,
                proxy_protocol: route.proxy_protocol,
                idle: route.idle,
                connect_timeout: config.connect_timeout,
                upstream_wait: config.upstream_wait,
                drain: config.drain,
            };
            tcp.insert(*name, Arc::new(server));
        }
        let routes: Vec<Route> = ROUTES
            .iter()
            .map(|route| {
                let changed = config.routes.get(&route.name);
                let idle = changed.and_then(|changed| changed.idle).unwrap_or(route.idle);
                let max_body = changed.and_then(|changed| changed.max_body).unwrap_or(route.max_body);
                Route { idle, max_body, ..*route }
            })
            .collect();
        let hsts = config.hsts.as_secs();
        Ok(Arc::new(Self {
            metrics: routes
                .iter()
                .map(|route| (route.name, Arc::new(RouteMetrics::of(route.name.as_str()))))
                .collect(),
            elsewhere: Arc::new(RouteMetrics::of("none")),
            routes,
            upstreams,
            tcp,
            clients: Clients::new(config),
            trusted: config.trusted_proxies.clone(),
            hsts: (hsts > 0).then(|| HeaderValue::from_str(&format!("max-age={hsts}")).ok()).flatten(),
            https_port: config.https_port,
            access_log: config.access_log,
            settings,
        }))
    }

    /// Starts to resolve names and to look after upstreams. `/readyz` waits until each has been looked at once,
    /// whatever was found: a client is better served by a 503 with a reason than by nobody.
    pub fn start(&self, shared: &Shared) {
        let resolver = Arc::new(Resolver::new());
        let remote = self.upstreams.values().filter_map(|upstream| match upstream {
            Upstream::Remote(pool) => Some(pool),
            Upstream::Local(_) => None,
        });
        let pools: Vec<Arc<Pool>> =
            remote.chain(self.tcp.values().map(|server| &server.pool)).cloned().collect();
        for pool in &pools {
            pool.watch(self.settings.check_interval, resolver.clone(), &shared.drain);
        }
        let health = shared.health.clone();
        health.set("upstreams", pools.is_empty());
        if !pools.is_empty() {
            let token = shared.drain.token();
            shared.drain.spawn(async move {
                for pool in &pools {
                    tokio::select! {
                        () = pool.looked() => {}
                        () = token.cancelled() => return,
                    }
                }
                health.set("upstreams", true);
            });
        }
    }

    /// The handler for a listener of HTTP with or without TLS. Proxies in `forwarded_from` are believed beside those of
    /// the configuration.
    pub fn handler(self: &Arc<Self>, scheme: Scheme, forwarded_from: &[IpNet]) -> HttpServer {
        let trusted = self.trusted.iter().chain(forwarded_from).copied().collect();
        HttpServer { ingress: self.clone(), scheme, redirect: false, trusted }
    }

    /// The handler for a listener without TLS that sends its clients to those with.
    pub fn redirecting(self: &Arc<Self>, forwarded_from: &[IpNet]) -> HttpServer {
        HttpServer { redirect: true, ..self.handler(Scheme::Http, forwarded_from) }
    }

    /// The handler for a TCP route's listeners, when it is configured.
    pub fn tcp(&self, name: TcpName) -> Option<Arc<TcpServer>> {
        self.tcp.get(&name).cloned()
    }

    /// Whether a client without TLS may begin with HTTP/2. Before other servers only HTTP/1.1 is spoken there: nobody who is
    /// meant to come needs more, and what is not understood cannot be misunderstood.
    pub(crate) fn knows_prior_knowledge(&self) -> bool {
        self.upstreams.values().all(|upstream| matches!(upstream, Upstream::Local(_)))
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    /// Answers one request.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: &Peer,
        server: &HttpServer,
        drain: &Drain,
    ) -> Response<ResponseBody> {
        let exchange = Arc::new(Exchange::new());
        let head = headers::host_of(request.uri(), request.version(), request.headers());
        let origin = headers::origin(request.headers(), peer.ip, peer.scheme, &server.trusted);
        let host = head.as_deref().unwrap_or_default();
        let path = request.uri().path();
        let found = routes::find(&self.routes, headers::without_port(host), path);
        let route = found.ok().flatten();
        let metrics = route.and_then(|route| self.metrics.get(&route.name)).unwrap_or(&self.elsewhere);
        let place = self.clients.admit(origin.ip);
        let (place, too_many) = match place {
            Ok(place) => (Some(place), None),
            Err(too_many) => (None, Some(too_many)),
        };
        let mut record = Record::new(metrics.clone(), exchange.clone(), request.method(), place);
        record.note(origin.ip, request.method(), host, path, self.access_log);
        let admitted = || {
            if let Some(too_many) = too_many {
                return Err(Refusal::TooMany(too_many.retry_after));
            }
            if head.is_err() {
                return Err(Refusal::BadRequest("one Host is wanted"));
            }
            if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
                return Err(Refusal::BadMethod);
            }
            let route = found.map_err(|_| Refusal::BadRequest("the path has dots in it"))?;
            if server.redirect && origin.scheme == Scheme::Http {
                return Err(self.redirect(&request, host, route));
            }
            let route = route.ok_or(Refusal::NoRoute)?;
            let target = route.target;
            let upstream = self.upstreams.get(&target).ok_or(Refusal::NotServed(target.as_str()))?;
            match request.body().size_hint().lower() > route.max_body {
                true => Err(Refusal::TooLarge(route.max_body)),
                false => Ok((route, upstream)),
            }
        };
        let outcome = match admitted() {
            Ok((route, upstream)) => {
                let is_trusted = server.trusted.iter().any(|network| network.contains(&peer.ip));
                let asked =
                    Asked { route, host, origin: &origin, is_trusted, peer, exchange: &exchange, drain };
                self.forward(request, upstream, asked, record).await
            }
            Err(refusal) => {
                discard(request.into_body()).await;
                Err((refusal, record))
            }
        };
        let is_secure = origin.scheme == Scheme::Https;
        let mut response = outcome.unwrap_or_else(|(refusal, mut record)| {
            record.answered(refusal.status(), None);
            let silence = Silence::of(&exchange, Duration::MAX);
            let tail = Tail { exchange: exchange.clone(), silence, gate: None, record };
            refusal.response().map(|body| body.with(tail))
        });
        if let Some(hsts) = self.hsts.as_ref().filter(|_| is_secure) {
            response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        response
    }

    async fn forward(
        &self,
        request: Request<Incoming>,
        upstream: &Upstream,
        asked: Asked<'_>,
        mut record: Record,
    ) -> Result<Response<ResponseBody>, (Refusal, Record)> {
        let Asked { route, host, origin, is_trusted, peer, exchange, drain } = asked;
        let (mut parts, body) = request.into_parts();
        let protocol = headers::upgrade_of(&parts);
        let is_multiplexed = parts.version == Version::HTTP_2;
        let wished = affinity::requested(&parts.headers).map(str::to_owned);
        headers::prepare_request(
            &mut parts,
            host,
            peer.ip,
            peer.scheme,
            origin,
            is_trusted,
            protocol.as_ref(),
        );
        peer.began(exchange, route.idle);
        let body = RequestBody::new(body, exchange.clone(), route.idle, route.max_body);
        let mut request = Request::from_parts(parts, body);
        match upstream {
            Upstream::Local(local) => {
                request.extensions_mut().insert(ClientAddress(origin.ip));
                let target = route.target.as_str();
                let called = local.call(request);
                match forward::watched(called, exchange, route.idle, peer, target).await {
                    Ok(Ok(response)) => {
                        let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
                        let body = |body| ResponseBody::local(body);
                        Ok(finish(response.map(body), is_upgrade, None, exchange, route, None, record))
                    }
                    Ok(Err(error)) => {
                        tracing::error!(gateway = target, %error, "a service in this process failed");
                        Err((Refusal::Broken(target), record))
                    }
                    Err(refusal) => Err((refusal, record)),
                }
            }
            Upstream::Remote(pool) => {
                let client_half = protocol.as_ref().map(|_| upgrade::of_client(&mut request));
                let gate = if is_multiplexed {
                    // hyper answers no `Expect` in HTTP/2; the client goes on by itself.
                    request.headers_mut().remove(EXPECT);
                    None
                } else {
                    (expects_continue(&request) && !request.body().is_end_stream())
                        .then(|| forward::hold_body(&mut request, exchange))
                };
                let wish = match (route.affinity, &wished) {
                    (Affinity::Cookie, Some(token)) => Wish::Token(token),
                    (Affinity::Client, _) => Wish::Client(origin.ip),
                    _ => Wish::None,
                };
                let way = Way {
                    pool,
                    wish,
                    peer,
                    exchange,
                    idle: route.idle,
                    max_body: route.max_body,
                    connect_timeout: self.settings.connect_timeout,
                    upstream_wait: self.settings.upstream_wait,
                };
                let mut answer = match way.send(request).await {
                    Ok(answer) => answer,
                    Err(refusal) => {
                        if let Some(gate) = gate {
                            gate.shut_for_good();
                        }
                        return Err((refusal, record));
                    }
                };
                let is_upgrade = answer.response.status() == StatusCode::SWITCHING_PROTOCOLS;
                if is_upgrade {
                    let Some(client_half) = client_half else {
                        return Err((Refusal::Broken(pool.target), record));
                    };
                    record.answered(StatusCode::SWITCHING_PROTOCOLS, Some(answer.upstream));
                    let ending = server::ending(drain.clone(), self.settings.drain);
                    upgrade::join(client_half, &mut answer.response, route.idle, ending, drain, record);
                    let mut response = answer.response.map(|_| ResponseBody::nothing());
                    headers::prepare_response(response.headers_mut(), true);
                    return Ok(response);
                }
                let mut response = answer.response.map(ResponseBody::upstream);
                if route.affinity == Affinity::Cookie && wished.as_ref() != Some(&answer.token) {
                    let cookie = affinity::set_cookie(&answer.token, origin.scheme == Scheme::Https);
                    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                        response.headers_mut().append(SET_COOKIE, cookie);
                    }
                }
                Ok(finish(response, false, gate, exchange, route, Some(answer.upstream), record))
            }
        }
    }

    /// Where the same thing is with TLS. Autodiscover clients expect the status that others may keep for ever.
    fn redirect<B>(&self, request: &Request<B>, host: &str, route: Option<&Route>) -> Refusal {
        let host = headers::without_port(host);
        if host.is_empty() {
            return Refusal::BadRequest("one Host is wanted");
        }
        let port = if self.https_port == 443 { String::new() } else { format!(":{}", self.https_port) };
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let status = match route.map(|route| route.name) {
            Some(Name::Autodiscover) if is_read => StatusCode::FOUND,
            _ => StatusCode::PERMANENT_REDIRECT,
        };
        Refusal::Redirect(status, format!("https://{host}{port}{path}"))
    }
}

/// What is known of a request besides itself.
struct Asked<'a> {
    route: &'a Route,
    host: &'a str,
    origin: &'a Origin,
    is_trusted: bool,
    peer: &'a Peer,
    exchange: &'a Arc<Exchange>,
    drain: &'a Drain,
}

fn finish(
    mut response: Response<ResponseBody>,
    is_upgrade: bool,
    gate: Option<Gate>,
    exchange: &Arc<Exchange>,
    route: &Route,
    upstream: Option<crate::endpoint::InFlight>,
    mut record: Record,
) -> Response<ResponseBody> {
    exchange.touch();
    headers::prepare_response(response.headers_mut(), is_upgrade);
    *response.version_mut() = Version::HTTP_11;
    record.answered(response.status(), upstream);
    let silence = Silence::of(exchange, route.idle);
    response.map(|body| body.with(Tail { exchange: exchange.clone(), silence, gate, record }))
}

fn expects_continue<B>(request: &Request<B>) -> bool {
    request.headers().get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Why there is no ingress.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IngressError {
    /// No place, or two.
    #[error("`{target}` needs either `addresses` or `dns`")]
    Place {
        /// Which gateway.
        target: &'static str,
    },
    /// Not a name with a port.
    #[error("`{name}` of `{target}` is not a name with a port, such as `kontor-dav.mail.svc:8080`")]
    Dns {
        /// Which gateway.
        target: &'static str,
        /// What is there.
        name: String,
    },
    /// The affinity key cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Takes a small body that nobody reads, so that the connection can go on: many clients send their next request on it
/// without looking whether it is still there.
async fn discard(body: Incoming) {
    if body.is_end_stream() || body.size_hint().upper().is_none_or(|octets| octets > DISCARDED) {
        return;
    }
    // One that does not come, or breaks, ends the connection, which is right.
    drop(tokio::time::timeout(DISCARD_WITHIN, body.collect()).await);
}

/// hyper asks for as much.
const SMALLEST_HEADER: u32 = 8 << 10;
/// Octets.
const DISCARDED: u64 = 64 << 10;
const DISCARD_WITHIN: Duration = Duration::from_secs(2);
