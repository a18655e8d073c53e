//! Principals: people, groups, rooms (RFC 3744 §4, RFC 4791 §6.2.1, RFC 6352 §7.1).

use kontor_dav_proto::{CALDAV, CALENDARSERVER, CARDDAV, DAV, Element, Name};

use super::{
    Resource, card, cs, of_everything, principal_reports, privileges, reports, with_elements, with_href,
    with_hrefs, with_text,
};
use crate::directory;
use crate::home::{INBOX, OUTBOX};
use crate::place::{Place, Tree};
use crate::privilege::Privilege;

/// Somebody who has a principal.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub address: String,
    pub display_name: String,
    /// As the directory says: `user`, `shared`, `group`, `room`, `equipment`.
    pub kind: String,
    /// For whom the viewer, who this is, acts in their calendars, and whether they write too.
    pub acts_for: Vec<(String, bool)>,
    /// All that they have, where who asks is the same person.
    pub addresses: Vec<String>,
}

pub(crate) struct PrincipalResource<'a> {
    pub person: &'a Person,
    /// The address of who asks.
    pub viewer: &'a str,
}

impl PrincipalResource<'_> {
    fn home(&self, tree: Tree) -> String {
        Place::Home(tree, self.person.address.clone()).href()
    }

    fn scheduling(&self, slug: &str) -> String {
        Place::Collection(Tree::Calendars, self.person.address.clone(), slug.to_owned()).href()
    }

    fn is_own(&self) -> bool {
        self.person.address.eq_ignore_ascii_case(self.viewer)
    }
}

/// CUTYPE (RFC 5545 §3.2.3) of a kind of the directory.
pub(crate) fn calendar_user_type(kind: &str) -> &'static str {
    match kind {
        "group" => "GROUP",
        "room" => "ROOM",
        "equipment" => "RESOURCE",
        _ => "INDIVIDUAL",
    }
}

impl Resource for PrincipalResource<'_> {
    fn href(&self) -> String {
        Place::Principal(self.person.address.clone()).href()
    }

    fn property(&self, name: &Name) -> Option<Element> {
        if let Some(found) = of_everything(self.viewer, name) {
            return Some(found);
        }
        let person = self.person;
        let mailto = || format!("mailto:{}", person.address);
        Some(match (name.namespace(), name.local()) {
            (DAV, "resourcetype") => with_elements(name, [Name::dav("collection"), Name::dav("principal")]),
            (DAV, "displayname") if person.display_name.is_empty() => with_text(name, &person.address),
            (DAV, "displayname") => with_text(name, &person.display_name),
            (DAV, "principal-URL" | "owner") => with_href(name, &self.href()),
            (DAV, "alternate-URI-set") => with_href(name, &mailto()),
            (DAV, "group-member-set") => Element::new(name.clone()),
            (DAV, "group-membership") => {
                let groups =
                    person.acts_for.iter().map(|(owner, writes)| Place::Proxy(owner.clone(), *writes).href());
                let groups: Vec<String> = groups.collect();
                with_hrefs(name, groups.iter().map(String::as_str))
            }
            (DAV, "supported-report-set") => reports(name, principal_reports()),
            (DAV, "current-user-privilege-set") => privileges(name, [Privilege::Read]),
            (CALDAV, "calendar-home-set") => with_href(name, &self.home(Tree::Calendars)),
            (CARDDAV, "directory-gateway") if self.is_own() => {
                with_href(name, &directory::place(&person.address).href())
            }
            (CARDDAV, "addressbook-home-set") => with_href(name, &self.home(Tree::AddressBooks)),
            (CALDAV, "calendar-user-address-set") => {
                // The first is the one that clients take (RFC 6638 §2.4.1).
                let others = person.addresses.iter().filter(|other| **other != person.address);
                let others = others.map(|other| format!("mailto:{other}"));
                let all: Vec<String> = [mailto()].into_iter().chain(others).chain([self.href()]).collect();
                with_hrefs(name, all.iter().map(String::as_str))
            }
            (CALDAV, "schedule-inbox-URL") if self.is_own() => with_href(name, &self.scheduling(INBOX)),
            (CALDAV, "schedule-outbox-URL") if self.is_own() => with_href(name, &self.scheduling(OUTBOX)),
            (CALDAV, "calendar-user-type") => with_text(name, calendar_user_type(&person.kind)),
            (CALENDARSERVER, "email-address-set") => {
                let address = Element::new(cs("email-address")).with_text(&person.address);
                Element::new(name.clone()).with(address)
            }
            (CALENDARSERVER, local @ ("calendar-proxy-read-for" | "calendar-proxy-write-for"))
                if self.is_own() =>
            {
                let of_kind =
                    |(_, writes): &&(String, bool)| *writes == (local == "calendar-proxy-write-for");
                let owners = person.acts_for.iter().filter(of_kind);
                let owners: Vec<String> =
                    owners.map(|(owner, _)| Place::Principal(owner.clone()).href()).collect();
                with_hrefs(name, owners.iter().map(String::as_str))
            }
            _ => return None,
        })
    }

    fn common(&self) -> Vec<Name> {
        vec![Name::dav("resourcetype"), Name::dav("displayname")]
    }

    fn further(&self) -> Vec<Name> {
        let dav = ["current-user-principal", "principal-collection-set", "principal-URL", "owner"];
        let more = ["alternate-URI-set", "group-member-set", "group-membership", "supported-report-set"];
        let mut names: Vec<Name> = dav.into_iter().chain(more).map(Name::dav).collect();
        names.push(Name::dav("current-user-privilege-set"));
        names.extend(
            ["calendar-home-set", "calendar-user-address-set", "calendar-user-type"].map(Name::caldav),
        );
        names.extend(["schedule-inbox-URL", "schedule-outbox-URL"].map(Name::caldav));
        names.extend(["addressbook-home-set", "directory-gateway"].map(card));
        names.extend([
            cs("email-address-set"),
            cs("calendar-proxy-read-for"),
            cs("calendar-proxy-write-for"),
        ]);
        names
    }
}
