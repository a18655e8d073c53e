//! Fetching subscriptions anew, and making their folders what was fetched.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kontor_model::icalendar::{self, Component, Feed, FeedError, FeedOptions};
use kontor_storage_client::proto::{
    DeleteItemRequest, Folder, ItemsRequest, OpenResponse, UpdateFolderRequest,
};
use kontor_storage_client::{Session, StoreError};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

use super::fetch::{FetchError, Fetched, Fetcher, Validators};
use super::{State, Subscription, SubscriptionConfig};
use crate::derived::uid_of;
use crate::home::{Collection, collections};
use crate::item::{NewItem, calendar, text};
use crate::kept::{KONTOR, Kept};
use crate::method::folder_name;

/// Keeps subscriptions fresh. One for a process.
pub(crate) struct Subscriptions {
    fetcher: Fetcher,
    slots: Arc<Semaphore>,
    /// Folders that are being fetched here.
    running: Mutex<HashMap<u64, HashMap<u64, watch::Receiver<()>>>>,
}

/// Why a subscription is not fresh. Its owner reads it.
#[derive(Debug, thiserror::Error)]
enum Stale {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("this is no calendar: {0}")]
    Syntax(#[from] icalendar::Error),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error("the calendar is empty now; what was there is kept")]
    Empty,
    #[error("there is no room for it in the mailbox")]
    Quota,
    #[error("it took too long to store all of it; the rest follows")]
    Late,
    #[error("the server could not store it now")]
    Store(#[source] StoreError),
}

impl From<StoreError> for Stale {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OverQuota => Self::Quota,
            error => Self::Store(error),
        }
    }
}

impl Subscriptions {
    pub fn new(config: &SubscriptionConfig) -> Arc<Self> {
        Arc::new(Self {
            fetcher: Fetcher::new(config.allow.clone()),
            slots: Arc::new(Semaphore::new(MOST_AT_ONCE)),
            running: Mutex::default(),
        })
    }

    /// Fetches what is due in somebody's own mailbox, and waits for it a moment; longer for what was never there.
    /// Whether something may be different now.
    pub async fn freshen(self: &Arc<Self>, session: &Session, opened: &OpenResponse) -> bool {
        let (ends, patience) = self.due(session, opened);
        if ends.is_empty() {
            return false;
        }
        let all = futures::future::join_all(ends.into_iter().map(|mut end| async move {
            // Nothing is ever sent: it ends with its sender.
            drop(end.changed().await);
        }));
        drop(tokio::time::timeout(patience, all).await);
        true
    }

    /// Fetches what is due, and does not wait for it.
    pub fn begin(self: &Arc<Self>, session: &Session, opened: &OpenResponse) {
        self.due(session, opened);
    }

    /// Begins to fetch what is due. The ends of what is being fetched, and how long somebody should wait for them.
    fn due(
        self: &Arc<Self>,
        session: &Session,
        opened: &OpenResponse,
    ) -> (Vec<watch::Receiver<()>>, Duration) {
        let (mut ends, mut patience) = (Vec::new(), A_MOMENT);
        if opened.mailbox_id != session.info().mailbox_id {
            return (ends, patience);
        }
        let now = now();
        for folder in opened.folders.iter().filter(|folder| may_be_subscription(folder)) {
            let Some(subscription) = Subscription::of(&Kept::read(&folder.properties)) else { continue };
            let is_due = subscription.is_due(now);
            if let Some(end) = self.start(session, opened.mailbox_id, folder.folder_id, is_due) {
                ends.push(end);
                if !subscription.was_fetched() {
                    patience = AT_FIRST;
                }
            }
        }
        (ends, patience)
    }

    /// Begins to fetch where that is due; what hears of the end of it, as of one that was begun before.
    fn start(
        self: &Arc<Self>,
        session: &Session,
        mailbox_id: u64,
        folder_id: u64,
        is_due: bool,
    ) -> Option<watch::Receiver<()>> {
        let mut running = self.running.lock();
        if let Some(end) = running.get(&mailbox_id).and_then(|folders| folders.get(&folder_id)) {
            return Some(end.clone());
        }
        let slot = if is_due { self.slots.clone().try_acquire_owned().ok()? } else { return None };
        let (sender, end) = watch::channel(());
        running.entry(mailbox_id).or_default().insert(folder_id, end.clone());
        drop(running);
        let (own, session) = (Arc::clone(self), session.clone());
        tokio::spawn(async move {
            if let Err(error) = own.refresh(&session, folder_id).await {
                tracing::debug!(%error, folder_id, "a subscription is not fresh");
            }
            let mut running = own.running.lock();
            if let Some(folders) = running.get_mut(&mailbox_id) {
                folders.remove(&folder_id);
                if folders.is_empty() {
                    running.remove(&mailbox_id);
                }
            }
            drop((slot, sender));
        });
        Some(end)
    }

