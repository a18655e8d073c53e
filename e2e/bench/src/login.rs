//! LOGIN and LOGOUT again and again on eight connections at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use kontor_e2e::imap::Imap;

use crate::figures::Figures;
use crate::target::Target;

/// `count` logins, the target's users in turn.
pub async fn login(target: &Target, count: usize) -> Result<Figures> {
    let before = target.read()?;
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (target, next) = (target.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= count {
                    return anyhow::Ok(latencies);
                }
                let one = Instant::now();
                let imap =
                    Imap::login(&target.imap, &target.user(i % target.user_count), &target.password).await?;
                latencies.push(one.elapsed().as_secs_f64());
                imap.logout().await?;
            }
        }));
    }
    let mut latencies = Vec::with_capacity(count);
    for task in tasks {
        latencies.extend(task.await?.context("a logging-in connection")?);
    }
    let seconds = started.elapsed().as_secs_f64();
    let cost = target.cost_since(&before)?;
    Ok(Figures::new(&target.name, "login")
        .with("per_s", count as f64 / seconds)
        .with_latencies(latencies)
        .with_cost(&cost, count))
}

const CONNECTIONS: usize = 8;
