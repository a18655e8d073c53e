use jiff::civil::DateTime;
use proptest::prelude::*;

use super::*;
use crate::icalendar::value::{CalendarTime, Recur};
use crate::icalendar::{CalendarObject, Component};
use crate::time_zone::{CalendarZones, TimeZone};

fn at(text: &str) -> DateTime {
    let text = if text.len() == 13 { format!("{text}00") } else { text.to_owned() };
    CalendarTime::parse(&text, None).expect("a time").local()
}

fn times(rule: &str, start: &str, most: usize) -> Vec<String> {
    let rule: Recur = rule.parse().expect("a rule");
    let times = Occurrences::new(&rule, at(start), Limits::default()).take(most);
    times.map(|time| time.expect("within limits").strftime("%Y%m%dT%H%M").to_string()).collect()
}

/// The rules of RFC 5545 §3.8.5.3 and some more, from 2 September 1997, a Tuesday; a start beside the rule is the first.
#[test]
fn rules_give_their_times() {
    let cases = [
        ("FREQ=DAILY;COUNT=10", "19970902T0900 19970903T0900 19970904T0900 19970905T0900 19970906T0900"),
        ("FREQ=DAILY;UNTIL=19970906T000000", "19970902T0900 19970903T0900 19970904T0900 19970905T0900"),
        (
            "FREQ=DAILY;INTERVAL=10;COUNT=5",
            "19970902T0900 19970912T0900 19970922T0900 19971002T0900 19971012T0900",
        ),
        (
            "FREQ=YEARLY;UNTIL=20000131T140000;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
            "19970902T0900 19980101T0900 19980102T0900 19980103T0900 19980104T0900",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
            "19970902T0900 19970916T0900 19970930T0900 19971014T0900 19971028T0900",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000;WKST=SU;BYDAY=MO,WE,FR",
            "19970902T0900 19970903T0900 19970905T0900 19970915T0900 19970917T0900",
        ),
        (
            "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
            "19970902T0900 19970905T0900 19971003T0900 19971107T0900 19971205T0900",
        ),
        (
            "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
            "19970902T0900 19970907T0900 19970928T0900 19971102T0900 19971130T0900",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-3",
            "19970902T0900 19970928T0900 19971029T0900 19971128T0900 19971229T0900",
        ),
        (
            "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
            "19970902T0900 19970915T0900 19971002T0900 19971015T0900 19971102T0900",
        ),
        (
            "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
            "19970902T0900 19970930T0900 19971001T0900 19971031T0900 19971101T0900",
        ),
        (
            "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
            "19970902T0900 19970910T0900 19970911T0900 19970912T0900 19970913T0900",
        ),
        (
            "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
            "19970902T0900 19980602T0900 19980702T0900 19990602T0900 19990702T0900",
        ),
        (
            "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
            "19970902T0900 20000101T0900 20000409T0900 20000718T0900 20030101T0900",
        ),
        ("FREQ=YEARLY;BYDAY=20MO", "19970902T0900 19980518T0900 19990517T0900 20000515T0900 20010514T0900"),
        (
            "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
            "19970902T0900 19980511T0900 19990517T0900 20000515T0900 20010514T0900",
        ),
        (
            "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
            "19970902T0900 19980604T0900 19980611T0900 19980618T0900 19980625T0900",
        ),
        (
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
            "19970902T0900 19980213T0900 19980313T0900 19981113T0900 19990813T0900",
        ),
        (
            "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
            "19970902T0900 19970913T0900 19971011T0900 19971108T0900 19971213T0900",
        ),
        (
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            "19970902T0900 19971104T0900 20011106T0900 20051108T0900 20091103T0900",
        ),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "19970902T0900 19970904T0900 19971007T0900"),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
            "19970902T0900 19970929T0900 19971030T0900 19971127T0900 19971230T0900",
        ),
        ("FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000", "19970902T0900 19970902T1200 19970902T1500"),
        (
            "FREQ=MINUTELY;INTERVAL=15;COUNT=6",
            "19970902T0900 19970902T0915 19970902T0930 19970902T0945 19970902T1000",
        ),
        (
            "FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,20,40",
            "19970902T0900 19970902T0920 19970902T0940 19970902T1000 19970902T1020",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
            "19970902T0900 19970907T0900 19970916T0900 19970921T0900",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
            "19970902T0900 19970914T0900 19970916T0900 19970928T0900",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
            "19970902T0900 19970915T0900 19970930T0900 19971015T0900 19971030T0900",
        ),
        (
            "FREQ=MINUTELY;INTERVAL=7;BYMONTH=12;BYHOUR=23;BYDAY=SU",
            "19970902T0900 19971207T2303 19971207T2310 19971207T2317 19971207T2324",
        ),
        (
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
            "19970902T0900 20000229T0900 20040229T0900 20080229T0900 20120229T0900",
        ),
    ];
    for (rule, expected) in cases {
        let expected: Vec<_> = expected.split(' ').collect();
        assert_eq!(times(rule, "19970902T0900", 5), expected, "{rule}");
    }
}

