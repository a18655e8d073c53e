use kontor_model::icalendar::Limits as CalendarLimits;

use super::*;
use crate::Limits;
use crate::request::Report;

fn calendar(components: &str) -> Component {
    let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{components}END:VCALENDAR\n");
    Component::parse(text.as_bytes(), &CalendarLimits::default()).unwrap()
}

/// What of a calendar a `calendar-data` with this in it selects.
fn select(calendar: &Component, inner: &str) -> Component {
    select_in(calendar, inner, &TimeZone::utc()).unwrap()
}

fn select_in(calendar: &Component, inner: &str, floating: &TimeZone) -> Result<Component, TooMuch> {
    let body = format!(
        "<C:calendar-multiget xmlns='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><prop><C:calendar-data>{inner}\
         </C:calendar-data></prop><href>/x</href></C:calendar-multiget>"
    );
    match Report::parse(body.as_bytes(), &Limits::default()) {
        Ok(Report::CalendarMultiget(get)) => get.data.unwrap().select(calendar, floating),
        other => panic!("{other:?}"),
    }
}

fn range(name: &str, start: &str, end: &str) -> String {
    format!("<C:{name} start='2026{start}T000000Z' end='2026{end}T000000Z'/>")
}

/// The properties of a name in every component, with their parameters.
fn lines(calendar: &Component, name: &str) -> Vec<String> {
    let all = calendar.components.iter().flat_map(|component| component.properties_named(name));
    all.map(|property| property.to_string().trim_end().to_owned()).collect()
}

fn series() -> Component {
    calendar(
        "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nEND:VTIMEZONE\n\
         BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin;X-A=b:20260327T090000\nDTEND;TZID=Europe/Berlin:20260327T100000\n\
         RRULE:FREQ=DAILY;COUNT=5\nEXDATE;TZID=Europe/Berlin:20260328T090000\nSUMMARY:Plain\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20260330T090000\n\
         DTSTART;TZID=Europe/Berlin:20260330T150000\nDURATION:PT2H\nSUMMARY:Moved\nEND:VEVENT\n",
    )
}

#[test]
fn series_are_expanded_into_instances_in_utc() {
    let expanded = select(&series(), &range("expand", "0327", "0331"));
    assert_eq!(expanded.properties.len(), 2);
    assert!(expanded.component("VTIMEZONE").is_none());
    // The clocks change on the 29th.
    let starts =
        ["DTSTART;X-A=b:20260327T080000Z", "DTSTART;X-A=b:20260329T070000Z", "DTSTART:20260330T130000Z"];
    assert_eq!(lines(&expanded, "DTSTART"), starts);
    assert_eq!(lines(&expanded, "DTEND"), ["DTEND:20260327T090000Z", "DTEND:20260329T080000Z"]);
    assert_eq!(lines(&expanded, "DURATION"), ["DURATION:PT2H"]);
    let ids =
        ["20260327T080000Z", "20260329T070000Z", "20260330T070000Z"].map(|id| format!("RECURRENCE-ID:{id}"));
    assert_eq!(lines(&expanded, "RECURRENCE-ID"), ids);
    assert_eq!(lines(&expanded, "SUMMARY"), ["SUMMARY:Plain", "SUMMARY:Plain", "SUMMARY:Moved"]);
    assert!(lines(&expanded, "RRULE").is_empty() && lines(&expanded, "EXDATE").is_empty());
}

