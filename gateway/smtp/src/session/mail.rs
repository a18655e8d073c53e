//! `MAIL`.

use kontor_smtp_proto::{Body, Mail, Reply};

use super::{Session, Transaction};
use crate::routing::store_failed;
use crate::server::Mode;

impl Session {
    pub(super) async fn mail(&mut self, mail: Mail) {
        match self.begin(&mail).await {
            Ok(()) => {
                let text = format!("<{}>: sender ok", mail.from);
                self.transaction = Some(Box::new(Transaction { mail, recipients: Vec::new(), body: None }));
                self.reply(Reply::new(250, (2, 1, 0), text));
            }
            Err(reply) => self.fail(reply),
        }
    }

    async fn begin(&mut self, mail: &Mail) -> Result<(), Reply> {
        if self.hello.is_none() {
            return Err(Reply::new(503, (5, 5, 1), "Say hello first"));
        }
        if self.transaction.is_some() {
            return Err(Reply::new(503, (5, 5, 1), "There is a transaction already"));
        }
        if self.mode == Mode::Submission && self.login.is_none() {
            return Err(if self.offers_auth() {
                Reply::new(530, (5, 7, 0), "Authentication required")
            } else {
                Reply::new(530, (5, 7, 0), "Send STARTTLS first, then AUTH")
            });
        }
        let largest = self.max_size();
        if mail.size.is_some_and(|size| size > largest) {
            return Err(Reply::new(552, (5, 3, 4), format!("Messages may have {largest} octets")));
        }
        if mail.body == Some(Body::BinaryMime) {
            return Err(Reply::new(501, (5, 5, 4), "BINARYMIME is not available"));
        }
        let Some(from) = mail.from.mailbox() else { return Ok(()) };
        if !from.is_ascii() && !mail.smtputf8 {
            return Err(Reply::new(553, (5, 6, 7), "An address that is not ASCII needs SMTPUTF8"));
        }
        let Some(login) = &self.login else { return Ok(()) };
        let address = from.to_string();
        if address.eq_ignore_ascii_case(&login.info().address) {
            return Ok(());
        }
        match login.may_send_as(&address).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Reply::new(553, (5, 7, 1), format!("<{address}>: not your address"))),
            Err(error) => Err(store_failed(&error)),
        }
    }
}
