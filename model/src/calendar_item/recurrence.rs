//! Series and their changed instances (MS-OXCICAL 2.1.3.2, MS-OXOCAL 2.2.1.44, 2.2.10).

mod covering;

use jiff::civil::DateTime;

use super::clock::Clock;
use super::fields::{self, Field};
use super::{Form, Input, Kind};
use crate::class::MessageClass;
use crate::icalendar::value::{CalendarTime, Recur};
use crate::icalendar::{CalendarObject, Component, Property};
use crate::message::{Attachment, Content, Message};
use crate::property::{Bag, FileTime, PropertyKey, named, tags};
use crate::recurrence::{
    End, ExceptionInfo, Limits, RecurrencePattern, StoredFrequency, StoredRecurrence, date_of, minutes,
};
use crate::time_zone::{clock, wall_seconds};

pub(super) const RULE: Field =
    Field { names: &["RRULE", "RDATE", "EXRULE"], read: |_, _, _| {}, lines: rule };
pub(super) const EXDATE: Field = Field { names: &["EXDATE"], read: |_, _, _| {}, lines: exdates };

/// A changed instance.
pub(super) struct Exception {
    /// Where the series has it.
    pub(super) original: i64,
    /// All that is known of it, what it has from the series too.
    pub(super) message: Message,
}

/// The class of the message inside the attachment that is a changed instance (MS-OXOCAL 2.2.10.1.1).
pub(super) fn exception_class() -> MessageClass {
    MessageClass::new(EXCEPTION).unwrap_or_default()
}

/// Sets the recurrence of an item, where MAPI can say it, and attaches its changed instances.
pub(super) fn read(
    object: &CalendarObject<'_>,
    master: &Component,
    mut exceptions: Vec<Exception>,
    kind: &Kind,
    input: &Input<'_>,
    message: &mut Message,
) {
    let is_task = kind.class == MessageClass::TASK;
    let start = master.time("DTSTART").or_else(|| master.time("DUE")).and_then(Result::ok);
    let series = start.map(|start| {
        let clock = Clock::of_time(&start, input.zones);
        let begins = clock.local(input.zones.to_unix(&start));
        Series { object, master, start, clock, begins }
    });
    let pattern = series.as_ref().and_then(|series| {
        let exact = pattern(series, input).map(|mut pattern| {
            pattern.deleted = series.skipped(input);
            pattern
        });
        if is_task { exact } else { covering::read(series, exact, kind, input, message, &mut exceptions) }
    });
    if !is_task {
        let attached: Vec<_> = exceptions.iter().map(|one| attached(one, message, input)).collect();
        message.attachments.extend(attached);
    }
    let (Some(Series { clock, begins, .. }), Some(mut pattern)) = (series, pattern) else { return };
    let bag = &mut message.properties;
    bag.set(if is_task { named::TASK_RECURRING } else { named::RECURRING }, true);
    if is_task {
        in_order(&mut pattern.deleted);
        bag.set(named::TASK_RECURRENCE, pattern.write());
        return;
    }
    let mut infos: Vec<_> = exceptions.iter().filter_map(|one| info(one, message, &clock)).collect();
    infos.sort_by_key(|info| info.start);
    pattern.deleted.extend(infos.iter().map(|info| info.original_start / DAY * DAY));
    pattern.modified = infos.iter().map(|info| info.start / DAY * DAY).collect();
    in_order(&mut pattern.deleted);
    let bag = &mut message.properties;
    bag.set(named::IS_RECURRING, true);
    bag.set(
        named::RECURRENCE_TYPE,
        match pattern.frequency {
            StoredFrequency::Daily => 1,
            StoredFrequency::Weekly => 2,
            StoredFrequency::Monthly => 3,
            StoredFrequency::Yearly => 4,
        },
    );
    let day = |minutes| date_of(minutes).map(|day| FileTime::from_unix(wall_seconds(day.at(0, 0, 0, 0))));
    if let Some(first) = day(pattern.start) {
        bag.set(named::CLIP_START, first);
    }
    let last = if pattern.end == End::Never { Some(CLIP_END_NEVER) } else { day(pattern.last) };
    if let Some(last) = last {
        bag.set(named::CLIP_END, last);
    }
    fields::set_series_zone(bag, &clock, begins.year());
    let start_offset = offset(begins);
    let length = bag.integer32(named::APPOINTMENT_DURATION).unwrap_or(0).unsigned_abs();
    let stored = StoredRecurrence {
        pattern,
        version: StoredRecurrence::VERSION,
        start_offset,
        end_offset: start_offset.saturating_add(length),
        exceptions: infos,
        reserved1: Vec::new(),
        reserved2: Vec::new(),
    };
    bag.set(named::APPOINTMENT_RECUR, stored.write());
}

fn in_order(days: &mut Vec<u32>) {
    days.sort_unstable();
    days.dedup();
}

/// What recurs, and when it does first.
pub(super) struct Series<'a> {
    object: &'a CalendarObject<'a>,
    master: &'a Component,
    start: CalendarTime,
    clock: Clock,
    /// By that clock.
    begins: DateTime,
}

