//! A gateway as the routes see it: where it is, and which of its addresses a request goes to.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use kontor_gateway_core::Drain;
use metrics::Gauge;
use parking_lot::RwLock;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use crate::affinity::AffinityKey;
use crate::config::UpstreamConfig;
use crate::endpoint::{Endpoint, Rank};
use crate::exchange;
use crate::health::{self, Probe};
use crate::ingress::IngressError;
use crate::local::Local;
use crate::resolve::{Name, Resolver};

/// A gateway.
pub(crate) enum Upstream {
    /// In this process.
    Local(Local),
    /// Elsewhere.
    Remote(Arc<Pool>),
}

/// Where the addresses of a pool come from.
enum Source {
    Addresses(Vec<SocketAddr>),
    Dns(Name),
}

/// The addresses of a gateway.
pub(crate) struct Pool {
    pub target: &'static str,
    source: Source,
    probe: Probe,
    key: AffinityKey,
    endpoints: RwLock<Arc<[Arc<Endpoint>]>>,
    known: Gauge,
    healthy: Gauge,
    /// How many looks have been taken.
    looks: watch::Sender<u64>,
    /// Somebody needs an address that is not known yet.
    wanted: Notify,
    /// When one of them was last reached, or the pool was made.
    reached: AtomicU64,
}

/// Which address a request would like.
#[derive(Clone, Copy)]
pub(crate) enum Wish<'a> {
    None,
    /// The one with this token.
    Token(&'a str),
    /// The one that this client always gets.
    Client(IpAddr),
}

impl Pool {
    /// `without_port` is how its addresses are asked when the configuration names no port for that.
    ///
    /// # Errors
    /// When the configuration names no place, or two.
    pub fn new(
        target: &'static str,
        config: &UpstreamConfig,
        without_port: Probe,
        key: AffinityKey,
    ) -> Result<Arc<Self>, IngressError> {
        let source = match (&config.dns, config.addresses.as_slice()) {
            (Some(dns), []) => {
                Source::Dns(Name::parse(dns).ok_or_else(|| IngressError::Dns { target, name: dns.clone() })?)
            }
            (None, [_, ..]) => Source::Addresses(config.addresses.clone()),
            _ => return Err(IngressError::Place { target }),
        };
        let pool = Self {
            target,
            source,
            probe: config.health_port.map_or(without_port, Probe::Readyz),
            key,
            endpoints: RwLock::new(Arc::new([])),
            known: metrics::gauge!("kontor_upstreams", "target" => target, "state" => "known"),
            healthy: metrics::gauge!("kontor_upstreams", "target" => target, "state" => "healthy"),
            looks: watch::Sender::default(),
            wanted: Notify::new(),
            reached: AtomicU64::new(exchange::now()),
        };
        if let Source::Addresses(addresses) = &pool.source {
            pool.set(addresses);
        }
        Ok(Arc::new(pool))
    }

    /// Keeps looking after the addresses until the drain begins.
    pub fn watch(self: &Arc<Self>, interval: Duration, resolver: Arc<Resolver>, drain: &Drain) {
        let (this, token) = (self.clone(), drain.token());
        drain.spawn(async move {
            let mut failing = false;
            loop {
                if let Source::Dns(name) = &this.source {
                    match resolver.addresses(name).await {
                        Ok(addresses) => {
                            failing = false;
                            this.set(&addresses);
                        }
                        Err(error) => {
                            // Once, and not every few seconds.
                            if !failing {
                                tracing::warn!(gateway = this.target, %error, "cannot resolve the name of an upstream, keeping what is known");
                            }
                            failing = true;
                        }
                    }
                }
                this.check_all().await;
                this.looks.send_modify(|looks| *looks += 1);
                let pause = interval.mul_f64(rand::random_range(0.9..1.1));
                let wanted = async {
                    tokio::time::sleep(SHORTEST_PAUSE).await;
                    this.wanted.notified().await;
                };
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = wanted => {}
                    () = token.cancelled() => return,
                }
            }
        });
    }

    /// Resolves when the first look at all addresses was taken.
    pub async fn looked(&self) {
        // The pool holds the sender.
        drop(self.looks.subscribe().wait_for(|looks| *looks > 0).await);
    }

    /// Waits for another look, which is taken early: for a request that none of the addresses could take. False when that
    /// is no use: it is `until`, or nothing was reached for so long that only the regular looks make sense.
    pub async fn look_again(&self, until: Instant) -> bool {
        let silent = exchange::now().saturating_sub(self.reached.load(Ordering::Relaxed));
        if Duration::from_millis(silent) > HOPE {
            return false;
        }
        let mut looks = self.looks.subscribe();
        self.wanted.notify_one();
        matches!(timeout_at(until, looks.changed()).await, Ok(Ok(())))
    }

    /// An address answered.
    pub fn reached(&self, endpoint: &Endpoint) {
        endpoint.succeeded();
        self.reached.store(exchange::now(), Ordering::Relaxed);
    }

    /// The address for a request: what it wishes if that is healthy, else the one of two that has less to do, out of
    /// the best there are. None of `tried`.
    pub fn choose(&self, wish: Wish<'_>, tried: &[SocketAddr]) -> Option<Arc<Endpoint>> {
        let endpoints = self.endpoints.read().clone();
        let left = || endpoints.iter().filter(|endpoint| !tried.contains(&endpoint.address));
        if let Wish::Token(token) = wish
            && let Some(wished) = left().find(|endpoint| endpoint.token == token)
            && wished.rank() != Rank::Doubtful
        {
            return Some(wished.clone());
        }
        let best = left().map(|endpoint| endpoint.rank()).min()?;
        let candidates = || left().filter(|endpoint| endpoint.rank() <= best);
        if let Wish::Client(ip) = wish {
            return candidates().max_by_key(|endpoint| self.key.weight(ip, endpoint.address)).cloned();
        }
        let count = candidates().count();
        let one = candidates().nth(rand::random_range(0..count.max(1)));
        let other = candidates().nth(rand::random_range(0..count.max(1)));
        match (one, other) {
            (Some(one), Some(other)) if other.in_flight() < one.in_flight() => Some(other.clone()),
            // A rank may change between two looks.
            (one, other) => one.or(other).or_else(|| left().next()).cloned(),
        }
    }

    fn set(&self, addresses: &[SocketAddr]) {
        let wanted: BTreeSet<SocketAddr> = addresses.iter().copied().collect();
        let before = self.endpoints.read().clone();
        if before.len() == wanted.len() && before.iter().all(|endpoint| wanted.contains(&endpoint.address)) {
            return;
        }
        let made = |address| Arc::new(Endpoint::new(address, self.key.token(self.target, address)));
        let after: Arc<[Arc<Endpoint>]> = wanted
            .into_iter()
            .map(|address| {
                let kept = before.iter().find(|endpoint| endpoint.address == address);
                kept.cloned().unwrap_or_else(|| made(address))
            })
            .collect();
        tracing::info!(gateway = self.target, before = before.len(), now = after.len(), "upstreams changed");
        self.known.set(after.len() as f64);
        *self.endpoints.write() = after.clone();
        // Connections to what has gone end; requests that are on them do not need the pool.
        for gone in before.iter().filter(|e| !after.iter().any(|other| other.address == e.address)) {
            gone.forget_idle(true);
        }
    }

    async fn check_all(&self) {
        let endpoints = self.endpoints.read().clone();
        futures::stream::iter(endpoints.iter())
            .for_each_concurrent(CHECKS_AT_ONCE, async |endpoint| {
                endpoint.forget_idle(false);
                let outcome = health::check(endpoint.address, self.probe).await;
                let is_up = outcome.is_ok();
                if endpoint.set_checked(is_up) {
                    let (gateway, address) = (self.target, endpoint.address);
                    match outcome {
                        Ok(()) => tracing::info!(gateway, %address, "upstream is healthy"),
                        Err(why) => tracing::warn!(gateway, %address, why, "upstream is not healthy"),
                    }
                }
            })
            .await;
        let healthy = endpoints.iter().filter(|endpoint| endpoint.rank() == Rank::Healthy).count();
        self.healthy.set(healthy as f64);
    }
}

