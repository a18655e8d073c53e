//! What an idle connection costs in memory, and how soon idle sessions hear of a message.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kontor_e2e::imap::Imap;
use kontor_e2e::lmtp::Lmtp;
use kontor_e2e::meter;
use kontor_e2e::wire::{PATIENCE, Wire};

use crate::figures::Figures;
use crate::message::Messages;
use crate::target::Target;

/// Opens `connections` sessions, 40 for a user, that SELECT INBOX and IDLE; weighs the server when a fifth of
/// them is there and again when all are, so that what the first users of a server cost once does not count;
/// then delivers one message to the first user and waits until all of its sessions heard of it.
pub async fn idle(target: &Target, messages: &Messages, connections: usize) -> Result<Figures> {
    let per_user = connections.div_ceil(target.user_count).max(1);
    let mut sessions = Vec::with_capacity(connections);
    let warm = connections / 5;
    for i in 0..warm {
        sessions.push(open(target, i % target.user_count).await.with_context(|| format!("connection {i}"))?);
    }
    // Some allocators give back only while they are used: what checking the first passwords took goes now.
    tokio::time::sleep(SETTLE).await;
    for i in 0..target.user_count {
        Imap::login(&target.imap, &target.user(i), &target.password).await?.logout().await?;
    }
    let before = settled(target).await;
    let started = Instant::now();
    for i in warm..connections {
        sessions.push(open(target, i % target.user_count).await.with_context(|| format!("connection {i}"))?);
    }
    let opened = started.elapsed().as_secs_f64();
    let after = settled(target).await;

    let first = sessions.iter_mut().step_by(target.user_count).take(per_user);
    let mut lmtp = Lmtp::connect(&target.lmtp).await?;
    let delivered = Instant::now();
    lmtp.deliver("s@sender.test", &target.user(0), &messages.message(0)).await?;
    let mut heard = Vec::new();
    let mut missed = 0.0;
    for imap in first {
        match imap.wait_for(HEARING, |line| line.ends_with(" EXISTS")).await {
            Ok(_) => heard.push(delivered.elapsed().as_secs_f64()),
            Err(_) => missed += 1.0,
        }
    }
    lmtp.quit().await?;
    Ok(Figures::new(&target.name, "idle")
        .with("kib_each", (after as f64 - before as f64) / (connections - warm).max(1) as f64)
        .with("kib_before", before as f64)
        .with("kib_after", after as f64)
        .with("connections", connections as f64)
        .with("opened_per_s", (connections - warm) as f64 / opened)
        .with("last_exists_ms", heard.last().copied().unwrap_or(f64::NAN) * 1_000.0)
        .with("missed", missed))
}

async fn open(target: &Target, user: usize) -> Result<Imap> {
    let wire = Wire::connect_with(&target.imap, PATIENCE, 1024).await?;
    let mut imap = Imap::over(wire).await?;
    imap.authenticate(&target.user(user), &target.password).await?;
    imap.select("INBOX").await?;
    imap.idle().await?;
    Ok(imap)
}

/// The server's memory in KiB once it has stopped moving: allocators and databases give back late what a
/// start or a burst took.
async fn settled(target: &Target) -> u64 {
    let mut last = 0;
    let mut still = 0;
    for _ in 0..20 {
        tokio::time::sleep(SETTLE).await;
        let now = meter::pss_kib(&target.pids);
        still = if now.abs_diff(last) * 200 <= now { still + 1 } else { 0 };
        last = now;
        if still == 3 {
            break;
        }
    }
    last
}

const SETTLE: Duration = Duration::from_secs(3);
const HEARING: Duration = Duration::from_secs(30);
