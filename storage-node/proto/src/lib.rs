//! The wire types of the storage tier's API, generated from `kontor/storage/v1/*.proto`.
//!
//! Only messages live here, so that the crate needs no runtime. The client stubs are in
//! `kontor-storage-client`, the server stubs in `kontor-storage-node`. What the calls mean is written in
//! the `.proto` files, beside each field.

#![allow(missing_docs, clippy::all, reason = "generated code; the .proto files carry the documentation")]

mod lock;

pub use lock::in_the_way;

include!(concat!(env!("OUT_DIR"), "/kontor.storage.v1.rs"));

/// Flag bit of a keyword slot: slot 0 is bit 16. Slots are `0..KEYWORD_SLOTS`.
pub const FIRST_KEYWORD_BIT: u32 = 16;
/// How many keywords one mailbox can have.
pub const KEYWORD_SLOTS: u32 = 47;
/// `uid_ranges` end that means "no upper bound".
pub const UID_MAX: u32 = u32::MAX;
