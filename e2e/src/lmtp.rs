//! A small LMTP client (RFC 2033).

use anyhow::{Context, Result, ensure};

use crate::smtp::{Reply, dot_stuffed, read_reply};
use crate::wire::Wire;

/// A session over one connection.
pub struct Lmtp {
    wire: Wire,
    buffer: Vec<u8>,
}

impl Lmtp {
    /// Connects, reads the greeting and says LHLO.
    pub async fn connect(address: &str) -> Result<Self> {
        Self::over(Wire::connect(address).await?).await
    }

    /// Takes over a connection whose greeting has not been read.
    pub async fn over(mut wire: Wire) -> Result<Self> {
        read_reply(&mut wire).await?.expect(220)?;
        wire.send(b"LHLO client.example.test\r\n").await?;
        read_reply(&mut wire).await?.expect(250)?;
        Ok(Self { wire, buffer: Vec::new() })
    }

    /// The connection below, for bytes that are no command.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Delivers one message to one recipient; an error unless it was acknowledged.
    ///
    /// The bytes arrive at the server exactly as given when they end in CRLF; else a CRLF is added, which
    /// the protocol cannot do without.
    pub async fn deliver(&mut self, from: &str, to: &str, message: &[u8]) -> Result<()> {
        let replies = self.try_deliver(from, &[to], message).await?;
        for reply in replies {
            reply.expect(250)?;
        }
        Ok(())
    }

    /// Delivers one message to several recipients and returns a reply for each, in order: the refusal
    /// where RCPT was refused, else the reply after the data.
    pub async fn try_deliver(&mut self, from: &str, to: &[&str], message: &[u8]) -> Result<Vec<Reply>> {
        let mut envelope = format!("MAIL FROM:<{from}>\r\n");
        for recipient in to {
            envelope.push_str(&format!("RCPT TO:<{recipient}>\r\n"));
        }
        envelope.push_str("DATA\r\n");
        self.wire.send(envelope.as_bytes()).await?;
        let mail = read_reply(&mut self.wire).await.context("MAIL")?;
        let mut replies = Vec::with_capacity(to.len());
        for _ in to {
            replies.push(read_reply(&mut self.wire).await.context("RCPT")?);
        }
        let data = read_reply(&mut self.wire).await.context("DATA")?;
        let accepted = replies.iter().filter(|r| r.code / 100 == 2).count();
        if data.code != 354 {
            ensure!(accepted == 0 || mail.code / 100 != 2, "DATA was refused: {data:?}");
            self.wire.send(b"RSET\r\n").await?;
            read_reply(&mut self.wire).await?;
            if mail.code / 100 != 2 {
                replies.fill(mail);
            }
            return Ok(replies);
        }
        self.buffer.clear();
        dot_stuffed(message, &mut self.buffer);
        self.wire.send(&self.buffer).await?;
        for reply in replies.iter_mut().filter(|r| r.code / 100 == 2) {
            *reply = read_reply(&mut self.wire).await.context("after the data")?;
        }
        Ok(replies)
    }

    /// QUIT; the connection is used up.
    pub async fn quit(mut self) -> Result<()> {
        self.wire.send(b"QUIT\r\n").await?;
        read_reply(&mut self.wire).await?.expect(221)?;
        Ok(())
    }
}
