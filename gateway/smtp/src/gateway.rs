//! What all sessions and the runner of one process share.

use std::sync::Arc;

use kontor_gateway_core::Drain;
use kontor_smtp_proto::Limits;
use kontor_storage_client::StoreClient;

use crate::config::SmtpConfig;
use crate::server::{Mode, Server};

/// The gateway: its configuration and its way to the store.
pub struct Gateway {
    pub(crate) config: SmtpConfig,
    pub(crate) store: StoreClient,
    pub(crate) drain: Drain,
    pub(crate) limits: Limits,
    /// The name in greetings and trace fields.
    pub(crate) hostname: String,
    pub(crate) postmaster: String,
}

impl Gateway {
    /// A gateway over a store.
    pub fn new(config: SmtpConfig, store: StoreClient, drain: Drain) -> Arc<Self> {
        let hostname = if config.hostname.is_empty() { machine_name() } else { config.hostname.clone() };
        let postmaster = if config.postmaster.is_empty() {
            format!("postmaster@{hostname}")
        } else {
            config.postmaster.clone()
        };
        Arc::new(Self { config, store, drain, limits: Limits::default(), hostname, postmaster })
    }

    /// A server in a mode, to be given to a listener.
    pub fn server(self: &Arc<Self>, mode: Mode) -> Server {
        Server::new(self.clone(), mode)
    }

    /// A name for a message, unique over all gateways.
    pub(crate) fn new_id(&self) -> String {
        uuid::Uuid::now_v7().simple().to_string()
    }
}

fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".into() } else { name.into() }
}
