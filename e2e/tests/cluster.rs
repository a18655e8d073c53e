//! Two storage nodes, two IMAP gateways, PostgreSQL, and an S3 server that we did not write.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kontor_e2e::cluster::Cluster;
use kontor_e2e::corpus::Corpus;
use kontor_e2e::imap::{Imap, Status};
use kontor_e2e::lmtp::Lmtp;
use kontor_e2e::pop3::Pop3;
use kontor_e2e::process::eventually;

/// "Within a second" is asked for; a slow machine must not make a wrong answer of it.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_hear_of_each_others_changes() -> Result<()> {
    let cluster = Cluster::start().await?;
    let account = cluster.add_mailbox("ann").await?;
    let mut listener = cluster.login(0, &account).await?;
    let mut other = cluster.login(1, &account).await?;
    let uid_validity = listener.select("INBOX").await?.uid_validity;
    ensure!(other.select("INBOX").await?.uid_validity == uid_validity);

    let mut slowest = Duration::ZERO;
    for n in 1..=10 {
        let idle = listener.idle().await?;
        let began = Instant::now();
        if n % 2 == 0 {
            other.append("INBOX", "", format!("Subject: appended {n}\r\n\r\nx\r\n").as_bytes()).await?;
        } else {
            let mut lmtp = Lmtp::connect(&cluster.lmtp.address).await?;
            let message = format!("Subject: delivered {n}\r\n\r\nx\r\n");
            lmtp.deliver("s@sender.test", &account.address, message.as_bytes()).await?;
        }
        listener.wait_for(SOON, |line| line == format!("* {n} EXISTS")).await?;
        slowest = slowest.max(began.elapsed());
        listener.done(&idle).await?;
    }
    println!("the slowest of 10 messages was heard of on the other gateway after {slowest:?}");

    let idle = other.idle().await?;
    listener.command(r"STORE 3 +FLAGS (\Flagged $Forwarded)").await?.ok()?;
    other.wait_for(SOON, |line| line.contains("3 FETCH") && line.contains(r"\Flagged")).await?;
    other.done(&idle).await?;
    listener.command(r"STORE 2 +FLAGS (\Deleted)").await?.ok()?;
    listener.command("EXPUNGE").await?.ok()?;
    let told = eventually("the expunge is told", SOON, async || {
        let answer = other.command("NOOP").await?.ok()?;
        Ok(answer.untagged.into_iter().find(|r| r.text == "2 EXPUNGE"))
    })
    .await;
    told.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_any_process_loses_nothing() -> Result<()> {
    let mut cluster = Cluster::start().await?;
    let account = cluster.add_mailbox("bob").await?;
    let corpus = Corpus::new(5);
    let messages: Vec<Vec<u8>> = (0..)
        .map(|i| corpus.message(i))
        .filter(|m| !m.kind.may_be_refused() && (1..2_000_000).contains(&m.bytes.len()))
        .map(|m| m.bytes)
        .take(60)
        .collect();
    let mut acknowledged: Vec<&[u8]> = Vec::new();
    for (number, message) in messages.iter().enumerate() {
        match number {
            10 => cluster.storage.get_mut(0).context("a storage node")?.kill()?,
            20 => cluster.storage.get_mut(0).context("a storage node")?.start().await?,
            25 => cluster.storage.get_mut(1).context("a storage node")?.kill()?,
            35 => cluster.storage.get_mut(1).context("a storage node")?.start().await?,
            40 => {
                cluster.lmtp.kill()?;
                cluster.lmtp.start().await?;
            }
            45 => cluster.imap.get_mut(0).context("a gateway")?.kill()?,
            _ => {}
        }
        // A client tries again until it is told that the message is kept.
        eventually("the delivery is acknowledged", Duration::from_secs(60), async || {
            let mut lmtp = Lmtp::connect(&cluster.lmtp.address).await?;
            lmtp.deliver("s@sender.test", &account.address, message).await.map(Some)
        })
        .await
        .with_context(|| format!("message {number}"))?;
        acknowledged.push(message);
    }
    // The other gateway serves, and the killed one again when it is back.
    let mut imap = cluster.login(1, &account).await?;
    check(&mut imap, &acknowledged).await.context("the gateway that lived")?;
    cluster.imap.get_mut(0).context("a gateway")?.start().await?;
    let mut imap = cluster.login(0, &account).await?;
    check(&mut imap, &acknowledged).await.context("the gateway that was killed")?;
    let mut pop3 = Pop3::login(&cluster.pop3.address, &account.address, &account.password).await?;
    ensure!(pop3.stat().await?.0 >= acknowledged.len());
    Ok(())
}

