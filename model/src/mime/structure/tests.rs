use proptest::prelude::*;

use super::*;

/// The tree as text: an indented line for each part with its type and body.
fn tree(raw: &[u8]) -> String {
    tree_with(raw, &Limits::default())
}

fn tree_with(raw: &[u8], limits: &Limits) -> String {
    let structure = Structure::scan(raw, limits);
    let mut out = String::new();
    for part in structure.parts() {
        let mut depth = 0;
        let mut up = part.parent;
        while let Some(parent) = up {
            depth += 1;
            up = structure.part(parent).and_then(|part| part.parent);
        }
        let main = String::from_utf8_lossy(part.content_type.main);
        let sub = String::from_utf8_lossy(part.content_type.sub);
        let body = match part.kind {
            PartKind::Leaf => format!(" {:?}", String::from_utf8_lossy(structure.bytes(&part.body))),
            _ => String::new(),
        };
        out.push_str(&format!("{}{main}/{sub}{body}\n", "  ".repeat(depth)));
    }
    out
}

#[test]
fn nested_multiparts_and_messages() {
    let raw = b"Content-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n--a\r\n\r\none\r\n--a  \r\n\
        Content-Type: multipart/alternative; boundary=\"ab\"\r\n\r\n--ab\r\nContent-Type: text/html\r\n\r\ntwo\r\n\r\n\
        --ab--\r\nepilogue\r\n--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nthree\r\n--a--\r\nend";
    assert_eq!(
        tree(raw),
        "multipart/mixed\n  text/plain \"one\"\n  multipart/alternative\n    text/html \"two\\r\\n\"\n  \
         message/rfc822\n    text/plain \"three\"\n"
    );
}

#[test]
fn bare_line_feeds_are_lines() {
    let raw = b"Content-Type: multipart/mixed; boundary=a\n\n--a\n\none\n--a\n\ntwo\n--a--\n";
    assert_eq!(tree(raw), "multipart/mixed\n  text/plain \"one\"\n  text/plain \"two\"\n");
}

#[test]
fn digests_hold_messages() {
    let raw = b"Content-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: x\n\none\n--a\n\
        Content-Type: text/html\n\ntwo\n--a--\n";
    assert_eq!(
        tree(raw),
        "multipart/digest\n  message/rfc822\n    text/plain \"one\"\n  text/html \"two\"\n"
    );
}

#[test]
fn an_outer_delimiter_ends_what_is_open() {
    let raw =
        b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n\
        --b\n\none\n--a\n\ntwo\n";
    assert_eq!(
        tree(raw),
        "multipart/mixed\n  multipart/mixed\n    text/plain \"one\"\n  text/plain \"two\\n\"\n"
    );
}

#[test]
fn a_delimiter_may_come_inside_a_header() {
    let raw =
        b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/html\n--a\nContent-Type: \
        message/rfc822\n--a--\n";
    assert_eq!(tree(raw), "multipart/mixed\n  text/html \"\"\n  message/rfc822\n    text/plain \"\"\n");
}

#[test]
fn one_boundary_may_begin_another() {
    let raw =
        b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=aa\n\n\
        --aa\n\none\n--aa--\n--a\n\ntwo\n--a--\n";
    assert_eq!(
        tree(raw),
        "multipart/mixed\n  multipart/mixed\n    text/plain \"one\"\n  text/plain \"two\"\n"
    );
}

#[test]
fn multiparts_without_parts_have_a_leaf() {
    assert_eq!(tree(b"Content-Type: multipart/mixed\n\nhello"), "multipart/mixed\n  text/plain \"hello\"\n");
    assert_eq!(
        tree(b"Content-Type: multipart/mixed; boundary=x\n\nhello"),
        "multipart/mixed\n  text/plain \"hello\"\n"
    );
    assert_eq!(tree(b"Content-Type: multipart/mixed; boundary=x"), "multipart/mixed\n  text/plain \"\"\n");
}

#[test]
fn junk_is_a_message() {
    for (raw, body) in [
        (&b""[..], &b""[..]),
        (b"\r\n", b""),
        (b"\n\n", b"\n"),
        (b"Subject: only a header", b""),
        (b"no header at all\nmore", b""),
        (b"From x@y Mon Jan  1 00:00:00 2024\nSubject: a\n\nbody", b"body"),
        (b" leading fold\nSubject: a\n\nb", b"b"),
    ] {
        let structure = Structure::scan(raw, &Limits::default());
        assert_eq!(structure.bytes(&structure.root().body), body, "{raw:?}");
        assert_eq!(structure.root().header.end, structure.root().body.start);
    }
    let mbox = b"From x@y Mon Jan  1 00:00:00 2024\nSubject: a\n\nbody";
    assert_eq!(Structure::scan(mbox, &Limits::default()).fields().len(), 1);
}

