//! Birthdays and anniversaries of contacts as events of a calendar (RFC 6350 §6.2.5, §6.2.6).
//!
//! Each is one all-day event that recurs every year and takes no time. The 29th of February is on the last day of
//! February, so in other than leap years on the 28th. A day without a year begins in 1972, the first leap year that
//! every client can count from; a date without a day or a month is no day to celebrate.
//!
//! ```
//! use kontor_model::birthday::days;
//! use kontor_model::vcard::{Limits, VCard};
//!
//! let text = b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada Byron\r\nBDAY:18151210\r\nEND:VCARD\r\n";
//! let card = VCard::parse(text, &Limits::default()).expect("a vCard");
//! let day = days(&card).pop().expect("a birthday");
//! let calendar = day.to_calendar("1@example.org", 0).to_string();
//! assert!(calendar.contains("SUMMARY:Ada Byron (born 1815)\r\n") && calendar.contains("RRULE:FREQ=YEARLY\r\n"));
//! ```

use crate::icalendar::{Component, Property};
use crate::time_zone::clock;
use crate::vcard::{PartialDate, VCard};

/// What is celebrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Occasion {
    /// `BDAY`
    Birthday,
    /// `ANNIVERSARY`, or what 3.0 has for it.
    Anniversary,
}

impl Occasion {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Birthday, Self::Anniversary];

    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Birthday => "birthday",
            Self::Anniversary => "anniversary",
        }
    }
}

/// A day of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Celebration {
    /// Of which kind.
    pub occasion: Occasion,
    /// Of whom.
    pub name: String,
    year: Option<u16>,
    month: u8,
    day: u8,
}

/// The days in a card: at most one of each occasion. A group has none.
pub fn days(card: &VCard) -> Vec<Celebration> {
    let name = name(card);
    if name.is_empty() || card.is_group() {
        return Vec::new();
    }
    let birthday = card.all("BDAY").find_map(|property| property.date().and_then(complete));
    let anniversary = ANNIVERSARIES
        .iter()
        .flat_map(|name| card.all(name))
        .chain(card.all("X-ABDATE").filter(|property| {
            let label = property.group.as_deref().and_then(|group| card.label(group));
            label.is_some_and(|label| label.eq_ignore_ascii_case("anniversary"))
        }))
        .find_map(|property| property.date().and_then(complete));
    let of = |occasion, found: Option<(Option<u16>, u8, u8)>| {
        found.map(|(year, month, day)| Celebration { occasion, name: name.clone(), year, month, day })
    };
    of(Occasion::Birthday, birthday).into_iter().chain(of(Occasion::Anniversary, anniversary)).collect()
}

/// What a card calls its person.
fn name(card: &VCard) -> String {
    let of_parts = || {
        let parts: Vec<String> =
            card.first("N")?.components().into_iter().map(crate::vcard::unescape).collect();
        let part = |at: usize| parts.get(at).map(|part| part.trim()).unwrap_or_default();
        Some(format!("{} {}", part(1), part(0)).trim().to_owned()).filter(|name| !name.is_empty())
    };
    let texts = ["FN", "NICKNAME", "ORG", "EMAIL"];
    let found = card.text("FN").or_else(of_parts);
    let found = found.or_else(|| texts.iter().find_map(|name| card.text(name)));
    found.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Year, month and day of a date that has the latter two.
fn complete(date: PartialDate) -> Option<(Option<u16>, u8, u8)> {
    // Some programs write the year that stands for none without saying so.
    let year = date.year.filter(|year| *year != PartialDate::NO_YEAR && *year > 0);
    Some((year, date.month?, date.day?))
}

impl Celebration {
    /// The event, in a calendar of its own. `stamp` is Unix seconds, when its contact came; the same arguments give the
    /// same octets.
    pub fn to_calendar(&self, uid: &str, stamp: i64) -> Component {
        let mut event = Component::new("VEVENT");
        event.push(Property::with_text("UID", uid));
        event.push(Property::new("DTSTAMP", clock(stamp).strftime("%Y%m%dT%H%M%SZ").to_string()));
        let year = self.year.unwrap_or(WITHOUT_YEAR);
        let start = format!("{year:04}{:02}{:02}", self.month, self.day);
        event.push(Property::new("DTSTART", start).with_parameter("VALUE", "DATE"));
        event.push(Property::new("DURATION", "P1D"));
        let rule = if (self.month, self.day) == (2, 29) {
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"
        } else {
            "FREQ=YEARLY"
        };
        event.push(Property::new("RRULE", rule));
        event.push(Property::with_text("SUMMARY", &self.summary()));
        event.push(Property::with_text("CATEGORIES", self.category()));
        event.push(Property::new("CLASS", "PRIVATE"));
        event.push(Property::new("TRANSP", "TRANSPARENT"));
        event.push(Property::new("X-MICROSOFT-CDO-BUSYSTATUS", "FREE"));
        let mut calendar = Component::new("VCALENDAR");
        calendar.push(Property::new("VERSION", "2.0"));
        calendar.push(Property::new("PRODID", "-//Kontor//Birthdays//EN"));
        calendar.components.push(event);
        calendar
    }

    fn summary(&self) -> String {
        let name = &self.name;
        match (self.occasion, self.year) {
            (Occasion::Birthday, Some(year)) => format!("{name} (born {year})"),
            (Occasion::Birthday, None) => format!("{name} (birthday)"),
            (Occasion::Anniversary, Some(year)) => format!("{name} (anniversary, {year})"),
            (Occasion::Anniversary, None) => format!("{name} (anniversary)"),
        }
    }

    const fn category(&self) -> &'static str {
        match self.occasion {
            Occasion::Birthday => "Birthday",
            Occasion::Anniversary => "Anniversary",
        }
    }
}

