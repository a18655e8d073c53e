use std::fmt::Write as _;

use jiff::civil::{DateTime, Weekday, date, datetime};
use proptest::prelude::*;

use super::value::*;
use super::*;

fn parse(text: &str) -> Component {
    Component::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn event(lines: &str) -> Component {
    let text = format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
    parse(&text).components.remove(0)
}

/// As Outlook writes a series.
const OUTLOOK: &str = "BEGIN:VCALENDAR\r
PRODID:-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN\r
VERSION:2.0\r
X-MS-OLK-FORCEINSPECTOROPEN:TRUE\r
BEGIN:VTIMEZONE\r
TZID:W. Europe Standard Time\r
BEGIN:STANDARD\r
DTSTART:16011028T030000\r
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r
TZOFFSETFROM:+0200\r
TZOFFSETTO:+0100\r
END:STANDARD\r
END:VTIMEZONE\r
BEGIN:VEVENT\r
ATTENDEE;CN=\"Ruiz, Ana\";RSVP=TRUE:mailto:ana@example.org\r
DTSTART;TZID=\"W. Europe Standard Time\":20240304T090000\r
DESCRIPTION:Erste Zeile\\n\\nZweite Zeile mit Umlauten äöü und einem ziemlich\r
\x20 langen Ende\\, das gefaltet ist.\\n\r
UID:040000008200E00074C5B7101A82E008000000\r
X-ALT-DESC;FMTTYPE=text/html:<html><body>a\\nb</body></html>\r
BEGIN:VALARM\r
TRIGGER:-PT15M\r
ACTION:DISPLAY\r
END:VALARM\r
END:VEVENT\r
END:VCALENDAR\r
";

#[test]
fn a_series_of_outlook_comes_apart_and_back() {
    let calendar = parse(OUTLOOK);
    let event = calendar.component("vevent").unwrap();
    let attendee = event.property("ATTENDEE").unwrap();
    assert_eq!(attendee.parameter("cn"), Some("Ruiz, Ana"));
    assert_eq!(attendee.address().email().as_deref(), Some("ana@example.org"));
    let start = CalendarTime::Zoned(datetime(2024, 3, 4, 9, 0, 0, 0), "W. Europe Standard Time".into());
    assert_eq!(event.time("DTSTART"), Some(Ok(start)));
    let description = event.text("DESCRIPTION").unwrap();
    assert!(description.ends_with("einem ziemlich langen Ende, das gefaltet ist.\n"), "{description}");
    let trigger = event.component("VALARM").unwrap().property("TRIGGER").unwrap();
    assert_eq!(trigger.duration(), Ok(Duration::from_seconds(-900)));
    assert_eq!(parse(&calendar.to_string()), calendar);
}

#[test]
fn lines_that_products_fold_wrongly_are_joined() {
    let long = "x".repeat(60);
    let text = format!("DESCRIPTION:{long}ABC\r\nandthis goes on\r\nSUMMARY:S");
    assert_eq!(event(&text).text("DESCRIPTION"), Some(format!("{long}ABCandthis goes on")));
    // A text with line ends in it.
    let event = event("DESCRIPTION:Agenda\r\n- first: one\r\nhttp://example.org/a\r\nNote: two\r\nSUMMARY:S");
    assert_eq!(event.text("DESCRIPTION").unwrap(), "Agenda\n- first: one\nhttp://example.org/a\nNote: two");
    assert_eq!(event.text("SUMMARY").as_deref(), Some("S"));
}

#[test]
fn a_fold_within_a_character_and_other_line_ends() {
    let mut text = b"\xef\xbb\xbfBEGIN:VCALENDAR\nSUMMARY:gr\xc3\n \xbc\xc3\x9fe\r\rX-OLD:caf\xe9\r\r\n\tteria\nbegin:vevent\nend:VEVENT\n".to_vec();
    text.extend_from_slice(b"END:VCALENDAR\n\n");
    let calendar = Component::parse(&text, &Limits::default()).unwrap();
    assert_eq!(calendar.text("SUMMARY").as_deref(), Some("grüße"));
    assert_eq!(calendar.text("X-OLD").as_deref(), Some("caféteria"));
    assert_eq!(calendar.components.len(), 1);
}

#[test]
fn parameters_in_every_form() {
    let event = event(
        "ATTENDEE;MEMBER=\"mailto:a@x.org\",\"mailto:b@x.org\";CN=^'Bo^' ^^ ^n^x;RSVP;;X-E=:mailto:c@x.org\r\n\
         DTSTART;TZID=(UTC+01:00) Amsterdam, Berlin:20240101T100000\r\n\
         SUMMARY;CN=\"open:a:b\r\nX-EMPTY",
    );
    let attendee = &event.properties[0];
    assert_eq!(attendee.parameter_values("MEMBER"), ["mailto:a@x.org", "mailto:b@x.org"]);
    assert_eq!(attendee.parameter("CN"), Some("\"Bo\" ^ \n^x"));
    assert_eq!((attendee.parameter("RSVP"), attendee.parameter("X-E")), (Some(""), Some("")));
    assert_eq!(attendee.value, "mailto:c@x.org");
    let start = event.time("DTSTART").unwrap().unwrap();
    assert_eq!(start.zone(), Some("(UTC+01:00) Amsterdam, Berlin"));
    assert_eq!(event.properties[2].parameter("CN"), Some("\"open"));
    assert_eq!(event.properties[2].value, "a:b\\nX-EMPTY");
    let written = attendee.to_string();
    assert!(written.contains("CN=^'Bo^' ^^ ^n^^x"), "{written}");
}

#[test]
fn folding_keeps_to_75_octets_and_to_characters() {
    let property = Property::with_text("SUMMARY", &"ä€𝄞 ".repeat(40));
    let written = property.to_string();
    assert!(written.split("\r\n").all(|line| line.len() <= 75));
    assert!(written.split("\r\n ").count() > 3);
    assert_eq!(event(written.trim_end_matches("\r\n")).text("SUMMARY"), Some("ä€𝄞 ".repeat(40)));
}

#[test]
fn what_would_break_out_of_a_line_does_not() {
    let mut property = Property::new("X A:B", "1\r\nATTENDEE:x\0").with_parameter("p;q", "a\r\n\"b");
    property.parameters[0].values.push("c,d".into());
    assert_eq!(property.to_string(), "X-A-B;p-q=a^n^'b,\"c,d\":1\\nATTENDEE:x\r\n");
}

#[test]
fn limits_end_in_errors() {
    let limits = Limits {
        octets: 600,
        lines: 30,
        depth: 2,
        components: 3,
        properties: 4,
        parameters: 2,
        parameter_values: 2,
    };
    let what = |lines: &str| match Component::parse(format!("BEGIN:A\n{lines}END:A\n").as_bytes(), &limits) {
        Err(Error::Limit { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(what(&"X:1\n ".repeat(200)), "octets");
    assert_eq!(what(&"\n".repeat(40)), "lines");
    assert_eq!(what("BEGIN:B\nBEGIN:C\nEND:C\nEND:B\n"), "components within components");
    assert_eq!(what(&"BEGIN:B\nEND:B\n".repeat(3)), "components");
    assert_eq!(what(&"X:1\n".repeat(5)), "properties");
    assert_eq!(what("X;A=1;B=2;C=3:1\n"), "parameters");
    assert_eq!(what("X;A=1,2,3:1\n"), "values of a parameter");
}

#[test]
fn what_is_no_calendar_is_an_error() {
    let parse = |text: &str| Component::parse(text.as_bytes(), &Limits::default());
    assert_eq!(parse(""), Err(Error::NotOne(0)));
    assert_eq!(parse("hello"), Err(Error::NoComponent { line: 1 }));
    assert_eq!(parse("SUMMARY:x"), Err(Error::NoComponent { line: 1 }));
    assert_eq!(parse("BEGIN:A\nX:1"), Err(Error::Unclosed));
    assert_eq!(parse("BEGIN:A\nEND:B"), Err(Error::Mismatch { line: 2 }));
    assert_eq!(parse("BEGIN:A\nEND:A\nBEGIN:A\nEND:A"), Err(Error::NotOne(2)));
}

#[test]
fn times_and_durations_are_read_as_they_are_met() {
    let read = |text: &str| CalendarTime::parse(text, Some("Z1"));
    assert_eq!(read("20240229"), Ok(CalendarTime::Date(date(2024, 2, 29))));
    assert_eq!(read("19700101T000000Z"), Ok(CalendarTime::Utc(datetime(1970, 1, 1, 0, 0, 0, 0))));
    assert_eq!(read("2024-02-29T12:30:60").unwrap().local(), datetime(2024, 2, 29, 12, 30, 59, 0));
    assert_eq!(read("20240229T1230").unwrap().to_string(), "20240229T123000");
    for wrong in ["", "20240230", "20240229T250000", "2024022", "20240229T", "２０２４０２２９", "+0240229"]
    {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    for (text, days, seconds, written) in [
        ("P7D", 7, 0, "P1W"),
        ("-P1DT2H", -1, -7200, "-P1DT2H"),
        ("PT0S", 0, 0, "PT0S"),
        ("+P2W1DT5S", 15, 5, "P15DT5S"),
        ("PT1H5S", 0, 3605, "PT1H0M5S"),
    ] {
        let duration: Duration = text.parse().unwrap();
        assert_eq!((duration.days, duration.seconds), (days, seconds), "{text}");
        assert_eq!(duration.to_string(), written);
    }
    for wrong in ["", "P", "PT5D", "P5", "5D", "P99999999999D", "PTä"] {
        // A bare `P` says nothing.
        assert!(wrong.parse::<Duration>().is_err(), "{wrong}");
    }
    let offsets =
        ["+0100", "-0330", "+053045", "01:00", "-00"].map(|text| text.parse::<UtcOffset>().unwrap());
    assert_eq!(offsets.map(UtcOffset::seconds), [3600, -12_600, 19_845, 3600, 0]);
    assert_eq!(offsets.map(|offset| offset.to_string()), ["+0100", "-0330", "+053045", "+0100", "+0000"]);
    let period = Period::parse("20240101T100000Z/PT1H", None).unwrap();
    assert_eq!(period.end, PeriodEnd::Duration(Duration::from_seconds(3600)));
    assert_eq!(period.to_string(), "20240101T100000Z/PT1H");
}

#[test]
fn texts_addresses_and_octets() {
    assert_eq!(split_texts("a\\,b,c\\\\,d"), ["a,b", "c\\", "d"]);
    assert_eq!(split_structured("2.0;Success\\;;"), ["2.0", "Success;", ""]);
    assert_eq!(escape("a\r\nb;c\\"), "a\\nb\\;c\\\\");
    let email = |text: &str| CalAddress::parse(text).email();
    assert_eq!(email("MAILTO:a%2Bb@x.org?subject=1").as_deref(), Some("a+b@x.org"));
    assert_eq!(email("a@x.org").as_deref(), Some("a@x.org"));
    assert_eq!(email("invalid:nomail"), None);
    assert_eq!(email("/principals/users/a@b/"), None);
    assert_eq!(CalAddress::from_email("50%@x.org").email().as_deref(), Some("50%@x.org"));
    assert_eq!(decode_binary("aGk\n=", 10), Ok(b"hi".to_vec()));
    assert_eq!(decode_binary(&encode_binary(&[7; 100]), 99), Err(ValueError("BINARY of this length")));
}

#[test]
fn rules_are_read_and_written() {
    for text in [
        "FREQ=DAILY",
        "FREQ=YEARLY;COUNT=3;INTERVAL=2;BYDAY=-1SU,20MO;BYMONTH=10,1",
        "FREQ=MONTHLY;UNTIL=20251231T230000Z;BYMONTHDAY=-1,15;BYSETPOS=-1;WKST=SU",
        "FREQ=SECONDLY;BYSECOND=0,60;BYMINUTE=59;BYHOUR=23;BYYEARDAY=-366;BYWEEKNO=53",
        "FREQ=YEARLY;RSCALE=CHINESE;SKIP=FORWARD",
    ] {
        let rule: Recur = text.parse().unwrap();
        assert_eq!(rule.to_string(), text);
    }
    let rule: Recur = "freq=weekly;interval=0;count=0;byday=mo, we;until=20240101".parse().unwrap();
    assert_eq!((rule.interval, rule.count), (1, None));
    assert_eq!(rule.by_day[1], ByDay { nth: None, weekday: Weekday::Wednesday });
    for wrong in
        ["", "FREQ=NEVER", "INTERVAL=2", "FREQ=DAILY;BYHOUR=24", "FREQ=DAILY;BYMONTHDAY=0", "FREQ=DAILY;X"]
    {
        assert!(wrong.parse::<Recur>().is_err(), "{wrong}");
    }
}

fn object(body: &str) -> Component {
    parse(&format!("BEGIN:VCALENDAR\nVERSION:2.0\n{body}END:VCALENDAR\n"))
}

const ONE: &str = "BEGIN:VEVENT\nUID:a\nDTSTART:20240101T100000Z\nEND:VEVENT\n";

#[test]
fn a_resource_is_one_object() {
    let other = ONE.replace("UID:a\n", "UID:a\nRECURRENCE-ID:20240102T100000Z\n");
    let calendar = object(&format!("BEGIN:VTIMEZONE\nTZID:X\nEND:VTIMEZONE\n{ONE}{other}"));
    let checked = CalendarObject::check(&calendar).unwrap();
    assert_eq!((checked.uid.as_str(), checked.kind), ("a", ObjectKind::Event));
    assert!(checked.master.is_some() && checked.overrides.len() == 1);

    let refused = |body: &str| CalendarObject::check(&object(body)).unwrap_err();
    let resource = |body: &str| matches!(refused(body), ObjectError::Resource(_));
    let data = |body: &str| matches!(refused(body), ObjectError::Data(_));
    assert!(resource(""));
    assert!(resource(&format!("METHOD:REQUEST\n{ONE}")));
    assert!(resource(&format!("{ONE}{ONE}")));
    assert!(resource(&format!("{other}{other}")));
    assert!(resource(&format!("{ONE}{}", other.replace("UID:a", "UID:b"))));
    assert!(resource(&format!("{ONE}{}", other.replace("VEVENT", "VTODO"))));
    assert!(resource(&ONE.replace("UID:a\n", "")));
    assert!(data(&ONE.replace("DTSTART", "X-START")));
    assert!(data(&ONE.replace("20240101T", "20241301T")));
    assert!(data(&ONE.replace("UID", "RRULE:FREQ=X\nUID")));
    assert!(data(&ONE.replace("UID", "DURATION:PT1H\nDTEND:20240101T110000Z\nUID")));
    assert_eq!(refused("BEGIN:VFOO\nUID:1\nEND:VFOO\n"), ObjectError::Component);
    assert_eq!(
        CalendarObject::check(&parse("BEGIN:VCALENDAR\nEND:VCALENDAR")),
        Err(ObjectError::Data("not VERSION:2.0"))
    );
}

#[test]
fn setting_keeps_the_place() {
    let mut event = event("A:1\r\nB:2\r\nA:3\r\nC:4");
    event.set(Property::new("a", "9"));
    event.set(Property::new("D", "5"));
    let mut shown = String::new();
    for property in &event.properties {
        write!(shown, "{}{} ", property.name, property.value).unwrap();
    }
    assert_eq!(shown, "a9 B2 C4 D5 ");
}

fn names() -> impl Strategy<Value = String> {
    "[A-Z][A-Z0-9-]{0,12}".prop_filter("delimiters", |name| name != "BEGIN" && name != "END")
}

prop_compose! {
    fn properties()(
        name in names(),
        parameters in proptest::collection::vec((names(), proptest::collection::vec("[^\\x00-\\x08\\x0b-\\x1f\\x7f]{0,20}", 1..3)), 0..3),
        value in "[^\\x00-\\x1f\\x7f]{0,120}",
    ) -> Property {
        let parameters = parameters.into_iter().map(|(name, values)| Parameter { name, values }).collect();
        Property { name, parameters, value }
    }
}

fn components() -> impl Strategy<Value = Component> {
    let leaf = (names(), proptest::collection::vec(properties(), 0..4))
        .prop_map(|(name, properties)| Component { name, properties, components: Vec::new() });
    leaf.prop_recursive(3, 12, 3, |inner| {
        (names(), proptest::collection::vec(properties(), 0..3), proptest::collection::vec(inner, 0..3))
            .prop_map(|(name, properties, components)| Component { name, properties, components })
    })
}

proptest! {
    #[test]
    fn written_components_read_the_same(component in components()) {
        let written = component.to_string();
        prop_assert!(written.split("\r\n").all(|line| line.len() <= 75));
        prop_assert_eq!(Component::parse(written.as_bytes(), &Limits::default()), Ok(component));
    }

    #[test]
    fn texts_come_back(texts in proptest::collection::vec("[^\r]{1,30}", 1..5)) {
        let property = Property::with_texts("CATEGORIES", texts.iter().map(String::as_str));
        prop_assert_eq!(split_texts(&property.value), texts);
    }

    #[test]
    fn anything_is_an_error_or_stable(input in "(BEGIN:A\n)?([A-Zx;:=\"\\\\, \t\r\n^nä]{0,40}\n)*(END:A\n)?") {
        if let Ok(component) = Component::parse(input.as_bytes(), &Limits::default()) {
            let again = Component::parse(component.to_string().as_bytes(), &Limits::default());
            prop_assert_eq!(again, Ok(component));
        }
    }

    #[test]
    fn times_come_back(seconds in 0i64..200_000_000_000, form in 0..4) {
        let unix = jiff::Timestamp::from_second(seconds).unwrap();
        let local: DateTime = jiff::tz::TimeZone::UTC.to_datetime(unix);
        let time = match form {
            0 => CalendarTime::Date(local.date()),
            1 => CalendarTime::Floating(local),
            2 => CalendarTime::Utc(local),
            _ => CalendarTime::Zoned(local, "Somewhere".into()),
        };
        let property = Property::with_time("DTSTART", &time);
        prop_assert_eq!(property.time(), Ok(time));
    }

    #[test]
    fn durations_come_back(days in -1000i32..1000, seconds in 0i64..1_000_000) {
        let duration = Duration { days, seconds: if days < 0 { -seconds } else { seconds } };
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
    }

    #[test]
    fn no_value_panics(text in "\\PC{0,30}|[-+PTWDHMS0-9/;=,A-Z]{0,30}") {
        let _ = (CalendarTime::parse(&text, None), Period::parse(&text, None), text.parse::<Duration>());
        let _ = (text.parse::<UtcOffset>(), text.parse::<Recur>(), CalAddress::parse(&text).email());
        let _ = decode_binary(&text, 10);
    }
}
