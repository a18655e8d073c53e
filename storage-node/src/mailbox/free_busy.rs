//! When people are busy (RFC 4791 §7.10, MS-OXOCAL 2.2.1.2): from the items of their calendars to times.
//!
//! What counts are the calendars (IPF.Appointment) that are neither transparent nor in the trash. An item that recurs so
//! often that it cannot be expanded makes its owner busy for as long as it goes on: better that somebody asks than that
//! they meet nobody. What is no calendar object says nothing, and is logged.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::try_join_all;
use kontor_model::FolderRole;
use kontor_model::free_busy::{Busy, busy_times, merged};
use kontor_model::icalendar::{self, CalendarObject, Component};
use kontor_model::recurrence::Limits;
use kontor_model::time_zone::{CalendarZones, TimeZone};
use kontor_storage_proto as proto;
use proto::Rights;
use proto::person_busy::Status;
use uuid::Uuid;

use super::Mailboxes;
use super::state::wire_u32;
use crate::address::Address;
use crate::error::{Error, bigint, unsigned};
use crate::token::Principal;

/// Times without overlaps, in order.
pub(crate) type BusyTimes = Vec<(Range<i64>, Busy)>;

/// A folder of appointments.
struct Calendar {
    folder_id: u64,
    transparent: bool,
    role: i16,
    slug: Option<String>,
    zone: TimeZone,
}

/// An item that may have an instance in the window.
struct Candidate {
    content_id: Uuid,
    /// Between which moments all of its instances are.
    span: Range<i64>,
}

impl Mailboxes {
    /// When people are busy, as far as somebody may know.
    pub async fn free_busy(
        &self,
        who: &Principal,
        request: &proto::FreeBusyRequest,
    ) -> Result<proto::FreeBusyResponse, Error> {
        if request.addresses.len() > MOST_PEOPLE {
            return Err(Error::Invalid(format!("at most {MOST_PEOPLE} people in one question")));
        }
        let window = request.start..request.end;
        check(&window)?;
        let mailboxes = self.mailboxes_of(who.tenant_id, &request.addresses).await?;
        let mut people = Vec::with_capacity(request.addresses.len());
        for some in request.addresses.chunks(AT_ONCE) {
            let some = some.iter().map(|address| {
                let mailbox = mailboxes.get(&address.to_lowercase()).copied();
                self.person_busy(who, mailbox, &window, request)
            });
            people.extend(try_join_all(some).await?);
        }
        Ok(proto::FreeBusyResponse { people })
    }

    /// When the owner of a mailbox is busy, whoever asks: for the house itself. `ignore_uid` is an item that does not
    /// count.
    pub(crate) async fn busy_times(
        &self,
        mailbox: u64,
        window: Range<i64>,
        ignore_uid: &str,
    ) -> Result<BusyTimes, Error> {
        check(&window)?;
        let mut calendars = self.calendars(mailbox).await?;
        calendars.retain(|calendar| !calendar.transparent);
        let times = self.busy_by(mailbox, &calendars, &window, ignore_uid).await?;
        self.with_unavailable(mailbox, &calendars, &window, times).await
    }

    /// With the times at which the owner is not to be met at all.
    async fn with_unavailable(
        &self,
        mailbox: u64,
        calendars: &[Calendar],
        window: &Range<i64>,
        mut times: BusyTimes,
    ) -> Result<BusyTimes, Error> {
        let zone = calendars.first().map_or_else(TimeZone::utc, |calendar| calendar.zone.clone());
        let more = self.unavailable(mailbox, zone, window).await?;
        if more.is_empty() {
            return Ok(times);
        }
        times.extend(more);
        Ok(bounded(merged(times)))
    }

