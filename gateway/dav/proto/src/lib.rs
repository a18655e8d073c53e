//! The grammar of WebDAV, CalDAV and CardDAV: bodies and headers of requests to types, answers to octets, and what a
//! query means for a calendar object or a card.
//!
//! What it is: a bounded reader and a writer of XML ([`xml`]), the requests that a body can hold ([`request`]), the
//! headers of the protocol ([`header`]), paths ([`Href`]), answers ([`response`]), and the filters and selections of
//! queries ([`CompFilter::matches`](request::CompFilter::matches),
//! [`AddressFilter::matches`](request::AddressFilter::matches), [`CalendarData::select`](request::CalendarData::select)).
//!
//! What it is not: a server. Which resources and properties there are, who may see them and what a lock means is
//! decided by the gateway (`kontor-dav`). Nothing here knows a socket, a clock or a runtime.
//!
//! ```
//! use kontor_dav_proto::request::{PropFind, Report};
//! use kontor_dav_proto::{Limits, Name};
//!
//! let body = br#"<?xml version="1.0"?>
//!     <d:sync-collection xmlns:d="DAV:"><d:sync-token/><d:sync-level>1</d:sync-level>
//!     <d:prop><d:getetag/></d:prop></d:sync-collection>"#;
//! let Report::SyncCollection(sync) = Report::parse(body, &Limits::default()).unwrap() else { panic!() };
//! assert_eq!((sync.token, sync.properties), (None, PropFind::Listed(vec![Name::dav("getetag")])));
//! ```
//!
//! Implements the grammars of RFC 4918 (WebDAV), RFC 3253 §3.6 and §3.8 (REPORT, expand-property), RFC 3744 (ACL),
//! RFC 4791 (CalDAV), RFC 5689 (extended MKCOL), RFC 6352 (CardDAV), RFC 6578 (sync-collection), RFC 6638 §8 (headers
//! of scheduling), RFC 7809 §4.2 (`timezone-id`), RFC 8144 (Prefer), RFC 4790 and RFC 5051 (collations), and of the
//! sharing that Apple's clients know.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic))]
#![warn(missing_docs)]

mod calendar_filter;
mod calendar_selection;
mod collation;
mod contact_filter;
mod contact_selection;
mod error;
pub mod header;
mod href;
mod limits;
mod name;
pub mod request;
pub mod response;
mod source_url;
mod time_range;
pub mod xml;

pub use collation::Collation;
pub use error::{Error, Precondition};
pub use href::{Href, HrefError, Reference, decode_segment, encode_segment};
pub use limits::Limits;
pub use name::{APPLE, CALDAV, CALENDARSERVER, CARDDAV, DAV, Name, NameError, XML};
pub use source_url::{Host, SourceUrl, SourceUrlError};
pub use time_range::TimeRange;
pub use xml::Element;
