//! A whole collection as one text: a calendar as one iCalendar object, an address book as a stream of cards.

use std::collections::HashMap;

use kontor_model::icalendar::{Component, Property};
use kontor_model::time_zone::TimeZone;

/// Puts calendar objects together. Each zone is written once; where two objects mean different things by one id, the
/// second of them gets another id.
#[derive(Debug, Default)]
pub(crate) struct CalendarExport {
    zones: HashMap<String, Component>,
}

impl CalendarExport {
    /// What the export begins with.
    pub fn begin(name: &str) -> String {
        let mut head = Component::new("VCALENDAR");
        head.push(Property::new("VERSION", "2.0"));
        head.push(Property::new("PRODID", "-//Kontor//DAV//EN"));
        head.push(Property::with_text("NAME", name));
        // What most programs read instead.
        head.push(Property::with_text("X-WR-CALNAME", name));
        head.to_string().trim_end_matches(END).to_owned()
    }

    /// A further object.
    pub fn add(&mut self, calendar: Component, out: &mut String) {
        let mut renamed: HashMap<String, String> = HashMap::new();
        let (zones, others): (Vec<_>, Vec<_>) =
            calendar.components.into_iter().partition(|component| component.is("VTIMEZONE"));
        for mut zone in zones {
            let Some(tzid) = zone.text("TZID") else { continue };
            let mut free = tzid.clone();
            let mut n = 1;
            let is_new = loop {
                match self.zones.get(&free) {
                    None => break true,
                    // A name that says all needs no comparison of how programs write its rules.
                    Some(known) if *known == zone || TimeZone::named(&tzid).is_some() => break false,
                    Some(_) => {
                        n += 1;
                        free = format!("{tzid} {n}");
                    }
                }
            };
            if is_new {
                self.zones.insert(free.clone(), zone.clone());
            }
            if free != tzid {
                zone.set(Property::with_text("TZID", &free));
                renamed.insert(tzid, free);
            }
            if is_new {
                out.push_str(&zone.to_string());
            }
        }
        for mut component in others {
            if !renamed.is_empty() {
                rename(&mut component, &renamed);
            }
            out.push_str(&component.to_string());
        }
    }

    /// What it ends with.
    pub const fn end() -> &'static str {
        END
    }
}

fn rename(component: &mut Component, renamed: &HashMap<String, String>) {
    for property in &mut component.properties {
        if let Some(other) = property.parameter("TZID").and_then(|tzid| renamed.get(tzid)) {
            property.set_parameter("TZID", other);
        }
    }
    component.components.iter_mut().for_each(|inner| rename(inner, renamed));
}

const END: &str = "END:VCALENDAR\r\n";

#[cfg(test)]
mod tests {
    use kontor_model::icalendar::{CalendarObject, Limits};
    use kontor_model::time_zone::CalendarZones;

    use super::*;

    fn object(uid: &str, tzid: &str, offset: &str) -> Component {
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:{tzid}\r\nBEGIN:STANDARD\r\n\
             DTSTART:19700101T000000\r\nTZOFFSETFROM:{offset}\r\nTZOFFSETTO:{offset}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n\
             BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTART;TZID={tzid}:20260101T100000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        Component::parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn zones_are_written_once_and_mean_what_they_meant() {
        let mut export = CalendarExport::default();
        let mut text = CalendarExport::begin("A; B");
        for (uid, tzid, offset) in
            [("1", "Mine", "+0100"), ("2", "Mine", "+0100"), ("3", "Mine", "+0300"), ("4", "Mine", "+0300")]
        {
            export.add(object(uid, tzid, offset), &mut text);
        }
        text.push_str(CalendarExport::end());
        let all = Component::parse(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(all.text("NAME").as_deref(), Some("A; B"));
        assert_eq!(all.components_named("VTIMEZONE").count(), 2);
        let zones = CalendarZones::of(&all, TimeZone::utc());
        let hours: Vec<i64> = all
            .components_named("VEVENT")
            .map(|event| zones.to_unix(&event.time("DTSTART").unwrap().unwrap()) / 3600 % 24)
            .collect();
        assert_eq!(hours, [9, 9, 7, 7]);
        assert!(CalendarObject::check(&object("1", "Mine", "+0100")).is_ok());
    }
}
