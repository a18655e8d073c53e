use proptest::prelude::*;

use super::*;
use crate::imap_view::ImapView;
use crate::mime::structure::tests::mime_like;

fn prepare(raw: &str) -> Prepared {
    Prepared::from_rfc5322(raw.as_bytes(), &Limits::default())
}

#[test]
fn an_ordinary_message() {
    let p = prepare(
        "From: =?utf-8?Q?J=C3=B6rg?= <joerg@example.org>\r\nTo: \"Doe, Jane\" <jane@example.org>, bob@example.org\r\n\
         Subject: Re: =?utf-8?B?R3LDvMOfZQ==?=\r\nDate: Thu, 1 Jan 1970 00:01:00 +0000\r\nMessage-ID: <3@x>\r\n\
         In-Reply-To: <2@x>\r\nReferences: <1@x>\r\n <2@x>\r\nX-Priority: 1 (Highest)\r\n\
         Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\nHallo  =\r\nW=E4lt!\r\n\r\nEnde\r\n\
         --b\r\nContent-Type: text/html\r\n\r\n<p>Hello <b>W</b>orld</p>\r\n--b--\r\n",
    );
    assert_eq!(p.from_display, "Jörg");
    assert_eq!(p.from_address, "joerg@example.org");
    assert_eq!(p.sender_address, p.from_address);
    assert_eq!(p.display_to, "Doe, Jane; bob@example.org");
    assert_eq!(p.subject, "Re: Grüße");
    assert_eq!(p.topic, "Grüße");
    assert_eq!(p.sent_at, Some(60));
    assert_eq!(p.message_id.as_deref(), Some("<3@x>"));
    assert_eq!(p.references, ["<1@x>", "<2@x>"]);
    assert_eq!(p.thread_key, "<1@x>");
    assert_eq!(p.importance, Importance::High);
    assert!(!p.has_attachment);
    assert_eq!(p.preview, "Hallo Wält! Ende");
    assert_eq!(p.search_body, "hallo wält! ende\nhello world \n");
    assert!(p.search_headers.contains("subject: re: grüße\n"));
    assert!(p.search_headers.contains("references: <1@x> <2@x>\n"));
    assert!(!p.search_truncated);
    assert!(ImapView::decode(&p.view).is_ok());
}

#[test]
fn embedded_messages_are_searched_with_their_headers() {
    let p = prepare(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
         Subject: INNER\r\n\r\nTEXT\r\n--b--\r\n",
    );
    assert_eq!(p.search_body, "subject: inner\ntext\n");
    assert!(!p.search_headers.contains("inner"));
    assert!(p.has_attachment);
}

#[test]
fn long_text_is_cut_and_says_so() {
    let limits = Limits { search_bytes: 100, ..Limits::default() };
    let raw = format!("Subject: x\r\n\r\n{}", "word ".repeat(100));
    let p = Prepared::from_rfc5322(raw.as_bytes(), &limits);
    assert!(p.search_truncated);
    assert_eq!(p.search_body, "word ".repeat(20));
    assert_eq!(prepare(&raw).preview.chars().count(), 256);
    assert!(!prepare(&raw).search_truncated);
}

#[test]
fn attachments_are_told_from_furniture() {
    let with = |kind: &str, part: &str| {
        prepare(&format!(
            "Content-Type: multipart/{kind}; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n--b\r\n{part}\r\n\r\nx\r\n--b--\r\n"
        ))
        .has_attachment
    };
    assert!(with("mixed", "Content-Type: image/png"));
    assert!(with("mixed", "Content-Type: text/plain; name=a.txt"));
    assert!(with("mixed", "Content-Type: text/plain\r\nContent-Disposition: attachment"));
    assert!(!with("mixed", "Content-Type: text/html"));
    assert!(!with("related", "Content-Type: image/png\r\nContent-ID: <1>"));
    assert!(!with("signed", "Content-Type: application/pgp-signature; name=s.asc"));
    assert!(!with("alternative", "Content-Type: text/calendar; method=REQUEST; name=m.ics"));
}

