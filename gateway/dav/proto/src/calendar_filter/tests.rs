use kontor_model::icalendar::Limits as CalendarLimits;
use kontor_model::time_zone::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::Limits;
use crate::request::{CalendarData, RecurrenceSelection, Report};
use crate::time_range::{EARLIEST, LATEST};

fn calendar(components: &str) -> Component {
    let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{components}END:VCALENDAR\n");
    Component::parse(text.as_bytes(), &CalendarLimits::default()).unwrap()
}

fn one(name: &str, lines: &str) -> Component {
    calendar(&format!("BEGIN:{name}\nUID:1\n{lines}\nEND:{name}\n"))
}

/// Whether a calendar matches what a `VCALENDAR` filter holds, in short names: `c` comp-filter, `p` prop-filter,
/// `a` param-filter, `t` text-match, `r` time-range, `n` is-not-defined.
fn matches(calendar: &Component, filter: &str) -> bool {
    matches_in(calendar, filter, &TimeZone::utc())
}

fn matches_in(calendar: &Component, filter: &str, floating: &TimeZone) -> bool {
    let mut filter = filter.to_owned();
    for (short, long) in [
        ("c", "comp-filter"),
        ("p", "prop-filter"),
        ("a", "param-filter"),
        ("t", "text-match"),
        ("r", "time-range"),
        ("n", "is-not-defined"),
    ] {
        for end in [" ", ">", "/"] {
            filter = filter.replace(&format!("<{short}{end}"), &format!("<{long}{end}"));
        }
        filter = filter.replace(&format!("</{short}>"), &format!("</{long}>"));
    }
    let body = format!(
        "<calendar-query xmlns='urn:ietf:params:xml:ns:caldav'><filter><comp-filter name='VCALENDAR'>{filter}\
         </comp-filter></filter></calendar-query>"
    );
    match Report::parse(body.as_bytes(), &Limits::default()) {
        Ok(Report::CalendarQuery(query)) => query.filter.matches(calendar, floating),
        other => panic!("{body}\n{other:?}"),
    }
}

/// Whether the component of a name is in a range; the ends are e.g. `0101T00`, of 2026, or empty.
fn in_range(calendar: &Component, name: &str, start: &str, end: &str) -> bool {
    matches(calendar, &format!("<c name='{name}'>{}</c>", range(start, end)))
}

fn range(start: &str, end: &str) -> String {
    let end_of =
        |name, at: &str| if at.is_empty() { String::new() } else { format!(" {name}='2026{at}0000Z'") };
    format!("<r{}{}/>", end_of("start", start), end_of("end", end))
}

#[test]
fn components_are_there_or_not() {
    let event = one("VEVENT", "DTSTART:20260101T100000Z\nSUMMARY:Tea");
    assert!(
        matches(&event, "") && matches(&event, "<c name='vevent'/>") && !matches(&event, "<c name='VTODO'/>")
    );
    assert!(matches(&event, "<c name='VTODO'><n/></c>") && !matches(&event, "<c name='VEVENT'><n/></c>"));
    assert!(matches(&event, "<p name='VERSION'><t>2.0</t></p>"));
    assert!(matches(&event, "<c name='VEVENT'><c name='VALARM'><n/></c></c>"));
    assert!(!matches(&event, "<c name='VEVENT'><c name='VALARM'/></c>"));
    assert!(
        !CompFilter { name: "VCALENDAR".into(), test: CompTest::NotDefined }
            .matches(&event, &TimeZone::utc())
    );
}

#[test]
fn properties_and_parameters() {
    let event = one(
        "VEVENT",
        "DTSTART:20260101T100000Z\nSUMMARY:Tea\\, green\nATTENDEE;PARTSTAT=ACCEPTED;CN=Ann:mailto:ann@x\n\
         ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bob@x\nRDATE;VALUE=PERIOD:20260301T100000Z/PT1H",
    );
    let has = |inner: &str| matches(&event, &format!("<c name='VEVENT'>{inner}</c>"));
    assert!(has("<p name='SUMMARY'/>") && !has("<p name='LOCATION'/>") && has("<p name='LOCATION'><n/></p>"));
    assert!(has("<p name='SUMMARY'><t>tea, GREEN</t></p>"));
    assert!(!has("<p name='SUMMARY'><t collation='i;octet'>tea</t></p>"));
    assert!(!has("<p name='SUMMARY'><t negate-condition='yes'>tea</t></p>"));
    assert!(has("<p name='SUMMARY'><t negate-condition='yes'>coffee</t></p>"));
    assert!(has("<p name='ATTENDEE'><t>bob</t><a name='PARTSTAT'><t>NEEDS-ACTION</t></a></p>"));
    assert!(!has("<p name='ATTENDEE'><t>ann</t><a name='PARTSTAT'><t>NEEDS-ACTION</t></a></p>"));
    assert!(has("<p name='ATTENDEE'><t>bob</t><a name='CN'><n/></a></p>"));
    assert!(!has("<p name='ATTENDEE'><t>bob</t><a name='CN'/></p>"));
    let in_property = |name: &str, start, end| has(&format!("<p name='{name}'>{}</p>", range(start, end)));
    assert!(in_property("DTSTART", "0101T10", "0101T11") && !in_property("DTSTART", "0101T11", ""));
    assert!(!in_property("DTSTART", "", "0101T10"));
    assert!(in_property("RDATE", "0301T10", "") && !in_property("RDATE", "0301T11", ""));
    assert!(!in_property("SUMMARY", "0101T00", ""));
}

