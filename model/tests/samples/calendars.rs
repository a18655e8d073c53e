//! What a calendar program shows of a calendar object.

use kontor_model::calendar_item::{Context, KEPT_ATTACHMENT, KEPT_ICALENDAR, from_icalendar, to_icalendar};
use kontor_model::icalendar::value::CalendarTime;
use kontor_model::icalendar::{CalendarObject, Component, Limits, ObjectKind, Property};
use kontor_model::property::{Bag, FileTime, named, tags};
use kontor_model::recurrence::{self, instances};
use kontor_model::time_zone::{CalendarZones, TimeZone, clock};

use super::corpus::{Sample, difference, unfolded};

fn context() -> Context {
    Context { owner: "anna@example.org".to_owned(), zone: TimeZone::named("Europe/Berlin").expect("a zone") }
}

/// On each way of a sample, the lines that are different.
pub fn differences(sample: &Sample) -> Result<Vec<(&'static str, Vec<String>)>, String> {
    let stream =
        Component::parse_stream(&sample.octets(), &Limits::default()).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for calendar in &stream {
        text.push_str(&calendar.to_string());
        for object in objects(calendar) {
            let Some(kind) = CalendarObject::check(&object).map_err(|error| error.to_string())?.kind.into()
            else {
                continue;
            };
            if matches!(kind, ObjectKind::FreeBusy | ObjectKind::Availability) {
                continue;
            }
            let made = by_mapi(&object)?;
            before.extend(seen(&object)?);
            after.extend(seen(&made)?);
        }
    }
    Ok(vec![
        ("comes back", difference(&sample.lines(), &unfolded(text.as_bytes()))),
        ("by MAPI", difference(&before, &after)),
    ])
}

/// The objects of a file that has several, as an import stores them; a message without its method.
fn objects(calendar: &Component) -> Vec<Component> {
    let mut uids: Vec<String> = Vec::new();
    let uid = |component: &Component| component.text("UID").unwrap_or_default();
    for component in calendar.components.iter().filter(|component| !component.is("VTIMEZONE")) {
        if !uids.contains(&uid(component)) {
            uids.push(uid(component));
        }
    }
    uids.into_iter()
        .map(|own| {
            let mut object = calendar.clone();
            object.remove("METHOD");
            object.components.retain(|component| component.is("VTIMEZONE") || uid(component) == own);
            object
        })
        .collect()
}

/// The calendar that the properties of the item alone make; on the way, all that must hold for the item.
fn by_mapi(object: &Component) -> Result<Component, String> {
    let item = from_icalendar(object, &context()).map_err(|error| error.to_string())?;
    let mut stored = item.clone();
    stored.properties = Bag::decode(&item.properties.encode()).map_err(|error| error.to_string())?;
    stored.properties.set(tags::LAST_MODIFICATION_TIME, FileTime::from_unix(1_900_000_000));
    let elsewhere = Context { owner: String::new(), zone: TimeZone::named("Asia/Tokyo").expect("a zone") };
    let same = to_icalendar(&stored, &elsewhere).to_string();
    if same != object.to_string() {
        return Err(format!("the kept text is another one:\n{same}"));
    }
    let mut bare = item.clone();
    bare.properties.remove(KEPT_ICALENDAR);
    for attachment in &mut bare.attachments {
        attachment.properties.remove(KEPT_ATTACHMENT);
    }
    let made = to_icalendar(&bare, &context()).to_string();
    let made = Component::parse(made.as_bytes(), &Limits::default()).map_err(|error| error.to_string())?;
    let again = from_icalendar(&made, &context()).map_err(|error| format!("{error}\n{made}"))?;
    for key in KEYS {
        let (had, has) = (item.properties.get(key.clone()), again.properties.get(key.clone()));
        if had != has {
            return Err(format!("{key} was {had:?} and is {has:?}\n{made}"));
        }
    }
    for tag in [tags::SUBJECT, tags::BODY, tags::IMPORTANCE, tags::SENSITIVITY, tags::DISPLAY_TO] {
        let (had, has) = (item.properties.get(tag), again.properties.get(tag));
        let is_made_of_html = tag == tags::BODY && had.is_none() && item.html().is_some();
        if had != has && !is_made_of_html {
            return Err(format!("{tag:?} was {had:?} and is {has:?}\n{made}"));
        }
    }
    if again.recipients != item.recipients {
        return Err(format!("other recipients\n{made}"));
    }
    Ok(made)
}

