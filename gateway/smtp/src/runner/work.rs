//! One leased message: who is due, where they go, what became of them, and what is reported.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use kontor_smtp_proto::{EnhancedCode, Notify};
use kontor_storage_client::proto::{
    self, QueuedMessage, Resolution, Target, deliver_result, queue_recipient::State, resolution, target::To,
};
use kontor_storage_client::{PreparedMessage, StoreError};

use super::backoff;
use super::relay::Relay;
use super::transaction::{Envelope, Hop};
use crate::dsn::{Action, RecipientReport};
use crate::gateway::Gateway;
use crate::notify::{Returned, notify};
use crate::trace;

/// What became of a recipient in this attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Delivered {
        said: String,
        /// Who took it; empty = our own store.
        remote: String,
        /// The next hop sends the notifications that were asked for.
        notifies: bool,
    },
    Failed {
        status: EnhancedCode,
        said: String,
        remote: String,
    },
    Deferred {
        said: String,
        /// It was tried, so the pause grows.
        tried: bool,
    },
}

impl Attempt {
    pub fn deferred(said: impl Into<String>) -> Self {
        Self::Deferred { said: said.into(), tried: true }
    }

    /// How far it is from well, for a recipient that stands for several copies.
    fn weight(&self) -> u8 {
        match self {
            Self::Delivered { .. } => 0,
            Self::Deferred { .. } => 1,
            Self::Failed { .. } => 2,
        }
    }
}

/// Delivers what is due of a message and reports it, keeping the lease meanwhile.
pub(super) async fn deliver(gateway: &Gateway, relay: Option<&Relay>, message: QueuedMessage) {
    let queue_id = message.queue_id;
    tokio::select! {
        () = attempt(gateway, relay, &message) => {}
        error = keep_lease(gateway, &message) => {
            // Somebody else has it now, or an operator took it away.
            tracing::warn!(queue_id, %error, "the lease was lost");
        }
    }
}

/// Renews until that is refused. A store that does not answer is asked again: the lease may still be ours.
async fn keep_lease(gateway: &Gateway, message: &QueuedMessage) -> StoreError {
    let lease = gateway.config.queue.lease.max(Duration::from_secs(10));
    let lease_seconds = u32::try_from(lease.as_secs()).unwrap_or(u32::MAX);
    loop {
        tokio::time::sleep(lease / 3).await;
        let request = proto::RenewRequest { queue_id: message.queue_id, lease: message.lease, lease_seconds };
        match gateway.store.renew_lease(request).await {
            Err(error) if !error.is_retryable() => return error,
            _ => {}
        }
    }
}

async fn attempt(gateway: &Gateway, relay: Option<&Relay>, message: &QueuedMessage) {
    let now = Timestamp::now().as_second();
    let due: Vec<usize> = (0..message.recipients.len())
        .filter(|&at| {
            message
                .recipients
                .get(at)
                .is_some_and(|to| to.state() == State::Pending && to.next_attempt_at <= now)
        })
        .collect();
    let mut attempts: Vec<Option<Attempt>> = vec![None; message.recipients.len()];
    let body = tokio::sync::OnceCell::new();
    let outside = local(gateway, message, &due, &body, &mut attempts).await;
    if !outside.is_empty() {
        remote(gateway, relay, message, outside, &mut attempts).await;
    }
    finish(gateway, message, now, &body, attempts).await;
}

