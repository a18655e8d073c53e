//! How listeners are configured.

use ipnet::IpNet;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::net::SocketAddr;

/// One listening address. In TOML a table, in which everything but `bind` may be left out, or the address alone.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// Address and port; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Where TLS begins.
    pub tls: TlsMode,
    /// Balancers that speak the PROXY protocol. From these networks the header is required, from all others it is
    /// not understood.
    pub proxy_from: Vec<IpNet>,
    /// For HTTP: proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and `Forwarded` are believed; from anybody else
    /// these are thrown away. The limits for one address do not hold for them, since many clients share a connection.
    pub forwarded_from: Vec<IpNet>,
    /// Connections at once; more are told to try later.
    pub max_connections: usize,
    /// Connections at once from one client address (of IPv6: one /64).
    pub max_per_address: usize,
    /// New connections a minute from one client address; 0 is no limit.
    pub max_per_minute: u32,
    /// Networks that the limits for one address do not hold for (own gateways, web mail).
    pub exempt: Vec<IpNet>,
    /// Octets a second that one client may send; 0 is no limit.
    pub read_rate: u64,
    /// Connections that the kernel keeps until they are accepted.
    pub backlog: i32,
}

/// Where TLS begins.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// When the client asks, if there is a certificate.
    #[default]
    StartTls,
    /// With the first octet.
    Implicit,
    /// Never: for LMTP inside, or behind something that does TLS itself.
    None,
}

impl ListenerConfig {
    /// This address, STARTTLS when there is a certificate, the default limits.
    pub fn on(bind: SocketAddr) -> Self {
        Self {
            bind,
            tls: TlsMode::StartTls,
            proxy_from: Vec::new(),
            forwarded_from: Vec::new(),
            max_connections: DEFAULT_CONNECTIONS,
            max_per_address: DEFAULT_PER_ADDRESS,
            max_per_minute: 0,
            exempt: Vec::new(),
            read_rate: 0,
            backlog: DEFAULT_BACKLOG,
        }
    }

    /// The same with TLS beginning elsewhere.
    pub fn with_tls(mut self, tls: TlsMode) -> Self {
        self.tls = tls;
        self
    }
}

/// The listeners of one protocol: one or several, each a table or an address. In an environment variable several
/// addresses are separated by commas.
#[derive(Clone, Debug, Default)]
pub struct Listeners(pub Vec<ListenerConfig>);

impl Listeners {
    /// One listener on each address.
    pub fn on(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self(addresses.into_iter().map(ListenerConfig::on).collect())
    }
}

impl<'de> Deserialize<'de> for ListenerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = ListenerConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address such as \"0.0.0.0:143\" or a table with `bind`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ListenerConfig, E> {
                address(text).map(ListenerConfig::on)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ListenerConfig, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(ListenerConfig::from)
            }
        }
        deserializer.deserialize_any(One)
    }
}

impl<'de> Deserialize<'de> for Listeners {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Several;
        impl<'de> Visitor<'de> for Several {
            type Value = Listeners;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address such as \"0.0.0.0:143\", a table with `bind`, or a list of these")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Listeners, E> {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                let read = words.map(|word| {
                    let word: StrDeserializer<'_, E> = word.into_deserializer();
                    ListenerConfig::deserialize(word)
                });
                read.collect::<Result<_, E>>().map(Listeners)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Listeners, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(|table| Listeners(vec![table.into()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Listeners, A::Error> {
                let mut listeners = Vec::new();
                while let Some(listener) = list.next_element()? {
                    listeners.push(listener);
                }
                Ok(Listeners(listeners))
            }
        }
        deserializer.deserialize_any(Several)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    bind: SocketAddr,
    #[serde(default)]
    tls: TlsMode,
    #[serde(default)]
    proxy_from: Vec<IpNet>,
    #[serde(default)]
    forwarded_from: Vec<IpNet>,
    #[serde(default = "default_connections")]
    max_connections: usize,
    #[serde(default = "default_per_address")]
    max_per_address: usize,
    #[serde(default)]
    max_per_minute: u32,
    #[serde(default)]
    exempt: Vec<IpNet>,
    #[serde(default, deserialize_with = "crate::config::size")]
    read_rate: u64,
    #[serde(default = "default_backlog")]
    backlog: i32,
}

impl From<Table> for ListenerConfig {
    fn from(table: Table) -> Self {
        Self {
            bind: table.bind,
            tls: table.tls,
            proxy_from: table.proxy_from,
            forwarded_from: table.forwarded_from,
            max_connections: table.max_connections,
            max_per_address: table.max_per_address,
            max_per_minute: table.max_per_minute,
            exempt: table.exempt,
            read_rate: table.read_rate,
            backlog: table.backlog,
        }
    }
}

fn address<E: Error>(text: &str) -> Result<SocketAddr, E> {
    text.trim()
        .parse()
        .map_err(|_| E::custom(format_args!("`{text}` is not an address with a port, such as `0.0.0.0:143`")))
}

fn default_connections() -> usize {
    DEFAULT_CONNECTIONS
}

fn default_per_address() -> usize {
    DEFAULT_PER_ADDRESS
}

fn default_backlog() -> i32 {
    DEFAULT_BACKLOG
}

const DEFAULT_CONNECTIONS: usize = 100_000;
const DEFAULT_PER_ADDRESS: usize = 200;
const DEFAULT_BACKLOG: i32 = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Config {
        imap: Listeners,
    }

    fn ports(text: &str, environment: &[(&str, &str)]) -> Result<Vec<(u16, TlsMode)>, String> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let config: Config = parse(text, environment).map_err(|error| error.to_string())?;
        Ok(config.imap.0.iter().map(|one| (one.bind.port(), one.tls)).collect())
    }

    #[test]
    fn one_or_several_in_every_form() {
        let plain = TlsMode::StartTls;
        assert_eq!(ports("imap = '127.0.0.1:143'", &[]), Ok(vec![(143, plain)]));
        assert_eq!(ports("imap = ['0.0.0.0:1', '[::]:2']", &[]), Ok(vec![(1, plain), (2, plain)]));
        assert_eq!(
            ports("[imap]\nbind = '0.0.0.0:1'\ntls = 'implicit'", &[]),
            Ok(vec![(1, TlsMode::Implicit)])
        );
        let tables = "[[imap]]\nbind = '0.0.0.0:1'\nproxy_from = ['10.0.0.0/8']\n[[imap]]\nbind = '[::]:2'";
        assert_eq!(ports(tables, &[]), Ok(vec![(1, plain), (2, plain)]));
        let over = [("KONTOR__IMAP", "0.0.0.0:7, [::]:8")];
        assert_eq!(ports(tables, &over), Ok(vec![(7, plain), (8, plain)]));
        assert_eq!(ports("imap = []", &[]), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = ports("imap = ['143']", &[]).expect_err("no address");
        assert_eq!(error, "`143` is not an address with a port, such as `0.0.0.0:143` in `imap.0`");
        let error = ports("[[imap]]\nbind = '0.0.0.0:1'\nmax_conections = 3", &[]).expect_err("unknown");
        assert_eq!(error, "unknown key `max_conections`, did you mean `max_connections`? in `imap.0`");
    }
}
