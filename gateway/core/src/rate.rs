//! How often is too often: token buckets, wrong passwords, octets a second. All tables are bounded.

use ipnet::IpNet;
use parking_lot::Mutex;
use serde::Deserialize;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::time::Sleep;

/// What counts as one client: an IPv4 address, or the /64 that one IPv6 customer has at least.
pub fn client_network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

/// A bucket of tokens for each key: filled at a steady rate, up to its size.
///
/// At most `entries` keys are kept. A full bucket is the same as none, so that forgetting one costs nothing; when
/// all are in use the fullest of a few go first.
#[derive(Debug)]
pub struct TokenBuckets<K> {
    per_second: f64,
    size: f64,
    entries: usize,
    table: Mutex<HashMap<K, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl<K: Hash + Eq + Clone> TokenBuckets<K> {
    /// Buckets of `size` tokens that get `per_minute` a minute. A size of 0 is no limit at all.
    pub fn per_minute(size: u32, per_minute: u32, entries: usize) -> Self {
        let per_second = f64::from(per_minute) / 60.0;
        Self { per_second, size: f64::from(size), entries: entries.max(1), table: Mutex::new(HashMap::new()) }
    }

    /// Takes `tokens` out of the bucket of `key`, when they are there.
    pub fn take(&self, key: K, tokens: f64, now: Instant) -> bool {
        if self.size == 0.0 {
            return true;
        }
        let mut table = self.table.lock();
        self.make_room(&mut table, &key, now);
        let bucket = table.entry(key).or_insert(Bucket { tokens: self.size, at: now });
        bucket.tokens = self.filled(*bucket, now);
        bucket.at = now;
        if bucket.tokens < tokens {
            return false;
        }
        bucket.tokens -= tokens;
        true
    }

    /// How long until a token is there: zero when one is.
    pub fn wait(&self, key: &K, now: Instant) -> Duration {
        if self.size == 0.0 {
            return Duration::ZERO;
        }
        let missing = self.table.lock().get(key).map_or(0.0, |bucket| 1.0 - self.filled(*bucket, now));
        if missing <= 0.0 {
            Duration::ZERO
        } else if self.per_second == 0.0 {
            Duration::MAX
        } else {
            Duration::from_secs_f64(missing / self.per_second)
        }
    }

    /// How many tokens have gone from the bucket of `key`.
    pub fn used(&self, key: &K, now: Instant) -> f64 {
        self.table.lock().get(key).map_or(0.0, |bucket| self.size - self.filled(*bucket, now))
    }

    /// Fills the bucket of `key`.
    pub fn reset(&self, key: &K) {
        self.table.lock().remove(key);
    }

    /// How many keys are kept.
    pub fn len(&self) -> usize {
        self.table.lock().len()
    }

    /// Whether no key is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn filled(&self, bucket: Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.tokens + since * self.per_second).min(self.size)
    }

    fn make_room(&self, table: &mut HashMap<K, Bucket>, key: &K, now: Instant) {
        if table.len() < self.entries || table.contains_key(key) {
            return;
        }
        table.retain(|_, bucket| self.filled(*bucket, now) < self.size);
        if table.len() < self.entries {
            return;
        }
        // A sweep for each new key would be slow: a share goes at once.
        let mut left: Vec<f64> = table.values().map(|bucket| self.filled(*bucket, now)).collect();
        let share = (left.len() / 8).min(left.len().saturating_sub(1));
        let (_, median, _) = left.select_nth_unstable_by(share, |a, b| b.total_cmp(a));
        let (limit, mut drop) = (*median, share + 1);
        table.retain(|_, bucket| {
            let goes = drop > 0 && self.filled(*bucket, now) >= limit;
            drop -= usize::from(goes);
            !goes
        });
    }
}

/// How many wrong passwords are too many.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthLimits {
    /// Wrong passwords that a client address may try at once.
    pub failures_per_address: u32,
    /// Wrong passwords that it may try each minute after that.
    pub per_minute_and_address: u32,
    /// Wrong passwords for one account, from anywhere, before only addresses that have logged in to it before may
    /// go on trying.
    pub failures_per_account: u32,
    /// Wrong passwords for one account each minute after that.
    pub per_minute_and_account: u32,
    /// The longest that the answer to a wrong password is held back. The first comes after a 64th of it, each
    /// further one for the same account or address takes twice as long.
    #[serde(deserialize_with = "crate::config::duration")]
    pub longest_delay: Duration,
    /// Networks without limits (web mail behind its own).
    pub exempt: Vec<IpNet>,
}

