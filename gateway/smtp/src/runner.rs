//! The queue runner: takes due messages under a lease and delivers them.
//!
//! Any number of runners may work on one queue. A message is handed to the next hop at least once; exactly
//! once where the answer was seen and could be reported. A runner that dies loses its leases, and the
//! messages come due again.

mod backoff;
mod relay;
mod transaction;
mod work;

use std::sync::Arc;
use std::time::Duration;

use kontor_storage_client::proto;
use tokio::sync::Semaphore;

use crate::gateway::Gateway;
use crate::runner::relay::Relay;

/// Works until the drain begins; messages in flight are finished by tasks that the drain waits for.
pub async fn run(gateway: Arc<Gateway>) {
    if !gateway.config.queue.runner {
        return;
    }
    let relay = gateway.config.relay.clone().map(|config| Arc::new(Relay::new(config, &gateway.hostname)));
    if relay.is_none() {
        tracing::info!("no relay host is configured: outgoing mail waits in the queue");
    }
    let slots = Arc::new(Semaphore::new(gateway.config.queue.concurrency.clamp(1, 1000)));
    let name = format!("{}-{}", gateway.hostname, gateway.new_id());
    let mut pause = FIRST_PAUSE;
    loop {
        let leased = tokio::select! {
            () = gateway.drain.begun() => return,
            leased = lease(&gateway, &slots, &name) => leased,
        };
        match leased {
            Ok(messages) => {
                pause = FIRST_PAUSE;
                for (message, slot) in messages {
                    let (gateway, relay) = (gateway.clone(), relay.clone());
                    gateway.drain.clone().spawn(async move {
                        work::deliver(&gateway, relay.as_deref(), message).await;
                        drop(slot);
                    });
                }
            }
            Err(error) => {
                if pause == FIRST_PAUSE {
                    tracing::warn!(%error, "the queue cannot be read");
                }
                tokio::select! {
                    () = gateway.drain.begun() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }
}

type Slot = tokio::sync::OwnedSemaphorePermit;

/// As many due messages as there are free slots.
async fn lease(
    gateway: &Gateway,
    slots: &Arc<Semaphore>,
    name: &str,
) -> Result<Vec<(proto::QueuedMessage, Slot)>, kontor_storage_client::StoreError> {
    let Ok(first) = slots.clone().acquire_owned().await else { return Ok(Vec::new()) };
    let mut free = vec![first];
    while free.len() < BATCH
        && let Ok(slot) = slots.clone().try_acquire_owned()
    {
        free.push(slot);
    }
    let request = proto::LeaseRequest {
        runner: name.into(),
        max: u32::try_from(free.len()).unwrap_or(1),
        lease_seconds: u32::try_from(gateway.config.queue.lease.as_secs().max(10)).unwrap_or(u32::MAX),
        wait_ms: u32::try_from(WAIT.as_millis()).unwrap_or(0),
    };
    let started = tokio::time::Instant::now();
    let messages = gateway.store.lease(request).await?;
    // A store that answers "nothing" at once must not be asked in a circle.
    if messages.is_empty() && started.elapsed() < FIRST_PAUSE {
        tokio::time::sleep(FIRST_PAUSE).await;
    }
    Ok(messages.into_iter().zip(free).collect())
}

const BATCH: usize = 16;
const WAIT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(30);
