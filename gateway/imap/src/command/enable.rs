//! ENABLE (RFC 9051 §6.3.1).

use crate::{
    reply::{Failure, Reply},
    session::Session,
};

impl Session {
    pub fn enable(&mut self, names: &[String]) -> Result<Reply, Failure> {
        self.account()?;
        let mut done: Vec<&str> = Vec::new();
        for name in names {
            let (slot, spelling) = match name.as_str() {
                "CONDSTORE" => (&mut self.enabled.condstore, "CONDSTORE"),
                "QRESYNC" => (&mut self.enabled.qresync, "QRESYNC"),
                "IMAP4REV2" => (&mut self.enabled.rev2, "IMAP4rev2"),
                _ => continue,
            };
            if !*slot {
                *slot = true;
                done.push(spelling);
            }
        }
        // RFC 7162 §3.2.3: who can QRESYNC can CONDSTORE.
        self.enabled.condstore |= self.enabled.qresync;
        self.wire.encoder().enabled(&done);
        self.wire.utf8 = self.enabled.rev2;
        Ok(Reply::ok("Enabled"))
    }
}
