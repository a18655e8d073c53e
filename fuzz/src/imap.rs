//! Any bytes as what an IMAP client sends: framed, parsed, never stuck.
#![no_main]

use kontor_imap_proto::command::{self, append};
use kontor_imap_proto::{Context, Event, Framer, FramerLimits, Limits, decode_utf7, encode_utf7};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for (limits, utf8) in [(FramerLimits::before_login(), false), (FramerLimits::after_login(), true)] {
        let context = Context { utf8, limits: Limits::default() };
        let mut framer = Framer::new(limits);
        let mut input = data;
        let mut events = 0;
        loop {
            events += 1;
            assert!(events <= data.len() * 2 + 16, "the framer makes no progress");
            match framer.next(&mut input) {
                Event::NeedMore | Event::Lost => break,
                Event::Command(frame) => {
                    let _ = command::parse(&frame, &context);
                }
                Event::AppendLiteral(request) => {
                    if request.first {
                        let _ = append::parse_first(&request.prefix, &context);
                    } else {
                        let _ = append::parse_next(&request.prefix, utf8, &context);
                    }
                    if request.size % 3 == 0 {
                        framer.refuse_literal();
                    } else {
                        framer.accept_literal();
                    }
                }
                Event::AppendEnd(text) => {
                    let _ = append::parse_end(&text, utf8, &context);
                }
                _ => {}
            }
        }
        let _ = command::parse(data, &context);
    }
    if let Some(text) = std::str::from_utf8(data).ok().and_then(decode_utf7) {
        assert_eq!(decode_utf7(&encode_utf7(&text)), Some(text));
    }
});
