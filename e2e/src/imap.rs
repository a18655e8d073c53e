//! A small IMAP client: commands out, untagged responses with their literals back.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::time::timeout;

use crate::wire::Wire;

/// A session over one connection.
pub struct Imap {
    wire: Wire,
    next_tag: u32,
    /// The server's greeting.
    pub greeting: String,
}

/// What a tagged response said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// `OK`
    Ok,
    /// `NO`
    No,
    /// `BAD`
    Bad,
}

/// One untagged response: its text with every literal left out after its `{n}`, and the literals in order.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// The line, `* ` taken off.
    pub text: String,
    /// The literals' bytes.
    pub literals: Vec<Vec<u8>>,
}

/// A whole command's answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The tagged status.
    pub status: Status,
    /// What follows the tagged status, response code included.
    pub text: String,
    /// The untagged responses in order.
    pub untagged: Vec<Response>,
}

/// An answer that was counted and not kept.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Untagged responses.
    pub responses: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// The last untagged line, for SEARCH results.
    pub last: String,
}

/// What SELECT said.
#[derive(Debug, Clone, Default)]
pub struct Selected {
    /// Messages in the mailbox.
    pub exists: u32,
    /// `UIDVALIDITY`.
    pub uid_validity: u32,
    /// `UIDNEXT`.
    pub uid_next: u32,
    /// `HIGHESTMODSEQ`, 0 when it was not sent.
    pub highest_modseq: u64,
}

impl Answer {
    /// The answer when it was OK, else an error that shows it.
    pub fn ok(self) -> Result<Self> {
        ensure!(self.status == Status::Ok, "the server answered {:?} {}", self.status, self.text);
        Ok(self)
    }
}

impl Imap {
    /// Connects and reads the greeting.
    pub async fn connect(address: &str) -> Result<Self> {
        Self::over(Wire::connect(address).await?).await
    }

    /// Takes over a connection whose greeting has not been read.
    pub async fn over(mut wire: Wire) -> Result<Self> {
        let greeting = wire.text().await.context("no IMAP greeting")?;
        ensure!(greeting.starts_with("* OK") || greeting.starts_with("* PREAUTH"), "greeted by {greeting:?}");
        Ok(Self { wire, next_tag: 0, greeting })
    }

    /// Connects and logs in with LOGIN.
    pub async fn login(address: &str, user: &str, password: &str) -> Result<Self> {
        let mut imap = Self::connect(address).await?;
        imap.authenticate(user, password).await?;
        Ok(imap)
    }

    /// LOGIN on this connection.
    pub async fn authenticate(&mut self, user: &str, password: &str) -> Result<()> {
        self.command(&format!("LOGIN {} {}", quoted(user), quoted(password))).await?.ok().context("LOGIN")?;
        Ok(())
    }

    /// The connection below, for bytes that are no command.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Sends a command and collects its answer.
    pub async fn command(&mut self, command: &str) -> Result<Answer> {
        let tag = self.send(command).await?;
        self.answer(&tag).await
    }

    /// Sends a command and returns its tag.
    pub async fn send(&mut self, command: &str) -> Result<String> {
        self.next_tag += 1;
        let tag = format!("t{}", self.next_tag);
        self.wire.send(format!("{tag} {command}\r\n").as_bytes()).await?;
        Ok(tag)
    }

    /// Collects everything up to the tagged response of `tag`.
    pub async fn answer(&mut self, tag: &str) -> Result<Answer> {
        let mut untagged = Vec::new();
        loop {
            let response = self.response().await?;
            if let Some(rest) = response.text.strip_prefix("* ") {
                untagged.push(Response { text: rest.to_owned(), literals: response.literals });
                continue;
            }
            let Some(rest) = response.text.strip_prefix(tag) else {
                bail!("waiting for {tag}, the server said {:?}", response.text);
            };
            let rest = rest.trim_start();
            let (word, text) = rest.split_once(' ').unwrap_or((rest, ""));
            let status = match word {
                "OK" => Status::Ok,
                "NO" => Status::No,
                "BAD" => Status::Bad,
                _ => bail!("no status in {:?}", response.text),
            };
            return Ok(Answer { status, text: text.to_owned(), untagged });
        }
    }

    /// One response line, whatever it begins with, its literals read.
    pub async fn response(&mut self) -> Result<Response> {
        let mut response = Response::default();
        loop {
            let line = self.wire.line().await?;
            let literal = literal_size(line);
            response.text.push_str(&String::from_utf8_lossy(line));
            match literal {
                Some(n) => response.literals.push(self.wire.take(usize::try_from(n)?).await?),
                None => return Ok(response),
            }
        }
    }

    /// Sends a command and counts its answer, which must be OK and come within `limit`.
    pub async fn tally(&mut self, command: &str, limit: Duration) -> Result<Tally> {
        let tag = self.send(command).await?;
        let before = self.wire.read;
        timeout(limit, async {
            let mut tally = Tally { responses: 0, bytes: 0, last: String::new() };
            loop {
                let line = self.wire.line_unhurried().await?;
                let literal = literal_size(line);
                if line.starts_with(b"* ") {
                    tally.responses += 1;
                    if !line.ends_with(b")") {
                        tally.last = String::from_utf8_lossy(line).into_owned();
                    }
                } else if let Some(rest) = line.strip_prefix(tag.as_bytes()) {
                    ensure!(rest.starts_with(b" OK"), "{command:.60}: {}", String::from_utf8_lossy(rest));
                    tally.bytes = self.wire.read - before;
                    return Ok(tally);
                }
                if let Some(n) = literal {
                    self.wire.skip_unhurried(n).await?;
                }
            }
        })
        .await
        .with_context(|| format!("{command:.60} took longer than {limit:?}"))?
    }

