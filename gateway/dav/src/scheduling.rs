//! Implicit scheduling (RFC 6638 §3.2): what a change of a meeting has others told, and what may be changed of it. The
//! rules are the model's; here they meet the headers of a request and the people of the directory.

use std::collections::HashMap;

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderName;
use kontor_dav_proto::header::{if_schedule_tag_match, schedule_reply};
use kontor_dav_proto::response::ErrorBody;
use kontor_dav_proto::{Precondition, Reference};
use kontor_model::icalendar::{Component, Property};
use kontor_model::scheduling::{
    Itip, Method, Role, ask_again, forbidden_to_attendee, has_one_organizer, keep_answers, organizer_address,
    role, tagged, to_attendees, to_organizer,
};
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::calendar_user::Status;
use kontor_storage_client::proto::put_item_request::Expected;
use kontor_storage_client::proto::{CalendarUser, CalendarUsersRequest, Item, SchedulingMessage};

use crate::answer::Failure;
use crate::call::Call;
use crate::condition::failed;
use crate::home::{Collection, Holds};
use crate::item::{calendar, text};
use crate::place::Place;

/// What a PUT of a meeting is.
pub(crate) struct Change {
    /// What is stored, where it is other than what came.
    pub text: Option<Bytes>,
    pub send: Vec<SchedulingMessage>,
    /// The new schedule tag.
    pub tag: Option<String>,
    /// What the item must still be.
    pub expected: Expected,
    /// Whether the owner takes part in it.
    pub is_meeting: bool,
}

/// What a PUT has others told; `None` where it is about no meeting.
///
/// # Errors
/// The precondition that does not hold (RFC 6638 §3.2.4).
pub(crate) async fn of_put(
    call: &Call<'_>,
    collection: &Collection,
    name: &str,
    new: &Component,
    expected: Option<&Expected>,
) -> Result<Option<Change>, Failure> {
    let stored = match expected {
        Some(Expected::Absent(true)) => None,
        _ => call.find_item(collection, name, true).await?,
    };
    let before = stored.as_ref().and_then(|item| calendar(&text(item)?));
    let condition = tag_condition(call)?;
    if condition.is_none()
        && organizer_address(new).is_none()
        && before.as_ref().and_then(organizer_address).is_none()
    {
        return Ok(None);
    }
    if !is_met(expected, stored.as_ref()) {
        return Err(failed());
    }
    check_tag(condition.as_deref(), before.as_ref(), &collection.owner)?;
    let mut after = new.clone();
    name_by_mail(&mut after, call);
    let people = People::of(call, collection, [Some(&after), before.as_ref()]).await?;
    let scheduler = Scheduler { before: before.as_ref(), people: &people, guest: people.guest(call) };
    let send = scheduler.put(&mut after, condition.is_some())?;
    let is_meeting = role(&after, |address| people.is_own(address)).is_some();
    Ok(Some(Change {
        tag: schedule_tag(&after, &collection.owner),
        text: (after != *new).then(|| after.to_string().into()),
        send,
        expected: stored.map_or(Expected::Absent(true), |item| Expected::ContentId(item.content_id)),
        is_meeting,
    }))
}

/// What a DELETE has others told, and the version that it is about.
///
/// # Errors
/// 412 where `If-Schedule-Tag-Match` does not hold.
pub(crate) async fn of_delete(
    call: &Call<'_>,
    collection: &Collection,
    name: &str,
    version: &Bytes,
) -> Result<(Bytes, Vec<SchedulingMessage>), Failure> {
    let nothing = || (version.clone(), Vec::new());
    if !matches!(collection.holds, Holds::Events | Holds::Tasks) {
        return Ok(nothing());
    }
    let item = call.item(collection, name, true).await?;
    if !version.is_empty() && *version != item.content_id {
        return Err(failed());
    }
    let before = text(&item).and_then(|text| calendar(&text));
    check_tag(tag_condition(call)?.as_deref(), before.as_ref(), &collection.owner)?;
    let Some(before) = before.filter(|before| organizer_address(before).is_some()) else {
        return Ok(nothing());
    };
    let replies = call.header(HeaderName::from_static("schedule-reply"))?.map_or(Ok(true), schedule_reply)?;
    let people = People::of(call, collection, [Some(&before), None]).await?;
    let messages = match role(&before, |address| people.is_own(address)) {
        Some(Role::Organizer(own)) => to_attendees(Some(&before), None, &own),
        Some(Role::Attendee(own)) if replies => to_organizer(&before, None, &own).into_iter().collect(),
        _ => Vec::new(),
    };
    let guest = people.guest(call);
    let send = messages.into_iter().filter(|message| people.status(&message.recipient).is_sent());
    let send = send.map(|message| wire(message, guest.as_deref())).collect();
    Ok((item.content_id, send))
}

