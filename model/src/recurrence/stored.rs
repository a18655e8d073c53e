//! The recurrence of an appointment as MAPI stores it: PidLidAppointmentRecur (MS-OXOCAL 2.2.1.44), and the part of it
//! that tasks have too (PidLidTaskRecurrence).

use crate::little_endian::{CutOff, Reader, put_block, put_length, put_u16, put_u32, put_utf16};

/// When something recurs: the RecurrencePattern structure (MS-OXOCAL 2.2.1.44.1). Dates are minutes from 1601 to
/// midnight, by the clock of the series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecurrencePattern {
    /// RecurFrequency
    pub frequency: StoredFrequency,
    /// PatternType and PatternTypeSpecific
    pub pattern: Pattern,
    /// CalendarType; 0 is the Gregorian one.
    pub calendar: u16,
    /// FirstDateTime: where the periods are counted from, modulo one.
    pub first: u32,
    /// Period: minutes where it is daily by days, weeks, or months.
    pub period: u32,
    /// SlidingFlag: a task's next instance is counted from its completion.
    pub sliding: bool,
    /// EndType
    pub end: End,
    /// OccurrenceCount; 10 where it does not end.
    pub count: u32,
    /// FirstDOW: 0 is Sunday.
    pub first_weekday: u32,
    /// DeletedInstanceDates: the days of instances that are gone or changed, in order.
    pub deleted: Vec<u32>,
    /// ModifiedInstanceDates: the days that changed instances have now, in order.
    pub modified: Vec<u32>,
    /// StartDate
    pub start: u32,
    /// EndDate: of the last instance; [`Self::NO_END`].
    pub last: u32,
}

/// RecurFrequency
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is its name in MS-OXOCAL")]
pub enum StoredFrequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// PatternType with what belongs to it. Weekdays are bits, Sunday the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Every so many days.
    Day,
    /// On these days of the week.
    Week(u32),
    /// On this day of the month, or the last one of a shorter month; 31 is the last one of all.
    Month(u32),
    /// As [`Self::Month`], where the day is the last one.
    MonthEnd(u32),
    /// On the nth of these weekdays in the month; 5 is the last.
    MonthNth {
        /// Which weekdays.
        weekdays: u32,
        /// Which of them.
        nth: u32,
    },
    /// As [`Self::Month`], by the Hijri calendar.
    HijriMonth(u32),
    /// As [`Self::MonthEnd`], by the Hijri calendar.
    HijriMonthEnd(u32),
    /// As [`Self::MonthNth`], by the Hijri calendar.
    HijriMonthNth {
        /// Which weekdays.
        weekdays: u32,
        /// Which of them.
        nth: u32,
    },
}

/// EndType
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// On a date.
    Date,
    /// After so many instances.
    Count,
    /// Never.
    Never,
}

/// A recurrence with the changed instances: the AppointmentRecurrencePattern structure (MS-OXOCAL 2.2.1.44.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecurrence {
    /// When.
    pub pattern: RecurrencePattern,
    /// WriterVersion2: [`Self::VERSION`], or one less where changed instances have no ChangeHighlight.
    pub version: u32,
    /// StartTimeOffset: minutes after midnight.
    pub start_offset: u32,
    /// EndTimeOffset: minutes after the midnight before the start.
    pub end_offset: u32,
    /// ExceptionInfo with ExtendedException
    pub exceptions: Vec<ExceptionInfo>,
    /// ReservedBlock1
    pub reserved1: Vec<u8>,
    /// ReservedBlock2, and what comes after it.
    pub reserved2: Vec<u8>,
}

/// A changed instance (MS-OXOCAL 2.2.1.44.2, 2.2.1.44.4). Times are minutes from 1601 by the clock of the series; a part
/// is there when it differs from the series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is its name in MS-OXOCAL")]
pub struct ExceptionInfo {
    pub start: u32,
    pub end: u32,
    pub original_start: u32,
    pub subject: Option<String>,
    pub meeting_type: Option<u32>,
    pub reminder_delta: Option<u32>,
    pub reminder_set: Option<u32>,
    pub location: Option<String>,
    pub busy_status: Option<u32>,
    pub attachment: Option<u32>,
    pub sub_type: Option<u32>,
    pub color: Option<u32>,
    /// ARO_EXCEPTIONAL_BODY
    pub has_body: bool,
    /// ChangeHighlightValue
    pub change_highlight: u32,
}

