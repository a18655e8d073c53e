//! Content transfer encodings (RFC 2045 §6) and uuencode, decoded leniently: what is no valid encoding is skipped
//! (base64) or kept as it is (quoted-printable).

use std::borrow::Cow;

use super::parameter::{hex_pair, skip_cfws, token};

/// How a body is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TransferEncoding {
    /// `7bit`, and the default.
    #[default]
    SevenBit = 0,
    /// `8bit`
    EightBit = 1,
    /// `binary`
    Binary = 2,
    /// `quoted-printable`
    QuotedPrintable = 3,
    /// `base64`
    Base64 = 4,
    /// `x-uuencode` and its other spellings.
    Uuencode = 5,
    /// One that Kontor does not know. Its content is handed on as it is.
    Unknown = 6,
}

impl TransferEncoding {
    /// Reads a field value.
    pub fn parse(value: &[u8]) -> Self {
        let (name, _) = token(skip_cfws(value));
        let name = name.to_ascii_lowercase();
        match name.as_slice() {
            b"7bit" | b"7-bit" | b"" => Self::SevenBit,
            b"8bit" | b"8-bit" => Self::EightBit,
            b"binary" => Self::Binary,
            b"quoted-printable" => Self::QuotedPrintable,
            b"base64" => Self::Base64,
            b"x-uuencode" | b"uuencode" | b"x-uue" => Self::Uuencode,
            _ => Self::Unknown,
        }
    }

    /// The stored code.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The encoding with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        [
            Self::SevenBit,
            Self::EightBit,
            Self::Binary,
            Self::QuotedPrintable,
            Self::Base64,
            Self::Uuencode,
            Self::Unknown,
        ]
        .get(usize::from(code))
        .copied()
    }

    /// Whether the content is the body as it stands.
    pub const fn is_identity(self) -> bool {
        matches!(self, Self::SevenBit | Self::EightBit | Self::Binary)
    }

    /// The decoded body.
    pub fn decode(self, body: &[u8]) -> Cow<'_, [u8]> {
        if matches!(self, Self::Base64 | Self::QuotedPrintable | Self::Uuencode) {
            let mut out = Vec::with_capacity(body.len());
            let mut decoder = Decoder::new(self);
            decoder.decode(body, &mut out);
            decoder.finish(&mut out);
            Cow::Owned(out)
        } else {
            Cow::Borrowed(body)
        }
    }
}

/// Decodes a body that comes in pieces of any size.
#[derive(Clone, Debug)]
pub struct Decoder {
    encoding: TransferEncoding,
    base64: Base64,
    /// The beginning of a line whose end has not come yet (quoted-printable, uuencode).
    line: Vec<u8>,
    uu: Uu,
}

impl Decoder {
    /// A decoder for one body.
    pub fn new(encoding: TransferEncoding) -> Self {
        Self { encoding, base64: Base64::default(), line: Vec::new(), uu: Uu::Before }
    }

    /// Takes the next piece and appends what can be decoded.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) {
        match self.encoding {
            TransferEncoding::Base64 => self.base64.decode(input, out),
            TransferEncoding::QuotedPrintable | TransferEncoding::Uuencode => self.lines(input, out),
            _ => out.extend_from_slice(input),
        }
    }

    /// Ends the body and appends what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match self.encoding {
            TransferEncoding::Base64 => self.base64.finish(out),
            TransferEncoding::QuotedPrintable | TransferEncoding::Uuencode => {
                let line = std::mem::take(&mut self.line);
                self.line(&line, out);
            }
            _ => {}
        }
    }

    fn lines(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        if !self.line.is_empty() {
            let end = memchr::memchr(b'\n', input).map_or(input.len(), |end| end + 1);
            let (head, rest) = input.split_at(end);
            self.line.extend_from_slice(head);
            if !self.line.ends_with(b"\n") && self.line.len() < MAX_LINE {
                return;
            }
            let line = std::mem::take(&mut self.line);
            self.block(&line, out);
            input = rest;
        }
        let whole = memchr::memrchr(b'\n', input).map_or(0, |end| end + 1);
        let (block, tail) = input.split_at(whole);
        self.block(block, out);
        if tail.len() < MAX_LINE {
            self.line.extend_from_slice(tail);
        } else {
            self.block(tail, out);
        }
    }

    fn block(&mut self, block: &[u8], out: &mut Vec<u8>) {
        if self.encoding == TransferEncoding::QuotedPrintable {
            // A line that was too long to be held may end inside an escape: keep that back.
            let cut = match block {
                [.., b'\n'] | [] => 0,
                [.., b'='] => 1,
                [.., b'=', _] => 2,
                _ => 0,
            };
            let (block, kept) = block.split_at(block.len() - cut);
            decode_quoted_printable(block, out);
            self.line.extend_from_slice(kept);
        } else {
            for line in block.split_inclusive(|&b| b == b'\n') {
                self.line(line, out);
            }
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        if self.encoding == TransferEncoding::QuotedPrintable {
            decode_quoted_printable(line, out);
        } else {
            self.uu = self.uu.line(line, out);
        }
    }
}

