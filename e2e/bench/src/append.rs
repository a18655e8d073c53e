//! IMAP APPEND on eight connections, one message at a time on each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use kontor_e2e::imap::Imap;

use crate::figures::Figures;
use crate::message::Messages;
use crate::target::Target;

/// APPENDs `count` messages to a new folder of each of eight users.
pub async fn to_many(
    target: &Target,
    messages: &Arc<Messages>,
    count: usize,
    round: usize,
) -> Result<Figures> {
    let folder = format!("append-{round}");
    let users: Vec<String> = (0..CONNECTIONS).map(|i| target.user(i % target.user_count)).collect();
    append(target, messages, count, "append-many", &users, &folder).await
}

/// APPENDs `count` messages to one INBOX.
pub async fn to_one(target: &Target, messages: &Arc<Messages>, count: usize) -> Result<Figures> {
    let users = vec![target.folder_user(); CONNECTIONS];
    append(target, messages, count, "append-one", &users, "INBOX").await
}

async fn append(
    target: &Target,
    messages: &Arc<Messages>,
    count: usize,
    step: &str,
    users: &[String],
    folder: &str,
) -> Result<Figures> {
    let mut sessions = Vec::with_capacity(users.len());
    for user in users {
        let mut imap = Imap::login(&target.imap, user, &target.password).await?;
        if folder != "INBOX" {
            imap.command(&format!("CREATE {folder}")).await?;
        }
        sessions.push(imap);
    }
    let before = target.read()?;
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut tasks = Vec::new();
    for mut imap in sessions {
        let (messages, next, folder) = (messages.clone(), next.clone(), folder.to_owned());
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= count {
                    return anyhow::Ok((imap, latencies));
                }
                let message = messages.message(i);
                let one = Instant::now();
                imap.append(&folder, "", &message).await?;
                latencies.push(one.elapsed().as_secs_f64());
            }
        }));
    }
    let mut latencies = Vec::with_capacity(count);
    let mut sessions = Vec::new();
    for task in tasks {
        let (imap, some) = task.await?.context("an appending connection")?;
        sessions.push(imap);
        latencies.extend(some);
    }
    let seconds = started.elapsed().as_secs_f64();
    let cost = target.cost_since(&before)?;
    let mut stored = 0;
    let mut asked = Vec::new();
    for (user, imap) in users.iter().zip(&mut sessions) {
        if !asked.contains(&user) {
            asked.push(user);
            stored += imap.messages(folder).await?;
        }
    }
    ensure!(stored >= count as u64, "{count} messages were appended and {stored} are there");
    Ok(Figures::new(&target.name, step)
        .with("per_s", count as f64 / seconds)
        .with("messages", count as f64)
        .with_latencies(latencies)
        .with_cost(&cost, count))
}

const CONNECTIONS: usize = 8;