/// The octets are no recurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    /// It ends before its last field.
    #[error("the recurrence is cut off")]
    CutOff,
    /// A field has a value that it cannot have.
    #[error("the recurrence has an unknown {0}")]
    Unknown(&'static str),
}

impl From<CutOff> for StoredError {
    fn from(_: CutOff) -> Self {
        Self::CutOff
    }
}

impl RecurrencePattern {
    /// EndDate of a series without end.
    pub const NO_END: u32 = 0x5AE9_80DF;

    /// Reads the structure; further octets are let be (a task's recurrence has none).
    ///
    /// # Errors
    /// [`StoredError`]
    pub fn read(octets: &[u8]) -> Result<Self, StoredError> {
        Self::take(&mut Reader(octets))
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, StoredError> {
        // What the versions are has not mattered to any reader.
        reader.bytes(4)?;
        let frequency = match reader.u16()? {
            0x200A => StoredFrequency::Daily,
            0x200B => StoredFrequency::Weekly,
            0x200C => StoredFrequency::Monthly,
            0x200D => StoredFrequency::Yearly,
            _ => return Err(StoredError::Unknown("frequency")),
        };
        let kind = reader.u16()?;
        let calendar = reader.u16()?;
        let (first, period, sliding) = (reader.u32()?, reader.u32()?, reader.u32()? != 0);
        let pattern = Pattern::take(kind, reader)?;
        let end = match reader.u32()? {
            0x2021 => End::Date,
            0x2022 => End::Count,
            0x2023 | 0xFFFF_FFFF => End::Never,
            _ => return Err(StoredError::Unknown("end")),
        };
        let (count, first_weekday) = (reader.u32()?, reader.u32()?);
        let (deleted, modified) = (reader.numbers()?, reader.numbers()?);
        let (start, last) = (reader.u32()?, reader.u32()?);
        Ok(Self {
            frequency,
            pattern,
            calendar,
            first,
            period,
            sliding,
            end,
            count,
            first_weekday,
            deleted,
            modified,
            start,
            last,
        })
    }

    /// Writes the structure.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_u16(&mut out, 0x3004);
        put_u16(&mut out, 0x3004);
        put_u16(
            &mut out,
            match self.frequency {
                StoredFrequency::Daily => 0x200A,
                StoredFrequency::Weekly => 0x200B,
                StoredFrequency::Monthly => 0x200C,
                StoredFrequency::Yearly => 0x200D,
            },
        );
        let (kind, parts) = self.pattern.parts();
        put_u16(&mut out, kind);
        put_u16(&mut out, self.calendar);
        for number in [self.first, self.period, u32::from(self.sliding)] {
            put_u32(&mut out, number);
        }
        parts.into_iter().flatten().for_each(|part| put_u32(&mut out, part));
        put_u32(
            &mut out,
            match self.end {
                End::Date => 0x2021,
                End::Count => 0x2022,
                End::Never => 0x2023,
            },
        );
        put_u32(&mut out, self.count);
        put_u32(&mut out, self.first_weekday);
        for list in [&self.deleted, &self.modified] {
            put_length(&mut out, list.len());
            list.iter().for_each(|number| put_u32(&mut out, *number));
        }
        put_u32(&mut out, self.start);
        put_u32(&mut out, self.last);
        out
    }
}

impl Pattern {
    fn take(kind: u16, reader: &mut Reader<'_>) -> Result<Self, StoredError> {
        let mut nth = || -> Result<(u32, u32), CutOff> { Ok((reader.u32()?, reader.u32()?)) };
        Ok(match kind {
            0x0 => Self::Day,
            0x3 => nth().map(|(weekdays, nth)| Self::MonthNth { weekdays, nth })?,
            0xB => nth().map(|(weekdays, nth)| Self::HijriMonthNth { weekdays, nth })?,
            0x1 => Self::Week(reader.u32()?),
            0x2 => Self::Month(reader.u32()?),
            0x4 => Self::MonthEnd(reader.u32()?),
            0xA => Self::HijriMonth(reader.u32()?),
            0xC => Self::HijriMonthEnd(reader.u32()?),
            _ => return Err(StoredError::Unknown("pattern")),
        })
    }

