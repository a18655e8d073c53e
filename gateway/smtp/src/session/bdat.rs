//! `BDAT` (RFC 3030): chunks of a message, each with its size in front.

use kontor_gateway_core::Connection;
use kontor_smtp_proto::{Bdat, Reply};
use tokio::time::Instant;

use super::{Flow, Gone, Session};

impl Session {
    /// Whatever is wrong, the chunk's octets are read, so that they are not taken for commands.
    pub(super) async fn bdat(&mut self, bdat: Bdat, connection: &mut Connection) -> Result<Flow, Gone> {
        let refusal = match &self.transaction {
            None => Some(Reply::new(503, (5, 5, 1), "Send MAIL and RCPT first")),
            Some(transaction) if transaction.recipients.is_empty() => {
                Some(Reply::new(554, (5, 5, 1), "No valid recipients"))
            }
            Some(_) => None,
        };
        let largest = self.max_size();
        if bdat.size > largest.saturating_mul(4) {
            self.reply(Reply::new(552, (5, 3, 4), format!("Messages may have {largest} octets")));
            return Ok(Flow::Close);
        }
        if let Some(reply) = refusal {
            self.skip(bdat.size, connection).await?;
            self.fail(reply);
            return Ok(Flow::Continue);
        }
        let Some(mut transaction) = self.transaction.take() else { return Ok(Flow::Continue) };
        let mut body = match transaction.body.take() {
            Some(body) => body,
            None => match self.begin_body(&transaction).await {
                Ok(body) => body,
                Err(reply) => {
                    // The client has to begin again; chunks that follow find no transaction.
                    self.skip(bdat.size, connection).await?;
                    self.reply(reply);
                    return Ok(Flow::Continue);
                }
            },
        };
        let total = (body.bytes.len().saturating_sub(body.prefix) as u64).saturating_add(bdat.size);
        body.settle(largest, total > largest).await;
        let mut left = bdat.size;
        while left > 0 {
            if self.reader.is_empty() {
                self.body_octets(connection, body.bytes.len(), body.deadline).await?;
            }
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(self.reader.len());
            if body.refusal.is_none() {
                body.bytes.extend_from_slice(self.reader.buffered().get(..take).unwrap_or_default());
            }
            self.reader.consume(take);
            left = left.saturating_sub(take as u64);
            body.settle(largest, false).await;
        }
        if bdat.last {
            return self.finish(*transaction, *body).await;
        }
        match &body.refusal {
            None => self.reply(Reply::new(250, (2, 0, 0), format!("{} octets received", bdat.size))),
            Some(refusal) => self.reply(refusal.clone()),
        }
        transaction.body = Some(body);
        self.transaction = Some(transaction);
        Ok(Flow::Continue)
    }

    async fn skip(&mut self, mut left: u64, connection: &mut Connection) -> Result<(), Gone> {
        let deadline = Instant::now() + self.gateway.config.message_timeout;
        while left > 0 {
            if self.reader.is_empty() {
                self.body_octets(connection, 0, deadline).await?;
            }
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(self.reader.len());
            self.reader.consume(take);
            left = left.saturating_sub(take as u64);
        }
        Ok(())
    }
}
