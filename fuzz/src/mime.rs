//! Any bytes as a message: nothing panics, offsets stay inside, and what is written is read back.
#![no_main]

use kontor_model::imap_view::{ImapView, SectionKind, header_fields};
use kontor_model::message::MimeOptions;
use kontor_model::mime::{DateTime, Limits, address, encoded_word};
use kontor_model::property::Bag;
use kontor_model::{Message, Prepared, base_subject, fold};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let small = Limits {
        depth: 3,
        parts: 4,
        headers: 6,
        header_bytes: 100,
        addresses: 3,
        parameters: 2,
        search_bytes: 50,
    };
    for limits in [Limits::default(), small] {
        let prepared = Prepared::from_rfc5322(data, &limits);
        let view = ImapView::decode(&prepared.view).expect("a view that was just made");
        assert_eq!(view.size(), data.len() as u64);
        for (wire, name) in [(&view.envelope, "envelope"), (&view.bodystructure, "body structure")] {
            assert!(wire.starts_with(b"(") && wire.ends_with(b")"), "{name}");
        }
        for path in [&[][..], &[1], &[2], &[1, 1], &[2, 1], &[1, 1, 1]] {
            for kind in [SectionKind::Content, SectionKind::Header, SectionKind::Text, SectionKind::Mime] {
                if let Some(range) = view.section(path, kind) {
                    assert!(range.start <= range.end && range.end <= view.size());
                }
            }
        }
        assert!(prepared.search_body.len() <= limits.search_bytes + 4);
        assert!(!prepared.search_body.contains('\0') && !prepared.search_headers.contains('\0'));
    }
    header_fields(data, &["Subject", "From"], false);

    let message = Message::from_mime(data, &Limits::default());
    let written = message.to_mime(&MimeOptions { now: 0, bcc: true });
    assert!(std::str::from_utf8(&written).is_ok());
    let longest = written.split(|&b| b == b'\n').map(<[u8]>::len).max();
    assert!(longest.is_some_and(|length| length <= 999));
    let again = Message::from_mime(&written, &Limits::default());
    assert_eq!(again.html(), message.html());

    if let Ok(bag) = Bag::decode(data) {
        assert!(Bag::decode(&bag.encode()).is_ok());
        let _ = bag.to_string();
    }
    if let Ok(view) = ImapView::decode(data) {
        view.body();
        assert_eq!(ImapView::decode(&view.encode()).as_ref(), Ok(&view));
    }
    DateTime::parse(data);
    address::parse(data, 100);
    let text = encoded_word::decode(data);
    let folded = fold(&text);
    assert_eq!(fold(&folded), folded);
    base_subject(&text);
});
