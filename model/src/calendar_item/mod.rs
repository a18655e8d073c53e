//! Appointments, tasks and journal entries: iCalendar to message objects and back (MS-OXCICAL, MS-OXOCAL, MS-OXOTASK).
//!
//! What came as iCalendar is kept beside the properties that were made of it. On the way back those properties are
//! compared with what the kept text gives: where nothing was changed, its lines come back as they were, with all that no
//! property can say; what was changed in MAPI replaces just the lines that say it.
//!
//! ```
//! use kontor_model::calendar_item::{Context, from_icalendar, to_icalendar};
//! use kontor_model::icalendar::{Component, Limits};
//! use kontor_model::property::{named, tags};
//! use kontor_model::time_zone::TimeZone;
//!
//! let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n\
//!     DTSTART;TZID=Europe/Vienna:20260302T090000\r\nDURATION:PT1H\r\nSUMMARY:Tea\r\nX-COLOUR:red\r\n\
//!     END:VEVENT\r\nEND:VCALENDAR\r\n";
//! let calendar = Component::parse(text.as_bytes(), &Limits::default()).expect("a calendar");
//! let context = Context { owner: "anna@example.org".to_owned(), zone: TimeZone::utc() };
//! let mut item = from_icalendar(&calendar, &context).expect("an event");
//! assert_eq!(item.properties.integer32(named::APPOINTMENT_DURATION), Some(60));
//! assert_eq!(to_icalendar(&item, &context), calendar);
//! item.properties.set(tags::SUBJECT, "Coffee");
//! let after = to_icalendar(&item, &context).to_string();
//! assert!(after.contains("SUMMARY:Coffee\r\n") && after.contains("X-COLOUR:red\r\n"));
//! ```
//!
//! A series for which MAPI has no pattern (several rules, further dates, days of the year, changes of all instances from
//! one on) is one on days of the week there, without the days that it is not on: see `recurrence/covering.rs`. The kept
//! text stays what counts.

mod alarm;
mod attachments;
mod clock;
mod fields;
mod form;
mod meeting;
mod merge;
mod people;
mod recurrence;
mod task;

use crate::GlobalObjectId;
use crate::class::MessageClass;
use crate::icalendar::value::CalendarTime;
use crate::icalendar::{CalendarObject, Component, Limits, ObjectError, ObjectKind, Property};
use crate::message::Message;
use crate::property::{Guid, PropertyName, named};
use crate::time_zone::{CalendarZones, TimeZone};
use fields::Field;
use form::Form;
pub(crate) use meeting::class_of;
pub use meeting::{from_itip, to_itip};
use recurrence::Exception;

/// Whose item it is.
#[derive(Clone, Debug)]
pub struct Context {
    /// The SMTP address of the mailbox; empty where there is none.
    pub owner: String,
    /// The zone of dates and of times without one.
    pub zone: TimeZone,
}

/// The iCalendar that an item came as, in UTF-8, without the attachments in it.
pub const KEPT_ICALENDAR: PropertyName = PropertyName::id(Guid::KONTOR, 1);
/// The id of the zone in which [`KEPT_ICALENDAR`] was read.
pub const KEPT_ZONE: PropertyName = PropertyName::id(Guid::KONTOR, 2);
/// The owner for whom [`KEPT_ICALENDAR`] was read.
pub const KEPT_OWNER: PropertyName = PropertyName::id(Guid::KONTOR, 3);
/// Which of the attachments in [`KEPT_ICALENDAR`] an attachment is.
pub const KEPT_ATTACHMENT: PropertyName = PropertyName::id(Guid::KONTOR, 4);

/// The item that a calendar object is.
///
/// # Errors
/// [`ObjectError`], for what may not be stored as one item, and for free-busy times and availability, which are none.
pub fn from_icalendar(calendar: &Component, context: &Context) -> Result<Message, ObjectError> {
    let object = CalendarObject::check(calendar)?;
    let zones = CalendarZones::of(calendar, context.zone.clone());
    let input = Input { context, zones: &zones };
    let mut message = read(&object, &input)?;
    let mut kept = calendar.clone();
    attachments::take_out(&mut kept, &mut message);
    message.properties.set(KEPT_ICALENDAR, kept.to_string());
    message.properties.set(KEPT_ZONE, context.zone.id());
    message.properties.set(KEPT_OWNER, context.owner.as_str());
    message.derive();
    Ok(message)
}

/// The calendar object that an item is.
pub fn to_icalendar(message: &Message, context: &Context) -> Component {
    let kept = message.properties.string(KEPT_ICALENDAR);
    let kept = kept.and_then(|text| Component::parse(text.as_bytes(), &Limits::default()).ok());
    let mut calendar = kept
        .and_then(|kept| merge::changed(kept, message, context))
        .unwrap_or_else(|| made(message, context));
    attachments::put_back(&mut calendar, message);
    calendar
}

