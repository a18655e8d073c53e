//! One bound on the memory that incoming messages may take in this process, however many arrive at once.

use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much memory incoming messages may take.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetConfig {
    /// All messages together, octets. At least `2 * largest`, else it is raised to that.
    #[serde(deserialize_with = "crate::config::size")]
    pub total: u64,
    /// One message, octets. A larger one is refused at once.
    #[serde(deserialize_with = "crate::config::size")]
    pub largest: u64,
    /// How long a message waits for its turn before its sender is told to try later.
    #[serde(deserialize_with = "crate::config::duration")]
    pub wait: Duration,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self { total: 512 << 20, largest: 128 << 20, wait: Duration::from_secs(60) }
    }
}

/// The process's memory budget for incoming messages. Cheap to clone; all clones are one.
///
/// Waiters are served in the order in which they came. A permit may grow while its message arrives (a sender need
/// not say how large it is); since growing while others grow could leave everybody waiting for everybody, one
/// permit at a time may go past the pool, up to `largest`, which is set aside for that. So somebody always gets
/// through, and `total` holds.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Arc<Semaphore>,
    pass: Arc<Semaphore>,
    largest: u64,
    wait: Duration,
    held: AtomicU64,
}

impl Budget {
    /// A budget with these bounds.
    pub fn new(config: &BudgetConfig) -> Self {
        let largest = config.largest.max(UNIT);
        let pool = config.total.saturating_sub(largest).max(largest);
        let units = units(pool).min(u32::MAX >> 3) as usize;
        Self(Arc::new(Inner {
            pool: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))),
            pass: Arc::new(Semaphore::new(1)),
            largest,
            wait: config.wait,
            held: AtomicU64::new(0),
        }))
    }

    /// The largest single message, octets.
    pub fn largest(&self) -> u64 {
        self.0.largest
    }

    /// Octets held by all permits now.
    pub fn held(&self) -> u64 {
        self.0.held.load(Ordering::Relaxed)
    }

    /// Waits for room for `octets`. Cancel-safe: a dropped waiter loses its place and nothing else.
    ///
    /// # Errors
    /// [`BudgetError::TooLarge`] at once when it can never fit, [`BudgetError::Busy`] after the configured wait.
    pub async fn acquire(&self, octets: u64) -> Result<Permit, BudgetError> {
        let mut permit = Permit { budget: self.clone(), held: Vec::new(), octets: 0, room: 0, pass: None };
        if octets > self.0.largest {
            return Err(BudgetError::TooLarge { largest: self.0.largest });
        }
        if octets > 0 {
            let wanted = units(octets);
            let taken =
                tokio::time::timeout(self.0.wait, self.0.pool.clone().acquire_many_owned(wanted)).await;
            let taken = taken.map_err(|_| BudgetError::Busy)?.map_err(|_| BudgetError::Busy)?;
            permit.add(octets, u64::from(wanted) * UNIT, Some(taken));
        }
        Ok(permit)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(&BudgetConfig::default())
    }
}

/// Room for one message; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    budget: Budget,
    held: Vec<OwnedSemaphorePermit>,
    octets: u64,
    room: u64,
    pass: Option<OwnedSemaphorePermit>,
}

impl Permit {
    /// Octets that this permit stands for.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Makes the permit stand for `octets` in all; waits when the pool is empty. Nothing happens when it already
    /// does. Cancel-safe.
    ///
    /// # Errors
    /// As for [`Budget::acquire`]; the permit keeps what it had.
    pub async fn grow_to(&mut self, octets: u64) -> Result<(), BudgetError> {
        let inner = self.budget.0.clone();
        if octets > inner.largest {
            return Err(BudgetError::TooLarge { largest: inner.largest });
        }
        if octets <= self.room || self.pass.is_some() {
            self.add(octets.saturating_sub(self.octets), 0, None);
            return Ok(());
        }
        // In steps, so that a message arriving in small pieces does not ask for every one of them.
        let step = (octets - self.room).max(STEP.min(inner.largest - self.room));
        let wanted = units(step);
        let room = u64::from(wanted) * UNIT;
        let more = octets - self.octets;
        if let Ok(taken) = inner.pool.clone().try_acquire_many_owned(wanted) {
            self.add(more, room, Some(taken));
            return Ok(());
        }
        let waiting = async {
            tokio::select! {
                pooled = inner.pool.clone().acquire_many_owned(wanted) => (pooled.ok(), None),
                pass = inner.pass.clone().acquire_owned() => (None, pass.ok()),
            }
        };
        match tokio::time::timeout(inner.wait, waiting).await {
            Ok((Some(taken), _)) => self.add(more, room, Some(taken)),
            Ok((None, Some(pass))) => {
                self.pass = Some(pass);
                self.add(more, 0, None);
            }
            Ok((None, None)) | Err(_) => return Err(BudgetError::Busy),
        }
        Ok(())
    }

