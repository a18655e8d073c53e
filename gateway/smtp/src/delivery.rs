//! The commit of a message: into mailboxes, into the queue, and the replies for it.
//!
//! [`commit`] is run in a task of its own; once it has begun it is not cut short.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use kontor_gateway_core::Permit;
use kontor_smtp_proto::{EnhancedCode, Mail, Notify, Rcpt, Reply, Ret, find_bare_newline};
use kontor_storage_client::proto::{self, Target, deliver_result::Status, target::To};
use kontor_storage_client::{PreparedMessage, StoreError};

use crate::config::BareNewlines;
use crate::dsn::{Action, RecipientReport};
use crate::gateway::Gateway;
use crate::headers;
use crate::notify::{Returned, notify};
use crate::routing::{sender, store_failed};
use crate::server::Mode;
use crate::settle::{Outcome, Verdict, settle};
use crate::trace;

/// A recipient that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub rcpt: Rcpt,
    pub address: String,
    pub targets: Vec<Target>,
}

/// A message that has come in whole.
pub(crate) struct Incoming {
    pub mode: Mode,
    pub id: String,
    pub mail: Mail,
    pub recipients: Vec<Accepted>,
    /// `Return-Path` and `Received`, as they stand before the message in `bytes`. For submission they are
    /// not there yet and go to the front later, because the header changes.
    pub return_path: String,
    pub received: String,
    pub bytes: Vec<u8>,
    /// Memory for `bytes`, given back when the commit is over.
    pub permit: Permit,
}

/// Stores the message and gives the replies: one, or in LMTP one for each recipient.
pub(crate) async fn commit(gateway: Arc<Gateway>, incoming: Incoming) -> Vec<Reply> {
    let count = if incoming.mode == Mode::Lmtp { incoming.recipients.len() } else { 1 };
    let mode = incoming.mode.name();
    let replies = match accept(&gateway, incoming).await {
        Ok(replies) => replies,
        Err(reply) => vec![reply; count],
    };
    for reply in &replies {
        let result = match reply.code / 100 {
            2 => "accepted",
            4 => "deferred",
            _ => "refused",
        };
        metrics::counter!("kontor_smtp_messages_total", "mode" => mode, "result" => result).increment(1);
    }
    replies
}

/// A mailbox or an outside address that gets a copy, once however often it was named.
struct Copy {
    target: Target,
    notify: Option<Notify>,
    original: String,
    outcome: Outcome,
}

async fn accept(gateway: &Gateway, mut incoming: Incoming) -> Result<Vec<Reply>, Reply> {
    let prefix = incoming.return_path.len() + incoming.received.len();
    let submission = incoming.mode == Mode::Submission;
    let message = incoming.bytes.get(if submission { 0 } else { prefix }..).unwrap_or_default();
    let survey = headers::survey(message);
    if survey.received > gateway.config.max_hops {
        return Err(Reply::new(554, (5, 4, 6), "Too many hops, this mail is in a loop"));
    }
    if incoming.mode != Mode::Lmtp
        && gateway.config.bare_newlines == BareNewlines::Refuse
        && find_bare_newline(message).is_some()
    {
        return Err(Reply::new(550, (5, 5, 2), "Bare CR or LF in the message (RFC 5321 2.3.8)"));
    }
    let raw: Bytes = if submission {
        let prefix = format!("{}{}", incoming.return_path, incoming.received);
        let message_id = format!("{}@{}", incoming.id, gateway.hostname);
        let date = trace::date(Timestamp::now());
        headers::complete_submission(message, &survey, &prefix, &date, &message_id).into()
    } else {
        std::mem::take(&mut incoming.bytes).into()
    };
    drop(std::mem::take(&mut incoming.bytes));

    let (mut copies, shares) = copies(&incoming.recipients);
    // The first failure of the store is kept: when nothing was stored it says most.
    let mut failure = None;
    // Whoever signed in speaks for the address that they may send as.
    let speaker = submission.then(|| sender(&incoming.mail.from));
    deliver(gateway, &raw, speaker.as_deref(), &mut copies, &mut failure).await;
    ask_whether_final(gateway, raw.len() as u64, &mut copies).await;
    let outgoing = raw.slice(incoming.return_path.len()..);
    let outside: Vec<usize> = (0..copies.len()).filter(|&at| mailbox(&copies, at).is_none()).collect();
    enqueue(gateway, &incoming, &outgoing, &mut copies, &outside, &mut failure).await;

    let sets: Vec<Vec<usize>> =
        if incoming.mode == Mode::Lmtp { shares } else { vec![(0..copies.len()).collect()] };
    let mut replies = Vec::with_capacity(sets.len());
    let (mut again, mut bounce) = (Vec::new(), Vec::new());
    for set in &sets {
        let copies: Vec<(&str, Outcome)> = set
            .iter()
            .filter_map(|&at| copies.get(at))
            .map(|copy| (copy.target.address.as_str(), copy.outcome.clone()))
            .collect();
        match settle(&copies) {
            Verdict::Refuse(reply) if reply.is_transient() => {
                replies.push(failure.as_ref().filter(|_| reply.code == 451).map_or(reply, store_failed));
            }
            Verdict::Refuse(reply) => replies.push(reply),
            Verdict::Accept { again: later, bounce: never } => {
                again.extend(later.into_iter().filter_map(|at| set.get(at).copied()));
                bounce.extend(never.into_iter().filter_map(|at| set.get(at).copied()));
                replies.push(Reply::new(250, (2, 0, 0), format!("Ok: stored as {}", incoming.id)));
            }
        }
    }
    again.sort_unstable();
    again.dedup();
    if !again.is_empty() {
        let mut failure = None;
        enqueue(gateway, &incoming, &outgoing, &mut copies, &again, &mut failure).await;
        if let Some(error) = failure {
            // Some copies are stored and the others cannot even be queued: the client has to repeat all.
            return Err(store_failed(&error));
        }
    }
    report(gateway, &incoming, &raw, &copies, &bounce).await;
    drop(incoming.permit);
    Ok(replies)
}

