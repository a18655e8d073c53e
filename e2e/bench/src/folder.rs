//! One connection on one large folder: listing, downloading, flags, searching.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use kontor_e2e::imap::Imap;

use crate::figures::Figures;
use crate::message::RARE;
use crate::target::Target;

/// Runs the commands in the workload's order on the INBOX of the target's folder user, which
/// [`crate::append::to_one`] has filled with `count` messages.
pub async fn folder(target: &Target, count: usize) -> Result<Vec<Figures>> {
    let mut imap = Imap::login(&target.imap, &target.folder_user(), &target.password).await?;
    let mut run = Run { target, figures: Vec::new() };

    let before = target.read()?;
    let started = Instant::now();
    let selected = imap.select("INBOX").await?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(selected.exists as usize >= count, "the folder holds {} messages, not {count}", selected.exists);
    let n = selected.exists as usize;
    run.add("select", seconds, before, n, 0.0)?;

    let listing = "FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)";
    run.fetch(&mut imap, "list-full", listing, n).await?;
    run.fetch(&mut imap, "list-full-again", listing, n).await?;
    run.fetch(&mut imap, "list-flags", "FETCH 1:* (UID FLAGS)", n).await?;
    let some = n.min(2_000);
    let bodies = format!("FETCH 1:{some} (BODY.PEEK[])");
    run.fetch(&mut imap, "bodies-2000", &bodies, some).await?;
    run.fetch(&mut imap, "bodies-2000-again", &bodies, some).await?;
    run.fetch(&mut imap, "bodies-all", "FETCH 1:* (BODY.PEEK[])", n).await?;
    run.command(&mut imap, "store-all-silent", r"STORE 1:* +FLAGS.SILENT (\Flagged)", n).await?;
    run.fetch(&mut imap, "store-all", r"STORE 1:* -FLAGS (\Flagged)", n).await?;

    let before = target.read()?;
    let started = Instant::now();
    let single = 200.min(n);
    for i in 1..=single {
        imap.command(&format!(r"STORE {i} +FLAGS (\Answered)")).await?.ok()?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let cost = target.cost_since(&before)?;
    let figures = Figures::new(&target.name, "store-one").with("ms_each", seconds * 1_000.0 / single as f64);
    run.figures.push(figures.with_cost(&cost, single));

    // token7 is a part of token70 to token79 too: eleven of a hundred, full hundreds taken.
    run.search(&mut imap, "search-subject", "SEARCH SUBJECT token7", n / 100 * 11).await?;
    let rare = format!("SEARCH TEXT {RARE}");
    run.search(&mut imap, "search-text", &rare, n / 100).await?;
    run.search(&mut imap, "search-text-again", &rare, n / 100).await?;
    run.search(&mut imap, "search-body", &format!("SEARCH BODY {RARE}"), n / 100).await?;
    run.search(&mut imap, "search-unseen", "SEARCH UNSEEN", n).await?;
    imap.logout().await?;
    Ok(run.figures)
}

struct Run<'a> {
    target: &'a Target,
    figures: Vec<Figures>,
}

impl Run<'_> {
    async fn fetch(
        &mut self,
        imap: &mut Imap,
        step: &'static str,
        command: &str,
        expected: usize,
    ) -> Result<()> {
        let before = self.target.read()?;
        let started = Instant::now();
        let tally = imap.tally(command, LIMIT).await?;
        let seconds = started.elapsed().as_secs_f64();
        ensure!(
            tally.responses as usize >= expected,
            "{command}: {} responses for {expected} messages",
            tally.responses
        );
        self.add(step, seconds, before, expected, tally.bytes as f64)
    }

    async fn command(
        &mut self,
        imap: &mut Imap,
        step: &'static str,
        command: &str,
        items: usize,
    ) -> Result<()> {
        let before = self.target.read()?;
        let started = Instant::now();
        let tally = imap.tally(command, LIMIT).await?;
        self.add(step, started.elapsed().as_secs_f64(), before, items, tally.bytes as f64)
    }

    async fn search(
        &mut self,
        imap: &mut Imap,
        step: &'static str,
        command: &str,
        at_least: usize,
    ) -> Result<()> {
        let before = self.target.read()?;
        let started = Instant::now();
        let tally = imap.tally(command, LIMIT).await?;
        let seconds = started.elapsed().as_secs_f64();
        let hits = tally.last.strip_prefix("* SEARCH").map_or(0, |rest| rest.split_whitespace().count());
        ensure!(hits >= at_least, "{command}: {hits} hits, at least {at_least} are right");
        self.add(step, seconds, before, 1, tally.bytes as f64)?;
        if let Some(last) = self.figures.last_mut() {
            last.values.insert("hits", hits as f64);
        }
        Ok(())
    }

    fn add(
        &mut self,
        step: &'static str,
        seconds: f64,
        before: crate::target::Reading,
        items: usize,
        bytes: f64,
    ) -> Result<()> {
        let cost = self.target.cost_since(&before)?;
        let figures = Figures::new(&self.target.name, step)
            .with("seconds", seconds)
            .with("bytes", bytes)
            .with("cpu_ms", cost.cpu_ms)
            .with_cost(&cost, items);
        self.figures.push(figures);
        Ok(())
    }
}

const LIMIT: Duration = Duration::from_secs(300);