/// Delivers to mailboxes of ours, and gives those copies that go outside.
async fn local(
    gateway: &Gateway,
    message: &QueuedMessage,
    due: &[usize],
    body: &tokio::sync::OnceCell<Bytes>,
    attempts: &mut [Option<Attempt>],
) -> Vec<(usize, String)> {
    let address = |at: usize| message.recipients.get(at).map(|to| to.address.clone()).unwrap_or_default();
    let request = proto::ResolveRecipientsRequest {
        addresses: due.iter().map(|&at| address(at)).collect(),
        size: message.size,
        sender: message.sender.clone(),
        authenticated: true,
    };
    let answers = match gateway.store.resolve_recipients(request).await {
        Ok(answers) => answers,
        Err(error) => {
            for &at in due {
                record(attempts, at, Attempt::deferred(error.to_string()));
            }
            return Vec::new();
        }
    };
    let mut outside = Vec::new();
    let mut inside: Vec<(usize, Target)> = Vec::new();
    for (&at, answer) in due.iter().zip(answers) {
        match route(&address(at), answer) {
            Ok(targets) => {
                for target in targets {
                    match &target.to {
                        Some(To::External(address)) => outside.push((at, address.clone())),
                        _ => inside.push((at, target)),
                    }
                }
            }
            Err(attempt) => record(attempts, at, attempt),
        }
    }
    if inside.is_empty() {
        return outside;
    }
    let outcome = match read_body(gateway, message, body).await {
        Ok(raw) => {
            let stored = [trace::return_path(&message.sender).as_bytes(), raw].concat();
            // The id is that of the queued message, so that a repetition after a crash is seen as one.
            let mut prepared = PreparedMessage::prepare(stored.into()).await;
            prepared.content_id = content_id(message);
            let targets: Vec<Target> = inside.iter().map(|(_, target)| target.clone()).collect();
            gateway.store.deliver(&prepared, &targets, 0, None).await
        }
        Err(error) => Err(error),
    };
    match outcome {
        Ok(results) => {
            for ((at, _), result) in inside.iter().zip(results) {
                record(attempts, *at, stored(&result));
            }
        }
        Err(error) => {
            for (at, _) in &inside {
                record(attempts, *at, Attempt::deferred(error.to_string()));
            }
        }
    }
    outside
}

/// What the directory's answer means for an address in the queue.
fn route(address: &str, answer: Resolution) -> Result<Vec<Target>, Attempt> {
    let failed = |status: EnhancedCode, said: &str| Attempt::Failed {
        status,
        said: said.into(),
        remote: String::new(),
    };
    match answer.status() {
        resolution::Status::External => Ok(vec![crate::routing::external(address, 0)]),
        resolution::Status::Local => {
            // A copy that was put off belongs to this mailbox alone; its forwards have been made already.
            let own: Vec<Target> = answer
                .targets
                .iter()
                .filter(|target| {
                    matches!(target.to, Some(To::MailboxId(_)))
                        && target.address.eq_ignore_ascii_case(address)
                })
                .cloned()
                .collect();
            Ok(if own.is_empty() { answer.targets } else { own })
        }
        resolution::Status::OverQuota if answer.over_quota_is_final => {
            Err(failed(EnhancedCode(5, 2, 2), "mailbox is full"))
        }
        resolution::Status::OverQuota => Err(Attempt::deferred("mailbox is full")),
        resolution::Status::NoSuchUser => Err(failed(EnhancedCode(5, 1, 1), "no such user here")),
        resolution::Status::Disabled => Err(failed(EnhancedCode(5, 2, 1), "mailbox is disabled")),
        resolution::Status::NotPermitted => Err(failed(EnhancedCode(5, 7, 2), "not allowed to write there")),
        resolution::Status::Invalid => Err(failed(EnhancedCode(5, 1, 3), "not an address")),
        resolution::Status::Unspecified => Err(Attempt::deferred("the directory gave no answer")),
    }
}

fn stored(result: &proto::DeliverResult) -> Attempt {
    match result.status() {
        deliver_result::Status::Delivered => {
            Attempt::Delivered { said: "stored".into(), remote: String::new(), notifies: false }
        }
        deliver_result::Status::OverQuota => Attempt::deferred("mailbox is full"),
        deliver_result::Status::NoSuchMailbox => Attempt::Failed {
            status: EnhancedCode(5, 1, 1),
            said: "no such user here".into(),
            remote: String::new(),
        },
        deliver_result::Status::Failed | deliver_result::Status::Unspecified => {
            Attempt::deferred(if result.message.is_empty() { "not stored" } else { &result.message })
        }
    }
}

/// Hands the copies for outside to the relay host.
async fn remote(
    gateway: &Gateway,
    relay: Option<&Relay>,
    message: &QueuedMessage,
    outside: Vec<(usize, String)>,
    attempts: &mut [Option<Attempt>],
) {
    let Some(relay) = relay else {
        for (at, _) in outside {
            let said = "no relay host is configured (smtp.relay.host)".into();
            record(attempts, at, Attempt::Deferred { said, tried: false });
        }
        return;
    };
    for group in outside.chunks(relay.recipients()) {
        let hops = group.iter().map(|(at, address)| {
            let to = message.recipients.get(*at);
            Hop {
                address: address.clone(),
                notify: to.map(|to| to.notify.clone()).unwrap_or_default(),
                orcpt: to.map(|to| to.orcpt.clone()).unwrap_or_default(),
            }
        });
        let envelope = Envelope { message, recipients: hops.collect() };
        let results = relay.deliver(&gateway.store, &gateway.limits, &envelope).await;
        for ((at, _), attempt) in group.iter().zip(results) {
            record(attempts, *at, attempt);
        }
    }
}