#[test]
fn events_in_ranges() {
    let timed = one("VEVENT", "DTSTART:20260110T100000Z\nDTEND:20260110T120000Z");
    assert!(
        in_range(&timed, "VEVENT", "0110T11", "0110T13") && in_range(&timed, "VEVENT", "0110T09", "0110T11")
    );
    assert!(
        !in_range(&timed, "VEVENT", "0110T12", "0110T13")
            && !in_range(&timed, "VEVENT", "0110T09", "0110T10")
    );
    assert!(in_range(&timed, "VEVENT", "0101T00", "") && in_range(&timed, "VEVENT", "", "0201T00"));
    assert!(!in_range(&timed, "VEVENT", "0111T00", "") && !in_range(&timed, "VEVENT", "", "0109T00"));
    let lasting = one("VEVENT", "DTSTART:20260110T100000Z\nDURATION:PT2H");
    assert!(
        in_range(&lasting, "VEVENT", "0110T11", "0110T13") && !in_range(&lasting, "VEVENT", "0110T12", "")
    );
    let moment = one("VEVENT", "DTSTART:20260110T100000Z");
    assert!(
        in_range(&moment, "VEVENT", "0110T10", "0110T11")
            && !in_range(&moment, "VEVENT", "0110T09", "0110T10")
    );
    let day = one("VEVENT", "DTSTART;VALUE=DATE:20260110");
    assert!(
        in_range(&day, "VEVENT", "0110T23", "0111T01") && !in_range(&day, "VEVENT", "0111T00", "0111T01")
    );
    // In another zone the day is at another time.
    let range = format!("<c name='VEVENT'>{}</c>", range("0110T23", "0111T04"));
    assert!(!matches_in(&day, &range, &TimeZone::iana("Asia/Tokyo").unwrap()));
    assert!(matches_in(&day, &range, &TimeZone::iana("America/New_York").unwrap()));
}

#[test]
fn what_recurs_is_in_the_ranges_of_its_instances() {
    let weekly = calendar(
        "BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20200106T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY\n\
         EXDATE;TZID=Europe/Berlin:20260105T090000\nSUMMARY:Plain\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20260112T090000\n\
         DTSTART;TZID=Europe/Berlin:20260114T090000\nDURATION:PT1H\nSUMMARY:Moved\nEND:VEVENT\n",
    );
    assert!(
        !in_range(&weekly, "VEVENT", "0105T00", "0106T00")
            && !in_range(&weekly, "VEVENT", "0112T00", "0113T00")
    );
    assert!(
        in_range(&weekly, "VEVENT", "0114T08", "0114T09")
            && in_range(&weekly, "VEVENT", "0119T08", "0119T09")
    );
    assert!(
        in_range(&weekly, "VEVENT", "0720T07", "0720T08")
            && !in_range(&weekly, "VEVENT", "0720T08", "0720T09")
    );
    assert!(in_range(&weekly, "VEVENT", "0120T00", "") && in_range(&weekly, "VEVENT", "", "0101T00"));
    // The conditions hold for the component that describes the instance.
    let named = |name: &str, start, end| {
        let inner = format!("<p name='SUMMARY'><t>{name}</t></p>{}", range(start, end));
        matches(&weekly, &format!("<c name='VEVENT'>{inner}</c>"))
    };
    assert!(named("Moved", "0114T00", "0115T00") && !named("Plain", "0114T00", "0115T00"));
    assert!(!named("Moved", "0119T00", "0120T00") && named("Plain", "0119T00", "0120T00"));

    let rare = one("VEVENT", "DTSTART:20200229T100000Z\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29");
    assert!(in_range(&rare, "VEVENT", "0101T00", "") && !in_range(&rare, "VEVENT", "0101T00", "1231T00"));
    let ended = one("VEVENT", "DTSTART:20200101T100000Z\nRRULE:FREQ=DAILY;COUNT=10");
    assert!(!in_range(&ended, "VEVENT", "0101T00", ""));
    let dense = one("VEVENT", "DTSTART:20200101T100000Z\nRRULE:FREQ=SECONDLY");
    assert!(in_range(&dense, "VEVENT", "0101T00", ""));
    let dated = one("VEVENT", "DTSTART:20260101T100000Z\nRDATE:20190101T100000Z,20260601T100000Z");
    assert!(in_range(&dated, "VEVENT", "0601T10", "0601T11") && !in_range(&dated, "VEVENT", "0601T11", ""));
    assert!(in_range(&dated, "VEVENT", "", "0101T10"));
}

