//! The birthday calendar: days in somebody's contacts, as events that nobody can change.
//!
//! It is made from the contacts whenever it is asked for, so it is always right. Its state is that of the address
//! books, and so is a token of it; what an event is called follows from the contact that it is of. Its owner can hide it
//! and give it a name and a colour; that is kept with the contacts folder.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::stream;
use kontor_dav_proto::{Element, Error, Name, Precondition};
use kontor_model::FolderRole;
use kontor_model::birthday::{Occasion, days};
use kontor_storage_client::proto::{
    Folder, Item, ItemsChunk, ItemsRequest, OpenResponse, Rights, UpdateFolderRequest,
};
use kontor_storage_client::{Session, StoreError};
use tonic::Streaming;

use crate::answer::Failure;
use crate::call::Call;
use crate::derived::{self, Items, Source, uid_of};
use crate::home::{Collection, Holds};
use crate::item::{card, text};
use crate::kept::{KONTOR, Kept};
use crate::place::Tree;

/// What the calendar is made from.
#[derive(Clone, Debug)]
pub(crate) struct Birthdays {
    mailbox_id: u64,
    books: Vec<Book>,
}

/// An address book and its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Book {
    folder_id: u64,
    cn: u64,
}

/// What its owner has said of the calendar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Settings {
    is_hidden: bool,
    /// Properties, its name among them.
    kept: Kept,
}

/// The calendar, unless it is hidden.
pub(crate) fn collection(collections: &[Collection], opened: &OpenResponse) -> Option<Collection> {
    let settings = collections.iter().find(|found| is_contacts(found.folder.role));
    let Settings { is_hidden, mut kept } =
        settings.map(|found| Settings::of(&found.kept)).unwrap_or_default();
    if is_hidden {
        return None;
    }
    let name = kept.get(&DISPLAY_NAME).map(Element::text).unwrap_or_else(|| NAME.to_owned());
    kept.remove(&DISPLAY_NAME);
    let rights = Rights::Visible as u32 | Rights::Read as u32 | Rights::Owner as u32;
    Some(Collection {
        folder: Folder { transparent: true, ..derived::folder(name, Holds::Events.class(), rights) },
        holds: Holds::Events,
        home: opened.address.clone(),
        owner: opened.address.clone(),
        owner_name: opened.display_name.clone(),
        guest: None,
        slug: SLUG.to_owned(),
        kept,
        mailbox_id: opened.mailbox_id,
        tenant_id: opened.tenant_id,
        quota: None,
        locks: Arc::default(),
        availability: Arc::default(),
        source: Source::Birthdays(Box::new(Birthdays::of(collections, opened.mailbox_id))),
    })
}

impl Birthdays {
    fn of(collections: &[Collection], mailbox_id: u64) -> Self {
        let books = collections
            .iter()
            .filter(|found| found.holds == Holds::Cards && found.may(Rights::Read))
            .map(|found| Book { folder_id: found.folder.folder_id, cn: found.folder.highest_cn })
            .take(MOST_BOOKS)
            .collect();
        Self { mailbox_id, books }
    }

    /// Names the state of all address books.
    pub fn token(&self) -> String {
        let books = self.books.iter().map(|book| format!("{}.{}", book.folder_id, book.cn));
        format!("{TOKEN}{}", books.collect::<Vec<_>>().join("-"))
    }

    /// The state of each address book in a token of ours. Of one that is gone nobody knows any more what was in it.
    fn since(&self, token: &str) -> Option<HashMap<u64, u64>> {
        let books = token.strip_prefix(TOKEN)?;
        let book = |book: &str| {
            let (folder, cn) = book.split_once('.')?;
            Some((folder.parse().ok()?, cn.parse().ok()?))
        };
        let since: HashMap<u64, u64> =
            books.split('-').filter(|book| !book.is_empty()).map(book).collect::<Option<_>>()?;
        since.keys().all(|folder| self.books.iter().any(|book| book.folder_id == *folder)).then_some(since)
    }