#[test]
fn positions_are_of_the_whole_week() {
    // The second and the last day of a week that the start is in the middle of.
    let rule = "FREQ=WEEKLY;BYDAY=MO,WE,FR,SU;BYSETPOS=2,-1";
    assert_eq!(
        times(rule, "20260108T0900", 4),
        ["20260108T0900", "20260111T0900", "20260114T0900", "20260118T0900"]
    );
}

#[test]
fn a_rule_without_end_or_without_times_is_bounded() {
    let all = |rule: &str| {
        let rule: Recur = rule.parse().expect("a rule");
        Occurrences::new(&rule, at("20260101T0000"), Limits { effort: 100_000, ..Limits::default() }).last()
    };
    for rule in [
        "FREQ=SECONDLY",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;INTERVAL=2;BYMINUTE=1",
        "FREQ=DAILY;BYYEARDAY=366;BYMONTH=1;COUNT=2",
        "FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9;BYMINUTE=0,1,2,3,4,5,6,7,8,9;BYSECOND=0,1,2,3,4,5,6,7,8,9;BYMONTH=2",
    ] {
        assert_eq!(all(rule), Some(Err(TooMuch)), "{rule}");
    }
    // The calendar ends before the limits are reached.
    for rule in [
        "FREQ=YEARLY;INTERVAL=4294967295",
        "FREQ=SECONDLY;INTERVAL=4294967295;BYHOUR=25",
        "FREQ=YEARLY;INTERVAL=2000",
    ] {
        let rule = rule.replace(";BYHOUR=25", "");
        assert!(matches!(all(&rule), Some(Ok(_))), "{rule}");
    }
}

fn calendar(lines: &str) -> Component {
    let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//EN\n{lines}\nEND:VCALENDAR\n");
    Component::parse(text.as_bytes(), &crate::icalendar::Limits::default()).expect("a calendar")
}

fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT")
}

/// `start/end summary` of each instance, by the clock of Berlin.
fn seen(calendar: &Component, from: &str, until: &str) -> Vec<String> {
    let berlin = TimeZone::iana("Europe/Berlin").expect("known");
    let zones = CalendarZones::of(calendar, berlin.clone());
    let object = CalendarObject::check(calendar).expect("one object");
    let moment = |text: &str| berlin.to_unix(at(text));
    let found =
        instances(&object, &zones, moment(from)..moment(until), Limits::default()).expect("within limits");
    let clock = |unix: i64| berlin.to_local(unix).strftime("%m%dT%H%M").to_string();
    let shown = found.iter().map(|instance| {
        let summary = instance.component.text("SUMMARY").unwrap_or_default();
        format!("{}/{} {summary}", clock(instance.unix.start), clock(instance.unix.end)).trim_end().to_owned()
    });
    shown.collect()
}

