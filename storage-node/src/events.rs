//! Hints from the commits of this replica to the gateways that watch.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use kontor_storage_proto::WatchEvent;
use parking_lot::RwLock;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Who wants to hear about which mailbox.
#[derive(Default)]
pub(crate) struct Events {
    interests: RwLock<HashMap<u64, Vec<Interest>>>,
    next_stream: AtomicU64,
}

struct Interest {
    stream: u64,
    sender: mpsc::Sender<WatchEvent>,
    /// Ends the stream when it falls behind; the gateway opens it anew and reads everything again.
    end: CancellationToken,
}

impl Events {
    /// A name for a new stream.
    pub fn stream(&self) -> u64 {
        self.next_stream.fetch_add(1, Ordering::Relaxed)
    }

    pub fn add(&self, mailbox: u64, stream: u64, sender: &mpsc::Sender<WatchEvent>, end: &CancellationToken) {
        let mut interests = self.interests.write();
        let list = interests.entry(mailbox).or_default();
        if !list.iter().any(|i| i.stream == stream) {
            list.push(Interest { stream, sender: sender.clone(), end: end.clone() });
        }
    }

    pub fn remove(&self, mailbox: u64, stream: u64) {
        let mut interests = self.interests.write();
        if let Some(list) = interests.get_mut(&mailbox) {
            list.retain(|i| i.stream != stream);
            if list.is_empty() {
                interests.remove(&mailbox);
            }
        }
    }

    /// The stream ended.
    pub fn remove_stream(&self, stream: u64) {
        self.interests.write().retain(|_, list| {
            list.retain(|i| i.stream != stream);
            !list.is_empty()
        });
    }

    /// Tells those who watch.
    pub fn publish(&self, mailbox: u64, folder: u64, highest_cn: u64) {
        let event = WatchEvent { mailbox_id: mailbox, folder_id: folder, highest_cn };
        if let Some(list) = self.interests.read().get(&mailbox) {
            for interest in list {
                if interest.sender.try_send(event).is_err() {
                    interest.end.cancel();
                }
            }
        }
    }
}
