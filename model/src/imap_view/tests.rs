use proptest::prelude::*;

use super::*;
use crate::mime::structure::tests::mime_like;

fn view(raw: &[u8]) -> ImapView {
    ImapView::from_rfc5322(raw, &Limits::default())
}

fn envelope(raw: &str) -> String {
    String::from_utf8_lossy(&view(raw.as_bytes()).envelope).into_owned()
}

fn bodystructure(raw: &str) -> String {
    String::from_utf8_lossy(&view(raw.as_bytes()).bodystructure).into_owned()
}

const NESTED: &str = "From: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\npre\r\n\
    --x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: QUOTED-PRINTABLE\r\n\r\none\r\ntwo\r\n\
    --x\r\nContent-Type: message/rfc822\r\nContent-Description: fwd\r\n\r\n\
    Subject: inner\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n\
    --y\r\n\r\nplain\r\n--y\r\nContent-Type: text/html\r\n\r\n<p>\r\n--y--\r\n\
    --x\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=\"a.pdf\"\r\n\
    Content-Transfer-Encoding: base64\r\nContent-ID: <c@d>\r\nContent-Language: en, de\r\n\
    Content-Location: http://x/\r\nContent-MD5: Q2hl\r\n\r\nQUJD\r\n--x--\r\n";

#[test]
fn envelopes() {
    assert_eq!(envelope(""), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    assert_eq!(
        envelope(
            "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nSubject: =?utf-8?Q?a?=\r\n b \"c\" \\\r\nFrom: A <a@b>\r\n\
             Reply-To: r@s\r\nTo: u:;\r\nMessage-ID: <1@x>\r\nIn-Reply-To: <0@x>\r\n\r\n"
        ),
        "(\"Thu, 1 Jan 1970 00:00:00 +0000\" \"=?utf-8?Q?a?= b \\\"c\\\" \\\\\" ((\"A\" NIL \"a\" \"b\")) \
         ((\"A\" NIL \"a\" \"b\")) ((NIL NIL \"r\" \"s\")) ((NIL NIL \"u\" NIL)(NIL NIL NIL NIL)) NIL NIL \
         \"<0@x>\" \"<1@x>\")"
    );
}

#[test]
fn eight_bit_strings_are_literals() {
    assert_eq!(
        String::from_utf8_lossy(&view("Subject: Gr\u{fc}\u{0}\r\n\r\n".as_bytes()).envelope),
        "(NIL {4}\r\nGr\u{fc} NIL NIL NIL NIL NIL NIL NIL NIL)"
    );
    let long = format!("Subject: {}\r\n\r\n", "x".repeat(1_001));
    assert!(envelope(&long).contains("{1001}\r\nxxx"));
}

#[test]
fn bodystructures() {
    assert_eq!(
        bodystructure("Subject: x\r\n\r\none\r\ntwo"),
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 8 1 NIL NIL NIL NIL)"
    );
    assert_eq!(
        bodystructure(NESTED),
        "((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"QUOTED-PRINTABLE\" 8 1 NIL NIL NIL NIL)\
         (\"message\" \"rfc822\" NIL NIL \"fwd\" \"7bit\" 123 \
         (NIL \"inner\" NIL NIL NIL NIL NIL NIL NIL NIL) \
         ((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 0 NIL NIL NIL NIL)\
         (\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0 NIL NIL NIL NIL) \"alternative\" \
         (\"boundary\" \"y\") NIL NIL NIL) 10 NIL NIL NIL NIL)\
         (\"application\" \"pdf\" (\"name\" \"a.pdf\") \"<c@d>\" NIL \"base64\" 4 \"Q2hl\" \
         (\"attachment\" (\"filename\" \"a.pdf\")) (\"en\" \"de\") \"http://x/\") \"mixed\" (\"boundary\" \"x\") \
         NIL NIL NIL)"
    );
}

#[test]
fn body_is_bodystructure_without_extensions() {
    assert_eq!(
        String::from_utf8_lossy(&view(NESTED.as_bytes()).body()),
        "((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"QUOTED-PRINTABLE\" 8 1)\
         (\"message\" \"rfc822\" NIL NIL \"fwd\" \"7bit\" 123 \
         (NIL \"inner\" NIL NIL NIL NIL NIL NIL NIL NIL) \
         ((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 0)\
         (\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0) \"alternative\") 10)\
         (\"application\" \"pdf\" (\"name\" \"a.pdf\") \"<c@d>\" NIL \"base64\" 4) \"mixed\")"
    );
}

#[test]
fn sections() {
    let view = view(NESTED.as_bytes());
    let text = |path: &[u32], kind| {
        let range = view.section(path, kind)?;
        NESTED.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
    };
    use SectionKind::{Content, Header, Mime, Text};
    assert_eq!(text(&[], Content), Some(NESTED));
    assert!(
        text(&[], Header).is_some_and(|t| t.starts_with("From: a@b") && t.ends_with("boundary=x\r\n\r\n"))
    );
    assert!(text(&[], Text).is_some_and(|t| t.starts_with("pre\r\n")));
    assert_eq!(text(&[], Mime), None);
    assert_eq!(text(&[1], Content), Some("one\r\ntwo"));
    assert_eq!(text(&[2], Mime), Some("Content-Type: message/rfc822\r\nContent-Description: fwd\r\n\r\n"));
    assert_eq!(
        text(&[2], Header),
        Some("Subject: inner\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n")
    );
    assert!(text(&[2], Text).is_some_and(|t| t.starts_with("--y\r\n") && t.ends_with("--y--")));
    assert_eq!(text(&[2, 1], Content), Some("plain"));
    assert_eq!(text(&[2, 2], Content), Some("<p>"));
    assert_eq!(text(&[2, 2], Mime), Some("Content-Type: text/html\r\n\r\n"));
    assert_eq!(text(&[3], Content), Some("QUJD"));
    for path in [&[0][..], &[4], &[1, 1], &[2, 3], &[3, 1], &[u32::MAX]] {
        assert_eq!(text(path, Content), None, "{path:?}");
    }
    assert_eq!(text(&[1], Header), None);
    assert_eq!(view.parts.part(&[3]).map(|part| part.encoding), Some(TransferEncoding::Base64));
}