    /// All events, or those of some names.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn items(&self, session: &Session, names: &[String]) -> Result<Items, Failure> {
        let mut asked: HashMap<u64, Vec<String>> = HashMap::new();
        for (folder, _, contact) in names.iter().filter_map(|name| contact_of(name)) {
            asked.entry(folder).or_default().push(contact.to_owned());
        }
        let of_book = |book: &Book| {
            let names = if names.is_empty() { Vec::new() } else { asked.remove(&book.folder_id)? };
            Some(ItemsRequest { names, ..self.request(book) })
        };
        let requests = self.books.iter().filter_map(of_book).collect();
        self.open(session, requests, names.iter().cloned().collect()).await
    }

    /// What changed since a token.
    ///
    /// # Errors
    /// DAV:valid-sync-token, and when the store does not answer.
    pub async fn changes(&self, session: &Session, token: &str) -> Result<Items, Failure> {
        let since = self.since(token).ok_or(TOO_OLD)?;
        let of_book = |book: &Book| {
            let since_cn = since.get(&book.folder_id).copied().unwrap_or_default();
            (since_cn < book.cn).then(|| ItemsRequest { since_cn, ..self.request(book) })
        };
        let requests = self.books.iter().filter_map(of_book).collect();
        self.open(session, requests, HashSet::new()).await
    }

    fn request(&self, book: &Book) -> ItemsRequest {
        ItemsRequest {
            mailbox_id: self.mailbox_id,
            folder_id: book.folder_id,
            body: true,
            max_body: u64::MAX,
            ..ItemsRequest::default()
        }
    }

    async fn open(
        &self,
        session: &Session,
        requests: Vec<ItemsRequest>,
        names: HashSet<String>,
    ) -> Result<Items, Failure> {
        let mut open = Vec::new();
        for request in requests {
            let (folder_id, is_sync) = (request.folder_id, request.since_cn != 0);
            let mut items = session.items(request).await?;
            let first = items.message().await.map_err(StoreError::from)?;
            if first.as_ref().is_some_and(|chunk| chunk.too_old) {
                return Err(TOO_OLD);
            }
            open.push(Open { mailbox_id: self.mailbox_id, folder_id, is_sync, next: first, items });
        }
        open.reverse();
        let chunks = stream::try_unfold((open, names), |(mut open, names)| async {
            loop {
                let Some(book) = open.last_mut() else { return Ok(None) };
                let Some(chunk) = book.next.take() else {
                    open.pop();
                    continue;
                };
                let mut derived = book.derive(chunk).await?;
                book.next = book.items.message().await?;
                let is_asked = |item: &Item| {
                    names.is_empty() || item.facts.as_ref().is_some_and(|facts| names.contains(&facts.name))
                };
                derived.items.retain(is_asked);
                return Ok(Some((derived, (open, names))));
            }
        });
        Ok(Items::derived(chunks))
    }
}

/// An address book that is being read.
struct Open {
    mailbox_id: u64,
    folder_id: u64,
    is_sync: bool,
    next: Option<ItemsChunk>,
    items: Streaming<ItemsChunk>,
}

impl Open {
    /// The events of contacts. What is gone is told of those that were asked for by a token.
    async fn derive(&self, chunk: ItemsChunk) -> Result<ItemsChunk, StoreError> {
        let (mailbox_id, folder_id, is_sync) = (self.mailbox_id, self.folder_id, self.is_sync);
        let work = move || {
            let mut derived = ItemsChunk::default();
            for contact in &chunk.items {
                let Some(facts) = &contact.facts else { continue };
                let mut absent = Occasion::ALL.to_vec();
                for day in
                    text(contact).and_then(|text| card(&text)).map(|card| days(&card)).unwrap_or_default()
                {
                    absent.retain(|occasion| *occasion != day.occasion);
                    let name = name_of(folder_id, day.occasion, &facts.name);
                    let uid = uid_of(&[&mailbox_id.to_string(), &name]);
                    let text = day.to_calendar(&uid, contact.created_at).to_string();
                    derived.items.push(derived::item(name, uid, &text, contact.created_at));
                }
                if is_sync {
                    derived.gone.extend(absent.into_iter().map(|o| name_of(folder_id, o, &facts.name)));
                }
            }
            for contact in &chunk.gone {
                derived.gone.extend(Occasion::ALL.map(|o| name_of(folder_id, o, contact)));
            }
            derived
        };
        let derived = tokio::task::spawn_blocking(work).await;
        derived.map_err(|error| StoreError::Internal(format!("contacts were not read: {error}")))
    }
}

/// What the event of a contact is called.
fn name_of(folder_id: u64, occasion: Occasion, contact: &str) -> String {
    format!("{folder_id}.{}.{contact}.ics", occasion.as_str())
}

/// The contact of an event.
fn contact_of(name: &str) -> Option<(u64, Occasion, &str)> {
    let (folder, rest) = name.strip_suffix(".ics")?.split_once('.')?;
    let (occasion, contact) = rest.split_once('.')?;
    let occasion = Occasion::ALL.into_iter().find(|known| known.as_str() == occasion)?;
    Some((folder.parse().ok()?, occasion, contact))
}

impl Settings {
    fn of(contacts: &Kept) -> Self {
        contacts.get(&SETTINGS).map_or_else(Self::default, |settings| Self {
            is_hidden: settings.attribute("hidden") == Some("yes"),
            kept: Kept::of(settings),
        })
    }

    fn to_element(&self) -> Element {
        let element = Element::new(SETTINGS).with_all(self.kept.elements().cloned());
        if self.is_hidden { element.with_attribute(Name::known("", "hidden"), "yes") } else { element }
    }
}

/// Hides the calendar.
pub(crate) async fn hide(call: &Call<'_>) -> Result<(), Failure> {
    save(call, |settings| settings.is_hidden = true).await
}

