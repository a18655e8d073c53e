//! Multi-line responses with a message in them (RFC 1939 §3, §7).

use memchr::{memchr_iter, memmem};

/// Writes a message piece by piece.
///
/// A dot at the start of a line, that is after CRLF, is doubled; every other octet, bare CR and LF
/// included, goes out as it is stored, so that a client which follows RFC 1939 gets the message byte for
/// byte. A message that does not end in CRLF gets one before the closing dot, because the protocol has no
/// other way to end it; the sizes in LIST and STAT are those of the stored octets.
#[derive(Debug)]
pub struct DotStuffer {
    tail: Tail,
}

/// What the next octet follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    LineStart,
    Cr,
    Line,
}

impl DotStuffer {
    /// A writer at the start of a message.
    pub fn new() -> Self {
        Self { tail: Tail::LineStart }
    }

    /// Appends the next piece of the message to `out`.
    pub fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        if let (Tail::Cr, Some((b'\n', after))) = (self.tail, rest.split_first()) {
            out.push(b'\n');
            rest = after;
            self.tail = Tail::LineStart;
        }
        if self.tail == Tail::LineStart && rest.first() == Some(&b'.') {
            out.push(b'.');
        }
        while let Some((line, after)) =
            memmem::find(rest, b"\r\n.").and_then(|at| rest.split_at_checked(at + 2))
        {
            out.extend_from_slice(line);
            out.push(b'.');
            rest = after;
        }
        out.extend_from_slice(rest);
        self.tail = match rest {
            [] => self.tail,
            [.., b'\r', b'\n'] => Tail::LineStart,
            [.., b'\r'] => Tail::Cr,
            _ => Tail::Line,
        };
    }

    /// Ends the response.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self.tail != Tail::LineStart {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
    }
}

impl Default for DotStuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// Finds how much of a message TOP shows: the header, the empty line, and so many lines of the body
/// (RFC 1939 §7). Lines are counted at LF, so that mail with bare LF has a header too.
#[derive(Debug)]
pub struct TopCounter {
    in_header: bool,
    line_has_text: bool,
    body_lines: u64,
}

impl TopCounter {
    /// A counter for `body_lines` lines of the body.
    pub fn new(body_lines: u64) -> Self {
        Self { in_header: true, line_has_text: false, body_lines }
    }

    /// How many octets of the next piece are shown, and whether that was all.
    pub fn take(&mut self, piece: &[u8]) -> (usize, bool) {
        let mut line_start = 0;
        for at in memchr_iter(b'\n', piece) {
            let line = piece.get(line_start..at).unwrap_or_default();
            let has_text = self.line_has_text || line.iter().any(|&b| b != b'\r');
            self.line_has_text = false;
            line_start = at.saturating_add(1);
            if !self.in_header {
                self.body_lines = self.body_lines.saturating_sub(1);
            }
            self.in_header &= has_text;
            if !self.in_header && self.body_lines == 0 {
                return (line_start, true);
            }
        }
        let tail = piece.get(line_start..).unwrap_or_default();
        self.line_has_text |= tail.iter().any(|&b| b != b'\r');
        (piece.len(), false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stuffed(pieces: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut stuffer = DotStuffer::new();
        for piece in pieces {
            stuffer.write(piece, &mut out);
        }
        stuffer.finish(&mut out);
        out
    }

    /// What a client makes of it by RFC 1939 §3: cut at CRLF, a line that is a dot ends, else a leading
    /// dot goes.
    fn unstuffed(wire: &[u8]) -> Vec<u8> {
        let (mut out, mut rest) = (Vec::new(), wire);
        loop {
            let end = memmem::find(rest, b"\r\n").expect("the response ends");
            let line = &rest[..end];
            rest = &rest[end + 2..];
            if line == b"." {
                assert!(rest.is_empty(), "octets after the end");
                return out;
            }
            out.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            out.extend_from_slice(b"\r\n");
        }
    }

    fn top(pieces: &[&[u8]], lines: u64) -> Vec<u8> {
        let (mut counter, mut out) = (TopCounter::new(lines), Vec::new());
        for piece in pieces {
            let (taken, done) = counter.take(piece);
            out.extend_from_slice(&piece[..taken]);
            if done {
                break;
            }
        }
        out
    }

    #[test]
    fn dots_are_doubled_after_crlf_only() {
        for (message, wire) in [
            (&b""[..], &b".\r\n"[..]),
            (b".", b"..\r\n.\r\n"),
            (b"a\r\n.\r\n", b"a\r\n..\r\n.\r\n"),
            (b"a\n.\n", b"a\n.\n\r\n.\r\n"),
            (b"a\r", b"a\r\r\n.\r\n"),
        ] {
            assert_eq!(stuffed(&[message]), wire, "{message:?}");
        }
    }

    #[test]
    fn top_shows_the_header_and_some_lines() {
        let message = b"A: b\r\n\r\none\r\ntwo\r\nthree";
        assert_eq!(top(&[message], 0), b"A: b\r\n\r\n");
        assert_eq!(top(&[message], 1), b"A: b\r\n\r\none\r\n");
        assert_eq!(top(&[message], 9), message);
        assert_eq!(top(&[b"A: b\n\nx\ny\n"], 1), b"A: b\n\nx\n");
        assert_eq!(top(&[b"\r\nbody\r\n"], 0), b"\r\n");
        assert_eq!(top(&[b"A: b\r\n"], 3), b"A: b\r\n");
    }

    proptest! {
        #[test]
        fn messages_come_back_however_they_are_cut(
            message in prop::collection::vec(prop::sample::select(&b"\r\n.a\r\n."[..]), 0..60),
            cut in 0usize..60,
            other in 0usize..60,
            lines in 0u64..5,
        ) {
            let (a, b) = (cut.min(other).min(message.len()), cut.max(other).min(message.len()));
            let pieces = [&message[..a], &message[a..b], &message[b..]];
            let wire = stuffed(&pieces);
            prop_assert_eq!(&wire, &stuffed(&[&message]));
            let mut expected = message.clone();
            if !message.is_empty() && !message.ends_with(b"\r\n") {
                expected.extend_from_slice(b"\r\n");
            }
            prop_assert_eq!(unstuffed(&wire), expected);
            prop_assert_eq!(top(&pieces, lines), top(&[&message], lines));
        }
    }
}
