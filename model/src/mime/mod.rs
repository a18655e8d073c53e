//! MIME: where the parts of a message lie, byte for byte, and what their headers mean.
//!
//! The scanner ([`Structure::scan`]) reads RFC 5322 and RFC 2045-2049 leniently: every input is a message, lines may
//! end with a bare LF, and what exceeds a [`Limits`] bound becomes an opaque leaf. It never fails and never panics, and
//! its time is linear in the input. Offsets are into the given bytes, which are never changed.
//!
//! ```
//! use kontor_model::mime::{Limits, Structure};
//!
//! let raw = b"Subject: hi\r\nContent-Type: text/plain\r\n\r\nHello\r\n";
//! let message = Structure::scan(raw, &Limits::default());
//! assert_eq!(&raw[message.root().body.clone()], b"Hello\r\n");
//! assert_eq!(message.root().lines, 1);
//! ```
//!
//! | document | module |
//! |---|---|
//! | RFC 5322 §2.2, §3.6; RFC 6532 | [`header`] |
//! | RFC 5322 §3.4, §4.4 | [`address`] |
//! | RFC 5322 §3.3, §4.3 | [`date`] |
//! | RFC 2045 §5, RFC 2183, RFC 2231 | [`parameter`] |
//! | RFC 2045 §6 | [`transfer`] |
//! | RFC 2046 §5 | [`structure`] |
//! | RFC 2047 | [`encoded_word`] |
//! | RFC 2152 and the WHATWG encodings | [`charset`] |

pub mod address;
pub mod charset;
pub mod date;
pub mod encoded_word;
pub mod header;
pub mod html;
pub mod parameter;
pub mod structure;
pub mod transfer;

pub use address::{Address, Entry};
pub use date::DateTime;
pub use header::{Field, Name};
pub use parameter::{ContentType, Disposition, Parameters};
pub use structure::{Part, PartKind, Structure};
pub use transfer::TransferEncoding;

/// How much of a message is looked at. Beyond a bound the message is still whole, only less is told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Levels of nesting, multiparts and embedded messages together. At least 1.
    pub depth: usize,
    /// Parts in the whole message, multiparts included. At least 1.
    pub parts: usize,
    /// Header fields in the whole message.
    pub headers: usize,
    /// Bytes of one entity's header that are read as fields; the rest of the header is skipped.
    pub header_bytes: usize,
    /// Addresses in the whole message.
    pub addresses: usize,
    /// Parameters of one header field.
    pub parameters: usize,
    /// Decoded bytes of text that are searched.
    pub search_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 64,
            parts: 2_000,
            headers: 10_000,
            header_bytes: 256 << 10,
            addresses: 10_000,
            parameters: 100,
            search_bytes: 1 << 20,
        }
    }
}