impl Default for AuthLimits {
    fn default() -> Self {
        Self {
            failures_per_address: 20,
            per_minute_and_address: 5,
            failures_per_account: 50,
            per_minute_and_account: 5,
            longest_delay: Duration::from_secs(8),
            exempt: Vec::new(),
        }
    }
}

/// Wrong passwords of the whole process, by client and by account.
///
/// ```
/// # use kontor_gateway_core::AuthLimiter;
/// # let (auth, ip) = (AuthLimiter::default(), "192.0.2.1".parse().unwrap());
/// if let Err(too_many) = auth.admit(ip, "tim@example.org") {
///     // tell the client to try later; do not ask the directory
/// }
/// let right = false; // ask the directory
/// if right {
///     auth.succeeded(ip, "tim@example.org");
/// } else {
///     let _hold_back = auth.failed(ip, "tim@example.org"); // sleep this long, then say no
/// }
/// ```
#[derive(Debug)]
pub struct AuthLimiter {
    limits: AuthLimits,
    addresses: TokenBuckets<IpAddr>,
    accounts: TokenBuckets<String>,
    known: Mutex<HashMap<(IpAddr, String), Instant>>,
}

impl AuthLimiter {
    /// A limiter that has seen nothing.
    pub fn new(limits: AuthLimits) -> Self {
        Self {
            addresses: TokenBuckets::per_minute(
                limits.failures_per_address,
                limits.per_minute_and_address,
                TABLE,
            ),
            accounts: TokenBuckets::per_minute(
                limits.failures_per_account,
                limits.per_minute_and_account,
                TABLE,
            ),
            known: Mutex::new(HashMap::new()),
            limits,
        }
    }

    /// Whether a password may be tried now. `account` is the name as the client gave it.
    ///
    /// # Errors
    /// [`TooManyFailures`], with how long to wait.
    pub fn admit(&self, ip: IpAddr, account: &str) -> Result<(), TooManyFailures> {
        self.admit_at(ip, account, Instant::now())
    }

    /// Counts a right password.
    pub fn succeeded(&self, ip: IpAddr, account: &str) {
        self.succeeded_at(ip, account, Instant::now());
    }

    /// Counts a wrong password and says how long to hold the answer back.
    #[must_use = "the answer is to be held back this long"]
    pub fn failed(&self, ip: IpAddr, account: &str) -> Duration {
        self.failed_at(ip, account, Instant::now())
    }

    fn admit_at(&self, ip: IpAddr, account: &str, now: Instant) -> Result<(), TooManyFailures> {
        if self.is_exempt(ip) {
            return Ok(());
        }
        let (address, account) = (client_network(ip), name(account));
        let mut retry_after = self.addresses.wait(&address, now);
        if !self.known.lock().contains_key(&(address, account.clone())) {
            retry_after = retry_after.max(self.accounts.wait(&account, now));
        }
        if retry_after.is_zero() {
            return Ok(());
        }
        metrics::counter!("kontor_auth_total", "result" => "limited").increment(1);
        Err(TooManyFailures { retry_after })
    }

    fn succeeded_at(&self, ip: IpAddr, account: &str, now: Instant) {
        metrics::counter!("kontor_auth_total", "result" => "ok").increment(1);
        let key = (client_network(ip), name(account));
        let mut known = self.known.lock();
        if known.len() >= TABLE && !known.contains_key(&key) {
            known.retain(|_, at| now.saturating_duration_since(*at) < KNOWN_FOR);
            if known.len() >= TABLE {
                known.clear();
            }
        }
        known.insert(key, now);
    }

    fn failed_at(&self, ip: IpAddr, account: &str, now: Instant) -> Duration {
        metrics::counter!("kontor_auth_total", "result" => "denied").increment(1);
        if self.is_exempt(ip) {
            return Duration::ZERO;
        }
        let (address, account) = (client_network(ip), name(account));
        self.addresses.take(address, 1.0, now);
        self.accounts.take(account.clone(), 1.0, now);
        let failures = self.addresses.used(&address, now).max(self.accounts.used(&account, now));
        let doublings = (failures.ceil() as u32).saturating_sub(1).min(6);
        (self.limits.longest_delay / 64 * (1 << doublings)).min(self.limits.longest_delay)
    }

    fn is_exempt(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.limits.exempt.iter().any(|network| network.contains(&ip))
    }
}