#[test]
fn tasks_in_ranges() {
    let task = |lines: &str, start, end| in_range(&one("VTODO", lines), "VTODO", start, end);
    let lasting = "DTSTART:20260110T100000Z\nDURATION:PT2H";
    assert!(
        task(lasting, "0110T12", "0110T13") && !task(lasting, "0110T13", "") && !task(lasting, "", "0110T10")
    );
    let due = "DTSTART:20260110T100000Z\nDUE:20260110T120000Z";
    assert!(task(due, "0110T11", "0110T12") && !task(due, "0110T12", ""));
    assert!(
        task("DTSTART:20260110T100000Z", "0110T10", "") && !task("DTSTART:20260110T100000Z", "0110T11", "")
    );
    // Due alone: the end of the range counts, its start does not.
    let only_due = "DUE:20260110T100000Z";
    assert!(task(only_due, "0110T09", "0110T10") && !task(only_due, "0110T10", "0110T11"));
    assert!(task("", "0101T00", "0102T00"));
    assert!(
        task("CREATED:20260110T100000Z", "0201T00", "") && !task("CREATED:20260110T100000Z", "", "0110T10")
    );
    let done = "COMPLETED:20260110T100000Z";
    assert!(task(done, "0110T10", "0110T11") && !task(done, "0110T11", "0110T12"));
    let both = "CREATED:20260101T100000Z\nCOMPLETED:20260110T100000Z";
    assert!(task(both, "0105T00", "0106T00") && !task(both, "0111T00", ""));
    let daily = "DTSTART:20260101T100000Z\nDUE:20260101T110000Z\nRRULE:FREQ=DAILY";
    assert!(task(daily, "0301T10", "0301T11") && !task(daily, "0301T12", "0301T13"));
}

#[test]
fn other_components_in_ranges() {
    let entry = |lines: &str, start, end| in_range(&one("VJOURNAL", lines), "VJOURNAL", start, end);
    assert!(
        entry("DTSTART;VALUE=DATE:20260110", "0110T23", "")
            && !entry("DTSTART;VALUE=DATE:20260110", "0111T00", "")
    );
    assert!(
        entry("DTSTART:20260110T100000Z", "0110T10", "0110T11")
            && !entry("DTSTART:20260110T100000Z", "0110T11", "")
    );
    assert!(!entry("SUMMARY:x", "0101T00", ""));
    let busy = |lines: &str, start, end| in_range(&one("VFREEBUSY", lines), "VFREEBUSY", start, end);
    let whole = "DTSTART:20260110T100000Z\nDTEND:20260110T120000Z";
    assert!(busy(whole, "0110T12", "") && !busy(whole, "0110T13", ""));
    let periods = "FREEBUSY:20260110T100000Z/PT1H,20260110T140000Z/20260110T150000Z";
    assert!(busy(periods, "0110T14", "") && !busy(periods, "0110T11", "0110T14") && !busy("", "0101T00", ""));
    let available =
        |lines: &str, start, end| in_range(&one("VAVAILABILITY", lines), "VAVAILABILITY", start, end);
    assert!(
        available("", "0101T00", "") && available("DTSTART:20260110T100000Z\nDURATION:PT1H", "0110T10", "")
    );
    assert!(!available("DTSTART:20260110T100000Z\nDURATION:PT1H", "0110T11", ""));
    let zone = calendar("BEGIN:VTIMEZONE\nTZID:x\nEND:VTIMEZONE\n");
    assert!(!in_range(&zone, "VTIMEZONE", "0101T00", ""));
}

