//! The zones of MAPI: PidLidTimeZoneStruct (MS-OXOCAL 2.2.1.39) and PidLidAppointmentTimeZoneDefinitionRecur,
//! -StartDisplay and -EndDisplay (MS-OXOCAL 2.2.1.41 to 2.2.1.43).

use std::ops::RangeInclusive;

use jiff::civil::{Date, DateTime, Weekday};

use super::observance::{Observance, YearlyOnsets};
use super::yearly::{DayRule, Yearly};
use super::{TimeZone, Transition, clock, wall_seconds};
use crate::little_endian::{CutOff, Reader, put_utf16};

/// Why a structure is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapiZoneError {
    /// It ends too early.
    #[error("a time zone structure that is cut off")]
    CutOff,
    /// A version that is not known, or a size that cannot be.
    #[error("no time zone structure")]
    Format,
}

impl From<CutOff> for MapiZoneError {
    fn from(_: CutOff) -> Self {
        Self::CutOff
    }
}

/// SYSTEMTIME (MS-DTYP 2.3.13). In a rule without a year, `day` counts the weekday within the month and 5 is the last;
/// month 0 means that there is no change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of SYSTEMTIME")]
pub struct SystemTime {
    pub year: u16,
    pub month: u16,
    /// 0 is Sunday.
    pub day_of_week: u16,
    pub day: u16,
    pub hour: u16,
    pub minute: u16,
    pub second: u16,
    pub milliseconds: u16,
}

/// PidLidTimeZoneStruct: one rule for every year (MS-OXOCAL 2.2.1.39). Biases are minutes west of UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeZoneStruct {
    /// `lBias`
    pub bias: i32,
    /// `lStandardBias`, added to the bias in standard time.
    pub standard_bias: i32,
    /// `lDaylightBias`, added to the bias in daylight saving time.
    pub daylight_bias: i32,
    /// `stStandardDate`: when standard time begins, by the clock of daylight saving time.
    pub standard_date: SystemTime,
    /// `stDaylightDate`: when daylight saving time begins, by the clock of standard time.
    pub daylight_date: SystemTime,
}

/// A TZRule (MS-OXOCAL 2.2.1.41.1): what holds from a year on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeZoneRule {
    /// `TZRule flags`
    pub flags: u16,
    /// `wYear`: the first year, 1601 for ever.
    pub year: u16,
    /// The rule.
    pub rule: TimeZoneStruct,
}

impl TimeZoneRule {
    /// `TZRULE_FLAG_RECUR_CURRENT_TZREG`: the rule is the one of PidLidTimeZoneStruct.
    pub const RECUR_CURRENT: u16 = 1;
    /// `TZRULE_FLAG_EFFECTIVE_TZREG`: the rule is the one in force.
    pub const EFFECTIVE: u16 = 2;
}

/// PidLidAppointmentTimeZoneDefinition*: a name and rules in ascending order of their years (MS-OXOCAL 2.2.1.41).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeZoneDefinition {
    /// `KeyName`: the Windows name.
    pub key_name: String,
    /// `TZRules`
    pub rules: Vec<TimeZoneRule>,
}

impl SystemTime {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CutOff> {
        Ok(Self {
            year: reader.u16()?,
            month: reader.u16()?,
            day_of_week: reader.u16()?,
            day: reader.u16()?,
            hour: reader.u16()?,
            minute: reader.u16()?,
            second: reader.u16()?,
            milliseconds: reader.u16()?,
        })
    }

    fn encode(self, out: &mut Vec<u8>) {
        let fields = [
            self.year,
            self.month,
            self.day_of_week,
            self.day,
            self.hour,
            self.minute,
            self.second,
            self.milliseconds,
        ];
        out.extend(fields.into_iter().flat_map(u16::to_le_bytes));
    }

