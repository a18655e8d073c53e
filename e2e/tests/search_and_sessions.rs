//! What is visible is found, and what one session does the others see.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::Appliance;
use kontor_e2e::imap::{Answer, Imap};
use kontor_e2e::lmtp::Lmtp;

fn hits(answer: &Answer) -> Vec<u32> {
    let text = answer.untagged.iter().find_map(|r| r.text.strip_prefix("SEARCH")).unwrap_or_default();
    text.split_whitespace().filter_map(|n| n.parse().ok()).collect()
}

#[tokio::test]
async fn search_finds_a_message_as_soon_as_it_is_visible_and_by_substring() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.account.clone();
    let mut lmtp = Lmtp::connect(&appliance.endpoints.lmtp).await?;
    let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
    imap.select("INBOX").await?;
    for n in 1..=30_u32 {
        let message = format!(
            "From: \"Jörg Ärmel\" <joerg{n}@sender.test>\r\nTo: x@y.test\r\nCc: copy{n}@y.test\r\n\
             Subject: =?utf-8?q?=C3=9Cberweisung?= token{n}end\r\nX-Odd: odd value {n}\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            base64(&format!("first line\r\nThe straße is number{n}abc and 100% of_it\\here\r\n"))
        );
        lmtp.deliver("s@sender.test", &account.address, message.as_bytes()).await?;
        // Another command would not be needed: the session learns of it before it searches.
        imap.command("NOOP").await?.ok()?;
        for (query, name) in [
            (format!("SUBJECT oken{n}en"), "part of a word in the subject"),
            (format!("BODY umber{n}a"), "part of a word in an encoded body"),
            (format!("TEXT NUMBER{n}ABC"), "text without regard to case"),
            (format!("FROM joerg{n}@"), "an address"),
            (format!("CC copy{n}@"), "a copy's address"),
            (format!("HEADER X-Odd \"value {n}\" UNSEEN SUBJECT token{n}end"), "any header"),
        ] {
            let answer = imap.command(&format!("SEARCH {query}")).await?.ok()?;
            ensure!(hits(&answer).contains(&n), "{name}: SEARCH {query} found {:?}", hits(&answer));
        }
    }
    for (query, expected) in [
        ("BODY \"100% of_it\"", 30),
        ("BODY \"of_it\\\\here\"", 30),
        ("BODY \"100x\"", 0),
        ("BODY \"ofXit\"", 0),
        ("NOT BODY \"straße\"", 0),
        ("SUBJECT \"überweisung\"", 30),
        ("FROM \"JÖRG\"", 30),
        ("OR SUBJECT token3end BODY number4abc", 2),
    ] {
        let tag = imap.send(&format!("SEARCH CHARSET UTF-8 {query}")).await?;
        let answer = imap.answer(&tag).await?.ok().with_context(|| query.to_owned())?;
        ensure!(hits(&answer).len() == expected, "SEARCH {query} found {:?}", hits(&answer));
    }
    Ok(())
}

#[tokio::test]
async fn two_sessions_see_each_others_changes_and_keep_their_numbers() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.account.clone();
    let address = appliance.endpoints.imap.as_str();
    let mut a = Imap::login(address, &account.address, &account.password).await?;
    for n in 1..=6 {
        a.append("INBOX", "", format!("Subject: {n}\r\n\r\nx\r\n").as_bytes()).await?;
    }
    a.select("INBOX").await?;
    let mut b = Imap::login(address, &account.address, &account.password).await?;
    b.select("INBOX").await?;

    let idle = b.idle().await?;
    a.command(r"STORE 2 +FLAGS (\Flagged)").await?.ok()?;
    b.wait_for(Duration::from_secs(20), |line| line.contains("2 FETCH") && line.contains(r"\Flagged"))
        .await?;
    a.command(r"STORE 1,3 +FLAGS.SILENT (\Deleted)").await?.ok()?;
    a.command("EXPUNGE").await?.ok()?;
    b.wait_for(Duration::from_secs(20), |line| line.ends_with(" EXPUNGE")).await?;
    b.done(&idle).await?;
    b.command("NOOP").await?.ok()?;

    // b selected six and was told of two that went: its number 2 is the fourth message now.
    let answer = b.command("FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])").await?.ok()?;
    let header = answer.untagged.iter().find_map(|r| r.literals.first()).context("no header")?;
    ensure!(header.starts_with(b"Subject: 4"), "{}", String::from_utf8_lossy(header));

    // While c has not been told, its numbers stay, and no EXPUNGE comes within FETCH, STORE or SEARCH.
    let mut c = Imap::login(address, &account.address, &account.password).await?;
    c.select("INBOX").await?;
    a.command(r"STORE 1 +FLAGS.SILENT (\Deleted)").await?.ok()?;
    a.command("EXPUNGE").await?.ok()?;
    for command in ["FETCH 1:4 (FLAGS)", r"STORE 4 +FLAGS (\Seen)", "SEARCH ALL"] {
        let answer = c.command(command).await?;
        let told =
            answer.untagged.iter().any(|r| r.text.ends_with("EXPUNGE") || r.text.starts_with("VANISHED"));
        ensure!(!told, "EXPUNGE within {command}: {answer:?}");
    }
    let answer = c.command("NOOP").await?.ok()?;
    ensure!(answer.untagged.iter().any(|r| r.text == "1 EXPUNGE"), "{answer:?}");
    Ok(())
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
