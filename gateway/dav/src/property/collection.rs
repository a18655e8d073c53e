//! Calendars and address books (RFC 4791 §5.2, RFC 6352 §6.2).

use kontor_dav_proto::{CALDAV, CALENDARSERVER, CARDDAV, DAV, Element, Name};
use kontor_storage_client::proto::Rights;

use super::access::{self, Permissions};
use super::item::http_date;
use super::{
    Resource, card, cs, of_everything, principal_reports, privilege_names, privileges, reports,
    with_elements, with_href, with_text,
};
use crate::derived::Source;
use crate::home::{Collection, Holds};
use crate::kept::KONTOR;
use crate::lock::supported_lock;
use crate::method::attachment::MOST_OF_RESOURCE;
use crate::method::lock::now;
use crate::place::{Place, Tree};
use crate::privilege::{Privilege, held};

pub(crate) struct CollectionResource<'a> {
    pub collection: &'a Collection,
    /// The address of who asks.
    pub viewer: &'a str,
    /// Largest object that it takes, octets.
    pub max_item: u64,
    /// Where they were asked for.
    pub permissions: Permissions,
    /// Largest file that is kept beside an object, octets.
    pub max_attachment: u64,
}

impl CollectionResource<'_> {
    fn is_cards(&self) -> bool {
        self.collection.holds == Holds::Cards
    }

    fn privileges(&self, name: &Name) -> Element {
        let rights = self.collection.folder.rights;
        if self.collection.holds == Holds::Inbox && self.collection.may(Rights::Owner) {
            let privileges =
                held(rights).filter(|privilege| [Privilege::Read, Privilege::Unbind].contains(privilege));
            let scheduling = ["schedule-deliver", "schedule-query-freebusy"].map(Name::caldav);
            let names = privileges.map(Privilege::name).chain(scheduling);
            return privilege_names(name, names);
        }
        privileges(name, held(rights))
    }

    fn reports(&self) -> Vec<Name> {
        let mut found: Vec<Name> =
            self.collection.sync_token().map(|_| Name::dav("sync-collection")).into_iter().collect();
        if self.is_cards() {
            found.extend([card("addressbook-query"), card("addressbook-multiget")]);
        } else {
            found.extend(["calendar-query", "calendar-multiget", "free-busy-query"].map(Name::caldav));
        }
        found.extend(principal_reports());
        found.push(Name::dav("acl-principal-prop-set"));
        found
    }

    /// The live properties that are of calendars or of address books alone.
    fn of_kind(&self, name: &Name) -> Option<Element> {
        let collection = self.collection;
        let octets = || with_text(name, self.max_item.to_string());
        let collations = |of: fn(&'static str) -> Name| {
            let each = ["i;ascii-casemap", "i;octet", "i;unicode-casemap"];
            let each = each.map(|id| Element::new(of("supported-collation")).with_text(id));
            Element::new(name.clone()).with_all(each)
        };
        Some(match (self.is_cards(), name.namespace(), name.local()) {
            (false, CALDAV, "supported-calendar-component-set") => {
                let comps = collection.components().into_iter().map(|component| {
                    Element::new(Name::caldav("comp")).with_attribute(attribute("name"), component)
                });
                Element::new(name.clone()).with_all(comps)
            }
            (false, CALDAV, "supported-calendar-data") => {
                Element::new(name.clone()).with(data(Name::caldav("calendar-data"), "text/calendar", "2.0"))
            }
            (false, CALDAV, "max-attachment-size") => with_text(name, self.max_attachment.to_string()),
            (false, CALDAV, "max-attachments-per-resource") => with_text(name, MOST_OF_RESOURCE.to_string()),
            (false, CALDAV, "max-resource-size") | (true, CARDDAV, "max-resource-size") => octets(),
            (false, CALDAV, "supported-collation-set") => collations(Name::caldav),
            (true, CARDDAV, "supported-collation-set") => collations(Name::carddav),
            (true, CARDDAV, "supported-address-data") => {
                let versions = ["3.0", "4.0"];
                let versions = versions.map(|version| data(card("address-data-type"), "text/vcard", version));
                Element::new(name.clone()).with_all(versions)
            }
            (false, CALENDARSERVER, "source") if collection.may(Rights::Owner) => {
                collection.kept.get(name)?.clone()
            }
            (false, KONTOR, "subscription-error") if collection.may(Rights::Owner) => {
                with_text(name, Some(collection.subscription()?.error()).filter(|error| !error.is_empty())?)
            }
            (false, KONTOR, "subscription-fetched") => {
                with_text(name, http_date(collection.subscription()?.fetched()?))
            }
            _ => return None,
        })
    }
}