#[test]
fn alarms_in_ranges() {
    let rings = |event: &str, alarm: &str, start, end| {
        let lines = format!("{event}\nBEGIN:VALARM\nACTION:DISPLAY\n{alarm}\nEND:VALARM");
        let inner = format!("<c name='VALARM'>{}</c>", range(start, end));
        matches(&one("VEVENT", &lines), &format!("<c name='VEVENT'>{inner}</c>"))
    };
    let event = "DTSTART:20260110T100000Z\nDTEND:20260110T120000Z";
    assert!(
        rings(event, "TRIGGER:-PT1H", "0110T09", "0110T10") && !rings(event, "TRIGGER:-PT1H", "0110T10", "")
    );
    assert!(rings(event, "TRIGGER;RELATED=END:PT1H", "0110T13", "0110T14"));
    assert!(!rings(event, "TRIGGER;RELATED=END:PT1H", "0110T12", "0110T13"));
    let again = "TRIGGER:-PT2H\nREPEAT:2\nDURATION:PT1H";
    assert!(rings(event, again, "0110T10", "0110T11") && !rings(event, again, "0110T11", ""));
    assert!(rings(event, "TRIGGER;VALUE=DATE-TIME:20260301T000000Z", "0301T00", "0301T01"));
    assert!(!rings(event, "TRIGGER:x", "0101T00", "") && !rings(event, "ATTACH:x", "0101T00", ""));
    let daily = "DTSTART:20250101T100000Z\nRRULE:FREQ=DAILY";
    assert!(
        rings(daily, "TRIGGER:-P1W", "0601T10", "0601T11")
            && !rings(daily, "TRIGGER:-P1W", "0601T11", "0601T12")
    );
}

/// Components with values at the ends of what can be said.
fn any_component() -> impl Strategy<Value = String> {
    let name =
        prop::sample::select(vec!["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY", "VTIMEZONE"]);
    let time = || {
        prop::sample::select(vec!["00010101T000000Z", "99991231T235959", "20260110", "20260110T100000Z", "x"])
    };
    let duration = || {
        prop::sample::select(vec!["P2147483647D", "-P2147483647D", "PT2147483647S", "-PT1S", "P1W", "PT0S"])
    };
    let line = prop_oneof![
        (prop::sample::select(vec!["DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "RECURRENCE-ID;RANGE=THISANDFUTURE",
            "EXDATE", "RDATE", "CREATED", "COMPLETED"]), time()).prop_map(|(name, time)| format!("{name}:{time}\n")),
        duration().prop_map(|duration| format!("DURATION:{duration}\n")),
        (time(), duration()).prop_map(|(time, duration)| format!("FREEBUSY:{time}/{duration}\n")),
        prop::sample::select(vec!["RRULE:FREQ=DAILY\n", "RRULE:FREQ=SECONDLY\n", "RRULE:FREQ=YEARLY;COUNT=3\n"])
            .prop_map(str::to_owned),
        (duration(), any::<u16>(), duration(), prop::sample::select(vec!["START", "END"])).prop_map(
            |(trigger, repeat, every, related)| format!(
                "BEGIN:VALARM\nTRIGGER;RELATED={related}:{trigger}\nREPEAT:{repeat}\nDURATION:{every}\nEND:VALARM\n"
            )
        ),
    ];
    (name, prop::collection::vec(line, 0..6))
        .prop_map(|(name, lines)| format!("BEGIN:{name}\nUID:1\n{}END:{name}\n", lines.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_calendar_panics(components in prop::collection::vec(any_component(), 0..4)) {
        let calendar = calendar(&components.concat());
        let ends = ["start='20260101T000000Z'", "end='00010102T000000Z'", "start='99991231T000000Z'"];
        for end in ends {
            for name in ["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"] {
                matches(&calendar, &format!("<c name='{name}'><r {end}/></c>"));
                matches(&calendar, &format!("<c name='{name}'><c name='VALARM'><r {end}/></c></c>"));
                matches(&calendar, &format!("<c name='{name}'><p name='DTSTART'><r {end}/></p></c>"));
            }
        }
        for range in [0..i64::from(u32::MAX), EARLIEST..LATEST] {
            for recurrence in [RecurrenceSelection::Expand(range.clone()), RecurrenceSelection::Limit(range.clone())] {
                let data = CalendarData {
                    recurrence: Some(recurrence),
                    limit_freebusy_set: Some(range.clone()),
                    comp: None,
                };
                let _ = data.select(&calendar, &TimeZone::utc());
            }
        }
    }
}