/// Decodes all of `input`, skipping what is not in the alphabet. Padding ends a group, not the text: some senders
/// put several padded texts behind each other.
pub fn decode_base64(input: &[u8], out: &mut Vec<u8>) {
    let mut decoder = Base64::default();
    decoder.decode(input, out);
    decoder.finish(out);
}

#[derive(Clone, Copy, Debug, Default)]
struct Base64 {
    accumulator: u32,
    digits: u8,
}

impl Base64 {
    fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) {
        out.reserve(input.len() / 4 * 3);
        let mut rest = input;
        while !rest.is_empty() {
            if self.digits == 0 {
                while let Some(([a, b, c, d], after)) = rest.split_first_chunk::<4>() {
                    let [a, b, c, d] = [value(*a), value(*b), value(*c), value(*d)];
                    if (a | b | c | d) & 0x80 != 0 {
                        break;
                    }
                    out.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
                    rest = after;
                }
            }
            let Some((&byte, after)) = rest.split_first() else { break };
            rest = after;
            match value(byte) {
                PAD => self.finish(out),
                digit if digit < 64 => {
                    self.accumulator = self.accumulator << 6 | u32::from(digit);
                    self.digits += 1;
                    if self.digits == 4 {
                        let [_, bytes @ ..] = self.accumulator.to_be_bytes();
                        out.extend_from_slice(&bytes);
                        *self = Self::default();
                    }
                }
                _ => {}
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        match self.digits {
            2 => out.extend((self.accumulator >> 4).to_be_bytes().last()),
            3 => {
                let [_, _, bytes @ ..] = (self.accumulator >> 2).to_be_bytes();
                out.extend_from_slice(&bytes);
            }
            _ => {}
        }
        *self = Self::default();
    }
}

fn value(byte: u8) -> u8 {
    BASE64.get(usize::from(byte)).copied().unwrap_or(INVALID)
}

/// Whole lines of quoted-printable, the last one perhaps without its end.
fn decode_quoted_printable(input: &[u8], out: &mut Vec<u8>) {
    let mut rest = input;
    // Space before a line end is transport padding (RFC 2045 §6.7 rule 3), unless it was an escape.
    let mut literal_from = out.len();
    while let Some(at) = memchr::memchr2(b'=', b'\n', rest) {
        let (run, tail) = rest.split_at(at);
        out.extend_from_slice(run);
        if tail.first() == Some(&b'\n') {
            let carriage = out.len() > literal_from && out.last() == Some(&b'\r');
            if carriage {
                out.pop();
            }
            strip_padding(out, literal_from);
            if carriage {
                out.push(b'\r');
            }
            out.push(b'\n');
            rest = tail.get(1..).unwrap_or_default();
            literal_from = out.len();
            continue;
        }
        let after = tail.get(1..).unwrap_or_default();
        if let Some((pair, after)) = after.split_first_chunk::<2>()
            && let Some(byte) = hex_pair(*pair)
        {
            out.push(byte);
            literal_from = out.len();
            rest = after;
            continue;
        }
        let blank = after.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        match after.get(blank..).unwrap_or_default() {
            [] => rest = &[],
            [b'\n', next @ ..] | [b'\r', b'\n', next @ ..] => rest = next,
            _ => {
                out.push(b'=');
                rest = after;
            }
        }
        literal_from = out.len();
    }
    out.extend_from_slice(rest);
    if !rest.is_empty() && rest.len() < MAX_LINE {
        strip_padding(out, literal_from);
    }
}

fn strip_padding(out: &mut Vec<u8>, from: usize) {
    while out.len() > from && matches!(out.last(), Some(b' ' | b'\t')) {
        out.pop();
    }
}

#[derive(Clone, Copy, Debug)]
enum Uu {
    Before,
    Inside,
    After,
}

impl Uu {
    fn line(self, line: &[u8], out: &mut Vec<u8>) -> Self {
        match self {
            Self::Before if line.starts_with(b"begin ") => Self::Inside,
            Self::Inside if line.starts_with(b"end") => Self::After,
            Self::Inside => {
                let Some((&count, digits)) = line.split_first() else { return self };
                let mut left = usize::from(count.wrapping_sub(b' ') & 0x3f);
                for group in digits.trim_ascii_end().chunks(4) {
                    let digit = |i: usize| group.get(i).map_or(0, |b| b.wrapping_sub(b' ') & 0x3f);
                    let (a, b, c, d) = (digit(0), digit(1), digit(2), digit(3));
                    let bytes = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
                    let take = left.min(3);
                    out.extend_from_slice(bytes.get(..take).unwrap_or_default());
                    left -= take;
                }
                self
            }
            _ => self,
        }
    }
}

/// A longer line is decoded before its end has come.
const MAX_LINE: usize = 64 << 10;
const INVALID: u8 = 0xff;
const PAD: u8 = 0xfe;
#[expect(clippy::indexing_slicing, reason = "evaluated when compiled")]
const BASE64: [u8; 256] = {
    let mut table = [INVALID; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut i = 0;
    while i < 64 {
        table[alphabet[i] as usize] = i as u8;
        i += 1;
    }
    table[b'=' as usize] = PAD;
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(encoding: TransferEncoding, input: &[u8]) -> Vec<u8> {
        encoding.decode(input).into_owned()
    }

    #[test]
    fn base64_skips_junk_and_survives_bad_padding() {
        for (input, expected) in [
            (&b"aGVsbG8="[..], &b"hello"[..]),
            (b"aGVs\r\nbG8", b"hello"),
            (b"a!G V\nsbG8=", b"hello"),
            (b"aGk=aGk=", b"hihi"),
            (b"=", b""),
            (b"a", b""),
        ] {
            assert_eq!(all(TransferEncoding::Base64, input), expected);
        }
    }

    #[test]
    fn quoted_printable_is_lenient() {
        for (input, expected) in [
            (&b"a=3Db =\r\nc"[..], &b"a=b c"[..]),
            (b"a \t\r\nb", b"a\r\nb"),
            (b"a=20\r\nb", b"a \r\nb"),
            (b"a= \nb", b"ab"),
            (b"=zz =e9=", b"=zz \xe9"),
            (b"a = b", b"a = b"),
        ] {
            assert_eq!(all(TransferEncoding::QuotedPrintable, input), expected);
        }
    }

    #[test]
    fn uuencode() {
        let text = b"junk\nbegin 644 cat.txt\n#0V%T\n`\nend\nmore";
        assert_eq!(all(TransferEncoding::Uuencode, text), b"Cat");
    }

    #[test]
    fn names() {
        assert_eq!(TransferEncoding::parse(b" BASE64 (x)"), TransferEncoding::Base64);
        assert_eq!(TransferEncoding::parse(b"x-foo"), TransferEncoding::Unknown);
        for code in 0..7 {
            assert_eq!(TransferEncoding::from_code(code).map(TransferEncoding::code), Some(code));
        }
    }

    proptest! {
        #[test]
        fn pieces_decode_as_the_whole(
            input in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'='), Just(b'\n'), Just(b' '), Just(b'A')], 0..200),
            cut in 0usize..200,
            code in 0u8..7,
        ) {
            let encoding = TransferEncoding::from_code(code).expect("in range");
            let (head, tail) = input.split_at(cut.min(input.len()));
            let mut decoder = Decoder::new(encoding);
            let mut out = Vec::new();
            decoder.decode(head, &mut out);
            decoder.decode(tail, &mut out);
            decoder.finish(&mut out);
            prop_assert_eq!(out, all(encoding, &input));
        }

        #[test]
        fn base64_reads_what_a_library_writes(input in proptest::collection::vec(any::<u8>(), 0..300)) {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(&input);
            prop_assert_eq!(all(TransferEncoding::Base64, text.as_bytes()), input);
        }
    }
}