impl Resource for CollectionResource<'_> {
    fn href(&self) -> String {
        self.collection.place().href()
    }

    fn property(&self, name: &Name) -> Option<Element> {
        if let Some(found) = of_everything(self.viewer, name) {
            return Some(found);
        }
        let collection = self.collection;
        let kind = match collection.holds {
            Holds::Cards => card("addressbook"),
            Holds::Inbox => Name::caldav("schedule-inbox"),
            _ => Name::caldav("calendar"),
        };
        let quota = || collection.quota.filter(|quota| quota.limit > 0);
        Some(match (name.namespace(), name.local()) {
            (DAV, "resourcetype") => {
                let is_directory = matches!(collection.source, Source::Directory);
                let directory = is_directory.then(|| card("directory"));
                let subscribed = collection.subscription().map(|_| cs("subscribed"));
                let kinds = [Name::dav("collection"), kind].into_iter();
                let kinds = kinds.chain(directory).chain(subscribed).chain(access::shared_type(collection));
                with_elements(name, kinds)
            }
            (DAV, "displayname") => with_text(name, collection.display_name()),
            (DAV, "acl") => access::acl(name, collection, &self.permissions.as_ref()?.permissions),
            (DAV, "supported-privilege-set" | "acl-restrictions" | "inherited-acl-set") => {
                access::of_all(name, None)?
            }
            (CALENDARSERVER, "invite") => access::invite(name, collection, self.viewer, &self.permissions),
            (CALENDARSERVER, "allowed-sharing-modes" | "shared-url") => access::sharing(name, collection)?,
            (CALDAV, "schedule-default-calendar-URL") if collection.holds == Holds::Inbox => {
                with_href(name, &default_calendar(&collection.owner))
            }
            (DAV, "owner") => with_href(name, &Place::Principal(collection.owner.clone()).href()),
            (DAV, "sync-token") => with_text(name, collection.sync_token()?),
            (CALENDARSERVER, "getctag") => with_text(name, collection.sync_token()?),
            (DAV, "getetag") if matches!(collection.source, Source::Folder) => {
                with_text(name, format!("\"{}\"", collection.folder.highest_cn))
            }
            (DAV, "current-user-privilege-set") => self.privileges(name),
            (DAV, "supported-report-set") => reports(name, self.reports()),
            // Apple's clients look for it here, RFC 7953 §7.2.4 has it here too.
            (CALDAV, "calendar-availability") if collection.holds == Holds::Inbox => {
                Some(&*collection.availability)
                    .filter(|text| !text.is_empty())
                    .map(|text| with_text(name, text))?
            }
            (DAV, "add-member") => with_href(name, &format!("{}?add-member", self.href())),
            (DAV, "lockdiscovery") => collection.lock_discovery(collection.locks_of(""), now()),
            (DAV, "supportedlock") => supported_lock(),
            (DAV, "quota-used-bytes") => with_text(name, collection.quota?.used.to_string()),
            (DAV, "quota-available-bytes") => {
                let quota = quota()?;
                with_text(name, quota.limit.saturating_sub(quota.used).to_string())
            }
            (CALDAV, "schedule-calendar-transp") if self.is_cards() => return None,
            (CALDAV, "schedule-calendar-transp") => {
                // What is shared with somebody makes its owner busy, and not them.
                let is_transparent = collection.folder.transparent || collection.guest.is_some();
                let transparent = if is_transparent { "transparent" } else { "opaque" };
                with_elements(name, [Name::caldav(transparent)])
            }
            _ if is_protected(name) => self.of_kind(name)?,
            _ => collection.kept.value(name).or_else(|| self.of_kind(name))?,
        })
    }

    fn common(&self) -> Vec<Name> {
        let mut names: Vec<Name> =
            ["resourcetype", "displayname", "getetag", "lockdiscovery", "supportedlock"]
                .map(Name::dav)
                .into();
        names.extend(self.collection.kept.names().filter(|name| !is_protected(name)).cloned());
        names
    }

    fn further(&self) -> Vec<Name> {
        let dav = ["current-user-principal", "principal-collection-set", "owner", "sync-token"];
        let more = ["add-member", "current-user-privilege-set", "supported-report-set", "quota-used-bytes"];
        let mut names: Vec<Name> = dav.into_iter().chain(more).map(Name::dav).collect();
        names.push(Name::dav("quota-available-bytes"));
        names.extend(
            ["acl", "supported-privilege-set", "acl-restrictions", "inherited-acl-set"].map(Name::dav),
        );
        names.extend(["getctag", "invite", "allowed-sharing-modes", "shared-url"].map(cs));
        if self.is_cards() {
            names
                .extend(["supported-address-data", "max-resource-size", "supported-collation-set"].map(card));
        } else {
            names.extend(
                ["supported-calendar-component-set", "supported-calendar-data", "max-resource-size"]
                    .map(Name::caldav),
            );
            names.extend(["max-attachment-size", "max-attachments-per-resource"].map(Name::caldav));
            names.push(Name::caldav("supported-collation-set"));
            names.push(cs("source"));
            names.extend(
                ["subscription-error", "subscription-fetched"].map(|local| Name::known(KONTOR, local)),
            );
        }
        names
    }
}

/// By which request a property is given its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MadeBy {
    /// PROPPATCH
    Patch,
    /// MKCOL or MKCALENDAR, which may say what is fixed afterwards (RFC 4791 §5.2.3).
    Making,
}

/// Whether a property of a collection is ours to say.
pub(crate) fn is_protected(name: &Name) -> bool {
    match name.namespace() {
        DAV => name.local() != "displayname",
        CALDAV => {
            let settable = ["calendar-description", "calendar-timezone", "calendar-timezone-id"];
            !settable.contains(&name.local()) && name.local() != "schedule-calendar-transp"
        }
        CARDDAV => name.local() != "addressbook-description",
        CALENDARSERVER => {
            ["getctag", "source", "invite", "allowed-sharing-modes", "shared-url"].contains(&name.local())
        }
        KONTOR => true,
        _ => false,
    }
}

impl MadeBy {
    /// Whether such a request may not set a property.
    pub fn refuses(self, name: &Name) -> bool {
        let is_fixed_later =
            name.is(CALDAV, "supported-calendar-component-set") || name.is(CALENDARSERVER, "source");
        is_protected(name) && !(self == Self::Making && is_fixed_later)
    }
}

/// Where invitations are put (RFC 6638 §9.2): the calendar that every mailbox has.
fn default_calendar(owner: &str) -> String {
    Place::Collection(Tree::Calendars, owner.to_owned(), "calendar".to_owned()).href()
}

fn data(name: Name, content_type: &str, version: &str) -> Element {
    Element::new(name)
        .with_attribute(attribute("content-type"), content_type)
        .with_attribute(attribute("version"), version)
}

const fn attribute(local: &'static str) -> Name {
    Name::known("", local)
}
