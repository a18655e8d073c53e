//! The message in DATA: transparency and its end (RFC 5321 §4.1.1.4, §4.5.2).

use memchr::{memchr2_iter, memmem};

/// What a call of [`DataDecoder::decode`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Octets of the input that belong to the message; the rest are commands.
    pub consumed: usize,
    /// CRLF "." CRLF was seen.
    pub done: bool,
}

/// Takes the message out of a DATA stream.
///
/// Only CRLF "." CRLF ends it. A dot after a bare CR or a bare LF is data, a bare newline never counts as
/// a line end, and every octet but the stuffed dots is kept as it came, so that what is stored is what was
/// sent. The first line starts a line, so "." CRLF at once is an empty message.
#[derive(Debug)]
pub struct DataDecoder {
    state: State,
    limit: usize,
    size: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// After CRLF, or at the start.
    LineStart,
    /// In a line.
    Line,
    /// In a line, the last octet was CR and has been given out.
    Cr,
    /// A dot at the start of a line, held back.
    Dot,
    /// A dot at the start of a line and a CR, both held back.
    DotCr,
    Done,
}

impl DataDecoder {
    /// A decoder that gives out at most `limit` octets. What comes after is read and dropped, so that the
    /// stream stays in step and the sender can be told `552 5.3.4` at the end.
    pub fn new(limit: usize) -> Self {
        Self { state: State::LineStart, limit, size: 0 }
    }

    /// Octets of the message so far, those over the limit counted.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The message is larger than the limit.
    pub fn is_over_limit(&self) -> bool {
        self.size > self.limit as u64
    }

    /// Appends the message's octets in `input` to `out`.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Decoded {
        let mut rest = input;
        while self.state != State::Done {
            let Some((&first, after)) = rest.split_first() else { break };
            match self.state {
                State::LineStart if first == b'.' => {
                    self.state = State::Dot;
                    rest = after;
                }
                State::Dot if first == b'\r' => {
                    self.state = State::DotCr;
                    rest = after;
                }
                State::DotCr if first == b'\n' => {
                    self.state = State::Done;
                    rest = after;
                }
                State::DotCr => {
                    self.emit(b"\r", out);
                    self.state = State::Line;
                }
                State::Cr if first == b'\n' => {
                    self.emit(b"\n", out);
                    self.state = State::LineStart;
                    rest = after;
                }
                State::LineStart | State::Dot | State::Cr => self.state = State::Line,
                State::Line => rest = self.line(rest, out),
                State::Done => break,
            }
        }
        Decoded { consumed: input.len().saturating_sub(rest.len()), done: self.state == State::Done }
    }

    /// Everything up to the next CRLF "." at once: the search is vectorised, the copy is one `memcpy`.
    fn line<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        if let Some((data, rest)) =
            memmem::find(input, b"\r\n.").and_then(|at| input.split_at_checked(at + 2))
        {
            self.emit(data, out);
            self.state = State::LineStart;
            return rest;
        }
        self.emit(input, out);
        self.state = match input {
            [.., b'\r', b'\n'] => State::LineStart,
            [.., b'\r'] => State::Cr,
            _ => State::Line,
        };
        &[]
    }

    fn emit(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let room = (self.limit as u64).saturating_sub(self.size);
        let take = usize::try_from(room).unwrap_or(usize::MAX).min(data.len());
        out.extend_from_slice(data.get(..take).unwrap_or_default());
        self.size = self.size.saturating_add(data.len() as u64);
    }
}

/// A CR without LF, or a LF without CR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BareNewline {
    /// Octets before it.
    pub offset: usize,
}