    fn of(month: i8, day: DayRule, local: DateTime) -> Self {
        let weekday = match day {
            DayRule::Nth(weekday, _) | DayRule::OnOrAfter(weekday, _) => weekday,
            DayRule::Day(_) => local.weekday(),
        };
        let nth = match day {
            DayRule::Nth(_, nth @ 1..) => nth,
            DayRule::Nth(..) => 5,
            // Nearest that there is, for this year.
            DayRule::Day(_) | DayRule::OnOrAfter(..) => (local.day() - 1) / 7 + 1,
        };
        Self {
            year: 0,
            month: u16::from(month.unsigned_abs()),
            day_of_week: u16::from(weekday.to_sunday_zero_offset().unsigned_abs()),
            day: u16::from(nth.unsigned_abs()),
            hour: u16::from(local.hour().unsigned_abs()),
            minute: u16::from(local.minute().unsigned_abs()),
            second: u16::from(local.second().unsigned_abs()),
            milliseconds: 0,
        }
    }

    /// The rule of every year; `None` where there is no change, one in a single year, or what is no date.
    fn yearly(self) -> Option<Yearly> {
        let small = |n: u16| i8::try_from(n).ok();
        let month = small(self.month).filter(|month| (1..=12).contains(month))?;
        let weekday = Weekday::from_sunday_zero_offset(small(self.day_of_week)?).ok()?;
        let day = match self.day {
            5 => DayRule::Nth(weekday, -1),
            nth @ 1..=4 => DayRule::Nth(weekday, small(nth)?),
            _ => return None,
        };
        // 23:59:59.999 is what Windows writes for the end of a day.
        let second = i32::from(self.hour) * 3600 + i32::from(self.minute) * 60 + i32::from(self.second);
        let second = second + i32::from(self.milliseconds >= 500);
        (self.year == 0 && second <= 86_400).then_some(Yearly { month, day, second })
    }

    /// The moment in one year, by the clock.
    fn in_year(self, year: i16) -> Option<(Date, i32)> {
        if self.year == 0 {
            let rule = self.yearly()?;
            return Some((rule.date(year)?, rule.second));
        }
        let small = |n: u16| i8::try_from(n).ok();
        let date = Date::new(i16::try_from(self.year).ok()?, small(self.month)?, small(self.day)?).ok()?;
        let second = i32::from(self.hour) * 3600 + i32::from(self.minute) * 60 + i32::from(self.second);
        (date.year() == year && second <= 86_400).then_some((date, second))
    }
}

impl TimeZoneStruct {
    /// Reads PidLidTimeZoneStruct.
    pub fn decode(value: &[u8]) -> Result<Self, MapiZoneError> {
        let reader = &mut Reader(value);
        let (bias, standard_bias, daylight_bias) = (reader.i32()?, reader.i32()?, reader.i32()?);
        reader.u16()?; // wStandardYear, the same as in the date
        let standard_date = SystemTime::decode(reader)?;
        reader.u16()?; // wDaylightYear
        let daylight_date = SystemTime::decode(reader)?;
        Ok(Self { bias, standard_bias, daylight_bias, standard_date, daylight_date })
    }