    fn parts(self) -> (u16, [Option<u32>; 2]) {
        match self {
            Self::Day => (0x0, [None, None]),
            Self::Week(weekdays) => (0x1, [Some(weekdays), None]),
            Self::Month(day) => (0x2, [Some(day), None]),
            Self::MonthNth { weekdays, nth } => (0x3, [Some(weekdays), Some(nth)]),
            Self::MonthEnd(day) => (0x4, [Some(day), None]),
            Self::HijriMonth(day) => (0xA, [Some(day), None]),
            Self::HijriMonthNth { weekdays, nth } => (0xB, [Some(weekdays), Some(nth)]),
            Self::HijriMonthEnd(day) => (0xC, [Some(day), None]),
        }
    }
}

impl StoredRecurrence {
    /// WriterVersion2 of Exchange and Outlook since 2007.
    pub const VERSION: u32 = 0x3009;

    /// Reads the property. What comes after the last block is kept with it.
    ///
    /// # Errors
    /// [`StoredError`]
    pub fn read(octets: &[u8]) -> Result<Self, StoredError> {
        let mut reader = Reader(octets);
        let pattern = RecurrencePattern::take(&mut reader)?;
        reader.u32()?;
        let version = reader.u32()?;
        let (start_offset, end_offset) = (reader.u32()?, reader.u32()?);
        let count = reader.u16()?;
        let mut exceptions = Vec::new();
        let mut wide = Vec::new();
        for _ in 0..count {
            let (exception, flags) = ExceptionInfo::take(&mut reader)?;
            exceptions.push(exception);
            wide.push(flags & (SUBJECT | LOCATION));
        }
        let reserved1 = reader.block()?.to_vec();
        for (exception, wide) in exceptions.iter_mut().zip(wide) {
            exception.take_extended(&mut reader, wide, version)?;
        }
        // Some writers leave it out.
        let reserved2 = if reader.0.is_empty() { &[] } else { reader.block()? };
        let reserved2 = [reserved2, reader.0].concat();
        Ok(Self { pattern, version, start_offset, end_offset, exceptions, reserved1, reserved2 })
    }

    /// Writes the property.
    pub fn write(&self) -> Vec<u8> {
        let mut out = self.pattern.write();
        for number in [0x3006, self.version, self.start_offset, self.end_offset] {
            put_u32(&mut out, number);
        }
        let exceptions = self.exceptions.get(..usize::from(u16::MAX)).unwrap_or(&self.exceptions);
        put_u16(&mut out, u16::try_from(exceptions.len()).unwrap_or(u16::MAX));
        exceptions.iter().for_each(|exception| exception.put(&mut out));
        put_block(&mut out, &self.reserved1);
        exceptions.iter().for_each(|exception| exception.put_extended(&mut out, self.version));
        put_block(&mut out, &self.reserved2);
        out
    }
}

