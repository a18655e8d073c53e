//! Scheduling: what messages about meetings do to calendars, whichever protocol they came by (RFC 5546, RFC 6638).
//!
//! The rules are `kontor_model::scheduling`; here is where they meet everybody's calendars.

mod booking;
mod delegates;
mod incoming;
mod outgoing;
mod trust;

use std::sync::Arc;

use kontor_model::FolderRole;
use kontor_storage_proto as proto;

use crate::db::Db;
use crate::directory::Directory;
use crate::error::Error;
use crate::mailbox::Mailboxes;
use crate::queue::Queue;
use crate::token::Principal;

pub(crate) use outgoing::keep_sending;

/// The scheduling service.
pub(crate) struct Scheduling {
    db: Db,
    mailboxes: Arc<Mailboxes>,
    directory: Arc<Directory>,
    queue: Arc<Queue>,
    /// Something is to be sent by this replica.
    due: outgoing::Due,
    /// Resources are booked one after the other.
    booking: tokio::sync::Mutex<()>,
}

impl Scheduling {
    pub fn new(db: Db, mailboxes: Arc<Mailboxes>, directory: Arc<Directory>, queue: Arc<Queue>) -> Arc<Self> {
        Arc::new(Self {
            db,
            mailboxes,
            directory,
            queue,
            due: outgoing::Due::default(),
            booking: tokio::sync::Mutex::default(),
        })
    }

    /// Puts an item, and sends what is to be told of it.
    pub async fn put_item(
        &self,
        who: &Principal,
        request: proto::PutItemRequest,
    ) -> Result<proto::PutItemResponse, Error> {
        let tells = !request.send.is_empty();
        let response = self.mailboxes.put_item(who, request).await?;
        if tells {
            self.due.notify_one();
        }
        Ok(response)
    }

    /// Deletes an item, and sends what is to be told of it.
    pub async fn delete_item(
        &self,
        who: &Principal,
        request: &proto::DeleteItemRequest,
    ) -> Result<proto::DeleteItemResponse, Error> {
        let response = self.mailboxes.delete_item(who, request).await?;
        if !request.send.is_empty() {
            self.due.notify_one();
        }
        Ok(response)
    }

    /// Delivers mail. What it says about a meeting is in the calendars before the mail is: saying it again changes
    /// nothing, so that a delivery that breaks off in between is simply repeated.
    pub async fn deliver(&self, request: proto::DeliverRequest) -> Result<proto::DeliverResponse, Error> {
        let is_inbox = [0, u32::from(FolderRole::Inbox.code())].contains(&request.role);
        let itip = request.content.as_ref().and_then(|content| content.prepared.as_ref()?.itip.clone());
        if let Some(itip) = itip.filter(|_| is_inbox) {
            let mut mailboxes: Vec<u64> = request
                .targets
                .iter()
                .filter_map(|target| match target.to {
                    Some(proto::target::To::MailboxId(mailbox)) => Some(mailbox),
                    _ => None,
                })
                .collect();
            mailboxes.sort_unstable();
            mailboxes.dedup();
            for mailbox in mailboxes {
                self.receive(mailbox, &itip).await?;
            }
        }
        self.mailboxes.deliver(request).await
    }
}
