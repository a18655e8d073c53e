use super::*;

fn limits() -> FramerLimits {
    FramerLimits { text: 200, literal: 50, literals: 80, literal_count: 4, append: true, skip: 1000 }
}

fn command(bytes: &[u8]) -> Event<'static> {
    Event::Command(bytes.to_vec())
}

#[test]
fn commands_across_lines_and_literals() {
    let mut framer = Framer::new(limits());
    let mut input: &[u8] = b"a NOOP\r\nb LOGIN {3}\r\n";
    assert_eq!(framer.next(&mut input), command(b"a NOOP"));
    assert_eq!(framer.next(&mut input), Event::Continue);
    assert_eq!(framer.next(&mut input), Event::NeedMore);
    let mut input: &[u8] = b"joe {0+}\r\n\r\nc NOOP\n";
    assert_eq!(framer.next(&mut input), command(b"b LOGIN {3}\r\njoe {0+}\r\n"));
    assert_eq!(framer.next(&mut input), command(b"c NOOP"));
    assert!(framer.is_idle());
}

#[test]
fn a_literal_inside_quotes_is_text() {
    let mut framer = Framer::new(limits());
    let mut input: &[u8] = b"a X \"b\\\" {5}\r\nb NOOP\r\n";
    assert_eq!(framer.next(&mut input), command(b"a X \"b\\\" {5}"));
    assert_eq!(framer.next(&mut input), command(b"b NOOP"));
}

#[test]
fn an_oversized_literal_is_refused_and_skipped() {
    let mut framer = Framer::new(limits());
    let big = [b'x'; 100];
    let mut stream = b"a X {100+}\r\n".to_vec();
    stream.extend(big);
    stream.extend(b" {60+}\r\n");
    stream.extend([b'\n'; 60]);
    stream.extend(b" y\r\nb X {51}\r\nc NOOP\r\n");
    let mut input = &stream[..];
    let rejected = |tag: &[u8]| Event::Rejected { tag: Tag::new(tag), reason: Rejection::LiteralTooBig };
    assert_eq!(framer.next(&mut input), rejected(b"a"));
    assert_eq!(framer.next(&mut input), rejected(b"b"));
    assert_eq!(framer.next(&mut input), command(b"c NOOP"));
}

#[test]
fn an_oversized_line_is_refused_and_skipped() {
    let mut framer = Framer::new(limits());
    let mut stream = b"a X ".to_vec();
    stream.extend([b'x'; 500]);
    stream.extend(b" {10+}\r\n\n\n\n\n\n\n\n\n\n\n\r\nb NOOP\r\n");
    for chunk in [1, 7, 1000] {
        let mut events = Vec::new();
        for piece in stream.chunks(chunk) {
            let mut input = piece;
            loop {
                match framer.next(&mut input) {
                    Event::NeedMore => break,
                    Event::Rejected { tag, reason } => events.push(format!("{tag:?} {reason:?}")),
                    Event::Command(c) => events.push(String::from_utf8(c).unwrap()),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(events, [format!("{:?} LineTooLong", Tag::new(b"a")), "b NOOP".into()], "chunk {chunk}");
    }
}

#[test]
fn a_line_without_end_loses_the_connection() {
    let mut framer = Framer::new(limits());
    let endless = [b'x'; 2000];
    let mut input = &endless[..];
    assert_eq!(framer.next(&mut input), Event::Rejected { tag: None, reason: Rejection::LineTooLong });
    let mut input = &endless[..];
    assert_eq!(framer.next(&mut input), Event::Lost);
}

#[test]
fn append_streams_its_messages() {
    let mut framer = Framer::new(limits());
    let mut input: &[u8] = b"a APPEND {5}\r\nINBOX (\\Seen) {3}\r\nabc \"1\" ~{2+}\r\nde\r\n";
    assert_eq!(framer.next(&mut input), Event::Continue);
    let Event::AppendLiteral(request) = framer.next(&mut input) else { panic!() };
    assert_eq!(request.prefix, b"a APPEND {5}\r\nINBOX (\\Seen) ");
    assert!(request.first && request.synchronizing && request.size == 3 && !request.literal8);
    framer.accept_literal();
    assert_eq!(framer.next(&mut input), Event::LiteralBytes(b"abc"));
    assert_eq!(framer.next(&mut input), Event::LiteralEnd);
    let Event::AppendLiteral(request) = framer.next(&mut input) else { panic!() };
    assert_eq!(request.prefix, b" \"1\" ");
    assert!(!request.first && !request.synchronizing && request.size == 2 && request.literal8);
    framer.accept_literal();
    assert_eq!(framer.next(&mut input), Event::LiteralBytes(b"de"));
    assert_eq!(framer.next(&mut input), Event::LiteralEnd);
    assert_eq!(framer.next(&mut input), Event::AppendEnd(vec![]));
    assert!(framer.is_idle());
}

#[test]
fn a_refused_append_is_skipped() {
    let mut framer = Framer::new(limits());
    let mut input: &[u8] = b"a APPEND x {3+}\r\nabc {2+}\r\nde\r\nb APPEND x {3}\r\nc NOOP\r\n";
    assert!(matches!(framer.next(&mut input), Event::AppendLiteral(_)));
    framer.refuse_literal();
    assert!(matches!(framer.next(&mut input), Event::AppendLiteral(_)));
    framer.refuse_literal();
    assert_eq!(framer.next(&mut input), command(b"c NOOP"));
}

#[test]
fn an_expected_line_holds_no_literal() {
    let mut framer = Framer::new(limits());
    framer.expect_line();
    let mut input: &[u8] = b"abc{3}\r\na NOOP\r\n";
    assert_eq!(framer.next(&mut input), Event::Line(b"abc{3}".to_vec()));
    assert_eq!(framer.next(&mut input), command(b"a NOOP"));
}
