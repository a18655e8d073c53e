//! The ready file, for programs that start a server and wait for it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::data::write_atomically;

/// What is in it.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// `host:port` by endpoint.
    pub endpoints: BTreeMap<String, String>,
    /// The first account, while its generated password is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// The private CA's certificate, when that is what clients have to trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The socket for administration.
    pub admin: PathBuf,
    /// This process.
    pub pid: u32,
}

/// An account and its password.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Account {
    /// The address, which is the login name too.
    pub address: String,
    /// The password.
    pub password: String,
}

impl Ready {
    /// Writes the file, whole or not at all. It holds a password: only its owner may read it.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        write_atomically(path, text.as_bytes(), 0o600)
    }
}

/// An address that can be connected to: `0.0.0.0` is not one.
pub fn reachable(address: SocketAddr) -> String {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address.to_string()
}
