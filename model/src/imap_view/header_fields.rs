//! `HEADER.FIELDS` and `HEADER.FIELDS.NOT` (RFC 9051 §6.4.5).

use crate::mime::header;

/// The fields of `header` that are named, or with `not` those that are not, byte for byte and in their order, and a
/// blank line. Names do not heed case. A line that is no field counts as one without a name.
///
/// ```
/// use kontor_model::imap_view::header_fields;
///
/// let header = b"From: a@b\r\nSubject: one\r\n two\r\nTo: c@d\r\n\r\n";
/// assert_eq!(header_fields(header, &["SUBJECT"], false), b"Subject: one\r\n two\r\n\r\n");
/// assert_eq!(header_fields(header, &["subject", "to"], true), b"From: a@b\r\n\r\n");
/// ```
pub fn header_fields<N: AsRef<[u8]>>(header: &[u8], names: &[N], not: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    for (field, range) in header::fields(header) {
        let name = header.get(field.name).unwrap_or_default();
        let named = !name.is_empty() && names.iter().any(|wanted| wanted.as_ref().eq_ignore_ascii_case(name));
        if named != not {
            let bytes = header.get(range).unwrap_or_default();
            out.extend_from_slice(bytes);
            if !bytes.ends_with(b"\n") {
                out.extend_from_slice(b"\r\n");
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}
