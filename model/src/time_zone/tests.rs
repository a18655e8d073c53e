use jiff::civil::datetime;
use proptest::prelude::*;

use super::*;
use crate::icalendar::{Component, Limits};

fn zone(name: &str) -> TimeZone {
    TimeZone::named(name).unwrap()
}

fn vtimezone(text: &str) -> Component {
    Component::parse(text.as_bytes(), &Limits::default()).unwrap()
}

/// Seconds since 1970 of a UTC clock.
fn utc(year: i16, month: i8, day: i8, hour: i8) -> i64 {
    wall_seconds(datetime(year, month, day, hour, 0, 0, 0))
}

const OUTLOOK: &str = "BEGIN:VTIMEZONE
TZID:Our own time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
";

#[test]
fn names_mean_zones() {
    for (name, id) in [
        ("europe/berlin", "Europe/Berlin"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("\"Eastern Standard Time\"", "America/New_York"),
        ("/mozilla.org/20050126_1/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("/freeassociation.sourceforge.net/Europe/Vienna", "Europe/Vienna"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("UTC", "UTC"),
        ("US/Pacific", "US/Pacific"),
    ] {
        assert_eq!(zone(name).id(), id, "{name}");
    }
    for name in ["", "Our own time", "tzone://Microsoft/Custom", "Berlin", "//", &"/x".repeat(5000)] {
        assert!(TimeZone::named(name).is_none(), "{name}");
    }
}

#[test]
fn windows_names_go_both_ways() {
    for (windows, first, others) in windows_zones::ZONES {
        let found = TimeZone::windows(windows).unwrap_or_else(|| panic!("{windows}: no {first}"));
        assert_eq!(found.windows_name(), Some(*windows));
        for other in *others {
            let other = TimeZone::iana(other).unwrap_or_else(|| panic!("no {other}"));
            assert_eq!(other.windows_name(), Some(*windows), "{}", other.id());
        }
    }
    assert_eq!(zone("Asia/Kolkata").windows_name(), Some("India Standard Time"));
    assert_eq!(zone("Asia/Calcutta").windows_name(), Some("India Standard Time"));
    assert_eq!(zone("US/Eastern").windows_name(), Some("Eastern Standard Time"));
}

#[test]
fn gaps_and_overlaps_are_read_as_the_rfc_says() {
    let own = TimeZone::from_vtimezone(&vtimezone(OUTLOOK)).unwrap();
    assert_eq!(own.iana_id(), None);
    for zone in [zone("Europe/Berlin"), own] {
        // 02:30 is skipped: read with +01:00.
        assert_eq!(zone.to_unix(datetime(2024, 3, 31, 2, 30, 0, 0)), utc(2024, 3, 31, 1) + 1800);
        // 02:30 comes twice: the first.
        assert_eq!(zone.to_unix(datetime(2024, 10, 27, 2, 30, 0, 0)), utc(2024, 10, 27, 0) + 1800);
        assert_eq!(zone.to_unix(datetime(2024, 10, 27, 3, 0, 0, 0)), utc(2024, 10, 27, 2));
        assert_eq!(zone.to_local(utc(2024, 10, 27, 1)), datetime(2024, 10, 27, 2, 0, 0, 0));
        assert_eq!(zone.offset_at(utc(2024, 1, 1, 0)), 3600);
    }
}

#[test]
fn own_rules_agree_with_the_database() {
    let own = TimeZone::from_vtimezone(&vtimezone(OUTLOOK)).unwrap();
    let berlin = zone("Europe/Berlin");
    let (from, until) = (utc(1997, 1, 1, 0), utc(2120, 1, 1, 0));
    let bare = |zone: &TimeZone| {
        let changes = zone.transitions(from, until, 1000);
        changes.into_iter().map(|c| (c.unix, c.before, c.after, c.daylight)).collect::<Vec<_>>()
    };
    assert_eq!(bare(&own), bare(&berlin));
    assert_eq!(bare(&own).len(), 2 * 123);
}

#[test]
fn names_of_a_vtimezone_outweigh_its_rules() {
    let named = OUTLOOK.replace("Our own time", "Pacific Standard Time");
    assert_eq!(TimeZone::from_vtimezone(&vtimezone(&named)).unwrap().id(), "America/Los_Angeles");
    let located = OUTLOOK.replace("BEGIN:STANDARD", "X-LIC-LOCATION:Asia/Tokyo\nBEGIN:STANDARD");
    assert_eq!(TimeZone::from_vtimezone(&vtimezone(&located)).unwrap().id(), "Asia/Tokyo");
    let none =
        vtimezone("BEGIN:VTIMEZONE\nTZID:x\nBEGIN:STANDARD\nTZOFFSETTO:?\nEND:STANDARD\nEND:VTIMEZONE");
    assert_eq!(TimeZone::from_vtimezone(&none).unwrap_err(), ZoneError::NoObservance);
}

#[test]
fn a_berlin_vtimezone_is_two_rules() {
    let text = zone("Europe/Berlin").to_vtimezone("Europe/Berlin", utc(2024, 6, 1, 0)).to_string();
    let expected = "BEGIN:VTIMEZONE\r
TZID:Europe/Berlin\r
BEGIN:DAYLIGHT\r
DTSTART:20230326T020000\r
TZOFFSETFROM:+0100\r
TZOFFSETTO:+0200\r
TZNAME:CEST\r
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r
END:DAYLIGHT\r
BEGIN:STANDARD\r
DTSTART:20231029T030000\r
TZOFFSETFROM:+0200\r
TZOFFSETTO:+0100\r
TZNAME:CET\r
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r
END:STANDARD\r
END:VTIMEZONE\r
";
    assert_eq!(text, expected);
}

/// Every zone, written and read by its rules alone, has the same offsets.
#[test]
fn every_vtimezone_means_its_zone() {
    let (mut seen, mut endless) = (0, 0);
    for name in DATABASE.available() {
        let zone = zone(name.as_str());
        for since in [utc(1975, 1, 1, 0), utc(2024, 5, 5, 5)] {
            let written = zone.to_vtimezone("x", since);
            let text = written.to_string();
            let own = TimeZone::from_vtimezone_rules(&vtimezone(&text)).unwrap();
            let mut moments = vec![since];
            let listed_only = !text.contains("RRULE") && text.contains("RDATE:205");
            endless += usize::from(!listed_only);
            let year = clock(since).year();
            let until = utc(if listed_only || year < 2000 { year + 49 } else { 2200 }, 1, 1, 0);
            for change in zone.transitions(since, until, 1000) {
                moments.extend([change.unix - 1, change.unix]);
            }
            for moment in moments {
                let seconds = zone.offset_at(moment);
                assert_eq!(own.offset_at(moment), seconds, "{} at {moment}\n{text}", name.as_str());
            }
        }
        seen += 1;
    }
    assert!(seen > 400 && endless > seen + seen * 9 / 10);
}

#[test]
fn mapi_rules_of_known_zones() {
    let rule = TimeZoneStruct::of_zone(&zone("America/New_York"), 2024);
    let expected = TimeZoneStruct {
        bias: 300,
        standard_bias: 0,
        daylight_bias: -60,
        standard_date: SystemTime { month: 11, day: 1, hour: 2, ..SystemTime::default() },
        daylight_date: SystemTime { month: 3, day: 2, hour: 2, ..SystemTime::default() },
    };
    assert_eq!(rule, expected);
    let berlin = TimeZoneStruct::of_zone(&zone("Europe/Berlin"), 2024);
    assert_eq!((berlin.bias, berlin.daylight_date.day, berlin.standard_date.hour), (-60, 5, 3));
    let sydney = TimeZoneStruct::of_zone(&zone("Australia/Sydney"), 2024);
    assert_eq!((sydney.daylight_date.month, sydney.standard_date.month), (10, 4));
    assert_eq!(
        TimeZoneStruct::of_zone(&zone("Asia/Tokyo"), 2024),
        TimeZoneStruct { bias: -540, ..TimeZoneStruct::default() }
    );
}

#[test]
fn the_octets_of_a_struct() {
    let octets = TimeZoneStruct::of_zone(&zone("America/Los_Angeles"), 2024).encode();
    let expected = [
        0xe0, 0x01, 0, 0, 0, 0, 0, 0, 0xc4, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x0b, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0,
    ];
    assert_eq!(octets, expected);
}

#[test]
fn the_octets_of_a_definition() {
    let definition = TimeZoneDefinition::of_zone(&zone("Europe/Paris"), 2024..=2030, true);
    assert_eq!(definition.key_name, "Romance Standard Time");
    assert_eq!(definition.rules.len(), 1);
    let octets = definition.encode();
    assert_eq!(octets.get(..8).unwrap(), [2, 1, 48, 0, 2, 0, 21, 0]);
    assert_eq!(octets.len(), 4 + 48 + 66);
    assert_eq!(octets.get(52..60).unwrap(), [2, 1, 0x3e, 0, 3, 0, 0x41, 0x06]);
    assert_eq!(TimeZoneDefinition::decode(&octets), Ok(definition.clone()));
    assert_eq!(definition.to_zone().unwrap().id(), "Europe/Paris");
    for cut in 0..octets.len() {
        assert_eq!(TimeZoneDefinition::decode(&octets[..cut]), Err(MapiZoneError::CutOff));
    }
    assert_eq!(TimeZoneDefinition::decode(&[1; 100]), Err(MapiZoneError::Format));
}

#[test]
fn a_definition_without_a_known_name_goes_by_its_rules() {
    let istanbul = zone("Europe/Istanbul");
    let mut definition = TimeZoneDefinition::of_zone(&istanbul, 2010..=2020, false);
    assert!(definition.rules.len() >= 3);
    definition.key_name = "Office".into();
    let own = definition.to_zone().unwrap();
    for moment in [utc(2012, 1, 5, 0), utc(2013, 7, 1, 0), utc(2018, 1, 1, 0), utc(2019, 7, 1, 0)] {
        assert_eq!(own.offset_at(moment), istanbul.offset_at(moment), "{moment}");
    }
    assert!(TimeZoneDefinition::default().to_zone().is_none());
}

#[test]
fn a_struct_is_a_zone() {
    for name in ["America/New_York", "Australia/Sydney", "Europe/London", "Asia/Kolkata"] {
        let zone = zone(name);
        let own = TimeZoneStruct::of_zone(&zone, 2024).to_zone("own");
        for day in 0..730 {
            let moment = utc(2024, 1, 1, 0) + day * DAY;
            assert_eq!(own.offset_at(moment), zone.offset_at(moment), "{name} {day}");
        }
    }
}

#[test]
fn the_zones_of_a_calendar() {
    use crate::icalendar::value::CalendarTime;
    let text = format!(
        "BEGIN:VCALENDAR\n{OUTLOOK}BEGIN:VEVENT\nDTSTART;TZID=Asia/Tokyo:20240101T000000\nEND:VEVENT\nEND:VCALENDAR"
    );
    let zones = CalendarZones::of(&vtimezone(&text), zone("America/New_York"));
    let read = |text: &str, zone| zones.to_unix(&CalendarTime::parse(text, zone).unwrap());
    assert_eq!(read("20240101T090000", Some("Asia/Tokyo")), utc(2024, 1, 1, 0));
    assert_eq!(read("20240701T090000", Some("Our own time")), utc(2024, 7, 1, 7));
    assert_eq!(read("20240701T090000", Some("unknown")), utc(2024, 7, 1, 13));
    assert_eq!(read("20240701", None), utc(2024, 7, 1, 4));
    assert_eq!(read("20240701T090000Z", None), utc(2024, 7, 1, 9));
}

proptest! {
    #[test]
    fn moments_come_back(unix in -2_000_000_000i64..6_000_000_000, which in 0..4) {
        let zone = match which {
            0 => zone("Europe/Berlin"),
            1 => zone("Australia/Lord_Howe"),
            2 => zone("America/St_Johns"),
            _ => TimeZone::from_vtimezone(&vtimezone(OUTLOOK)).unwrap(),
        };
        let back = zone.to_unix(zone.to_local(unix));
        // The second of two equal readings becomes the first.
        prop_assert!(back == unix || (zone.to_local(back) == zone.to_local(unix) && back < unix));
    }

    #[test]
    fn structs_come_back(octets in proptest::collection::vec(any::<u8>(), 48)) {
        let rule = TimeZoneStruct::decode(&octets).unwrap();
        prop_assert_eq!(TimeZoneStruct::decode(&rule.encode()), Ok(rule));
        let zone = rule.to_zone("x");
        for moment in [i64::MIN, -1, 0, 1_700_000_000, i64::MAX] {
            zone.offset_at(moment);
        }
        zone.transitions(i64::MIN, i64::MAX, 10);
    }

    #[test]
    fn no_definition_panics(octets in proptest::collection::vec(0u8..70, 0..200)) {
        let mut octets = octets;
        octets.splice(..octets.len().min(4), [2, 1, 10, 0, 2, 0, 2, 0, 65, 0, 66, 0, 1, 0, 2, 1, 0x3e, 0]);
        if let Ok(definition) = TimeZoneDefinition::decode(&octets) {
            prop_assert_eq!(TimeZoneDefinition::decode(&definition.encode()), Ok(definition.clone()));
            definition.to_zone();
        }
    }
}
