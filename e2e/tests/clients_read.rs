//! Programs that we did not write read mail.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use kontor_e2e::appliance::{Account, Appliance};
use kontor_e2e::lmtp::Lmtp;
use kontor_e2e::process::output_of;

const LIMIT: Duration = Duration::from_secs(120);

async fn with_mail(count: usize) -> Result<(Appliance, Account)> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("reader").await?;
    let mut lmtp = Lmtp::connect(&appliance.endpoints.lmtp).await?;
    for i in 1..=count {
        let message =
            format!("From: a@b.test\r\nTo: {}\r\nSubject: number {i}\r\n\r\nbody {i}\r\n", account.address);
        lmtp.deliver("a@b.test", &account.address, message.as_bytes()).await?;
    }
    Ok((appliance, account))
}

fn curl(appliance: &Appliance, account: &Account, args: &[&str]) -> Result<String> {
    let mut command = Command::new("curl");
    command.args(["-sS", "--noproxy", "*", "--max-time", "60", "--cacert"]).arg(&appliance.ca);
    command.args(["--user", &format!("{}:{}", account.address, account.password)]).args(args);
    let output = output_of(command, LIMIT)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "curl {args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

fn localhost(address: &str) -> String {
    format!("localhost:{}", address.rsplit(':').next().unwrap_or_default())
}

#[tokio::test]
async fn curl_reads_by_imap_and_pop3() -> Result<()> {
    let (appliance, account) = with_mail(3).await?;
    let imaps = format!("imaps://{}", localhost(&appliance.endpoints.imaps));
    let listing = curl(&appliance, &account, &[&imaps])?;
    ensure!(listing.contains("INBOX"), "{listing}");
    let message = curl(&appliance, &account, &[&format!("{imaps}/INBOX;MAILINDEX=2")])?;
    ensure!(message.contains("Subject: number 2") && message.ends_with("body 2\r\n"), "{message}");
    let hits = curl(&appliance, &account, &[&format!("{imaps}/INBOX?SUBJECT%20number")])?;
    ensure!(hits.trim() == "* SEARCH 1 2 3", "{hits}");
    let plain = format!("imap://{}", localhost(&appliance.endpoints.imap));
    let starttls =
        curl(&appliance, &account, &["--ssl-reqd", &format!("{plain}/INBOX;MAILINDEX=1;SECTION=TEXT")])?;
    ensure!(starttls == "body 1\r\n", "{starttls:?}");
    curl(&appliance, &account, &["-X", "CREATE fromcurl", &imaps])?;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), "Subject: put by curl\r\n\r\nx\r\n")?;
    curl(&appliance, &account, &["-T", &file.path().to_string_lossy(), &format!("{imaps}/fromcurl")])?;
    let put = curl(&appliance, &account, &[&format!("{imaps}/fromcurl;MAILINDEX=1")])?;
    ensure!(put == "Subject: put by curl\r\n\r\nx\r\n", "{put:?}");

    let pop3s = format!("pop3s://{}", localhost(&appliance.endpoints.pop3s));
    ensure!(curl(&appliance, &account, &[&pop3s])?.lines().count() == 3);
    ensure!(curl(&appliance, &account, &[&format!("{pop3s}/3")])?.contains("Subject: number 3"));
    let pop3 = format!("pop3://{}", localhost(&appliance.endpoints.pop3));
    ensure!(curl(&appliance, &account, &["--ssl-reqd", &format!("{pop3}/1")])?.contains("Subject: number 1"));
    Ok(())
}

#[tokio::test]
async fn python_imaplib_and_poplib_work() -> Result<()> {
    let (appliance, account) = with_mail(5).await?;
    let mut command = Command::new("python3");
    command.args(["-c", SCRIPT]);
    for address in [&appliance.endpoints.imap, &appliance.endpoints.imaps, &appliance.endpoints.pop3s] {
        command.arg(address.rsplit(':').next().unwrap_or_default());
    }
    command.arg(&appliance.ca).args([&account.address, &account.password]);
    let output = output_of(command, LIMIT)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

const SCRIPT: &str = r#"
import imaplib, poplib, ssl, sys, time
imap, imaps, pop3s, ca, user, password = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)