    async fn person_busy(
        &self,
        who: &Principal,
        mailbox: Option<u64>,
        window: &Range<i64>,
        request: &proto::FreeBusyRequest,
    ) -> Result<proto::PersonBusy, Error> {
        let unknown = proto::PersonBusy { status: Status::Unknown.into(), ..Default::default() };
        let Some(mailbox) = mailbox else { return Ok(unknown) };
        let mut calendars = Vec::new();
        for calendar in self.calendars(mailbox).await? {
            let rights = self.access.rights(who, mailbox, calendar.folder_id).await?;
            let is_asked = request.folder_id == 0 || request.folder_id == calendar.folder_id;
            if is_asked && rights & (Rights::FreeBusy as u32 | Rights::Read as u32) != 0 {
                calendars.push(calendar);
            }
        }
        if calendars.is_empty() {
            return Ok(unknown);
        }
        let told = calendars.iter().filter(|_| request.calendars).map(|calendar| proto::Folder {
            folder_id: calendar.folder_id,
            role: u32::try_from(calendar.role).unwrap_or(0),
            slug: calendar.slug.clone().unwrap_or_default(),
            ..Default::default()
        });
        let told = told.collect();
        calendars.retain(|calendar| !calendar.transparent || request.folder_id != 0);
        let mut times = self.busy_by(mailbox, &calendars, window, &request.ignore_uid).await?;
        if request.folder_id == 0 {
            times = self.with_unavailable(mailbox, &calendars, window, times).await?;
        }
        let times = times.into_iter().map(|(time, busy)| proto::BusyTime {
            start: time.start,
            end: time.end,
            kind: busy.code().into(),
        });
        Ok(proto::PersonBusy { status: Status::Known.into(), times: times.collect(), calendars: told })
    }

