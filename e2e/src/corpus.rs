//! Many messages of many shapes, the same ones from the same seed: what real mail is made of, and what it
//! should not be made of.
//!
//! Every message but the empty one ends in CRLF, because LMTP cannot carry one that does not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore, SeedableRng};

/// Makes the messages of one seed.
#[derive(Debug, Clone, Copy)]
pub struct Corpus {
    seed: u64,
}

/// One message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What is special about it.
    pub kind: Kind,
}

/// What is special about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Plain,
    Utf8,
    Latin1Quoted,
    EightBitCharsets,
    Alternative,
    Attachment,
    DeeplyNested,
    Embedded,
    Related,
    Unterminated,
    NoBoundary,
    BrokenHeaders,
    Empty,
    HeaderOnlyNoBlank,
    HeaderOnly,
    BodyOnly,
    LongLines,
    ManyHeaders,
    ManyAddresses,
    RandomBytes,
    Dots,
    Whitespace,
    Nul,
    BareLf,
    BareCr,
    Uuencode,
    ExtendedParameters,
    OddDates,
    Digest,
    ManyParts,
    MboxLine,
    JunkContentType,
    Large,
    Huge,
}

impl Kind {
    /// Whether a server may refuse the message: RFC 5321 §2.3.8 and §4.5.2 forbid a bare CR or LF, and mail
    /// may not hold NUL. Taken or refused, it must never be changed.
    pub fn may_be_refused(self) -> bool {
        matches!(self, Self::Nul | Self::BareLf | Self::BareCr)
    }
}

const ROTATION: [Kind; 32] = [
    Kind::Plain,
    Kind::Utf8,
    Kind::Latin1Quoted,
    Kind::EightBitCharsets,
    Kind::Alternative,
    Kind::Attachment,
    Kind::DeeplyNested,
    Kind::Embedded,
    Kind::Related,
    Kind::Unterminated,
    Kind::NoBoundary,
    Kind::BrokenHeaders,
    Kind::Empty,
    Kind::HeaderOnlyNoBlank,
    Kind::HeaderOnly,
    Kind::BodyOnly,
    Kind::LongLines,
    Kind::ManyHeaders,
    Kind::ManyAddresses,
    Kind::RandomBytes,
    Kind::Dots,
    Kind::Whitespace,
    Kind::Nul,
    Kind::BareLf,
    Kind::BareCr,
    Kind::Uuencode,
    Kind::ExtendedParameters,
    Kind::OddDates,
    Kind::Digest,
    Kind::ManyParts,
    Kind::MboxLine,
    Kind::JunkContentType,
];

/// Of this many messages one has an attachment of a megabyte or a few.
const LARGE_EVERY: usize = 500;
/// Of this many messages one has an attachment of 25 MiB, the first at 99.
const HUGE_EVERY: usize = 5_000;
const MIB: usize = 1024 * 1024;

