//! The handler that listeners call.

use std::sync::Arc;

use kontor_gateway_core::listener::Refused;
use kontor_gateway_core::{Connection, Handler, Shared};
use kontor_storage_client::StoreClient;

use crate::config::Pop3Config;
use crate::session;

/// POP3 for listeners with STARTTLS and with implicit TLS alike.
pub struct Server {
    pub(crate) config: Pop3Config,
    pub(crate) store: StoreClient,
}

impl Server {
    /// A server over a store.
    pub fn new(config: Pop3Config, store: StoreClient) -> Self {
        Self { config, store }
    }
}

impl Handler for Server {
    async fn serve(self: Arc<Self>, connection: Connection, shared: Shared) {
        session::run(self, connection, shared).await;
    }

    fn refusal(&self, reason: Refused) -> &'static [u8] {
        match reason {
            Refused::TooMany => b"-ERR [SYS/TEMP] too many connections, try again later\r\n",
            Refused::TooManyFromAddress => b"-ERR [SYS/TEMP] too many connections from your address\r\n",
            Refused::TooOften => b"-ERR [LOGIN-DELAY] you connect too often\r\n",
        }
    }
}
