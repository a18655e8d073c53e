//! Who a request comes from, and how much one address may ask for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use kontor_gateway_core::rate::{TokenBuckets, client_network};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::config::IngressConfig;
use crate::exchange::Exchange;

/// How the client reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// As in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// One connection's client.
pub(crate) struct Peer {
    pub ip: IpAddr,
    pub scheme: Scheme,
    /// Set when a drain wants waiting requests to end.
    pub ending: CancellationToken,
    exchanges: Mutex<Vec<(Weak<Exchange>, Duration)>>,
    /// Whether streams can stall one by one, unseen by the socket.
    multiplexed: bool,
}

impl Peer {
    pub fn new(ip: IpAddr, scheme: Scheme, multiplexed: bool) -> Self {
        let exchanges = Mutex::default();
        Self { ip, scheme, ending: CancellationToken::new(), exchanges, multiplexed }
    }

    /// Remembers an exchange of this connection.
    pub fn began(&self, exchange: &Arc<Exchange>, idle: Duration) {
        if self.multiplexed {
            let mut exchanges = self.exchanges.lock();
            if exchanges.len() >= SWEEP_AT {
                exchanges.retain(|(exchange, _)| exchange.strong_count() > 0);
            }
            exchanges.push((Arc::downgrade(exchange), idle));
        }
    }

    /// Whether a stream has been silent beyond its time without anybody having been able to end it: the client does
    /// not take what is there for it.
    pub fn has_stalled(&self) -> bool {
        let mut exchanges = self.exchanges.lock();
        exchanges.retain(|(exchange, _)| exchange.strong_count() > 0);
        exchanges.iter().any(|(exchange, idle)| {
            exchange.upgrade().is_some_and(|exchange| exchange.left_of(idle.saturating_add(MARGIN)).is_none())
        })
    }
}

/// What single client addresses take.
#[derive(Debug)]
pub(crate) struct Clients {
    rate: TokenBuckets<IpAddr>,
    at_once: Mutex<HashMap<IpAddr, usize>>,
    most: usize,
    exempt: Vec<IpNet>,
}

impl Clients {
    pub fn new(config: &IngressConfig) -> Arc<Self> {
        let per_minute = config.requests_per_minute;
        Arc::new(Self {
            rate: TokenBuckets::per_minute(per_minute, per_minute, TABLE),
            at_once: Mutex::default(),
            most: config.requests_at_once,
            exempt: config.exempt.clone(),
        })
    }

    /// A place for one request, unless the client has too many.
    ///
    /// # Errors
    /// [`TooMany`], with how long to wait.
    pub fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Place, TooMany> {
        if self.exempt.iter().any(|network| network.contains(&ip)) {
            return Ok(Place(None));
        }
        let key = client_network(ip);
        let now = Instant::now();
        if !self.rate.take(key, 1.0, now) {
            return Err(TooMany { retry_after: self.rate.wait(&key, now).min(Duration::from_secs(60)) });
        }
        if self.most == 0 {
            return Ok(Place(None));
        }
        let mut at_once = self.at_once.lock();
        let count = at_once.entry(key).or_insert(0);
        if *count >= self.most {
            return Err(TooMany { retry_after: Duration::from_secs(5) });
        }
        *count += 1;
        Ok(Place(Some((self.clone(), key))))
    }
}

/// A request's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place(Option<(Arc<Clients>, IpAddr)>);

impl Drop for Place {
    fn drop(&mut self) {
        let Some((clients, key)) = &self.0 else { return };
        let mut at_once = clients.at_once.lock();
        if let Some(count) = at_once.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                at_once.remove(key);
            }
        }
    }
}

/// The client has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub retry_after: Duration,
}

const TABLE: usize = 100_000;
const SWEEP_AT: usize = 256;
/// A silence that anybody watches ends by itself before this is over.
const MARGIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(per_minute: u32, at_once: usize) -> Arc<Clients> {
        Clients::new(&IngressConfig {
            requests_per_minute: per_minute,
            requests_at_once: at_once,
            exempt: vec!["10.0.0.0/8".parse().expect("a network")],
            ..IngressConfig::default()
        })
    }

    #[test]
    fn so_many_at_once_and_no_more() {
        let clients = clients(0, 2);
        let ip = IpAddr::from([192, 0, 2, 1]);
        let first = clients.admit(ip).expect("room");
        let second = clients.admit(ip).expect("room");
        assert!(clients.admit(ip).is_err());
        assert!(clients.admit(IpAddr::from([192, 0, 2, 2])).is_ok(), "another client");
        drop(first);
        let third = clients.admit(ip).expect("room again");
        drop((second, third));
        assert!(clients.at_once.lock().is_empty());
    }

    #[test]
    fn so_many_a_minute_and_no_more() {
        let clients = clients(60, 0);
        let ip = IpAddr::from([192, 0, 2, 1]);
        let taken = (0..200).filter(|_| clients.admit(ip).is_ok()).count();
        assert!((60..200).contains(&taken), "{taken}");
        let too_many = clients.admit(ip).expect_err("dry");
        assert!(too_many.retry_after <= Duration::from_secs(1));
        assert!((0..500).all(|_| clients.admit(IpAddr::from([10, 1, 2, 3])).is_ok()), "exempt");
    }
}
