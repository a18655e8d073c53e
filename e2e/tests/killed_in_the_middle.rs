//! Everything is killed with SIGKILL while many connections deliver, ten times over. Each message that was
//! acknowledged is there exactly once, none is there twice, and the store is sound.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::{Account, Appliance};
use kontor_e2e::imap::Imap;
use kontor_e2e::lmtp::Lmtp;
use kontor_e2e::process::eventually;
use rand::Rng;

const ROUNDS: usize = 10;
const CONNECTIONS: usize = 16;
const USERS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_messages_are_there_exactly_once_after_kill_9() -> Result<()> {
    let mut appliance = Appliance::start().await?;
    let mut accounts = Vec::new();
    for user in 0..USERS {
        accounts.push(appliance.add_mailbox(&format!("victim{user}")).await?);
    }
    // Which messages were acknowledged, by user and name.
    let mut acknowledged: Vec<Vec<String>> = vec![Vec::new(); USERS];
    let mut in_doubt = 0;
    for round in 0..ROUNDS {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for connection in 0..CONNECTIONS {
            let (lmtp, stop, accounts) = (appliance.endpoints.lmtp.clone(), stop.clone(), accounts.clone());
            tasks.push(tokio::spawn(deliver_until_cut(lmtp, stop, accounts, round, connection)));
        }
        let pause = rand::rng().random_range(300..1_800);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        appliance.kill_all()?;
        stop.store(true, Ordering::Relaxed);
        for task in tasks {
            let outcome = task.await?;
            in_doubt += outcome.in_doubt;
            for (user, name) in outcome.acknowledged {
                acknowledged.get_mut(user).context("a user")?.push(name);
            }
        }
        appliance.restart().await.with_context(|| format!("after the kill in round {round}"))?;
    }

    let total: usize = acknowledged.iter().map(Vec::len).sum();
    ensure!(total > ROUNDS * CONNECTIONS, "only {total} messages were acknowledged; this shows nothing");
    for (account, names) in accounts.iter().zip(&acknowledged) {
        let there = names_in_inbox(&appliance, account).await?;
        for name in names {
            let copies = there.get(name).copied().unwrap_or(0);
            ensure!(
                copies == 1,
                "{name} was acknowledged to {} and is there {copies} times",
                account.address
            );
        }
        for (name, copies) in &there {
            ensure!(*copies == 1, "{name} was sent once and is there {copies} times");
        }
    }
    println!("{total} acknowledged messages in {ROUNDS} rounds, {in_doubt} without an answer");
    let checked = appliance.kontor(&["check"])?;
    println!("{checked}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_changes_survive_kill_9() -> Result<()> {
    let mut appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("changer").await?;
    let mut lmtp = Lmtp::connect(&appliance.endpoints.lmtp).await?;
    for n in 1..=60 {
        let message = format!("Subject: {n}\r\n\r\nx\r\n");
        lmtp.deliver("s@sender.test", &account.address, message.as_bytes()).await?;
    }
    // Commands, and then: a folder, how many messages it has, a search in it and its hits.
    type Step = (&'static [&'static str], &'static [(&'static str, u32, &'static str, usize)]);
    let steps: [Step; 5] = [
        (&[r"STORE 1:20 +FLAGS.SILENT (\Flagged $Mine)"], &[("INBOX", 60, "KEYWORD $Mine", 20)]),
        (
            &["CREATE Elsewhere", "MOVE 1:10 Elsewhere"],
            &[("INBOX", 50, "FLAGGED", 10), ("Elsewhere", 10, "FLAGGED", 10)],
        ),
        (&["COPY 1:5 Elsewhere"], &[("INBOX", 50, "ALL", 50), ("Elsewhere", 15, "FLAGGED", 15)]),
        (&[r"STORE 41:50 +FLAGS.SILENT (\Deleted)", "EXPUNGE"], &[("INBOX", 40, "DELETED", 0)]),
        (&["RENAME Elsewhere Other", "SUBSCRIBE Other"], &[("Other", 15, "ALL", 15)]),
    ];
    for (commands, expected) in steps {
        let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
        imap.select("INBOX").await?;
        for command in commands {
            imap.command(command).await?.ok().with_context(|| (*command).to_owned())?;
        }
        // The power goes in the moment of the OK.
        appliance.kill_all()?;
        appliance.restart().await?;
        let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
        for (folder, exists, key, hits) in expected {
            let there = imap.select(folder).await?.exists;
            ensure!(there == *exists, "{there} messages in {folder} after {commands:?}");
            let answer = imap.command(&format!("SEARCH {key}")).await?.ok()?;
            let found =
                answer.untagged.iter().find_map(|r| r.text.strip_prefix("SEARCH")).unwrap_or_default();
            let found = found.split_whitespace().count();
            ensure!(found == *hits, "{found} hits for {key} in {folder} after {commands:?}");
        }
    }
    appliance.kontor(&["check"])?;
    Ok(())
}

struct Outcome {
    acknowledged: Vec<(usize, String)>,
    in_doubt: usize,
}

async fn deliver_until_cut(
    address: String,
    stop: Arc<AtomicBool>,
    accounts: Vec<Account>,
    round: usize,
    connection: usize,
) -> Outcome {
    let mut outcome = Outcome { acknowledged: Vec::new(), in_doubt: 0 };
    let Ok(mut lmtp) = Lmtp::connect(&address).await else { return outcome };
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let user = (connection + number) % accounts.len();
        let Some(account) = accounts.get(user) else { break };
        let name = format!("r{round}.c{connection}.n{number}@kill.test");
        // Some bodies are large enough to leave the row and become a blob of their own.
        let body =
            "0123456789 abcdefghijklmnopqrstuvwxyz\r\n".repeat(if number % 5 == 0 { 4_000 } else { 40 });
        let message = format!("Message-ID: <{name}>\r\nSubject: {name}\r\n\r\n{body}");
        match lmtp.deliver("s@sender.test", &account.address, message.as_bytes()).await {
            Ok(()) => outcome.acknowledged.push((user, name)),
            Err(_) => {
                outcome.in_doubt += 1;
                break;
            }
        }
    }
    outcome
}

