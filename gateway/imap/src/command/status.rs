//! STATUS (RFC 9051 §6.3.11).

use kontor_imap_proto::{
    Code, Encoder, MailboxName, StatusValue,
    command::status::{Status, StatusItem},
};

use crate::{
    reply::{Failure, Reply},
    session::Session,
    tree::{Mailbox, Tree},
};

impl Session {
    pub async fn status(&mut self, status: Status) -> Result<Reply, Failure> {
        let account = self.account()?;
        let tree = Tree::load(&account).await?;
        let Some(mailbox) = tree.get(&status.mailbox) else {
            return Err(Reply::no(Code::Nonexistent, "No such mailbox").into());
        };
        self.enabled.condstore |= status.items.contains(&StatusItem::HighestModSeq);
        write(&mut self.wire.encoder(), mailbox, &status.items, account.append_limit);
        Ok(Reply::ok("Status told"))
    }
}

/// Appends a STATUS response.
pub(super) fn write(encoder: &mut Encoder<'_>, mailbox: &Mailbox, items: &[StatusItem], append_limit: u64) {
    let folder = &mailbox.folder;
    let values: Vec<StatusValue> = items
        .iter()
        .map(|&item| {
            let number = match item {
                StatusItem::Messages => folder.total.into(),
                StatusItem::Recent => 0,
                StatusItem::UidNext => folder.uid_next.into(),
                StatusItem::UidValidity => folder.uid_validity.into(),
                StatusItem::Unseen => folder.unseen.into(),
                StatusItem::Deleted => folder.deleted.into(),
                StatusItem::Size => folder.size,
                StatusItem::HighestModSeq => mailbox.highest_mod_seq(),
                StatusItem::AppendLimit => append_limit,
                StatusItem::MailboxId => return StatusValue::MailboxId(folder.folder_id),
            };
            StatusValue::Number(item, number)
        })
        .collect();
    encoder.status(&MailboxName::new(&mailbox.path), &values);
}
