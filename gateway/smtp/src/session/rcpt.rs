//! `RCPT`: recipients that come pipelined are looked up in one call.

use kontor_smtp_proto::{Command, Frame, Rcpt, Recipient, Reply};
use kontor_storage_client::proto;

use super::Session;
use crate::delivery::Accepted;
use crate::routing::{judge, sender, store_failed};
use crate::server::Mode;

impl Session {
    pub(super) async fn rcpt(&mut self, first: Rcpt) {
        let group = self.group(first);
        let Some(transaction) = &self.transaction else {
            for _ in group {
                self.fail(Reply::new(503, (5, 5, 1), "Send MAIL first"));
            }
            return;
        };
        let limit = self.gateway.config.max_recipients;
        let room = limit.saturating_sub(transaction.recipients.len());
        let smtputf8 = transaction.mail.smtputf8;
        let in_chunks = transaction.body.is_some();
        let checked: Vec<Result<(Rcpt, String), Reply>> = group
            .into_iter()
            .enumerate()
            .map(|(at, rcpt)| {
                if in_chunks {
                    return Err(Reply::new(503, (5, 5, 1), "The message has begun"));
                }
                if at >= room {
                    return Err(Reply::new(452, (4, 5, 3), format!("A message may have {limit} recipients")));
                }
                let address = match &rcpt.to {
                    Recipient::Postmaster => self.gateway.postmaster.clone(),
                    Recipient::Mailbox(mailbox) if !mailbox.is_ascii() && !smtputf8 => {
                        return Err(Reply::new(
                            553,
                            (5, 6, 7),
                            "An address that is not ASCII needs SMTPUTF8",
                        ));
                    }
                    Recipient::Mailbox(mailbox) => mailbox.to_string(),
                };
                Ok((rcpt, address))
            })
            .collect();
        let request = proto::ResolveRecipientsRequest {
            addresses: checked.iter().flatten().map(|(_, address)| address.clone()).collect(),
            size: transaction.mail.size.unwrap_or(0),
            sender: sender(&transaction.mail.from),
            authenticated: self.mode == Mode::Submission,
        };
        let resolved = if request.addresses.is_empty() {
            Ok(Vec::new())
        } else {
            self.gateway.store.resolve_recipients(request).await
        };
        let mut answers = match resolved {
            Ok(answers) => answers.into_iter(),
            Err(error) => {
                let reply = store_failed(&error);
                for outcome in checked {
                    self.reply(outcome.err().unwrap_or_else(|| reply.clone()));
                }
                return;
            }
        };
        let tenant = self.login.as_ref().map(|login| login.info().tenant_id);
        for outcome in checked {
            let judged = outcome.and_then(|(rcpt, address)| {
                let answer = answers.next().unwrap_or_default();
                judge(&address, answer, self.mode, tenant).map(|targets| Accepted { rcpt, address, targets })
            });
            match judged {
                Ok(accepted) => {
                    self.reply(Reply::new(250, (2, 1, 5), format!("<{}>: recipient ok", accepted.address)));
                    if let Some(transaction) = &mut self.transaction {
                        transaction.recipients.push(accepted);
                    }
                }
                // A server in front cannot know who there is; others who guess are stopped.
                Err(reply) if reply.is_permanent() && self.mode != Mode::Lmtp => self.fail(reply),
                Err(reply) => self.reply(reply),
            }
        }
    }

    /// This RCPT and those that are in the buffer right behind it.
    fn group(&mut self, first: Rcpt) -> Vec<Rcpt> {
        let mut group = vec![first];
        while group.len() < GROUP {
            let Frame::Line { line, consumed } = self.framer.frame(self.reader.buffered()) else { break };
            if !line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"RCPT")) {
                break;
            }
            let Ok(Command::Rcpt(rcpt)) = Command::parse(line, &self.gateway.limits) else { break };
            self.reader.consume(consumed);
            group.push(rcpt);
        }
        group
    }
}

/// Recipients in one call to the directory.
const GROUP: usize = 256;