/// Each acknowledged message is there, byte for byte. A message whose acknowledgement was lost may be there
/// twice, since the client sent it twice; one that is there and was never sent may not.
async fn check(imap: &mut Imap, acknowledged: &[&[u8]]) -> Result<()> {
    let selected = imap.select("INBOX").await?;
    let answer = imap.command("FETCH 1:* (BODY.PEEK[])").await?.ok()?;
    let bodies: Vec<&Vec<u8>> = answer.untagged.iter().filter_map(|r| r.literals.last()).collect();
    ensure!(bodies.len() == selected.exists as usize, "{} bodies of {}", bodies.len(), selected.exists);
    for (number, message) in acknowledged.iter().enumerate() {
        ensure!(bodies.iter().any(|body| body.as_slice() == *message), "message {number} is lost");
    }
    for body in bodies {
        ensure!(acknowledged.contains(&body.as_slice()), "a message is there that nobody sent");
    }
    ensure!(selected.exists as usize <= acknowledged.len() + 4, "{} messages", selected.exists);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_s3_server_is_a_temporary_failure() -> Result<()> {
    let cluster = Cluster::start().await?;
    let account = cluster.add_mailbox("cem").await?;
    let small = b"Subject: small\r\n\r\nx\r\n".as_slice();
    // Random inside, so that it stays large when it is compressed; another one each time, since the store
    // need not write the same body twice.
    let corpus = Corpus::new(8);
    let large = [corpus.message(250).bytes, corpus.message(750).bytes, corpus.message(1_250).bytes];
    let mut lmtp = Lmtp::connect(&cluster.lmtp.address).await?;
    lmtp.deliver("s@sender.test", &account.address, &large[0]).await.context("a large one before")?;

    cluster.s3.process().signal("STOP")?;
    let stopped = lmtp.try_deliver("s@sender.test", &[&account.address], &large[1]).await;
    let with_small = lmtp.try_deliver("s@sender.test", &[&account.address], small).await;
    cluster.s3.process().signal("CONT")?;
    let stopped = stopped.context("a large message while S3 is stopped")?;
    ensure!(stopped.iter().all(|r| r.code == 451), "{stopped:?}");
    // What needs no S3 goes on.
    let with_small = with_small.context("a small message while S3 is stopped")?;
    ensure!(with_small.iter().all(|r| r.code == 250), "{with_small:?}");

    eventually("large messages are taken again", Duration::from_secs(60), async || {
        let mut lmtp = Lmtp::connect(&cluster.lmtp.address).await?;
        lmtp.deliver("s@sender.test", &account.address, &large[2]).await.map(Some)
    })
    .await?;
    let mut imap = cluster.login(0, &account).await?;
    let exists = imap.select("INBOX").await?.exists;
    ensure!((3..=4).contains(&exists), "{exists} messages");
    let answer = imap.command("FETCH 1:* (BODY.PEEK[])").await?.ok()?;
    for body in answer.untagged.iter().filter_map(|r| r.literals.last()) {
        ensure!(body == small || large.contains(body), "a body of {} bytes", body.len());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_that_dies_and_comes_back_is_found_again() -> Result<()> {
    let mut cluster = Cluster::start().await?;
    let account = cluster.add_mailbox("dan").await?;
    let mut lmtp = Lmtp::connect(&cluster.lmtp.address).await?;
    lmtp.deliver("s@sender.test", &account.address, b"Subject: before\r\n\r\nx\r\n").await?;
    let mut imap = cluster.login(0, &account).await?;
    imap.select("INBOX").await?;

    cluster.postgres.kill()?;
    let replies =
        lmtp.try_deliver("s@sender.test", &[&account.address], b"Subject: gap\r\n\r\nx\r\n").await?;
    ensure!(replies.iter().all(|r| r.code == 451), "{replies:?}");
    let answer = imap.command(r"STORE 1 +FLAGS (\Seen)").await?;
    ensure!(answer.status == Status::No, "{answer:?}");
    cluster.postgres.launch().await?;

    eventually("deliveries work again", Duration::from_secs(60), async || {
        let mut lmtp = Lmtp::connect(&cluster.lmtp.address).await?;
        lmtp.deliver("s@sender.test", &account.address, b"Subject: after\r\n\r\nx\r\n").await.map(Some)
    })
    .await?;
    let mut imap = cluster.login(1, &account).await?;
    ensure!(imap.select("INBOX").await?.exists == 2);
    Ok(())
}
