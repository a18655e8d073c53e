//! From the name of a headless Service to the addresses of its pods, with the machine's resolver settings and without
//! a cache of ours: the answers' lifetimes are the name servers' business, and they are asked every few seconds.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::NetError;

/// A name with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    host: String,
    port: u16,
}

impl Name {
    /// From `name:port`.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        let port = port.parse().ok().filter(|port| *port != 0)?;
        (!host.is_empty() && host.len() < 255 && host.bytes().all(good))
            .then(|| Self { host: host.to_owned(), port })
    }
}

/// The machine's resolver (`/etc/resolv.conf`, `/etc/hosts`).
pub(crate) struct Resolver(Option<TokioResolver>);

impl Resolver {
    /// One that resolves nothing when the machine's settings cannot be read; that is said when somebody asks.
    pub fn new() -> Self {
        let built = TokioResolver::builder_tokio().and_then(|mut builder| {
            let options = builder.options_mut();
            options.cache_size = 0;
            options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            builder.build()
        });
        match built {
            Ok(resolver) => Self(Some(resolver)),
            Err(error) => {
                tracing::error!(%error, "cannot use this machine's resolver settings");
                Self(None)
            }
        }
    }

    /// The addresses now. A name that has none is an answer too: a Service without ready pods.
    pub async fn addresses(&self, name: &Name) -> Result<Vec<SocketAddr>, String> {
        if let Ok(ip) = name.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, name.port)]);
        }
        let Some(resolver) = &self.0 else { return Err("no resolver".to_owned()) };
        match resolver.lookup_ip(name.host.as_str()).await {
            Ok(found) => Ok(found.iter().map(|ip| SocketAddr::new(ip, name.port)).collect()),
            Err(error) if is_empty(&error) => Ok(Vec::new()),
            Err(error) => Err(format!("{}: {error}", name.host)),
        }
    }
}

fn is_empty(error: &NetError) -> bool {
    error.is_no_records_found()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_ports() {
        let name = |text: &str| Name::parse(text).map(|name| (name.host, name.port));
        assert_eq!(name("kontor-dav.mail.svc:8080"), Some(("kontor-dav.mail.svc".to_owned(), 8080)));
        for wrong in ["", "x", "x:", ":80", "x:0", "x:70000", "x y:80", "http://x:80"] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn this_machine_is_known_by_name() {
        let resolver = Resolver::new();
        let found = resolver.addresses(&Name::parse("localhost:80").expect("a name")).await.expect("known");
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 80), "{found:?}");
        assert!(!found.is_empty());
    }
}
