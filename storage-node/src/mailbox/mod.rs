//! Mailboxes: folders, messages, their state, and what changed.

mod append;
mod attachments;
mod availability;
mod calendar_copy;
pub(crate) mod change;
mod changes;
mod content;
mod copy;
mod expunge;
mod fetch;
mod fold;
mod folders;
mod free_busy;
mod item_properties;
mod items;
mod itip_messages;
mod locks;
mod permissions;
mod proxies;
mod put_item;
mod ranges;
mod search;
mod sharing;
mod skeleton;
mod state;
mod statistics;
mod store_flags;
mod store_messages;

use std::sync::Arc;

use crate::access::Access;
use crate::blobs::Blobs;
use crate::config::Config;
use crate::db::Db;
use crate::events::Events;

pub(crate) use attachments::GONE_ATTACHMENTS;
pub(crate) use calendar_copy::CalendarCopy;
pub(crate) use content::{pack, unzstd as unpack};
pub(crate) use fold::keep_folding;
pub(crate) use itip_messages::{Origin, add as add_itip};
pub(crate) use ranges::Ranges;
pub(crate) use state::FolderState;
pub(crate) use statistics::keep_counting;
pub(crate) use store_messages::Lanes;

/// The mailbox service.
pub(crate) struct Mailboxes {
    pub(crate) db: Db,
    access: Arc<Access>,
    events: Arc<Events>,
    pub(crate) blobs: Arc<Blobs>,
    states: state::States,
    contents: content::ContentCache,
    lanes: Lanes,
    dirty: fold::Dirty,
    growth: statistics::Growth,
    inline_body_limit: usize,
    max_message_size: u64,
}

impl Mailboxes {
    pub fn new(
        db: Db,
        access: Arc<Access>,
        events: Arc<Events>,
        blobs: Arc<Blobs>,
        config: &Config,
    ) -> Arc<Self> {
        Arc::new(Mailboxes {
            lanes: Lanes::start(&db, config.delivery_lanes),
            db,
            access,
            events,
            blobs,
            states: state::States::new(config.skeleton_cache),
            contents: content::new_cache(config.content_cache),
            dirty: fold::Dirty::default(),
            growth: statistics::Growth::default(),
            inline_body_limit: config.inline_body_limit,
            max_message_size: config.max_message_size,
        })
    }
}
