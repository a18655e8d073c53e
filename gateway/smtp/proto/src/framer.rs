//! Finds where a command line ends, and holds its byte budget.

use memchr::memchr;

/// What stands at the front of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// No whole line yet. `consumed` octets belong to a line that is too long and can be dropped.
    Incomplete {
        /// Octets to drop from the front of the input.
        consumed: usize,
    },
    /// A line, without its CRLF.
    Line {
        /// The line, without its CRLF.
        line: &'a [u8],
        /// Octets to drop from the front of the input, CRLF counted.
        consumed: usize,
    },
    /// A line that broke the budget has ended: `500 5.5.6`.
    TooLong {
        /// Octets to drop from the front of the input.
        consumed: usize,
    },
    /// A line that ended in a bare LF, or that holds a bare CR: `500 5.5.2`. It is reported, never obeyed,
    /// because two servers that disagree on where a line ends are how mail is smuggled.
    BareNewline {
        /// Octets to drop from the front of the input.
        consumed: usize,
    },
}

/// Cuts a stream into lines of at most `limit` octets, CRLF counted. After a line that was too long it
/// goes on with the next one.
#[derive(Debug)]
pub struct LineFramer {
    limit: usize,
    skipping: bool,
}

impl LineFramer {
    /// A framer for lines of at most `limit` octets, CRLF counted.
    pub fn new(limit: usize) -> Self {
        Self { limit, skipping: false }
    }

    /// Changes the budget from the next line on (a SASL exchange has longer lines).
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Looks at the front of `input`. The caller drops `consumed` octets and calls again.
    pub fn frame<'a>(&mut self, input: &'a [u8]) -> Frame<'a> {
        let Some(end) = memchr(b'\n', input) else {
            if self.skipping || input.len() >= self.limit {
                self.skipping = true;
                return Frame::Incomplete { consumed: input.len() };
            }
            return Frame::Incomplete { consumed: 0 };
        };
        let consumed = end.saturating_add(1);
        if std::mem::take(&mut self.skipping) || consumed > self.limit {
            return Frame::TooLong { consumed };
        }
        let body = input.get(..end).unwrap_or_default();
        match body.strip_suffix(b"\r") {
            Some(line) if memchr(b'\r', line).is_none() => Frame::Line { line, consumed },
            _ => Frame::BareNewline { consumed },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_crlf_and_reports_what_is_not_a_line() {
        let mut framer = LineFramer::new(16);
        assert_eq!(framer.frame(b"NOOP\r"), Frame::Incomplete { consumed: 0 });
        assert_eq!(framer.frame(b"NOOP\r\nQUIT"), Frame::Line { line: b"NOOP", consumed: 6 });
        assert_eq!(framer.frame(b"NOOP\nQUIT\r\n"), Frame::BareNewline { consumed: 5 });
        assert_eq!(framer.frame(b"NO\rOP\r\n"), Frame::BareNewline { consumed: 7 });
        assert_eq!(framer.frame(b"\r\n"), Frame::Line { line: b"", consumed: 2 });
    }

    #[test]
    fn a_line_over_the_budget_is_dropped_and_the_next_is_read() {
        let mut framer = LineFramer::new(8);
        assert_eq!(framer.frame(b"0123456789"), Frame::Incomplete { consumed: 10 });
        assert_eq!(framer.frame(b"0123"), Frame::Incomplete { consumed: 4 });
        assert_eq!(framer.frame(b"4\r\nNOOP\r\n"), Frame::TooLong { consumed: 3 });
        assert_eq!(framer.frame(b"NOOP\r\n"), Frame::Line { line: b"NOOP", consumed: 6 });
        assert_eq!(framer.frame(b"0123456\r\n"), Frame::TooLong { consumed: 9 });
        assert_eq!(framer.frame(b"012345\r\n"), Frame::Line { line: b"012345", consumed: 8 });
    }
}
