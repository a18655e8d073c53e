//! Replies (RFC 5321 §4.2) with enhanced status codes (RFC 2034, RFC 3463).

use std::fmt;

use crate::Limits;

/// `class.subject.detail` (RFC 3463 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedCode(pub u8, pub u16, pub u16);

impl EnhancedCode {
    /// Reads a code that stands at the front of `text`, and gives what follows its blank.
    pub fn take(text: &str) -> Option<(Self, &str)> {
        let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut numbers = code.split('.').map(|number| {
            let all_digits = (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
            all_digits.then(|| number.parse::<u16>().ok()).flatten()
        });
        let class = u8::try_from(numbers.next()??).ok().filter(|class| matches!(class, 2 | 4 | 5))?;
        let code = Self(class, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some((code, rest))
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A reply: a code, an enhanced code where there is one, and one or more lines of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// Stands on every line.
    pub enhanced: Option<EnhancedCode>,
    /// At least one line, without CR, LF or control characters.
    pub lines: Vec<String>,
}

impl Reply {
    /// A reply of one line with an enhanced code `(class, subject, detail)`.
    pub fn new(code: u16, enhanced: (u8, u16, u16), text: impl Into<String>) -> Self {
        let (class, subject, detail) = enhanced;
        Self { code, enhanced: Some(EnhancedCode(class, subject, detail)), lines: vec![text.into()] }
    }

    /// A reply of one line without enhanced code: greetings, EHLO, 3yz and 334.
    pub fn plain(code: u16, text: impl Into<String>) -> Self {
        Self { code, enhanced: None, lines: vec![text.into()] }
    }

    /// 2yz.
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// 4yz: worth trying again.
    pub fn is_transient(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// 5yz: not worth trying again.
    pub fn is_permanent(&self) -> bool {
        (500..600).contains(&self.code)
    }

    /// Appends the wire form. What could end a line early is left out.
    pub fn write(&self, out: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        let empty = String::new();
        let lines = if self.lines.is_empty() { std::slice::from_ref(&empty) } else { self.lines.as_slice() };
        for (at, line) in lines.iter().enumerate() {
            out.extend_from_slice(self.code.to_string().as_bytes());
            out.push(if at == last { b' ' } else { b'-' });
            if let Some(enhanced) = self.enhanced {
                out.extend_from_slice(enhanced.to_string().as_bytes());
                out.push(b' ');
            }
            out.extend(line.bytes().filter(|b| !b.is_ascii_control()));
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// In one line, for logs, notices and `kontor queue`.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        for line in self.lines.iter().filter(|line| !line.is_empty()) {
            write!(f, " {line}")?;
        }
        Ok(())
    }
}

/// What stands at the front of a server's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyFrame {
    /// Not yet a whole reply.
    Incomplete,
    /// A reply.
    Reply {
        /// The reply.
        reply: Reply,
        /// Octets to drop from the front of the input.
        consumed: usize,
    },
}

/// The stream is not SMTP, or too much of it. The connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// A line does not begin with a code, or codes differ within a reply.
    #[error("the server's reply is malformed")]
    Malformed,
    /// The reply breaks [`Limits::reply`] or [`Limits::reply_lines`].
    #[error("the server's reply is too long")]
    TooLong,
}

/// Reads one reply. A bare LF ends a line here: the client loses nothing by it, and such servers exist.
pub fn parse_reply(input: &[u8], limits: &Limits) -> Result<ReplyFrame, ReplyError> {
    let mut rest = input;
    let mut reply: Option<Reply> = None;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, after) = rest.split_at_checked(end).ok_or(ReplyError::Malformed)?;
        rest = after.get(1..).unwrap_or_default();
        if input.len().saturating_sub(rest.len()) > limits.reply {
            return Err(ReplyError::TooLong);
        }
        let (code, last, text) = split_line(line.strip_suffix(b"\r").unwrap_or(line))?;
        // A server that gives an enhanced code gives it on every line; one that does not start with it has none.
        let taken = EnhancedCode::take(&text).filter(|(enhanced, _)| u16::from(enhanced.0) == code / 100);
        let reply = match &mut reply {
            None => {
                let enhanced = taken.map(|(enhanced, _)| enhanced);
                let text = taken.map_or(text.as_str(), |(_, rest)| rest).to_owned();
                reply.insert(Reply { code, enhanced, lines: vec![text] })
            }
            Some(reply) if reply.code != code => return Err(ReplyError::Malformed),
            Some(reply) if reply.lines.len() >= limits.reply_lines => return Err(ReplyError::TooLong),
            Some(reply) => {
                let same = taken.filter(|(enhanced, _)| Some(*enhanced) == reply.enhanced);
                reply.lines.push(same.map_or(text.as_str(), |(_, rest)| rest).to_owned());
                reply
            }
        };
        if last {
            let consumed = input.len().saturating_sub(rest.len());
            return Ok(ReplyFrame::Reply { reply: reply.clone(), consumed });
        }
    }
    if input.len() > limits.reply { Err(ReplyError::TooLong) } else { Ok(ReplyFrame::Incomplete) }
}