/// All copies to make, and for each recipient the indexes of its own.
fn copies(recipients: &[Accepted]) -> (Vec<Copy>, Vec<Vec<usize>>) {
    let mut copies: Vec<Copy> = Vec::new();
    let mut known = BTreeMap::new();
    let mut shares = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        let mut share = Vec::with_capacity(recipient.targets.len());
        for target in &recipient.targets {
            let key = match &target.to {
                Some(To::MailboxId(mailbox)) => (*mailbox, String::new()),
                Some(To::External(address)) => (0, address.to_ascii_lowercase()),
                None => continue,
            };
            let at = match known.entry(key) {
                Entry::Occupied(at) => *at.get(),
                Entry::Vacant(vacant) => {
                    copies.push(Copy {
                        target: target.clone(),
                        notify: recipient.rcpt.notify,
                        original: recipient.rcpt.orcpt.as_ref().map(ToString::to_string).unwrap_or_default(),
                        outcome: Outcome::Deferred,
                    });
                    *vacant.insert(copies.len() - 1)
                }
            };
            share.push(at);
        }
        shares.push(share);
    }
    (copies, shares)
}

fn mailbox(copies: &[Copy], at: usize) -> Option<u64> {
    match copies.get(at)?.target.to {
        Some(To::MailboxId(mailbox)) => Some(mailbox),
        _ => None,
    }
}

