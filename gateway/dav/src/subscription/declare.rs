//! Subscriptions as an administrator makes them for somebody: the same that a client of theirs would make.

use kontor_dav_proto::{Element, Name, SourceUrlError};
use kontor_storage_client::proto::{CreateFolderRequest, Folder, OpenResponse};
use kontor_storage_client::{Session, StoreError};

use super::{SOURCE, Subscription};
use crate::home::{Holds, free_name};
use crate::kept::Kept;

/// A calendar that somebody subscribes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// What it is called.
    pub name: String,
    /// Where it is from.
    pub source: String,
    /// When it last came, or was still the same, in Unix seconds; `None` where it never did.
    pub fetched: Option<i64>,
    /// Why it could not be fetched the last time; empty where it could.
    pub error: String,
    mailbox_id: u64,
    folder_id: u64,
}

/// Why a subscription was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The URL is none that can be asked.
    #[error(transparent)]
    Source(#[from] SourceUrlError),
    /// It is subscribed to already.
    #[error("it is subscribed to already, as {0:?}")]
    Exists(String),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The subscriptions of who has signed in, by name.
///
/// # Errors
/// Those of the store.
pub async fn subscriptions(session: &Session) -> Result<Vec<Subscribed>, StoreError> {
    Ok(subscriptions_in(&session.open("").await?))
}

fn subscriptions_in(opened: &OpenResponse) -> Vec<Subscribed> {
    let of = |folder: &Folder| {
        let found = Subscription::of(&Kept::read(&folder.properties))?;
        Some(Subscribed {
            name: folder.name.clone(),
            source: found.source.clone(),
            fetched: found.fetched(),
            error: found.error().to_owned(),
            mailbox_id: opened.mailbox_id,
            folder_id: folder.folder_id,
        })
    };
    let mut found: Vec<Subscribed> = opened.folders.iter().filter_map(of).collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// Subscribes who has signed in to the calendar at a URL (`http`, `https`, `webcal`), under a name. It is fetched when a
/// program of theirs first looks at it.
///
/// # Errors
/// See [`SubscribeError`]. Nothing was made then.
pub async fn subscribe(session: &Session, source: &str, name: &str) -> Result<Subscribed, SubscribeError> {
    let mut kept = Kept::default();
    let href = Element::new(Name::dav("href")).with_text(source);
    kept.set(Element::new(SOURCE).with(href));
    Subscription::begin(&mut kept)?;
    let opened = session.open("").await?;
    if let Some(known) = subscriptions_in(&opened).into_iter().find(|known| known.source == source) {
        return Err(SubscribeError::Exists(known.name));
    }
    let name = free_name(&opened.folders, name);
    let request = CreateFolderRequest {
        mailbox_id: opened.mailbox_id,
        parent_id: 0,
        name: name.clone(),
        role: 0,
        container_class: Holds::Events.class().to_owned(),
        slug: format!("{:032x}", rand::random::<u128>()),
        properties: kept.write().into(),
        // What happens elsewhere keeps nobody busy.
        transparent: true,
        time_zone: String::new(),
    };
    let folder = session.create_folder(request).await?;
    Ok(Subscribed {
        name,
        source: source.to_owned(),
        fetched: None,
        error: String::new(),
        mailbox_id: opened.mailbox_id,
        folder_id: folder.folder_id,
    })
}

/// Ends a subscription, with all that came by it.
///
/// # Errors
/// Those of the store.
pub async fn unsubscribe(session: &Session, subscribed: &Subscribed) -> Result<(), StoreError> {
    session.delete_folder(subscribed.mailbox_id, subscribed.folder_id).await.map(drop)
}