#[test]
fn depth_is_bounded() {
    let mut raw = Vec::new();
    for level in 0..500 {
        raw.extend_from_slice(
            format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n").as_bytes(),
        );
    }
    let limits = Limits { depth: 3, ..Limits::default() };
    let shape = tree_with(&raw, &limits);
    assert_eq!(shape.lines().count(), 4);
    assert!(shape.contains("application/octet-stream"));
    assert_eq!(Structure::scan(&raw, &Limits::default()).parts().len(), 65);
    let nested = "Content-Type: message/rfc822\n\n".repeat(500);
    assert_eq!(Structure::scan(nested.as_bytes(), &Limits::default()).parts().len(), 64);
}

#[test]
fn parts_are_bounded() {
    let mut raw = b"Content-Type: multipart/mixed; boundary=a\n\n".to_vec();
    raw.extend_from_slice(&b"--a\n\nx\n".repeat(100));
    let limits = Limits { parts: 5, ..Limits::default() };
    let structure = Structure::scan(&raw, &limits);
    assert_eq!(structure.parts().len(), 6);
    let last = structure.parts().last().expect("parts");
    assert!(last.content_type.is("application", "octet-stream"));
    assert_eq!(last.body.end, raw.len());
}

#[test]
fn headers_are_bounded() {
    let mut raw = b"A: b\n".repeat(100);
    raw.extend_from_slice(b"\nbody");
    for limits in
        [Limits { headers: 7, ..Limits::default() }, Limits { header_bytes: 35, ..Limits::default() }]
    {
        let structure = Structure::scan(&raw, &limits);
        assert_eq!(structure.fields().len(), 7);
        assert_eq!(structure.bytes(&structure.root().body), b"body");
    }
}

/// Text that looks like MIME, so that the scanner gets into its corners.
pub(crate) fn mime_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(&b"\r\n"[..]),
        Just(&b"\n"[..]),
        Just(&b"\n\n"[..]),
        Just(&b"--a"[..]),
        Just(&b"--a--"[..]),
        Just(&b"\n--ab\n"[..]),
        Just(&b"\n--ab--\n"[..]),
        Just(&b"\n--a\n\n"[..]),
        Just(&b"Content-Type: multipart/mixed; boundary=a\n"[..]),
        Just(&b"Content-Type: multipart/digest; boundary=\"ab\"\r\n"[..]),
        Just(&b"Content-Type: message/rfc822\n\n"[..]),
        Just(&b"Content-Type: text/html; charset=utf-7; name*0*=x''%41; name*1=\"b\n\""[..]),
        Just(&b"Content-Transfer-Encoding: quoted-printable\n"[..]),
        Just(&b"Content-Transfer-Encoding: base64\n"[..]),
        Just(&b"Content-Disposition: attachment; filename=\"=?utf-8?Q?=C3?=\n\t=?utf-8?Q?=A4?=\"\n"[..]),
        Just(&b"From: \"x\" <a@b>, g: c@d;\n"[..]),
        Just(&b"To: (((, <<>>, @@ : ; \"\n"[..]),
        Just(&b"Subject: =?iso-2022-jp?B?GyRC?= =?x?Q?_=?=\n"[..]),
        Just(&b"Date: Thu, 1 Jan 1970 00:00 +0000\n"[..]),
        Just(&b"<p>a&amp;<style>\0\xff\xc3"[..]),
        Just(&b" "[..]),
    ];
    let bytes = proptest::collection::vec(any::<u8>(), 0..8);
    let any_piece = prop_oneof![6 => piece.prop_map(<[u8]>::to_vec), 1 => bytes];
    proptest::collection::vec(any_piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn offsets_are_inside_and_parts_nest(raw in mime_like()) {
        let structure = Structure::scan(&raw, &Limits::default());
        for (index, part) in structure.parts().iter().enumerate() {
            prop_assert!(part.header.start <= part.header.end);
            prop_assert_eq!(part.header.end, part.body.start);
            prop_assert!(part.body.start <= part.body.end && part.body.end <= raw.len());
            prop_assert!(part.end > index && part.end <= structure.parts().len());
            prop_assert_eq!(part.end == index + 1, part.kind == PartKind::Leaf);
            if let Some(parent) = part.parent.and_then(|parent| structure.part(parent)) {
                prop_assert!(part.header.start >= parent.body.start && part.body.end <= parent.body.end.max(parent.body.start));
                prop_assert!(part.end <= parent.end);
            } else {
                prop_assert_eq!(index, 0);
                prop_assert_eq!(part.body.end, raw.len());
            }
            let children: Vec<_> = structure.children(index).collect();
            for pair in children.windows(2) {
                let [a, b] = pair else { continue };
                prop_assert!(structure.parts()[*a].body.end <= structure.parts()[*b].header.start);
            }
        }
        for field in structure.fields() {
            prop_assert!(field.name.end <= raw.len() && field.value.end <= raw.len());
        }
    }

    #[test]
    fn small_limits_hold(raw in mime_like(), depth in 0usize..4, parts in 0usize..5, headers in 0usize..5) {
        let limits = Limits { depth, parts, headers, header_bytes: 64, ..Limits::default() };
        let structure = Structure::scan(&raw, &limits);
        prop_assert!(structure.fields().len() <= headers);
        // Each level may need one leaf more, so that no multipart is empty.
        prop_assert!(structure.parts().len() <= parts.max(1) + depth.max(1) + 2);
    }
}
