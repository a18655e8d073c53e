//! Any bytes as what a POP3 client sends, and as a message that it is given.
#![no_main]

use kontor_pop3_proto::{Command, DotStuffer, Frame, Limits, LineFramer, TopCounter};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let mut framer = LineFramer::new(limits.command_line);
    let mut rest = data;
    while !rest.is_empty() {
        let consumed = match framer.frame(rest) {
            Frame::Incomplete { .. } => break,
            Frame::Line { line, consumed } => {
                if let Ok(command) = Command::parse(line) {
                    let text = command.to_string();
                    assert!(Command::parse(text.trim_end_matches("\r\n").as_bytes()).is_ok(), "{text:?}");
                }
                consumed
            }
            Frame::TooLong { consumed } => consumed,
        };
        assert!(consumed > 0);
        rest = rest.get(consumed..).expect("what was consumed was there");
    }
    let mut wire = Vec::new();
    let mut stuffer = DotStuffer::new();
    stuffer.write(data, &mut wire);
    stuffer.finish(&mut wire);
    assert!(wire.ends_with(b"\r\n.\r\n") || wire == b".\r\n");
    // The end occurs nowhere else.
    let early = wire.windows(5).take(wire.len().saturating_sub(5)).any(|window| window == b"\r\n.\r\n");
    assert!(!early);
    let (taken, _) = TopCounter::new(3).take(data);
    assert!(taken <= data.len());
});
