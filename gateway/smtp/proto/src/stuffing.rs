//! The writer of DATA (RFC 5321 §4.5.2).

use memchr::memchr3_iter;

/// Writes a message as DATA, piece by piece.
///
/// The next hop must agree on where lines end, so a bare CR or LF is written as CRLF (RFC 5321 §2.3.8), a
/// dot at the start of a line is doubled, and a last line without CRLF gets one.
#[derive(Debug)]
pub struct DotStuffer {
    at_line_start: bool,
    after_cr: bool,
}

impl DotStuffer {
    /// A writer at the start of a message.
    pub fn new() -> Self {
        Self { at_line_start: true, after_cr: false }
    }

    /// Appends the next piece of the message to `out`.
    pub fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let Some(&first) = piece.first() else { return };
        // A CR at the end of the last piece waits for the octet after it.
        if std::mem::take(&mut self.after_cr) {
            out.extend_from_slice(b"\r\n");
            self.at_line_start = true;
            if first == b'\n' {
                return self.write(piece.get(1..).unwrap_or_default(), out);
            }
        }
        let mut copied = 0;
        let mut line_start = if self.at_line_start { Some(0) } else { None };
        for at in memchr3_iter(b'\r', b'\n', b'.', piece) {
            if at < copied {
                continue;
            }
            if piece.get(at) == Some(&b'.') {
                if line_start == Some(at) {
                    out.extend_from_slice(piece.get(copied..at).unwrap_or_default());
                    out.extend_from_slice(b".");
                    copied = at;
                }
                continue;
            }
            out.extend_from_slice(piece.get(copied..at).unwrap_or_default());
            copied = at.saturating_add(1);
            if piece.get(at) == Some(&b'\r') {
                match piece.get(copied) {
                    Some(b'\n') => copied = copied.saturating_add(1),
                    Some(_) => {}
                    None => {
                        self.after_cr = true;
                        self.at_line_start = false;
                        return;
                    }
                }
            }
            out.extend_from_slice(b"\r\n");
            line_start = Some(copied);
        }
        out.extend_from_slice(piece.get(copied..).unwrap_or_default());
        self.at_line_start = line_start == Some(piece.len());
    }

    /// Ends the message: its last CRLF where it has none, then the dot.
    pub fn finish(self, out: &mut Vec<u8>) {
        if !self.at_line_start {
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

    #[test]
    fn dots_are_doubled_and_newlines_made_whole() {
        for (message, wire) in [
            (&b""[..], &b".\r\n"[..]),
            (b"a", b"a\r\n.\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b"a.b\r\n..\r\n", b"a.b\r\n...\r\n.\r\n"),
            (b"a\n.\n", b"a\r\n..\r\n.\r\n"),
            (b"a\r.\r", b"a\r\n..\r\n.\r\n"),
            (b"a\r\r\n.\r\n", b"a\r\n\r\n..\r\n.\r\n"),
        ] {
            assert_eq!(stuffed(&[message]), wire, "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_wire(
            input in prop::collection::vec(prop::sample::select(&b"\r\n.a"[..]), 0..60),
            cut in 0usize..60,
            other in 0usize..60,
        ) {
            let (a, b) = (cut.min(other).min(input.len()), cut.max(other).min(input.len()));
            prop_assert_eq!(stuffed(&[&input[..a], &input[a..b], &input[b..]]), stuffed(&[&input]));
        }
    }
}
