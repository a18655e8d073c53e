//! What SMTP and LMTP share: replies, and the transparency of the data.

use anyhow::{Context, Result, ensure};

use crate::wire::Wire;

/// One reply, its lines joined by `\n`.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// What follows them, line by line.
    pub text: String,
}

impl Reply {
    /// The reply when it has this code, else an error that shows it.
    pub fn expect(self, code: u16) -> Result<Self> {
        ensure!(self.code == code, "expected {code}, the server said {} {}", self.code, self.text);
        Ok(self)
    }
}

/// Reads one reply, all of its lines.
pub async fn read_reply(wire: &mut Wire) -> Result<Reply> {
    let mut text = String::new();
    loop {
        let line = wire.text().await?;
        let code =
            line.get(..3).and_then(|d| d.parse().ok()).with_context(|| format!("no reply: {line:?}"))?;
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line.get(4..).unwrap_or_default());
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(Reply { code, text });
        }
    }
}

/// Appends `message` with its dots doubled, and the end of data (RFC 5321 §4.5.2).
pub fn dot_stuffed(message: &[u8], out: &mut Vec<u8>) {
    out.reserve(message.len() + message.len() / 64 + 8);
    let mut rest = message;
    if rest.first() == Some(&b'.') {
        out.push(b'.');
    }
    while let Some(at) = find_crlf_dot(rest) {
        let (head, tail) = rest.split_at(at + 3);
        out.extend_from_slice(head);
        out.push(b'.');
        rest = tail;
    }
    out.extend_from_slice(rest);
    if !message.is_empty() && !message.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
}

fn find_crlf_dot(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(dot) = bytes.get(from..)?.iter().position(|b| *b == b'.') {
        let at = from + dot;
        if at >= 2 && bytes.get(at - 2..at) == Some(b"\r\n") {
            return Some(at - 2);
        }
        from = at + 1;
    }
    None
}

/// A submission or MX session over one plain connection.
pub struct Smtp {
    /// The connection below.
    pub wire: Wire,
    /// What EHLO said.
    pub capabilities: String,
}

impl Smtp {
    /// Connects, reads the greeting and says EHLO.
    pub async fn connect(address: &str) -> Result<Self> {
        let mut wire = Wire::connect(address).await?;
        read_reply(&mut wire).await?.expect(220)?;
        wire.send(b"EHLO client.example.test\r\n").await?;
        let capabilities = read_reply(&mut wire).await?.expect(250)?.text;
        Ok(Self { wire, capabilities })
    }

    /// Sends one command line and reads its reply.
    pub async fn command(&mut self, line: &str) -> Result<Reply> {
        self.wire.send(format!("{line}\r\n").as_bytes()).await?;
        read_reply(&mut self.wire).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuffed(message: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        dot_stuffed(message, &mut out);
        out
    }

    #[test]
    fn dots_at_line_starts_are_doubled_and_no_others() {
        assert_eq!(stuffed(b".a\r\n..b\r\nc.d\n.e\r\n"), b"..a\r\n...b\r\nc.d\n.e\r\n.\r\n");
    }

    #[test]
    fn a_missing_last_line_end_is_added() {
        assert_eq!(stuffed(b"a"), b"a\r\n.\r\n");
    }

    #[test]
    fn no_bytes_at_all_are_a_message_too() {
        assert_eq!(stuffed(b""), b".\r\n");
    }
}
