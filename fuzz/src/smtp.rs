//! Any bytes as what an SMTP client or server sends.
#![no_main]

use kontor_smtp_proto::{
    Capabilities, Command, DataDecoder, DotStuffer, Frame, Limits, LineFramer, ReplyFrame, find_bare_newline,
    parse_reply,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let mut framer = LineFramer::new(limits.command_line);
    let mut rest = data;
    while !rest.is_empty() {
        let consumed = match framer.frame(rest) {
            Frame::Incomplete { .. } => break,
            Frame::Line { line, consumed } => {
                if let Ok(command) = Command::parse(line, &limits) {
                    let text = command.to_string();
                    assert!(
                        Command::parse(text.trim_end_matches("\r\n").as_bytes(), &limits).is_ok(),
                        "{text:?}"
                    );
                }
                consumed
            }
            Frame::TooLong { consumed } | Frame::BareNewline { consumed } => consumed,
        };
        assert!(consumed > 0);
        rest = rest.get(consumed..).expect("what was consumed was there");
    }
    let mut out = Vec::new();
    let decoded = DataDecoder::new(1 << 20).decode(data, &mut out);
    assert!(decoded.consumed <= data.len() && out.len() <= data.len());
    find_bare_newline(data);
    if let Ok(ReplyFrame::Reply { reply, consumed }) = parse_reply(data, &limits) {
        assert!(consumed > 0 && consumed <= data.len());
        Capabilities::parse(&reply);
    }

    // What is stuffed is taken out again, apart from the line ends that stuffing mends.
    if data.ends_with(b"\r\n") && find_bare_newline(data).is_none() {
        let mut wire = Vec::new();
        let mut stuffer = DotStuffer::new();
        stuffer.write(data, &mut wire);
        stuffer.finish(&mut wire);
        let mut back = Vec::new();
        let decoded = DataDecoder::new(1 << 20).decode(&wire, &mut back);
        assert!(decoded.done && decoded.consumed == wire.len());
        assert_eq!(back, data);
    }
});
