//! What must hold of the grammar for any command and any bytes.

mod client;
mod commands;

use kontor_imap_proto::{Context, Event, Framer, FramerLimits, Limits, command};
use proptest::prelude::*;

const CONTEXT: Context = Context {
    utf8: false,
    limits: Limits {
        depth: 32,
        search_keys: 1024,
        ranges: 40_000,
        list: 512,
        part_depth: 64,
        mailbox_name: 4096,
    },
};

/// All that a framer makes of `pieces`, APPEND messages accepted whole.
fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut framer = Framer::new(FramerLimits { text: 4096, skip: 1 << 20, ..FramerLimits::after_login() });
    let mut out = Vec::new();
    let mut message = Vec::new();
    for mut input in pieces {
        loop {
            match framer.next(&mut input) {
                Event::NeedMore => break,
                Event::Lost => {
                    out.push("lost".into());
                    return out;
                }
                Event::LiteralBytes(bytes) => message.extend_from_slice(bytes),
                Event::LiteralEnd => out.push(format!("message {:?}", std::mem::take(&mut message))),
                Event::AppendLiteral(request) => {
                    out.push(format!("{request:?}"));
                    if request.size % 2 == 0 { framer.accept_literal() } else { framer.refuse_literal() }
                }
                event => out.push(format!("{event:?}")),
            }
        }
    }
    out
}

fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|c| c % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect()
}

/// Bytes with much of what IMAP is made of, so that more than the first character is reached.
fn imap_like() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "a ",
            "\r\n",
            "\n",
            "{3}\r\n",
            "{2+}\r\n",
            "~{4+}\r\n",
            "{9999999}",
            "{99999+}\r\n",
            "\"",
            "\\",
            "(",
            ")",
            "[",
            "]",
            "UID ",
            "FETCH ",
            "SEARCH ",
            "APPEND ",
            "STORE ",
            "LIST ",
            "SELECT ",
            "x (QRESYNC (1 2 3 (4 5)))",
            "BODY[",
            "1.2.",
            "HEADER.FIELDS ",
            "MIME",
            "<1.2>",
            "NOT ",
            "OR ",
            "RETURN ",
            "1:*,4",
            "$",
            "*",
            "&",
            "&AOk-",
            " ",
            "\0",
            "FLAGS ",
            "+FLAGS.SILENT ",
            "\"1-Feb-2020 00:00:00 +0000\"",
            "CHARSET ",
            "ID NIL",
            "STATUS x (SIZE)",
            "xxxxxxxx",
        ])
        .prop_map(|s: &str| s.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..4),
        prop::collection::vec(Just(b'x'), 3000..6000),
    ];
    prop::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_encoded_parses_to_the_same(command in commands::command()) {
        let bytes = client::encode(&command, false);
        let line = bytes.strip_suffix(b"\r\n").expect("a command ends with CRLF");
        let parsed = command::parse(line, &CONTEXT);
        prop_assert_eq!(parsed.as_ref(), Ok(&command), "{}", String::from_utf8_lossy(line));
        let utf8 = Context { utf8: true, ..CONTEXT };
        let bytes = client::encode(&command, true);
        let parsed = command::parse(bytes.strip_suffix(b"\r\n").expect("CRLF"), &utf8);
        prop_assert_eq!(parsed.as_ref(), Ok(&command), "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn commands_in_pieces_are_framed_alike(
        commands in prop::collection::vec(commands::command(), 1..4),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let bytes: Vec<u8> = commands.iter().flat_map(|c| client::encode(c, false)).collect();
        let whole = events([&bytes[..]]);
        prop_assert_eq!(&whole, &events(cut(&bytes, &cuts)));
        let framed = whole.iter().filter(|e| e.starts_with("Command")).count();
        prop_assert_eq!(framed, commands.len());
    }

    #[test]
    fn any_bytes_in_any_pieces_are_framed_alike(
        bytes in imap_like(),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        prop_assert_eq!(events([&bytes[..]]), events(cut(&bytes, &cuts)));
        prop_assert_eq!(events([&bytes[..]]), events(bytes.chunks(1)));
    }

    #[test]
    fn any_bytes_parse_without_panic(bytes in imap_like(), utf8: bool) {
        let context = Context { utf8, ..CONTEXT };
        let _ = command::parse(&bytes, &context);
        let mut tagged = b"a ".to_vec();
        tagged.extend_from_slice(&bytes);
        let _ = command::parse(&tagged, &context);
        let _ = command::append::parse_first(&tagged, &context);
        let _ = command::append::parse_next(&bytes, utf8, &context);
        let _ = command::append::parse_end(&bytes, utf8, &context);
    }

    #[test]
    fn mailbox_names_both_ways(name in "\\PC{0,40}") {
        let encoded = kontor_imap_proto::encode_utf7(&name);
        prop_assert!(encoded.is_ascii());
        let decoded = kontor_imap_proto::decode_utf7(&encoded);
        prop_assert_eq!(decoded.as_deref(), Some(&*name));
    }
}
