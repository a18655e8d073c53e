//! What comes from outside may be anything: the server answers in the protocol's words, or hangs up, and goes
//! on serving everybody else.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::{Account, Appliance};
use kontor_e2e::imap::{Imap, Status};
use kontor_e2e::lmtp::Lmtp;
use kontor_e2e::pop3::Pop3;
use kontor_e2e::process::eventually;
use kontor_e2e::smtp::{Smtp, read_reply};
use kontor_e2e::wire::Wire;
use rand::{Rng, RngCore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A message goes in and comes out: the server works.
async fn works(appliance: &Appliance, account: &Account) -> Result<()> {
    let mark = format!("mark{:x}", rand::rng().random::<u64>());
    let mut lmtp = Lmtp::connect(&appliance.endpoints.lmtp).await?;
    let message = format!("Subject: {mark}\r\n\r\nx\r\n");
    lmtp.deliver("s@sender.test", &account.address, message.as_bytes()).await?;
    let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
    imap.select("INBOX").await?;
    let answer = imap.command(&format!("SEARCH SUBJECT {mark}")).await?.ok()?;
    let hits = answer.untagged.iter().find_map(|r| r.text.strip_prefix("SEARCH")).unwrap_or_default();
    ensure!(hits.split_whitespace().count() == 1, "SEARCH said {hits:?}");
    Ok(())
}

#[tokio::test]
async fn wrong_passwords_are_refused_and_the_right_one_works_after_them() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("guessed").await?;
    let mut refused = 0;
    for attempt in 0..5 {
        let mut imap = Imap::connect(&appliance.endpoints.imap).await?;
        let answer = imap.command(&format!("LOGIN {} wrong{attempt}", account.address)).await?;
        ensure!(answer.status == Status::No, "{answer:?}");
        ensure!(
            answer.text.contains("AUTHENTICATIONFAILED")
                || answer.text.contains("UNAVAILABLE")
                || answer.text.contains("LIMIT"),
            "{answer:?}"
        );
        refused += 1;
    }
    // An account that does not exist is answered in the same words.
    let mut imap = Imap::connect(&appliance.endpoints.imap).await?;
    let stranger = imap.command("LOGIN nobody@nowhere.test wrong").await?;
    ensure!(stranger.status == Status::No, "{stranger:?}");
    ensure!(Pop3::login(&appliance.endpoints.pop3, &account.address, "wrong").await.is_err());
    println!("{refused} attempts refused");
    eventually("the right password works again", Duration::from_secs(120), async || {
        Ok(Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await.ok().map(|_| ()))
    })
    .await
}

#[tokio::test]
async fn oversized_lines_and_literals_are_refused() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.account.clone();
    let imap_address = appliance.endpoints.imap.as_str();

    // Before login: a literal that nobody needs to log in, asked for and forced.
    for literal in ["{4294967295}", "{999999999}", "{99999999999999999999}", "{1000000+}"] {
        let mut imap = Imap::connect(imap_address).await?;
        imap.wire().send(format!("a LOGIN {literal}\r\n").as_bytes()).await?;
        let line = imap.wire().text().await.unwrap_or_else(|_| "(closed)".into());
        ensure!(
            line.starts_with("a BAD")
                || line.starts_with("a NO")
                || line.starts_with("* BYE")
                || line == "(closed)",
            "{literal} was answered by {line:?}"
        );
    }
    // A line without end, before and after login.
    for login in [false, true] {
        let mut imap = Imap::connect(imap_address).await?;
        if login {
            imap.authenticate(&account.address, &account.password).await?;
        }
        let mut refused = false;
        for _ in 0..200 {
            // Once the server has hung up, writing fails: that is an answer too.
            if imap.wire().send(&[b'x'; 64 * 1024]).await.is_err() {
                refused = true;
                break;
            }
        }
        if !refused {
            let _ = imap.wire().send(b"\r\n").await;
            let line = imap.wire().text().await.unwrap_or_else(|_| "* BYE".into());
            ensure!(line.contains("BAD") || line.contains("BYE"), "a 12 MiB line was answered by {line:?}");
        }
    }
    // An APPEND that is too large is refused before it is sent, and the session goes on.
    let mut imap = Imap::login(imap_address, &account.address, &account.password).await?;
    let answer = imap.command("APPEND INBOX {4000000000}").await?;
    ensure!(answer.status != Status::Ok, "{answer:?}");
    imap.command("NOOP").await?.ok().context("after the refused APPEND")?;

    let mut pop3 = Wire::connect(&appliance.endpoints.pop3).await?;
    pop3.text().await?;
    for _ in 0..64 {
        if pop3.send(&[b'y'; 64 * 1024]).await.is_err() {
            break;
        }
    }
    let mut smtp = Smtp::connect(&appliance.endpoints.smtp).await?;
    let long = format!("MAIL FROM:<{}@x.test>", "a".repeat(100_000));
    let code = smtp.command(&long).await.map(|r| r.code).unwrap_or(500);
    ensure!((500..600).contains(&code), "a 100 kB MAIL command was answered by {code}");
    works(&appliance, &account).await
}

