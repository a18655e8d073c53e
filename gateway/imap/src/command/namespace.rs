//! NAMESPACE (RFC 9051 §6.3.10). Other people's mailboxes get a namespace when sharing comes.

use kontor_imap_proto::NamespaceEntry;

use crate::{
    reply::{Failure, Reply},
    session::Session,
};

impl Session {
    pub fn namespace(&mut self) -> Result<Reply, Failure> {
        self.account()?;
        self.wire.encoder().namespace(&[NamespaceEntry { prefix: "", separator: '/' }], &[], &[]);
        Ok(Reply::ok("Namespaces told"))
    }
}
