//! `kontor queue`

use anyhow::{Result, bail};
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::act_on_queue_request::Action;
use kontor_storage_client::proto::queue_recipient::State;
use kontor_storage_client::proto::{ActOnQueueRequest, ListQueueRequest, QueuedMessage};
use serde_json::json;

use super::{Admin, Reach, Table, confirm, timed};

/// See `kontor queue --help`.
#[derive(clap::Subcommand, Debug)]
#[command(after_help = "\
Examples:
  kontor queue list --recipient example.com
  kontor queue show 4711
  kontor queue retry 4711 4712
  kontor queue hold --all --sender newsletter@example.org
  kontor queue remove 4711")]
pub enum QueueCommand {
    /// List messages that wait.
    List(Selection),
    /// Show one with its recipients and what their servers said.
    Show {
        /// Its number.
        id: u64,
    },
    /// Do not try to deliver these until they are released.
    Hold(Chosen),
    /// Let held messages go.
    Release(Chosen),
    /// Try these now.
    Retry(Chosen),
    /// Delete these. Their senders are not told.
    Remove {
        #[command(flatten)]
        chosen: Chosen,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
}

/// Which messages.
#[derive(clap::Args, Clone, Debug)]
pub struct Selection {
    /// Only of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Only from this sender.
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// Only with this recipient, or one in this domain.
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<String>,
}

/// Numbers, or all that match.
#[derive(clap::Args, Clone, Debug)]
pub struct Chosen {
    /// Numbers, as `list` shows them.
    #[arg(conflicts_with = "all", required_unless_present = "all")]
    ids: Vec<u64>,
    /// All that match the options.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    selection: Selection,
}

/// Runs one.
pub async fn run(reach: Reach, command: QueueCommand) -> Result<()> {
    let admin = Admin::connect(&reach).await?;
    match command {
        QueueCommand::List(selection) => {
            let messages = list(&admin, &selection).await?;
            let mut table = Table::new(&[
                "id",
                "sender",
                "recipients",
                "size",
                "queued_at",
                "next_attempt",
                "attempts",
                "state",
                "reason",
            ]);
            for message in &messages {
                let waiting: Vec<_> = message
                    .recipients
                    .iter()
                    .filter(|recipient| recipient.state() == State::Pending)
                    .collect();
                let next = waiting.iter().map(|recipient| recipient.next_attempt_at).min().unwrap_or(0);
                let tried = waiting.iter().map(|recipient| recipient.attempts).max().unwrap_or(0);
                let reason =
                    waiting.iter().map(|recipient| recipient.reason.as_str()).find(|text| !text.is_empty());
                table.row(vec![
                    json!(message.queue_id),
                    json!(if message.sender.is_empty() { "<>" } else { message.sender.as_str() }),
                    json!(waiting.iter().map(|recipient| &recipient.address).collect::<Vec<_>>()),
                    json!(message.size),
                    json!(message.queued_at),
                    json!(next),
                    json!(tried),
                    json!(state(message)),
                    json!(reason.unwrap_or_default()),
                ]);
            }
            table.print(admin.json, "The queue is empty.");
        }
        QueueCommand::Show { id } => show(&admin, id).await?,
        QueueCommand::Hold(chosen) => act(&admin, Action::Hold, &chosen, "held").await?,
        QueueCommand::Release(chosen) => act(&admin, Action::Release, &chosen, "released").await?,
        QueueCommand::Retry(chosen) => act(&admin, Action::Retry, &chosen, "due now").await?,
        QueueCommand::Remove { chosen, yes } => {
            confirm("This deletes mail that has not been delivered.", yes)?;
            act(&admin, Action::Delete, &chosen, "deleted").await?;
        }
    }
    Ok(())
}

async fn show(admin: &Admin, id: u64) -> Result<()> {
    let request = ListQueueRequest { queue_id: id, page_size: 1, ..Default::default() };
    let found = admin.store.queue()?.list(timed(request)).await.map_err(StoreError::from)?.into_inner();
    let Some(message) = found.messages.into_iter().next() else {
        bail!(
            "there is no message {id} in the queue; it may have been delivered. `kontor queue list` shows what waits."
        );
    };
    let recipients: Vec<_> = message
        .recipients
        .iter()
        .map(|recipient| {
            json!({
                "address": recipient.address,
                "state": recipient_state(recipient.state()),
                "attempts": recipient.attempts,
                "next_attempt_at": recipient.next_attempt_at,
                "reason": recipient.reason,
            })
        })
        .collect();
    if admin.json {
        let object = json!({
            "id": message.queue_id,
            "sender": message.sender,
            "size": message.size,
            "state": state(&message),
            "queued_at": message.queued_at,
            "expires_at": message.expires_at,
            "envid": message.envid,
            "recipients": recipients,
        });
        anstream::println!("{object:#}");
        return Ok(());
    }
    let mut table = Table::new(&["id", "sender", "size", "state", "queued_at", "expires_at"]);
    table.row(vec![
        json!(message.queue_id),
        json!(if message.sender.is_empty() { "<>" } else { message.sender.as_str() }),
        json!(message.size),
        json!(state(&message)),
        json!(message.queued_at),
        json!(message.expires_at),
    ]);
    table.print_one(false);
    anstream::println!();
    let mut table = Table::new(&["recipient", "state", "attempts", "next_attempt_at", "reason"]);
    for recipient in &message.recipients {
        table.row(vec![
            json!(recipient.address),
            json!(recipient_state(recipient.state())),
            json!(recipient.attempts),
            json!(recipient.next_attempt_at),
            json!(recipient.reason),
        ]);
    }
    table.print(false, "It has no recipients.");
    Ok(())
}

async fn act(admin: &Admin, action: Action, chosen: &Chosen, done: &str) -> Result<()> {
    let queue_ids = if chosen.all {
        list(admin, &chosen.selection).await?.iter().map(|message| message.queue_id).collect()
    } else {
        chosen.ids.clone()
    };
    let mut changed = 0;
    for ids in queue_ids.chunks(PAGE as usize) {
        let request = ActOnQueueRequest { action: action as i32, queue_ids: ids.to_vec() };
        changed +=
            admin.store.queue()?.act(timed(request)).await.map_err(StoreError::from)?.into_inner().changed;
    }
    let asked = queue_ids.len();
    if !chosen.all && usize::try_from(changed).is_ok_and(|changed| changed < asked) {
        eprintln!("kontor: {changed} of {asked} were there and could be changed");
    }
    admin.done(format_args!("{changed} messages are {done}."), &json!({"changed": changed}));
    Ok(())
}

async fn list(admin: &Admin, selection: &Selection) -> Result<Vec<QueuedMessage>> {
    let mut messages: Vec<QueuedMessage> = Vec::new();
    loop {
        let request = ListQueueRequest {
            tenant: selection.tenant.clone().unwrap_or_default(),
            sender: selection.sender.clone().unwrap_or_default(),
            recipient: selection.recipient.clone().unwrap_or_default(),
            after_queue_id: messages.last().map_or(0, |message| message.queue_id),
            page_size: PAGE,
            queue_id: 0,
        };
        let page = admin.store.queue()?.list(timed(request)).await.map_err(StoreError::from)?.into_inner();
        if page.messages.is_empty() {
            return Ok(messages);
        }
        messages.extend(page.messages);
    }
}

fn state(message: &QueuedMessage) -> &'static str {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    if message.held {
        "held"
    } else if u64::try_from(message.leased_until).is_ok_and(|until| until > now) {
        "being delivered"
    } else {
        "waiting"
    }
}

fn recipient_state(state: State) -> &'static str {
    match state {
        State::Delivered => "delivered",
        State::Failed => "failed",
        State::Pending | State::Unspecified => "waiting",
    }
}

const PAGE: u32 = 500;