    fn add(&mut self, octets: u64, room: u64, taken: Option<OwnedSemaphorePermit>) {
        self.octets += octets;
        self.room += room;
        let held = self.budget.0.held.fetch_add(octets, Ordering::Relaxed) + octets;
        metrics::gauge!("kontor_message_memory_bytes").set(held as f64);
        match (self.held.first_mut(), taken) {
            (Some(first), Some(taken)) => first.merge(taken),
            (None, Some(taken)) => self.held.push(taken),
            (_, None) => {}
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let held = self.budget.0.held.fetch_sub(self.octets, Ordering::Relaxed) - self.octets;
        metrics::gauge!("kontor_message_memory_bytes").set(held as f64);
    }
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BudgetError {
    /// It will never fit: refuse for good (SMTP 552 5.3.4).
    #[error("larger than the largest message, {largest} octets")]
    TooLarge {
        /// The limit, octets.
        largest: u64,
    },
    /// The process is full now: try later (SMTP 452 4.3.1).
    #[error("no memory for another message now")]
    Busy,
}

/// The semaphore counts these, so that 32 bits reach far enough.
const UNIT: u64 = 1024;
const STEP: u64 = 256 * 1024;

fn units(octets: u64) -> u32 {
    u32::try_from(octets.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(total: u64, largest: u64) -> Budget {
        Budget::new(&BudgetConfig { total, largest, wait: Duration::from_secs(10) })
    }

    #[tokio::test(start_paused = true)]
    async fn waiters_are_served_in_their_order() {
        let budget = budget(20 * UNIT, 10 * UNIT);
        let first = budget.acquire(10 * UNIT).await.expect("empty");
        let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
        for (n, size) in [(0, 10), (1, 1), (2, 9)] {
            let (budget, sender) = (budget.clone(), sender.clone());
            tokio::spawn(async move {
                let permit = budget.acquire(size * UNIT).await.expect("in time");
                sender.send(n).expect("the test listens");
                tokio::time::sleep(Duration::from_millis(10)).await;
                drop(permit);
            });
            tokio::task::yield_now().await;
        }
        drop(first);
        drop(sender);
        let mut seen = Vec::new();
        while let Some(n) = order.recv().await {
            seen.push(n);
        }
        // The small one would have fitted before the large one that came first; it waits all the same.
        assert_eq!(seen, [0, 1, 2]);
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn too_large_at_once_and_busy_after_the_wait() {
        let budget = budget(20 * UNIT, 10 * UNIT);
        let too_large = BudgetError::TooLarge { largest: 10 * UNIT };
        assert_eq!(budget.acquire(10 * UNIT + 1).await.expect_err("never"), too_large);
        let mut held = budget.acquire(10 * UNIT).await.expect("empty");
        assert_eq!(held.grow_to(10 * UNIT + 1).await.expect_err("never"), too_large);
        let before = tokio::time::Instant::now();
        assert_eq!(budget.acquire(1).await.expect_err("full"), BudgetError::Busy);
        assert_eq!(before.elapsed(), Duration::from_secs(10));
        drop(held);
        budget.acquire(1).await.expect("room again");
    }

    #[tokio::test(start_paused = true)]
    async fn messages_of_unknown_size_never_wait_for_each_other_for_ever() {
        let budget = budget(4 << 20, 2 << 20);
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let budget = budget.clone();
                tokio::spawn(async move {
                    let mut permit = budget.acquire(1).await.expect("a small start");
                    for size in 1..=8 {
                        permit.grow_to(size * 256 * 1024).await.expect("somebody gets through");
                        assert!(budget.held() <= 4 << 20, "{}", budget.held());
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("finished");
        }
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test]
    async fn growing_to_what_one_has_costs_nothing() {
        let budget = budget(4 << 20, 2 << 20);
        let mut permit = budget.acquire(1 << 20).await.expect("empty");
        permit.grow_to(10).await.expect("has it");
        assert_eq!((permit.octets(), budget.held()), (1 << 20, 1 << 20));
    }
}