#[test]
fn classes() {
    let class = |head: &str| prepare(&format!("{head}\r\n\r\nx")).class;
    assert_eq!(class("Subject: x"), MessageClass::NOTE);
    assert_eq!(class("Content-Type: text/calendar; method=REQUEST"), MessageClass::MEETING_REQUEST);
    assert_eq!(class("Content-Type: application/pkcs7-mime"), MessageClass::NOTE_SMIME);
    assert_eq!(class("Content-Type: multipart/signed; boundary=b"), MessageClass::NOTE_SMIME_SIGNED);
    let report = |action: &str| {
        prepare(&format!(
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n--b\r\n\
             Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nAction: {action}\r\n--b--\r\n"
        ))
    };
    assert_eq!(report("failed").class, MessageClass::REPORT_NOT_DELIVERED);
    assert_eq!(report("delivered").class, MessageClass::REPORT_DELIVERED);
    assert!(!report("failed").has_attachment);
    assert!(report("failed").search_body.contains("action: failed"));
}

#[test]
fn message_ids_are_found_in_junk() {
    let ids = |text: &str| message_ids(text.as_bytes()).collect::<Vec<_>>();
    assert_eq!(ids("<a@b> (comment) <c@d>junk<e"), ["<a@b>", "<c@d>"]);
    assert_eq!(ids("abc@def ghi"), ["<abc@def>"]);
    assert_eq!(ids(""), Vec::<String>::new());
    assert_eq!(ids("<>"), Vec::<String>::new());
}

#[test]
fn empty_messages_prepare() {
    let p = prepare("");
    assert_eq!((p.size, p.thread_key.as_str(), p.preview.as_str()), (0, "", ""));
}

proptest! {
    #[test]
    fn anything_prepares(raw in mime_like()) {
        let p = Prepared::from_rfc5322(&raw, &Limits::default());
        let view = ImapView::from_rfc5322(&raw, &Limits::default());
        prop_assert_eq!(ImapView::decode(&p.view), Ok(view));
        prop_assert!(p.preview.chars().count() <= 256);
        for text in [&p.subject, &p.topic, &p.from_display, &p.from_address, &p.display_to, &p.preview, &p.search_headers, &p.search_body] {
            prop_assert!(!text.contains('\0'));
        }
        for text in [&p.subject, &p.from_display, &p.from_address, &p.display_to, &p.preview] {
            prop_assert!(!text.contains(['\r', '\n']), "{text:?}");
        }
    }
}

#[test]
fn what_a_message_says_about_a_meeting() {
    let calendar = |method: &str, answer: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nUID:1\r\n\
             ATTENDEE;PARTSTAT={answer}:mailto:z@y.org\r\nSUMMARY:T\u{e4}glich\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    };
    let message = |head: &str, body: &str| {
        prepare(&format!(
            "From: \"Z\" <z@y.org>\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n--b\r\n\
             {head}\r\n\r\n{body}\r\n--b--\r\n"
        ))
    };
    let head =
        "Content-Type: text/calendar; charset=\"UTF-8\"; method=REPLY\r\nContent-Transfer-Encoding: base64";
    for (answer, class) in [
        ("ACCEPTED", MessageClass::MEETING_ACCEPTED),
        ("declined", MessageClass::MEETING_DECLINED),
        ("TENTATIVE", MessageClass::MEETING_TENTATIVE),
    ] {
        let text = calendar("REPLY", answer);
        let body = base64(text.as_bytes());
        let p = message(head, &body);
        assert_eq!((p.class, p.itip.as_deref()), (class, Some(text.as_str())));
        assert_eq!(p.from_address, "z@y.org");
    }
    let quoted = "Content-Type: text/calendar; method=request\r\nContent-Transfer-Encoding: quoted-printable";
    let text = calendar("REQUEST", "ACCEPTED");
    let p = message(quoted, &text.replace('=', "=3D").replace('\u{e4}', "=C3=A4"));
    assert_eq!(p.itip.as_deref().map(str::trim_end), Some(text.trim_end()));
    assert_eq!(p.class, MessageClass::MEETING_REQUEST);
    // One that says two things, one that says nothing, and one that was forwarded.
    let plain = |kind: &str, text: &str| message(&format!("Content-Type: {kind}"), text).itip;
    assert_eq!(plain("text/calendar; method=REQUEST", &calendar("CANCEL", "ACCEPTED")), None);
    assert_eq!(plain("text/calendar", &calendar("X", "ACCEPTED")), None);
    assert!(plain("text/calendar", &calendar("CANCEL", "ACCEPTED")).is_some());
    let inner =
        format!("Content-Type: text/calendar; method=REQUEST\r\n\r\n{}", calendar("REQUEST", "ACCEPTED"));
    assert_eq!(plain("message/rfc822", &inner), None);
    assert_eq!(message("Content-Type: message/rfc822", &inner).class, MessageClass::NOTE);
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * i) & 63) as usize] as char;
            out.push(if i > chunk.len() { '=' } else { letter });
        }
    }
    out
}