/// Whether a calendar that is to be made is this one, which was hidden.
pub(crate) async fn is_hidden(
    call: &Call<'_>,
    tree: Tree,
    address: &str,
    slug: &str,
) -> Result<bool, Failure> {
    if tree != Tree::Calendars || slug != SLUG {
        return Ok(false);
    }
    let opened = call.session.open(address).await?;
    let is_own = opened.mailbox_id == call.session.info().mailbox_id;
    let contacts = opened.folders.iter().find(|folder| is_contacts(folder.role));
    let is_hidden = contacts.is_some_and(|folder| Settings::of(&Kept::read(&folder.properties)).is_hidden);
    Ok(is_own && is_hidden)
}

/// Brings it back, as somebody wants it.
pub(crate) async fn show(call: &Call<'_>, properties: &[Element]) -> Result<(), Failure> {
    save(call, |settings| {
        settings.is_hidden = false;
        properties.iter().for_each(|property| settings.kept.set(property.clone()));
    })
    .await
}

/// Keeps its properties, and its name where there is a new one.
pub(crate) async fn patch(call: &Call<'_>, kept: &Kept, name: Option<&str>) -> Result<(), Failure> {
    save(call, |settings| {
        let name = name.map(|name| Element::new(DISPLAY_NAME).with_text(name));
        let name = name.or_else(|| settings.kept.get(&DISPLAY_NAME).cloned());
        settings.kept = kept.clone();
        if let Some(name) = name {
            settings.kept.set(name);
        }
    })
    .await
}

async fn save(call: &Call<'_>, change: impl Fn(&mut Settings)) -> Result<(), Failure> {
    for _ in 0..TRIES {
        let opened = call.session.open("").await?;
        let contacts = opened.folders.into_iter().find(|folder| is_contacts(folder.role));
        let contacts = contacts.ok_or(Failure::forbidden("there is no place to keep this"))?;
        let mut kept = Kept::read(&contacts.properties);
        let mut settings = Settings::of(&kept);
        change(&mut settings);
        kept.set(settings.to_element());
        let request = UpdateFolderRequest {
            mailbox_id: opened.mailbox_id,
            folder_id: contacts.folder_id,
            properties: Some(kept.write().into()),
            expected_properties: Some(contacts.properties),
            ..UpdateFolderRequest::default()
        };
        match call.session.update_folder(request).await {
            // Somebody else wrote meanwhile.
            Err(StoreError::Conflict(_)) => {}
            saved => return Ok(saved.map(|_| ())?),
        }
    }
    Err(StoreError::Unavailable("the contacts folder changes all the time".to_owned()).into())
}

fn is_contacts(role: u32) -> bool {
    role == u32::from(FolderRole::Contacts.code())
}

const SLUG: &str = "birthdays";
const NAME: &str = "Birthdays";
const SETTINGS: Name = Name::known(KONTOR, "birthdays");
const DISPLAY_NAME: Name = Name::dav("displayname");
/// With the version of what is made from a card: where that changes, clients begin anew.
const TOKEN: &str = "urn:kontor:birthdays:1:";
const TOO_OLD: Failure = Failure::Protocol(Error::Precondition(
    Precondition::ValidSyncToken,
    "this token is not of this collection, or too old: begin anew",
));
/// The address books that count. All are read at once.
const MOST_BOOKS: usize = 64;
const TRIES: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_contacts() {
        for contact in ["1.vcf", "a.birthday.b", "\u{e4}"] {
            for occasion in Occasion::ALL {
                let name = name_of(7, occasion, contact);
                assert_eq!(contact_of(&name), Some((7, occasion, contact)));
            }
        }
        for bad in ["", "1.ics", "7.birthday", "x.birthday.1.ics", "7.party.1.ics", "7.birthday.1"] {
            assert_eq!(contact_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn tokens_are_of_all_address_books() {
        let of = |books: &[(u64, u64)]| Birthdays {
            mailbox_id: 1,
            books: books.iter().map(|(folder_id, cn)| Book { folder_id: *folder_id, cn: *cn }).collect(),
        };
        let (one, two, none) = (of(&[(7, 41)]), of(&[(7, 42), (8, 1)]), of(&[]));
        assert_eq!(one.since(&one.token()), Some(HashMap::from([(7, 41)])));
        // A new book is all new.
        assert_eq!(two.since(&one.token()), Some(HashMap::from([(7, 41)])));
        assert_eq!(one.since(&two.token()), None);
        assert_eq!(none.since(&none.token()), Some(HashMap::new()));
        for bad in ["", "urn:kontor:sync:7:41", "urn:kontor:birthdays:1:7", "urn:kontor:birthdays:1:7.x"] {
            assert_eq!(one.since(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_was_said_of_it_is_kept() {
        let mut settings = Settings { is_hidden: true, kept: Kept::default() };
        settings.kept.set(Element::new(DISPLAY_NAME).with_text("Geburtstage"));
        let mut contacts = Kept::default();
        contacts.set(settings.to_element());
        assert_eq!(Settings::of(&Kept::read(&contacts.write())), settings);
        assert_eq!(Settings::of(&Kept::default()), Settings::default());
    }
}
