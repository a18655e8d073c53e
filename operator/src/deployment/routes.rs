//! What is served where: the one table that Services, routes, container ports and listeners are made from.

use kontor_crds::groupware_deployment::{ExposureType, GatewayPool, GroupwareDeploymentSpec, Protocol};

/// A port that a protocol is served at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// As the gateway's configuration calls it under `listen`, and as ports are called.
    pub name: &'static str,
    /// The standard port, which Services have.
    pub port: i32,
    /// The port in the pod.
    pub pod_port: i32,
    /// TLS from the first octet: a TLSRoute can carry it.
    pub implicit_tls: bool,
    /// Only for the inside: it asks for no password, or takes one without TLS.
    pub inside: bool,
    /// HTTP: by paths, an Ingress or an HTTPRoute can carry it.
    pub http: bool,
}

/// The ports of a protocol.
pub fn endpoints(protocol: Protocol) -> &'static [Endpoint] {
    match protocol {
        Protocol::Smtp => &[SMTP],
        Protocol::Submission => &[SUBMISSION, SUBMISSIONS],
        Protocol::Lmtp => &[LMTP],
        Protocol::Imap => &[IMAP, IMAPS],
        Protocol::Pop3 => &[POP3, POP3S],
        Protocol::Dav => &[DAV, DAVS],
        // Those of the others: `of_pool`.
        Protocol::Ingress => &[],
    }
}

/// The gateway of `kontor-gateway NAME…` that serves a protocol.
pub fn gateway(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => "smtp",
        Protocol::Imap => "imap",
        Protocol::Pop3 => "pop3",
        Protocol::Dav => "dav",
        Protocol::Ingress => "ingress",
    }
}

/// Seconds that sessions of a protocol get to end, the delay before it among them.
pub fn grace_period(protocol: Protocol) -> i32 {
    match protocol {
        Protocol::Smtp | Protocol::Submission | Protocol::Lmtp | Protocol::Pop3 => 120,
        Protocol::Imap | Protocol::Ingress => 300,
        Protocol::Dav => 60,
    }
}

/// The paths of a protocol over HTTP, with all that is below them.
pub fn paths(protocol: Protocol) -> &'static [&'static str] {
    match protocol {
        Protocol::Dav => &["/dav", "/.well-known/caldav", "/.well-known/carddav", "/principals"],
        _ => &[],
    }
}

const fn at(name: &'static str, port: i32, pod_port: i32) -> Endpoint {
    Endpoint { name, port, pod_port, implicit_tls: false, inside: false, http: false }
}

const SMTP: Endpoint = at("smtp", 25, 2525);
const SUBMISSION: Endpoint = at("submission", 587, 2587);
const SUBMISSIONS: Endpoint = Endpoint { implicit_tls: true, ..at("submissions", 465, 2465) };
const LMTP: Endpoint = Endpoint { inside: true, ..at("lmtp", 24, 2424) };
const IMAP: Endpoint = at("imap", 143, 2143);
const IMAPS: Endpoint = Endpoint { implicit_tls: true, ..at("imaps", 993, 2993) };
const POP3: Endpoint = at("pop3", 110, 2110);
const POP3S: Endpoint = Endpoint { implicit_tls: true, ..at("pop3s", 995, 2995) };
const DAV: Endpoint = Endpoint { inside: true, http: true, ..at("dav", 80, 8080) };
const DAVS: Endpoint = Endpoint { implicit_tls: true, http: true, ..at("davs", 443, 8443) };
const HTTP: Endpoint = Endpoint { http: true, ..at("http", 80, 8080) };
const HTTPS: Endpoint = Endpoint { implicit_tls: true, http: true, ..at("https", 443, 8443) };

/// Where every pod tells its metrics and its health.
pub const MONITOR: i32 = 9090;

/// All ports of a pool. The ingress has those of the others, as far as they are for the outside; all of HTTP is one.
pub fn of_pool(spec: &GroupwareDeploymentSpec, pool: &GatewayPool) -> Vec<Endpoint> {
    let own = |pool: &GatewayPool| -> Vec<Endpoint> {
        pool.protocols.iter().flat_map(|protocol| endpoints(*protocol)).copied().collect()
    };
    if !is_ingress(pool) {
        return own(pool);
    }
    let others: Vec<_> = spec.gateways.iter().flat_map(own).collect();
    let http: &[Endpoint] = if others.iter().any(|endpoint| endpoint.http) { &[HTTP, HTTPS] } else { &[] };
    let tcp = others.into_iter().filter(|endpoint| !endpoint.inside && !endpoint.http);
    tcp.chain(http.iter().copied()).collect()
}

/// The ports of a pool that clients outside come to as they are, when they come to the pool itself: all but those of HTTP
/// where something that knows HTTP stands in front.
pub fn outside(spec: &GroupwareDeploymentSpec, pool: &GatewayPool) -> Vec<Endpoint> {
    let proxied = is_http_proxied(spec);
    let all = of_pool(spec, pool).into_iter();
    all.filter(|endpoint| !(endpoint.inside || endpoint.http && proxied)).collect()
}

/// Whether HTTP comes by an ingress controller's Ingress or a Gateway's HTTPRoutes.
pub fn is_http_proxied(spec: &GroupwareDeploymentSpec) -> bool {
    let exposure = &spec.network.exposure;
    exposure.ingress.is_some() || exposure.type_ == ExposureType::Gateway
}

/// The pools that serve HTTP, with their paths.
pub fn http_pools(spec: &GroupwareDeploymentSpec) -> impl Iterator<Item = (&GatewayPool, Vec<&'static str>)> {
    spec.gateways.iter().filter_map(|pool| {
        let paths: Vec<_> = pool.protocols.iter().flat_map(|protocol| paths(*protocol)).copied().collect();
        (!paths.is_empty()).then_some((pool, paths))
    })
}

/// Whether a pool is the way to the others.
pub fn is_ingress(pool: &GatewayPool) -> bool {
    pool.protocols.contains(&Protocol::Ingress)
}

/// The pool that is the way to the others.
pub fn ingress(spec: &GroupwareDeploymentSpec) -> Option<&GatewayPool> {
    spec.gateways.iter().find(|pool| is_ingress(pool))
}

/// Whether clients outside come to a pool itself.
pub fn is_exposed(spec: &GroupwareDeploymentSpec, pool: &GatewayPool) -> bool {
    ingress(spec).is_none_or(|ingress| ingress.name == pool.name) && !outside(spec, pool).is_empty()
}

impl Endpoint {
    /// The port in the pod that the ingress leads to. There every connection begins with a header of the PROXY protocol,
    /// or each request of HTTP has one that says who the client is, which is believed: nobody else may come to it. What
    /// the ingress does not lead to has none.
    pub fn behind_ingress(&self) -> Option<i32> {
        // The ingress ends the TLS of HTTP.
        let is_led_to = if self.http { !self.implicit_tls } else { !self.inside };
        is_led_to.then_some(self.pod_port + 10_000)
    }
}
