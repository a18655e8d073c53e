//! Finds where a command ends, across lines and literals, in bytes that arrive in any pieces.
//!
//! A frame is the command's bytes with its literals in place (`a LOGIN {3}\r\njoe {3}\r\nabc`),
//! without the last line end. APPEND's messages are not part of a frame: the framer hands out what
//! stands before the literal and then the literal's bytes as slices of the input.

use crate::{FramerLimits, Tag, cursor::is_tag_char};

/// What the framer found. Lifetimes are those of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The input is used up; feed more.
    NeedMore,
    /// A synchronizing literal was accepted: send a continuation (`+ `), then feed more.
    Continue,
    /// A whole command, its last line end cut off; parse it with [`crate::command::parse`].
    Command(Vec<u8>),
    /// A line that was asked for with [`Framer::expect_line`].
    Line(Vec<u8>),
    /// A message of APPEND is about to come. The caller answers with [`Framer::accept_literal`]
    /// or [`Framer::refuse_literal`] before the next call; without an answer it is refused.
    AppendLiteral(LiteralRequest),
    /// The next bytes of an accepted message.
    LiteralBytes(&'a [u8]),
    /// The message is complete. Another [`Event::AppendLiteral`] (MULTIAPPEND) or
    /// [`Event::AppendEnd`] follows.
    LiteralEnd,
    /// The APPEND command is complete; what stood after the last literal (usually nothing).
    AppendEnd(Vec<u8>),
    /// A command broke a budget and is thrown away. Answer it now, with the tag if there is one;
    /// the framer goes on rightly with the next command.
    Rejected {
        /// The command's tag, if it could be read.
        tag: Option<Tag>,
        /// Which budget.
        reason: Rejection,
    },
    /// The end of an oversized command was not found within the budget: say BYE and hang up.
    Lost,
}

impl<'a> Event<'a> {
    /// The event without the input's lifetime; [`Event::LiteralBytes`] gives its bytes instead.
    pub fn detach(self) -> Result<Event<'static>, &'a [u8]> {
        Ok(match self {
            Self::LiteralBytes(bytes) => return Err(bytes),
            Self::NeedMore => Event::NeedMore,
            Self::Continue => Event::Continue,
            Self::Command(frame) => Event::Command(frame),
            Self::Line(line) => Event::Line(line),
            Self::AppendLiteral(request) => Event::AppendLiteral(request),
            Self::LiteralEnd => Event::LiteralEnd,
            Self::AppendEnd(text) => Event::AppendEnd(text),
            Self::Rejected { tag, reason } => Event::Rejected { tag, reason },
            Self::Lost => Event::Lost,
        })
    }
}

/// Which budget a command broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Text outside literals.
    LineTooLong,
    /// A literal, or all of them together. A good answer is `NO [TOOBIG]` or `BAD`.
    LiteralTooBig,
}

/// A message literal that APPEND announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiteralRequest {
    /// The text before the literal: for the first one the whole command up to `{`, for the next
    /// ones of MULTIAPPEND what stands between the literals. The literal's own `{n}` is cut off,
    /// and so is the `~` of a literal8.
    pub prefix: Vec<u8>,
    /// Whether this is the command's first message.
    pub first: bool,
    /// Bytes of the literal.
    pub size: u64,
    /// Whether the client waits for a continuation (the caller sends it if it accepts).
    pub synchronizing: bool,
    /// Whether it is a literal8 (`~{n}`), which may hold NUL.
    pub literal8: bool,
}

