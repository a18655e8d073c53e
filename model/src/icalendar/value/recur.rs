//! RECUR (RFC 5545 §3.3.10): the grammar. What a rule means is in [`crate::recurrence`].

use std::fmt;
use std::str::FromStr;

use jiff::civil::Weekday;

use super::{CalendarTime, ValueError, digits};

/// FREQ
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is its name in RFC 5545")]
pub enum Frequency {
    Secondly,
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl Frequency {
    const NAMES: [(&'static str, Self); 7] = [
        ("SECONDLY", Self::Secondly),
        ("MINUTELY", Self::Minutely),
        ("HOURLY", Self::Hourly),
        ("DAILY", Self::Daily),
        ("WEEKLY", Self::Weekly),
        ("MONTHLY", Self::Monthly),
        ("YEARLY", Self::Yearly),
    ];
}

/// UNTIL: a date, a moment in UTC, or a local one.
pub type Until = CalendarTime;

/// A weekday of BYDAY, perhaps the nth of its month or year; negative from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByDay {
    /// Which of them, or all.
    pub nth: Option<i8>,
    /// The weekday.
    pub weekday: Weekday,
}

/// A recurrence rule. The lists keep their order as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recur {
    /// FREQ
    pub frequency: Frequency,
    /// INTERVAL, at least 1.
    pub interval: u32,
    /// COUNT
    pub count: Option<u32>,
    /// UNTIL
    pub until: Option<Until>,
    /// BYSECOND, 0 to 60.
    pub by_second: Vec<u8>,
    /// BYMINUTE, 0 to 59.
    pub by_minute: Vec<u8>,
    /// BYHOUR, 0 to 23.
    pub by_hour: Vec<u8>,
    /// BYDAY
    pub by_day: Vec<ByDay>,
    /// BYMONTHDAY, 1 to 31 or negative.
    pub by_month_day: Vec<i8>,
    /// BYYEARDAY, 1 to 366 or negative.
    pub by_year_day: Vec<i16>,
    /// BYWEEKNO, 1 to 53 or negative.
    pub by_week_no: Vec<i8>,
    /// BYMONTH, 1 to 12.
    pub by_month: Vec<u8>,
    /// BYSETPOS, 1 to 366 or negative.
    pub by_set_pos: Vec<i16>,
    /// WKST; Monday where it is not given.
    pub week_start: Weekday,
    /// Parts that RFC 5545 does not have, such as RSCALE and SKIP of RFC 7529, with their values.
    pub other: Vec<(String, String)>,
}

impl Recur {
    /// A rule that recurs every time.
    pub fn new(frequency: Frequency) -> Self {
        Self {
            frequency,
            interval: 1,
            count: None,
            until: None,
            by_second: Vec::new(),
            by_minute: Vec::new(),
            by_hour: Vec::new(),
            by_day: Vec::new(),
            by_month_day: Vec::new(),
            by_year_day: Vec::new(),
            by_week_no: Vec::new(),
            by_month: Vec::new(),
            by_set_pos: Vec::new(),
            week_start: Weekday::Monday,
            other: Vec::new(),
        }
    }
}

impl FromStr for Recur {
    type Err = ValueError;

    /// COUNT outweighs an UNTIL beside it; an INTERVAL or COUNT of 0, which some products write, is as good as none.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let error = ValueError("RECUR");
        let text = text.trim();
        let text = text.strip_prefix("RRULE:").unwrap_or(text);
        let parts: Vec<(String, &str)> = text
            .split(';')
            .filter(|part| !part.trim().is_empty())
            .map(|part| part.split_once('=').map(|(k, v)| (k.trim().to_ascii_uppercase(), v.trim())))
            .collect::<Option<_>>()
            .ok_or(error)?;
        let frequency = parts.iter().find(|(name, _)| name == "FREQ").ok_or(error)?.1;
        let frequency = Frequency::NAMES.iter().find(|(name, _)| frequency.eq_ignore_ascii_case(name));
        let mut rule = Self::new(frequency.ok_or(error)?.1);
        for (name, value) in parts {
            match name.as_str() {
                "FREQ" => {}
                "INTERVAL" => rule.interval = digits(value).ok_or(error)?.max(1),
                "COUNT" => rule.count = Some(digits(value).ok_or(error)?).filter(|count| *count > 0),
                "UNTIL" => rule.until = Some(CalendarTime::parse(value, None).map_err(|_| error)?),
                "BYSECOND" => rule.by_second = list(value, 0..=60, false)?,
                "BYMINUTE" => rule.by_minute = list(value, 0..=59, false)?,
                "BYHOUR" => rule.by_hour = list(value, 0..=23, false)?,
                "BYMONTHDAY" => rule.by_month_day = list(value, 1..=31, true)?,
                "BYYEARDAY" => rule.by_year_day = list(value, 1..=366, true)?,
                "BYWEEKNO" => rule.by_week_no = list(value, 1..=53, true)?,
                "BYMONTH" => rule.by_month = list(value, 1..=12, false)?,
                "BYSETPOS" => rule.by_set_pos = list(value, 1..=366, true)?,
                "BYDAY" => {
                    let days = value.split(',').map(str::parse).collect::<Result<Vec<ByDay>, _>>()?;
                    if days.len() > MAX_LIST {
                        return Err(error);
                    }
                    rule.by_day = days;
                }
                "WKST" => rule.week_start = weekday(value).ok_or(error)?,
                _ if rule.other.len() < MAX_LIST => rule.other.push((name, value.to_owned())),
                _ => return Err(error),
            }
        }
        if rule.count.is_some() {
            rule.until = None;
        }
        Ok(rule)
    }
}

