//! Cards in the forms that products write become contacts and come back.

use std::path::PathBuf;

use kontor_model::OneOffEntryId;
use kontor_model::contact::{FURTHER_EMAIL_ADDRESSES, KEPT_VCARD, from_vcard, to_vcard};
use kontor_model::message::{Content, Message};
use kontor_model::property::{Bag, FileTime, Value, keywords, named, tags};
use kontor_model::vcard::{Limits, VCard, Version};
use proptest::prelude::*;

fn samples() -> Vec<(String, VCard)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/contacts");
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of samples")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read(&path).expect("a sample");
            (name, VCard::parse(&text, &Limits::default()).expect("a vCard"))
        })
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

fn sample(name: &str) -> VCard {
    samples().into_iter().find(|(own, _)| own == name).expect("a sample").1
}

/// The card of a contact after a change, line by line.
fn edited(name: &str, edit: impl FnOnce(&mut Message)) -> Vec<String> {
    let card = sample(name);
    let mut contact = from_vcard(&card);
    edit(&mut contact);
    let text = to_vcard(&contact, card.version).to_text().replace("\r\n ", "");
    text.lines().map(str::to_owned).collect()
}

/// What an edit takes away and adds.
fn difference(name: &str, edit: impl FnOnce(&mut Message)) -> (Vec<String>, Vec<String>) {
    let before = edited(name, |_| {});
    let after = edited(name, edit);
    let without = |own: &[String], other: &[String]| {
        own.iter().filter(|line| !other.contains(line)).cloned().collect::<Vec<_>>()
    };
    (without(&before, &after), without(&after, &before))
}

#[test]
fn every_sample_comes_back_as_it_was() {
    let samples = samples();
    assert!(samples.len() >= 10);
    for (name, card) in samples {
        let mut contact = from_vcard(&card);
        contact.properties = Bag::decode(&contact.properties.encode()).expect("a bag");
        contact.properties.set(tags::LAST_MODIFICATION_TIME, FileTime::from_unix(1_800_000_000));
        assert_eq!(to_vcard(&contact, card.version), card, "{name}");
    }
}

#[test]
fn what_mapi_alone_knows_is_a_card_too() {
    for (name, card) in samples() {
        let mut contact = from_vcard(&card);
        contact.properties.remove(KEPT_VCARD);
        for version in [Version::V3, Version::V4] {
            let made = to_vcard(&contact, version);
            let made = VCard::parse(made.to_text().as_bytes(), &Limits::default()).expect("a card");
            let mut again = from_vcard(&made);
            again.properties.remove(KEPT_VCARD);
            assert_eq!(again.class, contact.class, "{name}");
            for (key, value) in contact.properties.iter() {
                assert_eq!(
                    again.properties.get(key.clone()),
                    Some(value),
                    "{name} {version:?} {key}\n{}",
                    made.to_text()
                );
            }
            assert_eq!(
                again.properties.len(),
                contact.properties.len(),
                "{name} {version:?}\n{}",
                made.to_text()
            );
            assert_eq!(again.attachments.len(), contact.attachments.len(), "{name}");
        }
    }
}

