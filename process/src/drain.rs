//! An orderly end: stop taking work, finish what is in flight, leave inside the grace period.

use std::future::Future;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The handle that every task of the process holds. Cheap to clone; all clones are one.
///
/// There are two steps. *Begun*: listeners stop accepting and sessions end at their next idle moment, saying
/// goodbye in their protocol's words. *Forced*: the grace period is over and tasks are dropped where they stand.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    begun: CancellationToken,
    forced: CancellationToken,
    tracker: TaskTracker,
}

impl Drain {
    /// A handle of its own, not draining.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts the first step. Idempotent.
    pub fn begin(&self) {
        self.begun.cancel();
    }

    /// Whether the first step has started.
    pub fn is_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Resolves when the first step starts; at once when it has. Cancel-safe. A session selects on this where it
    /// waits for its client, never in the middle of a command.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// A token that is cancelled when the first step starts, for APIs that take one.
    pub fn token(&self) -> CancellationToken {
        self.begun.clone()
    }

    /// Runs a task that [`Drain::finish`] waits for. It is dropped when the grace period ends.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let forced = self.forced.clone();
        self.tracker.spawn(async move {
            // The task first: what became ready in the same moment is not thrown away.
            tokio::select! {
                biased;
                () = task => {}
                () = forced.cancelled() => {}
            }
        })
    }

    /// Runs a task that must never be cut in half (a commit, an answer already promised): it is waited for, and
    /// not dropped when the grace period ends.
    pub fn spawn_commit<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker.spawn(task)
    }

    /// How many tasks are still running.
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Begins the drain, waits up to `grace` for all tasks, then forces the rest and gives these a short moment.
    /// True when nothing had to be forced.
    pub async fn finish(&self, grace: Duration) -> bool {
        self.begin();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait()).await.is_ok() {
            return true;
        }
        tracing::warn!(tasks = self.tracker.len(), "the grace period is over, cutting what still runs");
        self.forced.cancel();
        let _ = tokio::time::timeout(FORCED, self.tracker.wait()).await;
        false
    }
}

/// Resolves at the first SIGTERM or SIGINT, with the signal's name.
pub async fn stop_requested() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("cannot listen for signals, the process ends by SIGKILL only");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    }
}

const FORCED: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test(start_paused = true)]
    async fn waits_for_what_is_in_flight() {
        let drain = Drain::new();
        let done = Arc::new(AtomicBool::new(false));
        let flag = done.clone();
        drain.spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            flag.store(true, Ordering::SeqCst);
        });
        assert!(drain.finish(Duration::from_secs(10)).await);
        assert!(done.load(Ordering::SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn forces_what_does_not_end() {
        let drain = Drain::new();
        let task = drain.spawn(std::future::pending());
        assert!(!drain.finish(Duration::from_secs(1)).await);
        task.await.expect("the wrapper ends");
        assert_eq!(drain.running(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_outlives_the_grace_period() {
        let drain = Drain::new();
        let commit = drain.spawn_commit(async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            7
        });
        assert!(!drain.finish(Duration::from_secs(1)).await);
        assert_eq!(commit.await.expect("not cut"), 7);
    }
}
