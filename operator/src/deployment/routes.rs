//! What is served where: the one table that Services, routes, container ports and listeners are made from.

use kontor_crds::groupware_deployment::{GatewayPool, GroupwareDeploymentSpec, Protocol};

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
    /// Only for the inside: it asks for no password.
    pub inside: bool,
}

/// The ports of a protocol.
pub fn endpoints(protocol: Protocol) -> &'static [Endpoint] {
    match protocol {
        Protocol::Smtp => &[SMTP],
        Protocol::Submission => &[SUBMISSION, SUBMISSIONS],
        Protocol::Lmtp => &[LMTP],
        Protocol::Imap => &[IMAP, IMAPS],
        Protocol::Pop3 => &[POP3, POP3S],
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
        Protocol::Ingress => "ingress",
    }
}

/// Seconds that sessions of a protocol get to end, the delay before it among them.
pub fn grace_period(protocol: Protocol) -> i32 {
    match protocol {
        Protocol::Smtp | Protocol::Submission | Protocol::Lmtp | Protocol::Pop3 => 120,
        Protocol::Imap | Protocol::Ingress => 300,
    }
}

const fn at(name: &'static str, port: i32, pod_port: i32) -> Endpoint {
    Endpoint { name, port, pod_port, implicit_tls: false, inside: false }
}

const SMTP: Endpoint = at("smtp", 25, 2525);
const SUBMISSION: Endpoint = at("submission", 587, 2587);
const SUBMISSIONS: Endpoint = Endpoint { implicit_tls: true, ..at("submissions", 465, 2465) };
const LMTP: Endpoint = Endpoint { inside: true, ..at("lmtp", 24, 2424) };
const IMAP: Endpoint = at("imap", 143, 2143);
const IMAPS: Endpoint = Endpoint { implicit_tls: true, ..at("imaps", 993, 2993) };
const POP3: Endpoint = at("pop3", 110, 2110);
const POP3S: Endpoint = Endpoint { implicit_tls: true, ..at("pop3s", 995, 2995) };

/// Where every pod tells its metrics and its health.
pub const MONITOR: i32 = 9090;

/// All ports of a pool. The ingress has those of the others, as far as they are for the outside.
pub fn of_pool(spec: &GroupwareDeploymentSpec, pool: &GatewayPool) -> Vec<Endpoint> {
    let own = |pool: &GatewayPool| -> Vec<Endpoint> {
        pool.protocols.iter().flat_map(|protocol| endpoints(*protocol)).copied().collect()
    };
    if !is_ingress(pool) {
        return own(pool);
    }
    spec.gateways.iter().flat_map(own).filter(|endpoint| !endpoint.inside).collect()
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
    ingress(spec).is_none_or(|ingress| ingress.name == pool.name)
        && of_pool(spec, pool).iter().any(|endpoint| !endpoint.inside)
}

impl Endpoint {
    /// The port in the pod that the ingress leads to. There every connection begins with a header of the PROXY protocol,
    /// which is believed: nobody else may come to it.
    pub fn behind_ingress(&self) -> i32 {
        self.pod_port + 10_000
    }
}