const ANNIVERSARIES: [&str; 4] =
    ["ANNIVERSARY", "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY", "X-MS-ANNIVERSARY"];
const WITHOUT_YEAR: u16 = 1972;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::icalendar::CalendarObject;
    use crate::recurrence::{Limits as RecurrenceLimits, instances};
    use crate::time_zone::{CalendarZones, TimeZone};
    use crate::vcard::Limits;

    fn card(lines: &str) -> VCard {
        let text = format!("BEGIN:VCARD\r\nVERSION:3.0\r\n{}\r\nEND:VCARD\r\n", lines.replace('|', "\r\n"));
        VCard::parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    fn summaries(lines: &str) -> Vec<String> {
        days(&card(lines)).iter().map(Celebration::summary).collect()
    }

    #[test]
    fn what_cards_say() {
        for (lines, expected) in [
            ("FN:Anna Muster|BDAY:1980-05-06", vec!["Anna Muster (born 1980)"]),
            ("FN:Anna|BDAY;VALUE=date-time:1980-05-06T00:00:00Z", vec!["Anna (born 1980)"]),
            ("FN:Anna|BDAY:--0506", vec!["Anna (birthday)"]),
            ("FN:Anna|BDAY;X-APPLE-OMIT-YEAR=1604:1604-05-06", vec!["Anna (birthday)"]),
            ("FN:Anna|BDAY:1604-05-06", vec!["Anna (birthday)"]),
            ("FN:Anna|BDAY:0000-05-06", vec!["Anna (birthday)"]),
            ("FN:Anna|BDAY:1980|X-ANNIVERSARY:2005-07-01", vec!["Anna (anniversary, 2005)"]),
            ("FN:Anna|BDAY:1980-01-02|ANNIVERSARY:--0701", vec!["Anna (born 1980)", "Anna (anniversary)"]),
            (
                "FN:Anna|item1.X-ABDATE:2005-07-01|item1.X-ABLabel:_$!<Anniversary>!$_",
                vec!["Anna (anniversary, 2005)"],
            ),
            ("FN:Anna|item1.X-ABDATE:2005-07-01|item1.X-ABLabel:First day", vec![]),
            ("FN:|N:Muster;Anna;;;|BDAY:1980-01-02", vec!["Anna Muster (born 1980)"]),
            ("FN:Team|X-ADDRESSBOOKSERVER-KIND:group|BDAY:1980-01-02", vec![]),
            ("BDAY:1980-01-02", vec![]),
            ("FN:Anna|BDAY;VALUE=text:circa 1800", vec![]),
        ] {
            assert_eq!(summaries(lines), expected, "{lines}");
        }
    }

    fn starts(lines: &str, years: std::ops::Range<i64>) -> Vec<String> {
        let calendar = days(&card(lines)).pop().unwrap().to_calendar("1", 1_700_000_000);
        let object = CalendarObject::check(&calendar).unwrap();
        let zones = CalendarZones::of(&calendar, TimeZone::utc());
        let year = |year: i64| (year - 1970) * 31_556_952;
        let found =
            instances(&object, &zones, year(years.start)..year(years.end), RecurrenceLimits::default());
        found.unwrap().iter().map(|instance| instance.start.date().to_string()).collect()
    }

    #[test]
    fn every_year_on_the_day() {
        assert_eq!(starts("FN:A|BDAY:1940-05-06", 2024..2026), ["2024-05-06", "2025-05-06"]);
        assert_eq!(starts("FN:A|BDAY:--0506", 2024..2026), ["2024-05-06", "2025-05-06"]);
        let leap = ["2023-02-28", "2024-02-29", "2025-02-28"];
        assert_eq!(starts("FN:A|BDAY:1980-02-29", 2023..2026), leap);
        assert_eq!(starts("FN:A|BDAY:--0229", 2023..2026), leap);
    }

    #[test]
    fn nobody_is_busy_with_it_and_nothing_rings() {
        let day = days(&card("FN:A\\, B\\; C|BDAY:1980-05-06")).pop().unwrap();
        let calendar = day.to_calendar("1", 0);
        let event = calendar.component("VEVENT").unwrap();
        assert_eq!(event.text("SUMMARY").as_deref(), Some("A, B; C (born 1980)"));
        assert_eq!(event.property("TRANSP").unwrap().value, "TRANSPARENT");
        assert!(event.components.is_empty());
        let object = CalendarObject::check(&calendar).unwrap();
        let zones = CalendarZones::of(&calendar, TimeZone::utc());
        let busy = crate::free_busy::busy_times(
            &object,
            &zones,
            1_700_000_000..1_800_000_000,
            "a@x",
            RecurrenceLimits::default(),
        );
        assert!(busy.unwrap().is_empty());
    }
}
