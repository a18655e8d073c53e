//! Calendar objects without the zones that everybody knows (RFC 7809): what is left out of a text, and what is put in.
//! The rest of the text stays as it is, octet for octet.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{TimeZone, wall_seconds};
use crate::icalendar::{Component, Limits};

/// A calendar object without those of its VTIMEZONEs that an IANA id names.
pub fn without_known_zones(text: &str) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut rest = text;
    let mut is_changed = false;
    while let Some(begin) = find_line(rest, "BEGIN:VTIMEZONE") {
        let Some(end) = rest.get(begin..).and_then(|block| find_line(block, "END:VTIMEZONE")) else { break };
        let end = begin + end;
        let after =
            rest.get(end..).and_then(|line| line.find('\n')).map_or(rest.len(), |line| end + line + 1);
        let block = rest.get(begin..after).unwrap_or_default();
        let tzid =
            Component::parse(block.as_bytes(), &Limits::default()).ok().and_then(|zone| zone.text("TZID"));
        let is_known = tzid.is_some_and(|tzid| TimeZone::iana(&tzid).is_some());
        kept.push_str(rest.get(..if is_known { begin } else { after }).unwrap_or_default());
        is_changed |= is_known;
        rest = rest.get(after..).unwrap_or_default();
    }
    if is_changed {
        kept.push_str(rest);
        Cow::Owned(kept)
    } else {
        Cow::Borrowed(text)
    }
}

/// A calendar object with a VTIMEZONE for each zone that it names and does not describe, of those that are known.
/// `calendar` is what `text` says.
pub fn with_missing_zones<'t>(text: &'t str, calendar: &Component) -> Cow<'t, str> {
    let mut missing = BTreeMap::new();
    let mut since = i64::MAX;
    look(calendar, &mut missing, &mut since, 0);
    for zone in calendar.components_named("VTIMEZONE") {
        missing.remove(zone.text("TZID").unwrap_or_default().as_str());
    }
    // Behind the calendar's own properties, before its first component.
    let first = find_line(text, "BEGIN:VCALENDAR").map_or(0, |begin| begin + 1);
    let at = text.get(first..).and_then(|inner| find_line(inner, "BEGIN:"));
    let (Some(at), false) = (at, missing.is_empty()) else { return Cow::Borrowed(text) };
    let (before, after) = text.split_at(first + at);
    let since = if since == i64::MAX { 0 } else { since };
    let zones = missing.iter().map(|(tzid, zone)| zone.to_vtimezone(tzid, since).to_string());
    Cow::Owned(std::iter::once(before.to_owned()).chain(zones).chain([after.to_owned()]).collect())
}

/// The zones that are named, and the earliest beginning.
fn look(component: &Component, named: &mut BTreeMap<String, TimeZone>, since: &mut i64, depth: usize) {
    if component.is("VTIMEZONE") {
        return;
    }
    if let Some(Ok(start)) = component.time("DTSTART") {
        *since = wall_seconds(start.local()).min(*since);
    }
    for tzid in component.properties.iter().filter_map(|property| property.parameter("TZID")) {
        if !named.contains_key(tzid)
            && let Some(zone) = TimeZone::named(tzid)
        {
            named.insert(tzid.to_owned(), zone);
        }
    }
    if depth < MAX_DEPTH {
        component.components.iter().for_each(|inner| look(inner, named, since, depth + 1));
    }
}

/// Where a line begins that begins so, in any case.
fn find_line(text: &str, start: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

const MAX_DEPTH: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time_zone::CalendarZones;

    fn event(zones: &str, tzid: &str) -> String {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:t\r\n{zones}BEGIN:VEVENT\r\nUID:1\r\nX-LONG:a\r\n b\r\n\
             DTSTART;TZID={tzid}:20260701T100000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    }

    fn read(text: &str) -> Component {
        Component::parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn zones_come_and_go_and_nothing_else_changes() {
        for tzid in ["Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Tokyo"] {
            let bare = event("", tzid);
            let full = with_missing_zones(&bare, &read(&bare)).into_owned();
            let calendar = read(&full);
            assert_eq!(calendar.components_named("VTIMEZONE").count(), 1, "{full}");
            // Who knows no zone by its name reads the same moment.
            let rules = TimeZone::from_vtimezone_rules(calendar.component("VTIMEZONE").unwrap()).unwrap();
            let start = calendar.component("VEVENT").unwrap().time("DTSTART").unwrap().unwrap();
            let zones = CalendarZones::of(&calendar, TimeZone::utc());
            assert_eq!(rules.to_unix(start.local()), zones.to_unix(&start), "{full}");
            assert_eq!(without_known_zones(&full), bare);
            assert!(matches!(with_missing_zones(&full, &calendar), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn zones_of_ones_own_stay() {
        let zone = TimeZone::iana("Europe/Berlin").unwrap();
        let own = event(&zone.to_vtimezone("Mine", 0).to_string(), "Mine");
        assert!(matches!(without_known_zones(&own), Cow::Borrowed(_)));
        let unknown = event("", "Nowhere");
        assert!(matches!(with_missing_zones(&unknown, &read(&unknown)), Cow::Borrowed(_)));
        // A name that is a zone's only in the words of Windows is described to who knows IANA's alone.
        let windows = event("", "Tokyo Standard Time");
        let full = with_missing_zones(&windows, &read(&windows)).into_owned();
        assert!(full.contains("TZID:Tokyo Standard Time\r\n") && full.contains("+0900"), "{full}");
        assert!(matches!(without_known_zones(&full), Cow::Borrowed(_)));
        let both = event(
            &format!("{}{}", zone.to_vtimezone("Mine", 0), zone.to_vtimezone("Europe/Berlin", 0)),
            "Mine",
        );
        assert_eq!(without_known_zones(&both), own);
        assert!(matches!(without_known_zones("BEGIN:VTIMEZONE\r\nTZID:UTC\r\n"), Cow::Borrowed(_)));
    }
}