#[test]
fn days_and_floating_times_stay_what_they_are() {
    let days = calendar(
        "BEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20260327\nDTEND;VALUE=DATE:20260329\nRRULE:FREQ=WEEKLY;COUNT=2\n\
         EXDATE;VALUE=DATE:20260327\nEND:VEVENT\n",
    );
    let berlin = TimeZone::iana("Europe/Berlin").unwrap();
    let expanded = select_in(&days, &range("expand", "0301", "0501"), &berlin).unwrap();
    assert_eq!(lines(&expanded, "DTSTART"), ["DTSTART;VALUE=DATE:20260403"]);
    assert_eq!(lines(&expanded, "DTEND"), ["DTEND;VALUE=DATE:20260405"]);
    assert_eq!(lines(&expanded, "RECURRENCE-ID"), ["RECURRENCE-ID;VALUE=DATE:20260403"]);
    let floating =
        calendar("BEGIN:VEVENT\nUID:1\nDTSTART:20260327T090000\nDTEND:20260327T100000\nEND:VEVENT\n");
    let expanded = select_in(&floating, &range("expand", "0301", "0501"), &berlin).unwrap();
    assert_eq!(lines(&expanded, "DTEND"), ["DTEND:20260327T100000"]);
    assert!(lines(&expanded, "RECURRENCE-ID").is_empty());
    let outside = select(&floating, &range("expand", "0401", "0501"));
    assert!(outside.components.is_empty());
    let task = calendar("BEGIN:VTODO\nUID:1\nSUMMARY:Any time\nEND:VTODO\n");
    assert_eq!(select(&task, &range("expand", "0401", "0501")), task);
    let dense = calendar("BEGIN:VEVENT\nUID:1\nDTSTART:20260327T090000\nRRULE:FREQ=SECONDLY\nEND:VEVENT\n");
    assert_eq!(select_in(&dense, &range("expand", "0301", "0501"), &berlin), Err(TooMuch));
    let long = format!("DTSTART:20260301T090000\nRRULE:FREQ=HOURLY\nDESCRIPTION:{}", "a".repeat(50_000));
    let long = calendar(&format!("BEGIN:VEVENT\nUID:1\n{long}\nEND:VEVENT\n"));
    assert_eq!(select_in(&long, &range("expand", "0301", "0401"), &berlin), Err(TooMuch));
}

#[test]
fn changed_instances_are_limited_to_a_range() {
    let series = series();
    let summaries =
        |start, end| lines(&select(&series, &range("limit-recurrence-set", start, end)), "SUMMARY");
    assert_eq!(summaries("0330", "0331"), ["SUMMARY:Plain", "SUMMARY:Moved"]);
    assert_eq!(summaries("0331", "0401"), ["SUMMARY:Plain"]);
    // Where it was before counts too.
    let moved = calendar(
        "BEGIN:VEVENT\nUID:1\nDTSTART:20260101T090000Z\nDTEND:20260101T100000Z\nRRULE:FREQ=DAILY\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20260110T090000Z\nDTSTART:20260601T090000Z\nSUMMARY:Far\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260120T090000Z\nDTSTART:20260120T110000Z\n\
         SUMMARY:Later\nEND:VEVENT\n",
    );
    let limited = |start, end| lines(&select(&moved, &range("limit-recurrence-set", start, end)), "SUMMARY");
    assert_eq!(limited("0110", "0111"), ["SUMMARY:Far"]);
    assert_eq!(limited("0111", "0112"), Vec::<String>::new());
    assert_eq!(limited("0201", "0202"), ["SUMMARY:Later"]);
    assert_eq!(limited("0601", "0602"), ["SUMMARY:Far", "SUMMARY:Later"]);
}

#[test]
fn busy_times_are_limited_to_a_range() {
    let busy = calendar(
        "BEGIN:VFREEBUSY\nUID:1\nFREEBUSY:20260110T100000Z/PT1H,20260210T100000Z/20260210T110000Z\n\
         FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260310T100000Z/PT1H\nEND:VFREEBUSY\n",
    );
    let limited = select(&busy, &range("limit-freebusy-set", "0201", "0301"));
    assert_eq!(lines(&limited, "FREEBUSY"), ["FREEBUSY:20260210T100000Z/20260210T110000Z"]);
}

#[test]
fn components_and_properties_are_selected() {
    let comp = concat!(
        "<C:comp name='VCALENDAR'><C:prop name='VERSION'/><C:comp name='VEVENT'><C:prop name='summary'/>",
        "<C:prop name='UID' novalue='yes'/></C:comp></C:comp>"
    );
    let text = select(&series(), comp).to_string();
    let event = |summary| format!("BEGIN:VEVENT\r\nUID:\r\nSUMMARY:{summary}\r\nEND:VEVENT\r\n");
    let expected =
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}{}END:VCALENDAR\r\n", event("Plain"), event("Moved"));
    assert_eq!(text, expected);
    let all = "<C:comp name='VCALENDAR'><C:allprop/><C:allcomp/></C:comp>";
    assert_eq!(select(&series(), all), series());
    let both = format!(
        "<C:comp name='VCALENDAR'><C:comp name='VEVENT'><C:prop name='DTSTART'/></C:comp></C:comp>{}",
        range("expand", "0327", "0328")
    );
    let both = select(&series(), &both);
    assert_eq!(lines(&both, "DTSTART"), ["DTSTART;X-A=b:20260327T080000Z"]);
    assert!(CalendarData::default().is_whole());
}