#[tokio::test]
async fn a_message_over_the_size_limit_is_refused_and_the_session_goes_on() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.account.clone();
    let mut smtp = Smtp::connect(&appliance.endpoints.smtp).await?;
    let size = smtp.capabilities.lines().find_map(|l| l.strip_prefix("SIZE ")).context("no SIZE")?;
    let limit: usize = size.trim().parse()?;
    ensure!(limit > 0, "SIZE 0 would be no limit");
    // Said beforehand.
    let reply = smtp.command(&format!("MAIL FROM:<s@sender.test> SIZE={}", limit + 1)).await?;
    ensure!(reply.code == 552, "{reply:?}");
    // Found out at the end.
    let mut lmtp = Lmtp::connect(&appliance.endpoints.lmtp).await?;
    let mut large = b"Subject: too large\r\n\r\n".to_vec();
    while large.len() <= limit {
        large.extend_from_slice(&[b'z'; 998]);
        large.extend_from_slice(b"\r\n");
    }
    let replies = lmtp.try_deliver("s@sender.test", &[&account.address], &large).await?;
    ensure!(replies.iter().all(|r| r.code == 552), "{replies:?}");
    lmtp.deliver("s@sender.test", &account.address, b"Subject: small\r\n\r\nx\r\n").await?;
    works(&appliance, &account).await
}

#[tokio::test]
async fn only_crlf_dot_crlf_ends_a_message() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.account.clone();
    for ending in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r\n\0.\r\n"] {
        let mut smtp = Smtp::connect(&appliance.endpoints.smtp).await?;
        smtp.command("MAIL FROM:<s@sender.test>").await?.expect(250)?;
        smtp.command(&format!("RCPT TO:<{}>", account.address)).await?.expect(250)?;
        smtp.command("DATA").await?.expect(354)?;
        let smuggled = format!(
            "Subject: outer\r\n\r\nbody{ending}MAIL FROM:<evil@sender.test>\r\nRCPT TO:<{}>\r\nDATA\r\n\
             Subject: smuggled\r\n\r\nx\r\n.\r\n",
            account.address
        );
        smtp.wire.send(smuggled.as_bytes()).await?;
        let first = read_reply(&mut smtp.wire).await?;
        ensure!(first.code == 250 || first.code / 100 == 5, "{ending:?}: {first:?}");
        // What followed the ending was part of the message: nothing more is answered.
        let next = smtp.command("NOOP").await?;
        ensure!(next.code == 250, "{ending:?} split the message: {next:?}");
        let closing = smtp.command("QUIT").await?;
        ensure!(closing.code == 221, "{ending:?} split the message: {closing:?}");
    }
    let mut imap = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await?;
    imap.select("INBOX").await?;
    let answer = imap.command("SEARCH HEADER Subject smuggled").await?.ok()?;
    let hits = answer.untagged.iter().find_map(|r| r.text.strip_prefix("SEARCH")).unwrap_or_default();
    ensure!(hits.trim().is_empty(), "a smuggled message arrived: {hits}");
    Ok(())
}