    async fn refresh(&self, session: &Session, folder_id: u64) -> Result<(), StoreError> {
        let (collection, subscription) = find(session, folder_id).await?;
        let begun = now();
        if !subscription.is_due(begun) {
            return Ok(());
        }
        let state = State { busy: Some(begun + LEASE), ..subscription.state.clone() };
        match save(session, &collection, &state, None).await {
            // Another gateway was faster.
            Err(StoreError::Conflict(_)) => return Ok(()),
            saved => saved?,
        }
        let outcome = self.fetch(session, &collection, &subscription).await;
        let mut state = State { busy: None, tried: Some(begun), ..subscription.state.clone() };
        let mut name = None;
        match outcome {
            Ok(None) => {
                state.fetched = Some(begun);
                state.error.clear();
            }
            Ok(Some(stored)) => {
                state.fetched = Some(begun);
                state.validators = stored.validators;
                state.refresh = stored.refresh;
                state.error = match stored.skipped {
                    0 => String::new(),
                    n => format!("{n} events could not be read"),
                };
                let is_unnamed = collection.folder.name == folder_name(&collection.slug);
                name = stored.name.filter(|_| is_unnamed && !subscription.was_fetched());
            }
            Err(error) => {
                tracing::debug!(%error, folder_id, "a published calendar was not fetched");
                state.error = error.to_string();
                // What was stored of it is not all of it.
                if !matches!(error, Stale::Fetch(_)) {
                    state.validators = Validators::default();
                }
            }
        }
        for _ in 0..TRIES {
            let (collection, _) = find(session, folder_id).await?;
            match save(session, &collection, &state, name.as_deref()).await {
                Err(StoreError::Conflict(_)) => {}
                // Another folder has that name.
                Err(StoreError::Exists(_)) if name.is_some() => name = None,
                saved => return saved,
            }
        }
        Ok(())
    }

    /// Fetches, and stores what is different; `None` where nothing is.
    async fn fetch(
        &self,
        session: &Session,
        collection: &Collection,
        subscription: &Subscription,
    ) -> Result<Option<Stored>, Stale> {
        let fetched = self.fetcher.fetch(&subscription.source, &subscription.state.validators).await?;
        let Fetched::Calendar { body, validators } = fetched else { return Ok(None) };
        let until = Instant::now() + STORE_WITHIN;
        let (components, subscription) = (collection.components(), subscription.clone());
        let feed = blocking(move || read(&body, &components, &subscription)).await??;
        let there = stored(session, collection).await?;
        let wanted: HashSet<&str> = feed.objects.iter().map(|object| object.name.as_str()).collect();
        let changed: Vec<&Object> =
            feed.objects.iter().filter(|object| there.get(&object.name) != Some(&object.hash)).collect();
        let mut skipped = 0;
        for objects in changed.chunks(BATCH) {
            let batch: Vec<(String, Bytes)> =
                objects.iter().map(|object| (object.name.clone(), object.text.clone())).collect();
            let own = collection.clone();
            let items = blocking(move || {
                let read = |(name, text): (String, Bytes)| Some((name, NewItem::read(&own, &text).ok()?));
                batch.into_iter().map(read).collect::<Vec<_>>()
            });
            for item in items.await? {
                if Instant::now() > until {
                    return Err(Stale::Late);
                }
                let Some((name, item)) = item else {
                    skipped += 1;
                    continue;
                };
                let place = collection.store_place();
                let put = session.put_item(place, item.facts(&name), &item.content, None).await?;
                skipped += usize::from(!put.uid_taken_by.is_empty());
            }
        }
        // Who publishes nothing that can be read has most likely broken something.
        if (feed.objects.is_empty() || skipped == feed.objects.len()) && !there.is_empty() {
            return Err(Stale::Empty);
        }
        for name in there.keys().filter(|name| !wanted.contains(name.as_str())) {
            let request = DeleteItemRequest {
                mailbox_id: collection.mailbox_id,
                folder_id: collection.folder.folder_id,
                name: name.clone(),
                ..DeleteItemRequest::default()
            };
            match session.delete_item(request).await {
                Err(StoreError::NotFound(_)) => {}
                deleted => drop(deleted?),
            }
        }
        Ok(Some(Stored { validators, refresh: feed.refresh, name: feed.name, skipped }))
    }
}

/// What came of a calendar.
struct Stored {
    validators: Validators,
    refresh: Option<i64>,
    name: Option<String>,
    skipped: usize,
}

