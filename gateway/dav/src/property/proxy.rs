//! Principals that stand for all who act for somebody in their calendars (Apple's calendar-proxy).

use kontor_dav_proto::{DAV, Element, Name};

use super::{
    Resource, cs, of_everything, principal_reports, privileges, reports, with_elements, with_href,
    with_hrefs, with_text,
};
use crate::place::Place;
use crate::privilege::Privilege;

pub(crate) struct ProxyResource<'a> {
    /// Whose calendars they are.
    pub owner: &'a str,
    /// Whether they write too.
    pub writes: bool,
    /// Their addresses, for the owner; nobody else is told.
    pub members: Option<&'a [String]>,
    /// The address of who asks.
    pub viewer: &'a str,
}

impl Resource for ProxyResource<'_> {
    fn href(&self) -> String {
        Place::Proxy(self.owner.to_owned(), self.writes).href()
    }

    fn property(&self, name: &Name) -> Option<Element> {
        if let Some(found) = of_everything(self.viewer, name) {
            return Some(found);
        }
        if name.namespace() != DAV {
            return None;
        }
        let kind = if self.writes { "calendar-proxy-write" } else { "calendar-proxy-read" };
        Some(match name.local() {
            "resourcetype" => {
                with_elements(name, [Name::dav("collection"), Name::dav("principal"), cs(kind)])
            }
            "displayname" => with_text(name, kind),
            "principal-URL" => with_href(name, &self.href()),
            "owner" => with_href(name, &Place::Principal(self.owner.to_owned()).href()),
            "group-member-set" => {
                let hrefs = self.members?.iter().map(|member| Place::Principal(member.clone()).href());
                let hrefs: Vec<String> = hrefs.collect();
                with_hrefs(name, hrefs.iter().map(String::as_str))
            }
            "group-membership" | "alternate-URI-set" => Element::new(name.clone()),
            "supported-report-set" => reports(name, principal_reports()),
            "current-user-privilege-set" if self.members.is_some() => {
                privileges(name, [Privilege::Read, Privilege::WriteProperties])
            }
            "current-user-privilege-set" => privileges(name, [Privilege::Read]),
            _ => return None,
        })
    }

    fn common(&self) -> Vec<Name> {
        vec![Name::dav("resourcetype"), Name::dav("displayname")]
    }

    fn further(&self) -> Vec<Name> {
        ["current-user-principal", "principal-collection-set", "principal-URL", "owner", "group-member-set"]
            .into_iter()
            .chain(["group-membership", "supported-report-set", "current-user-privilege-set"])
            .map(Name::dav)
            .collect()
    }
}
