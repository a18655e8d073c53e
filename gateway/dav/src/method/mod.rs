//! The methods, each a function from a call and a place to an answer.

mod acl;
pub(crate) mod attachment;
mod availability;
mod delete;
mod export;
mod free_busy;
mod get;
pub(crate) mod lock;
mod make;
mod outbox;
mod post;
mod propfind;
mod proppatch;
mod put;
mod query;
mod report;
mod search;
mod share;
mod sync;
mod transfer;
mod transfer_collection;

pub(crate) use acl::acl;
pub(crate) use delete::delete;
pub(crate) use get::get;
pub(crate) use lock::{lock, unlock};
pub(crate) use make::{mkcalendar, mkcol};
pub(crate) use post::post;
pub(crate) use propfind::propfind;
pub(crate) use proppatch::{folder_name, proppatch};
pub(crate) use put::put;
pub(crate) use report::report;
pub(crate) use transfer::transfer;
