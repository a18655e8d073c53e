//! A request whose sender is known, and what its handlers ask the store.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use kontor_dav_proto::header::{Depth, Prefer, brief, caldav_timezones};
use kontor_dav_proto::{Error, Limits};
use kontor_storage_client::proto::{Item, ItemsRequest};
use kontor_storage_client::{Session, StoreError};

use crate::answer::Failure;
use crate::config::DavConfig;
use crate::derived::{self, Items, Source};
use crate::directory;
use crate::guest::{guest, shared_in};
use crate::home::{Collection, collections};
use crate::place::Tree;
use crate::subscription::Subscriptions;

pub(crate) struct Call<'a> {
    pub session: &'a Session,
    pub headers: &'a HeaderMap,
    /// What follows the path after a question mark, as written.
    pub query: &'a str,
    pub body: Bytes,
    pub limits: &'a Limits,
    pub config: &'a DavConfig,
    pub subscriptions: &'a Arc<Subscriptions>,
}

impl Call<'_> {
    /// The value of a header; `None` without one.
    ///
    /// # Errors
    /// For one that is no text.
    pub fn header(&self, name: impl Into<HeaderName>) -> Result<Option<&str>, Failure> {
        let value = self.headers.get(name.into()).map(http::HeaderValue::to_str);
        value.transpose().map_err(|_| Error::Syntax("a header holds characters that it cannot have").into())
    }

    /// `Depth`, or what it is where nothing is said.
    pub fn depth(&self, default: Depth) -> Result<Depth, Failure> {
        Ok(self.header(HeaderName::from_static("depth"))?.map_or(Ok(default), Depth::parse)?)
    }

    /// Whether answers leave out the zones that everybody knows (RFC 7809 §3.1.2).
    pub fn without_zones(&self) -> Result<bool, Failure> {
        let value = self.header(HeaderName::from_static("caldav-timezones"))?;
        Ok(!value.map_or(Ok(true), caldav_timezones)?)
    }

    /// What the client prefers.
    pub fn prefer(&self) -> Prefer {
        let value = |name| self.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        let mut prefer = value("prefer").map(Prefer::parse).unwrap_or_default();
        if value("brief").is_some_and(brief) {
            prefer.returns = prefer.returns.or(Some(kontor_dav_proto::header::Return::Minimal));
        }
        prefer
    }

    /// The collections of somebody in a tree, those that may be seen.
    ///
    /// # Errors
    /// Where there is nobody of this address, or nothing that may be seen.
    pub async fn collections(&self, tree: Tree, address: &str) -> Result<Vec<Collection>, Failure> {
        let (home, mut found) = self.of_home(tree, address).await?;
        if let Some(home) = home {
            let shared = self.session.shared_with_me(0, 0).await?;
            let shared = shared.into_iter().filter_map(|shared| guest(&home, shared));
            found.extend(shared.filter(|collection| collection.holds.tree() == tree));
        }
        Ok(found)
    }

    /// The collections of somebody in a tree without those of others; with the address of the home where it is one's own.
    async fn of_home(&self, tree: Tree, address: &str) -> Result<(Option<String>, Vec<Collection>), Failure> {
        let mut opened = self.session.open(address).await?;
        if tree == Tree::Calendars && self.subscriptions.freshen(self.session, &opened).await {
            opened = self.session.open(address).await?;
        }
        let is_own = opened.mailbox_id == self.session.info().mailbox_id;
        let mut found = collections(opened.clone());
        derived::add(&mut found, &opened, self.session);
        found.retain(|collection| collection.holds.tree() == tree);
        if !is_own {
            // How much somebody keeps is not for guests to know.
            found.iter_mut().for_each(|collection| collection.quota = None);
        }
        Ok((is_own.then_some(opened.address), found))
    }

    /// One collection.
    ///
    /// # Errors
    /// Where there is none that may be seen.
    pub async fn collection(&self, tree: Tree, address: &str, slug: &str) -> Result<Collection, Failure> {
        let own = self.session.info();
        let of_others = shared_in(slug).filter(|_| address.eq_ignore_ascii_case(&own.address));
        let all = if let Some((mailbox_id, folder_id)) = of_others {
            let shared = self.session.shared_with_me(mailbox_id, folder_id).await?;
            shared.into_iter().filter_map(|shared| guest(&own.address, shared)).collect()
        } else if shared_in(slug).is_some() {
            self.collections(tree, address).await?
        } else {
            self.of_home(tree, address).await?.1
        };
        let is_meant = |collection: &Collection| collection.slug == slug && collection.holds.tree() == tree;
        let mut found = all.into_iter().find(is_meant).ok_or_else(Failure::not_found)?;
        if found.guest.is_some() {
            found.locks = self.session.open(&found.owner).await?.locks.into();
        }
        Ok(found)
    }

    /// Items of a collection.
    pub async fn items(&self, collection: &Collection, request: ItemsRequest) -> Result<Items, Failure> {
        match &collection.source {
            Source::Folder => {}
            Source::Birthdays(birthdays) => return birthdays.items(self.session, &request.names).await,
            Source::Directory => return Ok(directory::items(self.session, &request.names)),
        }
        let request = ItemsRequest {
            mailbox_id: collection.mailbox_id,
            folder_id: collection.folder.folder_id,
            max_body: u64::MAX,
            ..request
        };
        Ok(Items::stored(self.session.items(request).await?))
    }

    /// One item.
    ///
    /// # Errors
    /// Where there is none of this name.
    pub async fn item(&self, collection: &Collection, name: &str, body: bool) -> Result<Item, Failure> {
        self.find_item(collection, name, body).await?.ok_or_else(Failure::not_found)
    }

    /// One item, if there is one.
    pub async fn find_item(
        &self,
        collection: &Collection,
        name: &str,
        body: bool,
    ) -> Result<Option<Item>, Failure> {
        let request = ItemsRequest { names: vec![name.to_owned()], body, ..ItemsRequest::default() };
        let mut found = match self.items(collection, request).await {
            // A name that no item can have.
            Err(Failure::Store(StoreError::Invalid(_))) => return Ok(None),
            found => found?,
        };
        while let Some(chunk) = found.message().await? {
            if let Some(item) = chunk.items.into_iter().next() {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    /// The refusal of what only a collection can do.
    pub const fn not_here() -> Failure {
        Failure::Status(StatusCode::METHOD_NOT_ALLOWED, "this resource does not do that")
    }
}
