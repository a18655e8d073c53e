use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::mime::structure::tests::mime_like;
use crate::property::FileTime;

fn read(raw: &str) -> Message {
    Message::from_mime(raw.as_bytes(), &Limits::default())
}

fn write(message: &Message) -> String {
    let options = MimeOptions { now: 0, bcc: true };
    String::from_utf8(message.to_mime(&options)).expect("what is written is UTF-8")
}

fn person(name: &str, address: &str) -> Person {
    Person { name: name.to_owned(), address: address.to_owned() }
}

#[test]
fn bodies_inline_images_and_attachments() {
    let m = read(
        "From: A <a@x>\r\nSender: s@x\r\nTo: b@x\r\nCc: C <c@x>\r\nReply-To: r@x\r\nSubject: Re: Hi\r\n\
         Date: Thu, 1 Jan 1970 00:01:00 +0000\r\nImportance: High\r\nSensitivity: Private\r\n\
         Content-Type: multipart/mixed; boundary=m\r\n\r\n\
         --m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
         --a\r\n\r\nplain\n--a\r\nContent-Type: multipart/related; boundary=r\r\n\r\n\
         --r\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n<p>\u{e9}</p>\r\n\
         --r\r\nContent-Type: Image/PNG; name=i.png\r\nContent-ID: <i@x>\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n\
         --r--\r\n--a--\r\n\
         --m\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename*=utf-8''%C3%A4.pdf\r\n\r\nPDF\r\n\
         --m\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ntext\r\n--m--\r\n",
    );
    assert_eq!(m.from(), Some(person("A", "a@x")));
    assert_eq!(m.sender(), Some(person("", "s@x")));
    assert_eq!(m.reply_to, [person("", "r@x")]);
    let kinds: Vec<_> = m.recipients.iter().map(|r| (r.kind, r.person.shown())).collect();
    assert_eq!(kinds, [(RecipientKind::To, "b@x"), (RecipientKind::Cc, "C")]);
    assert_eq!(m.properties.string(tags::SUBJECT_PREFIX), Some("Re: "));
    assert_eq!(m.properties.string(tags::NORMALIZED_SUBJECT), Some("Hi"));
    assert_eq!(m.properties.string(tags::CONVERSATION_TOPIC), Some("Hi"));
    assert_eq!(m.properties.time(tags::CLIENT_SUBMIT_TIME), Some(FileTime::from_unix(60)));
    assert_eq!(m.properties.integer32(tags::IMPORTANCE), Some(2));
    assert_eq!(m.properties.integer32(tags::SENSITIVITY), Some(2));
    assert_eq!(m.body(), Some("plain"));
    // The bytes are UTF-8, whatever the label says, and the label is believed.
    assert_eq!(m.html(), Some("<p>\u{c3}\u{a9}</p>"));
    let [image, pdf, inner] = m.attachments.as_slice() else { panic!("three attachments: {m:?}") };
    assert!(image.inline && image.content_id.as_deref() == Some("i@x"));
    assert_eq!(image.content, Content::Bytes(b"ABC".to_vec()));
    assert_eq!(image.mime_type.as_deref(), Some("image/png"));
    assert_eq!(pdf.file_name.as_deref(), Some("\u{e4}.pdf"));
    assert!(!pdf.inline);
    let Content::Message(inner) = &inner.content else { panic!("an embedded message") };
    assert_eq!((inner.subject(), inner.body()), ("inner", Some("text")));
    assert!(m.properties.boolean(tags::HAS_ATTACHMENTS));
}

#[test]
fn texts_beside_each_other_are_joined_and_html_wins_over_none() {
    let m = read(
        "Content-Type: multipart/mixed; boundary=m\n\n--m\n\none\n--m\n\ntwo\n--m\nContent-Type: text/html\n\n<p>\n--m--\n",
    );
    assert_eq!(m.body(), Some("one\r\ntwo"));
    assert_eq!(m.html(), None);
    assert_eq!(m.attachments.len(), 1);
}

#[test]
fn a_whole_message_is_written() {
    let mut m = Message::default();
    m.set_from(&person("J\u{f6}rg", "joerg@example.org"));
    m.recipients.push(Recipient::new(RecipientKind::To, person("Doe, Jane", "jane@example.org")));
    m.recipients.push(Recipient::new(RecipientKind::Bcc, person("", "secret@example.org")));
    m.properties.set(tags::SUBJECT, "Gr\u{fc}\u{df}e");
    m.properties.set(tags::BODY, "One\r\nTwo");
    m.set_html("<p>One\r\n");
    m.attachments.push(Attachment {
        content: Content::Bytes(b"ABC".to_vec()),
        file_name: Some("\u{e4}.txt".to_owned()),
        mime_type: Some("text/plain".to_owned()),
        ..Attachment::default()
    });
    let expected = "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nFrom: =?utf-8?B?SsO2cmc=?= <joerg@example.org>\r\n\
        To: \"Doe, Jane\" <jane@example.org>\r\nBcc: secret@example.org\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=\"=_kontor_1\"\r\n\r\n\
        --=_kontor_1\r\nContent-Type: multipart/alternative;\r\n boundary=\"=_kontor_0\"\r\n\r\n\
        --=_kontor_0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        One\r\nTwo=\r\n\r\n\
        --=_kontor_0\r\nContent-Type: text/html; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
        <p>One\r\n\r\n--=_kontor_0--\r\n\r\n\
        --=_kontor_1\r\nContent-Type: text/plain\r\nContent-Disposition: attachment;\r\n \
        filename*0*=utf-8''%C3%A4.txt\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n\r\n--=_kontor_1--\r\n";
    assert_eq!(write(&m), expected);
    let without = m.to_mime(&MimeOptions { now: 0, bcc: false });
    assert!(!String::from_utf8_lossy(&without).contains("secret"));
}

