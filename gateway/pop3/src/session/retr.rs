//! `RETR` (RFC 1939 §5).

use kontor_gateway_core::Connection;
use kontor_pop3_proto::{DotStuffer, Response};
use kontor_storage_client::proto;

use super::{FLUSH_AT, Gone, Session, State, store_failed};

impl Session {
    pub(super) async fn retr(&mut self, number: u32, connection: &mut Connection) -> Result<(), Gone> {
        let State::Transaction(maildrop) = &mut self.state else { return Ok(()) };
        let Some(message) = maildrop.message(number).copied() else {
            self.no_such_message();
            return Ok(());
        };
        let request = proto::ReadBodyRequest {
            mailbox_id: maildrop.mailbox_id,
            folder_id: maildrop.folder_id,
            uid: message.uid,
            offset: 0,
            length: 0,
        };
        // The first piece before the first word: what fails mostly fails here, and can still be said.
        let opened = async {
            let mut body = maildrop.login.read_body(request).await?;
            let piece = body.next().await?;
            Ok((body, piece))
        };
        let (mut body, mut piece) = match opened.await {
            Ok(opened) => opened,
            Err(error) => {
                self.reply(store_failed(&error));
                return Ok(());
            }
        };
        let start = self.out.len();
        let mut begun = false;
        self.reply(Response::ok(format!("{} octets", message.size)));
        let mut stuffer = DotStuffer::new();
        while let Some(octets) = piece {
            stuffer.write(&octets, &mut self.out);
            drop(octets);
            // The next piece is not asked for before the client has taken this one.
            if self.out.len() > FLUSH_AT {
                self.flush(connection).await?;
                begun = true;
            }
            piece = match body.next().await {
                Ok(piece) => piece,
                Err(error) if !begun => {
                    self.out.truncate(start);
                    self.reply(store_failed(&error));
                    return Ok(());
                }
                Err(error) => {
                    // There is no way to say it inside a message; a closing dot would call it whole.
                    tracing::warn!(%error, "a message could not be read to its end");
                    return Err(Gone::Closed);
                }
            };
        }
        stuffer.finish(&mut self.out);
        if let State::Transaction(maildrop) = &mut self.state
            && let Some(message) = maildrop.message(number)
        {
            message.retrieved = true;
        }
        Ok(())
    }
}
