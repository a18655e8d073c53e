//! The four ways in.

use std::sync::Arc;

use kontor_gateway_core::listener::Refused;
use kontor_gateway_core::{Connection, Handler, Shared};

use crate::gateway::Gateway;
use crate::session;

/// Who connects, and so what is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Other servers, port 25: mail for us, from anybody.
    Mx,
    /// Clients, port 587 (STARTTLS) or 465 (the listener's TLS is implicit): mail for anybody, from those
    /// who log in.
    Submission,
    /// A server of ours in front, port 24: mail for us, with an answer for each recipient.
    Lmtp,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mx => "smtp",
            Self::Submission => "submission",
            Self::Lmtp => "lmtp",
        }
    }
}

/// A [`Handler`] for listeners.
pub struct Server {
    gateway: Arc<Gateway>,
    mode: Mode,
}

impl Server {
    pub(crate) fn new(gateway: Arc<Gateway>, mode: Mode) -> Self {
        Self { gateway, mode }
    }
}

impl Handler for Server {
    async fn serve(self: Arc<Self>, connection: Connection, shared: Shared) {
        session::run(self.gateway.clone(), self.mode, connection, shared).await;
    }

    fn refusal(&self, reason: Refused) -> &'static [u8] {
        match reason {
            Refused::TooMany => b"421 4.3.2 Too many connections, try again later\r\n",
            Refused::TooManyFromAddress => b"421 4.7.0 Too many connections from your address\r\n",
            Refused::TooOften => b"421 4.7.0 You connect too often\r\n",
        }
    }
}
