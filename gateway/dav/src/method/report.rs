//! REPORT (RFC 3253 §3.6): which report it is, and whether the resource answers it.

use kontor_dav_proto::Precondition;
use kontor_dav_proto::header::Depth;
use kontor_dav_proto::request::Report;

use super::{free_busy, query, search, sync};
use crate::answer::{Answer, Failure};
use crate::call::Call;
use crate::home::Collection;
use crate::place::{Place, Tree};

pub(crate) async fn report(call: &Call<'_>, place: &Place) -> Result<Answer, Failure> {
    match Report::parse(&call.body, call.limits)? {
        Report::CalendarQuery(asked) => {
            query::calendar_query(call, collection(call, place, Tree::Calendars).await?, asked).await
        }
        Report::CalendarMultiget(asked) => {
            let collection = collection(call, place, Tree::Calendars).await?;
            let wanted = query::wanted(call, asked.properties, asked.data, None)?;
            query::multiget(call, collection, wanted, &asked.hrefs).await
        }
        Report::FreeBusyQuery(asked) => free_busy::free_busy(call, place, asked).await,
        Report::AddressbookQuery(asked) => {
            query::addressbook_query(call, collection(call, place, Tree::AddressBooks).await?, asked).await
        }
        Report::AddressbookMultiget(asked) => {
            let collection = collection(call, place, Tree::AddressBooks).await?;
            let wanted = query::wanted(call, asked.properties, None, asked.data)?;
            query::multiget(call, collection, wanted, &asked.hrefs).await
        }
        Report::SyncCollection(asked) => {
            let Place::Collection(tree, ..) = place else { return Err(NOT_HERE) };
            // RFC 6578 §3.2: Depth is 0; older clients mean the level by it.
            call.depth(Depth::Zero)?;
            sync::sync_collection(call, collection(call, place, *tree).await?, asked).await
        }
        Report::ExpandProperty(asked) => search::expand_property(call, place, &asked).await,
        Report::AclPrincipalPropSet(asked) => search::acl_principal_prop_set(call, place, &asked).await,
        Report::PrincipalMatch(asked) => search::principal_match(call, place, asked).await,
        Report::PrincipalPropertySearch(asked) => search::principal_property_search(call, asked).await,
        Report::PrincipalSearchPropertySet => Ok(search::search_property_set()),
        Report::CalendarServerPrincipalSearch(asked) => search::calendarserver_search(call, asked).await,
    }
}

async fn collection(call: &Call<'_>, place: &Place, wanted: Tree) -> Result<Collection, Failure> {
    match place {
        Place::Collection(tree, address, slug) if *tree == wanted => {
            call.collection(*tree, address, slug).await
        }
        _ => Err(NOT_HERE),
    }
}

pub(super) const NOT_HERE: Failure = Failure::Protocol(kontor_dav_proto::Error::Precondition(
    Precondition::SupportedReport,
    "this resource does not answer that report",
));