/// All addresses of a person of this house.
pub(crate) async fn addresses_of(call: &Call<'_>, address: &str) -> Result<Vec<String>, Failure> {
    let request = CalendarUsersRequest { addresses: vec![address.to_owned()] };
    let users = call.session.calendar_users(request).await?;
    Ok(users.into_iter().flat_map(|user| user.addresses).collect())
}

/// Whether a line is about who asks.
pub(crate) async fn is_own(call: &Call<'_>, line: &Property) -> Result<bool, Failure> {
    let mut calendar = Component::new("VCALENDAR");
    calendar.components.push(Component { properties: vec![line.clone()], ..Component::new("VFREEBUSY") });
    name_by_mail(&mut calendar, call);
    let who = calendar.components.iter().flat_map(|part| &part.properties).map(address).next();
    let own = addresses_of(call, &call.session.info().address).await?;
    Ok(who.is_some_and(|who| own.iter().any(|own| own.eq_ignore_ascii_case(&who))))
}

/// The schedule tag of a stored object (RFC 6638 §3.2.10), without its quotation marks.
pub(crate) fn schedule_tag(calendar: &Component, owner: &str) -> Option<String> {
    let hash = blake3::hash(tagged(calendar, owner)?.as_bytes()).to_hex();
    Some(hash.split_at(32).0.to_owned())
}

/// The schedule tag of an object as it is stored. What names no organizer is not read.
pub(crate) fn schedule_tag_of(text: &[u8], owner: &str) -> Option<String> {
    let names_one = text.windows(ORGANIZER.len()).any(|octets| octets.eq_ignore_ascii_case(ORGANIZER));
    if names_one { schedule_tag(&calendar(text)?, owner) } else { None }
}

fn tag_condition(call: &Call<'_>) -> Result<Option<String>, Failure> {
    let value = call.header(HeaderName::from_static("if-schedule-tag-match"))?;
    Ok(value.map(|value| if_schedule_tag_match(value, call.limits)).transpose()?.map(|tag| tag.tag))
}

fn check_tag(wanted: Option<&str>, before: Option<&Component>, owner: &str) -> Result<(), Failure> {
    let is_met = wanted.is_none_or(|wanted| {
        before.and_then(|before| schedule_tag(before, owner)).as_deref() == Some(wanted)
    });
    if is_met { Ok(()) } else { Err(failed()) }
}

fn is_met(expected: Option<&Expected>, stored: Option<&Item>) -> bool {
    match expected {
        None | Some(Expected::Absent(false) | Expected::Present(false)) => true,
        Some(Expected::Absent(true)) => stored.is_none(),
        Some(Expected::Present(true)) => stored.is_some(),
        Some(Expected::ContentId(id)) => stored.is_some_and(|item| item.content_id == *id),
    }
}

/// One change of one object.
struct Scheduler<'a> {
    before: Option<&'a Component>,
    people: &'a People,
    /// Who acts, where that is not the owner.
    guest: Option<String>,
}

