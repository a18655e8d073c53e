//! The lexical ground of RFC 9051 §9: atoms, strings, numbers, lists, over one framed command.

use crate::{Context, MailboxName, ParseError, Tag};

pub(crate) type Result<T> = std::result::Result<T, ParseError>;

/// A place in a framed command. Every method either takes what it names or says what it expected.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    pub(crate) context: &'a Context,
    /// Ranges that the command's sequence sets may still hold.
    pub(crate) ranges_left: usize,
    pub(crate) search_keys_left: usize,
}

pub(crate) const fn is_atom_char(b: u8) -> bool {
    b > 0x20 && b < 0x7f && !matches!(b, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

pub(crate) const fn is_astring_char(b: u8) -> bool {
    is_atom_char(b) || b == b']'
}

pub(crate) const fn is_tag_char(b: u8) -> bool {
    is_astring_char(b) && b != b'+'
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(frame: &'a [u8], context: &'a Context) -> Self {
        Self {
            rest: frame,
            context,
            ranges_left: context.limits.ranges,
            search_keys_left: context.limits.search_keys,
        }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) fn peek_second(&self) -> Option<u8> {
        self.rest.get(1).copied()
    }

    pub(crate) fn advance(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(n.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    pub(crate) fn eat(&mut self, b: u8) -> bool {
        let found = self.peek() == Some(b);
        if found {
            self.advance(1);
        }
        found
    }

    pub(crate) fn expect(&mut self, b: u8, what: &'static str) -> Result<()> {
        if self.eat(b) { Ok(()) } else { Err(ParseError::Syntax(what)) }
    }

    pub(crate) fn sp(&mut self) -> Result<()> {
        self.expect(b' ', "expected a space")
    }

    /// The command's end. Trailing spaces, which some clients send, are let pass.
    pub(crate) fn end(&mut self) -> Result<()> {
        if self.rest.iter().all(|&b| b == b' ') {
            Ok(())
        } else {
            Err(ParseError::Syntax("unexpected text at the end"))
        }
    }

    pub(crate) fn at_end(&self) -> bool {
        self.rest.iter().all(|&b| b == b' ')
    }

    pub(crate) fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let n = self.rest.iter().position(|&b| !accept(b)).unwrap_or(self.rest.len());
        self.advance(n)
    }

    pub(crate) fn tag(&mut self) -> Option<Tag> {
        Tag::new(self.take_while(is_tag_char))
    }

    /// A word of ASCII letters, digits and the signs that keywords of the grammar use.
    pub(crate) fn keyword(&mut self) -> &'a [u8] {
        self.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'=' | b'_' | b'+'))
    }

    /// Takes `word` if it comes next, whatever its case, and no word goes on after it.
    pub(crate) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.rest.get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word.as_bytes()))
            && !self.rest.get(word.len()).is_some_and(u8::is_ascii_alphanumeric);
        if found {
            self.advance(word.len());
        }
        found
    }

    pub(crate) fn atom(&mut self) -> Result<&'a str> {
        nonempty(self.take_while(is_atom_char), "expected an atom")
    }

    pub(crate) fn number64(&mut self) -> Result<u64> {
        let digits = self.take_while(|b| b.is_ascii_digit());
        std::str::from_utf8(digits)
            .ok()
            .and_then(|d| d.parse().ok())
            .filter(|&n: &u64| n <= i64::MAX as u64)
            .ok_or(ParseError::Syntax("expected a number"))
    }

    pub(crate) fn number(&mut self) -> Result<u32> {
        self.number64()?.try_into().map_err(|_| ParseError::Syntax("number too large"))
    }

    pub(crate) fn nz_number(&mut self) -> Result<u32> {
        match self.number()? {
            0 => Err(ParseError::Syntax("expected a number above zero")),
            n => Ok(n),
        }
    }

    /// A quoted string or literal.
    pub(crate) fn string(&mut self) -> Result<Vec<u8>> {
        match (self.peek(), self.peek_second()) {
            (Some(b'"'), _) => self.quoted(),
            (Some(b'{'), _) | (Some(b'~'), Some(b'{')) => self.literal(),
            _ => Err(ParseError::Syntax("expected a string")),
        }
    }

    fn quoted(&mut self) -> Result<Vec<u8>> {
        self.expect(b'"', "expected a quoted string")?;
        let mut out = Vec::new();
        loop {
            out.extend_from_slice(self.take_while(|b| !matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0)));
            match self.advance(1) {
                [b'"'] => return Ok(out),
                [b'\\'] => match self.advance(1) {
                    [b @ (b'"' | b'\\')] => out.push(*b),
                    _ => return Err(ParseError::Syntax("only \\ and \" can be escaped")),
                },
                _ => return Err(ParseError::Syntax("quoted string without end")),
            }
        }
    }

    fn literal(&mut self) -> Result<Vec<u8>> {
        let literal8 = self.eat(b'~');
        self.expect(b'{', "expected a literal")?;
        let size = self.number64()?;
        if !self.eat(b'+') {
            self.eat(b'-');
        }
        self.expect(b'}', "expected the end of a literal's size")?;
        self.eat(b'\r');
        self.expect(b'\n', "expected a line end after a literal's size")?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > self.rest.len() {
            return Err(ParseError::Syntax("literal cut short"));
        }
        let bytes = self.advance(size);
        if !literal8 && memchr::memchr(0, bytes).is_some() {
            return Err(ParseError::Syntax("NUL in a literal"));
        }
        Ok(bytes.to_vec())
    }

    /// An astring's bytes. Bytes above 0x7f are let pass in an atom: clients send mailbox names so.
    pub(crate) fn astring_bytes(&mut self) -> Result<Vec<u8>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => {
                let word = self.take_while(|b| is_astring_char(b) || b >= 0x80);
                if word.is_empty() {
                    Err(ParseError::Syntax("expected a string or atom"))
                } else {
                    Ok(word.to_vec())
                }
            }
        }
    }

    pub(crate) fn astring(&mut self) -> Result<String> {
        utf8(self.astring_bytes()?)
    }

    pub(crate) fn utf8_string(&mut self) -> Result<String> {
        utf8(self.string()?)
    }

    /// `NIL` or a string.
    pub(crate) fn nstring(&mut self) -> Result<Option<String>> {
        if self.eat_word("NIL") { Ok(None) } else { self.utf8_string().map(Some) }
    }

    pub(crate) fn mailbox(&mut self) -> Result<MailboxName> {
        let bytes = self.astring_bytes()?;
        MailboxName::from_wire(&bytes, self.context)
    }

    /// A LIST pattern: like a mailbox, but `%` and `*` need no quotes.
    pub(crate) fn list_mailbox(&mut self) -> Result<String> {
        let bytes = match self.peek() {
            Some(b'"' | b'{') => self.string()?,
            _ => {
                let word = self.take_while(|b| is_astring_char(b) || b >= 0x80 || matches!(b, b'%' | b'*'));
                if word.is_empty() {
                    return Err(ParseError::Syntax("expected a mailbox pattern"));
                }
                word.to_vec()
            }
        };
        MailboxName::decode_wire(&bytes, self.context)
    }

    /// `(` element *(SP element) `)`, bounded by [`crate::Limits::list`]; `()` only if `empty`.
    pub(crate) fn list<T>(
        &mut self,
        empty: bool,
        mut element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.expect(b'(', "expected (")?;
        let mut out = Vec::new();
        if empty && self.eat(b')') {
            return Ok(out);
        }
        loop {
            if out.len() >= self.context.limits.list {
                return Err(ParseError::Limit("list"));
            }
            out.push(element(self)?);
            if self.eat(b')') {
                return Ok(out);
            }
            self.sp()?;
        }
    }
}

fn nonempty<'a>(word: &'a [u8], what: &'static str) -> Result<&'a str> {
    match std::str::from_utf8(word) {
        Ok(word) if !word.is_empty() => Ok(word),
        _ => Err(ParseError::Syntax(what)),
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| ParseError::Syntax("text is not UTF-8"))
}
