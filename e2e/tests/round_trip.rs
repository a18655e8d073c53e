//! What comes in by LMTP goes out by IMAP and POP3 byte for byte.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::{Account, Appliance};
use kontor_e2e::corpus::{Corpus, Kind};
use kontor_e2e::imap::Imap;
use kontor_e2e::lmtp::Lmtp;
use kontor_e2e::pop3::Pop3;

/// How many messages; `KONTOR_E2E_MESSAGES` says another number.
const MESSAGES: usize = 10_000;
const USERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn varied_messages_come_back_byte_for_byte() -> Result<()> {
    let count = std::env::var("KONTOR_E2E_MESSAGES").ok().and_then(|n| n.parse().ok()).unwrap_or(MESSAGES);
    let appliance = Appliance::start().await?;
    let corpus = Corpus::new(2_026);
    let mut tasks = Vec::new();
    for user in 0..USERS {
        let account = appliance.add_mailbox(&format!("trip{user}")).await?;
        let (lmtp, imap, pop3) = (
            appliance.endpoints.lmtp.clone(),
            appliance.endpoints.imap.clone(),
            appliance.endpoints.pop3.clone(),
        );
        tasks.push(tokio::spawn(async move {
            let numbers: Vec<usize> = (user..count).step_by(USERS).collect();
            let stored = deliver(&lmtp, &account, corpus, &numbers).await?;
            compare_imap(&imap, &account, corpus, &stored).await.context("IMAP")?;
            compare_pop3(&pop3, &account, corpus, &stored).await.context("POP3")?;
            anyhow::Ok((stored.len(), numbers.len() - stored.len()))
        }));
    }
    let (mut same, mut refused) = (0, 0);
    for task in tasks {
        let (some, others) = task.await??;
        same += some;
        refused += others;
    }
    println!("{same} messages came back as they were, {refused} with NUL, bare CR or bare LF were refused");
    ensure!(same + refused == count);
    appliance.kontor(&["check"])?;
    Ok(())
}

#[tokio::test]
async fn appended_messages_keep_an_unended_last_line() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = &appliance.account;
    let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
    let messages: [&[u8]; 4] = [
        b"Subject: x\r\n\r\nno line end",
        b"Subject: only a header",
        b"\r\n.",
        b"Subject: x\r\n\r\n.\r\n..\r\n.",
    ];
    for message in messages {
        imap.append("INBOX", "", message).await?;
    }
    let first = imap.select("INBOX").await?.uid_next - 4;
    for (uid, message) in (first..).zip(messages) {
        let body = imap.body(uid).await?.context("no body")?;
        ensure!(body == message, "{:?} came back as {:?}", text(message), text(&body));
    }
    // POP3 must end the last line, and may add nothing else.
    let mut pop3 = Pop3::login(&appliance.endpoints.pop3, &account.address, &account.password).await?;
    let (there, _) = pop3.stat().await?;
    for (number, message) in (there - 3..).zip(messages) {
        let body = pop3.retr(number).await?;
        ensure!(body == [message, b"\r\n"].concat(), "{:?} came back as {:?}", text(message), text(&body));
    }
    Ok(())
}

/// Delivers in order on one connection; the numbers of those that were taken.
async fn deliver(lmtp: &str, account: &Account, corpus: Corpus, numbers: &[usize]) -> Result<Vec<usize>> {
    let mut lmtp = Lmtp::connect(lmtp).await?;
    lmtp.wire().set_patience(Duration::from_secs(300));
    let mut stored = Vec::with_capacity(numbers.len());
    for &number in numbers {
        let message = corpus.message(number);
        let replies = lmtp.try_deliver("s@sender.test", &[&account.address], &message.bytes).await?;
        let reply = replies.first().context("no reply")?;
        match reply.code {
            250 => stored.push(number),
            500..=599 if message.kind.may_be_refused() => {}
            _ => anyhow::bail!("message {number} ({:?}) was answered by {reply:?}", message.kind),
        }
    }
    lmtp.quit().await?;
    Ok(stored)
}

async fn compare_imap(imap: &str, account: &Account, corpus: Corpus, stored: &[usize]) -> Result<()> {
    let mut imap = Imap::login(imap, &account.address, &account.password).await?;
    imap.wire().set_patience(Duration::from_secs(300));
    let selected = imap.select("INBOX").await?;
    ensure!(selected.exists as usize == stored.len(), "{} messages of {}", selected.exists, stored.len());
    for (page, numbers) in stored.chunks(50).enumerate() {
        let first = page * 50 + 1;
        let last = first + numbers.len() - 1;
        let command = format!("FETCH {first}:{last} (RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[])");
        let answer = imap.command(&command).await?.ok()?;
        let mut seen = 0;
        for response in &answer.untagged {
            let Some((sequence, rest)) = response.text.split_once(" FETCH ") else { continue };
            let sequence: usize = sequence.parse()?;
            let number = *stored.get(sequence - 1).context("a sequence number too large")?;
            let message = corpus.message(number);
            // ENVELOPE may hold literals too; the body is the last.
            ensure!(rest.contains("BODY[]"), "no body in {rest:.300}");
            let empty = Vec::new();
            let body = if message.kind == Kind::Empty {
                response.literals.last().filter(|l| l.is_empty()).unwrap_or(&empty)
            } else {
                response.literals.last().context("no literal")?
            };
            same(number, message.kind, &message.bytes, body)?;
            let size = format!("RFC822.SIZE {}", message.bytes.len());
            ensure!(
                rest.contains(&format!("{size} ")) || rest.contains(&format!("{size})")),
                "message {number} ({:?}): not {size} in {rest:.300}",
                message.kind
            );
            seen += 1;
        }
        ensure!(seen == numbers.len(), "{seen} answers to {command}");
    }
    imap.logout().await
}

async fn compare_pop3(pop3: &str, account: &Account, corpus: Corpus, stored: &[usize]) -> Result<()> {
    let mut pop3 = Pop3::login(pop3, &account.address, &account.password).await?;
    pop3.wire().set_patience(Duration::from_secs(300));
    let (there, octets) = pop3.stat().await?;
    ensure!(there == stored.len(), "STAT says {there} messages of {}", stored.len());
    let mut total = 0;
    for (index, &number) in stored.iter().enumerate() {
        let message = corpus.message(number);
        total += message.bytes.len() as u64;
        let body = pop3.retr(index + 1).await?;
        if message.kind == Kind::Empty {
            ensure!(body.is_empty() || body == b"\r\n", "the empty message is {body:?}");
            continue;
        }
        same(number, message.kind, &message.bytes, &body)?;
    }
    ensure!(octets == total, "STAT says {octets} octets of {total}");
    pop3.quit().await
}

fn same(number: usize, kind: Kind, sent: &[u8], got: &[u8]) -> Result<()> {
    if sent == got {
        return Ok(());
    }
    let at = sent.iter().zip(got).position(|(a, b)| a != b).unwrap_or_else(|| sent.len().min(got.len()));
    let around =
        |bytes: &[u8]| text(bytes.get(at.saturating_sub(40)..bytes.len().min(at + 40)).unwrap_or_default());
    anyhow::bail!(
        "message {number} ({kind:?}) of {} bytes came back with {} and differs from byte {at}:\nsent {}\ngot  {}",
        sent.len(),
        got.len(),
        around(sent),
        around(got)
    )
}

fn text(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(bytes))
}