    /// Mailboxes of a tenant by those of their addresses that were asked for, in lower case.
    async fn mailboxes_of(&self, tenant: u64, addresses: &[String]) -> Result<HashMap<String, u64>, Error> {
        let parsed = addresses.iter().map(|address| (address.to_lowercase(), Address::parse(address)));
        let asked: HashMap<String, String> =
            parsed.filter_map(|(asked, parsed)| Some((asked, parsed.ok()?.to_string()))).collect();
        let canonical: Vec<&String> = asked.values().collect();
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT q.address, a.mailbox_id FROM unnest($1::text[]) AS q (address)
                 LEFT JOIN domain d ON d.name = split_part(q.address, '@', 2) AND d.tenant_id = $2
                 JOIN address n ON n.tenant_id = $2 AND n.address = CASE WHEN coalesce(d.alias_of, '') = '' THEN q.address
                     ELSE split_part(q.address, '@', 1) || '@' || d.alias_of END
                 JOIN account a USING (account_id) JOIN mailbox m USING (mailbox_id)
                 WHERE m.tenant_id = $2 AND m.deleted_at IS NULL",
            )
            .await?;
        let rows = client.query(&statement, &[&canonical, &bigint(tenant)]).await?;
        let found: HashMap<String, u64> = rows.iter().map(|row| (row.get(0), unsigned(row.get(1)))).collect();
        Ok(asked.into_iter().filter_map(|(asked, of)| Some((asked, *found.get(&of)?))).collect())
    }

    /// The calendars of a mailbox, without those in the trash.
    async fn calendars(&self, mailbox: u64) -> Result<Vec<Calendar>, Error> {
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "WITH RECURSIVE tree AS (
                     SELECT folder_id, container_class, transparent, time_zone, role, slug FROM folder
                     WHERE mailbox_id = $1 AND parent_id = $2 AND role <> $3 AND deleted_at IS NULL
                     UNION SELECT f.folder_id, f.container_class, f.transparent, f.time_zone, f.role, f.slug
                     FROM folder f JOIN tree t ON f.parent_id = t.folder_id
                     WHERE f.mailbox_id = $1 AND f.role <> $3 AND f.deleted_at IS NULL)
                 SELECT folder_id, transparent, coalesce(time_zone, ''), role, slug FROM tree
                 WHERE upper(container_class) = 'IPF.APPOINTMENT'
                     OR starts_with(upper(container_class), 'IPF.APPOINTMENT.')
                 ORDER BY folder_id",
            )
            .await?;
        let (root, trash) = (FolderRole::IpmSubtree.code(), FolderRole::Trash.code());
        let rows = client.query(&statement, &[&bigint(mailbox), &i64::from(root), &i16::from(trash)]).await?;
        let calendars = rows.iter().map(|row| Calendar {
            folder_id: unsigned(row.get(0)),
            transparent: row.get(1),
            zone: zone(row.get(2)),
            role: row.get(3),
            slug: row.get(4),
        });
        Ok(calendars.collect())
    }

    async fn busy_by(
        &self,
        mailbox: u64,
        calendars: &[Calendar],
        window: &Range<i64>,
        ignore_uid: &str,
    ) -> Result<BusyTimes, Error> {
        if calendars.is_empty() {
            return Ok(Vec::new());
        }
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT n.address, m.tenant_id FROM mailbox m JOIN account a USING (mailbox_id)
                 JOIN address n USING (account_id)
                 WHERE m.mailbox_id = $1 ORDER BY n.address <> a.address, n.address",
            )
            .await?;
        let rows = client.query(&statement, &[&bigint(mailbox)]).await?;
        drop(client);
        let Some(tenant) = rows.first().map(|row| unsigned(row.get(1))) else { return Ok(Vec::new()) };
        let owner: Arc<[String]> = rows.iter().map(|row| row.get(0)).collect();
        let mut times = Vec::new();
        for calendar in calendars {
            let candidates = self.candidates(mailbox, calendar.folder_id, window, ignore_uid).await?;
            for some in candidates.chunks(BODIES_AT_ONCE) {
                let ids: Vec<Uuid> = some.iter().map(|item| item.content_id).collect();
                let contents = self.contents(mailbox, &ids, true).await?;
                let mut objects = Vec::with_capacity(some.len());
                for item in some {
                    // Its row went meanwhile.
                    let Some(content) = contents.get(&item.content_id) else { continue };
                    let body = self.whole_body(tenant, content).await?;
                    let header = usize::try_from(content.header_size).unwrap_or(usize::MAX).min(body.len());
                    objects.push((body.slice(header..), item.span.clone()));
                }
                let (zone, owner, window) = (calendar.zone.clone(), owner.clone(), window.clone());
                let found = tokio::task::spawn_blocking(move || expanded(&objects, &zone, &owner, &window));
                times.extend(found.await.map_err(|error| Error::Internal(error.to_string()))?);
            }
        }
        Ok(bounded(merged(times)))
    }

    async fn candidates(
        &self,
        mailbox: u64,
        folder: u64,
        window: &Range<i64>,
        ignore_uid: &str,
    ) -> Result<Vec<Candidate>, Error> {
        let state = match self.folder(mailbox, folder).await {
            // It went meanwhile.
            Err(Error::NotFound(_)) => return Ok(Vec::new()),
            state => state?,
        };
        let live: HashMap<u32, Uuid> = state.rows.iter().map(|row| (row.uid, row.content_id)).collect();
        drop(state);
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT uid, coalesce(starts_at, $3), coalesce(ends_at, $4) FROM item
                 WHERE mailbox_id = $1 AND folder_id = $2 AND gone_cn IS NULL AND item_uid <> $5
                     AND coalesce(starts_at, $3) < $4 AND coalesce(ends_at, $4) > $3",
            )
            .await?;
        let rows = client
            .query(&statement, &[&bigint(mailbox), &bigint(folder), &window.start, &window.end, &ignore_uid])
            .await?;
        let candidates = rows.iter().filter_map(|row| {
            let content_id = *live.get(&wire_u32(row.get(0)))?;
            let (start, end): (i64, i64) = (row.get(1), row.get(2));
            Some(Candidate { content_id, span: start.max(window.start)..end.min(window.end) })
        });
        Ok(candidates.collect())
    }
}

fn check(window: &Range<i64>) -> Result<(), Error> {
    let length = window.end.checked_sub(window.start).unwrap_or(i64::MAX);
    if !(1..=LONGEST_WINDOW).contains(&length) {
        return Err(Error::Invalid("a window of free and busy times is at most 400 days long".into()));
    }
    Ok(())
}

/// The zone of floating times that a folder says.
pub(super) fn zone(said: &str) -> TimeZone {
    let of_calendar = || {
        let calendar = Component::parse(said.trim().as_bytes(), &icalendar::Limits::default()).ok()?;
        TimeZone::from_vtimezone(calendar.component("VTIMEZONE")?).ok()
    };
    TimeZone::named(said).or_else(of_calendar).unwrap_or_else(TimeZone::utc)
}

