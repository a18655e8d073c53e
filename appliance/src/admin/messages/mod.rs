//! Messages in files: mbox and EML.

mod eml;
mod mbox;

pub use eml::{EmlFile, eml_files};
pub use mbox::{MboxReader, write_message};

use bytes::Bytes;

/// A message from a file, as it goes into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// RFC 5322 bytes; lines end with CRLF.
    pub raw: Bytes,
    /// Flag bits, as in the store.
    pub flags: u64,
    /// When it came, Unix seconds.
    pub received_at: Option<i64>,
}

/// The `\Seen` bit.
pub const SEEN: u64 = 1;
const ANSWERED: u64 = 1 << 1;
const FLAGGED: u64 = 1 << 2;
const DELETED: u64 = 1 << 3;
const DRAFT: u64 = 1 << 4;
const FORWARDED: u64 = 1 << 5;

/// Files on Unix end lines with LF; a message ends them with CRLF. Only a message without any CRLF is converted: one
/// that has them already is kept octet for octet.
pub fn with_crlf(raw: Vec<u8>) -> Vec<u8> {
    if raw.windows(2).any(|pair| pair == b"\r\n") || !raw.contains(&b'\n') {
        return raw;
    }
    let mut out = Vec::with_capacity(raw.len() + raw.len() / 32);
    for byte in raw {
        if byte == b'\n' {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}

/// The values of header fields `Status` and `X-Status`, which mbox programs keep flags in.
fn status_flags(raw: &[u8]) -> u64 {
    let mut flags = 0;
    for line in raw.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)) {
        if line.is_empty() {
            break;
        }
        let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
        let (name, value) = line.split_at(colon);
        if !name.eq_ignore_ascii_case(b"Status") && !name.eq_ignore_ascii_case(b"X-Status") {
            continue;
        }
        for letter in value {
            flags |= match letter {
                b'R' => SEEN,
                b'A' => ANSWERED,
                b'F' => FLAGGED,
                b'D' => DELETED,
                b'T' => DRAFT,
                _ => 0,
            };
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends() {
        assert_eq!(with_crlf(b"a\nb\n".to_vec()), b"a\r\nb\r\n");
        assert_eq!(with_crlf(b"a\r\nb\n".to_vec()), b"a\r\nb\n");
        assert_eq!(with_crlf(b"a".to_vec()), b"a");
    }

    #[test]
    fn flags_of_the_header_only() {
        assert_eq!(
            status_flags(b"Subject: x\r\nStatus: RO\r\nX-Status: AF\r\n\r\nStatus: D\r\n"),
            SEEN | ANSWERED | FLAGGED
        );
        assert_eq!(status_flags(b"\nStatus: R\n"), 0);
    }
}
