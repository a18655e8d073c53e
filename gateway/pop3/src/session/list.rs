//! `LIST` (RFC 1939 §5) and `UIDL` (§7).

use kontor_pop3_proto::{Response, write_listing};

use super::{Session, State};

impl Session {
    pub(super) fn list(&mut self, number: Option<u32>) {
        let State::Transaction(maildrop) = &mut self.state else { return };
        match number {
            Some(number) => match maildrop.message(number).map(|message| message.size) {
                Some(size) => self.reply(Response::ok(format!("{number} {size}"))),
                None => self.no_such_message(),
            },
            None => {
                let (count, size) = maildrop.count();
                Response::ok(format!("{count} messages ({size} octets)")).write(&mut self.out);
                for (number, message) in maildrop.listed() {
                    write_listing(number, message.size, &mut self.out);
                }
                self.out.extend_from_slice(b".\r\n");
            }
        }
    }

    pub(super) fn uidl(&mut self, number: Option<u32>) {
        let State::Transaction(maildrop) = &mut self.state else { return };
        match number {
            Some(number) => match maildrop.message(number).copied() {
                Some(message) => {
                    let id = maildrop.unique_id(&message);
                    self.reply(Response::ok(format!("{number} {id}")));
                }
                None => self.no_such_message(),
            },
            None => {
                Response::ok("unique ids follow").write(&mut self.out);
                for (number, message) in maildrop.listed() {
                    write_listing(number, maildrop.unique_id(message), &mut self.out);
                }
                self.out.extend_from_slice(b".\r\n");
            }
        }
    }
}
