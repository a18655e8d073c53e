//! A small POP3 client (RFC 1939).

use anyhow::{Context, Result, bail, ensure};

use crate::wire::Wire;

/// A session over one connection.
pub struct Pop3 {
    wire: Wire,
}

impl Pop3 {
    /// Connects, reads the greeting and logs in with USER and PASS.
    pub async fn login(address: &str, user: &str, password: &str) -> Result<Self> {
        let mut wire = Wire::connect(address).await?;
        let greeting = wire.text().await?;
        ensure!(greeting.starts_with("+OK"), "greeted by {greeting:?}");
        let mut pop3 = Self { wire };
        pop3.command(&format!("USER {user}")).await?;
        pop3.command(&format!("PASS {password}")).await?;
        Ok(pop3)
    }

    /// The connection below.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// A command with a one-line answer; an error when it is `-ERR`.
    pub async fn command(&mut self, command: &str) -> Result<String> {
        self.wire.send(format!("{command}\r\n").as_bytes()).await?;
        let line = self.wire.text().await?;
        match line.strip_prefix("+OK") {
            Some(rest) => Ok(rest.trim().to_owned()),
            None => bail!("{command:.40}: {line}"),
        }
    }

    /// STAT: the number of messages and their octets.
    pub async fn stat(&mut self) -> Result<(usize, u64)> {
        let text = self.command("STAT").await?;
        let mut words = text.split(' ');
        let mut next = || words.next().context("a number is missing in STAT");
        Ok((next()?.parse()?, next()?.parse()?))
    }

    /// A command with a multi-line answer, dots taken off, lines ended by CRLF.
    pub async fn multi(&mut self, command: &str) -> Result<Vec<u8>> {
        self.command(command).await?;
        let mut out = Vec::new();
        loop {
            let line = self.wire.line().await?;
            if line == b"." {
                return Ok(out);
            }
            out.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            out.extend_from_slice(b"\r\n");
        }
    }

    /// RETR as raw bytes: what is between the status line and the final dot, dots taken off, nothing else
    /// changed. Bare line feeds stay as they are, because only CRLF ends a line here.
    pub async fn retr(&mut self, number: usize) -> Result<Vec<u8>> {
        self.command(&format!("RETR {number}")).await?;
        let mut raw = Vec::new();
        loop {
            // A line as the wire has it ends at LF; one that ends in a bare LF is part of the next.
            let line = self.wire.line_raw().await?;
            let starts_line = raw.is_empty() || raw.ends_with(b"\r\n");
            if starts_line {
                if line == b".\r\n" {
                    return Ok(raw);
                }
                raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            } else {
                raw.extend_from_slice(line);
            }
        }
    }

    /// QUIT; the connection is used up.
    pub async fn quit(mut self) -> Result<()> {
        self.command("QUIT").await?;
        Ok(())
    }
}
