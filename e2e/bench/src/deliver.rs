//! LMTP deliveries: one message at a time on each connection, counted when the mailboxes show them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kontor_e2e::imap::{Imap, status_messages};
use kontor_e2e::lmtp::Lmtp;

use crate::figures::Figures;
use crate::message::Messages;
use crate::target::Target;

/// Delivers `count` messages over `connections` to the target's users in turn.
pub async fn deliver(
    target: &Target,
    messages: &Arc<Messages>,
    count: usize,
    connections: usize,
) -> Result<Figures> {
    let mut watchers = Watchers::open(target).await?;
    let before_visible = watchers.total().await?;
    let before = target.read()?;
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (target, messages, next) = (target.clone(), messages.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let mut lmtp = Lmtp::connect(&target.lmtp).await?;
            let mut latencies = Vec::new();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= count {
                    lmtp.quit().await?;
                    return anyhow::Ok(latencies);
                }
                let message = messages.message(i);
                let one = Instant::now();
                let to = target.user(i % target.user_count);
                lmtp.deliver(&format!("s{}@sender.test", i % 97), &to, &message).await?;
                latencies.push(one.elapsed().as_secs_f64());
            }
        }));
    }
    let mut latencies = Vec::with_capacity(count);
    for task in tasks {
        latencies.extend(task.await?.context("a delivering connection")?);
    }
    let acked = started.elapsed().as_secs_f64();
    let visible_at_last_ack = watchers.total().await?.saturating_sub(before_visible);
    let mut visible = visible_at_last_ack;
    let limit = Instant::now() + Duration::from_secs(120);
    while visible < count as u64 {
        ensure!(Instant::now() < limit, "only {visible} of {count} acknowledged messages became visible");
        tokio::time::sleep(Duration::from_millis(100)).await;
        visible = watchers.total().await?.saturating_sub(before_visible);
    }
    let seen = started.elapsed().as_secs_f64();
    ensure!(visible == count as u64, "{count} messages were delivered and {visible} are visible");
    let cost = target.cost_since(&before)?;
    Ok(Figures::new(&target.name, format!("lmtp-{connections}"))
        .with("visible_per_s", count as f64 / seen)
        .with("acked_per_s", count as f64 / acked)
        .with("visible_at_last_ack", visible_at_last_ack as f64)
        .with("messages", count as f64)
        .with_latencies(latencies)
        .with_cost(&cost, count))
}

/// A session for each user, to ask how many messages there are.
struct Watchers {
    sessions: Vec<Imap>,
}

impl Watchers {
    async fn open(target: &Target) -> Result<Self> {
        let mut sessions = Vec::with_capacity(target.user_count);
        for i in 0..target.user_count {
            sessions.push(Imap::login(&target.imap, &target.user(i), &target.password).await?);
        }
        Ok(Self { sessions })
    }

    async fn total(&mut self) -> Result<u64> {
        let mut tags = Vec::with_capacity(self.sessions.len());
        for session in &mut self.sessions {
            tags.push(session.send("STATUS INBOX (MESSAGES)").await?);
        }
        let mut total = 0;
        for (session, tag) in self.sessions.iter_mut().zip(&tags) {
            total += status_messages(&session.answer(tag).await?.ok()?)?;
        }
        Ok(total)
    }
}