/// Puts the message into the mailboxes, tenant by tenant.
async fn deliver(
    gateway: &Gateway,
    raw: &Bytes,
    speaker: Option<&str>,
    copies: &mut [Copy],
    failure: &mut Option<StoreError>,
) {
    let mut tenants: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for at in 0..copies.len() {
        if mailbox(copies, at).is_some()
            && let Some(copy) = copies.get(at)
        {
            tenants.entry(copy.target.tenant_id).or_default().push(at);
        }
    }
    if tenants.is_empty() {
        return;
    }
    let mut message = PreparedMessage::prepare(raw.clone()).await;
    if let Some(itip) = &mut message.prepared.itip {
        itip.authenticated = speaker.is_some_and(|speaker| speaker.eq_ignore_ascii_case(&itip.from));
    }
    for members in tenants.into_values() {
        let targets: Vec<Target> =
            members.iter().filter_map(|&at| copies.get(at)).map(|copy| copy.target.clone()).collect();
        match gateway.store.deliver(&message, &targets, 0, None).await {
            Ok(results) => {
                for (at, result) in members.into_iter().zip(results) {
                    let Some(copy) = copies.get_mut(at) else { continue };
                    copy.outcome = match result.status() {
                        Status::Delivered => Outcome::Stored,
                        Status::OverQuota => Outcome::OverQuota,
                        Status::NoSuchMailbox => Outcome::Gone,
                        Status::Failed | Status::Unspecified => Outcome::Deferred,
                    };
                }
            }
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
}

/// Whether a full mailbox is worth another try is the directory's to say; it is asked when one is met.
async fn ask_whether_final(gateway: &Gateway, size: u64, copies: &mut [Copy]) {
    let full: Vec<usize> = (0..copies.len())
        .filter(|&at| copies.get(at).is_some_and(|copy| copy.outcome == Outcome::OverQuota))
        .collect();
    if full.is_empty() {
        return;
    }
    let addresses = full.iter().filter_map(|&at| copies.get(at)).map(|copy| copy.target.address.clone());
    let request =
        proto::ResolveRecipientsRequest { addresses: addresses.collect(), size, ..Default::default() };
    // Without an answer it is tried again, which loses nothing.
    let Ok(answers) = gateway.store.resolve_recipients(request).await else { return };
    for (at, answer) in full.into_iter().zip(answers) {
        if answer.over_quota_is_final
            && let Some(copy) = copies.get_mut(at)
        {
            copy.outcome = Outcome::Full;
        }
    }
}

/// Puts some copies into the queue, tenant by tenant. Those for a mailbox are delivered by the runner.
async fn enqueue(
    gateway: &Gateway,
    incoming: &Incoming,
    outgoing: &Bytes,
    copies: &mut [Copy],
    which: &[usize],
    failure: &mut Option<StoreError>,
) {
    let mut tenants: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for &at in which {
        if let Some(copy) = copies.get(at) {
            tenants.entry(copy.target.tenant_id).or_default().push(at);
        }
    }
    for (tenant_id, members) in tenants {
        let recipients = members.iter().filter_map(|&at| copies.get(at)).map(|copy| proto::QueueRecipient {
            address: copy.target.address.clone(),
            notify: copy.notify.map(|notify| notify.to_string()).unwrap_or_default(),
            orcpt: copy.original.clone(),
            state: proto::queue_recipient::State::Pending.into(),
            ..Default::default()
        });
        let request = proto::EnqueueRequest {
            tenant_id,
            queue_key: uuid::Uuid::now_v7().as_bytes().to_vec().into(),
            sender: sender(&incoming.mail.from),
            recipients: recipients.collect(),
            ret: incoming.mail.ret.map(|ret| ret.to_string()).unwrap_or_default(),
            envid: incoming.mail.envid.clone().unwrap_or_default(),
            body: Some(proto::enqueue_request::Body::Raw(outgoing.clone())),
            eight_bit: !outgoing.is_ascii(),
            smtp_utf8: incoming.mail.smtputf8,
            require_tls: false,
        };
        match gateway.store.enqueue(request).await {
            Ok(queue_id) => {
                tracing::debug!(queue_id, id = %incoming.id, "queued");
                for at in members {
                    if let Some(copy) = copies.get_mut(at) {
                        copy.outcome = Outcome::Stored;
                    }
                }
            }
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
}

/// Tells the sender what was asked for: copies that will never arrive, and those that have.
async fn report(gateway: &Gateway, incoming: &Incoming, raw: &Bytes, copies: &[Copy], bounce: &[usize]) {
    let Some(from) = incoming.mail.from.mailbox() else { return };
    // See the DSN capability: nobody else was offered confirmations.
    let confirms = incoming.mode == Mode::Submission;
    if !confirms && bounce.is_empty() {
        return;
    }
    let mut reports = Vec::new();
    let mut tenant_id = 0;
    for (at, copy) in copies.iter().enumerate() {
        let (action, status) = if bounce.contains(&at) {
            (
                Action::Failed,
                if copy.outcome == Outcome::Full { EnhancedCode(5, 2, 2) } else { EnhancedCode(5, 1, 1) },
            )
        } else if copy.outcome == Outcome::Stored && mailbox(copies, at).is_some() {
            (Action::Delivered, EnhancedCode(2, 0, 0))
        } else {
            continue;
        };
        if !action.is_wanted(copy.notify) || (action == Action::Delivered && !confirms) {
            continue;
        }
        tenant_id = copy.target.tenant_id;
        reports.push(RecipientReport {
            address: copy.target.address.clone(),
            original: copy.original.clone(),
            action,
            status,
            diagnostic: match (action, &copy.outcome) {
                (Action::Failed, Outcome::Full) => "mailbox is full".into(),
                (Action::Failed, _) => "no such user here".into(),
                _ => String::new(),
            },
            remote: String::new(),
        });
    }
    if reports.is_empty() {
        return;
    }
    let returned = Returned {
        tenant_id,
        sender: &from.to_string(),
        envid: incoming.mail.envid.as_deref().unwrap_or_default(),
        arrived: Timestamp::now(),
        message: raw,
        full: incoming.mail.ret == Some(Ret::Full),
    };
    if let Err(error) = notify(gateway, &returned, &reports).await {
        tracing::error!(%error, id = %incoming.id, "a notification could not be stored");
    }
}