#[test]
fn a_contact_has_the_properties_that_outlook_reads() {
    let contact = from_vcard(&sample("apple.vcf"));
    let text = |key: kontor_model::property::PropertyTag| contact.properties.string(key).unwrap_or_default();
    let named = |key: kontor_model::property::PropertyName| {
        contact.properties.string(key).unwrap_or_default().to_owned()
    };
    assert_eq!(contact.class.as_str(), "IPM.Contact");
    assert_eq!(text(tags::SURNAME), "Berg");
    assert_eq!(text(tags::MIDDLE_NAME), "Maria");
    assert_eq!(text(tags::DISPLAY_NAME_PREFIX), "Dr.");
    assert_eq!(text(tags::DISPLAY_NAME), "Dr. Anna Maria Berg");
    assert_eq!(named(named::FILE_UNDER), "Berg, Anna");
    assert_eq!(contact.subject(), "Dr. Anna Maria Berg");
    assert_eq!(text(tags::COMPANY_NAME), "Example GmbH");
    assert_eq!(text(tags::DEPARTMENT_NAME), "Research");
    assert_eq!(named(named::EMAIL1_EMAIL_ADDRESS), "anna@example.org");
    assert_eq!(named(named::EMAIL1_ADDRESS_TYPE), "SMTP");
    assert_eq!(named(named::EMAIL3_EMAIL_ADDRESS), "anna@club.example");
    assert_eq!(text(tags::MOBILE_TELEPHONE_NUMBER), "+43 660 1234567");
    assert_eq!(text(tags::HOME_TELEPHONE_NUMBER), "+43 1 2345678");
    assert_eq!(text(tags::HOME_ADDRESS_STREET), "Hauptstraße 1\r\nTop 4");
    assert_eq!(text(tags::HOME_ADDRESS_CITY), "Wien");
    assert_eq!(named(named::HOME_ADDRESS), "Hauptstraße 1\r\nTop 4\r\n1010 Wien\r\nÖsterreich");
    assert_eq!(contact.properties.time(tags::BIRTHDAY), Some(FileTime::from_unix(327_369_600)));
    assert_eq!(contact.body(), Some("Likes tea, not coffee.\r\nSecond line"));
    assert!(contact.properties.boolean(named::HAS_PICTURE));
    let [photo] = contact.attachments.as_slice() else { panic!("one picture") };
    assert_eq!(photo.mime_type.as_deref(), Some("image/jpeg"));
    assert!(matches!(&photo.content, Content::Bytes(bytes) if bytes.starts_with(&[0xff, 0xd8])));
    let google = from_vcard(&sample("google.vcf"));
    assert_eq!(google.properties.string(tags::BUSINESS_TELEPHONE_NUMBER), Some("+1 555 0101"));
    assert_eq!(google.properties.string(tags::BUSINESS2_TELEPHONE_NUMBER), Some("+1 555 0102"));
    assert_eq!(google.properties.string(named::WORK_ADDRESS_STREET), Some("Suite 200\r\n1 Market St"));
    assert_eq!(
        google.properties.get(keywords()),
        Some(&Value::MultipleString(vec!["myContacts".into(), "starred".into()]))
    );
    assert_eq!(google.properties.time(tags::BIRTHDAY), None, "no date");
    assert_eq!(from_vcard(&sample("apple-group.vcf")).class.as_str(), "IPM.DistList");
    assert_eq!(from_vcard(&sample("v4-group.vcf")).class.as_str(), "IPM.DistList");
    let company = from_vcard(&sample("company-only.vcf"));
    assert_eq!(company.properties.string(named::FILE_UNDER), Some("Example Ltd."));
}

