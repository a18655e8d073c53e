//! The `kontor` command on a running server: what it makes takes effect at once, and its answers can be read by
//! programs.

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::{Account, Appliance};
use kontor_e2e::imap::Imap;
use kontor_e2e::lmtp::Lmtp;
use serde_json::Value;

fn json(appliance: &Appliance, args: &[&str]) -> Result<Value> {
    let text = appliance.kontor(&[args, &["--json"]].concat())?;
    serde_json::from_str(&text).with_context(|| format!("kontor {}: no JSON: {text}", args.join(" ")))
}

/// The reply code for one message to `to`.
async fn deliver(appliance: &Appliance, to: &str) -> Result<u16> {
    let mut lmtp = Lmtp::connect(&appliance.endpoints.lmtp).await?;
    let replies = lmtp.try_deliver("s@sender.test", &[to], b"Subject: x\r\n\r\nx\r\n").await?;
    Ok(replies.first().context("no reply")?.code)
}

async fn count(appliance: &Appliance, account: &Account) -> Result<u32> {
    let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
    Ok(imap.select("INBOX").await?.exists)
}

#[tokio::test]
async fn tenants_domains_mailboxes_aliases_and_groups_take_effect_at_once() -> Result<()> {
    let appliance = Appliance::start().await?;
    let kontor = |args: &[&str]| appliance.kontor(args);
    kontor(&["tenant", "add", "acme"])?;
    kontor(&["domain", "add", "acme.test", "--tenant", "acme"])?;
    ensure!(deliver(&appliance, "ann@acme.test").await? == 550);
    let mut people = Vec::new();
    for name in ["ann", "ben"] {
        let address = format!("{name}@acme.test");
        kontor(&["mailbox", "add", &address, "--password", "first-password"])?;
        people.push(Account { address, password: "first-password".into() });
    }
    let [ann, ben] = people.as_slice() else { anyhow::bail!("two people") };
    ensure!(deliver(&appliance, "ann@acme.test").await? == 250);
    kontor(&["alias", "add", "sales@acme.test", "ann@acme.test"])?;
    ensure!(deliver(&appliance, "sales@acme.test").await? == 250);
    ensure!(deliver(&appliance, "SALES@Acme.Test").await? == 250);
    kontor(&["group", "add", "all@acme.test", "--member", "ann@acme.test", "--member", "ben@acme.test"])?;
    ensure!(deliver(&appliance, "all@acme.test").await? == 250);
    ensure!(count(&appliance, ann).await? == 4 && count(&appliance, ben).await? == 1);

    let listed = json(&appliance, &["mailbox", "list"])?.to_string();
    ensure!(listed.contains("ann@acme.test") && listed.contains("ben@acme.test"), "{listed}");
    ensure!(kontor(&["mailbox", "list"])?.contains("ann@acme.test"));

    // A changed password counts at once, also for one that was used a moment ago.
    kontor(&["mailbox", "set", "ann@acme.test", "--password", "second-password"])?;
    ensure!(count(&appliance, ann).await.is_err(), "the old password still works");
    let ann = Account { password: "second-password".into(), ..ann.clone() };
    ensure!(count(&appliance, &ann).await? == 4);
    kontor(&["mailbox", "set", "ben@acme.test", "--locked", "true"])?;
    ensure!(count(&appliance, ben).await.is_err(), "a locked account can log in");

    kontor(&["alias", "remove", "sales@acme.test"])?;
    ensure!(deliver(&appliance, "sales@acme.test").await? == 550);

    // What cannot be done says so and says why.
    let error = kontor(&["mailbox", "add", "x@nowhere.test", "--password", "x-password"])
        .expect_err("no such domain");
    ensure!(error.to_string().contains("nowhere.test"), "{error}");
    ensure!(kontor(&["mailbox", "show", "nobody@acme.test"]).is_err());
    kontor(&["check"])?;
    Ok(())
}

#[tokio::test]
async fn an_app_password_opens_and_can_be_taken_back() -> Result<()> {
    let appliance = Appliance::start().await?;
    let address = appliance.account.address.clone();
    let made = json(&appliance, &["app-password", "add", &address, "--label", "phone"])?;
    let password = made["password"].as_str().context("no password")?.to_owned();
    let phone = Account { address: address.clone(), password };
    ensure!(count(&appliance, &phone).await? == 0);
    let id = made["id"].to_string();
    appliance.kontor(&["app-password", "remove", &address, id.trim_matches('"')])?;
    ensure!(count(&appliance, &phone).await.is_err(), "a removed app password still works");
    ensure!(count(&appliance, &appliance.account).await? == 0);
    Ok(())
}

#[tokio::test]
async fn a_full_mailbox_is_refused_as_its_policy_says() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("small").await?;
    appliance.kontor(&["mailbox", "set", &account.address, "--quota", "20KiB"])?;
    let message = [b"Subject: x\r\n\r\n".as_slice(), &b"0123456789abcdef\r\n".repeat(500)].concat();
    let mut lmtp = Lmtp::connect(&appliance.endpoints.lmtp).await?;
    let mut codes = Vec::new();
    for _ in 0..4 {
        let replies = lmtp.try_deliver("s@sender.test", &[&account.address], &message).await?;
        codes.push(replies.first().context("no reply")?.code);
    }
    ensure!(codes.first() == Some(&250) && codes.last() == Some(&452), "{codes:?}");
    appliance.kontor(&["mailbox", "set", &account.address, "--quota-is-final", "true"])?;
    let replies = lmtp.try_deliver("s@sender.test", &[&account.address], &message).await?;
    ensure!(replies.iter().all(|r| r.code == 552), "{replies:?}");
    let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
    let refused = imap.append("INBOX", "", &message).await.expect_err("over quota");
    ensure!(format!("{refused:#}").contains("OVERQUOTA"), "{refused:#}");
    appliance.kontor(&["mailbox", "set", &account.address, "--quota", "none"])?;
    imap.append("INBOX", "", &message).await?;
    Ok(())
}

#[tokio::test]
async fn a_stop_and_a_start_keep_everything() -> Result<()> {
    let mut appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("keeper").await?;
    ensure!(deliver(&appliance, &account.address).await? == 250);
    let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
    imap.command("CREATE Kept").await?.ok()?;
    imap.append("Kept", r"\Seen $Mine", b"Subject: kept\r\n\r\nx\r\n").await?;
    let before = imap.select("Kept").await?;
    // SIGTERM says goodbye to sessions and ends with success.
    appliance.stop(std::time::Duration::from_secs(60))?;
    appliance.restart().await?;
    ensure!(count(&appliance, &account).await? == 1);
    let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
    let after = imap.select("Kept").await?;
    ensure!(
        (after.exists, after.uid_validity, after.uid_next)
            == (before.exists, before.uid_validity, before.uid_next),
        "{before:?} became {after:?}"
    );
    let answer = imap.command("FETCH 1 (FLAGS)").await?.ok()?;
    let flags = &answer.untagged.first().context("no FETCH")?.text;
    ensure!(flags.contains(r"\Seen") && flags.contains("$Mine"), "{flags}");
    Ok(())
}