/// How one kind of item is said in both languages.
struct Kind {
    component: &'static str,
    class: MessageClass,
    fields: &'static [Field],
    /// Which way the properties of its times are meant.
    form: fn(&Message, Option<&Kept<'_>>, &Context) -> Form,
}

const EVENT: Kind =
    Kind { component: "VEVENT", class: MessageClass::APPOINTMENT, fields: fields::EVENT, form: Form::of };
const TASK: Kind =
    Kind { component: "VTODO", class: MessageClass::TASK, fields: task::TASK, form: Form::of_task };
const JOURNAL: Kind = Kind {
    component: "VJOURNAL",
    class: MessageClass::ACTIVITY,
    fields: task::JOURNAL,
    form: Form::of_journal,
};

impl Kind {
    fn of(message: &Message) -> &'static Self {
        if message.class.is_a(&MessageClass::TASK) {
            &TASK
        } else if message.class.is_a(&MessageClass::ACTIVITY) {
            &JOURNAL
        } else {
            &EVENT
        }
    }
}

/// What is known while a calendar object is read.
struct Input<'a> {
    context: &'a Context,
    zones: &'a CalendarZones,
}

/// The component that is kept of an item, with its zones.
struct Kept<'a> {
    component: &'a Component,
    zones: &'a CalendarZones,
}

fn read(object: &CalendarObject<'_>, input: &Input<'_>) -> Result<Message, ObjectError> {
    let kind = match object.kind {
        ObjectKind::Event => &EVENT,
        ObjectKind::Todo => &TASK,
        ObjectKind::Journal => &JOURNAL,
        ObjectKind::FreeBusy | ObjectKind::Availability => return Err(ObjectError::Component),
    };
    let first = object.master.or(object.overrides.first().copied());
    let component = first.ok_or(ObjectError::Resource("no calendar component"))?;
    let mut message = read_component(component, kind, input);
    if let Some(master) = object.master
        && object.kind != ObjectKind::Journal
    {
        let single = object.overrides.iter().filter(|component| !is_of_all_after(component));
        let exceptions: Vec<_> = single
            .filter_map(|component| {
                let original = component.time("RECURRENCE-ID")?.ok()?;
                let mut message = read_component(component, kind, input);
                message.class = recurrence::exception_class();
                Some(Exception { original: input.zones.to_unix(&original), message })
            })
            .collect();
        recurrence::read(object, master, exceptions, kind, input, &mut message);
    }
    Ok(message)
}

fn read_component(component: &Component, kind: &Kind, input: &Input<'_>) -> Message {
    let mut message = Message { class: kind.class.clone(), ..Message::default() };
    for field in kind.fields {
        (field.read)(component, input, &mut message);
    }
    alarm::read(component, input, &mut message);
    message
}

/// Whether a component changes all instances from one on.
fn is_of_all_after(component: &Component) -> bool {
    let range = component.property("RECURRENCE-ID").and_then(|id| id.parameter("RANGE"));
    range.is_some_and(|range| range.eq_ignore_ascii_case("THISANDFUTURE"))
}

/// An item that never was iCalendar.
fn made(message: &Message, context: &Context) -> Component {
    let kind = Kind::of(message);
    let form = (kind.form)(message, None, context);
    let mut calendar = Component::new("VCALENDAR");
    calendar.push(Property::new("VERSION", "2.0"));
    calendar.push(Property::new("PRODID", PRODUCT));
    calendar.components.push(made_component(message, kind, &form));
    if let Some(original) = orphan(message)
        && let Some(component) = calendar.components.last_mut()
    {
        put_recurrence_id(component, &form.original(original));
    }
    for exception in recurrence::exceptions(message, &form) {
        calendar.components.push(made_exception(&exception, message, kind, &form, context));
    }
    form::add_zones(&mut calendar, message);
    calendar
}

fn made_component(message: &Message, kind: &Kind, form: &Form) -> Component {
    let mut component = Component::new(kind.component);
    for field in kind.fields {
        component.properties.extend((field.lines)(message, form));
    }
    fields::stamp(&mut component, message);
    alarm::write(&mut component, message);
    component
}

fn made_exception(
    exception: &Exception,
    master: &Message,
    kind: &Kind,
    form: &Form,
    context: &Context,
) -> Component {
    let mut component =
        made_component(&exception.message, kind, &(kind.form)(&exception.message, None, context));
    component.set(fields::uid(master));
    put_recurrence_id(&mut component, &form.original(exception.original));
    component
}

/// Behind the UID.
fn put_recurrence_id(component: &mut Component, original: &CalendarTime) {
    let at = component.properties.len().min(1);
    component.properties.insert(at, Property::with_time("RECURRENCE-ID", original));
}

/// Where the series has an item that is an instance without its series: an attendee may have been asked to one alone.
fn orphan(message: &Message) -> Option<i64> {
    let bag = &message.properties;
    let id = GlobalObjectId::read(bag.binary(named::GLOBAL_OBJECT_ID)?).ok()?;
    id.instance?;
    if bag.get(named::APPOINTMENT_RECUR).is_some() {
        return None;
    }
    bag.time(named::EXCEPTION_REPLACE_TIME).map(|time| time.to_unix())
}

/// The moment of a component's RECURRENCE-ID.
fn original_of(component: &Component, zones: &CalendarZones) -> Option<i64> {
    component.time("RECURRENCE-ID")?.ok().map(|id: CalendarTime| zones.to_unix(&id))
}

const PRODUCT: &str = "-//Kontor//Kontor//EN";