fn split_line(line: &[u8]) -> Result<(u16, bool, String), ReplyError> {
    let (code, rest) = line.split_at_checked(3).ok_or(ReplyError::Malformed)?;
    let code = std::str::from_utf8(code).ok().filter(|code| code.bytes().all(|b| b.is_ascii_digit()));
    let code = code.and_then(|code| code.parse().ok()).filter(|code| (200..600).contains(code));
    let code = code.ok_or(ReplyError::Malformed)?;
    let (last, text) = match rest.split_first() {
        None => (true, &[][..]),
        Some((b' ', text)) => (true, text),
        Some((b'-', text)) => (false, text),
        Some(_) => return Err(ReplyError::Malformed),
    };
    let text = String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).collect();
    Ok((code, last, text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(input: &[u8]) -> Result<ReplyFrame, ReplyError> {
        parse_reply(input, &Limits::default())
    }

    #[test]
    fn replies_are_read() {
        let Ok(ReplyFrame::Reply { reply, consumed }) = parse(b"250-2.1.5 a\r\n250 2.1.5 b\r\n354") else {
            panic!()
        };
        assert_eq!(reply.enhanced, Some(EnhancedCode(2, 1, 5)));
        assert_eq!((reply.lines, consumed), (vec!["a".to_owned(), "b".to_owned()], 26));
        assert_eq!(parse(b"250-a\r\n250"), Ok(ReplyFrame::Incomplete));
        assert!(matches!(parse(b"354\r\n"), Ok(ReplyFrame::Reply { .. })));
        for bad in [
            &b"25\r\n"[..],
            b"abc d\r\n",
            b"250?\r\n",
            b"250-a\r\n251 b\r\n",
            b"199 x\r\n",
            b"\xff\xff\xff\n",
        ] {
            assert_eq!(parse(bad), Err(ReplyError::Malformed), "{bad:?}");
        }
        assert_eq!(parse(&vec![b'2'; 40_000]), Err(ReplyError::TooLong));
        assert_eq!(parse(&b"250-a\r\n".repeat(1000)), Err(ReplyError::TooLong));
    }

    #[test]
    fn a_text_cannot_break_out_of_its_line() {
        let mut out = Vec::new();
        Reply::new(550, (5, 1, 1), "no\r\n250 yes").write(&mut out);
        assert_eq!(out, b"550 5.1.1 no250 yes\r\n");
    }

    proptest! {
        #[test]
        fn every_reply_comes_back(
            code in 200u16..600,
            enhanced in prop::option::of((0u16..999, 0u16..999)),
            lines in prop::collection::vec("[a-z][ -~\u{e9}]{0,30}", 1..6),
        ) {
            let class = u8::try_from(code / 100).unwrap();
            let enhanced = enhanced.filter(|_| class != 3).map(|(s, d)| EnhancedCode(class, s, d));
            let reply = Reply { code, enhanced, lines };
            let mut wire = Vec::new();
            reply.write(&mut wire);
            prop_assert_eq!(parse(&wire), Ok(ReplyFrame::Reply { reply, consumed: wire.len() }));
            for cut in 0..wire.len() {
                prop_assert_eq!(parse(&wire[..cut]), Ok(ReplyFrame::Incomplete));
            }
        }

        #[test]
        fn no_input_panics(input in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse(&input);
        }
    }
}