impl ExceptionInfo {
    /// Without the texts, which come later in Unicode; with OverrideFlags.
    fn take(reader: &mut Reader<'_>) -> Result<(Self, u16), StoredError> {
        let mut out = Self {
            start: reader.u32()?,
            end: reader.u32()?,
            original_start: reader.u32()?,
            ..Self::default()
        };
        let flags = reader.u16()?;
        let text = |reader: &mut Reader<'_>| -> Result<Option<String>, CutOff> {
            reader.u16()?;
            let length = reader.u16()?;
            // The Unicode form that follows says better what the other letters are.
            Ok(Some(reader.bytes(usize::from(length))?.iter().map(|octet| char::from(*octet)).collect()))
        };
        if flags & SUBJECT != 0 {
            out.subject = text(reader)?;
        }
        for (flag, field) in
            [(0x2, &mut out.meeting_type), (0x4, &mut out.reminder_delta), (0x8, &mut out.reminder_set)]
        {
            if flags & flag != 0 {
                *field = Some(reader.u32()?);
            }
        }
        if flags & LOCATION != 0 {
            out.location = text(reader)?;
        }
        for (flag, field) in [
            (0x20, &mut out.busy_status),
            (0x40, &mut out.attachment),
            (0x80, &mut out.sub_type),
            (0x100, &mut out.color),
        ] {
            if flags & flag != 0 {
                *field = Some(reader.u32()?);
            }
        }
        out.has_body = flags & BODY != 0;
        Ok((out, flags))
    }

    fn take_extended(&mut self, reader: &mut Reader<'_>, wide: u16, version: u32) -> Result<(), StoredError> {
        if version >= StoredRecurrence::VERSION {
            let highlight = reader.block()?;
            self.change_highlight = Reader(highlight).u32().unwrap_or(0);
        }
        reader.block()?;
        if wide == 0 {
            return Ok(());
        }
        // The times once more.
        reader.bytes(12)?;
        let text = |reader: &mut Reader<'_>| -> Result<Option<String>, CutOff> {
            let length = reader.u16()?;
            reader.utf16(usize::from(length)).map(Some)
        };
        if wide & SUBJECT != 0 {
            self.subject = text(reader)?;
        }
        if wide & LOCATION != 0 {
            self.location = text(reader)?;
        }
        reader.block()?;
        Ok(())
    }

    fn put(&self, out: &mut Vec<u8>) {
        for time in [self.start, self.end, self.original_start] {
            put_u32(out, time);
        }
        let flags = [
            (SUBJECT, self.subject.is_some()),
            (0x2, self.meeting_type.is_some()),
            (0x4, self.reminder_delta.is_some()),
            (0x8, self.reminder_set.is_some()),
            (LOCATION, self.location.is_some()),
            (0x20, self.busy_status.is_some()),
            (0x40, self.attachment.is_some()),
            (0x80, self.sub_type.is_some()),
            (0x100, self.color.is_some()),
            (BODY, self.has_body),
        ];
        put_u16(out, flags.iter().filter(|(_, there)| *there).fold(0, |all, (flag, _)| all | flag));
        // The letters that Windows-1252 shares with Unicode; the others are in the Unicode form.
        let text = |out: &mut Vec<u8>, text: &Option<String>| {
            let Some(text) = text else { return };
            let octets: Vec<u8> = kept(text).chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
            let length = u16::try_from(octets.len()).unwrap_or(u16::MAX - 1);
            put_u16(out, length + 1);
            put_u16(out, length);
            out.extend_from_slice(&octets);
        };
        text(out, &self.subject);
        for field in [self.meeting_type, self.reminder_delta, self.reminder_set].into_iter().flatten() {
            put_u32(out, field);
        }
        text(out, &self.location);
        for field in [self.busy_status, self.attachment, self.sub_type, self.color].into_iter().flatten() {
            put_u32(out, field);
        }
    }

    fn put_extended(&self, out: &mut Vec<u8>, version: u32) {
        if version >= StoredRecurrence::VERSION {
            put_block(out, &self.change_highlight.to_le_bytes());
        }
        put_block(out, &[]);
        if self.subject.is_none() && self.location.is_none() {
            return;
        }
        for time in [self.start, self.end, self.original_start] {
            put_u32(out, time);
        }
        for text in [&self.subject, &self.location].into_iter().flatten() {
            let mut wide = Vec::new();
            put_utf16(&mut wide, kept(text));
            put_u16(out, u16::try_from(wide.len() / 2).unwrap_or(u16::MAX));
            out.extend_from_slice(&wide);
        }
        put_block(out, &[]);
    }
}

/// As much of a subject or a location as is kept here; the instance's own message has all of it.
fn kept(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MOST_OCTETS)).unwrap_or(text)
}

/// ARO_SUBJECT
const SUBJECT: u16 = 0x1;
/// ARO_LOCATION
const LOCATION: u16 = 0x10;
/// ARO_EXCEPTIONAL_BODY
const BODY: u16 = 0x200;
const MOST_OCTETS: usize = 2_000;
