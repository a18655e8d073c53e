//! PostgreSQL stops, PostgreSQL dies, the disk fills: clear temporary failures, nothing acknowledged is lost,
//! and service returns by itself.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::{Account, Appliance};
use kontor_e2e::imap::{Imap, Status};
use kontor_e2e::lmtp::Lmtp;
use kontor_e2e::meter;
use kontor_e2e::process::{eventually, output_of, send_signal};

async fn deliver(appliance: &Appliance, account: &Account, name: &str, body: usize) -> Result<u16> {
    let mut lmtp = Lmtp::connect(&appliance.endpoints.lmtp).await?;
    let body = "0123456789abcdefghijklmnopqrstuvwxyz ABCDEF\r\n".repeat(body / 45);
    let message = format!("Subject: {name}\r\nMessage-ID: <{name}@x.test>\r\n\r\n{body}");
    let replies = lmtp.try_deliver("s@sender.test", &[&account.address], message.as_bytes()).await?;
    Ok(replies.first().context("no reply")?.code)
}

async fn delivers_again(appliance: &Appliance, account: &Account, name: &str) -> Result<usize> {
    let mut attempts = 0;
    eventually("deliveries work again", Duration::from_secs(90), async || {
        attempts += 1;
        Ok((deliver(appliance, account, &format!("{name}{attempts}"), 100).await? == 250).then_some(()))
    })
    .await?;
    Ok(1)
}

async fn count(appliance: &Appliance, account: &Account) -> Result<usize> {
    eventually("IMAP works again", Duration::from_secs(90), async || {
        let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
        Ok(Some(imap.select("INBOX").await?.exists as usize))
    })
    .await
}

#[tokio::test]
async fn a_stopped_postgresql_is_a_temporary_failure() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("patient").await?;
    ensure!(deliver(&appliance, &account, "before", 100).await? == 250);
    let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
    imap.select("INBOX").await?;

    let postmaster = appliance.postgres_pid().context("no postmaster")?;
    let pids = meter::tree(&[postmaster]);
    for pid in &pids {
        send_signal(*pid, "STOP")?;
    }
    let during = deliver(&appliance, &account, "during", 100).await;
    let listed = imap.command(r"STORE 1 +FLAGS (\Seen)").await;
    for pid in &pids {
        let _ = send_signal(*pid, "CONT");
    }
    // Whatever was said, it was said in the protocol and was not "stored".
    let during = during.context("LMTP while PostgreSQL is stopped")?;
    ensure!(during == 451 || during == 421, "LMTP answered {during}");
    let listed = listed.context("IMAP while PostgreSQL is stopped")?;
    ensure!(listed.status == Status::No, "IMAP answered {listed:?}");

    let after = delivers_again(&appliance, &account, "after").await?;
    let there = count(&appliance, &account).await?;
    // "during" was refused, but a commit that was under way when its caller gave up may have gone through.
    ensure!((1 + after..=2 + after).contains(&there), "{there} messages");
    Ok(())
}

#[tokio::test]
async fn a_killed_postgresql_comes_back() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("patient").await?;
    let mut acknowledged = 0;
    for round in 0..3 {
        for n in 0..20 {
            if deliver(&appliance, &account, &format!("r{round}n{n}"), 5_000).await? == 250 {
                acknowledged += 1;
            }
        }
        let postmaster = appliance.postgres_pid().context("no postmaster")?;
        for pid in meter::tree(&[postmaster]) {
            let _ = send_signal(pid, "KILL");
        }
        // In the gap: an answer, whichever.
        let gap = deliver(&appliance, &account, &format!("gap{round}"), 100).await?;
        ensure!(gap == 250 || gap == 451 || gap == 421, "LMTP answered {gap}");
        if gap == 250 {
            acknowledged += 1;
        }
        acknowledged += delivers_again(&appliance, &account, &format!("again{round}")).await?;
    }
    let there = count(&appliance, &account).await?;
    // A delivery whose answer was lost with PostgreSQL may be there without having been acknowledged.
    ensure!((acknowledged..=acknowledged + 3).contains(&there), "{acknowledged} acknowledged, {there} there");
    appliance.kontor(&["check"])?;
    Ok(())
}

/// A small file system of its own, where we may mount one.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn new(megabytes: u32) -> Result<Option<Self>> {
        let folder = tempfile::Builder::new().prefix("kontor-full-").tempdir()?;
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m,mode=755"), "kontor-e2e"])
            .arg(folder.path());
        let output = output_of(mount, Duration::from_secs(20))?;
        Ok(output.status.success().then_some(Self { folder }))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let mut umount = Command::new("umount");
        umount.arg("-l").arg(self.folder.path());
        let _ = output_of(umount, Duration::from_secs(20));
    }
}

#[tokio::test]
async fn a_full_disk_refuses_mail_and_loses_none() -> Result<()> {
    let Some(disk) = SmallDisk::new(400)? else {
        println!("SKIPPED: a file system cannot be mounted here (not root, or not allowed)");
        return Ok(());
    };
    let mut appliance = Appliance::start_in(&disk.folder.path().join("data"), &[]).await?;
    let account = appliance.add_mailbox("packrat").await?;
    let mut acknowledged = 0;
    for n in 0..10 {
        ensure!(deliver(&appliance, &account, &format!("early{n}"), 5_000).await? == 250);
        acknowledged += 1;
    }
    // All that is left goes to a file.
    let filler = disk.folder.path().join("filler");
    let mut fill = Command::new("sh");
    fill.args(["-c", "cat /dev/zero > \"$1\"", "sh"]).arg(&filler);
    output_of(fill, Duration::from_secs(60))?;
    let mut refused = 0;
    for n in 0..30 {
        let code = deliver(&appliance, &account, &format!("full{n}"), 1_000_000).await;
        match code {
            Ok(250) => acknowledged += 1,
            Ok(code) => {
                ensure!((400..500).contains(&code), "a full disk was answered by {code}");
                refused += 1;
            }
            Err(error) => return Err(error.context("a full disk cut the connection")),
        }
    }
    ensure!(refused > 0, "nothing was refused on a full disk");
    std::fs::remove_file(&filler)?;
    acknowledged += delivers_again(&appliance, &account, "late").await?;
    let there = count(&appliance, &account).await?;
    ensure!((acknowledged..=acknowledged + 1).contains(&there), "{acknowledged} acknowledged, {there} there");
    appliance.kontor(&["check"])?;
    appliance.stop(Duration::from_secs(60))
}
