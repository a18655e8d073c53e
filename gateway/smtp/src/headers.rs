//! The few things that transport needs from a message's header (RFC 5322 §2.2), found without parsing it.

use std::ops::Range;

use memchr::memchr;

/// What a look at the header block found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// `Received` fields: how many servers it has passed.
    pub received: usize,
    pub has_date: bool,
    pub has_message_id: bool,
    /// `Bcc` and `Resent-Bcc` fields, whole lines.
    pub bcc: Vec<Range<usize>>,
    /// Octets of the block, without the empty line.
    pub length: usize,
    /// Some octet is not ASCII.
    pub eight_bit: bool,
}

/// Reads the header block of a message. What is no field ends the block.
pub(crate) fn survey(message: &[u8]) -> Survey {
    let mut survey = Survey::default();
    let mut at = 0;
    while let Some(field) = next_field(message, at) {
        let name = message.get(field.start..field.start + field.name_len).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"Received") {
            survey.received += 1;
        } else if name.eq_ignore_ascii_case(b"Date") {
            survey.has_date = true;
        } else if name.eq_ignore_ascii_case(b"Message-ID") {
            survey.has_message_id = true;
        } else if name.eq_ignore_ascii_case(b"Bcc") || name.eq_ignore_ascii_case(b"Resent-Bcc") {
            survey.bcc.push(field.start..field.end);
        }
        at = field.end;
    }
    survey.length = at;
    survey.eight_bit = !message.get(..at).unwrap_or_default().is_ascii();
    survey
}

struct Field {
    start: usize,
    name_len: usize,
    /// After its last line end.
    end: usize,
}

fn next_field(message: &[u8], start: usize) -> Option<Field> {
    let rest = message.get(start..)?;
    let first = line_end(rest);
    let line = rest.get(..first)?;
    let colon = memchr(b':', line)?;
    let name = line.get(..colon)?;
    let name_len = name.iter().rposition(|b| !matches!(b, b' ' | b'\t')).map_or(0, |last| last + 1);
    let is_name = |b: &u8| matches!(b, b'!'..=b'~');
    if name_len == 0 || !name.get(..name_len)?.iter().all(is_name) {
        return None;
    }
    let mut end = first;
    while matches!(rest.get(end), Some(b' ' | b'\t')) {
        end += line_end(rest.get(end..)?);
    }
    Some(Field { start, name_len, end: start + end })
}

fn line_end(rest: &[u8]) -> usize {
    memchr(b'\n', rest).map_or(rest.len(), |at| at + 1)
}

/// A submitted message as it goes on: without Bcc (RFC 5322 §3.6.3), with the fields that were missing
/// (RFC 6409 §8), `prefix` before everything.
pub(crate) fn complete_submission(
    message: &[u8],
    survey: &Survey,
    prefix: &str,
    date: &str,
    message_id: &str,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(prefix.len() + message.len() + 256);
    out.extend_from_slice(prefix.as_bytes());
    if !survey.has_date {
        out.extend_from_slice(format!("Date: {date}\r\n").as_bytes());
    }
    if !survey.has_message_id {
        out.extend_from_slice(format!("Message-ID: <{message_id}>\r\n").as_bytes());
    }
    // A message that starts with its body has no header to go before ours.
    if survey.length == 0 && !message.starts_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    let mut copied = 0;
    for bcc in &survey.bcc {
        out.extend_from_slice(message.get(copied..bcc.start).unwrap_or_default());
        copied = bcc.end;
    }
    out.extend_from_slice(message.get(copied..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_and_the_body_is_not_looked_at() {
        let message = b"Received: a\r\n\tb\r\nRECEIVED: c\r\nDate: x\r\nBcc: y,\r\n z\r\n\r\nReceived: no\r\nBcc: no\r\n";
        let survey = survey(message);
        assert_eq!((survey.received, survey.has_date, survey.has_message_id), (2, true, false));
        assert_eq!(survey.bcc.len(), 1);
        assert_eq!(&message[survey.bcc[0].clone()], b"Bcc: y,\r\n z\r\n");
        assert_eq!(&message[survey.length..survey.length + 2], b"\r\n");
    }

    #[test]
    fn odd_messages_are_no_trouble() {
        for message in
            [&b""[..], b"\r\n", b"no header", b": x\r\n", b" \r\n", b"a b: c\r\n", b"A:", b"A: b\n\tc"]
        {
            assert!(survey(message).length <= message.len());
        }
        assert_eq!(survey(b"A: b\n\tc").length, 7);
    }

    #[test]
    fn a_submission_is_completed() {
        let message = b"From: a\r\nBcc: b\r\nSubject: c\r\n\r\nbody\r\n";
        let out = complete_submission(message, &survey(message), "P: q\r\n", "now", "id@x");
        let expected = b"P: q\r\nDate: now\r\nMessage-ID: <id@x>\r\nFrom: a\r\nSubject: c\r\n\r\nbody\r\n";
        assert_eq!(out, expected);
        let whole = b"Date: a\r\nMessage-ID: <b>\r\n\r\nx";
        assert_eq!(complete_submission(whole, &survey(whole), "", "now", "id"), whole);
        let bare = b"just text\r\n";
        let out = complete_submission(bare, &survey(bare), "", "now", "id");
        assert_eq!(out, b"Date: now\r\nMessage-ID: <id>\r\n\r\njust text\r\n");
    }
}
