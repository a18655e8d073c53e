//! Dates and times as IMAP writes them (RFC 9051 §9 `date`, `date-time`).

use crate::{
    ParseError,
    cursor::{Cursor, Result},
    sequence_set::write_number,
};

/// A day, as SEARCH names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Days since 1970-01-01, which may be negative.
    pub days: i32,
}

/// A moment with the zone it was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// The zone's offset from UTC in minutes.
    pub offset_minutes: i16,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Date {
    /// The day of a civil date; none if there is no such day or the year has not four digits.
    pub fn from_civil(year: i32, month: u32, day: u32) -> Option<Self> {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        if !(0..=9999).contains(&year) || day == 0 || day > length {
            return None;
        }
        // Years begin in March, so that the leap day ends one.
        let y = if month <= 2 { year - 1 } else { year };
        let era = y.div_euclid(400);
        let year_of_era = y.rem_euclid(400);
        let month = month as i32;
        let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day as i32 - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Some(Self { days: era * 146_097 + day_of_era - 719_468 })
    }

    /// Year, month (1-12) and day.
    pub fn civil(self) -> (i32, u32, u32) {
        let z = i64::from(self.days) + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year as i32, month as u32, day as u32)
    }

    /// Seconds since the epoch at this day's start in UTC.
    pub fn start(self) -> i64 {
        i64::from(self.days) * 86_400
    }

    /// `date`: `1-Feb-1994`, with or without quotes.
    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<Self> {
        let quoted = cursor.eat(b'"');
        let date = Self::parse_text(cursor)?;
        if quoted {
            cursor.expect(b'"', "expected the end of a date")?;
        }
        Ok(date)
    }

    fn parse_text(cursor: &mut Cursor<'_>) -> Result<Self> {
        let day = cursor.number()?;
        cursor.expect(b'-', "expected - in a date")?;
        let name = cursor.take_while(|b| b.is_ascii_alphabetic());
        let month = MONTHS
            .iter()
            .zip(1_u32..)
            .find(|(m, _)| m.as_bytes().eq_ignore_ascii_case(name))
            .map(|(_, number)| number)
            .ok_or(ParseError::Syntax("expected a month"))?;
        cursor.expect(b'-', "expected - in a date")?;
        let year = i32::try_from(cursor.number()?).map_err(|_| ParseError::Syntax("no such year"))?;
        Self::from_civil(year, month, day).ok_or(ParseError::Syntax("no such day"))
    }
}

impl DateTime {
    /// `date-time`: `" 1-Feb-1994 21:52:25 -0800"` with its quotes.
    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.expect(b'"', "expected a date and time")?;
        cursor.eat(b' ');
        let date = Date::parse_text(cursor)?;
        cursor.sp()?;
        let hour = cursor.number()?;
        cursor.expect(b':', "expected : in a time")?;
        let minute = cursor.number()?;
        cursor.expect(b':', "expected : in a time")?;
        let second = cursor.number()?;
        cursor.sp()?;
        let east = match cursor.advance(1) {
            [b'+'] => 1,
            [b'-'] => -1,
            _ => return Err(ParseError::Syntax("expected a zone")),
        };
        let zone = cursor.number()?;
        cursor.expect(b'"', "expected the end of a date and time")?;
        if hour > 23 || minute > 59 || second > 60 || zone > 9959 || zone % 100 > 59 {
            return Err(ParseError::Syntax("no such time"));
        }
        let offset_minutes = east * (zone / 100 * 60 + zone % 100) as i16;
        let seconds =
            date.start() + i64::from(hour * 3600 + minute * 60 + second) - i64::from(offset_minutes) * 60;
        Ok(Self { seconds, offset_minutes })
    }

    /// Appends `" 1-Feb-1994 21:52:25 -0800"` with its quotes. A moment outside the years 0-9999
    /// is written as the nearest one inside.
    pub fn write(self, out: &mut Vec<u8>) {
        const FIRST: i64 = -62_167_219_200;
        const LAST: i64 = 253_402_300_799;
        let offset = self.offset_minutes.clamp(-5999, 5999);
        let local =
            (self.seconds.clamp(FIRST - 400_000, LAST + 400_000) + i64::from(offset) * 60).clamp(FIRST, LAST);
        let date = Date { days: local.div_euclid(86_400) as i32 };
        let time = local.rem_euclid(86_400) as u64;
        let (year, month, day) = date.civil();
        out.push(b'"');
        two(out, u64::from(day), b' ');
        out.push(b'-');
        out.extend_from_slice(MONTHS.get(month as usize - 1).copied().unwrap_or("Jan").as_bytes());
        out.push(b'-');
        two(out, year as u64 / 100, b'0');
        two(out, year as u64 % 100, b'0');
        out.push(b' ');
        two(out, time / 3600, b'0');
        out.push(b':');
        two(out, time / 60 % 60, b'0');
        out.push(b':');
        two(out, time % 60, b'0');
        out.extend_from_slice(if offset < 0 { b" -" } else { b" +" });
        let zone = u64::from(offset.unsigned_abs());
        two(out, zone / 60, b'0');
        two(out, zone % 60, b'0');
        out.push(b'"');
    }
}

fn two(out: &mut Vec<u8>, number: u64, pad: u8) {
    if number < 10 {
        out.push(pad);
    }
    write_number(out, number);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_dates_both_ways() {
        assert_eq!(Date::from_civil(1970, 1, 1), Some(Date { days: 0 }));
        assert_eq!(Date::from_civil(2000, 2, 29).map(Date::civil), Some((2000, 2, 29)));
        assert_eq!(Date::from_civil(2100, 2, 29), None);
        for days in -719_000..2_900_000 {
            let (y, m, d) = Date { days }.civil();
            assert_eq!(Date::from_civil(y, m, d), Some(Date { days }));
        }
    }

    #[test]
    fn writes_date_time() {
        let mut out = Vec::new();
        DateTime { seconds: 760_168_345, offset_minutes: -480 }.write(&mut out);
        assert_eq!(out, b"\" 1-Feb-1994 21:52:25 -0800\"".to_vec());
        DateTime { seconds: i64::MAX, offset_minutes: i16::MAX }.write(&mut out);
        DateTime { seconds: i64::MIN, offset_minutes: i16::MIN }.write(&mut out);
    }
}