impl Corpus {
    /// The corpus of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The message number `i`, always the same for the same seed.
    pub fn message(&self, i: usize) -> Message {
        let mut rng = StdRng::seed_from_u64(self.seed ^ (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let kind = if i % HUGE_EVERY == 99 {
            Kind::Huge
        } else if i % LARGE_EVERY == 250 {
            Kind::Large
        } else {
            ROTATION[i % ROTATION.len()]
        };
        let mut maker = Maker { rng: &mut rng, i, out: Vec::new() };
        maker.make(kind);
        Message { bytes: maker.out, kind }
    }
}

struct Maker<'a> {
    rng: &'a mut StdRng,
    i: usize,
    out: Vec<u8>,
}

impl Maker<'_> {
    fn make(&mut self, kind: Kind) {
        match kind {
            Kind::Plain => {
                self.head("A plain message", "text/plain; charset=us-ascii");
                self.lines(20);
            }
            Kind::Utf8 => {
                self.head("Grüße aus Köln — 日本語 🎉", "text/plain; charset=utf-8");
                self.put(
                    "Content-Transfer-Encoding: 8bit\r\n\r\nÄpfel, Öl, ñandú, Ελληνικά, עברית, हिन्दी 👩‍👩‍👧\r\n",
                );
                self.lines(3);
            }
            Kind::Latin1Quoted => {
                self.head(
                    "=?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?= =?utf-8?B?w6nDqA==?=",
                    "text/plain; charset=iso-8859-1",
                );
                self.put("Content-Transfer-Encoding: quoted-printable\r\n\r\nF=E4ltstr=F6m sagt =3D und=20\r\n=\r\nweiter=XX =\r\n");
                self.lines(5);
            }
            Kind::EightBitCharsets => self.eight_bit_charsets(),
            Kind::Alternative => {
                self.head("Two ways to say it", "multipart/alternative; boundary=\"alt\"");
                self.put("\r\npreamble, ignored\r\n--alt\r\nContent-Type: text/plain\r\n\r\n");
                self.lines(8);
                self.put("--alt\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>");
                self.lines(8);
                self.put("</p></body></html>\r\n--alt--\r\nepilogue\r\n");
            }
            Kind::Attachment => {
                let size = self.rng.random_range(0..40_000);
                self.attachment(size);
            }
            Kind::Large => {
                let size = self.rng.random_range(MIB..3 * MIB);
                self.attachment(size);
            }
            Kind::Huge => self.attachment(25 * MIB),
            Kind::DeeplyNested => self.deeply_nested(),
            Kind::Embedded => self.embedded(),
            Kind::Related => self.related(),
            Kind::Unterminated => {
                self.head("Cut off", "multipart/mixed; boundary=cut");
                self.put(
                    "\r\n--cut\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\n\r\n",
                );
                self.lines(4);
                self.put("--cut-but-not-really\r\n--cut");
                self.put("\r\n");
            }
            Kind::NoBoundary => {
                self.head("No boundary", "multipart/mixed");
                self.put("\r\n--x\r\n\r\none\r\n--x--\r\n");
            }
            Kind::BrokenHeaders => {
                self.put("this is no header\r\n continued\r\nSubject: broken\r\n: no name\r\nNoValue:\r\n");
                self.put("Bad Name: x\r\nFrom: <<>>, @, \"unclosed <a@b\r\nTo: undisclosed-recipients:;\r\n");
                self.put("Content-Type: text/plain; charset\r\nContent-Transfer-Encoding: 9bit\r\nDate: yesterday\r\n\r\n");
                self.lines(3);
            }
            Kind::Empty => {}
            Kind::HeaderOnlyNoBlank => self.put("Subject: header only, no blank line\r\nFrom: a@b.test\r\n"),
            Kind::HeaderOnly => {
                let i = self.i;
                self.put(&format!("Subject: header only {i}\r\nFrom: a@b.test\r\n\r\n"));
            }
            Kind::BodyOnly => {
                self.put("\r\n");
                self.lines(5);
            }
            Kind::LongLines => {
                self.head("Very long lines", "text/plain");
                self.put("\r\n");
                for length in [998, 999, 1_000, 1_024, 8_192, 70_000, 200_000] {
                    let byte = *b"abcxyz".choose(self.rng).unwrap_or(&b'a');
                    self.out.extend(std::iter::repeat_n(byte, length));
                    self.put("\r\n");
                }
            }
            Kind::ManyHeaders => {
                for n in 0..self.rng.random_range(200..1_200) {
                    self.put(&format!("X-Header-{n}: value {n}\r\n"));
                }
                self.put("Subject:");
                for _ in 0..600 {
                    self.put("\r\n folded again and again and again and again");
                }
                self.put("\r\nSubject: a second subject\r\n\r\n");
                self.lines(2);
            }
            Kind::ManyAddresses => self.many_addresses(),
            Kind::RandomBytes => {
                self.head("Random bytes", "application/octet-stream");
                self.put("Content-Transfer-Encoding: binary\r\n\r\n");
                for _ in 0..60 {
                    let length = self.rng.random_range(0..400);
                    let mut line = vec![0; length];
                    self.rng.fill_bytes(&mut line);
                    line.retain(|b| !matches!(b, 0 | b'\r' | b'\n'));
                    self.out.extend(line);
                    self.put("\r\n");
                }
            }
            Kind::Dots => {
                self.head("Dots", "text/plain");
                self.put("\r\n.\r\n..\r\n...\r\n.a\r\n..b\r\n. \r\na.\r\n\r\n.\r\n\r\n.");
                self.put("\r\n");
            }
            Kind::Whitespace => {
                self.put("Subject:   \t padded \t\r\nFrom:\ta@b.test\r\n\t\r\n x\r\n\r\n");
                self.put(" \t \r\n\r\n\r\n\x0c\x0b\x07\x08\r\ntrailing   \r\n\t\r\n\r\n\r\n");
            }
            Kind::Nul => {
                self.head("NUL", "text/plain");
                self.put("\r\nbefore\0after\r\n\0\r\n\0\0\0\r\n");
            }
            Kind::BareLf => {
                self.head("Bare line feeds", "text/plain");
                self.put("\r\none\ntwo\n\n.\nthree\n.\r\nfour\r\n");
            }
            Kind::BareCr => {
                self.head("Bare carriage returns", "text/plain");
                self.put("\r\none\rtwo\r\r.\rthree\r\r\nfour\r\n");
            }
            Kind::Uuencode => {
                self.head("Old style", "text/plain");
                self.put("\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n=ybegin line=128 size=3 name=x\r\n");
            }
            Kind::ExtendedParameters => {
                self.head(
                    "=?utf-8?q?=E2=82=AC?=",
                    "text/plain; name*0*=utf-8'de'%E2%82%AC%20; name*1=\"rates\";\r\n\tname*2*=%20a",
                );
                self.put("Content-Disposition: attachment; filename*=UTF-8''%e2%82%ac%20rates; filename=\"\\\"x\\\"\"\r\n");
                self.put("Content-Language: de, en\r\nContent-Location: http://example.test/a\r\nContent-MD5: Q2hlY2s=\r\n");
                self.put(
                    "Content-ID: <p1@example.test>\r\nContent-Description: =?utf-8?b?w6k=?= thing\r\n\r\n",
                );
                self.lines(2);
            }
            Kind::OddDates => {
                let date = [
                    "Thu, 31 Feb 2026 25:61:61 +9999",
                    "1 Jan 70 00:00 GMT",
                    "Mon, 01 Jan 0001 00:00:00 -0000",
                    "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600",
                    "",
                    "Sat, 31 Dec 99999 23:59:60 Z",
                ];
                let date = date.choose(self.rng).copied().unwrap_or_default();
                self.put(&format!("Date: {date}\r\nSubject: odd date\r\nDate: a second one\r\n\r\nx\r\n"));
            }
            Kind::Digest => {
                self.head("A digest", "multipart/digest; boundary=d");
                for n in 0..5 {
                    self.put(&format!(
                        "\r\n--d\r\n\r\nFrom: a{n}@b.test\r\nSubject: part {n}\r\n\r\nbody {n}\r\n"
                    ));
                }
                self.put("\r\n--d--\r\n");
            }
            Kind::ManyParts => {
                self.head("Many parts", "multipart/mixed; boundary=p");
                for n in 0..self.rng.random_range(50..1_500) {
                    self.put(&format!("\r\n--p\r\nContent-ID: <{n}@x>\r\n\r\n{n}"));
                }
                self.put("\r\n--p--\r\n");
            }
            Kind::MboxLine => {
                self.put("From a@b.test Tue Nov  3 10:00:00 2026\r\nSubject: with an mbox line\r\n\r\nFrom here on\r\n>From there\r\n");
            }
            Kind::JunkContentType => {
                self.head("Junk type", ";;;/ \"=\\; x=\"unclosed; charset=\u{fffd}");
                self.put("Content-Type: second/one\r\nContent-Transfer-Encoding:\r\n\r\n");
                self.lines(2);
            }
        }
    }

    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn head(&mut self, subject: &str, content_type: &str) {
        let i = self.i;
        let minute = i % 60;
        self.put(&format!(
            "Received: from a.test by b.test; Tue, 3 Nov 2026 10:{minute:02}:00 +0100\r\n\
             From: \"Sender, Nr. {i}\" <s{i}@sender.test>\r\n\
             To: Somebody <somebody@example.test>\r\n\
             Subject: {subject} ({i})\r\n\
             Message-ID: <corpus.{i}@sender.test>\r\n\
             Date: Tue, 3 Nov 2026 10:{minute:02}:00 +0100\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: {content_type}\r\n"
        ));
        if content_type.starts_with("text/plain; charset=us-ascii") {
            self.put("\r\n");
        }
    }

