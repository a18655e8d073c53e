//! mbox, RFC 4155, in the variety *mboxrd*: `>From ` in a body stands for `From `, `>>From ` for `>From `.

use std::io::{self, BufRead, Write};

use bytes::Bytes;
use time::{Date, Month, OffsetDateTime, Time};

use super::{Loaded, status_flags, with_crlf};

/// Reads one message after another.
#[derive(Debug)]
pub struct MboxReader<R> {
    from: R,
    /// The separator that was read already.
    separator: Option<Vec<u8>>,
    begun: bool,
    largest: u64,
}

impl<R: BufRead> MboxReader<R> {
    /// Over a file. A message of more than `largest` octets is an error of kind `InvalidData`.
    pub fn new(from: R, largest: u64) -> Self {
        Self { from, separator: None, begun: false, largest }
    }

    /// The next message; `None` at the end.
    pub fn next_message(&mut self) -> io::Result<Option<Loaded>> {
        let mut line = Vec::new();
        if !self.begun {
            self.begun = true;
            // Some programs put empty lines in front.
            loop {
                line.clear();
                if self.from.read_until(b'\n', &mut line)? == 0 {
                    return Ok(None);
                }
                if !matches!(line.as_slice(), b"\n" | b"\r\n") {
                    break;
                }
            }
            if !line.starts_with(FROM) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "this is no mbox file: it does not begin with \"From \"",
                ));
            }
            self.separator = Some(std::mem::take(&mut line));
        }
        let Some(separator) = self.separator.take() else { return Ok(None) };
        let mut raw = Vec::new();
        let mut after_empty = false;
        loop {
            line.clear();
            if self.from.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if after_empty && line.starts_with(FROM) {
                self.separator = Some(line);
                break;
            }
            after_empty = matches!(line.as_slice(), b"\n" | b"\r\n");
            raw.extend_from_slice(unquoted(&line));
            if raw.len() as u64 > self.largest {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("a message is larger than {} octets", self.largest),
                ));
            }
        }
        // The empty line before the next separator belongs to the file.
        if self.separator.is_some() || after_empty {
            for end in [&b"\r\n\r\n"[..], b"\n\n", b"\r\n", b"\n"] {
                if let Some(kept) = raw.strip_suffix(end) {
                    let keep = kept.len() + if end.len() > 2 || end == b"\n\n" { end.len() / 2 } else { 0 };
                    raw.truncate(keep);
                    break;
                }
            }
        }
        let raw = with_crlf(raw);
        let flags = status_flags(&raw);
        Ok(Some(Loaded { raw: Bytes::from(raw), flags, received_at: separator_date(&separator) }))
    }
}

/// Appends one message.
pub fn write_message(out: &mut impl Write, sender: &str, received_at: i64, raw: &[u8]) -> io::Result<()> {
    let sender = match sender {
        "" => "MAILER-DAEMON",
        sender if sender.contains(char::is_whitespace) => "unknown",
        sender => sender,
    };
    writeln!(out, "From {sender} {}", asctime(received_at))?;
    let mut rest = raw;
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, more) = rest.split_at(end);
        if line
            .iter()
            .position(|b| *b != b'>')
            .is_some_and(|at| line.get(at..).is_some_and(|l| l.starts_with(FROM)))
        {
            out.write_all(b">")?;
        }
        match line.strip_suffix(b"\r\n") {
            Some(text) => {
                out.write_all(text)?;
                out.write_all(b"\n")?;
            }
            None => out.write_all(line)?,
        }
        rest = more;
    }
    if !raw.ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    out.write_all(b"\n")
}

fn unquoted(line: &[u8]) -> &[u8] {
    match line.strip_prefix(b">") {
        Some(rest)
            if rest
                .iter()
                .position(|b| *b != b'>')
                .is_some_and(|at| rest.get(at..).is_some_and(|text| text.starts_with(FROM))) =>
        {
            rest
        }
        _ => line,
    }
}

/// `From ann@example.org Thu Jan  1 00:00:00 1970`, the date in UTC.
fn separator_date(line: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(line).ok()?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| MONTHS.contains(word))?;
    let month = MONTHS.iter().position(|name| words.get(at) == Some(name))?;
    let month = Month::try_from(u8::try_from(month).ok()? + 1).ok()?;
    let day = words.get(at + 1)?.parse().ok()?;
    let mut clock = words.get(at + 2)?.split(':').map(|part| part.parse::<u8>().ok());
    let (hour, minute) = (clock.next()??, clock.next()??);
    let second = clock.next().flatten().unwrap_or(0);
    // A zone may stand before or after the year.
    let year =
        words.iter().skip(at + 3).find(|word| word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit()))?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, day).ok()?;
    Some(date.with_time(Time::from_hms(hour, minute, second).ok()?).assume_utc().unix_timestamp())
}

fn asctime(unix: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(unix).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let weekday = at.weekday().to_string();
    let month = MONTHS.get(usize::from(u8::from(at.month())) - 1).unwrap_or(&"Jan");
    format!(
        "{} {month} {:2} {:02}:{:02}:{:02} {}",
        weekday.get(..3).unwrap_or("Thu"),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.year()
    )
}

const FROM: &[u8] = b"From ";
const MONTHS: &[&str] = &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(bytes: &[u8]) -> Vec<Loaded> {
        let mut reader = MboxReader::new(bytes, 1 << 20);
        std::iter::from_fn(|| reader.next_message().expect("an mbox")).collect()
    }

    #[test]
    fn three_messages() {
        let found = read_all(
            b"From a@x Thu Jan  1 00:00:10 1970\nSubject: 1\nStatus: RO\n\n>From here\n>>From there\nno From \n\n\
              From - Fri Feb  2 03:04:05 2001\nSubject: 2\n\nbody\n\n\nFrom b@x Sat Mar  3 04:05 +0100 2002\n\n",
        );
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].raw, "Subject: 1\r\nStatus: RO\r\n\r\nFrom here\r\n>From there\r\nno From \r\n");
        assert_eq!((found[0].flags, found[0].received_at), (super::super::SEEN, Some(10)));
        assert_eq!(found[1].raw, "Subject: 2\r\n\r\nbody\r\n\r\n");
        assert_eq!(found[1].received_at, Some(981_083_045));
        assert_eq!(found[2].raw, "");
        assert_eq!(found[2].received_at, Some(1_015_128_300));
    }

    #[test]
    fn other_files_are_refused() {
        assert!(MboxReader::new(&b"Subject: x\n"[..], 100).next_message().is_err());
        assert!(MboxReader::new(&b"From x\naaaaaaaaaaaaaaaa\n"[..], 10).next_message().is_err());
        assert!(read_all(b"").is_empty());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            messages in prop::collection::vec(
                (prop::collection::vec("(>{0,2}From )?[ -~]{0,20}", 1..8), 0i64..4_000_000_000), 0..5)
        ) {
            let mut file = Vec::new();
            let mut expected = Vec::new();
            for (lines, at) in &messages {
                let raw = lines.iter().map(|line| format!("{line}\r\n")).collect::<String>();
                write_message(&mut file, "a@x", *at, raw.as_bytes()).expect("memory");
                expected.push((Bytes::from(raw), Some(*at)));
            }
            let found: Vec<_> = read_all(&file).into_iter().map(|one| (one.raw, one.received_at)).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let mut reader = MboxReader::new(&bytes[..], 1 << 20);
            while let Ok(Some(_)) = reader.next_message() {}
            let with = [&b"From x\n"[..], &bytes].concat();
            let mut reader = MboxReader::new(&with[..], 1 << 20);
            while let Ok(Some(_)) = reader.next_message() {}
        }
    }
}