const KEYS: [kontor_model::property::PropertyName; 14] = [
    named::APPOINTMENT_START_WHOLE,
    named::APPOINTMENT_END_WHOLE,
    named::APPOINTMENT_SUB_TYPE,
    named::BUSY_STATUS,
    named::CLEAN_GLOBAL_OBJECT_ID,
    named::GLOBAL_OBJECT_ID,
    named::REMINDER_SET,
    named::REMINDER_DELTA,
    named::TASK_START_DATE,
    named::TASK_DUE_DATE,
    named::PERCENT_COMPLETE,
    named::LOG_START,
    named::LOCATION,
    named::APPOINTMENT_STATE_FLAGS,
];

/// What is shown, line by line.
fn seen(calendar: &Component) -> Result<Vec<String>, String> {
    let object = CalendarObject::check(calendar).map_err(|error| error.to_string())?;
    let zones = CalendarZones::of(calendar, context().zone);
    let mut out = vec![format!("{:?} {}", object.kind, object.uid)];
    let parts: Vec<&Component> = object.master.iter().chain(&object.overrides).copied().collect();
    let first = parts
        .iter()
        .flat_map(|part| ["DTSTART", "DUE"].map(|name| part.time(name).and_then(Result::ok)))
        .flatten()
        .map(|time| zones.to_unix(&time))
        .min();
    if let Some(master) = object.master {
        out.extend(facts(master, object.kind, &zones));
    }
    // In MAPI a task has days; of a journal entry all that matters is said already.
    let Some(first) = first.filter(|_| object.kind != ObjectKind::Journal) else { return Ok(out) };
    let window = first - 7 * DAY..first + YEARS * 366 * DAY;
    let found = instances(&object, &zones, window, recurrence::Limits::default());
    for instance in found.map_err(|error| error.to_string())?.iter().take(MOST_INSTANCES) {
        let length = (instance.unix.end - instance.unix.start) / 60;
        let day = if instance.start.is_date() { " all day" } else { "" };
        out.push(format!("at {} for {length} min{day}", utc(instance.unix.start)));
        if !object.master.is_some_and(|master| std::ptr::eq(master, instance.component)) {
            let facts = facts(instance.component, object.kind, &zones);
            out.extend(facts.into_iter().map(|fact| format!("  {fact}")));
        }
    }
    Ok(out)
}