#[test]
fn clock_times_stay_across_changes_of_the_clock() {
    // Clocks go forward on 29 March 2026.
    let weekly = "DTSTART;TZID=Europe/Berlin:20260322T090000\nDTEND;TZID=Europe/Berlin:20260322T100000\nRRULE:FREQ=WEEKLY";
    let found = seen(&calendar(&event(weekly)), "20260320T0000", "20260407T0000");
    assert_eq!(found, ["0322T0900/0322T1000", "0329T0900/0329T1000", "0405T0900/0405T1000"]);
    // In UTC it is the clock of Berlin that moves.
    let weekly = "DTSTART:20260322T080000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;UNTIL=20260329T080000Z";
    let found = seen(&calendar(&event(weekly)), "20260320T0000", "20260501T0000");
    assert_eq!(found, ["0322T0900/0322T1000", "0329T1000/0329T1100"]);
    // A day is as long as the clock makes it; a night of 8 hours ends an hour later.
    let found = seen(
        &calendar(&event("DTSTART;VALUE=DATE:20260328\nRRULE:FREQ=DAILY;COUNT=3")),
        "20260301T0000",
        "20260501T0000",
    );
    assert_eq!(found, ["0328T0000/0329T0000", "0329T0000/0330T0000", "0330T0000/0331T0000"]);
    let night = "DTSTART;TZID=Europe/Berlin:20260328T220000\nDTEND;TZID=Europe/Berlin:20260329T070000\nRRULE:FREQ=DAILY;COUNT=2";
    let found = seen(&calendar(&event(night)), "20260301T0000", "20260501T0000");
    assert_eq!(found, ["0328T2200/0329T0700", "0329T2200/0330T0600"]);
    let nominal = "DTSTART;TZID=Europe/Berlin:20260328T120000\nDURATION:P1DT1H";
    assert_eq!(seen(&calendar(&event(nominal)), "20260301T0000", "20260501T0000"), ["0328T1200/0329T1300"]);
}

#[test]
fn an_until_in_utc_is_a_moment() {
    // 08:00 UTC is 09:00 in Berlin in winter: the instance of that moment is the last one.
    for (until, count) in [("20260103T080000Z", 3), ("20260103T075959Z", 2), ("20260103", 3)] {
        let lines = format!("DTSTART;TZID=Europe/Berlin:20260101T090000\nRRULE:FREQ=DAILY;UNTIL={until}");
        assert_eq!(seen(&calendar(&event(&lines)), "20251201T0000", "20260301T0000").len(), count, "{until}");
    }
}

#[test]
fn instances_are_added_left_out_and_moved() {
    let master = event(
        "SUMMARY:m\nDTSTART;TZID=Europe/Berlin:20260105T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=6\n\
         EXDATE;TZID=Europe/Berlin:20260106T090000\nEXDATE;VALUE=DATE:20260107\n\
         RDATE;TZID=Europe/Berlin:20260105T150000,20260108T090000\n\
         RDATE;VALUE=PERIOD:20260105T170000Z/PT15M",
    );
    let moved = event(
        "SUMMARY:moved\nRECURRENCE-ID:20260108T080000Z\nDTSTART;TZID=Europe/Berlin:20260201T120000\nDURATION:PT2H",
    );
    let all = calendar(&format!("{master}\n{moved}"));
    assert_eq!(
        seen(&all, "20260101T0000", "20260301T0000"),
        [
            "0105T0900/0105T1000 m",
            "0105T1500/0105T1600 m",
            "0105T1800/0105T1815 m",
            "0109T0900/0109T1000 m",
            "0110T0900/0110T1000 m",
            "0201T1200/0201T1400 moved",
        ]
    );
    // What is partly in the window is in it; what only touches it is not.
    assert_eq!(seen(&all, "20260109T0959", "20260110T0900"), ["0109T0900/0109T1000 m"]);
    assert_eq!(seen(&all, "20260109T1000", "20260110T0900"), [""; 0]);
    assert_eq!(seen(&all, "20260201T1300", "20260201T1301"), ["0201T1200/0201T1400 moved"]);
    // An attendee of one instance has nothing but that one.
    assert_eq!(seen(&calendar(&moved), "20260101T0000", "20260301T0000"), ["0201T1200/0201T1400 moved"]);
}

#[test]
fn a_change_of_this_and_all_future_ones_shifts_them() {
    let master = event(
        "SUMMARY:old\nDTSTART;TZID=Europe/Berlin:20260324T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=9",
    );
    let future = event(
        "SUMMARY:new\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260327T090000\n\
         DTSTART;TZID=Europe/Berlin:20260327T140000\nDURATION:PT30M",
    );
    let single = event(
        "SUMMARY:one\nRECURRENCE-ID;TZID=Europe/Berlin:20260330T090000\nDTSTART;TZID=Europe/Berlin:20260330T080000",
    );
    let all = calendar(&format!("{master}\n{future}\n{single}"));
    assert_eq!(
        seen(&all, "20260326T0000", "20260401T0000"),
        [
            "0326T0900/0326T1000 old",
            "0327T1400/0327T1430 new",
            "0328T1400/0328T1430 new",
            "0329T1400/0329T1430 new",
            "0330T0800/0330T0800 one",
            "0331T1400/0331T1430 new",
        ]
    );
}

