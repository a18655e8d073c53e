use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> VCard {
    VCard::parse(text.as_bytes(), &Limits::default()).expect("a vCard")
}

fn card(version: &str, lines: &str) -> VCard {
    parse(&format!("BEGIN:VCARD\r\nVERSION:{version}\r\n{lines}\r\nEND:VCARD\r\n"))
}

#[test]
fn quoted_printable_and_charsets_of_2_1() {
    let card = parse(
        "begin:vcard\r\nversion:2.1\r\nN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;J=F6rg\r\n\
         NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:one, two=0D=0A=\r\nthree=\r\n;four\r\n\
         TEL;HOME;VOICE:1\r\nPHOTO;JPEG;BASE64:\r\n AQ\r\n ID\r\n\r\nADR;WORK:;;Road 1, left;Town\\; Hill;;;\r\n\
         CATEGORIES:a,b\r\nX-SMALL;QUOTED-PRINTABLE:=41=\r\n=42\r\nend:vcard\r\n",
    );
    assert_eq!(card.version, Version::V3);
    assert_eq!(card.first("N").expect("N").components(), ["M\u{fc}ller", "J\u{f6}rg"]);
    assert_eq!(card.text("NOTE").as_deref(), Some("one, two\nthree;four"));
    assert_eq!(card.first("TEL").expect("TEL").types().collect::<Vec<_>>(), ["HOME", "VOICE"]);
    let photo = card.first("PHOTO").and_then(Property::media).expect("bytes");
    assert_eq!((photo.media_type.as_str(), photo.bytes.as_slice()), ("image/jpeg", &[1u8, 2, 3][..]));
    assert_eq!(
        card.first("ADR").expect("ADR").components(),
        ["", "", r"Road 1\, left", r"Town\; Hill", "", "", ""]
    );
    assert_eq!(card.first("CATEGORIES").expect("a list").list(), ["a", "b"]);
    assert_eq!(card.first("X-SMALL").expect("X").value, "AB");
    let again = parse(&card.to_text());
    assert_eq!(again, card);
}

#[test]
fn folds_cut_through_characters_and_heads() {
    let text = b"BEGIN:VCARD\nVERSION:3.0\nNOTE;X-A=1;X-\n B=2:caf\xc3\n \xa9 and\n  more\nEND:VCARD\n";
    let card = VCard::parse(text, &Limits::default()).expect("a vCard");
    let note = card.first("NOTE").expect("NOTE");
    assert_eq!(note.text(), "caf\u{e9} and more");
    assert_eq!(note.parameter("x-b").collect::<Vec<_>>(), ["2"]);
}

#[test]
fn groups_labels_and_carets() {
    let card = card(
        "4.0",
        "item1.TEL;X=\"a^'b^^c^nd;e\";TYPE=\"voice,home\":+1\r\nITEM1.X-ABLabel:_$!<Other>!$_\r\nX-A;P=,x:",
    );
    let tel = card.first("TEL").expect("TEL");
    assert_eq!(tel.parameter("X").collect::<Vec<_>>(), ["a\"b^c\nd;e"]);
    assert!(tel.has_type("HOME") && tel.has_type("voice"));
    assert_eq!(card.label("item1").as_deref(), Some("Other"));
    assert_eq!(card.first("X-A").expect("X-A").parameter("P").collect::<Vec<_>>(), ["", "x"]);
    assert_eq!(parse(&card.to_text()), card);
    assert!(card.to_text().contains("X=\"a^'b^^c^nd;e\""));
}

#[test]
fn a_card_inside_a_card_of_2_1() {
    let card = card("2.1", "AGENT:\r\nBEGIN:VCARD\r\nVERSION:2.1\r\nFN:Inner\r\nEND:VCARD\r\nFN:Outer");
    assert_eq!(card.text("FN").as_deref(), Some("Outer"));
    assert_eq!(card.text("AGENT").as_deref(), Some("BEGIN:VCARD\nVERSION:2.1\nFN:Inner\nEND:VCARD\n"));
}

#[test]
fn utf_16_and_old_line_ends() {
    let text = "BEGIN:VCARD\rVERSION:3.0\rFN:\u{e9}\rEND:VCARD\r";
    let mut wide = vec![0xff, 0xfe];
    wide.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(VCard::parse(&wide, &Limits::default()), Ok(parse(text)));
    let latin = b"BEGIN:VCARD\nVERSION:3.0\nFN:\xe9\nEND:VCARD";
    assert_eq!(VCard::parse(latin, &Limits::default()), Ok(parse(text)));
}