/// What objects say of their owner, who has these addresses. It may take its time.
fn expanded(
    objects: &[(Bytes, Range<i64>)],
    zone: &TimeZone,
    owner: &[String],
    window: &Range<i64>,
) -> BusyTimes {
    let mut times = Vec::new();
    for (text, span) in objects {
        let Ok(calendar) = Component::parse(text, &icalendar::Limits::default()) else {
            tracing::warn!("an item of a calendar is no calendar object; it makes nobody busy");
            continue;
        };
        let Ok(object) = CalendarObject::check(&calendar) else {
            tracing::warn!("an item of a calendar is no calendar object; it makes nobody busy");
            continue;
        };
        let zones = CalendarZones::of(&calendar, zone.clone());
        match busy_times(&object, &zones, window.clone(), attendee(&calendar, owner), LIMITS) {
            Ok(found) => times.extend(found),
            Err(error) => {
                tracing::debug!(%error, "an item counts as busy for as long as it goes on");
                times.push((span.clone(), Busy::Busy));
            }
        }
        if times.len() > MOST_UNMERGED {
            times = merged(times);
        }
    }
    times
}

/// By which of their addresses the owner of a calendar is invited; the first where by none.
fn attendee<'a>(calendar: &Component, owner: &'a [String]) -> &'a str {
    let attendees = calendar.components.iter().flat_map(|component| component.properties_named("ATTENDEE"));
    let invited: Vec<String> =
        attendees.filter_map(|attendee| Some(attendee.address().email()?.to_lowercase())).collect();
    let is_invited = |address: &&String| invited.iter().any(|email| email == *address);
    owner.iter().find(is_invited).or(owner.first()).map_or("", String::as_str)
}

/// Not more than can be sent: what is too much becomes one long time at the end.
fn bounded(mut times: BusyTimes) -> BusyTimes {
    let end = times.last().map_or(0, |(time, _)| time.end);
    if times.len() > MOST_TIMES {
        times.truncate(MOST_TIMES);
        if let Some((last, busy)) = times.last_mut() {
            (last.end, *busy) = (end, Busy::Busy);
        }
    }
    times
}

const MOST_PEOPLE: usize = 100;
/// People whose calendars are read at once.
const AT_ONCE: usize = 4;
/// Seconds.
const LONGEST_WINDOW: i64 = 400 * 86_400;
const BODIES_AT_ONCE: usize = 256;
/// For one item: as many as there are quarters of an hour in a window, and less effort than for one that is stored.
const LIMITS: Limits = Limits { occurrences: 38_400, effort: 200_000 };
const MOST_UNMERGED: usize = 100_000;
const MOST_TIMES: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_a_length() {
        assert!(check(&(0..1)).is_ok() && check(&(0..LONGEST_WINDOW)).is_ok());
        for bad in [0..0, Range { start: 1, end: 0 }, 0..LONGEST_WINDOW + 1, i64::MIN..i64::MAX] {
            assert!(check(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_cannot_be_expanded_is_busy() {
        let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260101T000000Z\r\n\
            RRULE:FREQ=SECONDLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        let window = 1_767_225_600..1_767_225_600 + 86_400 * 30;
        let objects =
            [(Bytes::from_static(text.as_bytes()), window.start + 5..window.end), (Bytes::new(), 0..0)];
        let times = expanded(&objects, &TimeZone::utc(), &["a@x".to_owned()], &window);
        assert_eq!(times, [(window.start + 5..window.end, Busy::Busy)]);
    }

    #[test]
    fn the_owner_is_known_by_an_alias() {
        let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nATTENDEE:mailto:Other@x\nATTENDEE:mailto:Nick@x\nEND:VEVENT\n\
            END:VCALENDAR\n";
        let calendar = Component::parse(text.as_bytes(), &icalendar::Limits::default()).unwrap();
        let owner = ["anna@x".to_owned(), "nick@x".to_owned()];
        assert_eq!(attendee(&calendar, &owner), "nick@x");
        assert_eq!(attendee(&calendar, &owner[..1]), "anna@x");
        assert_eq!(attendee(&calendar, &[]), "");
    }

    #[test]
    fn too_many_times_end_in_one() {
        let times: BusyTimes = (0..30_000).map(|n| (n * 10..n * 10 + 5, Busy::Tentative)).collect();
        let out = bounded(times);
        assert_eq!((out.len(), out.last().unwrap().clone()), (MOST_TIMES, (199_990..299_995, Busy::Busy)));
    }
}