    fn lines(&mut self, count: usize) {
        const WORDS: [&str; 12] = [
            "lorem", "ipsum", "dolor", "sit", "amet", "mail", "server", "folder", "zebra", "and", "or", "not",
        ];
        for _ in 0..count {
            for n in 0..self.rng.random_range(1..14) {
                if n > 0 {
                    self.put(" ");
                }
                let word = WORDS.choose(self.rng).copied().unwrap_or_default();
                self.put(word);
            }
            self.put("\r\n");
        }
    }

    fn attachment(&mut self, size: usize) {
        let boundary = format!("=_{:x}", self.rng.random::<u64>());
        self.head("With an attachment", &format!("multipart/mixed; boundary=\"{boundary}\""));
        self.put(&format!("\r\n--{boundary}\r\nContent-Type: text/plain\r\n\r\n"));
        self.lines(3);
        self.put(&format!(
            "--{boundary}\r\nContent-Type: application/octet-stream; name=\"data {size}.bin\"\r\n\
             Content-Disposition: attachment; filename=\"data {size}.bin\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n"
        ));
        let mut data = vec![0; size];
        self.rng.fill_bytes(&mut data);
        self.out.reserve(size / 57 * 79);
        let mut line = String::with_capacity(80);
        for chunk in data.chunks(57) {
            line.clear();
            STANDARD.encode_string(chunk, &mut line);
            line.push_str("\r\n");
            self.out.extend_from_slice(line.as_bytes());
        }
        self.put(&format!("--{boundary}--\r\n"));
    }

