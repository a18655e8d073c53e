//! Makes commands of every kind.

use kontor_imap_proto::{
    Command, CommandBody, Date, Flag, MailboxName, Partial, Section, SectionText, SequenceRange, SequenceSet,
    SpecialUse, Tag,
    command::{
        authenticate::Authenticate,
        copy::Copy,
        create::Create,
        fetch::{Fetch, FetchItem},
        list::{self, List, Lsub},
        login::Login,
        rename::Rename,
        search::{self, Search, SearchKey},
        select::{Qresync, Select},
        status::{Status, StatusItem},
        store::{Store, StoreAction},
    },
};
use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::select,
};

const ATOM: &str = "[a-z$!#'+,./:;<=>?@^_`|~A-Z0-9&-]{1,12}";
const TEXT: &str = "[a-zé台\"\\\\ {}()\r\n]{0,12}";

fn mailbox() -> impl Strategy<Value = MailboxName> {
    "[a-z &é台\"\\\\/*%{}]{1,12}".prop_map(|s| MailboxName::new(&s))
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![1..10_u32, 1..=u32::MAX]
}

fn number64() -> impl Strategy<Value = u64> {
    0..=i64::MAX as u64
}

fn set() -> impl Strategy<Value = SequenceSet> {
    let end = || prop_oneof![4 => number(), 1 => Just(0)];
    let range = prop_oneof![
        (end(), end()).prop_map(|(start, end)| SequenceRange { start, end }),
        end().prop_map(|n| SequenceRange { start: n, end: n }),
    ];
    prop_oneof![8 => vec(range, 1..6).prop_map(SequenceSet::Ranges), 1 => Just(SequenceSet::Saved)]
}

fn known_set() -> impl Strategy<Value = SequenceSet> {
    vec((number(), number()).prop_map(|(start, end)| SequenceRange { start, end }), 1..4)
        .prop_map(SequenceSet::Ranges)
}

fn flag() -> impl Strategy<Value = Flag> {
    prop_oneof![
        select(vec![Flag::Answered, Flag::Flagged, Flag::Deleted, Flag::Seen, Flag::Draft, Flag::Recent]),
        ATOM.prop_map(Flag::Keyword),
        "x[a-z]{1,8}".prop_map(Flag::Extension),
    ]
}

fn date() -> impl Strategy<Value = Date> {
    (-719_000..2_900_000_i32).prop_map(|days| Date { days })
}

fn search_key() -> impl Strategy<Value = SearchKey> {
    use SearchKey as K;
    let plain = select(vec![
        K::All,
        K::Answered,
        K::Deleted,
        K::Draft,
        K::Flagged,
        K::New,
        K::Old,
        K::Recent,
        K::SaveDateSupported,
        K::Seen,
        K::Unanswered,
        K::Undeleted,
        K::Undraft,
        K::Unflagged,
        K::Unseen,
    ]);
    let text = (0..10, TEXT, TEXT).prop_map(|(kind, t, f)| match kind {
        0 => K::Bcc(t),
        1 => K::Body(t),
        2 => K::Cc(t),
        3 => K::From(t),
        4 => K::Subject(t),
        5 => K::Text(t),
        6 => K::To(t),
        7 => K::EmailId(t),
        8 => K::ThreadId(t),
        _ => K::Header(f, t),
    });
    let dated = (0..9, date()).prop_map(|(kind, d)| match kind {
        0 => K::Before(d),
        1 => K::On(d),
        2 => K::Since(d),
        3 => K::SentBefore(d),
        4 => K::SentOn(d),
        5 => K::SentSince(d),
        6 => K::SavedBefore(d),
        7 => K::SavedOn(d),
        _ => K::SavedSince(d),
    });
    let leaf = prop_oneof![
        plain,
        text,
        dated,
        number64().prop_map(K::Larger),
        number64().prop_map(K::Smaller),
        number64().prop_map(K::ModSeq),
        number().prop_map(K::Older),
        number().prop_map(K::Younger),
        ATOM.prop_map(K::Keyword),
        ATOM.prop_map(K::Unkeyword),
        set().prop_map(K::Uid),
        set().prop_map(K::Set),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|k| K::Not(Box::new(k))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| K::Or(Box::new(a), Box::new(b))),
            vec(inner, 1..4).prop_map(K::And),
        ]
    })
}

fn section() -> impl Strategy<Value = Section> {
    let fields = || vec(prop_oneof!["[A-Za-z-]{1,10}", Just("a(b".to_owned())], 1..3);
    let text = option::of(prop_oneof![
        Just(SectionText::Header),
        Just(SectionText::Text),
        Just(SectionText::Mime),
        fields().prop_map(SectionText::HeaderFields),
        fields().prop_map(SectionText::HeaderFieldsNot),
    ]);
    (vec(number(), 0..4), text).prop_map(|(part, text)| {
        let text = if part.is_empty() && text == Some(SectionText::Mime) { None } else { text };
        Section { part, text }
    })
}

fn fetch_item() -> impl Strategy<Value = FetchItem> {
    use FetchItem as I;
    let partial = || {
        option::of((number64(), 1..=i64::MAX as u64).prop_map(|(offset, length)| Partial { offset, length }))
    };
    prop_oneof![
        select(vec![
            I::Envelope,
            I::Flags,
            I::InternalDate,
            I::Rfc822,
            I::Rfc822Header,
            I::Rfc822Size,
            I::Rfc822Text,
            I::Body,
            I::BodyStructure,
            I::Uid,
            I::ModSeq,
            I::EmailId,
            I::ThreadId,
            I::SaveDate,
        ]),
        (any::<bool>(), section(), partial()).prop_map(|(peek, section, partial)| I::BodySection {
            peek,
            section,
            partial
        }),
        (any::<bool>(), vec(number(), 0..4), partial()).prop_map(|(peek, part, partial)| I::Binary {
            peek,
            part,
            partial
        }),
        vec(number(), 0..4).prop_map(|part| I::BinarySize { part }),
    ]
}

