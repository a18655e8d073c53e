//! The configuration of the ingress.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use kontor_gateway_core::Listeners;
use kontor_gateway_core::config::{duration, size};
use serde::Deserialize;

use crate::routes::{Name, Target, TcpName};

/// Everything but the HTTP listeners and the certificates, which are the process's.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngressConfig {
    /// Where the HTTP gateways are. A route whose target is not named here answers 404.
    pub upstreams: BTreeMap<Target, UpstreamConfig>,
    /// Ports that are forwarded as they are.
    pub tcp: BTreeMap<TcpName, TcpConfig>,
    /// Limits of single routes.
    pub routes: BTreeMap<Name, RouteConfig>,
    /// Proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and `Forwarded` are believed. From anybody else these are
    /// thrown away.
    pub trusted_proxies: Vec<IpNet>,
    /// Send clients that come without TLS to `https`, when there is a listener for it. Basic passwords go in clear
    /// text otherwise.
    pub https_redirect: bool,
    /// The port that clients see it at.
    pub https_port: u16,
    /// `Strict-Transport-Security` with this age; 0 sends none.
    #[serde(deserialize_with = "duration")]
    pub hsts: Duration,
    /// Log every request at `info`; at `debug` otherwise.
    pub access_log: bool,
    /// Requests a minute from one client address (of IPv6: one /64); 0 is no limit.
    pub requests_per_minute: u32,
    /// Requests at once from one client address; 0 is no limit.
    pub requests_at_once: usize,
    /// Networks that the limits for one address do not hold for.
    pub exempt: Vec<IpNet>,
    /// How long a client may take for the head of a request; also how long a connection may be kept without one.
    #[serde(deserialize_with = "duration")]
    pub header_timeout: Duration,
    /// How long a client may take nothing of what is sent to it.
    #[serde(deserialize_with = "duration")]
    pub write_timeout: Duration,
    /// The largest head of a request, octets.
    #[serde(deserialize_with = "size")]
    pub max_header: u64,
    /// How long a connection to an upstream may take.
    #[serde(deserialize_with = "duration")]
    pub connect_timeout: Duration,
    /// How long a request waits for an upstream when none can be reached, while addresses are looked up again. It does not
    /// wait for one that was last reached more than a minute ago.
    #[serde(deserialize_with = "duration")]
    pub upstream_wait: Duration,
    /// How long after the drain began long polls, streams and tunnels end, spread over the second half of it. Less
    /// than the process's own grace.
    #[serde(deserialize_with = "duration")]
    pub drain: Duration,
    /// How often names are resolved and upstreams are looked after.
    #[serde(deserialize_with = "duration")]
    pub check_interval: Duration,
    /// A secret that affinity cookies are made with; the same in all replicas. Without it they are hashes that a
    /// client could find the upstream's address from by trying.
    pub affinity_key_file: Option<PathBuf>,
}

impl Default for IngressConfig {
    fn default() -> Self {
        Self {
            upstreams: BTreeMap::new(),
            tcp: BTreeMap::new(),
            routes: BTreeMap::new(),
            trusted_proxies: Vec::new(),
            https_redirect: true,
            https_port: 443,
            hsts: Duration::ZERO,
            access_log: false,
            requests_per_minute: 12_000,
            requests_at_once: 2_000,
            exempt: Vec::new(),
            header_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(120),
            max_header: 64 << 10,
            connect_timeout: Duration::from_secs(3),
            upstream_wait: Duration::from_secs(6),
            drain: Duration::from_secs(20),
            check_interval: Duration::from_secs(5),
            affinity_key_file: None,
        }
    }
}

/// Where a gateway is: addresses, or a name that stands for them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamConfig {
    /// Addresses with ports.
    pub addresses: Vec<SocketAddr>,
    /// `name:port`, resolved again and again: each of its addresses is an upstream. A headless Service.
    pub dns: Option<String>,
    /// The port where an upstream answers `GET /readyz`. Without it, being able to connect is enough.
    pub health_port: Option<u16>,
}

/// A port that is forwarded as it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TcpConfig {
    /// Where to listen.
    pub listen: Listeners,
    /// As for HTTP.
    pub addresses: Vec<SocketAddr>,
    /// As for HTTP.
    pub dns: Option<String>,
    /// As for HTTP.
    pub health_port: Option<u16>,
    /// Tell the upstream who its client is, by the PROXY protocol version 2. Its listener has to trust us
    /// (`proxy_from`).
    pub proxy_protocol: bool,
    /// How long neither side may say anything.
    #[serde(deserialize_with = "duration")]
    pub idle: Duration,
}

impl Default for TcpConfig {
    fn default() -> Self {
        Self {
            listen: Listeners::default(),
            addresses: Vec::new(),
            dns: None,
            health_port: None,
            proxy_protocol: true,
            // The gateways have their own, shorter ones, with words.
            idle: Duration::from_secs(3600),
        }
    }
}

impl TcpConfig {
    /// Where it leads.
    pub fn upstream(&self) -> UpstreamConfig {
        UpstreamConfig {
            addresses: self.addresses.clone(),
            dns: self.dns.clone(),
            health_port: self.health_port,
        }
    }
}

/// What of a route may be changed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteConfig {
    /// How long neither side may say anything.
    #[serde(deserialize_with = "some_duration")]
    pub idle: Option<Duration>,
    /// The largest request body, octets.
    #[serde(deserialize_with = "some_size")]
    pub max_body: Option<u64>,
}

fn some_duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

fn some_size<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    size(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kontor_gateway_core::config::parse;

    #[test]
    fn read_and_told_what_is_wrong() {
        let text = "hsts = '180d'\n[upstreams.dav]\ndns = 'kontor-dav.mail.svc:8080'\nhealth_port = 9090\n\
                    [upstreams.ews]\naddresses = ['10.0.0.1:8080']\n[routes.ews]\nidle = '2h'\nmax_body = '1 GiB'\n\
                    [tcp.imaps]\nlisten = '0.0.0.0:2993'\ndns = 'kontor-imap.mail.svc:2993'";
        let config: IngressConfig = parse(text, []).expect("valid");
        assert_eq!(config.upstreams[&Target::Dav].health_port, Some(9090));
        assert_eq!(config.routes[&Name::Ews].max_body, Some(1 << 30));
        assert!(config.tcp[&TcpName::Imaps].proxy_protocol);
        assert_eq!(config.hsts.as_secs(), 180 * 86_400);
        let wrong = |text: &str| parse::<IngressConfig>(text, []).expect_err("wrong").to_string();
        assert_eq!(wrong("[upstreams.davv]"), "unknown value `davv`, did you mean `dav`? in `upstreams`");
        assert_eq!(
            wrong("[tcp.imap]\nlissten = 'x'"),
            "unknown key `lissten`, did you mean `listen`? in `tcp.imap`"
        );
    }
}
