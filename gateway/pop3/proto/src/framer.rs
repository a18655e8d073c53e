//! Finds where a line ends, and holds its byte budget.

use memchr::memchr;

/// What stands at the front of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// No whole line yet. `consumed` octets belong to a line that is too long and can be dropped.
    Incomplete {
        /// Octets to drop from the front of the input.
        consumed: usize,
    },
    /// A line, without its end.
    Line {
        /// The line, without its end.
        line: &'a [u8],
        /// Octets to drop from the front of the input, line end counted.
        consumed: usize,
    },
    /// A line that broke the budget has ended.
    TooLong {
        /// Octets to drop from the front of the input.
        consumed: usize,
    },
}

/// Cuts a stream into lines. A bare LF ends a line too: nothing is relayed from here, so no other server
/// can read it otherwise, and hand-driven clients send it.
#[derive(Debug)]
pub struct LineFramer {
    limit: usize,
    skipping: bool,
}

impl LineFramer {
    /// A framer for lines of at most `limit` octets, line end counted.
    pub fn new(limit: usize) -> Self {
        Self { limit, skipping: false }
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
        let line = input.get(..end).unwrap_or_default();
        Frame::Line { line: line.strip_suffix(b"\r").unwrap_or(line), consumed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_lines_and_drops_what_is_too_long() {
        let mut framer = LineFramer::new(8);
        assert_eq!(framer.frame(b"STAT\r\nQ"), Frame::Line { line: b"STAT", consumed: 6 });
        assert_eq!(framer.frame(b"STAT\n"), Frame::Line { line: b"STAT", consumed: 5 });
        assert_eq!(framer.frame(b"STAT\r"), Frame::Incomplete { consumed: 0 });
        assert_eq!(framer.frame(b"123456789"), Frame::Incomplete { consumed: 9 });
        assert_eq!(framer.frame(b"0\r\nQUIT\r\n"), Frame::TooLong { consumed: 3 });
        assert_eq!(framer.frame(b"QUIT\r\n"), Frame::Line { line: b"QUIT", consumed: 6 });
    }
}
