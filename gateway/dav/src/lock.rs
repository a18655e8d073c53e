//! Locks as WebDAV shows them, and those that a request submits (RFC 4918 §6, §7, §15.8, §15.10).
//!
//! The store keeps locks of names in folders and refuses changes of items that do not submit them. Whether a collection
//! itself may be changed is seen here, by the locks that came with it.

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderName;
use kontor_dav_proto::header::If;
use kontor_dav_proto::response::ErrorBody;
use kontor_dav_proto::{Element, Limits, Name, Precondition};
use kontor_storage_client::proto::{Lock, Submitted, in_the_way};

use crate::answer::Failure;
use crate::call::Call;
use crate::home::Collection;

impl Call<'_> {
    /// The locks that the request submits (RFC 4918 §10.4.1).
    ///
    /// # Errors
    /// For a header that is none.
    pub fn submitted(&self) -> Result<Submitted, Failure> {
        let header = self.header(HeaderName::from_static("if"))?;
        let header = header.map(|value| If::parse(value, self.limits)).transpose()?;
        let tokens = header.iter().flat_map(If::state_tokens).filter_map(token_in).collect();
        Ok(Submitted { tokens })
    }
}

impl Collection {
    /// Passes where a collection itself may be changed: its properties, its permissions.
    ///
    /// # Errors
    /// 423 where a lock is in the way.
    pub fn unlocked(&self, call: &Call<'_>) -> Result<(), Failure> {
        self.pass(call, |lock| lock.covers(self.folder.folder_id, ""))
    }

    /// Passes where a collection may go, with all that is in it.
    ///
    /// # Errors
    /// 423 where a lock is in the way, be it of one item.
    pub fn wholly_unlocked(&self, call: &Call<'_>) -> Result<(), Failure> {
        self.unlocked(call)?;
        let inner = self.locks.iter().filter(|lock| lock.folder_id == self.folder.folder_id);
        for name in inner.map(|lock| lock.name.as_str()).filter(|name| !name.is_empty()) {
            self.pass(call, |lock| lock.covers(self.folder.folder_id, name))?;
        }
        Ok(())
    }

    fn pass(&self, call: &Call<'_>, is_of: impl Fn(&Lock) -> bool) -> Result<(), Failure> {
        if self.locks.is_empty() {
            return Ok(());
        }
        let submitted = call.submitted()?.tokens;
        let account = call.session.info().account_id;
        match in_the_way(&self.locks, account, &submitted, is_of).as_slice() {
            [] => Ok(()),
            locks => Err(self.locked(Precondition::LockTokenSubmitted, locks.iter().copied())),
        }
    }

    /// The refusal for locks of this collection that are in the way.
    pub fn locked<'a>(&self, why: Precondition, locks: impl IntoIterator<Item = &'a Lock>) -> Failure {
        let mut roots: Vec<String> = locks.into_iter().map(|lock| self.lock_root(lock)).collect();
        roots.dedup();
        Failure::Condition(StatusCode::LOCKED, ErrorBody::with_hrefs(why, roots.iter().map(String::as_str)))
    }

    /// The locks of an item, or with an empty name of the collection itself.
    pub fn locks_of(&self, name: &str) -> impl Iterator<Item = &Lock> {
        self.locks.iter().filter(move |lock| lock.covers(self.folder.folder_id, name))
    }

    fn lock_root(&self, lock: &Lock) -> String {
        if lock.name.is_empty() { self.place().href() } else { self.item_place(&lock.name).href() }
    }

    /// `DAV:lockdiscovery`
    pub fn lock_discovery<'a>(&self, locks: impl IntoIterator<Item = &'a Lock>, now: i64) -> Element {
        let active = locks.into_iter().map(|lock| {
            let scope = if lock.shared { "shared" } else { "exclusive" };
            let text = |name, text: String| Element::new(Name::dav(name)).with_text(text);
            let href = |name, href: String| Element::new(Name::dav(name)).with(text("href", href));
            let owner = Element::parse(&lock.owner, &Limits::default()).ok();
            let left = lock.expires_at.saturating_sub(now).max(0);
            Element::new(Name::dav("activelock"))
                .with(Element::new(Name::dav("locktype")).with(Element::new(Name::dav("write"))))
                .with(Element::new(Name::dav("lockscope")).with(Element::new(Name::known("DAV:", scope))))
                .with(text("depth", if lock.deep { "infinity" } else { "0" }.to_owned()))
                .with_all(owner)
                .with(text("timeout", format!("Second-{left}")))
                .with(href("locktoken", token_uri(&lock.token)))
                .with(href("lockroot", self.lock_root(lock)))
        });
        Element::new(Name::dav("lockdiscovery")).with_all(active)
    }
}

/// `DAV:supportedlock`
pub(crate) fn supported_lock() -> Element {
    let entry = |scope: &'static str| {
        Element::new(Name::dav("lockentry"))
            .with(Element::new(Name::dav("lockscope")).with(Element::new(Name::dav(scope))))
            .with(Element::new(Name::dav("locktype")).with(Element::new(Name::dav("write"))))
    };
    Element::new(Name::dav("supportedlock")).with(entry("exclusive")).with(entry("shared"))
}

/// A token as a URI (RFC 4918 §6.5).
pub(crate) fn token_uri(token: &[u8]) -> String {
    let mut uri = "urn:uuid:".to_owned();
    for (i, octet) in token.iter().enumerate() {
        if [4, 6, 8, 10].contains(&i) {
            uri.push('-');
        }
        uri.push_str(&format!("{octet:02x}"));
    }
    uri
}

/// The token in a URI of ours.
pub(crate) fn token_in(uri: &str) -> Option<Bytes> {
    let digits: String = uri.strip_prefix("urn:uuid:")?.chars().filter(|c| *c != '-').collect();
    let token = crate::item::version_in(&digits)?;
    (token_uri(&token) == uri).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_uris() {
        let token: Vec<u8> = (0..16).collect();
        let uri = token_uri(&token);
        assert_eq!(uri, "urn:uuid:00010203-0405-0607-0809-0a0b0c0d0e0f");
        assert_eq!(token_in(&uri).unwrap(), token);
        for other in ["", "urn:uuid:", "urn:uuid:000102030405060708090a0b0c0d0e0f", "DAV:no-lock"] {
            assert_eq!(token_in(other), None, "{other}");
        }
    }
}
