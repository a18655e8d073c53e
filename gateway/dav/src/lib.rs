//! The DAV gateway: calendars, tasks, journals and contacts for clients that speak CalDAV and CardDAV.
//!
//! What it is: requests of WebDAV, CalDAV and CardDAV over the store. A calendar or an address book is a folder, an
//! object in it an item of the store; its text is kept octet for octet, under the name that the client chose. An
//! entity tag names a version of an item, a synchronization token a change number of its folder. Nothing is kept here
//! but who has signed in a moment ago; any gateway can answer any request.
//!
//! What it is not: a listener. It answers requests of HTTP, whichever way they came. The grammar is
//! `kontor-dav-proto`.
//!
//! ```no_run
//! # async fn example(store: kontor_storage_client::StoreClient) {
//! use std::sync::Arc;
//! use kontor_dav::{DavConfig, Gateway};
//! use kontor_gateway_core::Shared;
//!
//! let gateway = Gateway::new(DavConfig::default(), store, &Shared::default());
//! let request = http::Request::options("/dav/").body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
//! let response = gateway.answer(request, [192, 0, 2, 1].into()).await;
//! assert!(response.headers()["dav"].to_str().unwrap().contains("calendar-access"));
//! # }
//! ```
//!
//! Implements, of RFC 4918 (WebDAV) classes 1, 2 and 3, RFC 5397 (current-user-principal), RFC 5995 (add-member), RFC 5689
//! (extended MKCOL), RFC 6578 (sync-collection), RFC 4331 (quota), RFC 8144 (Prefer), RFC 7617 (Basic), RFC 4791 (CalDAV),
//! RFC 6352 (CardDAV), RFC 6638 (scheduling), RFC 6764 §5 (well-known URIs), RFC 7809 (time zones by reference), RFC 7953
//! (availability), RFC 8607 (managed attachments), RFC 3744 (ACL) as far as the store's rights go: they only grant; of
//! Apple's calendar server `getctag`, subscriptions (`CS:source`), sharing, where a share is accepted as soon as it is
//! given, and calendar-proxy; and CARDDAV:directory-gateway (draft-daboo-carddav-directory-gateway).
//!
//! Besides what people put there, a home has what follows from something else: their birthdays ([`kontor_model::birthday`])
//! and the tenant's directory, each made anew for every answer and changed by nobody; calendars that are subscribed to by
//! URL, which are fetched when they are due; and what others share with them.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic))]
#![warn(missing_docs)]

mod answer;
mod attachment;
mod birthdays;
mod call;
mod condition;
mod config;
mod derived;
mod directory;
mod export;
mod gateway;
mod guest;
mod home;
mod item;
mod kept;
mod listing;
mod lock;
mod method;
mod place;
mod privilege;
mod property;
mod scheduling;
mod sign_in;
mod subscription;

pub use answer::Body;
pub use config::DavConfig;
pub use gateway::Gateway;
pub use subscription::{
    SubscribeError, Subscribed, SubscriptionConfig, subscribe, subscriptions, unsubscribe,
};