impl Series<'_> {
    /// The days of EXDATE that are instances.
    fn skipped(&self, input: &Input<'_>) -> Vec<u32> {
        let times = self.master.properties_named("EXDATE").filter_map(|property| property.times().ok());
        let days = times.flatten().filter_map(|time| match time {
            // Some products leave out a day.
            CalendarTime::Date(day) => minutes(day),
            time => {
                let local = self.clock.local(input.zones.to_unix(&time));
                (local.time() == self.begins.time()).then(|| minutes(local.date()))?
            }
        });
        days.collect()
    }
}

/// The pattern of the only rule, where that is all that makes the series.
fn pattern(series: &Series<'_>, input: &Input<'_>) -> Option<RecurrencePattern> {
    let Series { master, start, clock, begins, .. } = series;
    let mut rules = master.properties_named("RRULE");
    let (rule, None) = (rules.next()?, rules.next()) else { return None };
    if ["RDATE", "EXRULE"].iter().any(|name| master.property(name).is_some()) {
        return None;
    }
    let mut rule: Recur = rule.value.parse().ok()?;
    rule.until = rule.until.map(|until| match until {
        CalendarTime::Utc(_) if !start.is_date() => {
            CalendarTime::Floating(clock.local(input.zones.to_unix(&until)))
        }
        until => until,
    });
    RecurrencePattern::of_rule(&rule, *begins, Limits::default())
}

fn info(exception: &Exception, master: &Message, clock: &Clock) -> Option<ExceptionInfo> {
    let bag = &exception.message.properties;
    let at = |unix: i64| {
        let local = clock.local(unix);
        Some(minutes(local.date())? + offset(local))
    };
    let differs = |key: PropertyKey| bag.get(key.clone()) != master.properties.get(key);
    let number = |key: PropertyKey| {
        differs(key.clone())
            .then(|| bag.integer32(key))
            .flatten()
            .and_then(|number| u32::try_from(number).ok())
    };
    let flag = |key: PropertyKey| differs(key.clone()).then(|| u32::from(bag.boolean(key)));
    let string =
        |key: PropertyKey| differs(key.clone()).then(|| bag.string(key).unwrap_or_default().to_owned());
    Some(ExceptionInfo {
        start: at(bag.time(named::APPOINTMENT_START_WHOLE)?.to_unix())?,
        end: at(bag.time(named::APPOINTMENT_END_WHOLE)?.to_unix())?,
        original_start: at(exception.original)?,
        subject: string(tags::SUBJECT.into()),
        location: string(named::LOCATION.into()),
        meeting_type: number(named::APPOINTMENT_STATE_FLAGS.into()),
        reminder_delta: number(named::REMINDER_DELTA.into()),
        reminder_set: flag(named::REMINDER_SET.into()),
        busy_status: number(named::BUSY_STATUS.into()),
        sub_type: flag(named::APPOINTMENT_SUB_TYPE.into()),
        has_body: differs(tags::BODY.into()),
        ..ExceptionInfo::default()
    })
}

/// The attachment that is a changed instance.
fn attached(exception: &Exception, master: &Message, input: &Input<'_>) -> Attachment {
    let mut message = exception.message.clone();
    // What the series has and the instance has not is said, or it would have it from there.
    for key in [PropertyKey::from(named::LOCATION), tags::BODY.into()] {
        if message.properties.get(key.clone()).is_none() && master.properties.get(key.clone()).is_some() {
            message.properties.set(key, "");
        }
    }
    message.derive();
    let mut properties = Bag::new();
    properties.set(tags::ATTACHMENT_FLAGS, IS_EXCEPTION);
    properties.set(tags::RENDERING_POSITION, -1);
    for (tag, name) in [
        (tags::EXCEPTION_START_TIME, named::APPOINTMENT_START_WHOLE),
        (tags::EXCEPTION_END_TIME, named::APPOINTMENT_END_WHOLE),
    ] {
        if let Some(time) = message.properties.time(name) {
            let local = input.context.zone.to_local(time.to_unix());
            properties.set(tag, FileTime::from_unix(wall_seconds(local)));
        }
    }
    Attachment {
        content: Content::Message(Box::new(message)),
        inline: true,
        properties,
        ..Attachment::default()
    }
}

/// The changed instances of an item, by their origins.
pub(super) fn exceptions(master: &Message, form: &Form) -> Vec<Exception> {
    let mut out = Vec::new();
    for attachment in &master.attachments {
        let Content::Message(instance) = &attachment.content else { continue };
        let original = instance.properties.time(named::EXCEPTION_REPLACE_TIME);
        if let (true, Some(original)) = (instance.class.as_str().eq_ignore_ascii_case(EXCEPTION), original) {
            out.push(Exception { original: original.to_unix(), message: over(master, instance) });
        }
    }
    for info in stored(master).map(|stored| stored.exceptions).unwrap_or_default() {
        let Some(original) = moment(info.original_start, form) else { continue };
        if !out.iter().any(|known| known.original == original) {
            out.extend(of_info(&info, original, master, form));
        }
    }
    out.sort_by_key(|exception| exception.original);
    out
}