#[test]
fn other_header_fields_stay_and_signatures_go() {
    let m =
        read("Received: x\r\nDKIM-Signature: y\r\nX-Mailer: \u{e4}\r\nList-Id: <l.x>\r\nSubject: s\r\n\r\n");
    let text = write(&m);
    assert!(text.contains("\r\nList-Id: <l.x>\r\n") && text.contains("\r\nX-Mailer: =?utf-8?B?w6Q=?=\r\n"));
    assert!(!text.contains("Received") && !text.contains("DKIM"));
    assert_eq!(text.matches("Subject:").count(), 1);
}

#[test]
fn hostile_values_cannot_break_out_of_a_field() {
    let mut m = Message::default();
    let nasty = "a\r\nX-Evil: 1\r\n\r\nbody \"\\<>,;:@()";
    m.set_from(&person(nasty, nasty));
    m.properties.set(tags::SUBJECT, nasty);
    m.properties.set(tags::INTERNET_MESSAGE_ID, nasty);
    m.properties.set(tags::INTERNET_REFERENCES, nasty);
    m.properties.set(tags::TRANSPORT_MESSAGE_HEADERS, "X-A: 1\r\nX B: 2\r\n");
    m.attachments.push(Attachment {
        file_name: Some(nasty.to_owned()),
        mime_type: Some(nasty.to_owned()),
        charset: Some(nasty.to_owned()),
        content_id: Some(nasty.to_owned()),
        content_location: Some(nasty.to_owned()),
        ..Attachment::default()
    });
    let text = write(&m);
    assert!(!text.contains("\r\nX-Evil"), "{text}");
    assert_valid(text.as_bytes());
}

/// RFC 5322 §2.1.1 and RFC 5321 §4.5.3.1.6: CRLF alone ends lines, and none is longer than 998 bytes.
fn assert_valid(message: &[u8]) {
    assert!(message.ends_with(b"\r\n"));
    assert!(std::str::from_utf8(message).is_ok());
    let text = String::from_utf8_lossy(message);
    for line in text.split("\r\n") {
        assert!(line.len() <= 998 && !line.contains(['\r', '\n', '\0']), "{line:?}");
    }
}

fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-zA-Z0-9.,:;<>@()\"\\\\!?=_*'/-]{1,12}",
        "[äöüéß€日本😀]{1,8}",
        Just("=?utf-8?Q?x?=".to_owned()),
        "[a-z]{80,120}",
    ];
    vec(word, 1..6).prop_map(|words| words.join(" "))
}

fn people() -> impl Strategy<Value = Person> {
    let name = prop_oneof![2 => words(), 1 => Just(String::new())];
    let local = prop_oneof![3 => "[a-z0-9+_-]{1,8}(\\.[a-z]{1,4})?", 1 => "[a-z]{1,4} [a-z,@\"\\\\]{1,4}"];
    (name, local, "[a-z]{1,8}\\.(org|test)").prop_map(|(name, local, domain)| {
        // A name with only brackets and quotes may be read as no name.
        Person { name: name.trim().to_owned(), address: format!("{local}@{domain}") }
    })
}

fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => "[ -~]{0,100}",
        2 => "[a-zäöü€ \t]{0,90}",
        1 => Just("From here".to_owned()),
        1 => Just(".".to_owned()),
        1 => Just("--=_kontor_0".to_owned()),
        1 => Just("--=_kontor_0--".to_owned()),
        1 => "[日本]{1,40}",
        1 => Just("trailing  ".to_owned()),
    ];
    (vec(line, 0..6), any::<bool>()).prop_map(|(lines, end)| {
        let text = lines.join("\r\n");
        if end && !text.is_empty() { text + "\r\n" } else { text }
    })
}

fn bytes() -> impl Strategy<Value = Content> {
    vec(any::<u8>(), 0..200).prop_map(Content::Bytes)
}

