//! `Timeout` (RFC 4918 §10.7).

use std::fmt;

/// How long a lock is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timeout {
    /// For ever.
    Infinite,
    /// For so many seconds.
    Seconds(u32),
}

impl Timeout {
    /// Reads the value: the first of the wishes that is understood, `None` where none is. A server is free to give
    /// something else.
    pub fn parse(value: &str) -> Option<Self> {
        value.split(',').take(MOST).map(str::trim).find_map(|wish| {
            if wish.eq_ignore_ascii_case("infinite") {
                return Some(Self::Infinite);
            }
            let (unit, number) = wish.split_once('-')?;
            let is_number = !number.is_empty() && number.bytes().all(|octet| octet.is_ascii_digit());
            // More than fits is as much as fits.
            let seconds = || number.parse().unwrap_or(u32::MAX);
            (unit.eq_ignore_ascii_case("second") && is_number).then(|| Self::Seconds(seconds()))
        })
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Infinite => f.write_str("Infinite"),
            Self::Seconds(seconds) => write!(f, "Second-{seconds}"),
        }
    }
}

const MOST: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wish_that_is_understood_counts() {
        for (value, timeout) in [
            ("Infinite, Second-4100000000", Some(Timeout::Infinite)),
            ("Extended, second-3600", Some(Timeout::Seconds(3600))),
            ("Second-99999999999", Some(Timeout::Seconds(u32::MAX))),
            ("Second-", None),
            ("Second--1", None),
            ("", None),
        ] {
            assert_eq!(Timeout::parse(value), timeout, "{value}");
        }
        assert_eq!(Timeout::Seconds(5).to_string(), "Second-5");
        assert_eq!(Timeout::Infinite.to_string(), "Infinite");
    }
}
