//! APPEND (RFC 9051 §6.3.12, RFC 3502, RFC 4315).
//!
//! A message is held while it comes in and is parsed, within the process's memory budget: the
//! continuation is not sent before there is room.

use bytes::{Bytes, BytesMut};
use kontor_gateway_core::{BudgetError, Permit};
use kontor_imap_proto::{
    Code, Flag, LiteralRequest, MailboxName, ParseFailure, Tag,
    command::append::{self, AppendMessage},
};
use kontor_storage_client::{Place, PreparedMessage, StoreError, proto};

use crate::{
    flag_names,
    reply::{Failure, Reply, ReplyCode},
    session::{Account, After, Session, State},
    sync::Expunges,
    tree::{Places, Tree},
};

/// An APPEND whose messages are coming in.
pub(crate) struct Append {
    tag: Tag,
    mailbox: MailboxName,
    folder_id: u64,
    hierarchy_cn: u64,
    messages: Vec<Message>,
    current: Option<(AppendMessage, BytesMut)>,
    /// The last message stood in `UTF8 (...)`.
    utf8: bool,
    octets: u64,
    permit: Permit,
}

struct Message {
    raw: Bytes,
    bits: u64,
    keywords: Vec<String>,
    date: Option<i64>,
}

impl Append {
    /// The next bytes of the current message.
    pub fn take(&mut self, bytes: &[u8]) {
        if let Some((_, raw)) = &mut self.current {
            raw.extend_from_slice(bytes);
        }
    }
}

impl Session {
    /// A message is announced: takes it, or refuses it and ends the command.
    pub async fn append_literal(&mut self, request: LiteralRequest) -> Result<(), Failure> {
        let synchronizing = request.synchronizing;
        let refused = match self.append.take() {
            None => self.first_message(&request).await,
            Some(append) => self.next_message(append, &request).await,
        };
        match refused {
            Ok(()) => {
                self.framer.accept_literal();
                if synchronizing {
                    self.wire.encoder().continuation("Go on");
                    self.wire.flush().await?;
                }
                Ok(())
            }
            Err((tag, failure)) => {
                self.framer.refuse_literal();
                match tag {
                    Some(tag) => self.finish(&tag, Err(failure), After::Nothing).await,
                    None => {
                        self.wire.encoder().untagged(kontor_imap_proto::Status::Bad, None, "Expected a tag");
                        Ok(())
                    }
                }
            }
        }
    }

    async fn first_message(&mut self, request: &LiteralRequest) -> Result<(), (Option<Tag>, Failure)> {
        let command = append::parse_first(&request.prefix, &self.context())
            .map_err(|ParseFailure { tag, error }| (tag, Reply::bad(error.to_string()).into()))?;
        let tag = command.tag;
        let begun = async {
            let account = self.account()?;
            // Asked before the message comes: a client hears TRYCREATE without having sent it.
            let known = self.places.as_ref().and_then(|places| places.get(&command.mailbox));
            let place = match known {
                Some(place) => place,
                None => self.find_place(&account, &command.mailbox).await?,
            };
            flag_names::wanted(&command.message.flags).map_err(unknown_flag)?;
            let octets = admit(request.size, account.append_limit)?;
            let permit = self.shared.budget.acquire(octets).await.map_err(over_budget)?;
            Ok((place, octets, permit))
        };
        let ((folder_id, hierarchy_cn), octets, permit) = match begun.await {
            Ok(begun) => begun,
            Err(failure) => return Err((Some(tag), failure)),
        };
        let utf8 = command.message.utf8;
        let current = Some((command.message, room(octets)));
        let (mailbox, messages) = (command.mailbox, Vec::new());
        let append =
            Append { tag, mailbox, folder_id, hierarchy_cn, messages, current, utf8, octets, permit };
        self.append = Some(Box::new(append));
        Ok(())
    }

    /// Asks the store which folder has a name, and remembers all of them.
    async fn find_place(&mut self, account: &Account, mailbox: &MailboxName) -> Result<(u64, u64), Failure> {
        let places = Tree::load(account).await?.places();
        let place = places.get(mailbox);
        self.places = Some(Box::new(places));
        place.ok_or_else(|| Reply::no(Code::TryCreate, "No such mailbox").into())
    }

    async fn next_message(
        &mut self,
        mut append: Box<Append>,
        request: &LiteralRequest,
    ) -> Result<(), (Option<Tag>, Failure)> {
        let tag = append.tag.clone();
        let admitted = async {
            let account = self.account()?;
            let message = append::parse_next(&request.prefix, append.utf8, &self.context())
                .map_err(|error| Reply::bad(error.to_string()))?;
            if append.messages.len() >= self.server.config.append_messages {
                return Err(Reply::no(Code::Limit, "Too many messages in one command").into());
            }
            flag_names::wanted(&message.flags).map_err(unknown_flag)?;
            let octets = admit(request.size, account.append_limit)?;
            append.octets += octets;
            append.permit.grow_to(append.octets).await.map_err(over_budget)?;
            append.utf8 = message.utf8;
            append.current = Some((message, room(octets)));
            Ok(())
        };
        if let Err(failure) = admitted.await {
            return Err((Some(tag), failure));
        }
        self.append = Some(append);
        Ok(())
    }

