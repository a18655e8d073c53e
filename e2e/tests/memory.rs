//! What the appliance weighs: idle, with idle connections, and while a large body passes through.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::Appliance;
use kontor_e2e::imap::Imap;
use kontor_e2e::meter;
use kontor_e2e::wire::{PATIENCE, Wire};

const CONNECTIONS: usize = 1_000;
const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn the_idle_appliance_and_its_idle_connections_are_light() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("idler").await?;
    // Everything has been used once.
    for _ in 0..20 {
        let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
        imap.append("INBOX", "", b"Subject: x\r\n\r\nhello\r\n").await?;
        imap.select("INBOX").await?;
        imap.command("FETCH 1:* (ENVELOPE BODY.PEEK[])").await?.ok()?;
        imap.logout().await?;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let idle = meter::pss_kib(&appliance.pids());
    println!("idle appliance with PostgreSQL: {} KiB", idle);

    // What the first connections cost once is no part of a connection's price.
    let mut sessions = Vec::with_capacity(CONNECTIONS);
    let mut weighed = Vec::new();
    for number in 0..CONNECTIONS {
        let wire = Wire::connect_with(&appliance.endpoints.imap, PATIENCE, 1024).await?;
        let mut imap = Imap::over(wire).await?;
        imap.authenticate(&account.address, &account.password).await?;
        imap.select("INBOX").await?;
        imap.idle().await?;
        sessions.push(imap);
        if number + 1 == CONNECTIONS / 5 || number + 1 == CONNECTIONS {
            tokio::time::sleep(Duration::from_secs(5)).await;
            weighed.push(meter::pss_kib(&appliance.pids()) as f64);
        }
    }
    let [first, last] = weighed.as_slice() else { anyhow::bail!("weighed {} times", weighed.len()) };
    let each = (last - first) / (CONNECTIONS - CONNECTIONS / 5) as f64;
    println!("with a fifth of the connections {first} KiB, with all {last} KiB");
    println!("{CONNECTIONS} idle IMAP connections: {each:.1} KiB each");
    ensure!(idle < 250 * 1024, "the idle appliance takes {idle} KiB");
    ensure!(each < 30.0, "an idle connection takes {each:.1} KiB");
    Ok(())
}

#[tokio::test]
async fn a_body_of_100_mib_streams_out() -> Result<()> {
    let appliance = Appliance::start_with(&[("KONTOR_IMAP__APPEND_LIMIT", "128 MiB")]).await?;
    let account = appliance.account.clone();
    let mut message = b"Subject: 100 MiB\r\n\r\n".to_vec();
    while message.len() < 100 * MIB {
        let line = format!("{:076}\r\n", message.len());
        message.extend_from_slice(line.as_bytes());
    }
    let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
    imap.wire().set_patience(Duration::from_secs(300));
    imap.append("INBOX", "", &message).await.context("APPEND of 100 MiB")?;
    // What parsing it took is given back by a restart; what counts is the way out.
    let mut appliance = appliance;
    appliance.restart().await?;
    let pid = appliance.pid();

    let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
    imap.select("INBOX").await?;
    imap.command("FETCH 1 (ENVELOPE)").await?.ok()?;
    let before = peak_kib(pid)?;
    // Read slowly, so that a server that does not wait for its reader is found out.
    let wire = imap.wire();
    wire.set_patience(Duration::from_secs(300));
    wire.send(b"x UID FETCH 1:* (BODY.PEEK[])\r\n").await?;
    let line = wire.text().await?;
    ensure!(line.contains(&format!("{{{}}}", message.len())), "{line}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut at = 0;
    while at < message.len() {
        let n = MIB.min(message.len() - at);
        let bytes = wire.take(n).await?;
        ensure!(message.get(at..at + n) == Some(bytes.as_slice()), "the bytes differ after {at}");
        at += n;
    }
    let grown = peak_kib(pid)?.saturating_sub(before);
    println!("IMAP: 100 MiB out, {grown} KiB more at the highest");
    ensure!(grown < 16 * 1024, "100 MiB by IMAP took {grown} KiB");

    // To check a password takes 19 MiB on purpose, for a moment; that is not what is weighed here.
    let mut pop3 =
        kontor_e2e::pop3::Pop3::login(&appliance.endpoints.pop3, &account.address, &account.password).await?;
    pop3.wire().set_patience(Duration::from_secs(300));
    let before = peak_kib(pid)?;
    let body = pop3.retr(1).await?;
    ensure!(body == message, "POP3 gave other bytes");
    let grown = peak_kib(pid)?.saturating_sub(before);
    println!("POP3: 100 MiB out, {grown} KiB more at the highest");
    ensure!(grown < 16 * 1024, "100 MiB by POP3 took {grown} KiB");
    Ok(())
}

/// The most memory that the process has ever held.
fn peak_kib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