    /// Writes PidLidTimeZoneStruct: 48 octets.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(48);
        for bias in [self.bias, self.standard_bias, self.daylight_bias] {
            out.extend(bias.to_le_bytes());
        }
        for date in [self.standard_date, self.daylight_date] {
            out.extend(date.year.to_le_bytes());
            date.encode(&mut out);
        }
        out
    }

    /// The rule of a zone in one year. A year that cannot be said so (one change, or more than two) has the offset of
    /// its end.
    pub fn of_zone(zone: &TimeZone, year: i16) -> Self {
        let end = wall_seconds(new_year(year.saturating_add(1)));
        let changes = zone.transitions(wall_seconds(new_year(year)), end, 8);
        if let [one, two] = changes.as_slice()
            && one.before == two.after
        {
            let (daylight, standard) = if one.after > two.after { (one, two) } else { (two, one) };
            return Self {
                bias: -standard.after / 60,
                standard_bias: 0,
                daylight_bias: (standard.after - daylight.after) / 60,
                standard_date: date_of(zone, standard),
                daylight_date: date_of(zone, daylight),
            };
        }
        Self { bias: -zone.offset_at(end - 1) / 60, ..Self::default() }
    }

    /// The zone with this rule in every year.
    pub fn to_zone(&self, id: &str) -> TimeZone {
        TimeZone::of_observances(id, self.observances(1601, i16::MAX))
    }

    fn observances(&self, first_year: i16, last_year: i16) -> Vec<Observance> {
        let offset = |bias: i32| {
            let minutes = -i64::from(self.bias) - i64::from(bias);
            i32::try_from(minutes.clamp(-1_439, 1_439) * 60).unwrap_or(0)
        };
        let (standard, daylight) = (offset(self.standard_bias), offset(self.daylight_bias));
        let part = |daylight, before: i32, after, date: SystemTime| {
            let listed = date.in_year(first_year).filter(|_| date.year != 0).map(|(date, second)| {
                wall_seconds(date.at(0, 0, 0, 0)) + i64::from(second) - i64::from(before)
            });
            let yearly =
                date.yearly().map(|rule| YearlyOnsets { rule, first_year, last_year, until: i64::MAX });
            let known = listed.is_some() || yearly.is_some();
            let listed = listed.into_iter().collect();
            known.then_some(Observance { daylight, before, after, name: None, listed, yearly })
        };
        let parts = (
            part(false, daylight, standard, self.standard_date),
            part(true, standard, daylight, self.daylight_date),
        );
        match parts {
            (Some(mut to_standard), Some(mut to_daylight)) => {
                // The year begins as the rule's years end.
                let place = |date: SystemTime| (date.month, date.day);
                let (last, offset) = if place(self.standard_date) > place(self.daylight_date) {
                    (&mut to_standard, standard)
                } else {
                    (&mut to_daylight, daylight)
                };
                last.listed.insert(0, wall_seconds(new_year(first_year)) - i64::from(offset));
                vec![to_standard, to_daylight]
            }
            // Neither without the other: no daylight saving time.
            _ => {
                let start = wall_seconds(new_year(first_year)) - i64::from(standard);
                let listed = vec![start];
                vec![Observance {
                    daylight: false,
                    before: standard,
                    after: standard,
                    name: None,
                    listed,
                    yearly: None,
                }]
            }
        }
    }
}

impl TimeZoneDefinition {
    /// Reads PidLidAppointmentTimeZoneDefinitionRecur, -StartDisplay or -EndDisplay.
    pub fn decode(value: &[u8]) -> Result<Self, MapiZoneError> {
        let reader = &mut Reader(value);
        let (major, _minor) = (reader.u8()?, reader.u8()?);
        if major != MAJOR {
            return Err(MapiZoneError::Format);
        }
        let header = usize::from(reader.u16()?);
        let mut head = Reader(reader.bytes(header)?);
        head.u16()?;
        let units = usize::from(head.u16()?);
        let key_name = head.utf16(units)?;
        let count = head.u16()?;
        if count > MAX_RULES {
            return Err(MapiZoneError::Format);
        }
        let mut rules = Vec::new();
        for _ in 0..count {
            if reader.u8()? != MAJOR {
                return Err(MapiZoneError::Format);
            }
            reader.u8()?;
            let length = usize::from(reader.u16()?);
            let mut body = Reader(reader.bytes(length)?);
            let (flags, year) = (body.u16()?, body.u16()?);
            body.array::<14>()?;
            let (bias, standard_bias, daylight_bias) = (body.i32()?, body.i32()?, body.i32()?);
            let standard_date = SystemTime::decode(&mut body)?;
            let daylight_date = SystemTime::decode(&mut body)?;
            let rule = TimeZoneStruct { bias, standard_bias, daylight_bias, standard_date, daylight_date };
            rules.push(TimeZoneRule { flags, year, rule });
        }
        Ok(Self { key_name, rules })
    }

    /// Writes it. A name beyond 260 UTF-16 units and rules beyond 1024 are cut, as the format demands.
    pub fn encode(&self) -> Vec<u8> {
        let mut name = Vec::new();
        put_utf16(&mut name, &self.key_name);
        name.truncate(2 * MAX_KEY_NAME);
        let rules = self.rules.get(..usize::from(MAX_RULES)).unwrap_or(&self.rules);
        let mut out = vec![MAJOR, MINOR];
        let put = |out: &mut Vec<u8>, n: usize| out.extend(u16::try_from(n).unwrap_or(0).to_le_bytes());
        put(&mut out, 6 + name.len());
        put(&mut out, 2); // wReserved
        put(&mut out, name.len() / 2);
        out.extend(&name);
        put(&mut out, rules.len());
        for rule in rules {
            out.extend([MAJOR, MINOR]);
            put(&mut out, RULE_LENGTH);
            out.extend(rule.flags.to_le_bytes());
            out.extend(rule.year.to_le_bytes());
            out.extend([0; 14]);
            for bias in [rule.rule.bias, rule.rule.standard_bias, rule.rule.daylight_bias] {
                out.extend(bias.to_le_bytes());
            }
            rule.rule.standard_date.encode(&mut out);
            rule.rule.daylight_date.encode(&mut out);
        }
        out
    }

