//! Hints that something changed: one stream for each replica, shared by all sessions of this process.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kontor_storage_proto as proto;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use crate::replicas::{Replica, Replicas};
use crate::session::Session;
use crate::stub::events_client::EventsClient;

/// A subscription; it ends when it is dropped.
pub struct WatchHandle {
    hints: watch::Receiver<u64>,
    key: (u64, u64),
    shared: Arc<Shared>,
}

impl WatchHandle {
    /// Waits until something may have changed since the last time it returned. Cancel-safe.
    pub async fn changed(&mut self) {
        if self.hints.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether something may have changed since the last time this or [`Self::changed`] was asked.
    pub fn take(&mut self) -> bool {
        let changed = self.hints.has_changed().unwrap_or(false);
        if changed {
            self.hints.mark_unchanged();
        }
        changed
    }
}

impl Drop for WatchHandle {
    fn drop(&mut self) {
        let mut interests = self.shared.interests.lock();
        let Some(mailbox) = interests.get_mut(&self.key.0) else { return };
        if let Some(folder) = mailbox.folders.get_mut(&self.key.1) {
            folder.handles = folder.handles.saturating_sub(1);
            if folder.handles == 0 {
                mailbox.folders.remove(&self.key.1);
            }
        }
        if mailbox.folders.is_empty() {
            interests.remove(&self.key.0);
            drop(interests);
            self.shared.revise();
        }
    }
}

pub(crate) struct Watcher {
    shared: Arc<Shared>,
    replicas: Arc<Replicas>,
    started: std::sync::Once,
    abort: Mutex<Option<tokio::task::AbortHandle>>,
}

struct Shared {
    interests: Mutex<HashMap<u64, MailboxInterest>>,
    /// Ticks when the set of mailboxes changed.
    revision: watch::Sender<u64>,
}

struct MailboxInterest {
    session: Session,
    folders: HashMap<u64, FolderInterest>,
}

struct FolderInterest {
    hints: watch::Sender<u64>,
    handles: usize,
}

impl Watcher {
    pub fn start(replicas: Arc<Replicas>) -> Self {
        let shared =
            Arc::new(Shared { interests: Mutex::new(HashMap::new()), revision: watch::channel(0).0 });
        Watcher { shared, replicas, started: std::sync::Once::new(), abort: Mutex::new(None) }
    }

    pub fn watch(&self, session: &Session, mailbox_id: u64, folder_id: u64) -> WatchHandle {
        self.started.call_once(|| {
            let task = tokio::spawn(keep_streams(self.replicas.clone(), self.shared.clone()));
            *self.abort.lock() = Some(task.abort_handle());
        });
        let mut interests = self.shared.interests.lock();
        let mut new_mailbox = false;
        let mailbox = interests.entry(mailbox_id).or_insert_with(|| {
            new_mailbox = true;
            MailboxInterest { session: session.clone(), folders: HashMap::new() }
        });
        let folder = mailbox
            .folders
            .entry(folder_id)
            .or_insert_with(|| FolderInterest { hints: watch::channel(0).0, handles: 0 });
        folder.handles += 1;
        let hints = folder.hints.subscribe();
        drop(interests);
        if new_mailbox {
            self.shared.revise();
        }
        WatchHandle { hints, key: (mailbox_id, folder_id), shared: self.shared.clone() }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(task) = self.abort.lock().take() {
            task.abort();
        }
    }
}

impl Shared {
    fn revise(&self) {
        self.revision.send_modify(|n| *n = n.wrapping_add(1));
    }

    fn hint(&self, event: &proto::WatchEvent) {
        let interests = self.interests.lock();
        let Some(mailbox) = interests.get(&event.mailbox_id) else { return };
        for (folder, interest) in &mailbox.folders {
            if *folder == 0 || event.folder_id == 0 || *folder == event.folder_id {
                interest.hints.send_modify(|n| *n = n.wrapping_add(1));
            }
        }
    }

    /// After a gap nobody knows what was missed.
    fn hint_all(&self) {
        for mailbox in self.interests.lock().values() {
            for folder in mailbox.folders.values() {
                folder.hints.send_modify(|n| *n = n.wrapping_add(1));
            }
        }
    }
}

/// Keeps one stream to each replica there is.
async fn keep_streams(replicas: Arc<Replicas>, shared: Arc<Shared>) {
    let mut changes = replicas.subscribe();
    let mut streams: HashMap<String, tokio::task::JoinHandle<()>> = HashMap::new();
    loop {
        let now = replicas.all();
        streams.retain(|name, task| {
            let keep = now.iter().any(|r| r.name == *name);
            if !keep {
                task.abort();
            }
            keep
        });
        for replica in now {
            streams
                .entry(replica.name.clone())
                .or_insert_with(|| tokio::spawn(keep_stream(replica, shared.clone())));
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn keep_stream(replica: Arc<Replica>, shared: Arc<Shared>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let opened = tokio::time::Instant::now();
        if let Err(error) = stream(&replica, &shared).await {
            tracing::debug!(replica = %replica.name, %error, "event stream ended");
        }
        shared.hint_all();
        if opened.elapsed() > Duration::from_secs(10) {
            pause = FIRST_PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

async fn stream(replica: &Replica, shared: &Shared) -> Result<(), crate::StoreError> {
    let (requests, receiver) = mpsc::channel::<proto::WatchRequest>(64);
    let mut revision = shared.revision.subscribe();
    let outgoing = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut events =
        EventsClient::new(replica.channel.clone()).watch(tonic::Request::new(outgoing)).await?.into_inner();
    let mut told: HashMap<u64, ()> = HashMap::new();
    // What came between the last stream and this one was not heard.
    shared.hint_all();
    loop {
        revision.mark_unchanged();
        let wanted: HashMap<u64, Session> =
            shared.interests.lock().iter().map(|(id, m)| (*id, m.session.clone())).collect();
        let gone: Vec<u64> = told.keys().filter(|id| !wanted.contains_key(id)).copied().collect();
        let new: Vec<(u64, Session)> = wanted.into_iter().filter(|(id, _)| !told.contains_key(id)).collect();
        // Asking and listening go on side by side: a full request channel must not stop the events.
        let ask = async {
            for id in gone {
                let interest = Some(proto::watch_request::Interest::Remove(id));
                if requests.send(proto::WatchRequest { interest }).await.is_err() {
                    return;
                }
                told.remove(&id);
            }
            for (id, session) in new {
                told.insert(id, ());
                let Ok(token) = session.token().await else { continue };
                let add = proto::WatchAdd { mailbox_id: id, token };
                let interest = Some(proto::watch_request::Interest::Add(add));
                if requests.send(proto::WatchRequest { interest }).await.is_err() {
                    return;
                }
            }
            let _closed = revision.changed().await;
        };
        tokio::pin!(ask);
        loop {
            tokio::select! {
                () = &mut ask => break,
                event = events.message() => match event? {
                    Some(event) => shared.hint(&event),
                    None => return Ok(()),
                },
            }
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);
