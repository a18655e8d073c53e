//! `EHLO`, `HELO`, `LHLO`.

use kontor_smtp_proto::{AuthMechanisms, Capabilities, Reply};

use super::{Hello, Session};
use crate::server::Mode;

impl Session {
    pub(super) fn hello(&mut self, name: String, extended: bool, lmtp: bool) {
        // RFC 2033 §4.1: LMTP has LHLO and the other two not.
        if lmtp != (self.mode == Mode::Lmtp) {
            let wanted =
                if self.mode == Mode::Lmtp { "This is LMTP: send LHLO" } else { "This is SMTP: send EHLO" };
            return self.fail(Reply::new(500, (5, 5, 1), wanted));
        }
        self.transaction = None;
        self.hello = Some(Hello { name, extended });
        if !extended {
            return self.reply(Reply::plain(250, self.gateway.hostname.clone()));
        }
        let auth = self.offers_auth();
        let capabilities = Capabilities {
            pipelining: true,
            size: Some(self.max_size()),
            eight_bit_mime: true,
            smtputf8: true,
            chunking: true,
            binary_mime: false,
            enhanced_status_codes: true,
            // Other servers send the notifications that their clients asked for themselves: a server that
            // confirms deliveries to whoever a stranger names as the sender is a tool for flooding people.
            dsn: self.mode == Mode::Submission,
            starttls: self.can_upgrade,
            auth: AuthMechanisms { plain: auth, login: auth },
        };
        self.reply(capabilities.to_reply(&self.gateway.hostname));
    }

    /// Passwords are taken from clients, and over TLS.
    pub(super) fn offers_auth(&self) -> bool {
        self.mode == Mode::Submission && (self.encrypted || self.gateway.config.plaintext_auth)
    }

    /// Largest message, octets.
    pub(super) fn max_size(&self) -> u64 {
        let own = self.login.as_ref().map(|login| login.info().max_message_size).filter(|&size| size > 0);
        let configured = self.gateway.config.max_message_size.min(self.shared.budget.largest());
        own.map_or(configured, |own| own.min(configured))
    }
}