impl Default for AuthLimiter {
    fn default() -> Self {
        Self::new(AuthLimits::default())
    }
}

/// Too many wrong passwords: say that a temporary limit is reached (IMAP `NO [LIMIT]`, SMTP 454 4.7.0, POP3
/// `-ERR [SYS/TEMP]`).
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("too many wrong passwords, try again in {} seconds", retry_after.as_secs() + 1)]
pub struct TooManyFailures {
    /// How long nothing will be tried.
    pub retry_after: Duration,
}

/// Octets a second of one connection.
#[derive(Debug)]
pub(crate) struct Throttle {
    rate: f64,
    tokens: f64,
    at: tokio::time::Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Throttle {
    pub(crate) fn new(octets_per_second: u64) -> Self {
        let rate = octets_per_second as f64;
        Self { rate, tokens: rate, at: tokio::time::Instant::now(), sleep: None }
    }

    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(sleep) = &mut self.sleep {
            std::task::ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        let now = tokio::time::Instant::now();
        self.tokens = (self.tokens + (now - self.at).as_secs_f64() * self.rate).min(self.rate);
        self.at = now;
        if self.tokens > 0.0 {
            return Poll::Ready(());
        }
        let wait = Duration::from_secs_f64((1.0 - self.tokens) / self.rate);
        let mut sleep = Box::pin(tokio::time::sleep(wait));
        let polled = sleep.as_mut().poll(cx);
        self.sleep = Some(sleep);
        polled
    }

    pub(crate) fn spend(&mut self, octets: usize) {
        self.tokens -= octets as f64;
    }
}

/// The name in one spelling, and not endless: the limiter must not be a place to store things.
fn name(account: &str) -> String {
    account.trim().chars().take(256).flat_map(char::to_lowercase).collect()
}

const TABLE: usize = 100_000;
const KNOWN_FOR: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    const TIM: &str = "Tim@example.org";

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    #[test]
    fn an_address_runs_dry_and_fills_again() {
        let limiter = AuthLimiter::default();
        let start = Instant::now();
        for n in 0..20 {
            limiter.admit_at(ip(1), &format!("user{n}"), start).expect("not yet");
            let _ = limiter.failed_at(ip(1), &format!("user{n}"), start);
        }
        let TooManyFailures { retry_after } = limiter.admit_at(ip(1), "another", start).expect_err("dry");
        assert!(retry_after <= Duration::from_secs(12), "{retry_after:?}");
        limiter.admit_at(ip(2), "another", start).expect("another address");
        limiter.admit_at(ip(1), "another", start + retry_after).expect("filled");
    }

    #[test]
    fn an_account_attacked_from_everywhere_still_works_from_home() {
        let limiter = AuthLimiter::default();
        let now = Instant::now();
        limiter.succeeded_at(ip(1), TIM, now);
        for n in 0..60 {
            let _ = limiter.failed_at(IpAddr::from([198, 51, 100, n]), "tim@EXAMPLE.org", now);
        }
        assert!(limiter.admit_at(ip(2), TIM, now).is_err());
        assert!(limiter.admit_at(ip(1), TIM, now).is_ok());
    }

    #[test]
    fn the_delay_doubles_up_to_its_bound() {
        let limiter = AuthLimiter::default();
        let now = Instant::now();
        let delays: Vec<_> = (0..9).map(|_| limiter.failed_at(ip(1), TIM, now).as_millis()).collect();
        assert_eq!(delays, [125, 250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(limiter.failed_at(ip(9), "another", now).as_millis(), 125);
    }

    #[test]
    fn one_customer_of_ipv6_is_one_client() {
        let one = client_network("2001:db8:1:2:3::4".parse().expect("ip"));
        assert_eq!(one, client_network("2001:db8:1:2:ffff::1".parse().expect("ip")));
        assert_ne!(one, client_network("2001:db8:1:3::4".parse().expect("ip")));
        assert_eq!(client_network("::ffff:192.0.2.1".parse().expect("ip")), ip(1));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_the_worst() {
        let buckets = TokenBuckets::per_minute(10, 1, 100);
        let now = Instant::now();
        for _ in 0..10 {
            assert!(buckets.take(0, 1.0, now));
        }
        for key in 1..10_000 {
            assert!(buckets.take(key, 1.0, now));
        }
        assert!(buckets.len() <= 100);
        assert!(!buckets.take(0, 1.0, now), "the empty bucket was kept");
    }
}