fn attachment(content: impl Strategy<Value = Content>, inline: bool) -> impl Strategy<Value = Attachment> {
    let types = prop_oneof![
        Just("image/png"),
        Just("application/pdf"),
        Just("text/plain"),
        Just("text/html"),
        Just("application/octet-stream"),
        Just("text/calendar"),
    ];
    let id = "[a-z0-9]{1,8}@[a-z]{1,5}";
    let id = if inline { id.prop_map(Some).boxed() } else { option::of(id).boxed() };
    (content, option::of(words()), types, id, option::of("http://[a-z]{1,20}/")).prop_map(
        move |(content, file_name, mime_type, content_id, content_location)| {
            let embedded = matches!(content, Content::Message(_));
            Attachment {
                content,
                file_name,
                mime_type: (!embedded).then(|| mime_type.to_owned()),
                charset: None,
                content_id,
                content_location,
                inline,
                properties: Bag::new(),
            }
        },
    )
}

fn flat() -> impl Strategy<Value = Message> {
    let recipient =
        (prop_oneof![Just(RecipientKind::To), Just(RecipientKind::Cc), Just(RecipientKind::Bcc)], people())
            .prop_map(|(kind, person)| Recipient::new(kind, person));
    let head =
        (option::of(people()), option::of(people()), vec(recipient, 0..5), vec(people(), 0..3), words());
    let ids = (option::of("<[a-z0-9]{1,9}@[a-z]{1,9}>"), option::of("<[a-z]{1,9}@x>( <[a-z]{1,30}@y>){0,6}"));
    let numbers =
        (0i32..3, 0i32..4, 0i64..4_000_000_000, any::<bool>(), option::of(vec(any::<u8>(), 22..60)));
    let bodies = (option::of(text()), option::of(text()));
    let attachments = (vec(attachment(bytes(), true), 0..3), vec(attachment(bytes(), false), 0..3));
    (head, ids, numbers, bodies, attachments).prop_map(|(head, ids, numbers, bodies, attachments)| {
        let mut m = Message::default();
        let (from, sender, mut recipients, reply_to, subject) = head;
        recipients.sort_by_key(|recipient| recipient.kind);
        if let Some(from) = &from {
            if let Some(sender) = &sender {
                m.set_sender(sender);
            }
            m.set_from(from);
        }
        m.recipients = recipients;
        m.reply_to = reply_to;
        let bag = &mut m.properties;
        bag.set(tags::SUBJECT, subject);
        if let Some(id) = ids.0 {
            bag.set(tags::INTERNET_MESSAGE_ID, id);
        }
        if let Some(references) = ids.1 {
            bag.set(tags::INTERNET_REFERENCES, references);
        }
        let (importance, sensitivity, time, receipt, index) = numbers;
        bag.set(tags::IMPORTANCE, importance);
        bag.set(tags::SENSITIVITY, sensitivity);
        bag.set(tags::CLIENT_SUBMIT_TIME, FileTime::from_unix(time));
        if receipt && from.is_some() {
            bag.set(tags::READ_RECEIPT_REQUESTED, true);
        }
        if let Some(index) = index {
            bag.set(tags::CONVERSATION_INDEX, index);
        }
        let (body, html) = bodies;
        match (body, html) {
            (None, None) => {
                bag.set(tags::BODY, "");
            }
            (body, html) => {
                if let Some(body) = body {
                    bag.set(tags::BODY, body);
                }
                if let Some(html) = html {
                    m.set_html(&html);
                }
            }
        }
        let (inline, others) = attachments;
        if m.html().is_some() {
            m.attachments.extend(inline);
        }
        m.attachments.extend(others);
        m.derive();
        m
    })
}

fn message() -> impl Strategy<Value = Message> {
    flat().prop_recursive(2, 4, 2, |inner| {
        let embedded = inner.prop_map(|message| Content::Message(Box::new(message)));
        (flat(), vec(attachment(embedded, false), 0..2)).prop_map(|(mut message, embedded)| {
            message.attachments.extend(embedded);
            message.derive();
            message
        })
    })
}

/// Without the kept header text, which is another after each writing.
fn without_header(mut message: Message) -> Message {
    message.properties.remove(tags::TRANSPORT_MESSAGE_HEADERS);
    for attachment in &mut message.attachments {
        if let Content::Message(inner) = &mut attachment.content {
            **inner = without_header(std::mem::take(&mut **inner));
        }
    }
    message
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_is_read_back(message in message()) {
        let text = message.to_mime(&MimeOptions { now: 0, bcc: true });
        assert_valid(&text);
        let back = without_header(Message::from_mime(&text, &Limits::default()));
        prop_assert_eq!(back, message, "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn anything_becomes_a_valid_message(raw in mime_like()) {
        let message = Message::from_mime(&raw, &Limits::default());
        let text = message.to_mime(&MimeOptions { now: 0, bcc: true });
        assert_valid(&text);
        let back = Message::from_mime(&text, &Limits::default());
        prop_assert_eq!(back.body().unwrap_or_default(), message.body().unwrap_or_default());
        prop_assert_eq!(back.html(), message.html());
        prop_assert_eq!(back.attachments.len(), message.attachments.len());
    }

    #[test]
    fn stored_properties_read_back(message in message()) {
        prop_assert_eq!(Bag::decode(&message.properties.encode()), Ok(message.properties));
    }
}