    fn eight_bit_charsets(&mut self) {
        let (charset, text): (&str, &[u8]) = *[
            ("koi8-r", &b"\xf0\xd2\xc9\xd7\xc5\xd4, \xcd\xc9\xd2"[..]),
            ("shift_jis", &b"\x93\xfa\x96\x7b\x8c\xea"[..]),
            ("iso-2022-jp", &b"\x1b$BF|K\\8l\x1b(B"[..]),
            ("gb18030", &b"\xc4\xe3\xba\xc3"[..]),
            ("windows-1252", &b"\x80 \x93quoted\x94"[..]),
            ("no-such-charset", &b"\xff\xfe\xfd"[..]),
        ]
        .choose(self.rng)
        .unwrap_or(&("us-ascii", b"x"));
        self.head("8-bit", &format!("text/plain; charset={charset}"));
        self.put("X-Raw: ");
        self.out.extend_from_slice(text);
        self.put("\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
        for _ in 0..10 {
            self.out.extend_from_slice(text);
            self.put("\r\n");
        }
    }

    fn deeply_nested(&mut self) {
        let depth = self.rng.random_range(5..300);
        self.head("Deep", "multipart/mixed; boundary=n0");
        self.put("\r\n");
        for level in 0..depth {
            let next = level + 1;
            self.put(&format!("--n{level}\r\nContent-Type: multipart/mixed; boundary=n{next}\r\n\r\n"));
        }
        self.put(&format!("--n{depth}\r\n\r\nbottom\r\n"));
        for level in (0..=depth).rev() {
            self.put(&format!("--n{level}--\r\n"));
        }
    }

    fn embedded(&mut self) {
        self.head("Forwarded", "multipart/mixed; boundary=f");
        self.put("\r\n--f\r\nContent-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\n");
        self.head("The inner one", "multipart/alternative; boundary=g");
        self.put("\r\n--g\r\n\r\ninner text\r\n--g\r\nContent-Type: message/rfc822\r\n\r\n");
        self.head("The innermost", "text/plain");
        self.put("\r\n");
        self.lines(3);
        self.put("--g--\r\n--f--\r\n");
    }

    fn related(&mut self) {
        self.head("With a picture", "multipart/related; type=\"text/html\"; boundary=r; start=\"<h@x>\"");
        self.put("\r\n--r\r\nContent-Type: text/html\r\nContent-ID: <h@x>\r\n\r\n<img src=\"cid:i@x\">\r\n");
        self.put("--r\r\nContent-Type: image/png\r\nContent-ID: <i@x>\r\nContent-Transfer-Encoding: BASE64\r\n\r\n");
        self.put("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==\r\n--r--\r\n");
    }

    fn many_addresses(&mut self) {
        self.put("From: A (comment (nested)) <a@b.test>, \"B \\\" C\" <@route.test:c@d.test>\r\nTo: ");
        for n in 0..self.rng.random_range(10..3_000) {
            if n > 0 {
                self.put(",\r\n ");
            }
            self.put(&format!("\"Person {n}\" <p{n}@example.test>"));
        }
        self.put("\r\nCc: A group: x@y.test, =?utf-8?q?=C3=A9?= <e@y.test>;, Empty:;, bare\r\n");
        self.put("Bcc: hidden@example.test\r\nReply-To: <>\r\nSubject: many\r\n\r\n");
        self.lines(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_repeatable_and_end_their_last_line() {
        let corpus = Corpus::new(7);
        for i in 0..64 {
            let message = corpus.message(i);
            assert_eq!(message.bytes, corpus.message(i).bytes);
            assert!(message.bytes.is_empty() || message.bytes.ends_with(b"\r\n"), "{:?}", message.kind);
        }
    }

    #[test]
    fn only_the_kinds_that_say_so_break_the_transport_rules() {
        let corpus = Corpus::new(7);
        for i in (0..640).filter(|i| i % HUGE_EVERY != 99) {
            let message = corpus.message(i);
            let bytes = &message.bytes;
            let bare = (0..bytes.len()).any(|at| match bytes[at] {
                0 => true,
                b'\r' => bytes.get(at + 1) != Some(&b'\n'),
                b'\n' => at == 0 || bytes[at - 1] != b'\r',
                _ => false,
            });
            assert_eq!(bare, message.kind.may_be_refused(), "{:?} ({i})", message.kind);
        }
    }

    #[test]
    fn an_attachment_of_25_mib_is_among_any_ten_thousand() {
        let corpus = Corpus::new(7);
        assert_eq!(corpus.message(99).kind, Kind::Huge);
        assert!(corpus.message(99).bytes.len() > 33 * MIB);
    }
}
