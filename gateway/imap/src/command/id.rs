//! ID (RFC 2971).

use crate::{
    reply::{Failure, Reply},
    session::Session,
};

impl Session {
    pub fn id(&mut self, fields: &[(String, Option<String>)]) -> Result<Reply, Failure> {
        if !fields.is_empty() {
            tracing::debug!(?fields, "the client says what it is");
        }
        self.wire.encoder().id(&[("name", "Kontor"), ("version", env!("CARGO_PKG_VERSION"))]);
        Ok(Reply::ok("Pleased to meet you"))
    }
}
