//! The gateway as a listener's handler.

use std::sync::Arc;

use kontor_gateway_core::{Connection, Handler, Shared, listener::Refused};
use kontor_storage_client::StoreClient;

use crate::{ImapConfig, session};

/// Serves IMAP on any number of listeners.
pub struct Server {
    pub(crate) config: ImapConfig,
    pub(crate) store: StoreClient,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Server {
    /// A server of the mailboxes in `store`.
    pub fn new(config: ImapConfig, store: StoreClient) -> Self {
        Self { config, store }
    }
}

impl Handler for Server {
    async fn serve(self: Arc<Self>, connection: Connection, shared: Shared) {
        session::serve(self, connection, shared).await;
    }

    fn refusal(&self, reason: Refused) -> &'static [u8] {
        match reason {
            Refused::TooMany => b"* BYE [UNAVAILABLE] Too many connections, try again later\r\n",
            Refused::TooManyFromAddress => b"* BYE [LIMIT] Too many connections from your address\r\n",
            Refused::TooOften => b"* BYE [LIMIT] You connect too often\r\n",
        }
    }
}