/// How often each name is in the INBOX. Checks on the way that UIDs ascend.
async fn names_in_inbox(appliance: &Appliance, account: &Account) -> Result<HashMap<String, usize>> {
    let mut imap = eventually("a login after the restart", Duration::from_secs(60), async || {
        Ok(Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await.ok())
    })
    .await?;
    let selected = imap.select("INBOX").await?;
    let mut names = HashMap::new();
    if selected.exists == 0 {
        return Ok(names);
    }
    let answer =
        imap.command("FETCH 1:* (UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])").await?.ok()?;
    let mut last_uid = 0;
    for response in &answer.untagged {
        let Some((_, rest)) = response.text.split_once(" FETCH ") else { continue };
        let (_, uid) = rest.split_once("UID ").context("no UID")?;
        let uid: u32 = uid.chars().take_while(char::is_ascii_digit).collect::<String>().parse()?;
        ensure!(uid > last_uid && uid < selected.uid_next, "UID {uid} after {last_uid}");
        last_uid = uid;
        let header = String::from_utf8_lossy(response.literals.first().context("no header")?).into_owned();
        let name =
            header.split_once('<').and_then(|(_, rest)| rest.split_once('>')).context("no Message-ID")?.0;
        *names.entry(name.to_owned()).or_insert(0) += 1;
    }
    ensure!(names.values().sum::<usize>() == selected.exists as usize, "EXISTS and FETCH disagree");
    // The bodies are there too, the large ones among them.
    let tally = imap.tally("FETCH 1:* (BODY.PEEK[TEXT])", Duration::from_secs(120)).await?;
    ensure!(tally.responses == u64::from(selected.exists));
    Ok(names)
}