/// Tells the sender what it has to know, then the store.
async fn finish(
    gateway: &Gateway,
    message: &QueuedMessage,
    now: i64,
    body: &tokio::sync::OnceCell<Bytes>,
    attempts: Vec<Option<Attempt>>,
) {
    let config = &gateway.config.queue;
    let expire = i64::try_from(config.expire.as_secs()).unwrap_or(i64::MAX);
    let expires_at =
        if message.expires_at > 0 { message.expires_at } else { message.queued_at.saturating_add(expire) };
    let mut recipients = Vec::new();
    let mut reports = Vec::new();
    for (to, attempt) in message.recipients.iter().zip(attempts) {
        let Some(attempt) = attempt else { continue };
        let attempt = match attempt {
            Attempt::Deferred { said, .. } if now >= expires_at => Attempt::Failed {
                status: EnhancedCode(4, 4, 7),
                said: format!("gave up; the last answer was: {said}"),
                remote: String::new(),
            },
            attempt => attempt,
        };
        metrics::counter!("kontor_queue_attempts_total", "result" => match &attempt {
            Attempt::Delivered { .. } => "delivered",
            Attempt::Failed { .. } => "failed",
            Attempt::Deferred { .. } => "deferred",
        })
        .increment(1);
        reports.extend(report(to, &attempt));
        recipients.push(update(config, to, attempt, now));
    }
    if !reports.is_empty() && !message.sender.is_empty() {
        let told = match read_body(gateway, message, body).await {
            Ok(raw) => {
                let returned = Returned {
                    tenant_id: message.tenant_id,
                    sender: &message.sender,
                    envid: &message.envid,
                    arrived: Timestamp::from_second(message.queued_at).unwrap_or(Timestamp::UNIX_EPOCH),
                    message: raw,
                    full: message.ret.eq_ignore_ascii_case("FULL"),
                };
                notify(gateway, &returned, &reports).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            // The sender must hear of a failure: it is one only when the notification is stored.
            tracing::warn!(queue_id = message.queue_id, %error, "a notification could not be stored yet");
            for to in recipients.iter_mut().filter(|to| to.state() == State::Failed) {
                to.set_state(State::Pending);
                to.next_attempt_at = now + 60;
            }
        }
    }
    tell_store(gateway, message, recipients).await;
}

fn report(to: &proto::QueueRecipient, attempt: &Attempt) -> Option<RecipientReport> {
    let (action, status, said, remote) = match attempt {
        Attempt::Failed { status, said, remote } => (Action::Failed, *status, said, remote),
        Attempt::Delivered { notifies: true, .. } | Attempt::Deferred { .. } => return None,
        Attempt::Delivered { said, remote, .. } if remote.is_empty() => {
            (Action::Delivered, EnhancedCode(2, 0, 0), said, remote)
        }
        Attempt::Delivered { said, remote, .. } => (Action::Relayed, EnhancedCode(2, 0, 0), said, remote),
    };
    let notify = if to.notify.is_empty() { None } else { Notify::parse(&to.notify).ok() };
    action.is_wanted(notify).then(|| RecipientReport {
        address: to.address.clone(),
        original: to.orcpt.clone(),
        action,
        status,
        diagnostic: said.clone(),
        remote: remote.clone(),
    })
}

fn update(
    config: &crate::config::QueueConfig,
    to: &proto::QueueRecipient,
    attempt: Attempt,
    now: i64,
) -> proto::QueueRecipient {
    let mut to = to.clone();
    match attempt {
        Attempt::Delivered { said, .. } => {
            to.attempts = to.attempts.saturating_add(1);
            to.set_state(State::Delivered);
            to.reason = said;
        }
        Attempt::Failed { said, .. } => {
            to.attempts = to.attempts.saturating_add(1);
            to.set_state(State::Failed);
            to.reason = said;
        }
        Attempt::Deferred { said, tried } => {
            let pause = if tried {
                to.attempts = to.attempts.saturating_add(1);
                backoff::pause(to.attempts, config.first_retry, config.last_retry, rand::random())
            } else {
                UNTRIED_PAUSE.min(config.last_retry)
            };
            to.set_state(State::Pending);
            to.next_attempt_at =
                now.saturating_add(i64::try_from(pause.as_secs().max(1)).unwrap_or(i64::MAX));
            to.reason = said;
        }
    }
    to
}

/// Until the store has heard it, or the lease is over anyway.
async fn tell_store(gateway: &Gateway, message: &QueuedMessage, recipients: Vec<proto::QueueRecipient>) {
    let request = proto::ReportRequest { queue_id: message.queue_id, lease: message.lease, recipients };
    let told = async {
        loop {
            match gateway.store.report(request.clone()).await {
                Ok(_) => return,
                Err(error) if error.is_retryable() => tokio::time::sleep(REPORT_PAUSE).await,
                Err(error) => {
                    tracing::error!(queue_id = message.queue_id, %error, "a report was refused");
                    return;
                }
            }
        }
    };
    if tokio::time::timeout(gateway.config.queue.lease.max(REPORT_PAUSE) * 4, told).await.is_err() {
        tracing::error!(queue_id = message.queue_id, "a report could not be made; mail may be sent twice");
    }
}

async fn read_body<'a>(
    gateway: &Gateway,
    message: &QueuedMessage,
    body: &'a tokio::sync::OnceCell<Bytes>,
) -> Result<&'a Bytes, StoreError> {
    body.get_or_try_init(|| async {
        let mut stream = gateway.store.read_queued(message.queue_id).await?;
        let mut whole = BytesMut::new();
        while let Some(piece) = stream.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    })
    .await
}

