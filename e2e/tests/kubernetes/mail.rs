//! Mail through the pools' Service addresses.

use std::time::Duration;

use anyhow::Result;
use kontor_e2e::kubernetes::installation::{send, subjects};
use kontor_e2e::process::eventually;

use crate::{ANNA, BERT, installation};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_sent_to_one_pool_is_read_from_another() -> Result<()> {
    let Some((installation, _turn)) = installation("mail_sent_to_one_pool_is_read_from_another").await?
    else {
        return Ok(());
    };
    let (smtp, lmtp) = (installation.endpoint("smtp", 25).await?, installation.endpoint("smtp", 24).await?);
    let imap = installation.endpoint_tls("imap", 993).await?;
    for (number, to) in [ANNA, BERT].into_iter().enumerate() {
        let message = format!("From: someone@elsewhere.test\r\nSubject: by SMTP {number}\r\n\r\nhello\r\n");
        send(smtp, "someone@elsewhere.test", to.0, message.as_bytes()).await?;
        eventually("the message is in the INBOX", Duration::from_secs(60), async || {
            let found = subjects(imap, to.0, to.1).await?;
            Ok(found.contains(&format!("by SMTP {number}")).then_some(()))
        })
        .await?;
    }
    let mut session = kontor_e2e::lmtp::Lmtp::connect(&lmtp.to_string()).await?;
    session.deliver("a@elsewhere.test", ANNA.0, b"Subject: by LMTP\r\n\r\nhello\r\n").await?;
    let found = subjects(imap, ANNA.0, ANNA.1).await?;
    anyhow::ensure!(found.iter().any(|subject| subject == "by LMTP"), "{found:?}");
    Ok(())
}