/// The incremental framer of one connection.
#[derive(Debug)]
pub struct Framer {
    limits: FramerLimits,
    state: State,
    /// The frame so far.
    buf: Vec<u8>,
    /// Where the current line's text starts in `buf` (after the last literal).
    line_start: usize,
    /// Where the current line's end stands to quoted strings.
    in_quotes: Quotes,
    text: usize,
    literals: u64,
    literal_count: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Collecting a command's text.
    Text,
    /// Collecting an ordinary literal; the bytes still to come.
    Literal(u64),
    /// A message literal was announced and not yet answered.
    Announced {
        size: u64,
        synchronizing: bool,
    },
    /// Handing out a message literal.
    Message(u64),
    /// The end of a message literal is to be told.
    MessageEnd,
    /// Collecting text after a message literal.
    AfterMessage,
    /// Throwing away a literal of a refused command.
    SkipLiteral(u64),
    /// Throwing away text of a refused command; bytes thrown away so far.
    SkipText(usize),
    /// Collecting one plain line.
    Line,
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Quotes {
    #[default]
    Outside,
    Inside,
    Escaped,
}

/// The bytes kept of a skipped line, enough to see a literal at its end.
const SKIP_TAIL: usize = 32;

impl Framer {
    /// A framer at the start of a command.
    pub fn new(limits: FramerLimits) -> Self {
        Self {
            limits,
            state: State::Text,
            buf: Vec::new(),
            line_start: 0,
            in_quotes: Quotes::Outside,
            text: 0,
            literals: 0,
            literal_count: 0,
        }
    }

    /// Takes other budgets, from the next command on.
    pub fn set_limits(&mut self, limits: FramerLimits) {
        self.limits = limits;
    }

    /// The next line is no command but the answer to a continuation (AUTHENTICATE, IDLE's DONE).
    /// It comes as [`Event::Line`] and is under the text budget.
    pub fn expect_line(&mut self) {
        self.reset();
        self.state = State::Line;
    }

    /// Whether the framer stands between two commands and holds nothing.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Text | State::Line) && self.buf.is_empty()
    }

    /// Gives up what is buffered; used when STARTTLS replaces the connection.
    pub fn clear(&mut self) {
        self.reset();
    }

    /// Takes the announced message: its bytes come as [`Event::LiteralBytes`]. The caller sends the
    /// continuation if [`LiteralRequest::synchronizing`].
    pub fn accept_literal(&mut self) {
        if let State::Announced { size, .. } = self.state {
            self.state = if size == 0 { State::MessageEnd } else { State::Message(size) };
        }
    }

    /// Refuses the announced message, or the rest of the APPEND at any time after it: the command
    /// ends here. A client that does not wait (LITERAL+) has its bytes thrown away.
    pub fn refuse_literal(&mut self) {
        match self.state {
            State::Announced { synchronizing: true, .. } => self.reset(),
            State::Announced { size, .. } => self.skip_literal(size),
            State::Message(left) => self.skip_literal(left),
            State::MessageEnd => self.skip_literal(0),
            State::AfterMessage => {
                self.reset();
                self.state = State::SkipText(0);
            }
            _ => {}
        }
    }