struct ReadFeed {
    name: Option<String>,
    refresh: Option<i64>,
    objects: Vec<Object>,
}

/// An object as it is to be stored.
struct Object {
    name: String,
    text: Bytes,
    hash: blake3::Hash,
}

fn read(body: &[u8], components: &[String], subscription: &Subscription) -> Result<ReadFeed, Stale> {
    let calendars = Component::parse_stream(body, &icalendar::Limits::default())?;
    let source = subscription.source.as_str();
    let uid_of = |text: &str| uid_of(&[source, text]);
    let options = FeedOptions {
        components,
        strip_alarms: subscription.strip_alarms,
        strip_attachments: subscription.strip_attachments,
        objects: MOST_OBJECTS,
        zone_octets: MOST_ZONE_OCTETS,
        uid_of: &uid_of,
    };
    let feed = Feed::of(&calendars, &options)?;
    let objects = feed.objects.into_iter().map(|(uid, calendar)| Object {
        name: format!("{}.ics", self::uid_of(&["subscription", &uid])),
        hash: hash(&calendar),
        text: calendar.to_string().into(),
    });
    Ok(ReadFeed { name: feed.name, refresh: feed.refresh, objects: objects.collect() })
}

/// Of what matters: many publishers say that each event was made just now.
fn hash(calendar: &Component) -> blake3::Hash {
    let mut calendar = calendar.clone();
    calendar.components.iter_mut().for_each(|component| component.remove("DTSTAMP"));
    blake3::hash(calendar.to_string().as_bytes())
}

/// What is there, by name.
async fn stored(session: &Session, collection: &Collection) -> Result<HashMap<String, blake3::Hash>, Stale> {
    let request = ItemsRequest {
        mailbox_id: collection.mailbox_id,
        folder_id: collection.folder.folder_id,
        body: true,
        max_body: u64::MAX,
        ..ItemsRequest::default()
    };
    let mut items = session.items(request).await?;
    let mut there = HashMap::new();
    while let Some(chunk) = items.message().await.map_err(StoreError::from)? {
        let hashed = blocking(move || {
            let of = |item: &kontor_storage_client::proto::Item| {
                let hash = text(item).and_then(|text| calendar(&text)).map(|calendar| hash(&calendar));
                // One that cannot be read is one that is not as it should be.
                Some((item.facts.as_ref()?.name.clone(), hash.unwrap_or_else(|| blake3::hash(b""))))
            };
            chunk.items.iter().filter_map(of).collect::<Vec<_>>()
        });
        there.extend(hashed.await?);
    }
    Ok(there)
}

async fn find(session: &Session, folder_id: u64) -> Result<(Collection, Subscription), StoreError> {
    let found = collections(session.open("").await?);
    let found = found.into_iter().find(|collection| collection.folder.folder_id == folder_id);
    let found = found.and_then(|found| Some((Subscription::of(&found.kept)?, found)));
    found
        .map(|(subscription, collection)| (collection, subscription))
        .ok_or_else(|| StoreError::NotFound("the subscription".to_owned()))
}

/// Keeps the state, if the folder is still as it was found.
async fn save(
    session: &Session,
    collection: &Collection,
    state: &State,
    name: Option<&str>,
) -> Result<(), StoreError> {
    let mut kept = collection.kept.clone();
    kept.set(state.to_element());
    let request = UpdateFolderRequest {
        mailbox_id: collection.mailbox_id,
        folder_id: collection.folder.folder_id,
        parent_id: name.is_some().then_some(collection.folder.parent_id),
        name: name.map(folder_name),
        properties: Some(kept.write().into()),
        expected_properties: Some(collection.folder.properties.clone()),
        ..UpdateFolderRequest::default()
    };
    session.update_folder(request).await.map(|_| ())
}

/// Work that may take its time.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::Internal(format!("a subscription was not read: {error}")))
}

fn may_be_subscription(folder: &Folder) -> bool {
    folder.properties.windows(KONTOR.len()).any(|octets| octets == KONTOR.as_bytes())
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// In this process.
const MOST_AT_ONCE: usize = 8;
/// In a calendar.
const MOST_OBJECTS: usize = 10_000;
const MOST_ZONE_OCTETS: usize = 16 << 20;
const BATCH: usize = 100;
/// How long somebody waits for what is not there yet, and for what is.
const AT_FIRST: Duration = Duration::from_secs(8);
const A_MOMENT: Duration = Duration::from_secs(1);
/// Seconds that whoever fetches has for it.
const LEASE: i64 = 600;
const STORE_WITHIN: Duration = Duration::from_secs(480);
const TRIES: u32 = 5;