#[test]
fn tasks_are_where_they_are_due() {
    let task = "BEGIN:VTODO\nUID:1\nDUE;TZID=Europe/Berlin:20260105T090000\nEND:VTODO";
    assert_eq!(seen(&calendar(task), "20260101T0000", "20260201T0000"), ["0105T0900/0105T0900"]);
    let undated = "BEGIN:VTODO\nUID:1\nEND:VTODO";
    assert_eq!(seen(&calendar(undated), "20260101T0000", "20260201T0000"), [""; 0]);
}

#[test]
fn old_and_hostile_objects_end_soon() {
    // A daily one of thirty years ago, asked for this month.
    let daily = event("DTSTART:19960101T080000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY");
    assert_eq!(seen(&calendar(&daily), "20260101T0000", "20260201T0000").len(), 31);
    // A rule without times does not look beyond the window.
    let never = event("DTSTART:20260101T080000Z\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30");
    assert_eq!(seen(&calendar(&never), "20260101T0000", "20270101T0000").len(), 1);
    let hostile = calendar(&event("DTSTART:20260101T080000Z\nRRULE:FREQ=SECONDLY"));
    let zones = CalendarZones::of(&hostile, TimeZone::utc());
    let object = CalendarObject::check(&hostile).expect("one object");
    assert_eq!(instances(&object, &zones, 0..i64::from(u32::MAX), Limits::default()), Err(TooMuch));
    assert!(instances(&object, &zones, i64::MIN..i64::MAX, Limits::default()).is_err());
}

proptest! {
    #[test]
    fn times_rise_and_may_be_entered_anywhere(
        frequency in proptest::sample::select(vec!["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"]),
        interval in 1..40u32,
        parts in proptest::sample::subsequence(vec![
            "BYMONTH=1,5,12", "BYMONTHDAY=1,-1,31", "BYDAY=MO,WE", "BYHOUR=3,22", "BYMINUTE=0,30", "BYSETPOS=1,-1", "BYYEARDAY=5,-60",
        ], 0..3),
        day in 0..20_000i64,
        skip in 0..15usize,
    ) {
        let rule: Recur = format!("FREQ={frequency};INTERVAL={interval};{}", parts.join(";")).parse().expect("a rule");
        let start = crate::time_zone::clock(day * 86_400 + day * 61);
        let limits = Limits { occurrences: 1000, effort: 30_000 };
        let all: Vec<_> = Occurrences::new(&rule, start, limits).take(30).filter_map(Result::ok).collect();
        prop_assert_eq!(all.first(), Some(&start));
        prop_assert!(all.is_sorted_by(|a, b| a < b));
        if let Some(from) = all.get(skip) {
            let entered = Occurrences::new(&rule, start, limits).from(*from).filter_map(Result::ok);
            let rest: Vec<_> = entered.filter(|time| time >= from).take(all.len() - skip).collect();
            prop_assert_eq!(&rest[..], &all[skip..]);
        }
    }

    #[test]
    fn no_rule_panics(text in "(FREQ=(YEARLY|MONTHLY|WEEKLY|DAILY|HOURLY|MINUTELY|SECONDLY))(;(INTERVAL|COUNT|BYMONTH|BYMONTHDAY|BYWEEKNO|BYYEARDAY|BYSETPOS|BYHOUR|BYMINUTE|BYSECOND)=-?[0-9]{1,3}(,[0-9]{1,2})?){0,4}(;BYDAY=-?[0-9]{0,2}(MO|SU))?", start in -62_000_000_000i64..250_000_000_000) {
        if let Ok(rule) = text.parse::<Recur>() {
            let limits = Limits { occurrences: 50, effort: 5_000 };
            Occurrences::new(&rule, crate::time_zone::clock(start), limits).for_each(drop);
        }
    }
}