fn status_items() -> impl Strategy<Value = Vec<StatusItem>> {
    vec(select(StatusItem::EVERY.to_vec()), 1..5)
}

fn mailbox_list() -> impl Strategy<Value = List> {
    let selection =
        (any::<[bool; 3]>(), any::<bool>()).prop_map(|([subscribed, remote, special_use], recursive)| {
            list::Selection {
                subscribed,
                remote,
                special_use,
                recursive_match: recursive && (subscribed || special_use),
            }
        });
    let returns = (any::<[bool; 3]>(), option::of(status_items())).prop_map(
        |([subscribed, children, special_use], status)| list::Returns {
            subscribed,
            children,
            special_use,
            status,
        },
    );
    let pattern = || "[a-z*%/é]{0,8}";
    prop_oneof![
        (pattern(), pattern()).prop_map(|(reference, p)| List {
            reference,
            patterns: vec![p],
            ..List::default()
        }),
        (selection, pattern(), vec(pattern(), 1..4), returns).prop_map(
            |(selection, reference, patterns, returns)| List {
                selection,
                reference,
                patterns,
                returns,
                extended: true
            }
        ),
    ]
}

fn select_command() -> impl Strategy<Value = Select> {
    let qresync = (number(), number64(), option::of(known_set()), option::of((known_set(), known_set())))
        .prop_map(|(uid_validity, mod_seq, known_uids, match_data)| Qresync {
            uid_validity,
            mod_seq,
            known_uids,
            match_data,
        });
    (mailbox(), any::<bool>(), any::<bool>(), option::of(qresync)).prop_map(
        |(mailbox, read_only, condstore, qresync)| Select { mailbox, read_only, condstore, qresync },
    )
}

fn search_command() -> impl Strategy<Value = Search> {
    let returns = any::<[bool; 5]>().prop_map(|[min, max, all, count, save]| {
        let all = all || !(min || max || count || save);
        search::Returns { min, max, all, count, save }
    });
    (any::<bool>(), option::of(returns), vec(search_key(), 1..4)).prop_map(|(uid, returns, keys)| Search {
        uid,
        returns,
        keys,
    })
}

pub fn command() -> impl Strategy<Value = Command> {
    use CommandBody as B;
    let plain = select(vec![
        B::Capability,
        B::Noop,
        B::Logout,
        B::StartTls,
        B::Namespace,
        B::Idle,
        B::Check,
        B::Close,
        B::Unselect,
        B::Expunge(None),
    ]);
    let copy =
        || (any::<bool>(), set(), mailbox()).prop_map(|(uid, set, mailbox)| Copy { uid, set, mailbox });
    let fetch = (any::<bool>(), set(), vec(fetch_item(), 1..5), option::of((number64(), any::<bool>())))
        .prop_map(|(uid, set, items, since)| Fetch {
            uid,
            set,
            items,
            changed_since: since.map(|(n, _)| n),
            vanished: uid && since.is_some_and(|(_, v)| v),
        });
    let store = (
        any::<bool>(),
        set(),
        option::of(number64()),
        select(vec![StoreAction::Replace, StoreAction::Add, StoreAction::Remove]),
        any::<bool>(),
        vec(flag(), 0..4),
    )
        .prop_map(|(uid, set, unchanged_since, action, silent, flags)| Store {
            uid,
            set,
            unchanged_since,
            action,
            silent,
            flags,
        });
    let directory = prop_oneof![
        mailbox().prop_map(B::Delete),
        mailbox().prop_map(B::Subscribe),
        mailbox().prop_map(B::Unsubscribe),
        (mailbox(), mailbox()).prop_map(|(from, to)| B::Rename(Rename { from, to })),
        (mailbox(), vec(select(vec![SpecialUse::Junk, SpecialUse::All, SpecialUse::Sent]), 0..3))
            .prop_map(|(mailbox, special_use)| B::Create(Create { mailbox, special_use })),
        mailbox_list().prop_map(B::List),
        ("[a-z/]{0,8}", "[a-z*%]{1,8}").prop_map(|(reference, pattern)| B::Lsub(Lsub { reference, pattern })),
        (mailbox(), status_items()).prop_map(|(mailbox, items)| B::Status(Status { mailbox, items })),
    ];
    let body = prop_oneof![
        plain,
        directory,
        vec((TEXT, option::of(TEXT)), 0..4).prop_map(B::Id),
        (select(vec!["PLAIN", "LOGIN"]), option::of("[A-Za-z0-9+/]{1,20}=?"))
            .prop_map(|(m, initial)| B::Authenticate(Authenticate { mechanism: m.into(), initial })),
        (TEXT, TEXT).prop_map(|(user, password)| B::Login(Login { user, password })),
        vec("[A-Z0-9=-]{1,12}", 1..4).prop_map(B::Enable),
        select_command().prop_map(B::Select),
        set().prop_map(|s| B::Expunge(Some(s))),
        search_command().prop_map(B::Search),
        fetch.prop_map(B::Fetch),
        store.prop_map(B::Store),
        copy().prop_map(B::Copy),
        copy().prop_map(B::Move),
    ];
    ("[a-zA-Z0-9.]{1,8}", body)
        .prop_map(|(tag, body)| Command { tag: Tag::new(tag.as_bytes()).expect("a tag"), body })
}
