//! Changes on their way to the storage nodes: gathered for a moment, sent in one call, answered one by one.
//!
//! Needs a client of the storage nodes. The controllers call it; nothing else of the directory talks to the store.

use crate::storage::{NoStorage, StorageAccess};
use futures::future::BoxFuture;
use kontor_crds::GroupwareDeployment;
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::{ApplyResult, Change};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// The administration of a deployment's directory.
pub trait Admin: Send + Sync + 'static {
    /// Applies changes in order; one result for each.
    fn apply<'a>(
        &'a self,
        deployment: &'a GroupwareDeployment,
        changes: Vec<Change>,
    ) -> BoxFuture<'a, Result<Vec<ApplyResult>, Trouble>>;
}

/// Why there is no answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody answers, or not in time. A later try may.
    #[error("the storage nodes are not available: {0}")]
    Unavailable(String),
    /// They answer that this will not do.
    #[error("the storage nodes refuse: {0}")]
    Refused(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) => Trouble::Unavailable(why),
            other => Trouble::Refused(other.to_string()),
        }
    }
}

impl From<NoStorage> for Trouble {
    fn from(error: NoStorage) -> Self {
        let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        Trouble::Unavailable(format!("{error}{cause}"))
    }
}

impl Admin for StorageAccess {
    fn apply<'a>(
        &'a self,
        deployment: &'a GroupwareDeployment,
        changes: Vec<Change>,
    ) -> BoxFuture<'a, Result<Vec<ApplyResult>, Trouble>> {
        Box::pin(async move {
            let client = self.client(deployment).await?;
            Ok(client.apply(changes).await?)
        })
    }
}

/// One queue for each deployment.
pub struct Batches {
    admin: Arc<dyn Admin>,
    /// By UID of the deployment.
    queues: Mutex<HashMap<String, mpsc::Sender<Waiting>>>,
}

struct Waiting {
    change: Change,
    answer: oneshot::Sender<Result<ApplyResult, Trouble>>,
}

impl Batches {
    /// Nothing is waiting yet.
    pub fn new(admin: Arc<dyn Admin>) -> Self {
        Self { admin, queues: Mutex::default() }
    }

    /// Has one change made, together with those that come at the same time. Dropping the future does not take the
    /// change back.
    ///
    /// # Errors
    /// [`Trouble`], for the whole call that the change was part of.
    pub async fn apply(
        &self,
        deployment: &Arc<GroupwareDeployment>,
        change: Change,
    ) -> Result<ApplyResult, Trouble> {
        let (answer, answered) = oneshot::channel();
        let gone = || Trouble::Unavailable("the call was given up".to_owned());
        self.queue(deployment).send(Waiting { change, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    fn queue(&self, deployment: &Arc<GroupwareDeployment>) -> mpsc::Sender<Waiting> {
        let mut queues = self.queues.lock();
        if let Some(queue) = queues.get(deployment.uid())
            && !queue.is_closed()
        {
            return queue.clone();
        }
        let (sender, receiver) = mpsc::channel(LARGEST);
        tokio::spawn(work(self.admin.clone(), deployment.clone(), receiver));
        queues.insert(deployment.uid().to_owned(), sender.clone());
        sender
    }

    /// Ends the queue of a deployment that is gone; what waits in it is still tried.
    pub fn forget(&self, uid: &str) {
        self.queues.lock().remove(uid);
    }
}

async fn work(
    admin: Arc<dyn Admin>,
    deployment: Arc<GroupwareDeployment>,
    mut queue: mpsc::Receiver<Waiting>,
) {
    let calls = Arc::new(Semaphore::new(CALLS));
    while let Some(first) = queue.recv().await {
        let mut batch = vec![first];
        let end = Instant::now() + LINGER;
        while batch.len() < LARGEST {
            match timeout_at(end, queue.recv()).await {
                Ok(Some(next)) => batch.push(next),
                Ok(None) | Err(_) => break,
            }
        }
        let Ok(permit) = calls.clone().acquire_owned().await else { return };
        let (admin, deployment) = (admin.clone(), deployment.clone());
        tokio::spawn(async move {
            call(&*admin, &deployment, batch).await;
            drop(permit);
        });
    }
}

async fn call(admin: &dyn Admin, deployment: &GroupwareDeployment, batch: Vec<Waiting>) {
    metrics::histogram!("kontor_operator_directory_batch")
        .record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
    let (changes, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|w| (w.change, w.answer)).unzip();
    let outcome = match timeout(DEADLINE, admin.apply(deployment, changes)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Trouble::Unavailable(format!("no answer in {} s", DEADLINE.as_secs()))),
    };
    match outcome {
        Ok(results) => {
            let mut results = results.into_iter();
            for answer in answers {
                let result = results
                    .next()
                    .ok_or_else(|| Trouble::Refused("an answer without a result for each change".into()));
                // The controller may have lost interest; the change is made all the same.
                let _ = answer.send(result);
            }
        }
        Err(trouble) => {
            metrics::counter!("kontor_operator_directory_errors_total").increment(1);
            tracing::debug!(%trouble, "the directory could not be changed");
            for answer in answers {
                let _ = answer.send(Err(trouble.clone()));
            }
        }
    }
}

/// How long the first change of a call waits for others.
const LINGER: Duration = Duration::from_millis(50);
/// Changes in one call.
const LARGEST: usize = 200;
/// Calls at the same time for one deployment.
const CALLS: usize = 4;
/// 200 passwords take some seconds to hash; more than this is no answer.
const DEADLINE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with the size of the call, and remembers the calls.
    #[derive(Default)]
    struct Counter(Mutex<Vec<usize>>, bool);

    impl Admin for Counter {
        fn apply<'a>(
            &'a self,
            _: &'a GroupwareDeployment,
            changes: Vec<Change>,
        ) -> BoxFuture<'a, Result<Vec<ApplyResult>, Trouble>> {
            self.0.lock().push(changes.len());
            let outcome = if self.1 {
                Err(Trouble::Unavailable("away".into()))
            } else {
                let number = |i| ApplyResult { mailbox_id: i as u64, ..Default::default() };
                Ok((0..changes.len()).map(number).collect())
            };
            Box::pin(async move { outcome })
        }
    }

    fn deployment() -> Arc<GroupwareDeployment> {
        let json = serde_json::json!({
            "apiVersion": "kontor.dev/v1alpha1", "kind": "GroupwareDeployment",
            "metadata": {"name": "g", "namespace": "n", "uid": "u"},
            "spec": {"image": {"tag": "1"}, "gateways": [], "storage": {"embedded": {}}},
        });
        Arc::new(serde_json::from_value(json).expect("a deployment"))
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_at_once_goes_in_one_call() {
        let counter = Arc::new(Counter::default());
        let batches = Batches::new(counter.clone());
        let deployment = deployment();
        let all = (0..450).map(|_| batches.apply(&deployment, Change::default()));
        let results = futures::future::join_all(all).await;
        assert!(results.iter().all(Result::is_ok));
        let sizes = counter.0.lock().clone();
        assert_eq!(sizes.iter().sum::<usize>(), 450);
        assert!(sizes.len() <= 5 && sizes.iter().all(|s| *s <= LARGEST), "{sizes:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_is_everybodys() {
        let batches = Batches::new(Arc::new(Counter(Mutex::default(), true)));
        let deployment = deployment();
        let (a, b) = tokio::join!(
            batches.apply(&deployment, Change::default()),
            batches.apply(&deployment, Change::default())
        );
        assert_eq!(a, Err(Trouble::Unavailable("away".into())));
        assert_eq!(a, b);
    }
}
