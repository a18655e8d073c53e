//! `kontor check`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::check_event::Event;
use kontor_storage_client::proto::{CheckProgress, CheckRequest};
use serde_json::json;
use tonic::Request;

use super::{Admin, Reach, Table};

/// Verify that the store is in order: counters, references, bodies, cursors.
///
/// It reads only, and may run while people work. It ends with status 1 when something is wrong.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  kontor check                          everything, without reading bodies
  kontor check ann@example.org --bodies read each body and compare its hash
  kontor check --json | jq .findings")]
pub struct CheckArgs {
    /// Only this mailbox.
    address: Option<String>,
    /// Read every body and compare its hash. Takes as long as reading all mail.
    #[arg(long)]
    bodies: bool,
}

/// Runs it.
pub async fn run(reach: Reach, args: CheckArgs) -> Result<ExitCode> {
    let admin = Admin::connect(&reach).await?;
    let request = CheckRequest { mailbox: args.address.unwrap_or_default(), bodies: args.bodies };
    let mut request = Request::new(request);
    request.set_timeout(LONGEST);
    let mut events = admin.store.care()?.check(request).await.map_err(StoreError::from)?.into_inner();
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("{spinner} {pos}/{len} mailboxes  {msg}").context("a bar's template")?,
    );
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut table = Table::new(&["mailbox", "kind", "message"]);
    let (mut found, mut last) = (0_usize, CheckProgress::default());
    let mut findings = Vec::new();
    while let Some(event) = events.message().await.map_err(StoreError::from)? {
        match event.event {
            Some(Event::Finding(finding)) => {
                found += 1;
                if admin.json {
                    findings.push(json!({
                        "mailbox": finding.mailbox, "kind": finding.kind, "message": finding.message,
                    }));
                } else {
                    table.row(vec![json!(finding.mailbox), json!(finding.kind), json!(finding.message)]);
                }
            }
            Some(Event::Progress(progress)) => {
                bar.set_length(progress.mailboxes_total);
                bar.set_position(progress.mailboxes_done);
                bar.set_message(format!("{} messages", progress.messages));
                last = progress;
            }
            None => {}
        }
    }
    bar.finish_and_clear();
    let CheckProgress { mailboxes_done: mailboxes, messages, .. } = last;
    if admin.json {
        anstream::println!(
            "{:#}",
            json!({"mailboxes": mailboxes, "messages": messages, "findings": findings})
        );
    } else if found == 0 {
        anstream::println!("Nothing is wrong in {mailboxes} mailboxes with {messages} messages.");
    } else {
        table.print(false, "");
        anstream::println!("{found} findings in {mailboxes} mailboxes with {messages} messages.");
    }
    Ok(if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

const LONGEST: Duration = Duration::from_secs(24 * 3600);
