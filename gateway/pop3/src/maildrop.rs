//! The inbox as it was at login.

use kontor_model::FolderRole;
use kontor_storage_client::{Session, StoreError, proto};

/// A list of messages that holds still for the session.
pub(crate) struct Maildrop {
    pub login: Session,
    pub mailbox_id: u64,
    pub folder_id: u64,
    uid_validity: u32,
    messages: Vec<Message>,
}

/// One message; its number is its place in the list, from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub uid: u32,
    pub deleted: bool,
    pub retrieved: bool,
    /// Octets as stored.
    pub size: u64,
}

impl Maildrop {
    /// Opens the inbox of the account.
    pub async fn open(login: Session) -> Result<Self, StoreError> {
        let mailbox = login.open("").await?;
        let inbox = mailbox
            .folders
            .iter()
            .find(|folder| folder.role == u32::from(FolderRole::Inbox.code()))
            .ok_or_else(|| StoreError::NotFound("the inbox".into()))?;
        let skeleton = login.skeleton(mailbox.mailbox_id, inbox.folder_id, SIZES).await?;
        let messages = skeleton
            .uids
            .iter()
            .zip(&skeleton.sizes)
            .map(|(&uid, &size)| Message { uid, deleted: false, retrieved: false, size })
            .collect();
        Ok(Self {
            mailbox_id: mailbox.mailbox_id,
            folder_id: inbox.folder_id,
            uid_validity: skeleton.uid_validity,
            messages,
            login,
        })
    }

    /// Messages that are not marked, with their numbers.
    pub fn listed(&self) -> impl Iterator<Item = (u32, &Message)> {
        (1..).zip(&self.messages).filter(|(_, message)| !message.deleted)
    }

    /// How many are not marked, and their octets together.
    pub fn count(&self) -> (u32, u64) {
        self.listed().fold((0, 0), |(count, size), (_, message)| (count + 1, size + message.size))
    }

    /// A message by its number, unless it is marked.
    pub fn message(&mut self, number: u32) -> Option<&mut Message> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        self.messages.get_mut(at).filter(|message| !message.deleted)
    }

    /// Names a message for ever: it is the same in each session and for no other message of the inbox.
    pub fn unique_id(&self, message: &Message) -> String {
        format!("{:08x}{:08x}", self.uid_validity, message.uid)
    }

    /// Takes all marks back.
    pub fn reset(&mut self) {
        for message in &mut self.messages {
            message.deleted = false;
        }
    }

    /// Removes what is marked and marks as read what was downloaded, each in one call.
    pub async fn update(&self, mark_seen: bool) -> Result<(), StoreError> {
        let removed = self.ranges(|message| message.deleted);
        let seen = self.ranges(|message| message.retrieved && !message.deleted);
        if !removed.is_empty() {
            let request = proto::ExpungeRequest {
                mailbox_id: self.mailbox_id,
                folder_id: self.folder_id,
                uid_ranges: removed,
                only_flagged_deleted: false,
                hard: false,
            };
            self.login.expunge(request).await?;
        }
        if mark_seen && !seen.is_empty() {
            let request = proto::StoreFlagsRequest {
                mailbox_id: self.mailbox_id,
                folder_id: self.folder_id,
                uid_ranges: seen,
                op: proto::store_flags_request::Op::Add.into(),
                flags: kontor_model::Flags::SEEN.bits(),
                ..Default::default()
            };
            // A mark that is not made is no reason to tell the client that something went wrong.
            if let Err(error) = self.login.store_flags(request).await {
                tracing::debug!(%error, "downloaded messages were not marked as read");
            }
        }
        Ok(())
    }

    /// Pairs (first, last) of UIDs. A range spans no message of the list that is not meant.
    fn ranges(&self, is_meant: impl Fn(&Message) -> bool) -> Vec<u32> {
        ranges(self.messages.iter().map(|message| (message.uid, is_meant(message))))
    }
}

fn ranges(messages: impl Iterator<Item = (u32, bool)>) -> Vec<u32> {
    let mut ranges: Vec<u32> = Vec::new();
    let mut open = false;
    for (uid, is_meant) in messages {
        match (is_meant, open, ranges.last_mut()) {
            (true, true, Some(last)) => *last = uid,
            (true, ..) => ranges.extend([uid, uid]),
            (false, ..) => {}
        }
        open = is_meant;
    }
    ranges
}

/// The column of `SkeletonRequest` that holds sizes.
const SIZES: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_span_only_what_is_meant() {
        let of = |list: &[(u32, bool)]| ranges(list.iter().copied());
        assert!(of(&[]).is_empty());
        assert!(of(&[(3, false)]).is_empty());
        assert_eq!(of(&[(3, true)]), [3, 3]);
        assert_eq!(of(&[(3, true), (7, true), (9, false), (10, true), (11, false)]), [3, 7, 10, 10]);
    }
}
