//! The scheduling outbox (RFC 6638 §2.1): nothing is in it; questions about busy times are sent to it.

use kontor_dav_proto::{CALDAV, DAV, Element, Name};

use super::{Resource, of_everything, privilege_names, with_elements, with_href, with_text};
use crate::home::OUTBOX;
use crate::place::{Place, Tree};

pub(crate) struct OutboxResource<'a> {
    /// The address of its owner, who alone sees it.
    pub owner: &'a str,
}

impl Resource for OutboxResource<'_> {
    fn href(&self) -> String {
        Place::Collection(Tree::Calendars, self.owner.to_owned(), OUTBOX.to_owned()).href()
    }

    fn property(&self, name: &Name) -> Option<Element> {
        if let Some(found) = of_everything(self.owner, name) {
            return Some(found);
        }
        Some(match (name.namespace(), name.local()) {
            (DAV, "resourcetype") => {
                with_elements(name, [Name::dav("collection"), Name::caldav("schedule-outbox")])
            }
            (DAV, "displayname") => with_text(name, "Scheduling Outbox"),
            (DAV, "owner") => with_href(name, &Place::Principal(self.owner.to_owned()).href()),
            (DAV, "current-user-privilege-set") => {
                let may = [
                    "schedule-send",
                    "schedule-send-invite",
                    "schedule-send-reply",
                    "schedule-send-freebusy",
                ];
                privilege_names(name, [Name::dav("read")].into_iter().chain(may.map(Name::caldav)))
            }
            (DAV, "supported-report-set") => Element::new(name.clone()),
            (CALDAV, "supported-calendar-component-set") => {
                let comp = Element::new(Name::caldav("comp"));
                Element::new(name.clone()).with(comp.with_attribute(Name::known("", "name"), "VFREEBUSY"))
            }
            _ => return None,
        })
    }

    fn common(&self) -> Vec<Name> {
        ["resourcetype", "displayname"].map(Name::dav).into()
    }

    fn further(&self) -> Vec<Name> {
        let dav = ["current-user-principal", "owner", "current-user-privilege-set", "supported-report-set"];
        let mut names: Vec<Name> = dav.map(Name::dav).into();
        names.push(Name::caldav("supported-calendar-component-set"));
        names
    }
}
