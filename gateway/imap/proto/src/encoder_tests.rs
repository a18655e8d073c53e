use super::*;
use crate::{DateTime, Section, SectionText};

fn written(utf8: bool, write: impl FnOnce(&mut Encoder<'_>)) -> String {
    let mut out = Vec::new();
    write(&mut Encoder::new(&mut out, utf8));
    String::from_utf8(out).unwrap()
}

#[test]
fn status_responses() {
    let tag = Tag::new(b"a1").unwrap();
    assert_eq!(
        written(false, |e| e.tagged(
            &tag,
            Status::Ok,
            Some(Code::CopyUid(7, &[1, 2, 9], &[4, 5, 6])),
            "done\r\nx"
        )),
        "a1 OK [COPYUID 7 1:2,9 4:6] done??x\r\n"
    );
    assert_eq!(written(false, |e| e.untagged(Status::Bye, None, "")), "* BYE -\r\n");
    assert_eq!(
        written(false, |e| e.untagged(Status::Ok, Some(Code::PermanentFlags(&[Flag::Seen], true)), "x")),
        "* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n"
    );
    assert_eq!(
        written(false, |e| e.untagged(Status::Ok, Some(Code::PermanentFlags(&[], true)), "x")),
        "* OK [PERMANENTFLAGS (\\*)] x\r\n"
    );
}

#[test]
fn mailbox_names_as_the_session_spells_them() {
    let entry = |name| ListEntry { name, children: Some(false), ..ListEntry::default() };
    assert_eq!(
        written(false, |e| e.list(&entry("Entwürfe"))),
        "* LIST (\\HasNoChildren) \"/\" Entw&APw-rfe\r\n"
    );
    assert_eq!(
        written(true, |e| e.list(&entry("Entwürfe"))),
        "* LIST (\\HasNoChildren) \"/\" \"Entwürfe\"\r\n"
    );
    assert_eq!(
        written(true, |e| e.list(&entry("a \"b\""))),
        "* LIST (\\HasNoChildren) \"/\" \"a \\\"b\\\"\"\r\n"
    );
    assert_eq!(written(false, |e| e.lsub(&entry("nil"))), "* LSUB (\\HasNoChildren) \"/\" \"nil\"\r\n");
    assert_eq!(
        written(false, |e| e.namespace(&[NamespaceEntry { prefix: "", separator: '/' }], &[], &[])),
        "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"
    );
}

#[test]
fn fetch_responses() {
    let section = Section {
        part: vec![1, 2],
        text: Some(SectionText::HeaderFields(vec!["Subject".into(), "a b".into()])),
    };
    let text = written(false, |e| {
        let mut fetch = e.fetch(3);
        fetch.uid(7).flags(&[Flag::Seen, Flag::Keyword("x y".into()), Flag::Keyword("ok".into())]);
        fetch.internal_date(DateTime { seconds: 0, offset_minutes: 0 }).mod_seq(9);
        fetch.body_section(&section, Some(0), 3).raw(b"abc");
        fetch.binary(&[1], None, 1, true).raw(b"x");
    });
    assert_eq!(
        text,
        "* 3 FETCH (UID 7 FLAGS (\\Seen ok) INTERNALDATE \" 1-Jan-1970 00:00:00 +0000\" MODSEQ (9) \
         BODY[1.2.HEADER.FIELDS (Subject \"a b\")]<0> {3}\r\nabc BINARY[1] ~{1}\r\nx)\r\n"
    );
}

#[test]
fn a_suspended_fetch_goes_on() {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, false);
    let mut fetch = encoder.fetch(1);
    fetch.rfc822(2);
    let suspended = fetch.suspend();
    assert_eq!(out, b"* 1 FETCH (RFC822 {2}\r\n");
    out.extend_from_slice(b"xy");
    FetchWriter::resume(&mut out, suspended).uid(1);
    assert_eq!(out, b"* 1 FETCH (RFC822 {2}\r\nxy UID 1)\r\n");
}

#[test]
fn search_answers() {
    let tag = Tag::new(b"t").unwrap();
    assert_eq!(written(false, |e| e.search(&[2, 4], Some(9))), "* SEARCH 2 4 (MODSEQ 9)\r\n");
    let result = EsearchResult { uid: true, min: Some(1), all: Some(&[1, 2, 5]), ..EsearchResult::default() };
    assert_eq!(written(false, |e| e.esearch(&tag, &result)), "* ESEARCH (TAG \"t\") UID MIN 1 ALL 1:2,5\r\n");
    assert_eq!(written(false, |e| e.vanished(true, &[(3, 4), (9, 9)])), "* VANISHED (EARLIER) 3:4,9\r\n");
    assert_eq!(written(false, |e| e.vanished(true, &[])), "");
}
