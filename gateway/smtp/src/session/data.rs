//! `DATA`, and what it shares with BDAT: a message's octets as they come, and its end.

use jiff::Timestamp;
use kontor_gateway_core::{BudgetError, Connection, Permit};
use kontor_smtp_proto::{DataDecoder, Recipient, Reply};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::{Flow, Gone, Session, Transaction, within};
use crate::delivery::{Incoming, commit};
use crate::server::Mode;
use crate::trace::{self, Received};

/// A message that is coming in.
pub(super) struct Body {
    pub id: String,
    pub return_path: String,
    pub received: String,
    /// The trace fields, then the message.
    pub bytes: Vec<u8>,
    pub prefix: usize,
    pub permit: Permit,
    /// Why it will not be stored; its octets are read and dropped from then on.
    pub refusal: Option<Reply>,
    pub deadline: Instant,
}

impl Body {
    /// Makes the permit stand for what has come; waits while the process holds too much.
    pub async fn settle(&mut self, largest: u64, over_limit: bool) {
        if over_limit && self.refusal.is_none() {
            self.refusal = Some(Reply::new(552, (5, 3, 4), format!("Messages may have {largest} octets")));
        }
        if self.refusal.is_none()
            && let Err(error) = self.permit.grow_to(self.bytes.len() as u64).await
        {
            self.refusal = Some(no_room(error));
        }
        if self.refusal.is_some() {
            self.bytes = Vec::new();
        }
    }
}

impl Session {
    pub(super) async fn data(&mut self, connection: &mut Connection) -> Result<Flow, Gone> {
        let refusal = match &self.transaction {
            None => Some(Reply::new(503, (5, 5, 1), "Send MAIL and RCPT first")),
            Some(transaction) if transaction.body.is_some() => {
                Some(Reply::new(503, (5, 5, 1), "The message has begun with BDAT"))
            }
            // RFC 5321 §3.3, RFC 2033 §4.2.
            Some(transaction) if transaction.recipients.is_empty() && self.mode == Mode::Lmtp => {
                Some(Reply::new(503, (5, 5, 1), "No valid recipients"))
            }
            Some(transaction) if transaction.recipients.is_empty() => {
                Some(Reply::new(554, (5, 5, 1), "No valid recipients"))
            }
            Some(_) => None,
        };
        if let Some(reply) = refusal {
            self.fail(reply);
            return Ok(Flow::Continue);
        }
        let Some(transaction) = self.transaction.take() else { return Ok(Flow::Continue) };
        let mut body = match self.begin_body(&transaction).await {
            Ok(body) => body,
            Err(reply) => {
                self.reply(reply);
                return Ok(Flow::Continue);
            }
        };
        self.reply(Reply::plain(354, "End data with <CR><LF>.<CR><LF>"));
        self.flush(connection).await?;
        let largest = self.max_size();
        let mut decoder = DataDecoder::new(usize::try_from(largest).unwrap_or(usize::MAX));
        loop {
            let decoded = decoder.decode(self.reader.buffered(), &mut body.bytes);
            self.reader.consume(decoded.consumed);
            body.settle(largest, decoder.is_over_limit()).await;
            if decoded.done {
                break;
            }
            self.body_octets(connection, body.bytes.len(), body.deadline).await?;
        }
        self.finish(*transaction, *body).await
    }

    /// The trace fields and the memory for a message.
    pub(super) async fn begin_body(&mut self, transaction: &Transaction) -> Result<Box<Body>, Reply> {
        let id = self.gateway.new_id();
        let (mut return_path, mut received) = (String::new(), String::new());
        let lmtp = self.mode == Mode::Lmtp;
        if !lmtp || self.gateway.config.lmtp_return_path {
            return_path = trace::return_path(&transaction.mail.from.to_string());
        }
        if !lmtp {
            let recipient = match transaction.recipients.as_slice() {
                [only] => Some(match &only.rcpt.to {
                    Recipient::Postmaster => "Postmaster".to_owned(),
                    Recipient::Mailbox(mailbox) => mailbox.to_string(),
                }),
                _ => None,
            };
            received = Received {
                helo: self.hello.as_ref().map_or("unknown", |hello| &hello.name),
                peer: self.peer,
                hostname: &self.gateway.hostname,
                id: &id,
                recipient: recipient.as_deref(),
                lmtp,
                extended: self.hello.as_ref().is_some_and(|hello| hello.extended),
                encrypted: self.encrypted,
                authenticated: self.login.is_some(),
                smtputf8: transaction.mail.smtputf8,
            }
            .field(Timestamp::now());
        }
        // A submission's header changes before it is stored, so its trace fields go to the front later.
        let prefix = if self.mode == Mode::Submission { 0 } else { return_path.len() + received.len() };
        let announced = transaction.mail.size.unwrap_or(0).min(self.max_size());
        let expected = announced + prefix as u64;
        let permit =
            self.shared.budget.acquire(expected.min(self.shared.budget.largest())).await.map_err(no_room)?;
        let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0).clamp(1024, RESERVE));
        if prefix > 0 {
            bytes.extend_from_slice(return_path.as_bytes());
            bytes.extend_from_slice(received.as_bytes());
        }
        let deadline = Instant::now() + self.gateway.config.message_timeout;
        Ok(Box::new(Body { id, return_path, received, bytes, prefix, permit, refusal: None, deadline }))
    }

    /// Reads more of a message; in larger pieces when it is a larger one.
    pub(super) async fn body_octets(
        &mut self,
        connection: &mut Connection,
        so_far: usize,
        deadline: Instant,
    ) -> Result<(), Gone> {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = self.gateway.config.data_timeout.min(left);
        if so_far < LARGE {
            return within(limit, self.reader.fill(connection)).await;
        }
        let buffer = self.reader.buffer_mut();
        buffer.reserve(PIECE);
        within(limit, connection.read_buf(buffer)).await
    }

    /// The message is there: commits it and says what became of it.
    pub(super) async fn finish(&mut self, transaction: Transaction, body: Body) -> Result<Flow, Gone> {
        let count = if self.mode == Mode::Lmtp { transaction.recipients.len() } else { 1 };
        let replies = match body.refusal {
            Some(refusal) => vec![refusal; count],
            None => {
                let incoming = Incoming {
                    mode: self.mode,
                    id: body.id,
                    mail: transaction.mail,
                    recipients: transaction.recipients,
                    return_path: body.return_path,
                    received: body.received,
                    bytes: body.bytes,
                    permit: body.permit,
                };
                let commit = self.shared.drain.spawn_commit(commit(self.gateway.clone(), incoming));
                commit.await.unwrap_or_else(|error| {
                    tracing::error!(%error, "a commit ended without an answer");
                    vec![Reply::new(451, (4, 3, 0), "Internal error, try again later"); count]
                })
            }
        };
        for reply in replies {
            if reply.is_positive() {
                self.errors = 0;
            }
            self.reply(reply);
        }
        Ok(Flow::Continue)
    }
}

pub(super) fn no_room(error: BudgetError) -> Reply {
    match error {
        BudgetError::TooLarge { largest } => {
            Reply::new(552, (5, 3, 4), format!("Messages may have {largest} octets"))
        }
        BudgetError::Busy => Reply::new(452, (4, 3, 1), "Too much mail at once, try again later"),
    }
}

/// Room made before anything has come, however large the message claims to be.
const RESERVE: usize = 1 << 20;
const LARGE: usize = 64 * 1024;
const PIECE: usize = 64 * 1024;
