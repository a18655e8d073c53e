//! One message over one connection: MAIL, RCPT, DATA.

use kontor_smtp_proto::{
    Body, Command, DotStuffer, EnhancedCode, Limits, Mail, Mailbox, Notify, OriginalRecipient, Rcpt,
    Recipient, Reply, Ret, ReversePath,
};
use kontor_storage_client::StoreClient;
use kontor_storage_client::proto::QueuedMessage;

use super::relay::{Connection, RelayError};
use super::work::Attempt;

/// A message and those of its recipients that share a transaction.
pub(super) struct Envelope<'a> {
    pub message: &'a QueuedMessage,
    pub recipients: Vec<Hop>,
}

/// A recipient.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    pub address: String,
    /// DSN parameters as they were given; empty = none.
    pub notify: String,
    pub orcpt: String,
}

/// The connection is of no more use.
#[derive(Debug)]
pub(super) struct Broken {
    pub error: RelayError,
    /// Nothing of the message was handed over, so another connection may be tried at once.
    pub before_data: bool,
}

/// A result for each recipient, in order.
pub(super) async fn run(
    connection: &mut Connection,
    store: &StoreClient,
    limits: &Limits,
    envelope: &Envelope<'_>,
) -> Result<Vec<Attempt>, Broken> {
    let before = |error| Broken { error, before_data: true };
    let mut results: Vec<Option<Attempt>> = vec![None; envelope.recipients.len()];
    let mail = match mail(connection, limits, envelope.message) {
        Ok(mail) => mail,
        Err(attempt) => return Ok(vec![attempt; envelope.recipients.len()]),
    };
    let mut commands = Vec::new();
    for (at, hop) in envelope.recipients.iter().enumerate() {
        match rcpt(connection, limits, hop) {
            Ok(rcpt) => commands.push((at, Command::Rcpt(rcpt))),
            Err(attempt) => set(&mut results, at, attempt),
        }
    }
    let host = connection.host.clone();
    let (mail_reply, rcpt_replies) =
        envelope_replies(connection, limits, &Command::Mail(mail), &commands).await.map_err(before)?;
    let mut accepted = Vec::new();
    for ((at, _), reply) in commands.iter().zip(rcpt_replies) {
        // When the sender was refused, that answer tells more than the refusals behind it.
        let reply = if mail_reply.is_positive() { reply } else { mail_reply.clone() };
        if reply.is_positive() {
            accepted.push(*at);
        } else {
            set(&mut results, *at, refused(&reply, &host));
        }
    }
    if accepted.is_empty() {
        // Ends the transaction where MAIL was accepted.
        if connection.usable && connection.ask(&Command::Rset, limits).await.is_err() {
            connection.usable = false;
        }
        return Ok(whole(results));
    }
    let reply = hand_over(connection, store, limits, envelope.message.queue_id).await?;
    let notifies = connection.capabilities.dsn;
    for at in accepted {
        let attempt = if reply.is_positive() {
            Attempt::Delivered { said: reply.to_string(), remote: host.clone(), notifies }
        } else {
            refused(&reply, &host)
        };
        set(&mut results, at, attempt);
    }
    Ok(whole(results))
}

/// MAIL and all RCPTs, in one go where the server takes that (RFC 2920).
async fn envelope_replies(
    connection: &mut Connection,
    limits: &Limits,
    mail: &Command,
    commands: &[(usize, Command)],
) -> Result<(Reply, Vec<Reply>), RelayError> {
    let mut replies = Vec::with_capacity(commands.len());
    if connection.capabilities.pipelining {
        let mut group = format!("{mail}\r\n");
        for (_, command) in commands {
            group.push_str(&format!("{command}\r\n"));
        }
        connection.send(group.as_bytes()).await?;
        let first = connection.reply(limits).await?;
        for _ in commands {
            replies.push(connection.reply(limits).await?);
        }
        return Ok((first, replies));
    }
    let first = connection.ask(mail, limits).await?;
    for (_, command) in commands {
        if first.is_positive() {
            replies.push(connection.ask(command, limits).await?);
        } else {
            replies.push(first.clone());
        }
    }
    Ok((first, replies))
}

