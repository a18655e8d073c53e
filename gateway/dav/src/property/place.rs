//! Places that only lead to others: the root, the homes.

use kontor_dav_proto::{CALDAV, DAV, Element, Name};

use super::{
    Resource, of_everything, principal_reports, privileges, reports, with_elements, with_href, with_text,
};
use crate::home::Collection;
use crate::place::{Place, Tree};
use crate::privilege::Privilege;

pub(crate) struct PlaceResource<'a> {
    pub place: &'a Place,
    /// The address of who asks.
    pub viewer: &'a str,
    /// Of a home, what is in it.
    pub collections: &'a [Collection],
}

impl PlaceResource<'_> {
    /// Whose home it is.
    fn owner(&self) -> Option<&str> {
        match self.place {
            Place::Home(_, owner) => Some(owner),
            _ => None,
        }
    }
}

impl Resource for PlaceResource<'_> {
    fn href(&self) -> String {
        self.place.href()
    }

    fn property(&self, name: &Name) -> Option<Element> {
        if let Some(found) = of_everything(self.viewer, name) {
            return Some(found);
        }
        if name.is(CALDAV, "calendar-availability") && matches!(self.place, Place::Home(Tree::Calendars, _)) {
            let text = self.collections.first().map(|collection| &*collection.availability);
            return text.filter(|text| !text.is_empty()).map(|text| with_text(name, text));
        }
        // Files are on this host, and had with the same credentials (RFC 8607 §6.1).
        if name.is(CALDAV, "managed-attachments-server-URL")
            && matches!(self.place, Place::Home(Tree::Calendars, _))
        {
            return Some(Element::new(name.clone()));
        }
        if name.namespace() != DAV {
            return None;
        }
        let owner = self.owner();
        let quota = || self.collections.first().and_then(|collection| collection.quota);
        Some(match name.local() {
            "resourcetype" => with_elements(name, [Name::dav("collection")]),
            "displayname" => with_text(name, owner.unwrap_or("Kontor")),
            "owner" => with_href(name, &Place::Principal(owner?.to_owned()).href()),
            "supported-report-set" => reports(name, principal_reports()),
            "current-user-privilege-set"
                if owner.is_some_and(|owner| owner.eq_ignore_ascii_case(self.viewer)) =>
            {
                privileges(name, [Privilege::Read, Privilege::Bind, Privilege::Unbind])
            }
            "current-user-privilege-set" => privileges(name, [Privilege::Read]),
            "quota-used-bytes" => with_text(name, quota()?.used.to_string()),
            "quota-available-bytes" => {
                let quota = quota().filter(|quota| quota.limit > 0)?;
                with_text(name, quota.limit.saturating_sub(quota.used).to_string())
            }
            _ => return None,
        })
    }

    fn common(&self) -> Vec<Name> {
        vec![Name::dav("resourcetype"), Name::dav("displayname")]
    }

    fn further(&self) -> Vec<Name> {
        ["current-user-principal", "principal-collection-set", "owner", "supported-report-set"]
            .into_iter()
            .chain(["current-user-privilege-set", "quota-used-bytes", "quota-available-bytes"])
            .map(Name::dav)
            .collect()
    }
}

/// The homes of somebody.
pub(crate) fn homes(owner: &str) -> [Place; 2] {
    [Tree::Calendars, Tree::AddressBooks].map(|tree| Place::Home(tree, owner.to_owned()))
}

/// The places below one that do not depend on a store.
pub(crate) fn below(place: &Place, viewer: &str) -> Vec<Place> {
    match place {
        Place::Root => {
            vec![Place::Principals, Place::Homes(Tree::Calendars), Place::Homes(Tree::AddressBooks)]
        }
        Place::Homes(tree) => vec![Place::Home(*tree, viewer.to_owned())],
        _ => Vec::new(),
    }
}