#[test]
fn errors_say_where() {
    let fails =
        |text: &str, limits: &Limits| VCard::parse_all(text.as_bytes(), limits).expect_err("no vCard");
    let limits = Limits { octets: 200, cards: 1, properties: 2, parameters: 2, line: 60 };
    assert_eq!(fails("FN:A\n", &limits), Error::NoBegin(1));
    assert_eq!(fails("\nBEGIN:VCARD\nFN:A\n", &limits), Error::NoEnd(2));
    assert_eq!(fails("BEGIN:VCARD\nwhat is this\nEND:VCARD\n", &limits), Error::Malformed(2));
    assert_eq!(fails("BEGIN:VCARD\nTEL;A=\"b:1\nEND:VCARD\n", &limits), Error::Malformed(2));
    assert_eq!(fails("BEGIN:VCARD\n;A=b:1\nEND:VCARD\n", &limits), Error::Malformed(2));
    let many = "BEGIN:VCARD\nA:\nB:\nC:\nEND:VCARD\n";
    assert_eq!(fails(many, &limits), Error::TooManyProperties { line: 4, limit: 2 });
    let many = "BEGIN:VCARD\nA;B=1,2;C=3:\nEND:VCARD\n";
    assert_eq!(fails(many, &limits), Error::TooManyParameters { line: 2, limit: 2 });
    let long = format!("BEGIN:VCARD\nA:{}\n {}\nEND:VCARD\n", "x".repeat(40), "y".repeat(40));
    assert_eq!(fails(&long, &limits), Error::LineTooLong { line: 2, limit: 60 });
    let two = "BEGIN:VCARD\nEND:VCARD\n".repeat(2);
    assert_eq!(fails(&two, &limits), Error::TooManyCards(1));
    assert_eq!(fails(&"\n".repeat(201), &limits), Error::TooLarge(200));
    assert_eq!(VCard::parse(b"", &limits), Err(Error::NotOne(0)));
}

#[test]
fn three_to_four() {
    let three = card(
        "3.0",
        "N:Doe;Jane;;;\r\nFN:Jane\r\nEMAIL;type=INTERNET;type=HOME;type=pref:j@x\r\nBDAY;X-APPLE-OMIT-YEAR=1604:1604-04-15\r\n\
         PHOTO;ENCODING=b;TYPE=JPEG:AQID\r\nADR;TYPE=home:;;R;;;;\r\nLABEL;TYPE=HOME:R\\nT\r\nUID:abc\r\nGEO:1.5;-2.5\r\n\
         TZ:-05:00\r\nX-ANNIVERSARY:2000-02-29\r\nSORT-STRING:Doh\r\nREV:2020-01-02T03:04:05Z\r\n\
         X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1\r\nURL:http\\://x/\r\nLABEL;TYPE=work:W",
    );
    let four = three.converted(Version::V4);
    let expected = [
        "N;SORT-AS=Doh:Doe;Jane;;;",
        "EMAIL;type=HOME;PREF=1:j@x",
        "BDAY:--0415",
        "PHOTO:data:image/jpeg;base64,AQID",
        "ADR;TYPE=home;LABEL=R^nT:;;R;;;;",
        "UID;VALUE=text:abc",
        "GEO:geo:1.5,-2.5",
        "TZ;VALUE=utc-offset:-0500",
        "ANNIVERSARY:20000229",
        "REV:20200102T030405Z",
        "MEMBER:urn:uuid:1",
        "URL:http://x/",
        "ADR;TYPE=work;LABEL=W:;;;;;;",
    ];
    let text = four.to_text();
    for line in expected {
        assert!(text.lines().any(|own| own == line), "{line} in\n{text}");
    }
    let back = four.converted(Version::V3).to_text();
    for line in [
        "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-15",
        "PHOTO;ENCODING=b;TYPE=JPEG:AQID",
        "LABEL;TYPE=home:R\\nT",
        "UID:abc",
        "GEO:1.5;-2.5",
        "TZ:-05:00",
        "X-ANNIVERSARY:2000-02-29",
        "SORT-STRING:Doh",
        "EMAIL;type=HOME,pref,INTERNET:j@x",
        "REV:2020-01-02T03:04:05Z",
    ] {
        assert!(back.lines().any(|own| own == line), "{line} in\n{back}");
    }
    assert_eq!(four.converted(Version::V3).converted(Version::V4).to_text(), text);
}

