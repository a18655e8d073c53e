//! free-busy-query (RFC 4791 §7.10), for who may read the calendar and for who may know no more than this.

use std::ops::Range;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use kontor_dav_proto::request::FreeBusyQuery;
use kontor_model::free_busy::{Busy, busy_times, merged, to_component};
use kontor_model::icalendar::{CalendarObject, Component, Property};
use kontor_model::recurrence::Limits;
use kontor_model::time_zone::CalendarZones;
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::person_busy::Status;
use kontor_storage_client::proto::{
    Folder, FreeBusyRequest, ItemsRequest, PersonBusy, Rights, TimeRange as Window,
};

use crate::answer::{Answer, Failure, document, put};
use crate::call::Call;
use crate::home::{Collection, slug_of};
use crate::item::{calendar, text};
use crate::place::{Place, Tree};

pub(super) async fn free_busy(
    call: &Call<'_>,
    place: &Place,
    asked: FreeBusyQuery,
) -> Result<Answer, Failure> {
    let Place::Collection(Tree::Calendars, address, slug) = place else {
        return Err(super::report::NOT_HERE);
    };
    let (Some(start), Some(end)) = (asked.range.start, asked.range.end) else {
        return Err(Failure::Status(StatusCode::BAD_REQUEST, "a free-busy-query needs a start and an end"));
    };
    let window = start..end;
    let times = match call.collection(Tree::Calendars, address, slug).await {
        Ok(collection) if collection.may(Rights::Read) => read(call, &collection, &window).await?,
        Err(failure) if failure.status() != StatusCode::NOT_FOUND => return Err(failure),
        _ => known(call, address, slug, &window).await?,
    };
    let mut calendar = Component::new("VCALENDAR");
    calendar.push(Property::new("VERSION", "2.0"));
    calendar.push(Property::new("PRODID", "-//Kontor//DAV//EN"));
    calendar.components.push(to_component(&times, &window));
    let mut answer = document(StatusCode::OK, "text/calendar; charset=utf-8", calendar.to_string());
    put(&mut answer, CONTENT_TYPE, "text/calendar; charset=utf-8; component=vfreebusy");
    Ok(answer)
}

/// By the items themselves.
async fn read(
    call: &Call<'_>,
    collection: &Collection,
    window: &Range<i64>,
) -> Result<Vec<(Range<i64>, Busy)>, Failure> {
    let request = ItemsRequest {
        window: Some(Window { from: Some(window.start), until: Some(window.end) }),
        body: true,
        ..ItemsRequest::default()
    };
    let mut items = call.items(collection, request).await?;
    let floating = collection.time_zone();
    let mut times = Vec::new();
    while let Some(chunk) = items.message().await? {
        let (floating, owner, window) = (floating.clone(), collection.owner.clone(), window.clone());
        let found = tokio::task::spawn_blocking(move || {
            let mut found = Vec::new();
            for calendar in chunk.items.iter().filter_map(|item| calendar(&text(item)?)) {
                let zones = CalendarZones::of(&calendar, floating.clone());
                if let Ok(object) = CalendarObject::check(&calendar) {
                    found.extend(
                        busy_times(&object, &zones, window.clone(), &owner, Limits::default())
                            .unwrap_or_default(),
                    );
                }
            }
            found
        });
        times.extend(found.await.map_err(|error| StoreError::Internal(error.to_string()))?);
    }
    Ok(merged(times))
}

/// By what the store tells, to who may know the times and nothing else. Where nothing may be known, nothing is there.
async fn known(
    call: &Call<'_>,
    address: &str,
    slug: &str,
    window: &Range<i64>,
) -> Result<Vec<(Range<i64>, Busy)>, Failure> {
    let request = FreeBusyRequest {
        addresses: vec![address.to_owned()],
        start: window.start,
        end: window.end,
        ..FreeBusyRequest::default()
    };
    // Which calendars there are does not depend on the window.
    let any = FreeBusyRequest { end: window.start.saturating_add(1), calendars: true, ..request.clone() };
    let person = one(call.session.free_busy(any).await?)?;
    let is_meant = |folder: &&Folder| slug_of(folder) == slug;
    let folder_id = person.calendars.iter().find(is_meant).ok_or_else(Failure::not_found)?.folder_id;
    let person = one(call.session.free_busy(FreeBusyRequest { folder_id, ..request }).await?)?;
    let times = person.times.iter().filter_map(|time| {
        let busy = u8::try_from(time.kind).ok().and_then(Busy::from_code)?;
        Some((time.start..time.end, busy))
    });
    Ok(times.collect())
}

fn one(people: Vec<PersonBusy>) -> Result<PersonBusy, Failure> {
    let known = people.into_iter().next().filter(|person| person.status() == Status::Known);
    known.ok_or_else(Failure::not_found)
}
