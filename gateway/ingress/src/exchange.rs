//! What both halves of one exchange know of each other: when something was last said, how much, and who broke it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Shared by the request body, the response body and whoever waits between them.
#[derive(Debug)]
pub(crate) struct Exchange {
    last: AtomicU64,
    blame: AtomicU8,
    received: AtomicU64,
    sent: AtomicU64,
}

/// Whose fault it is that a request body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// Nobody's.
    None,
    /// More than the route takes.
    TooLarge,
    /// The client said nothing for too long.
    ClientIdle,
    /// The client went away, or sent what is no body.
    ClientBroke,
}

impl Exchange {
    pub fn new() -> Self {
        Self {
            last: AtomicU64::new(now()),
            blame: AtomicU8::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        }
    }

    /// The client sent this much.
    pub fn received(&self, octets: usize) {
        self.received.fetch_add(octets as u64, Ordering::Relaxed);
        self.touch();
    }

    /// The upstream sent this much.
    pub fn sent(&self, octets: usize) {
        self.sent.fetch_add(octets as u64, Ordering::Relaxed);
        self.touch();
    }

    pub fn touch(&self) {
        self.last.store(now(), Ordering::Relaxed);
    }

    /// Octets from the client and to it.
    pub fn octets(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }

    /// How much of `idle` is left; nothing when it is over.
    pub fn left_of(&self, idle: Duration) -> Option<Duration> {
        let silent = Duration::from_millis(now().saturating_sub(self.last.load(Ordering::Relaxed)));
        idle.checked_sub(silent).filter(|left| !left.is_zero())
    }

    /// The first one counts.
    pub fn blame(&self, blame: Blame) {
        let _ = self.blame.compare_exchange(0, blame as u8, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub fn blamed(&self) -> Blame {
        [Blame::TooLarge, Blame::ClientIdle, Blame::ClientBroke]
            .into_iter()
            .find(|blame| *blame as u8 == self.blame.load(Ordering::Relaxed))
            .unwrap_or(Blame::None)
    }
}

/// Milliseconds since the first call, by a clock that never goes back.
pub(crate) fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    u64::try_from(Instant::now().saturating_duration_since(start).as_millis()).unwrap_or(u64::MAX)
}
