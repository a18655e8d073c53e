//! REPORT (RFC 3253 §3.6).

use super::{
    AddressbookMultiget, AddressbookQuery, CalendarMultiget, CalendarQuery, CalendarServerPrincipalSearch,
    ExpandProperty, FreeBusyQuery, PrincipalMatch, PrincipalPropertySearch, PropFind, SyncCollection, root,
};
use crate::{CALDAV, CALENDARSERVER, CARDDAV, DAV, Error, Limits, Name, Precondition};

/// A report that is asked for.
#[derive(Clone, Debug)]
pub enum Report {
    /// RFC 4791 §7.8
    CalendarQuery(CalendarQuery),
    /// RFC 4791 §7.9
    CalendarMultiget(CalendarMultiget),
    /// RFC 4791 §7.10
    FreeBusyQuery(FreeBusyQuery),
    /// RFC 6352 §8.6
    AddressbookQuery(AddressbookQuery),
    /// RFC 6352 §8.7
    AddressbookMultiget(AddressbookMultiget),
    /// RFC 6578 §3.2
    SyncCollection(SyncCollection),
    /// RFC 3253 §3.8
    ExpandProperty(Vec<ExpandProperty>),
    /// RFC 3744 §9.2: the properties that are wanted of the principals in the ACL of the resource.
    AclPrincipalPropSet(PropFind),
    /// RFC 3744 §9.3
    PrincipalMatch(PrincipalMatch),
    /// RFC 3744 §9.4
    PrincipalPropertySearch(PrincipalPropertySearch),
    /// RFC 3744 §9.5: which properties can be searched.
    PrincipalSearchPropertySet,
    /// Of Apple's calendar server.
    CalendarServerPrincipalSearch(CalendarServerPrincipalSearch),
}

impl Report {
    /// Reads a body. A report that is not known fails `DAV:supported-report`.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, Error> {
        let root = root(body, limits)?.ok_or(Error::Syntax("REPORT needs a body"))?;
        let (namespace, local) = (root.name.namespace(), root.name.local());
        Ok(match (namespace, local) {
            (CALDAV, "calendar-query") => Self::CalendarQuery(CalendarQuery::of(&root, limits)?),
            (CALDAV, "calendar-multiget") => Self::CalendarMultiget(CalendarMultiget::of(&root, limits)?),
            (CALDAV, "free-busy-query") => Self::FreeBusyQuery(FreeBusyQuery::of(&root)?),
            (CARDDAV, "addressbook-query") => Self::AddressbookQuery(AddressbookQuery::of(&root, limits)?),
            (CARDDAV, "addressbook-multiget") => {
                Self::AddressbookMultiget(AddressbookMultiget::of(&root, limits)?)
            }
            (DAV, "sync-collection") => Self::SyncCollection(SyncCollection::of(&root, limits)?),
            (DAV, "expand-property") => Self::ExpandProperty(ExpandProperty::list(&root, limits)?),
            (DAV, "acl-principal-prop-set") => Self::AclPrincipalPropSet(PropFind::of_report(&root, limits)?),
            (DAV, "principal-match") => Self::PrincipalMatch(PrincipalMatch::of(&root, limits)?),
            (DAV, "principal-property-search") => {
                Self::PrincipalPropertySearch(PrincipalPropertySearch::of(&root, limits)?)
            }
            (DAV, "principal-search-property-set") => Self::PrincipalSearchPropertySet,
            (CALENDARSERVER, "calendarserver-principal-search") => {
                Self::CalendarServerPrincipalSearch(CalendarServerPrincipalSearch::of(&root, limits)?)
            }
            _ => return Err(Error::Precondition(Precondition::SupportedReport, "this report is not known")),
        })
    }

    /// The name of its element, as in `DAV:supported-report-set`.
    pub const fn name(&self) -> Name {
        match self {
            Self::CalendarQuery(_) => Name::caldav("calendar-query"),
            Self::CalendarMultiget(_) => Name::caldav("calendar-multiget"),
            Self::FreeBusyQuery(_) => Name::caldav("free-busy-query"),
            Self::AddressbookQuery(_) => Name::carddav("addressbook-query"),
            Self::AddressbookMultiget(_) => Name::carddav("addressbook-multiget"),
            Self::SyncCollection(_) => Name::dav("sync-collection"),
            Self::ExpandProperty(_) => Name::dav("expand-property"),
            Self::AclPrincipalPropSet(_) => Name::dav("acl-principal-prop-set"),
            Self::PrincipalMatch(_) => Name::dav("principal-match"),
            Self::PrincipalPropertySearch(_) => Name::dav("principal-property-search"),
            Self::PrincipalSearchPropertySet => Name::dav("principal-search-property-set"),
            Self::CalendarServerPrincipalSearch(_) => Name::calendarserver("calendarserver-principal-search"),
        }
    }
}
