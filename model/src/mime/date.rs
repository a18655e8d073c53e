//! Dates of header fields (RFC 5322 §3.3 and §4.3), and the other forms that are met there.

use super::parameter::comment_length;

/// A moment and the zone that it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub unix: i64,
    /// Minutes east of UTC.
    pub offset: i16,
}

impl DateTime {
    /// Reads a date in RFC 5322 form, as `asctime` writes it, as IMAP writes it, or in ISO form. The weekday is not
    /// looked at. Without a time it is midnight, without a zone UTC. `None` where day, month or year is missing or
    /// impossible.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut fields = Fields::default();
        let mut rest = value.get(..MAX_LENGTH).unwrap_or(value);
        while let Some(&byte) = rest.first() {
            if byte == b'(' {
                rest = rest.get(comment_length(rest)..).unwrap_or_default();
                continue;
            }
            if byte.is_ascii_whitespace() || byte == b',' || byte == 0 {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let end = rest.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b',' | b'('));
            let (token, after) = rest.split_at(end.unwrap_or(rest.len()));
            fields.token(std::str::from_utf8(token).ok()?);
            rest = after;
        }
        fields.finish()
    }

    /// As RFC 5322 §3.3 writes it, e.g. `Thu, 1 Jan 1970 00:00:00 +0000`.
    pub fn to_rfc5322(self) -> String {
        let local = self.unix.saturating_add(i64::from(self.offset) * 60);
        let (days, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        let weekday = WEEKDAYS.get(usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0)).unwrap_or(&"Thu");
        let month = MONTHS.get(usize::try_from(month - 1).unwrap_or(0)).unwrap_or(&"Jan");
        let sign = if self.offset < 0 { '-' } else { '+' };
        let offset = self.offset.unsigned_abs();
        format!(
            "{weekday}, {day} {month} {year:04} {:02}:{:02}:{:02} {sign}{:02}{:02}",
            second / 3600,
            second / 60 % 60,
            second % 60,
            offset / 60,
            offset % 60
        )
    }
}

#[derive(Default)]
struct Fields {
    day: Option<i64>,
    month: Option<i64>,
    year: Option<i64>,
    time: Option<i64>,
    offset: Option<i16>,
    pm: Option<bool>,
}

impl Fields {
    fn token(&mut self, token: &str) {
        if token.contains(':') {
            return self.clock(token);
        }
        if let Some(zone) = zone(token)
            && self.offset.is_none()
            && (self.time.is_some() || self.year.is_some())
        {
            self.offset = Some(zone);
            return;
        }
        if let Some((first, rest)) = token.split_once(['-', '/']) {
            // 2024-02-29, 29-Feb-2024
            if first.len() == 4 && first.bytes().all(|b| b.is_ascii_digit()) {
                let (month, day) = rest.split_once(['-', '/']).unwrap_or((rest, ""));
                self.year = first.parse().ok();
                self.month = number(month).or_else(|| month_named(month));
                let digits = day.bytes().take_while(u8::is_ascii_digit).count();
                self.day = day.get(..digits).and_then(number);
            } else if !first.is_empty() {
                for piece in token.split(['-', '/']) {
                    self.token(piece);
                }
            }
            return;
        }
        if let Some(month) = month_named(token) {
            self.month.get_or_insert(month);
        } else if let Some(value) = number(token) {
            if self.day.is_none() && (1..=31).contains(&value) && token.len() <= 2 {
                self.day = Some(value);
            } else if self.year.is_none() {
                // RFC 5322 §4.3: two digits are 1950 to 2049, three count from 1900.
                self.year = Some(match token.len() {
                    1 | 2 if value < 50 => 2000 + value,
                    1..=3 => 1900 + value,
                    _ => value,
                });
            }
        } else if token.eq_ignore_ascii_case("pm") || token.eq_ignore_ascii_case("am") {
            self.pm = Some(token.eq_ignore_ascii_case("pm"));
        }
    }

