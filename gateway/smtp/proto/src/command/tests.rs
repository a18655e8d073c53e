use proptest::prelude::*;

use super::*;
use crate::{Mailbox, Notify, OriginalRecipient, Recipient, Ret, ReversePath};

fn parse(line: &str) -> Result<Command, ParseError> {
    Command::parse(line.as_bytes(), &Limits::default())
}

#[test]
fn verbs_are_read_in_any_case() {
    assert_eq!(parse("ehlo x"), Ok(Command::Ehlo("x".into())));
    assert_eq!(parse("LhLo [127.0.0.1]"), Ok(Command::Lhlo("[127.0.0.1]".into())));
    assert_eq!(parse("data  "), Ok(Command::Data));
    assert_eq!(parse("NOOP what ever"), Ok(Command::Noop));
    assert_eq!(parse("BDAT 86 last"), Ok(Command::Bdat(Bdat { size: 86, last: true })));
    assert_eq!(parse("starttls"), Ok(Command::StartTls));
}

#[test]
fn a_transaction_with_every_parameter() {
    let line = "MAIL FROM:<a@b.c> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+3D1 AUTH=a+2Bb@c";
    let Ok(Command::Mail(mail)) = parse(line) else { panic!() };
    assert_eq!(mail.from.to_string(), "a@b.c");
    assert_eq!((mail.size, mail.body, mail.smtputf8), (Some(10), Some(Body::EightBitMime), true));
    assert_eq!((mail.ret, mail.envid.as_deref()), (Some(Ret::Headers), Some("QQ=1")));
    assert_eq!(mail.auth, Some(Some("a+b@c".into())));
    let Ok(Command::Rcpt(rcpt)) = parse("rcpt to: <x@y> NOTIFY=success,DELAY ORCPT=RFC822;x+40y") else {
        panic!()
    };
    assert_eq!(rcpt.notify, Some(Notify { success: true, failure: false, delay: true }));
    assert_eq!(rcpt.orcpt.unwrap().address, "x@y");
}

#[test]
fn what_is_wrong_is_named() {
    assert_eq!(parse("FOO"), Err(ParseError::UnknownCommand));
    assert_eq!(parse(""), Err(ParseError::UnknownCommand));
    assert_eq!(parse("MAIL FROM:<a@b> X-FOO=1"), Err(ParseError::UnknownParameter("XFOO".into())));
    assert_eq!(parse("MAIL FROM:<a@b> SIZE=x"), Err(ParseError::BadParameter("SIZE")));
    assert_eq!(parse("MAIL FROM:<a@b> SIZE=1 SIZE=1"), Err(ParseError::BadParameter("SIZE")));
    assert_eq!(parse("MAIL FROM:<a@b> BODY=9BIT"), Err(ParseError::BadParameter("BODY")));
    assert_eq!(parse("RCPT TO:<a@b> NOTIFY=NEVER,DELAY"), Err(ParseError::BadParameter("NOTIFY")));
    assert!(matches!(parse("RCPT TO:<a@b>NOTIFY=NEVER"), Err(ParseError::Syntax(_))));
    assert!(matches!(parse("RCPT TO:<>"), Err(ParseError::Address(_))));
    assert!(matches!(parse("MAIL TO:<a@b>"), Err(ParseError::Syntax(_))));
    assert!(matches!(parse("DATA now"), Err(ParseError::Syntax(_))));
    assert!(matches!(parse("EHLO"), Err(ParseError::Syntax(_))));
    assert!(matches!(parse("EHLO a b"), Err(ParseError::Syntax(_))));
    assert!(matches!(parse("BDAT -1"), Err(ParseError::Syntax(_))));
    assert!(matches!(parse("BDAT 99999999999999999999999 LAST"), Err(ParseError::Syntax(_))));
    assert!(matches!(parse("RSET\0"), Err(ParseError::Syntax(_))));
    assert!(Command::parse(b"MAIL FROM:<\xff@x>", &Limits::default()).is_err());
}

#[test]
fn a_size_that_does_not_fit_is_too_large_rather_than_an_error() {
    let Ok(Command::Mail(mail)) = parse("MAIL FROM:<> SIZE=99999999999999999999") else { panic!() };
    assert_eq!(mail.size, Some(u64::MAX));
}

#[test]
fn a_proof_is_not_shown_in_debug() {
    let command = parse("AUTH PLAIN c2VjcmV0").unwrap();
    assert!(!format!("{command:?}").contains("c2VjcmV0"));
}

fn mailbox() -> impl Strategy<Value = Mailbox> {
    ("([a-z+=]{1,8}(\\.[a-z]{1,3})?|\"[ a-z@>]{0,8}\")", "[a-z]{1,8}(\\.[a-z]{2,3})?|\\[192\\.0\\.2\\.1\\]")
        .prop_map(|(local, domain)| Mailbox::parse(&format!("{local}@{domain}"), &Limits::default()).unwrap())
}

fn mail() -> impl Strategy<Value = Command> {
    (
        prop::option::of(mailbox()),
        prop::option::of(any::<u64>()),
        prop::option::of(prop::sample::select(vec![Body::SevenBit, Body::EightBitMime, Body::BinaryMime])),
        any::<bool>(),
        prop::option::of(prop::sample::select(vec![Ret::Full, Ret::Headers])),
        prop::option::of("[ -~]{1,50}"),
        prop::option::of(prop::option::of("[a-z+=@]{1,20}")),
    )
        .prop_map(|(from, size, body, smtputf8, ret, envid, auth)| {
            let from = from.map_or(ReversePath::Null, ReversePath::Mailbox);
            Command::Mail(Mail { from, size, body, smtputf8, ret, envid, auth })
        })
}

fn rcpt() -> impl Strategy<Value = Command> {
    (
        prop::option::of(mailbox()),
        prop::option::of(any::<[bool; 3]>()),
        prop::option::of("[!-~]{1,20}\u{e9}?"),
    )
        .prop_map(|(to, notify, orcpt)| {
            Command::Rcpt(Rcpt {
                to: to.map_or(Recipient::Postmaster, Recipient::Mailbox),
                notify: notify.map(|[success, failure, delay]| Notify { success, failure, delay }),
                orcpt: orcpt.map(|address| OriginalRecipient { address_type: "rfc822".into(), address }),
            })
        })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        mail(),
        rcpt(),
        "[a-z.-]{1,20}".prop_map(Command::Ehlo),
        (any::<u64>(), any::<bool>()).prop_map(|(size, last)| Command::Bdat(Bdat { size, last })),
        ("[A-Z0-9-]{1,20}", prop::option::of("[A-Za-z0-9+/=]{1,40}"))
            .prop_map(|(mechanism, initial_response)| Command::Auth(Auth { mechanism, initial_response })),
        prop::sample::select(vec![
            Command::Data,
            Command::Rset,
            Command::Noop,
            Command::Help,
            Command::Quit,
            Command::StartTls,
            Command::Vrfy("a b".into()),
        ]),
    ]
}

proptest! {
    #[test]
    fn every_command_comes_back(command in command()) {
        prop_assert_eq!(parse(&command.to_string()), Ok(command));
    }

    #[test]
    fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Command::parse(&line, &Limits::default());
    }

    #[test]
    fn no_argument_panics(
        verb in prop::sample::select(vec!["MAIL FROM:<", "RCPT TO:<", "AUTH ", "BDAT ", "EHLO ", "MAIL FROM:<a@b> "]),
        rest in "\\PC{0,80}",
    ) {
        let _ = parse(&format!("{verb}{rest}"));
    }
}
