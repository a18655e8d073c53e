//! `TOP` (RFC 1939 §7): ranges of the message, until enough lines have come.

use kontor_gateway_core::Connection;
use kontor_pop3_proto::{DotStuffer, Response, TopCounter};
use kontor_storage_client::{StoreError, proto};

use super::{FLUSH_AT, Gone, Session, State, store_failed};

impl Session {
    pub(super) async fn top(
        &mut self,
        number: u32,
        lines: u64,
        connection: &mut Connection,
    ) -> Result<(), Gone> {
        let State::Transaction(maildrop) = &mut self.state else { return Ok(()) };
        let Some(message) = maildrop.message(number).copied() else {
            self.no_such_message();
            return Ok(());
        };
        let (mailbox_id, folder_id) = (maildrop.mailbox_id, maildrop.folder_id);
        let login = maildrop.login.clone();
        let mut stuffer = DotStuffer::new();
        let mut counter = TopCounter::new(lines);
        let mut range = FIRST_RANGE;
        let mut offset = 0;
        let mut begun = false;
        'message: loop {
            let range_start = offset;
            let request = proto::ReadBodyRequest {
                mailbox_id,
                folder_id,
                uid: message.uid,
                offset,
                length: range.min(message.size.saturating_sub(offset).max(1)),
            };
            let mut body = match login.read_body(request).await {
                Ok(body) => body,
                Err(error) => return self.interrupted(begun, &error),
            };
            loop {
                let piece = match body.next().await {
                    Ok(piece) => piece,
                    Err(error) => return self.interrupted(begun, &error),
                };
                if !std::mem::replace(&mut begun, true) {
                    self.reply(Response::ok("top of message follows"));
                }
                let Some(octets) = piece else { break };
                offset += octets.len() as u64;
                let (shown, done) = counter.take(&octets);
                stuffer.write(octets.get(..shown).unwrap_or_default(), &mut self.out);
                if self.out.len() > FLUSH_AT {
                    self.flush(connection).await?;
                }
                if done {
                    break 'message;
                }
            }
            if offset >= message.size {
                break;
            }
            if offset == range_start {
                return self.interrupted(true, &StoreError::Internal("a body ends before its size".into()));
            }
            range = (range * 4).min(LAST_RANGE);
        }
        stuffer.finish(&mut self.out);
        Ok(())
    }

    fn interrupted(&mut self, begun: bool, error: &StoreError) -> Result<(), Gone> {
        if begun {
            tracing::warn!(%error, "a message could not be read to its end");
            return Err(Gone::Closed);
        }
        self.reply(store_failed(error));
        Ok(())
    }
}

/// Holds the header of nearly every message.
const FIRST_RANGE: u64 = 16 * 1024;
const LAST_RANGE: u64 = 1 << 20;