fn utc(unix: i64) -> String {
    clock(unix).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn facts(component: &Component, kind: ObjectKind, zones: &CalendarZones) -> Vec<String> {
    let mut out = Vec::new();
    let text = |name: &str| component.text(name).unwrap_or_default();
    for name in ["SUMMARY", "LOCATION", "DESCRIPTION"] {
        let text = text(name);
        let is_seen = name != "LOCATION" || kind == ObjectKind::Event;
        if is_seen && !text.is_empty() {
            out.push(format!("{}: {text:?}", name.to_lowercase()));
        }
    }
    let mut categories = component.text_list("CATEGORIES");
    categories.retain(|category| !category.is_empty());
    if !categories.is_empty() {
        out.push(format!("categories: {categories:?}"));
    }
    let class = text("CLASS").trim().to_uppercase();
    if !matches!(class.as_str(), "" | "PUBLIC") {
        out.push(format!("class: {class}"));
    }
    match text("PRIORITY").trim().parse() {
        Ok(1u8..=4) => out.push("important".to_owned()),
        Ok(6..=9) => out.push("unimportant".to_owned()),
        _ => {}
    }
    let html = component
        .properties_named("X-ALT-DESC")
        .next()
        .filter(|html| html.parameter("FMTTYPE") == Some("text/html"));
    out.extend(html.map(|html| format!("html: {:?}", html.text())));
    let status = text("STATUS").trim().to_uppercase();
    match kind {
        ObjectKind::Event => {
            let busy = text("X-MICROSOFT-CDO-BUSYSTATUS").trim().to_uppercase();
            let busy = match busy.as_str() {
                "" if text("TRANSP").trim().eq_ignore_ascii_case("TRANSPARENT") => "FREE",
                "" if status == "TENTATIVE" => "TENTATIVE",
                "" => "BUSY",
                said => said,
            };
            out.push(format!("shown as {busy}"));
            if status == "CANCELLED" {
                out.push("cancelled".to_owned());
            }
            out.extend(people(component));
        }
        ObjectKind::Todo => out.extend(task(component, &status)),
        ObjectKind::Journal => {
            let time = component.time("DTSTART").and_then(Result::ok);
            out.extend(time.map(|time| match time {
                CalendarTime::Date(day) => format!("on {day}"),
                time => format!("at {}", utc(zones.to_unix(&time))),
            }));
        }
        _ => {}
    }
    let alarms = component
        .components_named("VALARM")
        .filter(|alarm| alarm.property("X-APPLE-DEFAULT-ALARM").is_none());
    out.extend(alarms.map(|alarm| {
        let action = alarm.text("ACTION").unwrap_or_default().to_uppercase();
        let is_reminder = matches!(action.as_str(), "AUDIO" | "DISPLAY" | "");
        format!("{}: {}", if is_reminder { "reminder" } else { &action }, when(alarm, component, zones))
    }));
    for property in
        component.properties_named("ATTACH").filter(|property| property.parameter("ENCODING").is_some())
    {
        out.push(format!("attached: {} octets", property.binary(1 << 20).map_or(0, |octets| octets.len())));
    }
    out
}

/// How many minutes after the beginning an alarm goes off.
fn when(alarm: &Component, component: &Component, zones: &CalendarZones) -> String {
    let unix = |name: &str| component.time(name).and_then(Result::ok).map(|time| zones.to_unix(&time));
    let Some(trigger) = alarm.property("TRIGGER") else { return "never".to_owned() };
    let Some(start) = unix("DTSTART").or_else(|| unix("DUE")) else { return trigger.value.clone() };
    let seconds = match (trigger.duration(), trigger.time()) {
        (Ok(duration), _) => {
            let length = component.property("DURATION").and_then(|length| length.duration().ok());
            let length = length.map_or(0, |length| length.to_seconds());
            let end = unix("DTEND").or_else(|| unix("DUE")).unwrap_or(start + length);
            let is_of_end = trigger.parameter("RELATED").is_some_and(|from| from.eq_ignore_ascii_case("END"));
            duration.to_seconds() + if is_of_end { end - start } else { 0 }
        }
        (_, Ok(time)) => zones.to_unix(&time) - start,
        _ => return trigger.value.clone(),
    };
    format!("{} min", seconds / 60)
}

fn people(component: &Component) -> Vec<String> {
    let address = |property: &Property| {
        let own = property.address().email();
        let own = own.or_else(|| property.parameter("EMAIL").map(str::to_owned));
        own.unwrap_or_else(|| property.value.clone()).to_lowercase()
    };
    let organizer = component.property("ORGANIZER");
    let mut out = Vec::new();
    if let Some(organizer) = organizer {
        out.push(format!(
            "organizer: {} <{}>",
            organizer.parameter("CN").unwrap_or_default(),
            address(organizer)
        ));
    }
    for attendee in component.properties_named("ATTENDEE") {
        let says = |name: &str, default: &str| attendee.parameter(name).unwrap_or(default).to_uppercase();
        let is_organizer = organizer.is_some_and(|organizer| address(organizer) == address(attendee));
        if !is_organizer {
            let cutype = says("CUTYPE", "INDIVIDUAL");
            out.push(format!(
                "attendee: {} <{}> {} {} {}",
                attendee.parameter("CN").unwrap_or_default(),
                address(attendee),
                cutype.replace("ROOM", "RESOURCE"),
                says("ROLE", if cutype == "INDIVIDUAL" { "REQ-PARTICIPANT" } else { "" }),
                says("PARTSTAT", "NEEDS-ACTION"),
            ));
        }
    }
    out
}

fn task(component: &Component, status: &str) -> Vec<String> {
    let percent =
        component.property("PERCENT-COMPLETE").and_then(|percent| percent.value.trim().parse().ok());
    let percent: u8 = percent.unwrap_or(0);
    let status = match status {
        "" if percent == 100 || component.property("COMPLETED").is_some() => "COMPLETED",
        "" if percent > 0 => "IN-PROCESS",
        "" => "NEEDS-ACTION",
        said => said,
    };
    let percent = if status == "COMPLETED" { 100 } else { percent };
    let mut out = vec![format!("{status}, {percent}%")];
    for name in ["DTSTART", "DUE", "COMPLETED"] {
        let time = match component.time(name) {
            Some(Ok(time)) => time,
            _ if name == "DUE" && component.property("DURATION").is_some() => {
                let (Some(Ok(start)), Some(Ok(length))) =
                    (component.time("DTSTART"), component.property("DURATION").map(Property::duration))
                else {
                    continue;
                };
                let wall = kontor_model::time_zone::wall_seconds(start.local());
                start.with_local(clock(wall + length.to_seconds()))
            }
            _ => continue,
        };
        // Of a completed task, a program shows the day.
        let shown = match &time {
            time if name == "COMPLETED" => time.date().to_string(),
            CalendarTime::Date(day) => day.to_string(),
            time => format!("{} {}", time.local(), time.zone().unwrap_or_default()),
        };
        out.push(format!("{name}: {shown}"));
    }
    out
}

const DAY: i64 = 86_400;
const YEARS: i64 = 5;
const MOST_INSTANCES: usize = 40;