    /// SELECT.
    pub async fn select(&mut self, mailbox: &str) -> Result<Selected> {
        let answer = self.command(&format!("SELECT {}", quoted(mailbox))).await?.ok().context("SELECT")?;
        let mut selected = Selected::default();
        for response in &answer.untagged {
            if let Some(n) = response.text.strip_suffix(" EXISTS") {
                selected.exists = n.parse()?;
            }
            let code = |name: &str| -> Option<u64> {
                let rest = response.text.strip_prefix("OK [")?.strip_prefix(name)?;
                rest.split(']').next()?.trim().parse().ok()
            };
            if let Some(n) = code("UIDVALIDITY") {
                selected.uid_validity = u32::try_from(n)?;
            }
            if let Some(n) = code("UIDNEXT") {
                selected.uid_next = u32::try_from(n)?;
            }
            if let Some(n) = code("HIGHESTMODSEQ") {
                selected.highest_modseq = n;
            }
        }
        Ok(selected)
    }

    /// The number of messages in `mailbox`, asked with STATUS.
    pub async fn messages(&mut self, mailbox: &str) -> Result<u64> {
        let answer = self.command(&format!("STATUS {} (MESSAGES)", quoted(mailbox))).await?.ok()?;
        status_messages(&answer)
    }

    /// APPEND with a non-synchronizing literal.
    pub async fn append(&mut self, mailbox: &str, flags: &str, message: &[u8]) -> Result<Answer> {
        self.next_tag += 1;
        let tag = format!("t{}", self.next_tag);
        let flags = if flags.is_empty() { String::new() } else { format!("({flags}) ") };
        let mut bytes =
            format!("{tag} APPEND {} {flags}{{{}+}}\r\n", quoted(mailbox), message.len()).into_bytes();
        bytes.extend_from_slice(message);
        bytes.extend_from_slice(b"\r\n");
        self.wire.send(&bytes).await?;
        self.answer(&tag).await?.ok().context("APPEND")
    }

    /// The whole of one message by its UID, `None` when there is none.
    pub async fn body(&mut self, uid: u32) -> Result<Option<Vec<u8>>> {
        let answer = self.command(&format!("UID FETCH {uid} (UID BODY.PEEK[])")).await?.ok()?;
        for response in answer.untagged {
            if response.text.contains(" FETCH ") && response.text.contains("BODY[]") {
                if let Some(bytes) = response.literals.into_iter().next() {
                    return Ok(Some(bytes));
                }
                // A server may send a short body as a quoted string; none of ours is that short and plain.
                ensure!(response.text.contains("BODY[] \"\""), "no literal in {:?}", response.text);
                return Ok(Some(Vec::new()));
            }
        }
        Ok(None)
    }

    /// Begins IDLE and waits for the continuation.
    pub async fn idle(&mut self) -> Result<String> {
        let tag = self.send("IDLE").await?;
        let line = self.wire.text().await?;
        ensure!(line.starts_with('+'), "IDLE was answered by {line:?}");
        Ok(tag)
    }

    /// Reads until an untagged response that `wanted` accepts, within `limit`.
    pub async fn wait_for(&mut self, limit: Duration, wanted: impl Fn(&str) -> bool) -> Result<String> {
        timeout(limit, async {
            loop {
                let response = self.response().await?;
                if wanted(&response.text) {
                    return Ok(response.text);
                }
            }
        })
        .await
        .with_context(|| format!("the expected response did not come in {limit:?}"))?
    }

    /// Ends IDLE.
    pub async fn done(&mut self, tag: &str) -> Result<Answer> {
        self.wire.send(b"DONE\r\n").await?;
        self.answer(tag).await?.ok()
    }

    /// LOGOUT; the connection is used up.
    pub async fn logout(mut self) -> Result<()> {
        self.command("LOGOUT").await?.ok()?;
        Ok(())
    }
}

/// The MESSAGES count in a STATUS answer.
pub fn status_messages(answer: &Answer) -> Result<u64> {
    for response in &answer.untagged {
        if let Some((_, rest)) = response.text.split_once("MESSAGES ") {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            return Ok(digits.parse()?);
        }
    }
    bail!("no MESSAGES in {:?}", answer.untagged)
}

/// `text` as an IMAP quoted string.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

fn literal_size(line: &[u8]) -> Option<u64> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|b| *b == b'{')?;
    let digits = std::str::from_utf8(inner.get(open + 1..)?).ok()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_found_only_at_the_end_of_a_line() {
        assert_eq!(literal_size(b"* 1 FETCH (BODY[] {12}"), Some(12));
        assert_eq!(literal_size(b"* 1 FETCH (BODY[] {12} "), None);
        assert_eq!(literal_size(b"* 1 FETCH (BODY[] {x}"), None);
    }

    #[test]
    fn a_quoted_string_escapes() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }
}