#[test]
fn four_to_three() {
    let four = card(
        "4.0",
        "FN:\u{e9}\r\nKIND:group\r\nMEMBER:mailto:a@x\r\nTEL;VALUE=uri;PREF=1;TYPE=\"voice,home\":tel:+1-2\r\n\
         BDAY:1996\r\nANNIVERSARY:--0415\r\nRELATED;TYPE=spouse;VALUE=text:P\r\nPHOTO:https://x/p.jpg\r\nTZ:Europe/Berlin",
    );
    let three = four.converted(Version::V3).to_text();
    for line in [
        "N:;;;;",
        "X-ADDRESSBOOKSERVER-KIND:group",
        "X-ADDRESSBOOKSERVER-MEMBER:mailto:a@x",
        "TEL;TYPE=\"voice,home\",pref:+1-2",
        "BDAY;VALUE=text:1996",
        "X-ANNIVERSARY;X-APPLE-OMIT-YEAR=1604:1604-04-15",
        "RELATED;TYPE=spouse;VALUE=text:P",
        "PHOTO;VALUE=uri:https://x/p.jpg",
        "TZ;VALUE=text:Europe/Berlin",
    ] {
        assert!(three.lines().any(|own| own == line), "{line} in\n{three}");
    }
}

#[test]
fn writing_cannot_break_out_of_a_line() {
    let mut card = VCard::new(Version::V3);
    card.properties.push(Property::raw("NOTE", "a\r\nEND:VCARD").with("X", "b\"\r\nc"));
    card.properties.push(Property::raw("BAD NAME", "x"));
    card.properties.push(Property::raw("END", "VCARD"));
    let read = parse(&card.to_text());
    assert_eq!(read.properties.len(), 1);
    assert_eq!(read.text("NOTE").as_deref(), Some("a\nEND:VCARD"));
}

fn parameter(version: Version) -> impl Strategy<Value = Parameter> {
    let value = match version {
        Version::V3 => "[a-zA-Z0-9;:,\u{e9}^ ]{0,12}",
        Version::V4 => "[a-zA-Z0-9;:,\u{e9}^ \"\n]{0,12}",
    };
    ("(TYPE|type|X-[A-Z]{1,4}|PREF)", vec(value, 1..4)).prop_map(|(name, values)| Parameter { name, values })
}

fn property(version: Version) -> impl Strategy<Value = Property> {
    let name = "(FN|N|tel|EMAIL|ADR|NOTE|X-[A-Za-z-]{1,8}|ORG|URL|BDAY|UID|LABEL|GEO|TZ|PHOTO)";
    let value = "[a-zA-Z0-9\\\\;:,\u{e9}\u{1f600}\t \"=-]{0,120}";
    (option::of("item[0-9]"), name, vec(parameter(version), 0..4), value)
        .prop_map(|(group, name, parameters, value)| Property { group, name, parameters, value })
}

pub(crate) fn any_card() -> impl Strategy<Value = VCard> {
    prop_oneof![Just(Version::V3), Just(Version::V4)].prop_flat_map(|version| {
        vec(property(version), 0..12).prop_map(move |properties| VCard { version, properties })
    })
}

proptest! {
    #[test]
    fn a_card_comes_back(card in any_card()) {
        let text = card.to_text();
        prop_assert!(text.split("\r\n").all(|line| line.len() <= 75));
        prop_assert_eq!(parse(&text), card);
    }

    #[test]
    fn conversions_give_cards_that_come_back(card in any_card()) {
        for version in [Version::V3, Version::V4] {
            let converted = card.converted(version);
            prop_assert_eq!(converted.version, version);
            let text = converted.to_text();
            prop_assert_eq!(parse(&text).to_text(), text);
        }
    }

    #[test]
    fn no_input_panics(bytes in vec(any::<u8>(), 0..300), lines in "([A-Z.;=:,\"\\\\^ a-z0-9\r\n]|BEGIN:VCARD\n|END:VCARD\n){0,60}") {
        let limits = Limits { octets: 4_000, cards: 3, properties: 10, parameters: 4, line: 200 };
        let _ = VCard::parse_all(&bytes, &limits);
        let framed = format!("BEGIN:VCARD\nVERSION:2.1\n{lines}\nEND:VCARD\n");
        if let Ok(cards) = VCard::parse_all(framed.as_bytes(), &limits) {
            for card in cards {
                prop_assert_eq!(&parse(&card.to_text()), &card);
            }
        }
        let _ = address_object(framed.as_bytes(), &limits);
    }
}
