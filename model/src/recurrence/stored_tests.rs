use proptest::prelude::*;

use super::*;
use crate::icalendar::value::{CalendarTime, Recur};
use crate::recurrence::stored::StoredFrequency;

fn stored(rule: &str, start: &str) -> Option<RecurrencePattern> {
    let start = CalendarTime::parse(start, None).expect("a time").local();
    RecurrencePattern::of_rule(&rule.parse().expect("a rule"), start, Limits::default())
}

/// A weekly one on Mondays, as Outlook writes it: from Monday 26 March 2007, every week, 12 times.
#[test]
fn a_weekly_pattern_has_these_octets() {
    let weekly = stored("FREQ=WEEKLY;BYDAY=MO;COUNT=12;WKST=SU", "20070326T100000").expect("one");
    let octets = weekly.write();
    let head = [0x04, 0x30, 0x04, 0x30, 0x0B, 0x20, 0x01, 0x00, 0x00, 0x00];
    assert_eq!(octets[..10], head);
    // FirstDateTime is the Sunday before, modulo a week: 1601 began on a Monday.
    assert_eq!((weekly.first, weekly.period), (8640, 1));
    assert_eq!(octets[22..26], [2, 0, 0, 0], "Monday");
    assert_eq!(octets[26..30], [0x22, 0x20, 0, 0]);
    assert_eq!((weekly.count, weekly.start), (12, 213_655_680));
    assert_eq!(weekly.last - weekly.start, 11 * 7 * 1440);
    assert_eq!(octets.len(), 54);
    assert_eq!(RecurrencePattern::read(&octets), Ok(weekly));
}

#[test]
fn rules_come_back() {
    let start = "20260105T093000";
    for (rule, again) in [
        ("FREQ=DAILY", "FREQ=DAILY"),
        ("FREQ=DAILY;INTERVAL=3;COUNT=4", "FREQ=DAILY;COUNT=4;INTERVAL=3"),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("FREQ=WEEKLY;INTERVAL=2;UNTIL=20260301", "FREQ=WEEKLY;UNTIL=20260216;INTERVAL=2;BYDAY=MO"),
        ("FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=5"),
        ("FREQ=MONTHLY;BYDAY=1MO", "FREQ=MONTHLY;BYDAY=1MO"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=3", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=3"),
        ("FREQ=YEARLY;INTERVAL=2", "FREQ=YEARLY;INTERVAL=2;BYMONTH=1;BYMONTHDAY=5"),
        ("FREQ=YEARLY;BYMONTH=1;BYDAY=1MO", "FREQ=YEARLY;BYMONTH=1;BYDAY=1MO"),
    ] {
        let mut again: Recur = again.parse().expect("a rule");
        let found =
            stored(rule, start).and_then(|pattern| pattern.to_rule()).unwrap_or_else(|| panic!("{rule}"));
        again.by_day.sort_by_key(|day| day.weekday.to_sunday_zero_offset());
        assert_eq!(found, again, "{rule}");
    }
    let last = stored("FREQ=MONTHLY;BYMONTHDAY=-1", "20260131T093000").expect("one");
    assert_eq!(
        (last.pattern, last.to_rule()),
        (Pattern::Month(31), "FREQ=MONTHLY;BYMONTHDAY=-1".parse().ok())
    );
}

#[test]
fn what_mapi_cannot_say_is_not_said() {
    let start = "20260105T093000";
    for rule in [
        "FREQ=HOURLY",
        "FREQ=DAILY;BYHOUR=9,10",
        "FREQ=DAILY;BYMONTH=1",
        "FREQ=DAILY;INTERVAL=2;BYDAY=MO",
        "FREQ=WEEKLY;BYDAY=TU",
        "FREQ=MONTHLY;BYMONTHDAY=5,20",
        "FREQ=MONTHLY;BYDAY=5MO",
        "FREQ=MONTHLY;BYDAY=2MO",
        "FREQ=MONTHLY;BYDAY=1MO,3MO",
        "FREQ=YEARLY;BYDAY=1MO",
        "FREQ=YEARLY;BYMONTHDAY=5",
        "FREQ=YEARLY;BYMONTH=1,6",
        "FREQ=YEARLY;BYWEEKNO=2",
        "FREQ=YEARLY;BYYEARDAY=5",
        "FREQ=DAILY;COUNT=20000",
    ] {
        assert_eq!(stored(rule, start), None, "{rule}");
    }
    // Not in February by the rule, on its last day by MAPI.
    assert_eq!(stored("FREQ=MONTHLY;BYMONTHDAY=30", "20260130T093000"), None);
    assert_eq!(stored("FREQ=YEARLY", "20240229T093000"), None);
}