#[test]
fn a_message_that_is_no_multipart_is_its_own_part_1() {
    let raw = b"Subject: x\r\n\r\nbody";
    let parts = view(raw).parts;
    assert_eq!(parts.section(&[1], SectionKind::Content), Some(14..18));
    assert_eq!(parts.section(&[1], SectionKind::Mime), Some(0..14));
    assert_eq!(parts.section(&[1, 1], SectionKind::Content), None);
    assert_eq!(parts.section(&[2], SectionKind::Content), None);
    let forwarded = b"Content-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nin";
    let parts = view(forwarded).parts;
    assert_eq!(parts.section(&[1], SectionKind::Header), Some(32..46));
    assert_eq!(parts.section(&[1, 1], SectionKind::Content), Some(46..48));
}

#[test]
fn stored_views_read_back() {
    let whole = view(NESTED.as_bytes());
    let bytes = whole.encode();
    assert_eq!(ImapView::decode(&bytes), Ok(whole.clone()));
    assert_eq!(ImapView::envelope_of(&bytes), Some(whole.envelope.as_slice()));
    assert_eq!(ImapView::bodystructure_of(&bytes), Some(whole.bodystructure.as_slice()));
    assert_eq!(ImapView::body_of(&bytes), Some(whole.body()));
    assert_eq!(ImapView::parts_of(&bytes), Some(whole.parts.clone()));
    assert_eq!(ImapView::decode(&[2, 0]), Err(ViewError::Version(2)));
    assert_eq!(ImapView::decode(&[]), Err(ViewError::Corrupt));
    for end in 1..bytes.len() {
        assert_eq!(ImapView::decode(bytes.get(..end).unwrap_or_default()), Err(ViewError::Corrupt), "{end}");
    }
}

#[test]
fn deep_and_encoded_messages_have_no_envelope() {
    let raw = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==";
    assert!(bodystructure(raw).starts_with("(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 4 NIL"));
}

/// Reads an IMAP parenthesized list strictly: returns what follows it.
fn list(bytes: &[u8]) -> Option<&[u8]> {
    let mut depth = 0usize;
    let mut rest = bytes;
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(rest);
                }
            }
            b'"' => loop {
                let (&byte, after) = rest.split_first()?;
                rest = after;
                match byte {
                    b'\\' => {
                        let (escaped, after) = rest.split_first()?;
                        if !matches!(escaped, b'"' | b'\\') {
                            return None;
                        }
                        rest = after;
                    }
                    b'"' => break,
                    0 | b'\r' | b'\n' | 0x80.. => return None,
                    _ => {}
                }
            },
            b'{' => {
                let end = rest.iter().position(|&b| b == b'}')?;
                let length: usize = std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?;
                let literal = rest.get(end + 1..)?.strip_prefix(b"\r\n")?;
                if literal.get(..length)?.contains(&0) {
                    return None;
                }
                rest = literal.get(length..)?;
            }
            b' ' | b'0'..=b'9' | b'N' | b'I' | b'L' => {}
            _ => return None,
        }
    }
}

proptest! {
    #[test]
    fn views_of_anything_are_well_formed(raw in mime_like()) {
        let view = view(&raw);
        prop_assert_eq!(list(&view.envelope), Some(&b""[..]));
        prop_assert_eq!(list(&view.bodystructure), Some(&b""[..]), "{}", String::from_utf8_lossy(&view.bodystructure));
        let body = view.body();
        prop_assert_eq!(list(&body), Some(&b""[..]));
        prop_assert_eq!(ImapView::decode(&view.encode()), Ok(view));
    }

    #[test]
    fn arbitrary_views_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        if let Ok(view) = ImapView::decode(&bytes) {
            view.section(&[1, 1], SectionKind::Text);
            view.body();
        }
    }

    #[test]
    fn sections_nest(raw in mime_like(), path in proptest::collection::vec(0u32..4, 0..4)) {
        let parts = view(&raw).parts;
        if let (Some(own), Some(last)) = (parts.section(&path, SectionKind::Content), path.len().checked_sub(1))
            && let Some(outer) = path.get(..last)
        {
            let outer = parts.section(outer, SectionKind::Content).expect("a part lies in a part");
            prop_assert!(outer.start <= own.start && own.end <= outer.end);
        }
    }

    #[test]
    fn header_fields_choose_and_leave_the_rest(raw in mime_like()) {
        let names = ["subject", "FROM"];
        let chosen = header_fields(&raw, &names, false).len() - 2;
        let left = header_fields(&raw, &names, true).len() - 2;
        let all = header_fields(&raw, &[] as &[&str], true).len() - 2;
        prop_assert_eq!(chosen + left, all);
    }
}
