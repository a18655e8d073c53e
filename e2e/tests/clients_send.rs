//! Programs that we did not write hand mail in.

use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::{Account, Appliance};
use kontor_e2e::imap::Imap;
use kontor_e2e::process::{eventually, output_of};

const LIMIT: Duration = Duration::from_secs(60);

fn port(address: &str) -> &str {
    address.rsplit(':').next().unwrap_or_default()
}

fn swaks(args: &[&str]) -> Result<Output> {
    let mut command = Command::new("swaks");
    command.args(["--timeout", "30", "--ehlo", "client.example.test"]).args(args);
    output_of(command, LIMIT)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Waits until the account's INBOX holds one message with this subject.
async fn arrives(appliance: &Appliance, account: &Account, subject: &str) -> Result<()> {
    let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
    eventually(&format!("{subject:?} arrives"), Duration::from_secs(20), async || {
        imap.select("INBOX").await?;
        let answer = imap.command(&format!("SEARCH SUBJECT \"{subject}\"")).await?.ok()?;
        let hits = answer.untagged.iter().find_map(|r| r.text.strip_prefix("SEARCH")).unwrap_or_default();
        Ok((hits.split_whitespace().count() == 1).then_some(()))
    })
    .await
}

#[tokio::test]
async fn swaks_delivers_by_lmtp_and_as_mx() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.account.clone();
    for (protocol, address) in [("LMTP", &appliance.endpoints.lmtp), ("ESMTP", &appliance.endpoints.smtp)] {
        let subject = format!("by {protocol}");
        let header = format!("Subject: {subject}");
        let output = swaks(&[
            "--protocol",
            protocol,
            "--server",
            "127.0.0.1",
            "--port",
            port(address),
            "--from",
            "sender@sender.test",
            "--to",
            &account.address,
            "--header",
            &header,
            "--body",
            "one\n.two\nthree",
        ])?;
        ensure!(output.status.success(), "{}", said(&output));
        arrives(&appliance, &account, &subject).await?;
    }
    Ok(())
}

#[tokio::test]
async fn swaks_submits_with_starttls_and_with_implicit_tls() -> Result<()> {
    let appliance = Appliance::start().await?;
    let to = appliance.add_mailbox("receiver").await?;
    let from = appliance.account.clone();
    let ca = appliance.ca.to_string_lossy().into_owned();
    for (how, address) in
        [("--tls", &appliance.endpoints.submission), ("--tls-on-connect", &appliance.endpoints.submissions)]
    {
        for mechanism in ["PLAIN", "LOGIN"] {
            let subject = format!("submitted {how} {mechanism}");
            let header = format!("Subject: {subject}");
            let output = swaks(&[
                "--server",
                "localhost",
                "--port",
                port(address),
                how,
                "--tls-verify",
                "--tls-ca-path",
                &ca,
                "--auth",
                mechanism,
                "--auth-user",
                &from.address,
                "--auth-password",
                &from.password,
                "--from",
                &from.address,
                "--to",
                &to.address,
                "--header",
                &header,
            ])?;
            ensure!(output.status.success(), "{}", said(&output));
            arrives(&appliance, &to, &subject).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn swaks_is_refused_what_it_may_not_do() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = &appliance.account;
    let ca = appliance.ca.to_string_lossy().into_owned();
    let unknown = account.address.replacen(|_: char| true, "no-such-user-", 1);
    let mx = port(&appliance.endpoints.smtp);
    let refused = |output: &Output, code: &str| -> Result<()> {
        let text = said(output);
        ensure!(!output.status.success() && text.contains(code), "{code} was expected:\n{text}");
        Ok(())
    };
    // A recipient that does not exist is refused at RCPT, and so is relaying.
    let from = "sender@sender.test";
    let output = swaks(&["--server", "127.0.0.1", "--port", mx, "--from", from, "--to", &unknown])?;
    refused(&output, "** 550")?;
    let output = swaks(&["--server", "127.0.0.1", "--port", mx, "--from", from, "--to", "a@elsewhere.test"])?;
    refused(&output, "<** 55")?;
    // Submission wants a login, the right one, and the sender's own address.
    let submission = port(&appliance.endpoints.submission);
    let base = [
        "--server",
        "localhost",
        "--port",
        submission,
        "--tls",
        "--tls-ca-path",
        &ca,
        "--to",
        &account.address,
    ];
    let output = swaks(&[&base[..], &["--from", &account.address]].concat())?;
    refused(&output, "530")?;
    let login = ["--auth", "PLAIN", "--auth-user", &account.address];
    let wrong = ["--from", &account.address, "--auth-password", "wrong"];
    let output = swaks(&[&base[..], &login[..], &wrong[..]].concat())?;
    refused(&output, "535")?;
    let other = ["--from", "somebody@elsewhere.test", "--auth-password", &account.password];
    let output = swaks(&[&base[..], &login[..], &other[..]].concat())?;
    refused(&output, "<~* 55")?;
    Ok(())
}

#[tokio::test]
async fn msmtp_submits() -> Result<()> {
    let appliance = Appliance::start().await?;
    let to = appliance.add_mailbox("receiver").await?;
    let from = &appliance.account;
    let folder = tempfile::tempdir()?;
    for (address, starttls) in
        [(&appliance.endpoints.submission, "on"), (&appliance.endpoints.submissions, "off")]
    {
        let subject = format!("msmtp, starttls {starttls}");
        let config = folder.path().join("msmtprc");
        std::fs::write(
            &config,
            format!(
                "account default\nhost localhost\nport {}\ntls on\ntls_starttls {starttls}\n\
                 tls_trust_file {}\nauth plain\nuser {}\npassword {}\nfrom {}\n",
                port(address),
                appliance.ca.display(),
                from.address,
                from.password,
                from.address
            ),
        )?;
        std::fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let message = folder.path().join("message");
        std::fs::write(&message, format!("From: {}\nSubject: {subject}\n\nhello\n.\nend\n", from.address))?;
        let mut command = Command::new("sh");
        command.args(["-c", "exec msmtp -C \"$1\" -- \"$2\" < \"$3\"", "sh"]);
        command.arg(&config).arg(&to.address).arg(&message);
        let output = output_of(command, LIMIT).context("msmtp")?;
        ensure!(output.status.success(), "{}", said(&output));
        arrives(&appliance, &to, &subject).await?;
    }
    Ok(())
}