/// Numbers in a range, perhaps negative; no more than there are different ones.
fn list<T: TryFrom<i32>>(
    value: &str,
    range: std::ops::RangeInclusive<u32>,
    signed: bool,
) -> Result<Vec<T>, ValueError> {
    let error = ValueError("RECUR");
    let mut out = Vec::new();
    for piece in value.split(',').map(str::trim) {
        let (negative, number) = match piece.strip_prefix('-') {
            Some(number) if signed => (true, number),
            _ => (false, piece.strip_prefix('+').unwrap_or(piece)),
        };
        let number = digits(number).filter(|number| range.contains(number)).ok_or(error)?.cast_signed();
        out.push(T::try_from(if negative { -number } else { number }).map_err(|_| error)?);
        if out.len() > MAX_LIST {
            return Err(error);
        }
    }
    Ok(out)
}

impl FromStr for ByDay {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let error = ValueError("RECUR");
        let text = text.trim();
        let (number, name) = text.split_at_checked(text.len().saturating_sub(2)).ok_or(error)?;
        let nth = match number {
            "" => None,
            _ => {
                let (negative, number) = match number.strip_prefix('-') {
                    Some(number) => (true, number),
                    None => (false, number.strip_prefix('+').unwrap_or(number)),
                };
                let nth = digits(number).filter(|nth| (1..=53).contains(nth)).ok_or(error)?;
                let nth = i8::try_from(nth).map_err(|_| error)?;
                Some(if negative { -nth } else { nth })
            }
        };
        Ok(Self { nth, weekday: weekday(name).ok_or(error)? })
    }
}

fn weekday(name: &str) -> Option<Weekday> {
    WEEKDAYS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, weekday)| *weekday)
}

fn weekday_name(weekday: Weekday) -> &'static str {
    WEEKDAYS.iter().find(|(_, known)| *known == weekday).map_or("MO", |(name, _)| *name)
}

impl fmt::Display for ByDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(nth) = self.nth {
            write!(f, "{nth}")?;
        }
        f.write_str(weekday_name(self.weekday))
    }
}

impl fmt::Display for Recur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frequency = Frequency::NAMES.iter().find(|(_, frequency)| *frequency == self.frequency);
        write!(f, "FREQ={}", frequency.map_or("DAILY", |(name, _)| *name))?;
        if let Some(count) = self.count {
            write!(f, ";COUNT={count}")?;
        } else if let Some(until) = &self.until {
            write!(f, ";UNTIL={until}")?;
        }
        if self.interval > 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        write_list(f, "BYSECOND", &self.by_second)?;
        write_list(f, "BYMINUTE", &self.by_minute)?;
        write_list(f, "BYHOUR", &self.by_hour)?;
        write_list(f, "BYDAY", &self.by_day)?;
        write_list(f, "BYMONTHDAY", &self.by_month_day)?;
        write_list(f, "BYYEARDAY", &self.by_year_day)?;
        write_list(f, "BYWEEKNO", &self.by_week_no)?;
        write_list(f, "BYMONTH", &self.by_month)?;
        write_list(f, "BYSETPOS", &self.by_set_pos)?;
        if self.week_start != Weekday::Monday {
            write!(f, ";WKST={}", weekday_name(self.week_start))?;
        }
        for (name, value) in &self.other {
            write!(f, ";{name}={value}")?;
        }
        Ok(())
    }
}

fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, list: &[T]) -> fmt::Result {
    for (i, item) in list.iter().enumerate() {
        if i == 0 { write!(f, ";{name}={item}")? } else { write!(f, ",{item}")? }
    }
    Ok(())
}

/// No part has more different values than BYYEARDAY.
const MAX_LIST: usize = 2 * 366;

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("MO", Weekday::Monday),
    ("TU", Weekday::Tuesday),
    ("WE", Weekday::Wednesday),
    ("TH", Weekday::Thursday),
    ("FR", Weekday::Friday),
    ("SA", Weekday::Saturday),
    ("SU", Weekday::Sunday),
];
