//! Objects in collections.

use kontor_dav_proto::request::{AddressData, CalendarData, PropFind, Selected};
use kontor_dav_proto::{CALDAV, CARDDAV, DAV, Element, Name};
use kontor_model::time_zone::{TimeZone, clock, without_known_zones};
use kontor_storage_client::proto::{Item, Rights};

use super::access;
use super::{Resource, of_everything, privileges, with_href, with_text};
use crate::home::{Collection, Holds};
use crate::item::{calendar, card, length, tag, text};
use crate::lock::supported_lock;
use crate::method::lock::now;
use crate::place::Place;
use crate::privilege::Privilege;
use crate::scheduling::schedule_tag_of;

/// What of items is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub properties: PropFind,
    pub calendar_data: Option<CalendarData>,
    pub address_data: Option<AddressData>,
    pub minimal: bool,
    /// Without the zones that everybody knows.
    pub without_zones: bool,
}

impl Wanted {
    /// Whether the objects themselves are needed.
    pub fn needs_body(&self) -> bool {
        self.properties.lists(&Name::caldav("calendar-data"))
            || self.properties.lists(&Name::carddav("address-data"))
            || self.properties.lists(&Name::caldav("schedule-tag"))
    }
}

pub(crate) struct ItemResource<'a> {
    pub collection: &'a Collection,
    pub item: &'a Item,
    /// The address of who asks.
    pub viewer: &'a str,
    pub calendar_data: Option<&'a CalendarData>,
    pub address_data: Option<&'a AddressData>,
    /// Without the zones that everybody knows.
    pub without_zones: bool,
    /// The zone of floating times.
    pub floating: &'a TimeZone,
}

impl ItemResource<'_> {
    fn name(&self) -> &str {
        self.item.facts.as_ref().map_or("", |facts| &facts.name)
    }

    /// The object, or what of it is wanted. An object of which too much would be made is given as it is.
    fn data(&self) -> Option<String> {
        let text = text(self.item)?;
        let whole = || String::from_utf8_lossy(&text).into_owned();
        if self.collection.holds == Holds::Cards {
            let is_whole = |data: &AddressData| data.version.is_none() && data.properties == Selected::All;
            let wanted = self.address_data.filter(|data| !is_whole(data));
            // Without a version the one that is stored is given: who asks for none takes any.
            let selected = wanted.and_then(|data| Some(data.select(&card(&text)?).to_text()));
            return Some(selected.unwrap_or_else(whole));
        }
        let wanted = self.calendar_data.filter(|data| !data.is_whole());
        let selected = wanted.and_then(|data| data.select(&calendar(&text)?, self.floating).ok());
        let data = selected.map_or_else(whole, |selected| selected.to_string());
        Some(if self.without_zones { without_known_zones(&data).into_owned() } else { data })
    }
}

impl Resource for ItemResource<'_> {
    fn href(&self) -> String {
        self.collection.item_place(self.name()).href()
    }

    fn property(&self, name: &Name) -> Option<Element> {
        if let Some(found) = of_everything(self.viewer, name) {
            return Some(found);
        }
        let is_cards = self.collection.holds == Holds::Cards;
        Some(match (name.namespace(), name.local()) {
            (DAV, "getetag") => with_text(name, format!("\"{}\"", tag(&self.item.content_id))),
            (DAV, "getcontenttype") => with_text(name, content_type(self.collection)),
            (DAV, "getcontentlength") => with_text(name, length(self.item).to_string()),
            (DAV, "resourcetype") => Element::new(name.clone()),
            (DAV, "displayname") => with_text(name, self.name()),
            (DAV, "getlastmodified") => with_text(name, http_date(self.item.created_at)),
            (DAV, "creationdate") => with_text(name, format!("{}Z", clock(self.item.created_at))),
            (DAV, "lockdiscovery") => {
                self.collection.lock_discovery(self.collection.locks_of(self.name()), now())
            }
            (DAV, "supportedlock") => supported_lock(),
            (DAV, "owner") => with_href(name, &Place::Principal(self.collection.owner.clone()).href()),
            (DAV, "current-user-privilege-set") => {
                let may = |right| self.collection.may(right);
                let read = may(Rights::Read).then_some(Privilege::Read);
                let write = may(Rights::Edit).then_some(Privilege::WriteContent);
                privileges(name, read.into_iter().chain(write))
            }
            (DAV, "supported-privilege-set" | "acl-restrictions" | "inherited-acl-set") => {
                access::of_all(name, Some(&self.collection.place().href()))?
            }
            (CALDAV, "schedule-tag") if !is_cards && self.collection.holds != Holds::Inbox => {
                let tag = schedule_tag_of(&text(self.item)?, &self.collection.owner)?;
                with_text(name, format!("\"{tag}\""))
            }
            (CALDAV, "calendar-data") if !is_cards => with_text(name, self.data()?),
            (CARDDAV, "address-data") if is_cards => with_text(name, self.data()?),
            _ => return None,
        })
    }

    fn common(&self) -> Vec<Name> {
        ["getetag", "getcontenttype", "getcontentlength", "resourcetype", "displayname"]
            .into_iter()
            .chain(["getlastmodified", "creationdate", "lockdiscovery", "supportedlock"])
            .map(Name::dav)
            .collect()
    }

    fn further(&self) -> Vec<Name> {
        ["current-user-principal", "owner", "current-user-privilege-set", "supported-privilege-set"]
            .into_iter()
            .chain(["acl-restrictions", "inherited-acl-set"])
            .map(Name::dav)
            .collect()
    }
}

/// The media type of a collection's items; with the component where there is only one.
pub(crate) fn content_type(collection: &Collection) -> String {
    if collection.holds == Holds::Cards {
        return "text/vcard; charset=utf-8".to_owned();
    }
    let components = collection.components();
    match components.as_slice() {
        [only] => format!("text/calendar; charset=utf-8; component={}", only.to_ascii_lowercase()),
        _ => "text/calendar; charset=utf-8".to_owned(),
    }
}

/// RFC 9110 §5.6.7
pub(crate) fn http_date(unix: i64) -> String {
    let moment = clock(unix);
    let day = usize::try_from(unix.div_euclid(86_400).rem_euclid(7)).unwrap_or_default();
    let month = usize::try_from(moment.month() - 1).unwrap_or_default();
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        DAYS.get(day).unwrap_or(&""),
        moment.day(),
        MONTHS.get(month).unwrap_or(&""),
        moment.year(),
        moment.hour(),
        moment.minute(),
        moment.second()
    )
}

/// From the day that 1970 began with.
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::http_date;

    #[test]
    fn dates_of_http() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