/// The first newline of `message` that RFC 5321 §2.3.8 forbids, for a policy that refuses them.
pub fn find_bare_newline(message: &[u8]) -> Option<BareNewline> {
    let mut expected_lf = None;
    for at in memchr2_iter(b'\r', b'\n', message) {
        let is_cr = message.get(at) == Some(&b'\r');
        match (is_cr, expected_lf) {
            (true, None) => expected_lf = Some(at + 1),
            (false, Some(expected)) if expected == at => expected_lf = None,
            (_, Some(expected)) => return Some(BareNewline { offset: expected - 1 }),
            (false, None) => return Some(BareNewline { offset: at }),
        }
    }
    expected_lf.map(|expected| BareNewline { offset: expected - 1 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::DotStuffer;

    fn whole(input: &[u8]) -> (Vec<u8>, Decoded) {
        let mut out = Vec::new();
        let decoded = DataDecoder::new(usize::MAX).decode(input, &mut out);
        (out, decoded)
    }

    #[test]
    fn only_crlf_dot_crlf_ends_a_message() {
        for (wire, message) in [
            (&b".\r\n"[..], &b""[..]),
            (b"a\r\n.\r\n", b"a\r\n"),
            (b"..\r\n.\r\n", b".\r\n"),
            (b".a\r\n.\r\n", b"a\r\n"),
            (b"a\n.\n\r\n.\r\n", b"a\n.\n\r\n"),
            (b"a\n.\r\n.\r\n", b"a\n.\r\n"),
            (b"a\r.\r\n.\r\n", b"a\r.\r\n"),
            (b"a\r\n.\n.\r\n.\r\n", b"a\r\n\n.\r\n"),
            (b"a\r\n.\r.\r\n.\r\n", b"a\r\n\r.\r\n"),
            (b"a\r\n.\r\r\n.\r\n", b"a\r\n\r\r\n"),
            (b"a\r\r\n.\r\n", b"a\r\r\n"),
            (b"\r\n.\r\n", b"\r\n"),
            (b"\0\xff\r\n.\r\n", b"\0\xff\r\n"),
        ] {
            let input = [wire, b"QUIT\r\n"].concat();
            let (out, decoded) = whole(&input);
            assert_eq!(out, message, "{wire:?}");
            assert_eq!(decoded, Decoded { consumed: wire.len(), done: true }, "{wire:?}");
        }
    }

    #[test]
    fn an_unfinished_message_is_not_done() {
        for wire in [&b""[..], b".", b".\r", b"a\r\n.", b"a\r\n.\r", b"a\n.\n", b"a\r\n.\n", b"a\r\n..\r\n"] {
            assert!(!whole(wire).1.done, "{wire:?}");
        }
    }

    #[test]
    fn over_the_limit_the_stream_stays_in_step() {
        let mut out = Vec::new();
        let mut decoder = DataDecoder::new(4);
        let decoded = decoder.decode(b"123456\r\n.\r\nRSET\r\n", &mut out);
        assert_eq!((out.as_slice(), decoded.consumed, decoded.done), (&b"1234"[..], 11, true));
        assert!(decoder.is_over_limit());
        assert_eq!(decoder.size(), 8);
    }

    #[test]
    fn bare_newlines_are_found() {
        for (message, offset) in [
            (&b"a\r\nb\r\n"[..], None),
            (b"a\nb", Some(1)),
            (b"a\rb\r\n", Some(1)),
            (b"a\r\r\n", Some(1)),
            (b"a\r\nb\r", Some(4)),
            (b"\r\n\n", Some(2)),
        ] {
            assert_eq!(find_bare_newline(message).map(|bare| bare.offset), offset, "{message:?}");
        }
    }

    /// Octets that make line ends and dots likely.
    fn wire() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(&b"\r\n.a\r\n."[..]), 0..200)
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_message(input in wire(), cuts in prop::collection::vec(0usize..200, 0..8)) {
            let (expected, expected_end) = whole(&input);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
            cuts.push(0);
            cuts.push(input.len());
            cuts.sort_unstable();
            let mut decoder = DataDecoder::new(usize::MAX);
            let (mut out, mut consumed, mut done) = (Vec::new(), 0, false);
            for pair in cuts.windows(2) {
                let decoded = decoder.decode(&input[pair[0]..pair[1]], &mut out);
                consumed += decoded.consumed;
                done = decoded.done;
            }
            prop_assert_eq!(out, expected);
            prop_assert_eq!(Decoded { consumed, done }, expected_end);
        }

        #[test]
        fn what_is_stuffed_comes_back(lines in prop::collection::vec("[.a-c\u{e9}]{0,6}", 0..20)) {
            let message: Vec<u8> = lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect();
            let mut wire = Vec::new();
            let mut stuffer = DotStuffer::new();
            stuffer.write(&message, &mut wire);
            stuffer.finish(&mut wire);
            let (out, decoded) = whole(&wire);
            prop_assert_eq!(out, message);
            prop_assert_eq!(decoded, Decoded { consumed: wire.len(), done: true });
        }
    }
}