prop_compose! {
    fn any_exception()(
        times in any::<[u32; 3]>(),
        texts in proptest::option::of("[ -~äß€]{0,20}"),
        location in proptest::option::of("[ -~äß€]{0,20}"),
        numbers in any::<[Option<u32>; 7]>(),
        has_body: bool,
        change_highlight: u32,
    ) -> ExceptionInfo {
        let [start, end, original_start] = times;
        let [meeting_type, reminder_delta, reminder_set, busy_status, attachment, sub_type, color] = numbers;
        ExceptionInfo {
            start, end, original_start, subject: texts, meeting_type, reminder_delta, reminder_set, location, busy_status,
            attachment, sub_type, color, has_body, change_highlight,
        }
    }
}

fn any_pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![
        Just(Pattern::Day),
        any::<u32>().prop_map(Pattern::Week),
        any::<u32>().prop_map(Pattern::Month),
        any::<u32>().prop_map(Pattern::HijriMonthEnd),
        any::<(u32, u32)>().prop_map(|(weekdays, nth)| Pattern::MonthNth { weekdays, nth }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        pattern in any_pattern(),
        numbers in any::<[u32; 6]>(),
        lists in any::<[Vec<u32>; 2]>(),
        exceptions in proptest::collection::vec(any_exception(), 0..4),
        reserved in any::<[Vec<u8>; 2]>(),
    ) {
        let [first, period, count, first_weekday, start, last] = numbers;
        let [deleted, modified] = lists;
        let [reserved1, reserved2] = reserved;
        let pattern = RecurrencePattern {
            frequency: StoredFrequency::Monthly, pattern, calendar: 1, first, period, sliding: first % 2 == 0, end: End::Date,
            count, first_weekday, deleted, modified, start, last,
        };
        let whole = StoredRecurrence {
            pattern, version: StoredRecurrence::VERSION, start_offset: 5, end_offset: 9, exceptions, reserved1, reserved2,
        };
        let octets = whole.write();
        prop_assert_eq!(StoredRecurrence::read(&octets), Ok(whole));
        for length in 0..octets.len() {
            let _ = StoredRecurrence::read(&octets[..length]);
        }
    }

    #[test]
    fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..120)) {
        let head = [0x04, 0x30, 0x04, 0x30, 0x0B, 0x20, 0x01, 0x00, 0x00, 0x00];
        let _ = StoredRecurrence::read(&octets);
        if let Ok(found) = StoredRecurrence::read(&[&head[..], &octets].concat()) {
            let _ = found.pattern.to_rule();
        }
    }

    /// What MAPI says of a rule gives the same days.
    #[test]
    fn both_forms_give_the_same_days(
        frequency in proptest::sample::select(vec!["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
        interval in 1..5u32,
        part in proptest::sample::select(vec![
            "", "BYDAY=MO,FR", "BYDAY=-1FR", "BYDAY=2TU", "BYMONTHDAY=-1", "BYMONTHDAY=28,29,30;BYSETPOS=-1", "BYMONTH=3;BYDAY=1SU",
            "BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        ]),
        day in 0..20_000i64,
    ) {
        let rule: Recur = format!("FREQ={frequency};INTERVAL={interval};COUNT=12;{part}").parse().expect("a rule");
        // The first day that the rule gives itself.
        let start = crate::time_zone::clock(day * 86_400 + 3600);
        let Some(Ok(start)) = Occurrences::new(&rule, start, Limits::default()).nth(1) else { return Ok(()) };
        if let Some(pattern) = RecurrencePattern::of_rule(&rule, start, Limits::default()) {
            let again = pattern.to_rule().expect("a rule");
            let all = |rule: &Recur| Occurrences::new(rule, start, Limits::default()).collect::<Result<Vec<_>, _>>();
            prop_assert_eq!(all(&rule), all(&again), "{}", again);
        }
    }
}