    fn clock(&mut self, token: &str) {
        // 2024-02-29T12:00:00+01:00
        if let Some((date, clock)) = token.split_once(['T', 't'])
            && date.contains('-')
        {
            self.token(date);
            return self.clock(clock);
        }
        let end = token.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(token.len());
        let (clock, after) = token.split_at(end);
        let mut pieces = clock.split(':').map(|piece| number(piece.split('.').next().unwrap_or(piece)));
        let (hour, minute) = (pieces.next().flatten(), pieces.next().flatten());
        let second = pieces.next().flatten().unwrap_or(0);
        if let (Some(hour), Some(minute)) = (hour, minute)
            && self.time.is_none()
            && hour < 25
            && minute < 60
            && second < 62
        {
            self.time = Some(hour * 3600 + minute * 60 + second);
        }
        if !after.is_empty() && self.offset.is_none() {
            self.offset = zone(&after.replace(':', ""));
        }
    }

    fn finish(self) -> Option<DateTime> {
        let (year, month, day) = (self.year?, self.month?, self.day?);
        if !(1..=12).contains(&month)
            || day < 1
            || day > days_in_month(year, month)
            || !(0..=9999).contains(&year)
        {
            return None;
        }
        let mut time = self.time.unwrap_or(0);
        match self.pm {
            Some(true) if time < 12 * 3600 => time += 12 * 3600,
            Some(false) if time >= 12 * 3600 => time -= 12 * 3600,
            _ => {}
        }
        let offset = self.offset.unwrap_or(0);
        Some(DateTime {
            unix: days_from_civil(year, month, day) * 86_400 + time - i64::from(offset) * 60,
            offset,
        })
    }
}

fn number(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 6 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn month_named(text: &str) -> Option<i64> {
    let start = text.get(..3)?;
    let index = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(start))?;
    i64::try_from(index + 1).ok()
}

/// Minutes east of UTC.
fn zone(text: &str) -> Option<i16> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, text.get(1..)?),
        b'-' => (-1, text.get(1..)?),
        _ => {
            return ZONES
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(text))
                .map(|(_, hours)| hours * 60);
        }
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = match digits.len() {
        1 | 2 => (digits, "0"),
        3 | 4 => digits.split_at(digits.len() - 2),
        _ => return None,
    };
    let (hours, minutes) = (hours.parse::<i16>().ok()?, minutes.parse::<i16>().ok()?);
    if hours > 23 || minutes > 59 { None } else { Some(sign * (hours * 60 + minutes)) }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A longer value is no date.
const MAX_LENGTH: usize = 200;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const ZONES: [(&str, i16); 15] = [
    ("UT", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("Z", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
    ("CET", 1),
    ("CEST", 2),
    ("MEZ", 1),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(text: &str) -> Option<i64> {
        DateTime::parse(text.as_bytes()).map(|date| date.unix)
    }

    #[test]
    fn the_forms_that_are_met() {
        let noon = Some(1_709_208_000); // 2024-02-29T12:00:00Z
        for text in [
            "Thu, 29 Feb 2024 12:00:00 +0000",
            "Thu, 29 Feb 2024 13:00:00 +0100 (CET)",
            "29 Feb 24 07:00 EST",
            "thu,29 february 2024 12:00:00 gmt",
            "Thu Feb 29 12:00:00 2024",
            "29-Feb-2024 14:00:00 +0200",
            "2024-02-29T12:00:00Z",
            "2024-02-29 13:30:00 +0130",
            "2024-02-29T13:00:00+01:00",
            "Thu, 29 Feb 2024 12:00:00",
            "Thu, 29\r\n Feb (comment) 2024 12:00:00 -0000",
        ] {
            assert_eq!(unix(text), noon, "{text}");
        }
        assert_eq!(DateTime::parse(b"1 Jan 1970 01:00 -0330").map(|d| d.offset), Some(-210));
    }

    #[test]
    fn impossible_dates_are_none() {
        for text in
            ["", "yesterday", "30 Feb 2024 00:00:00 +0000", "1 Jan", "99 99 99", "Thu, 1 Foo 2024 00:00 Z"]
        {
            assert_eq!(unix(text), None, "{text}");
        }
        assert_eq!(DateTime::parse(b"\xff\xfe"), None);
    }

    #[test]
    fn writing_and_reading_agree() {
        for unix in [0, -1, 1_709_208_000, 253_402_214_400, 951_782_400] {
            for offset in [0, 60, -210, 765] {
                let date = DateTime { unix, offset };
                assert_eq!(
                    DateTime::parse(date.to_rfc5322().as_bytes()),
                    Some(date),
                    "{}",
                    date.to_rfc5322()
                );
            }
        }
        assert_eq!(DateTime { unix: 0, offset: 0 }.to_rfc5322(), "Thu, 1 Jan 1970 00:00:00 +0000");
    }
}