const CHECKS_AT_ONCE: usize = 16;
/// Between two looks, however much they are wanted.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
/// How long after an upstream was reached a request that cannot reach any waits for one.
const HOPE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(count: u8) -> Arc<Pool> {
        let addresses = (1..=count).map(|n| SocketAddr::from(([10, 0, 0, n], 80))).collect();
        let config = UpstreamConfig { addresses, ..UpstreamConfig::default() };
        Pool::new("test", &config, Probe::Connect, AffinityKey::new(b"")).expect("a place")
    }

    #[test]
    fn the_healthy_first_then_the_unknown_then_anybody() {
        let pool = pool(3);
        let endpoints = pool.endpoints.read().clone();
        endpoints[0].set_checked(true);
        endpoints[1].set_checked(false);
        for _ in 0..50 {
            let chosen = pool.choose(Wish::None, &[]).expect("one");
            assert_eq!(chosen.address, endpoints[0].address);
        }
        let without = [endpoints[0].address];
        assert_eq!(pool.choose(Wish::None, &without).expect("one").address, endpoints[2].address);
        let without = [endpoints[0].address, endpoints[2].address];
        assert_eq!(pool.choose(Wish::None, &without).expect("one").address, endpoints[1].address);
        assert!(pool.choose(Wish::None, &endpoints.iter().map(|e| e.address).collect::<Vec<_>>()).is_none());
    }

    #[test]
    fn who_has_less_to_do_gets_more() {
        let pool = pool(2);
        let endpoints = pool.endpoints.read().clone();
        let _busy: Vec<_> = (0..10).map(|_| endpoints[0].begin()).collect();
        let chosen =
            (0..400).filter(|_| pool.choose(Wish::None, &[]).expect("one").address == endpoints[1].address);
        assert!(chosen.count() > 200);
    }

    #[test]
    fn a_wish_is_granted_while_it_can_be() {
        let pool = pool(5);
        let endpoints = pool.endpoints.read().clone();
        let wished = &endpoints[3];
        for _ in 0..20 {
            let chosen = pool.choose(Wish::Token(&wished.token), &[]).expect("one");
            assert_eq!(chosen.address, wished.address);
        }
        wished.failed();
        assert_ne!(pool.choose(Wish::Token(&wished.token), &[]).expect("one").address, wished.address);
        wished.succeeded();
        let ip = IpAddr::from([192, 0, 2, 1]);
        let first = pool.choose(Wish::Client(ip), &[]).expect("one").address;
        assert!((0..20).all(|_| pool.choose(Wish::Client(ip), &[]).expect("one").address == first));
    }

    #[test]
    fn addresses_come_and_go_and_the_rest_stays() {
        let pool = pool(3);
        let before = pool.endpoints.read().clone();
        pool.set(&[before[1].address, SocketAddr::from(([10, 0, 0, 9], 80))]);
        let after = pool.endpoints.read().clone();
        assert_eq!(after.len(), 2);
        assert!(after.iter().any(|endpoint| Arc::ptr_eq(endpoint, &before[1])));
    }
}