impl Scheduler<'_> {
    /// Makes of what came what is stored; `is_by_tag` is whether answers may have come since the client read it.
    fn put(&self, after: &mut Component, is_by_tag: bool) -> Result<Vec<SchedulingMessage>, Failure> {
        let is_own = |address: &str| self.people.is_own(address);
        let was = self.before.and_then(|before| role(before, is_own));
        let is = role(after, is_own);
        if organizer_address(after).is_some() && !has_one_organizer(after) {
            return Err(refused(
                Precondition::SameOrganizerInAllComponents,
                "every component of a meeting names the same organizer",
            ));
        }
        match (was, is) {
            (Some(Role::Attendee(own)), _) => self.by_attendee(after, &own, is_by_tag),
            (None, Some(Role::Attendee(own))) if self.before.is_none() => {
                self.by_attendee(after, &own, is_by_tag)
            }
            (Some(Role::Organizer(_)), is)
                if organizer_address(after).is_some() && !matches!(is, Some(Role::Organizer(_))) =>
            {
                Err(refused(
                    Precondition::AllowedOrganizerSchedulingObjectChange,
                    "a meeting cannot be given to another organizer",
                ))
            }
            (Some(Role::Organizer(own)), _) | (None, Some(Role::Organizer(own))) => {
                self.by_organizer(after, &own, is_by_tag)
            }
            // Somebody else's meeting, which the owner only looks at.
            (None, _) => Ok(Vec::new()),
        }
    }

    fn by_organizer(
        &self,
        after: &mut Component,
        own: &str,
        is_by_tag: bool,
    ) -> Result<Vec<SchedulingMessage>, Failure> {
        if let (true, Some(before)) = (is_by_tag, self.before) {
            keep_answers(before, after, own);
        }
        if let Some(before) = self.before {
            ask_again(before, after, own);
        }
        self.invite_members(after);
        let told = to_attendees(self.before, Some(after), own);
        let mut send = Vec::new();
        for message in told {
            let standing = self.people.status(&message.recipient);
            if message.method != Method::Cancel {
                note(after, "ATTENDEE", &message.recipient, standing.schedule_status());
            }
            if standing.is_sent() {
                send.push(wire(message, self.guest.as_deref()));
            }
        }
        forget_force(after);
        Ok(send)
    }

    fn by_attendee(
        &self,
        after: &mut Component,
        own: &str,
        is_by_tag: bool,
    ) -> Result<Vec<SchedulingMessage>, Failure> {
        if let Some(before) = self.before {
            if is_by_tag {
                keep_answers(before, after, own);
            }
            if let Some(why) = forbidden_to_attendee(before, after, own) {
                return Err(refused(Precondition::AllowedAttendeeSchedulingObjectChange, why));
            }
        }
        // What was never here was never answered.
        let unanswered = || {
            let mut calendar = after.clone();
            for line in lines(&mut calendar, "ATTENDEE") {
                line.remove_parameter("PARTSTAT");
            }
            calendar
        };
        let before = self.before.cloned().unwrap_or_else(unanswered);
        let Some(message) = to_organizer(&before, Some(after), own) else {
            forget_force(after);
            return Ok(Vec::new());
        };
        let standing = self.people.status(&message.recipient);
        note(after, "ORGANIZER", &message.recipient, standing.schedule_status());
        forget_force(after);
        let is_sent = standing.is_sent();
        Ok(is_sent.then(|| wire(message, self.guest.as_deref())).into_iter().collect())
    }

    /// Whoever is in a group that is invited is invited (RFC 5545 §3.2.11).
    fn invite_members(&self, calendar: &mut Component) {
        for part in calendar.components.iter_mut().filter(|part| part.property("ORGANIZER").is_some()) {
            let known: Vec<String> = part.properties_named("ATTENDEE").map(address).collect();
            let organizer = part.property("ORGANIZER").map(address).unwrap_or_default();
            let mut joining: Vec<Property> = Vec::new();
            for line in part.properties_named("ATTENDEE") {
                let group = address(line);
                for member in self.people.members(&group) {
                    let is_there = known.contains(member)
                        || *member == organizer
                        || joining.iter().any(|line| address(line) == *member);
                    if !is_there {
                        let line = Property::new("ATTENDEE", format!("mailto:{member}"));
                        let line = line.with_parameter("MEMBER", &format!("mailto:{group}"));
                        let line = line.with_parameter("PARTSTAT", "NEEDS-ACTION");
                        joining.push(line.with_parameter("RSVP", "TRUE"));
                    }
                }
            }
            for line in part.properties.iter_mut().filter(|line| line.is("ATTENDEE")) {
                if self.people.is_group(&address(line)) {
                    line.set_parameter("CUTYPE", "GROUP");
                }
            }
            part.properties.extend(joining);
        }
    }
}

/// The people in a meeting, as the directory knows them.
struct People {
    owner: CalendarUser,
    others: HashMap<String, CalendarUser>,
}

/// What can be done for somebody.
#[derive(Clone, Copy)]
struct Standing(Status, bool);

impl Standing {
    /// RFC 6638 §3.2.9, RFC 5546 §3.6
    const fn schedule_status(self) -> &'static str {
        match self.0 {
            Status::Local => "1.2",
            Status::External => "1.1",
            Status::NotPermitted => "3.8",
            _ => "3.7",
        }
    }

    const fn is_sent(self) -> bool {
        matches!(self.0, Status::Local | Status::External) && !self.1
    }
}