    /// Takes bytes from the front of `input` up to the next event.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Event<'a> {
        loop {
            match self.state {
                State::Text | State::AfterMessage | State::Line => match self.take_text(input) {
                    Some(event) => return event,
                    None if input.is_empty() => return Event::NeedMore,
                    None => {}
                },
                State::Literal(left) => {
                    let taken = take(input, left);
                    if taken.is_empty() && left > 0 {
                        return Event::NeedMore;
                    }
                    self.buf.extend_from_slice(taken);
                    let left = left - taken.len() as u64;
                    if left == 0 {
                        self.line_start = self.buf.len();
                        self.state = State::Text;
                    } else {
                        self.state = State::Literal(left);
                    }
                }
                State::Announced { .. } => self.refuse_literal(),
                State::Message(left) => {
                    let taken = take(input, left);
                    if taken.is_empty() {
                        return Event::NeedMore;
                    }
                    let left = left - taken.len() as u64;
                    self.state = if left == 0 { State::MessageEnd } else { State::Message(left) };
                    return Event::LiteralBytes(taken);
                }
                State::MessageEnd => {
                    self.state = State::AfterMessage;
                    return Event::LiteralEnd;
                }
                State::SkipLiteral(left) => {
                    let taken = take(input, left);
                    if taken.is_empty() && left > 0 {
                        return Event::NeedMore;
                    }
                    let left = left - taken.len() as u64;
                    self.state = if left == 0 { State::SkipText(0) } else { State::SkipLiteral(left) };
                }
                State::SkipText(skipped) => {
                    if input.is_empty() {
                        return Event::NeedMore;
                    }
                    self.skip_text(input, skipped);
                }
                State::Lost => return Event::Lost,
            }
        }
    }

    fn reset(&mut self) {
        self.buf = Vec::new();
        self.state = State::Text;
        self.line_start = 0;
        self.in_quotes = Quotes::Outside;
        self.text = 0;
        self.literals = 0;
        self.literal_count = 0;
    }

    fn skip_literal(&mut self, size: u64) {
        self.reset();
        self.state = State::SkipLiteral(size);
    }

    fn reject(&mut self, reason: Rejection) -> Event<'static> {
        let tag = self.tag();
        self.reset();
        Event::Rejected { tag, reason }
    }

    /// Takes text up to and with the next LF. Nothing means that the line goes on.
    fn take_text(&mut self, input: &mut &[u8]) -> Option<Event<'static>> {
        let newline = memchr::memchr(b'\n', input);
        let end = newline.map_or(input.len(), |at| at + 1);
        let (taken, rest) = input.split_at(end);
        *input = rest;
        self.text = self.text.saturating_add(taken.len());
        if self.text > self.limits.text {
            let plain_line = self.state == State::Line;
            // The end of what is thrown away may announce a literal, which is thrown away too.
            let mut tail = last(&self.buf, SKIP_TAIL).to_vec();
            tail.extend_from_slice(last(taken, SKIP_TAIL));
            self.buf.extend(taken.iter().take(300));
            let event = self.reject(Rejection::LineTooLong);
            if newline.is_none() {
                self.buf = tail;
                self.state = State::SkipText(taken.len());
            } else if let Some(spec) = literal_at_end(strip_line_end(&tail))
                && !plain_line
                && !spec.synchronizing
            {
                self.state = State::SkipLiteral(spec.size);
            }
            return Some(event);
        }
        self.track_quotes(taken);
        self.buf.extend_from_slice(taken);
        newline?;
        let line_end = strip_line_end(&self.buf).len().max(self.line_start);
        if self.state == State::Line {
            return Some(Event::Line(self.finish(line_end)));
        }
        let line = self.buf.get(self.line_start..line_end).unwrap_or_default();
        let literal = if self.in_quotes == Quotes::Outside { literal_at_end(line) } else { None };
        self.in_quotes = Quotes::Outside;
        match literal {
            Some(spec) => self.announce(spec, line_end),
            None if self.state == State::AfterMessage => Some(Event::AppendEnd(self.finish(line_end))),
            None => Some(Event::Command(self.finish(line_end))),
        }
    }

    fn finish(&mut self, line_end: usize) -> Vec<u8> {
        let mut frame = std::mem::take(&mut self.buf);
        frame.truncate(line_end);
        self.reset();
        frame
    }

    fn announce(&mut self, spec: LiteralSpec, line_end: usize) -> Option<Event<'static>> {
        let after_message = self.state == State::AfterMessage;
        if after_message || (self.limits.append && self.is_append_message(line_end - spec.len)) {
            let mut prefix = std::mem::take(&mut self.buf);
            prefix.truncate(line_end - spec.len);
            self.line_start = 0;
            self.state = State::Announced { size: spec.size, synchronizing: spec.synchronizing };
            return Some(Event::AppendLiteral(LiteralRequest {
                prefix,
                first: !after_message,
                size: spec.size,
                synchronizing: spec.synchronizing,
                literal8: spec.literal8,
            }));
        }
        self.literals = self.literals.saturating_add(spec.size);
        self.literal_count += 1;
        if spec.size > self.limits.literal
            || self.literals > self.limits.literals
            || self.literal_count > self.limits.literal_count
        {
            let event = self.reject(Rejection::LiteralTooBig);
            if !spec.synchronizing {
                self.state = State::SkipLiteral(spec.size);
            }
            return Some(event);
        }
        self.line_start = self.buf.len();
        self.state = State::Literal(spec.size);
        spec.synchronizing.then_some(Event::Continue)
    }

    /// Whether a literal after `prefix_len` bytes is an APPEND's message: the command is APPEND and
    /// its mailbox (which may be a literal itself) stands before.
    fn is_append_message(&self, prefix_len: usize) -> bool {
        let prefix = self.buf.get(..prefix_len).unwrap_or_default();
        let mut words = prefix.splitn(3, |&b| b == b' ');
        let (_, name, rest) = (words.next(), words.next(), words.next());
        name.is_some_and(|n| n.eq_ignore_ascii_case(b"APPEND"))
            && rest.is_some_and(|r| !r.is_empty() && r != b"~")
    }

    fn track_quotes(&mut self, text: &[u8]) {
        if self.in_quotes == Quotes::Outside && memchr::memchr(b'"', text).is_none() {
            return;
        }
        for &b in text {
            self.in_quotes = match (self.in_quotes, b) {
                (Quotes::Outside, b'"') => Quotes::Inside,
                (Quotes::Outside, _) | (Quotes::Inside, b'"') => Quotes::Outside,
                (Quotes::Inside, b'\\') => Quotes::Escaped,
                (Quotes::Inside | Quotes::Escaped, _) => Quotes::Inside,
            };
        }
    }

    fn tag(&self) -> Option<Tag> {
        let end = self.buf.iter().position(|&b| !is_tag_char(b))?;
        if self.buf.get(end) != Some(&b' ') {
            return None;
        }
        self.buf.get(..end).and_then(Tag::new)
    }

    fn skip_text(&mut self, input: &mut &[u8], skipped: usize) {
        let newline = memchr::memchr(b'\n', input);
        let end = newline.map_or(input.len(), |at| at + 1);
        let (taken, rest) = input.split_at(end);
        *input = rest;
        self.buf.extend_from_slice(last(taken, SKIP_TAIL));
        let keep_from = self.buf.len().saturating_sub(SKIP_TAIL);
        self.buf.drain(..keep_from);
        let skipped = skipped.saturating_add(taken.len());
        if newline.is_none() {
            self.state = if skipped > self.limits.skip { State::Lost } else { State::SkipText(skipped) };
            return;
        }
        match literal_at_end(strip_line_end(&self.buf)) {
            Some(spec) if !spec.synchronizing => {
                self.buf.clear();
                self.state = State::SkipLiteral(spec.size);
            }
            // A client that waits for a continuation reads the refusal instead and gives up.
            _ => self.reset(),
        }
    }
}