/// DATA, the message as it streams from the store, and the answer to it. A message that cannot be read to
/// its end leaves without the final dot, so that the relay drops what it has.
async fn hand_over(
    connection: &mut Connection,
    store: &StoreClient,
    limits: &Limits,
    queue_id: u64,
) -> Result<Reply, Broken> {
    let before = |error| Broken { error, before_data: true };
    let after = |error| Broken { error, before_data: false };
    let mut body = store.read_queued(queue_id).await.map_err(|error| after(error.into()))?;
    let go_ahead = connection.ask(&Command::Data, limits).await.map_err(before)?;
    if go_ahead.code != 354 {
        return Ok(go_ahead);
    }
    let mut stuffer = DotStuffer::new();
    let mut out = Vec::new();
    while let Some(piece) = body.next().await.map_err(|error| after(error.into()))? {
        stuffer.write(&piece, &mut out);
        connection.send(&out).await.map_err(after)?;
        out.clear();
    }
    stuffer.finish(&mut out);
    connection.send(&out).await.map_err(after)?;
    // RFC 5321 §4.5.3.2.6: this answer takes long, and giving up early sends mail twice.
    connection.reply_within(connection.timeout * 10, limits).await.map_err(after)
}

fn mail(connection: &Connection, limits: &Limits, message: &QueuedMessage) -> Result<Mail, Attempt> {
    let capabilities = &connection.capabilities;
    let bad = |status, said: &str| Attempt::Failed { status, said: said.into(), remote: String::new() };
    let from = if message.sender.is_empty() {
        ReversePath::Null
    } else {
        let mailbox = Mailbox::parse(&message.sender, limits)
            .map_err(|error| bad(EnhancedCode(5, 1, 7), &error.to_string()))?;
        ReversePath::Mailbox(mailbox)
    };
    if message.smtp_utf8 && !capabilities.smtputf8 {
        return Err(bad(EnhancedCode(5, 6, 7), "the relay host does not take SMTPUTF8"));
    }
    let mut mail = Mail::new(from);
    // A bound that the relay names is kept here, before the message is sent for nothing.
    match capabilities.size {
        Some(largest) if largest > 0 && message.size > largest => {
            return Err(bad(EnhancedCode(5, 3, 4), "the message is larger than the relay host takes"));
        }
        Some(_) => mail.size = Some(message.size),
        None => {}
    }
    if message.eight_bit && capabilities.eight_bit_mime {
        mail.body = Some(Body::EightBitMime);
    }
    mail.smtputf8 = message.smtp_utf8;
    if capabilities.dsn {
        mail.ret = Ret::parse(&message.ret).ok();
        mail.envid = Some(message.envid.clone()).filter(|envid| !envid.is_empty());
    }
    Ok(mail)
}

fn rcpt(connection: &Connection, limits: &Limits, hop: &Hop) -> Result<Rcpt, Attempt> {
    let mailbox = Mailbox::parse(&hop.address, limits).map_err(|error| Attempt::Failed {
        status: EnhancedCode(5, 1, 3),
        said: error.to_string(),
        remote: String::new(),
    })?;
    let mut rcpt = Rcpt::new(Recipient::Mailbox(mailbox));
    if connection.capabilities.dsn {
        rcpt.notify = Notify::parse(&hop.notify).ok();
        rcpt.orcpt = OriginalRecipient::parse(&hop.orcpt).ok();
    }
    Ok(rcpt)
}

fn refused(reply: &Reply, host: &str) -> Attempt {
    if !reply.is_permanent() {
        return Attempt::deferred(format!("{host}: {reply}"));
    }
    let status = reply.enhanced.unwrap_or(EnhancedCode(5, 0, 0));
    Attempt::Failed { status, said: reply.to_string(), remote: host.into() }
}

fn set(results: &mut [Option<Attempt>], at: usize, attempt: Attempt) {
    if let Some(slot) = results.get_mut(at) {
        *slot = Some(attempt);
    }
}

fn whole(results: Vec<Option<Attempt>>) -> Vec<Attempt> {
    results.into_iter().map(|result| result.unwrap_or_else(|| Attempt::deferred("not tried"))).collect()
}
