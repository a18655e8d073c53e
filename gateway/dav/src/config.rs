//! The configuration of the DAV gateway.

use std::time::Duration;

use kontor_gateway_core::config::duration;
use serde::Deserialize;

use crate::subscription::SubscriptionConfig;

/// Everything but the listeners, which are the ingress's.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DavConfig {
    /// Largest calendar object or card, octets.
    pub max_item: u64,
    /// Largest file that is kept beside a calendar object, octets; not above what the store takes as a message.
    pub max_attachment: u64,
    /// How long a password that was right is not asked for again; a change of the password takes effect within it.
    #[serde(deserialize_with = "duration")]
    pub sign_in_for: Duration,
    /// Calendars from elsewhere.
    pub subscriptions: SubscriptionConfig,
}

impl Default for DavConfig {
    fn default() -> Self {
        Self {
            max_item: 10 << 20,
            max_attachment: 25 << 20,
            sign_in_for: Duration::from_secs(120),
            subscriptions: SubscriptionConfig::default(),
        }
    }
}