struct LiteralSpec {
    size: u64,
    synchronizing: bool,
    literal8: bool,
    /// Bytes of the announcement itself.
    len: usize,
}

/// Reads `{n}`, `{n+}`, `~{n}`, `~{n+}` at the end of a line.
fn literal_at_end(line: &[u8]) -> Option<LiteralSpec> {
    let inner = line.strip_suffix(b"}")?;
    let (digits_end, synchronizing) = match inner.strip_suffix(b"+").or_else(|| inner.strip_suffix(b"-")) {
        Some(shorter) => (shorter, false),
        None => (inner, true),
    };
    let open = digits_end.iter().rposition(|&b| b == b'{')?;
    let digits = digits_end.get(open + 1..)?;
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0_u64, |n, d| n * 10 + u64::from(d - b'0'));
    let literal8 = open > 0 && line.get(open - 1) == Some(&b'~');
    Some(LiteralSpec { size, synchronizing, literal8, len: line.len() - open + usize::from(literal8) })
}

fn last(bytes: &[u8], n: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(n)..).unwrap_or_default()
}

fn strip_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn take<'a>(input: &mut &'a [u8], at_most: u64) -> &'a [u8] {
    let n = usize::try_from(at_most).unwrap_or(usize::MAX).min(input.len());
    let (taken, rest) = input.split_at(n);
    *input = rest;
    taken
}

#[cfg(test)]
#[path = "framer_tests.rs"]
mod tests;
