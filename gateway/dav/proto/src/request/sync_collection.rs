//! sync-collection (RFC 6578 §3.2, §6).

use super::{AddressData, CalendarData, PropFind, nresults};
use crate::xml::Element;
use crate::{DAV, Error, Limits, Precondition};

/// sync-collection
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncCollection {
    /// The token of the last answer; `None` for the first time.
    pub token: Option<String>,
    /// How deep; `None` where the body does not say, as in drafts of the RFC, and `Depth` does.
    pub level: Option<SyncLevel>,
    /// How many members at most.
    pub limit: Option<u32>,
    /// Which properties are wanted.
    pub properties: PropFind,
    /// What of calendar data, where it is wanted.
    pub calendar_data: Option<CalendarData>,
    /// What of address data, where it is wanted.
    pub address_data: Option<AddressData>,
}

/// `sync-level` (RFC 6578 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SyncLevel {
    /// The immediate members.
    One,
    /// All that is below.
    Infinite,
}

impl SyncCollection {
    pub(super) fn of(root: &Element, limits: &Limits) -> Result<Self, Error> {
        let token = root.first(DAV, "sync-token");
        let token = token.ok_or(Error::Syntax("a sync-collection needs a sync-token"))?.text();
        let token = Some(token.trim()).filter(|token| !token.is_empty());
        if token.is_some_and(|token| token.len() > limits.href) {
            return Err(Error::Precondition(Precondition::ValidSyncToken, "the token is too long"));
        }
        let level = match root.first(DAV, "sync-level").map(Element::text) {
            None => None,
            Some(level) => match level.trim() {
                "1" => Some(SyncLevel::One),
                "infinite" | "infinity" => Some(SyncLevel::Infinite),
                _ => return Err(Error::Syntax("sync-level is 1 or infinite")),
            },
        };
        Ok(Self {
            token: token.map(str::to_owned),
            level,
            limit: root.first(DAV, "limit").map(nresults).transpose()?,
            properties: PropFind::of_report(root, limits)?,
            calendar_data: CalendarData::of_report(root, limits)?,
            address_data: AddressData::of_report(root, limits)?,
        })
    }
}