    /// The current message is complete.
    pub fn append_message(&mut self) {
        let Some(append) = &mut self.append else { return };
        let Some((message, raw)) = append.current.take() else { return };
        // Unknown flags were refused before the message came.
        let flags: Vec<Flag> = message.flags;
        let wanted = flag_names::wanted(&flags).unwrap_or_default();
        append.messages.push(Message {
            raw: raw.freeze(),
            bits: wanted.bits,
            keywords: wanted.keywords,
            date: message.date.map(|date| date.seconds),
        });
    }

    /// The command is complete: stores its messages, all or none.
    pub async fn append_end(&mut self, text: &[u8]) -> Result<(), Failure> {
        let Some(append) = self.append.take() else { return Ok(()) };
        metrics::counter!("kontor_imap_commands_total", "command" => "APPEND").increment(1);
        let tag = append.tag.clone();
        let folder_id = append.folder_id;
        let into_selected = matches!(&self.state, State::Selected(_, s) if s.folder_id == folder_id);
        let done = match append::parse_end(text, append.utf8, &self.context()) {
            Ok(()) => self.keep(*append).await,
            Err(error) => Err(Reply::bad(error.to_string()).into()),
        };
        let after = if into_selected { After::Look(Expunges::Tell) } else { After::Hinted(Expunges::Tell) };
        self.finish(&tag, done, after).await
    }

    async fn keep(&mut self, append: Append) -> Result<Reply, Failure> {
        let account = self.account()?;
        // In a task of its own: the commit is not cut in half when the client or the process goes.
        let commit = self.shared.drain.spawn_commit(async move {
            let Append { mailbox, folder_id, hierarchy_cn, messages, permit, .. } = append;
            let mut prepared = Vec::with_capacity(messages.len());
            for message in messages {
                let Message { raw, bits, keywords, date } = message;
                prepared.push((PreparedMessage::prepare(raw).await, bits, keywords, date));
            }
            let stored = store(&account, &mailbox, (folder_id, hierarchy_cn), &prepared).await;
            drop(permit);
            stored
        });
        let stored = commit.await.map_err(|_| Failure::Bye("The server is shutting down"))?;
        match stored {
            Ok((stored, renamed)) => {
                if let Some(places) = renamed {
                    self.places = Some(Box::new(places));
                }
                Ok(Reply::ok_with(ReplyCode::AppendUid(stored.uid_validity, stored.uids), "Appended"))
            }
            Err(failure) => {
                // Whatever it was, the next APPEND asks again.
                self.places = None;
                Err(failure)
            }
        }
    }
}

/// Stores messages in the folder that has a name. The one it had when the command began will do for as long as no
/// folder was renamed since; else gives the places as they are now, too.
async fn store(
    account: &Account,
    name: &MailboxName,
    mut place: (u64, u64),
    messages: &[(PreparedMessage, u64, Vec<String>, Option<i64>)],
) -> Result<(proto::AppendResponse, Option<Places>), Failure> {
    let mut renamed = None;
    let Account { mailbox_id, tenant_id, .. } = *account;
    for _ in 0..RENAMED_MEANWHILE {
        let (folder_id, hierarchy_cn) = place;
        let stored =
            account.store.append(Place { mailbox_id, tenant_id, folder_id, hierarchy_cn }, messages).await;
        if !matches!(stored, Err(StoreError::Conflict(_))) {
            return Ok((stored?, renamed));
        }
        let places = Tree::load(account).await?.places();
        place = places.get(name).ok_or_else(|| Reply::no(Code::TryCreate, "No such mailbox"))?;
        renamed = Some(places);
    }
    Err(Reply::no(Code::InUse, "The mailboxes are being renamed, try again").into())
}

/// The size of a message that is not too large. An empty one ends the command without effect
/// (RFC 3502 §6.3.11).
fn admit(size: u64, limit: u64) -> Result<u64, Reply> {
    match size {
        0 => Err(Reply::no(Code::Cannot, "The message is empty")),
        size if size > limit => Err(Reply::no(Code::TooBig, "The message is too large")),
        size => Ok(size),
    }
}

fn unknown_flag(name: String) -> Reply {
    Reply::no(Code::Cannot, format!("No such flag: \\{name}"))
}

fn over_budget(error: BudgetError) -> Reply {
    match error {
        BudgetError::TooLarge { .. } => Reply::no(Code::TooBig, "The message is too large"),
        BudgetError::Busy => Reply::no(Code::Unavailable, "The server is busy, try again later"),
    }
}

fn room(octets: u64) -> BytesMut {
    BytesMut::with_capacity(usize::try_from(octets).unwrap_or(0))
}

/// How often a folder tree may change under one APPEND.
const RENAMED_MEANWHILE: usize = 3;