def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]

a = imaplib.IMAP4_SSL("localhost", int(imaps), ssl_context=context, timeout=60)
ok(a.login(user, password))
assert ok(a.select("INBOX")) == [b"5"]
assert ok(a.search(None, "SUBJECT", '"number 4"')) == [b"4"]
assert ok(a.fetch("4", "(BODY.PEEK[TEXT])"))[0][1] == b"body 4\r\n"
envelope = ok(a.fetch("1", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"))[0]
assert b'"number 1"' in envelope and b'"TEXT" "PLAIN"' in envelope.upper(), envelope

b = imaplib.IMAP4("localhost", int(imap), timeout=60)
ok(b.starttls(context))
ok(b.authenticate("PLAIN", lambda _: b"\0" + user.encode() + b"\0" + password.encode()))
ok(b.select("INBOX"))

# A flag set in one session is seen in the other.
ok(a.store("2", "+FLAGS", r"(\Flagged $MyKeyword)"))
ok(b.noop())
flags = ok(b.fetch("2", "(FLAGS)"))[0]
assert b"\\Flagged" in flags and b"$MyKeyword" in flags, flags

# Folders: made, listed, renamed, filled, emptied, removed.
ok(a.create('"Projekte/B&APw-ro"'))
assert any(b"B&APw-ro" in line for line in ok(a.list()))
ok(a.subscribe('"Projekte/B&APw-ro"'))
assert any(b"B&APw-ro" in line for line in ok(a.lsub()))
ok(a.copy("1:3", '"Projekte/B&APw-ro"'))
ok(a.rename('"Projekte/B&APw-ro"', "Elsewhere"))
assert ok(a.status("Elsewhere", "(MESSAGES UNSEEN)"))[0].startswith(b"\"Elsewhere\" (MESSAGES 3") or \
    ok(a.status("Elsewhere", "(MESSAGES UNSEEN)"))[0].startswith(b"Elsewhere (MESSAGES 3")
ok(a.append("Elsewhere", r"(\Seen)", imaplib.Time2Internaldate(time.time()), b"Subject: put\r\n\r\nx\r\n"))
assert ok(a.select("Elsewhere")) == [b"4"]
ok(a.store("1:2", "+FLAGS", r"(\Deleted)"))
gone = ok(a.expunge())
assert gone in ([b"1", b"1"], [b"2", b"1"]), gone
ok(a.uid("MOVE", "1:*", "INBOX"))
assert ok(a.select("Elsewhere")) == [b"0"]
ok(a.select("INBOX"))
ok(a.delete("Elsewhere"))

# The other session hears of what was moved in.
ok(b.noop())
assert ok(b.search(None, "ALL"))[0].split()[-1] == b"7", b.search(None, "ALL")
ok(b.close())
b.logout()
a.logout()

try:
    c = imaplib.IMAP4_SSL("localhost", int(imaps), ssl_context=context, timeout=60)
    c.login(user, "wrong")
    raise SystemExit("a wrong password was taken")
except imaplib.IMAP4.error as error:
    assert "AUTHENTICATIONFAILED" in str(error), error

p = poplib.POP3_SSL("localhost", int(pop3s), context=context, timeout=60)
p.user(user)
p.pass_(password)
count, _ = p.stat()
assert count == 7, count
assert len(p.uidl()[1]) == 7
assert b"Subject: number 1" in p.retr(1)[1]
assert p.top(1, 0)[1][-1] == b""
p.dele(1)
p.quit()
p = poplib.POP3_SSL("localhost", int(pop3s), context=context, timeout=60)
p.user(user)
p.pass_(password)
assert p.stat()[0] == 6
p.quit()
"#;