impl People {
    async fn of(
        call: &Call<'_>,
        collection: &Collection,
        calendars: [Option<&Component>; 2],
    ) -> Result<Self, Failure> {
        let mut addresses = vec![collection.owner.clone()];
        for part in calendars.into_iter().flatten().flat_map(|calendar| &calendar.components) {
            let people = part.properties.iter().filter(|line| line.is("ATTENDEE") || line.is("ORGANIZER"));
            for who in people.map(address) {
                if !addresses.contains(&who) {
                    addresses.push(who);
                }
            }
            if addresses.len() > MOST_PEOPLE {
                let what = "a meeting has at most 1000 attendees";
                return Err(Failure::precondition(Precondition::MaxAttendeesPerInstance, what));
            }
        }
        let request = CalendarUsersRequest { addresses: addresses.clone() };
        let users = call.session.calendar_users(request).await?;
        let mut all = addresses.into_iter().zip(users);
        let owner = all.next().map(|(_, owner)| owner);
        let owner = owner.ok_or_else(|| StoreError::Internal("the directory did not answer".into()))?;
        Ok(Self { owner, others: all.collect() })
    }

    fn is_own(&self, address: &str) -> bool {
        let plain = address.split_once('@').and_then(|(local, domain)| {
            let (local, _) = local.split_once('+')?;
            Some(format!("{local}@{domain}"))
        });
        let is = |own: &String| {
            own.eq_ignore_ascii_case(address)
                || plain.as_ref().is_some_and(|plain| own.eq_ignore_ascii_case(plain))
        };
        self.owner.addresses.iter().any(is)
    }

    fn status(&self, address: &str) -> Standing {
        let user = self.others.get(address);
        let status = user.map_or(Status::Unknown, CalendarUser::status);
        // A member of a group that was not asked for by name is of this house or of another one.
        let is_member =
            user.is_none() && self.others.values().any(|group| group.members.iter().any(|m| m == address));
        Standing(if is_member { Status::Local } else { status }, self.is_group(address))
    }

    fn is_group(&self, address: &str) -> bool {
        self.others.get(address).is_some_and(|user| user.kind == "group")
    }

    fn members(&self, address: &str) -> &[String] {
        self.others.get(address).map_or(&[], |user| user.members.as_slice())
    }

    /// Who acts, where that is not the owner.
    fn guest(&self, call: &Call<'_>) -> Option<String> {
        let viewer = &call.session.info().address;
        (!self.is_own(viewer)).then(|| viewer.clone())
    }
}

/// The address in a line, in small letters; where it has none, its URI.
fn address(line: &Property) -> String {
    let address = line.address();
    address.email().map_or_else(|| address.as_str().to_owned(), |email| email.to_ascii_lowercase())
}

fn lines<'a>(calendar: &'a mut Component, name: &'static str) -> impl Iterator<Item = &'a mut Property> {
    let properties = calendar.components.iter_mut().flat_map(|part| &mut part.properties);
    properties.filter(move |line| line.is(name))
}

/// People who are named by their principals have mail addresses.
fn name_by_mail(calendar: &mut Component, call: &Call<'_>) {
    let properties = calendar.components.iter_mut().flat_map(|part| &mut part.properties);
    for line in properties.filter(|line| line.is("ATTENDEE") || line.is("ORGANIZER")) {
        if line.address().email().is_some() || !line.value.contains("/principals/") {
            continue;
        }
        let place = Reference::parse(&line.value, call.limits).ok().and_then(|found| Place::of(&found.href));
        if let Some(Place::Principal(address)) = place {
            line.value = format!("mailto:{address}");
        }
    }
}

fn note(calendar: &mut Component, name: &'static str, who: &str, status: &str) {
    for line in lines(calendar, name).filter(|line| address(line) == who) {
        line.set_parameter("SCHEDULE-STATUS", status);
    }
}

/// RFC 6638 §7.2: it is not stored.
fn forget_force(calendar: &mut Component) {
    let properties = calendar.components.iter_mut().flat_map(|part| &mut part.properties);
    properties.for_each(|line| line.remove_parameter("SCHEDULE-FORCE-SEND"));
}

/// A message as the store sends it; one that a guest sends says so (RFC 5545 §3.2.18).
fn wire(mut message: Itip, guest: Option<&str>) -> SchedulingMessage {
    if let Some(guest) = guest {
        let name = if message.method == Method::Reply { "ATTENDEE" } else { "ORGANIZER" };
        lines(&mut message.calendar, name)
            .for_each(|line| line.set_parameter("SENT-BY", &format!("mailto:{guest}")));
    }
    SchedulingMessage { recipient: message.recipient, calendar: message.calendar.to_string().into() }
}

fn refused(precondition: Precondition, what: &str) -> Failure {
    let status = StatusCode::from_u16(precondition.status()).unwrap_or(StatusCode::FORBIDDEN);
    Failure::Condition(status, ErrorBody::of(precondition).described(what))
}

const ORGANIZER: &[u8] = b"ORGANIZER";
/// As many as the directory is asked for in one call, with room for the owner.
const MOST_PEOPLE: usize = 1_000;