#[tokio::test]
async fn commands_sent_before_the_tls_handshake_are_not_obeyed_after_it() -> Result<()> {
    let appliance = Appliance::start().await?;
    // The injected command comes in the same packet as STARTTLS. A handshake follows only by our closing:
    // the server must either refuse or drop it, and must not answer it.
    let cases: [(&str, &[u8], &str); 3] = [
        (&appliance.endpoints.submission, b"EHLO x\r\nSTARTTLS\r\nNOOP injected\r\n", "250 2.0.0"),
        (&appliance.endpoints.imap, b"a STARTTLS\r\nb NOOP\r\n", "b OK"),
        (&appliance.endpoints.pop3, b"STLS\r\nCAPA\r\n", "SASL"),
    ];
    for (address, bytes, injected) in cases {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(bytes).await?;
        let mut said = Vec::new();
        let _ = timeout(Duration::from_secs(3), stream.read_to_end(&mut said)).await;
        let said = String::from_utf8_lossy(&said).into_owned();
        let after = said.split_once("STARTTLS").map_or(said.as_str(), |(_, rest)| rest);
        ensure!(!after.contains(injected), "{address} answered the injected command: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn half_open_tls_and_slow_clients_hold_up_nobody() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.account.clone();
    let mut held = Vec::new();
    // The first bytes of a ClientHello that never goes on, and nothing at all.
    let endpoints = &appliance.endpoints;
    for address in [&endpoints.imaps, &endpoints.pop3s, &endpoints.submissions] {
        for bytes in [&b""[..], &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &b"\x16"[..]] {
            for _ in 0..8 {
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(bytes).await?;
                held.push(stream);
            }
        }
    }
    // Half a command, half a message.
    for (address, bytes) in [
        (&endpoints.imap, &b"a LOG"[..]),
        (&endpoints.pop3, &b"US"[..]),
        (&endpoints.smtp, &b"EHLO x\r\nMAIL FROM:<s@sender.test>\r\nRCP"[..]),
        (&endpoints.lmtp, &b"LHLO x\r\nMAIL FROM:<s@sender.test>\r\nRCPT"[..]),
    ] {
        for _ in 0..8 {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(bytes).await?;
            held.push(stream);
        }
    }
    for _ in 0..5 {
        works(&appliance, &account).await?;
        // A drip on each keeps them from being merely idle.
        for stream in &mut held {
            let _ = stream.write_all(b" ").await;
        }
    }
    // A client that asks for much and reads nothing.
    let mut imap = Imap::login(&endpoints.imap, &account.address, &account.password).await?;
    let large = [b"Subject: large\r\n\r\n".as_slice(), &b"0123456789abcdef\r\n".repeat(200_000)].concat();
    imap.append("INBOX", "", &large).await?;
    imap.select("INBOX").await?;
    for _ in 0..20 {
        imap.send("FETCH 1:* (BODY.PEEK[])").await?;
    }
    works(&appliance, &account).await
}

#[tokio::test]
async fn garbage_on_every_port_breaks_nothing() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.account.clone();
    let endpoints = appliance.endpoints.clone();
    let addresses = [
        &endpoints.smtp,
        &endpoints.submission,
        &endpoints.submissions,
        &endpoints.lmtp,
        &endpoints.imap,
        &endpoints.imaps,
        &endpoints.pop3,
        &endpoints.pop3s,
    ];
    for address in addresses {
        for round in 0..12 {
            let mut stream = TcpStream::connect(address).await?;
            let mut bytes = vec![0; rand::rng().random_range(1..20_000)];
            rand::rng().fill_bytes(&mut bytes);
            if round % 3 == 0 {
                // Printable and in lines, so that it gets further.
                for byte in &mut bytes {
                    *byte = if *byte % 40 == 0 { b'\n' } else { b' ' + *byte % 95 };
                }
            }
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await;
        }
    }
    works(&appliance, &account).await?;
    // The right protocol, the wrong commands.
    let mut imap = Imap::login(&endpoints.imap, &account.address, &account.password).await?;
    imap.select("INBOX").await?;
    let nested = format!("SEARCH {}ALL{}", "(".repeat(5_000), ")".repeat(5_000));
    let commands = [
        "",
        "FETCH",
        "FETCH 0 FLAGS",
        "FETCH 1 BODY[1.2.3.999999999999.MIME",
        "SEARCH",
        nested.as_str(),
        "UID FETCH 4294967296 FLAGS",
        "FETCH 1:* (BODY[]<0.0>)",
        "SEARCH UID 1:*:2",
        "SEARCH SINCE 99-Foo-20260",
        "SELECT \"unclosed",
        "CREATE \"\"",
        "RENAME INBOX INBOX",
        "LIST",
        "STATUS INBOX",
        "COPY 1:* nowhere",
        "SEARCH CHARSET no-such-charset TEXT x",
    ];
    for command in commands {
        let answer = imap.command(command).await.with_context(|| format!("{command:.60}"))?;
        ensure!(
            answer.status != Status::Ok || command.is_empty(),
            "{command:.60} was answered by {answer:?}"
        );
    }
    imap.command("NOOP").await?.ok()?;
    works(&appliance, &account).await
}
