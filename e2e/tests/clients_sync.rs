//! Programs that we did not write copy whole mailboxes.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::{Account, Appliance};
use kontor_e2e::corpus::{Corpus, Kind};
use kontor_e2e::imap::Imap;
use kontor_e2e::lmtp::Lmtp;
use kontor_e2e::pop3::Pop3;
use kontor_e2e::process::output_of;

const LIMIT: Duration = Duration::from_secs(300);

/// Delivers `count` messages of the corpus that these clients take: mbsync skips a message whose header does
/// not end, and fetchmail leaves one whose header has a line that is no field.
async fn fill(appliance: &Appliance, account: &Account, count: usize) -> Result<()> {
    let corpus = Corpus::new(11);
    let mut lmtp = Lmtp::connect(&appliance.endpoints.lmtp).await?;
    let messages = (0..).map(|i| corpus.message(i)).filter(|m| {
        !m.kind.may_be_refused()
            && !matches!(m.kind, Kind::HeaderOnlyNoBlank | Kind::BrokenHeaders | Kind::Empty)
            && m.bytes.len() < 1_000_000
    });
    for message in messages.take(count) {
        lmtp.deliver("s@sender.test", &account.address, &message.bytes).await?;
    }
    Ok(())
}

fn mbsync(config: &Path) -> Result<String> {
    let mut command = Command::new("mbsync");
    command.arg("-V").arg("-c").arg(config).arg("all");
    let output = output_of(command, LIMIT)?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "mbsync: {text}");
    Ok(text)
}

/// Every message file under a Maildir, with its flags in its name.
fn files(root: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if folder.ends_with("cur") || folder.ends_with("new") {
                found.insert(entry.path().strip_prefix(root)?.display().to_string());
            }
        }
    }
    Ok(found)
}

#[tokio::test]
async fn mbsync_syncs_both_ways_and_then_has_nothing_to_do() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("syncer").await?;
    fill(&appliance, &account, 120).await?;
    let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
    imap.command("CREATE Archive/2026").await?.ok()?;
    imap.select("INBOX").await?;
    imap.command("COPY 1:20 Archive/2026").await?.ok()?;
    imap.command(r"STORE 1:10 +FLAGS.SILENT (\Seen \Flagged)").await?.ok()?;

    let folder = tempfile::tempdir()?;
    let mail = folder.path().join("mail");
    std::fs::create_dir(&mail)?;
    let config = folder.path().join("mbsyncrc");
    std::fs::write(
        &config,
        format!(
            "IMAPAccount kontor\nHost localhost\nPort {}\nUser {}\nPass {}\nSSLType STARTTLS\nCertificateFile {}\n\n\
             IMAPStore remote\nAccount kontor\n\n\
             MaildirStore local\nPath {}/\nInbox {}/INBOX\nSubFolders Verbatim\n\n\
             Channel all\nFar :remote:\nNear :local:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n",
            appliance.endpoints.imap.rsplit(':').next().unwrap_or_default(),
            account.address,
            account.password,
            appliance.ca.display(),
            mail.display(),
            mail.display(),
        ),
    )?;

    mbsync(&config).context("first")?;
    let first = files(&mail)?;
    ensure!(first.len() == 140, "{} files", first.len());

    let before = state(&mut imap).await?;
    let text = mbsync(&config).context("second")?;
    ensure!(files(&mail)? == first, "the second run changed the Maildir:\n{text}");
    ensure!(state(&mut imap).await? == before, "the second run changed the server:\n{text}");

    // Now changes on both sides.
    let new = mail.join("INBOX/new/1700000000.local.host");
    std::fs::write(&new, "Subject: made locally\n\nx\n")?;
    let flagged =
        first.iter().find(|f| f.starts_with("INBOX/") && f.ends_with(":2,FS")).context("no flagged file")?;
    std::fs::rename(mail.join(flagged), mail.join(flagged.replace(":2,FS", ":2,S")))?;
    imap.select("INBOX").await?;
    imap.command(r"STORE 50 +FLAGS (\Deleted)").await?.ok()?;
    imap.command("EXPUNGE").await?.ok()?;
    mbsync(&config).context("third")?;
    let selected = imap.select("INBOX").await?;
    ensure!(selected.exists == 120, "{} messages in INBOX", selected.exists);
    let answer = imap.command("SEARCH FLAGGED").await?.ok()?;
    let hits = answer.untagged.iter().find_map(|r| r.text.strip_prefix("SEARCH")).unwrap_or_default();
    ensure!(hits.split_whitespace().count() == 9, "flagged: {hits}");
    let third = files(&mail)?;
    let before = state(&mut imap).await?;
    mbsync(&config).context("fourth")?;
    ensure!(files(&mail)? == third && state(&mut imap).await? == before, "the fourth run changed something");
    Ok(())
}

/// What a sync would change.
async fn state(imap: &mut Imap) -> Result<Vec<String>> {
    let mut state = Vec::new();
    for folder in ["INBOX", "Archive/2026"] {
        let answer = imap
            .command(&format!("STATUS {folder} (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"))
            .await?
            .ok()?;
        state.extend(answer.untagged.into_iter().map(|r| r.text));
    }
    Ok(state)
}

#[tokio::test]
async fn fetchmail_empties_a_pop3_box() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("fetched").await?;
    fill(&appliance, &account, 40).await?;
    let folder = tempfile::tempdir()?;
    let mail = folder.path().join("mail");
    std::fs::create_dir(&mail)?;
    let config = folder.path().join("fetchmailrc");
    std::fs::write(
        &config,
        format!(
            "poll localhost protocol pop3 port {} timeout 60\n  user \"{}\" password \"{}\"\n  \
             sslproto tls1.2+ sslcertck sslcertfile {}\n  fetchall no keep no rewrite\n  \
             mda \"/bin/sh -c 'cat > {}/$$'\"\n",
            appliance.endpoints.pop3.rsplit(':').next().unwrap_or_default(),
            account.address,
            account.password,
            appliance.ca.display(),
            mail.display()
        ),
    )?;
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600))?;
    let mut command = Command::new("fetchmail");
    command.arg("-f").arg(&config).arg("--pidfile").arg(folder.path().join("pid")).args(["--nosyslog", "-v"]);
    command.env("FETCHMAILHOME", folder.path()).env("HOME", folder.path());
    let output = output_of(command, LIMIT)?;
    ensure!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let files = std::fs::read_dir(&mail)?.count();
    ensure!(files == 40, "{files} files");
    let mut pop3 = Pop3::login(&appliance.endpoints.pop3, &account.address, &account.password).await?;
    ensure!(pop3.stat().await? == (0, 0));
    let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
    ensure!(imap.select("INBOX").await?.exists == 0);
    Ok(())
}