    /// The definition of a zone for some years; the rule of the first of them is the one in force. `recurring` marks
    /// that rule as the one of PidLidTimeZoneStruct.
    pub fn of_zone(zone: &TimeZone, years: RangeInclusive<i16>, recurring: bool) -> Self {
        let key_name = zone.windows_name().unwrap_or(zone.id()).to_owned();
        let mut rules: Vec<TimeZoneRule> = Vec::new();
        for year in years.take(usize::from(MAX_RULES)) {
            let rule = TimeZoneStruct::of_zone(zone, year);
            if rules.last().is_some_and(|last| last.rule == rule) {
                continue;
            }
            let (flags, year) = if rules.is_empty() {
                let recur = if recurring { TimeZoneRule::RECUR_CURRENT } else { 0 };
                (TimeZoneRule::EFFECTIVE | recur, FOR_EVER)
            } else {
                (0, year.unsigned_abs())
            };
            rules.push(TimeZoneRule { flags, year, rule });
        }
        Self { key_name, rules }
    }

    /// The zone: by the name, where that is known, else by the rules; `None` without either.
    pub fn to_zone(&self) -> Option<TimeZone> {
        if let Some(zone) = TimeZone::named(&self.key_name) {
            return Some(zone);
        }
        let mut observances = Vec::new();
        for (i, rule) in self.rules.iter().enumerate() {
            let year = |rule: &TimeZoneRule| i16::try_from(rule.year.max(FOR_EVER)).unwrap_or(i16::MAX);
            let next = self.rules.get(i + 1).map_or(i16::MAX, |next| year(next).saturating_sub(1));
            observances.extend(rule.rule.observances(year(rule), next));
        }
        (!observances.is_empty()).then(|| TimeZone::of_observances(&self.key_name, observances))
    }
}

/// The date of a change by the rule that it follows in the years around.
fn date_of(zone: &TimeZone, change: &Transition) -> SystemTime {
    let local = clock(change.unix + i64::from(change.before));
    let span = i64::from(SAMPLE_YEARS) * 366 * 86_400;
    let samples = zone.transitions(change.unix, change.unix + span, 4 * SAMPLE_YEARS as usize);
    let mut moments = Vec::new();
    for sample in samples.iter().filter(|s| (s.before, s.after) == (change.before, change.after)) {
        let at = clock(sample.unix + i64::from(sample.before));
        if at.month() != local.month() || at.time() != local.time() || at.weekday() != local.weekday() {
            break;
        }
        moments.push((at.date(), 0));
    }
    // The longest run of years that one rule covers says which of two readings of a single year is meant.
    let rule = (1..=moments.len()).rev().find_map(|n| Yearly::of(moments.get(..n)?));
    let day = rule.map_or(DayRule::Day(local.day()), |rule| rule.day);
    SystemTime::of(local.month(), day, local)
}

fn new_year(year: i16) -> DateTime {
    DateTime::new(year, 1, 1, 0, 0, 0, 0).unwrap_or(DateTime::MIN)
}

const MAJOR: u8 = 2;
const MINOR: u8 = 1;
/// Octets of a rule after its length.
const RULE_LENGTH: usize = 0x3e;
/// MS-OXOCAL 2.2.1.41: `cRules` is at most 1024, `cchKeyName` at most 260.
const MAX_RULES: u16 = 1024;
const MAX_KEY_NAME: usize = 260;
/// The year that stands for the beginning of time.
const FOR_EVER: u16 = 1601;
/// In so many years a day before the last week is seen to be one.
const SAMPLE_YEARS: u32 = 8;