fn record(attempts: &mut [Option<Attempt>], at: usize, attempt: Attempt) {
    if let Some(slot) = attempts.get_mut(at)
        && slot.as_ref().is_none_or(|before| before.weight() < attempt.weight())
    {
        *slot = Some(attempt);
    }
}

/// 16 octets that the queue row alone determines.
fn content_id(message: &QueuedMessage) -> Bytes {
    let mut id = *b"kontor-q\0\0\0\0\0\0\0\0";
    for (octet, value) in id.iter_mut().skip(8).zip(message.queue_id.to_be_bytes()) {
        *octet = value;
    }
    Bytes::copy_from_slice(&id)
}

/// How long mail rests that nobody can try to deliver.
const UNTRIED_PAUSE: Duration = Duration::from_secs(300);
const REPORT_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_copies_counts() {
        let delivered = Attempt::Delivered { said: "ok".into(), remote: "r".into(), notifies: false };
        let mut attempts = vec![None];
        record(&mut attempts, 0, delivered.clone());
        record(&mut attempts, 0, Attempt::deferred("later"));
        record(&mut attempts, 0, delivered);
        assert_eq!(attempts, [Some(Attempt::deferred("later"))]);
    }

    #[test]
    fn mail_that_cannot_be_tried_keeps_its_count() {
        let config = crate::config::QueueConfig::default();
        let to = proto::QueueRecipient { attempts: 3, ..Default::default() };
        let waiting = update(&config, &to, Attempt::Deferred { said: "no relay".into(), tried: false }, 100);
        assert_eq!((waiting.attempts, waiting.next_attempt_at), (3, 400));
        assert_eq!((waiting.state(), waiting.reason.as_str()), (State::Pending, "no relay"));
        let tried = update(&config, &to, Attempt::deferred("421"), 100);
        assert_eq!(tried.attempts, 4);
        assert!((100 + 384..=100 + 576).contains(&tried.next_attempt_at), "{}", tried.next_attempt_at);
    }

    #[test]
    fn who_asked_hears_of_a_relay_without_dsn() {
        let to = proto::QueueRecipient { notify: "SUCCESS".into(), ..Default::default() };
        let with = |notifies| Attempt::Delivered { said: "ok".into(), remote: "r".into(), notifies };
        assert_eq!(report(&to, &with(false)).map(|report| report.action), Some(Action::Relayed));
        assert!(report(&to, &with(true)).is_none());
        assert!(report(&proto::QueueRecipient::default(), &with(false)).is_none());
    }
}
