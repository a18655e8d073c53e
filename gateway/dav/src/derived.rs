//! Collections that no folder is behind: what is in them follows from something else each time that somebody looks.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use kontor_storage_client::proto::{Folder, Item, ItemFacts, ItemsChunk, OpenResponse};
use kontor_storage_client::{Session, StoreError};
use tonic::Streaming;

use crate::answer::Failure;
use crate::birthdays::{self, Birthdays};
use crate::directory;
use crate::home::Collection;
use crate::subscription::Subscription;

/// Where the items of a collection come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// They are those of its folder.
    Folder,
    /// Days in the contacts of its owner.
    Birthdays(Box<Birthdays>),
    /// The address book of the tenant.
    Directory,
}

/// Adds what everybody has in a home of their own. A folder of the same name is stronger.
pub(crate) fn add(collections: &mut Vec<Collection>, opened: &OpenResponse, session: &Session) {
    if opened.mailbox_id != session.info().mailbox_id {
        return;
    }
    let derived = [birthdays::collection(collections, opened), Some(directory::collection(opened))];
    for collection in derived.into_iter().flatten() {
        let is_taken = collections
            .iter()
            .any(|other| other.slug == collection.slug && other.holds.tree() == collection.holds.tree());
        if !is_taken {
            collections.push(collection);
        }
    }
}

/// What stands for a folder.
pub(crate) fn folder(name: String, class: &str, rights: u32) -> Folder {
    Folder { name, container_class: class.to_owned(), rights, ..Folder::default() }
}

impl Collection {
    /// What it is subscribed to.
    pub fn subscription(&self) -> Option<Subscription> {
        Subscription::of(&self.kept)
    }

    /// The refusal of a change to what is in it, where nobody can change that.
    pub fn check_changeable(&self) -> Result<(), Failure> {
        if matches!(self.source, Source::Folder) && self.subscription().is_none() {
            return Ok(());
        }
        Err(Failure::forbidden(
            "what is in this collection comes from somewhere else and cannot be changed here",
        ))
    }
}

/// Items, as they come.
pub(crate) struct Items {
    source: Inner,
    /// There would have been more.
    is_cut: bool,
}

enum Inner {
    Stored(Box<Streaming<ItemsChunk>>),
    Derived(BoxStream<'static, Result<ItemsChunk, StoreError>>),
}

impl Items {
    /// Those that the store has.
    pub fn stored(stream: Streaming<ItemsChunk>) -> Self {
        Self { source: Inner::Stored(Box::new(stream)), is_cut: false }
    }

    /// Those in chunks that are made one after the other. A chunk that is too old ends them: there is more than is told.
    pub fn derived(chunks: impl Stream<Item = Result<ItemsChunk, StoreError>> + Send + 'static) -> Self {
        Self { source: Inner::Derived(chunks.boxed()), is_cut: false }
    }

    /// The next chunk.
    pub async fn message(&mut self) -> Result<Option<ItemsChunk>, StoreError> {
        match &mut self.source {
            Inner::Stored(stream) => Ok(stream.message().await?),
            Inner::Derived(stream) => {
                let chunk = stream.next().await.transpose()?;
                self.is_cut |= chunk.as_ref().is_some_and(|chunk| chunk.too_old);
                Ok(chunk.filter(|chunk| !chunk.too_old))
            }
        }
    }

    /// Whether there would have been more.
    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// All of them, unless there are more than so many, gone ones among them.
    pub async fn at_most(mut self, most: u32) -> Result<Option<Self>, StoreError> {
        let (mut chunks, mut left) = (Vec::new(), usize::try_from(most).unwrap_or(usize::MAX));
        while let Some(chunk) = self.message().await? {
            let Some(rest) = left.checked_sub(chunk.items.len() + chunk.gone.len()) else { return Ok(None) };
            left = rest;
            chunks.push(Ok(chunk));
        }
        Ok(Some(Self::derived(futures::stream::iter(chunks))))
    }
}

/// A version by what is in it: the same text has the same entity tag, whoever makes it.
pub(crate) fn item(name: String, uid: String, text: &str, created_at: i64) -> Item {
    let hash = blake3::hash(text.as_bytes());
    Item {
        facts: Some(ItemFacts { name, item_uid: uid, ..ItemFacts::default() }),
        content_id: hash.as_bytes().get(..16).map(Bytes::copy_from_slice).unwrap_or_default(),
        size: text.len() as u64,
        created_at,
        body: Some(Bytes::copy_from_slice(text.as_bytes())),
        ..Item::default()
    }
}

/// A UID that follows from some texts (as of version 8, RFC 9562 §5.8).
pub(crate) fn uid_of(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut octets = [0; 16];
    hasher.finalize_xof().fill(&mut octets);
    let number = u128::from_be_bytes(octets);
    let marked = (number & !(0xf << 76) & !(0b11 << 62)) | (8 << 76) | (0b10 << 62);
    let hex = format!("{marked:032x}");
    let ranges = [0..8, 8..12, 12..16, 16..20, 20..32];
    ranges.map(|range| hex.get(range).unwrap_or_default().to_owned()).join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_the_same_is_the_same() {
        assert_eq!(uid_of(&["a", "b"]), uid_of(&["a", "b"]));
        assert_ne!(uid_of(&["a", "b"]), uid_of(&["ab", ""]));
        let uid = uid_of(&["x"]);
        assert_eq!(uid.len(), 36);
        assert_eq!(uid.as_bytes()[14], b'8');
        assert!(b"89ab".contains(&uid.as_bytes()[19]));
        let one = item("1".to_owned(), "1".to_owned(), "text", 0);
        assert_eq!(one.content_id.len(), 16);
        assert_eq!(one.content_id, item("2".to_owned(), "2".to_owned(), "text", 1).content_id);
        assert_eq!(crate::item::text(&one).unwrap(), "text");
    }

    #[tokio::test]
    async fn items_are_counted() {
        let chunk = |items: usize, too_old| ItemsChunk {
            items: vec![Item::default(); items],
            too_old,
            ..ItemsChunk::default()
        };
        let of = |chunks: Vec<ItemsChunk>| Items::derived(futures::stream::iter(chunks.into_iter().map(Ok)));
        assert!(of(vec![chunk(2, false), chunk(1, false)]).at_most(2).await.unwrap().is_none());
        let mut all = of(vec![chunk(2, false), chunk(1, false)]).at_most(3).await.unwrap().unwrap();
        assert_eq!(all.message().await.unwrap().unwrap().items.len(), 2);
        let mut cut = of(vec![chunk(1, false), chunk(0, true)]);
        assert!(cut.message().await.unwrap().is_some() && !cut.is_cut());
        assert!(cut.message().await.unwrap().is_none() && cut.is_cut());
    }
}
