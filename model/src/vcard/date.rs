//! Dates of birthdays and anniversaries (RFC 2426 §3.1.5, RFC 6350 §4.3.1), with or without a year.

/// A date, of which parts can be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartialDate {
    /// The year, 0 to 9999.
    pub year: Option<u16>,
    /// The month, 1 to 12.
    pub month: Option<u8>,
    /// The day of the month, 1 to 31.
    pub day: Option<u8>,
}

impl PartialDate {
    /// Reads `1996-04-15`, `19960415`, `--0415`, `--04-15`, `1996-04`, `1996`, `--04`, `---15`, and any of them with a
    /// time behind it, which is left out. `None` for anything else, and where no such day exists.
    pub fn parse(text: &str) -> Option<Self> {
        let date = text.split(['T', 't', ' ']).next()?;
        let bytes = date.as_bytes();
        let number = |from: usize, to: usize| -> Option<u16> {
            let digits = date.get(from..to)?;
            if !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            digits.parse().ok()
        };
        let two = |from: usize| number(from, from + 2).and_then(|n| u8::try_from(n).ok());
        let dash = |at: usize| bytes.get(at) == Some(&b'-');
        let parsed = match bytes.len() {
            4 if date.starts_with("--") => Self { year: None, month: Some(two(2)?), day: None },
            4 => Self { year: Some(number(0, 4)?), month: None, day: None },
            5 if date.starts_with("---") => Self { year: None, month: None, day: Some(two(3)?) },
            6 if date.starts_with("--") => Self { year: None, month: Some(two(2)?), day: Some(two(4)?) },
            7 if date.starts_with("--") && dash(4) => {
                Self { year: None, month: Some(two(2)?), day: Some(two(5)?) }
            }
            7 if dash(4) => Self { year: Some(number(0, 4)?), month: Some(two(5)?), day: None },
            8 => Self { year: Some(number(0, 4)?), month: Some(two(4)?), day: Some(two(6)?) },
            10 if dash(4) && dash(7) => {
                Self { year: Some(number(0, 4)?), month: Some(two(5)?), day: Some(two(8)?) }
            }
            _ => return None,
        };
        let month = parsed.month.unwrap_or(1);
        // Without a year, the 29th of February exists.
        let longest = days_in_month(parsed.year.unwrap_or(2000), month)?;
        (1..=longest).contains(&parsed.day.unwrap_or(1)).then_some(parsed)
    }

    /// As RFC 6350 §4.3.1 writes it.
    pub fn to_v4(self) -> String {
        match (self.year, self.month, self.day) {
            (Some(year), Some(month), Some(day)) => format!("{year:04}{month:02}{day:02}"),
            (Some(year), Some(month), None) => format!("{year:04}-{month:02}"),
            (Some(year), None, _) => format!("{year:04}"),
            (None, Some(month), Some(day)) => format!("--{month:02}{day:02}"),
            (None, Some(month), None) => format!("--{month:02}"),
            (None, None, Some(day)) => format!("---{day:02}"),
            (None, None, None) => String::new(),
        }
    }

    /// As RFC 2426 §3.1.5 writes it, which needs a whole date: a missing year is [`Self::NO_YEAR`]. `None` where month
    /// or day is missing.
    pub fn to_v3(self) -> Option<String> {
        let year = self.year.unwrap_or(Self::NO_YEAR);
        Some(format!("{year:04}-{:02}-{:02}", self.month?, self.day?))
    }

    /// The year that stands for a missing one: a leap year, and the one that Apple's programs and ActiveSync use.
    pub const NO_YEAR: u16 = 1604;
}

fn days_in_month(year: u16, month: u8) -> Option<u8> {
    Some(match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Option<(Option<u16>, Option<u8>, Option<u8>)> {
        PartialDate::parse(text).map(|date| (date.year, date.month, date.day))
    }

    #[test]
    fn the_forms_of_dates() {
        let whole = Some((Some(1996), Some(4), Some(15)));
        for text in ["1996-04-15", "19960415", "1996-04-15T10:22:00Z", "19960415T102200-0500"] {
            assert_eq!(date(text), whole, "{text}");
        }
        assert_eq!(date("--0415"), Some((None, Some(4), Some(15))));
        assert_eq!(date("--04-15"), Some((None, Some(4), Some(15))));
        assert_eq!(date("--0229"), Some((None, Some(2), Some(29))));
        assert_eq!(date("1996-04"), Some((Some(1996), Some(4), None)));
        assert_eq!(date("1996"), Some((Some(1996), None, None)));
        assert_eq!(date("--04"), Some((None, Some(4), None)));
        assert_eq!(date("---15"), Some((None, None, Some(15))));
        for text in
            ["", "circa 1800", "1996-13-01", "1997-02-29", "19960400", "1996-4-15", "T102200", "--\u{e9}15"]
        {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn writing_and_reading_agree() {
        for text in ["19960415", "--0229", "1996-04", "1996", "--04", "---15"] {
            assert_eq!(PartialDate::parse(text).expect("a date").to_v4(), text);
        }
        assert_eq!(PartialDate::parse("--0415").expect("a date").to_v3().as_deref(), Some("1604-04-15"));
        assert_eq!(PartialDate::parse("1996").expect("a date").to_v3(), None);
    }
}