/// An instance with what it has from its series.
fn over(master: &Message, instance: &Message) -> Message {
    let mut properties = master.properties.clone();
    for name in [
        super::KEPT_ICALENDAR,
        named::APPOINTMENT_RECUR,
        named::RECURRING,
        named::IS_RECURRING,
        named::RECURRENCE_TYPE,
        named::CLIP_START,
        named::CLIP_END,
        named::TIME_ZONE_STRUCT,
        named::TIME_ZONE_DESCRIPTION,
        named::APPOINTMENT_TIME_ZONE_DEFINITION_RECUR,
    ] {
        properties.remove(name);
    }
    for (key, value) in instance.properties.iter() {
        properties.set(key.clone(), value.clone());
    }
    let recipients = if instance.recipients.is_empty() { &master.recipients } else { &instance.recipients };
    Message { class: master.class.clone(), properties, recipients: recipients.clone(), ..Message::default() }
}

/// An instance of which there is no more than what the recurrence says.
fn of_info(info: &ExceptionInfo, original: i64, master: &Message, form: &Form) -> Option<Exception> {
    let mut instance = Message::default();
    let bag = &mut instance.properties;
    let (start, end) = (moment(info.start, form)?, moment(info.end, form)?);
    for (name, unix) in [
        (named::APPOINTMENT_START_WHOLE, start),
        (named::COMMON_START, start),
        (named::APPOINTMENT_END_WHOLE, end),
        (named::COMMON_END, end),
        (named::EXCEPTION_REPLACE_TIME, original),
    ] {
        bag.set(name, FileTime::from_unix(unix));
    }
    for (key, text) in
        [(PropertyKey::from(tags::SUBJECT), &info.subject), (named::LOCATION.into(), &info.location)]
    {
        if let Some(text) = text {
            bag.set(key, text.as_str());
        }
    }
    for (name, number) in [
        (named::APPOINTMENT_STATE_FLAGS, info.meeting_type),
        (named::REMINDER_DELTA, info.reminder_delta),
        (named::BUSY_STATUS, info.busy_status),
    ] {
        if let Some(number) = number.and_then(|number| i32::try_from(number).ok()) {
            bag.set(name, number);
        }
    }
    for (name, flag) in
        [(named::REMINDER_SET, info.reminder_set), (named::APPOINTMENT_SUB_TYPE, info.sub_type)]
    {
        if let Some(flag) = flag {
            bag.set(name, flag != 0);
        }
    }
    Some(Exception { original, message: over(master, &instance) })
}

fn rule(message: &Message, form: &Form) -> Vec<Property> {
    let Some(mut rule) = stored_pattern(message).and_then(|pattern| pattern.to_rule()) else {
        return Vec::new();
    };
    rule.until = rule.until.map(|until| {
        if form.all_day {
            return until;
        }
        let last = until.date().to_datetime(form.start.local(form.begins).time());
        let unix = form.start.unix(last);
        match form.start.time(unix, false) {
            CalendarTime::Zoned(..) => CalendarTime::Utc(clock(unix)),
            time => time,
        }
    });
    vec![Property::new("RRULE", rule.to_string())]
}

fn exdates(message: &Message, form: &Form) -> Vec<Property> {
    let Some(pattern) = stored_pattern(message) else { return Vec::new() };
    let changed: Vec<_> =
        exceptions(message, form).iter().map(|one| form.start.local(one.original).date()).collect();
    let time = form.start.local(form.begins).time();
    let days = pattern.deleted.iter().filter_map(|day| date_of(*day)).filter(|day| !changed.contains(day));
    days.map(|day| {
        let unix = form.start.unix(day.to_datetime(time));
        Property::with_time("EXDATE", &form.original(unix))
    })
    .collect()
}

fn stored(message: &Message) -> Option<StoredRecurrence> {
    StoredRecurrence::read(message.properties.binary(named::APPOINTMENT_RECUR)?).ok()
}

fn stored_pattern(message: &Message) -> Option<RecurrencePattern> {
    if let Some(octets) = message.properties.binary(named::TASK_RECURRENCE) {
        return RecurrencePattern::read(octets).ok();
    }
    stored(message).map(|stored| stored.pattern)
}

/// The moment of minutes from 1601 by the clock of a series.
fn moment(minutes: u32, form: &Form) -> Option<i64> {
    let midnight = date_of(minutes)?.at(0, 0, 0, 0);
    Some(form.start.unix(clock(wall_seconds(midnight) + 60 * i64::from(minutes % DAY))))
}

/// Minutes after midnight.
fn offset(local: DateTime) -> u32 {
    u32::from(local.hour().unsigned_abs()) * 60 + u32::from(local.minute().unsigned_abs())
}

const EXCEPTION: &str = "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}";
/// PidTagAttachmentFlags: afException (MS-OXOCAL 2.2.10.1.2)
const IS_EXCEPTION: i32 = 2;
/// Minutes.
const DAY: u32 = 1440;
/// PidLidClipEnd of a series without end: 4500-08-31T23:59:00Z (MS-OXOCAL 2.2.1.15).
const CLIP_END_NEVER: FileTime = FileTime(0x0CB3_4557_A3DD_4000);