#[test]
fn members_of_a_list_come_and_go() {
    let list = from_vcard(&sample("v4-group.vcf"));
    let Some(Value::MultipleBinary(had)) = list.properties.get(named::DISTRIBUTION_LIST_ONE_OFF_MEMBERS)
    else {
        panic!("members")
    };
    assert_eq!(
        list.properties.get(named::DISTRIBUTION_LIST_MEMBERS),
        Some(&Value::MultipleBinary(had.clone()))
    );
    let members = sample("v4-group.vcf").properties.iter().filter(|line| line.is("MEMBER")).count();
    assert!(members > 0 && had.len() == members);
    // An edit in Outlook: the first goes, Max comes.
    let max = OneOffEntryId::smtp("Max", "max@example.org").write();
    let now: Vec<_> = had.iter().skip(1).cloned().chain([max]).collect();
    let (gone, new) = difference("v4-group.vcf", |list| {
        list.properties.set(named::DISTRIBUTION_LIST_ONE_OFF_MEMBERS, Value::MultipleBinary(now.clone()));
        list.properties.set(named::DISTRIBUTION_LIST_MEMBERS, Value::MultipleBinary(now));
    });
    let of = |lines: &[String]| {
        lines.iter().filter(|line| line.starts_with("MEMBER")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(of(&gone).len(), 1, "{gone:?}");
    assert_eq!(of(&new), ["MEMBER;CN=Max:mailto:max@example.org"]);
}

#[test]
fn a_fourth_address_of_mail_is_no_secret() {
    let lines: String = (1..=5).map(|at| format!("EMAIL:{at}@example.org\r\n")).collect();
    let card = format!("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\nN:;Ada;;;\r\n{lines}END:VCARD\r\n");
    let card = VCard::parse(card.as_bytes(), &Limits::default()).expect("a card");
    let mut contact = from_vcard(&card);
    let further = |texts: &[&str]| Value::MultipleString(texts.iter().map(|&text| text.to_owned()).collect());
    let has = contact.properties.get(FURTHER_EMAIL_ADDRESSES);
    assert_eq!(has, Some(&further(&["4@example.org", "5@example.org"])));
    contact.properties.set(FURTHER_EMAIL_ADDRESSES, further(&["5@example.org", "6@example.org"]));
    let text = to_vcard(&contact, Version::V3).to_text();
    let addresses: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("EMAIL")).collect();
    assert_eq!(
        addresses,
        [":1@example.org", ":2@example.org", ":3@example.org", ":5@example.org", ":6@example.org"]
    );
}

#[test]
fn an_edit_changes_its_own_line() {
    let (gone, new) = difference("apple.vcf", |contact| {
        contact.properties.set(tags::DEPARTMENT_NAME, "Sales");
    });
    assert_eq!(
        (gone[0].as_str(), new[0].as_str()),
        ("ORG:Example GmbH;Research;", "ORG:Example GmbH;Sales;")
    );
    let (_, new) = difference("apple.vcf", |contact| {
        contact.properties.set(named::EMAIL3_EMAIL_ADDRESS, "new@club.example");
    });
    assert_eq!(new, ["item1.EMAIL;type=INTERNET:new@club.example"]);
    let (gone, new) = difference("apple.vcf", |contact| {
        contact.properties.remove(tags::HOME_TELEPHONE_NUMBER);
        contact.properties.set(tags::PAGER_TELEPHONE_NUMBER, "77");
    });
    assert_eq!(gone, ["TEL;type=HOME;type=VOICE:+43 1 2345678"]);
    assert_eq!(new, ["TEL;TYPE=PAGER:77"]);
    let (_, new) = difference("google.vcf", |contact| {
        contact.properties.set(named::WORK_ADDRESS_CITY, "Oakland");
    });
    assert_eq!(new, ["ADR;TYPE=WORK:;Suite 200;1 Market St;Oakland;CA;94105;US"]);
    let (_, new) = difference("google.vcf", |contact| {
        contact.properties.set(named::WORK_ADDRESS_STREET, "2 Market St");
    });
    assert_eq!(new, ["ADR;TYPE=WORK:;;2 Market St;San Francisco;CA;94105;US"]);
    let (_, new) = difference("thunderbird.vcf", |contact| {
        contact.properties.set(tags::BUSINESS_TELEPHONE_NUMBER, "+15559");
        contact.properties.set(tags::BIRTHDAY, FileTime::from_unix(0));
        contact.properties.set(tags::LAST_MODIFICATION_TIME, FileTime::from_unix(1_800_000_000));
    });
    assert_eq!(new, ["TEL;TYPE=work;VALUE=uri:tel:+15559", "BDAY:19700101", "REV:20270115T080000Z"]);
}

#[test]
fn pictures_come_and_go() {
    let (gone, new) = difference("apple.vcf", |contact| contact.attachments.clear());
    assert!(gone.len() == 1 && gone[0].starts_with("PHOTO") && new.is_empty(), "{gone:?} {new:?}");
    for name in ["apple.vcf", "android-davx5.vcf", "google.vcf"] {
        let (_, new) = difference(name, |contact| {
            let mut photo = from_vcard(&sample("apple.vcf")).attachments.remove(0);
            photo.content = Content::Bytes(b"other".to_vec());
            contact.attachments = vec![photo];
        });
        assert!(
            new.len() == 1 && new[0].starts_with("PHOTO") && new[0].contains("b3RoZXI="),
            "{name}: {new:?}"
        );
    }
}

proptest! {
    #[test]
    fn no_card_is_too_strange(
        lines in prop::collection::vec(
            ("(FN|N|ORG|TEL|EMAIL|ADR|URL|BDAY|NOTE|PHOTO|CATEGORIES|UID|X-A|IMPP)", "(|;TYPE=work|;TYPE=HOME,pref|;VALUE=text|;ENCODING=b)", "[a-z0-9:;,@\\\\. -]{0,16}"),
            0..12,
        ),
        version in prop::sample::select(vec!["3.0", "4.0"]),
    ) {
        let lines: String = lines.into_iter().map(|(name, parameters, value)| format!("{name}{parameters}:{value}\r\n")).collect();
        let text = format!("BEGIN:VCARD\r\nVERSION:{version}\r\n{lines}END:VCARD\r\n");
        let Ok(card) = VCard::parse(text.as_bytes(), &Limits::default()) else { return Ok(()) };
        let mut contact = from_vcard(&card);
        prop_assert_eq!(to_vcard(&contact, card.version), card);
        contact.properties.remove(KEPT_VCARD);
        for version in [Version::V3, Version::V4] {
            to_vcard(&contact, version);
        }
    }
}
