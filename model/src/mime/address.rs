//! Address lists (RFC 5322 §3.4 and the obsolete forms of §4.4), read as leniently as mail programs write them.

use super::encoded_word;
use super::parameter::{comment_length, quoted, skip_cfws};

/// An element of an address list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An address.
    Mailbox(Address),
    /// The beginning of a group, with its name as written.
    GroupStart(Vec<u8>),
    /// The end of the group.
    GroupEnd,
}

/// An address as it was written: encoded words stay, quotes and folds are undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The display name, or the comment that stands in for it.
    pub name: Option<Vec<u8>>,
    /// The source route of an obsolete address, e.g. `@a,@b`.
    pub route: Option<Vec<u8>>,
    /// The local part; empty where there is none.
    pub local: Vec<u8>,
    /// The domain; empty where there is none.
    pub domain: Vec<u8>,
}

impl Address {
    /// The display name, decoded.
    pub fn display_name(&self) -> Option<String> {
        self.name.as_deref().map(encoded_word::decode).filter(|name| !name.is_empty())
    }

    /// `local@domain`, decoded; without the `@` where a half is missing.
    pub fn address(&self) -> String {
        let mut out = encoded_word::decode(&self.local);
        if !self.domain.is_empty() {
            out.push('@');
            encoded_word::decode_into(&self.domain, &mut out);
        }
        out
    }

    /// What a list of messages shows: the name, else the address.
    pub fn display(&self) -> String {
        self.display_name().unwrap_or_else(|| self.address())
    }
}

/// Reads a field value. At most `limit` entries are told.
pub fn parse(value: &[u8], limit: usize) -> Vec<Entry> {
    let mut parser = Parser { out: Vec::new(), limit, in_group: false, current: Current::default() };
    parser.run(value);
    parser.out
}

/// The addresses of a list, without the groups around them.
pub fn mailboxes(entries: &[Entry]) -> impl Iterator<Item = &Address> {
    entries.iter().filter_map(|entry| match entry {
        Entry::Mailbox(address) => Some(address),
        _ => None,
    })
}

/// What was read since the last comma.
#[derive(Default)]
struct Current {
    /// Words, quoted strings and bare addresses as text.
    text: Vec<u8>,
    /// Where the last word begins in `text`.
    last_word: usize,
    words: usize,
    space: bool,
    comment: Option<Vec<u8>>,
    /// An address that stood without angle brackets: where it begins in `text`, local part and domain.
    bare: Option<(usize, AddrSpec)>,
    angle: Option<AddrSpec>,
}

#[derive(Default)]
struct AddrSpec {
    route: Option<Vec<u8>>,
    local: Vec<u8>,
    domain: Vec<u8>,
}

struct Parser {
    out: Vec<Entry>,
    limit: usize,
    in_group: bool,
    current: Current,
}

impl Parser {
    fn run(&mut self, value: &[u8]) {
        let mut rest = value;
        while let Some(&byte) = rest.first()
            && self.out.len() < self.limit
        {
            let after = rest.get(1..).unwrap_or_default();
            rest = match byte {
                b' ' | b'\t' | b'\r' | b'\n' | 0 => {
                    self.current.space = true;
                    after
                }
                b'(' => {
                    let (comment, tail) = rest.split_at(comment_length(rest));
                    self.current.comment.get_or_insert_with(|| comment_text(comment));
                    self.current.space = true;
                    tail
                }
                b'"' => {
                    let (text, tail) = quoted(rest);
                    self.current.word(&text);
                    tail
                }
                b'<' => {
                    let (inside, tail) = angle(after);
                    if self.current.angle.is_none() {
                        self.current.angle = Some(addr_spec(inside));
                    }
                    tail
                }
                b',' => {
                    self.finish();
                    after
                }
                b';' => {
                    self.finish();
                    if std::mem::take(&mut self.in_group) {
                        self.out.push(Entry::GroupEnd);
                    }
                    after
                }
                b':' if !self.in_group && self.current.angle.is_none() && self.current.bare.is_none() => {
                    let name = std::mem::take(&mut self.current).text;
                    self.out.push(Entry::GroupStart(name));
                    self.in_group = true;
                    after
                }
                b'@' if self.current.words > 0 && self.current.bare.is_none() => {
                    let (domain, tail) = domain(after);
                    self.current.at(domain);
                    tail
                }
                b'>' => after,
                _ => {
                    let end = after.iter().position(|b| is_special(*b)).map_or(rest.len(), |end| end + 1);
                    let (word, tail) = rest.split_at(end);
                    self.current.word(word);
                    tail
                }
            };
        }
        if self.out.len() < self.limit {
            self.finish();
        }
        if self.in_group {
            self.out.push(Entry::GroupEnd);
        }
    }

    fn finish(&mut self) {
        let current = std::mem::take(&mut self.current);
        let some = |text: Vec<u8>| if text.is_empty() { None } else { Some(text) };
        let address = match (current.angle, current.bare) {
            (Some(AddrSpec { route, local, domain }), _) => {
                Address { name: some(current.text).or(current.comment), route, local, domain }
            }
            (None, Some((start, AddrSpec { local, domain, .. }))) => {
                let name = current.text.get(..start).unwrap_or_default().trim_ascii().to_vec();
                Address { name: some(name).or(current.comment), route: None, local, domain }
            }
            (None, None) if current.words == 1 => {
                Address { name: current.comment, route: None, local: current.text, domain: Vec::new() }
            }
            (None, None) if current.words > 1 => Address { name: Some(current.text), ..Address::default() },
            (None, None) => return,
        };
        self.out.push(Entry::Mailbox(address));
    }
}

impl Current {
    fn word(&mut self, word: &[u8]) {
        // RFC 5322 §4.4 allows space around the dots of a local part.
        let joined = word.first() == Some(&b'.') || self.text.last() == Some(&b'.');
        let apart = self.space && !self.text.is_empty();
        if apart && !(joined && self.bare.is_none() && self.words == 1) {
            self.text.push(b' ');
            self.last_word = self.text.len();
            self.words += 1;
        } else if self.words == 0 {
            self.words = 1;
        }
        self.space = false;
        self.text.extend(word.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n' | 0)));
    }

    fn at(&mut self, domain: Vec<u8>) {
        let local = self.text.get(self.last_word..).unwrap_or_default().to_vec();
        self.text.push(b'@');
        self.text.extend_from_slice(&domain);
        self.bare = Some((self.last_word, AddrSpec { route: None, local, domain }));
        self.space = true;
    }
}

/// What is inside `<…>` and what follows; an open one reaches to the end.
fn angle(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut escaped = false;
    let mut in_quotes = false;
    for (i, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_quotes => escaped = true,
            b'"' => in_quotes = !in_quotes,
            b'>' if !in_quotes => {
                return (bytes.get(..i).unwrap_or_default(), bytes.get(i + 1..).unwrap_or_default());
            }
            _ => {}
        }
    }
    (bytes, &[])
}

/// `[route:] local@domain`
fn addr_spec(bytes: &[u8]) -> AddrSpec {
    let mut rest = skip_cfws(bytes);
    let mut route = None;
    if rest.first() == Some(&b'@')
        && let Some(colon) = memchr::memchr(b':', rest)
    {
        route = Some(squeeze(rest.get(..colon).unwrap_or_default()));
        rest = skip_cfws(rest.get(colon + 1..).unwrap_or_default());
    }
    if rest.first() == Some(&b'"') {
        let (local, after) = quoted(rest);
        let after = skip_cfws(after);
        let (domain, _) = after.strip_prefix(b"@").map(domain).unwrap_or_default();
        return AddrSpec { route, local: local.into_owned(), domain };
    }
    match memchr::memrchr(b'@', rest) {
        Some(at) => {
            let (domain, _) = domain(rest.get(at + 1..).unwrap_or_default());
            AddrSpec { route, local: squeeze(rest.get(..at).unwrap_or_default()), domain }
        }
        None => AddrSpec { route, local: squeeze(rest), domain: Vec::new() },
    }
}

/// A domain or domain literal at the start of `bytes`, and what follows.
fn domain(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let bytes = skip_cfws(bytes);
    if bytes.first() == Some(&b'[') {
        let end = memchr::memchr(b']', bytes).map_or(bytes.len(), |end| end + 1);
        let (literal, rest) = bytes.split_at(end);
        return (squeeze(literal), rest);
    }
    let end = bytes.iter().position(|b| is_special(*b)).unwrap_or(bytes.len());
    let (name, rest) = bytes.split_at(end);
    (squeeze(name), rest)
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0 | b'(' | b'"' | b'<' | b'>' | b',' | b';' | b':' | b'@')
}

/// Without comments and white space.
fn squeeze(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'(' {
            rest = rest.get(comment_length(rest)..).unwrap_or_default();
            continue;
        }
        if !byte.is_ascii_whitespace() && byte != 0 {
            out.push(byte);
        }
        rest = after;
    }
    out
}

/// The text of a comment without its parentheses, escapes and folds.
fn comment_text(comment: &[u8]) -> Vec<u8> {
    let inner = comment.strip_prefix(b"(").unwrap_or(comment);
    let inner = inner.strip_suffix(b")").unwrap_or(inner);
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => out.extend(bytes.next()),
            b'\r' | b'\n' | 0 => {}
            _ => out.push(byte),
        }
    }
    out.trim_ascii().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each entry as `name|route|local|domain`, groups as `name:` and `;`.
    fn shown(value: &str) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        parse(value.as_bytes(), 1000)
            .iter()
            .map(|entry| match entry {
                Entry::Mailbox(a) => format!(
                    "{}|{}|{}|{}",
                    a.name.as_deref().map(text).unwrap_or_default(),
                    a.route.as_deref().map(text).unwrap_or_default(),
                    text(&a.local),
                    text(&a.domain)
                ),
                Entry::GroupStart(name) => format!("{}:", text(name)),
                Entry::GroupEnd => ";".to_owned(),
            })
            .collect()
    }

    #[test]
    fn the_usual_forms() {
        assert_eq!(shown("a@b.c"), ["||a|b.c"]);
        assert_eq!(
            shown("Joe Q. Public <john.q.public@example.com>"),
            ["Joe Q. Public||john.q.public|example.com"]
        );
        assert_eq!(shown("\"Doe, Jane\" <j@x>, k@y (Kay)"), ["Doe, Jane||j|x", "Kay||k|y"]);
        assert_eq!(shown("foo@bar.com <foo@bar.com>"), ["foo@bar.com||foo|bar.com"]);
        assert_eq!(shown("=?utf-8?Q?J=C3=B6rg?= <j@x>"), ["=?utf-8?Q?J=C3=B6rg?=||j|x"]);
        assert_eq!(shown("\"a b\"@x"), ["||a b|x"]);
        assert_eq!(shown("<a@[1.2.3.4]>"), ["||a|[1.2.3.4]"]);
    }

    #[test]
    fn groups_routes_and_comments() {
        assert_eq!(
            shown(
                "A Group(Some people):Chris Jones <c@(Chris's host.)public.example>, joe@example.org;, x@y"
            ),
            ["A Group:", "Chris Jones||c|public.example", "||joe|example.org", ";", "||x|y"]
        );
        assert_eq!(shown("Undisclosed recipients:;"), ["Undisclosed recipients:", ";"]);
        assert_eq!(shown("<@a,@b:c@d>"), ["|@a,@b|c|d"]);
        assert_eq!(
            shown("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"),
            ["Pete||pete|silly.test"]
        );
        assert_eq!(shown("john . doe @ x . y"), ["||john.doe|x",]);
    }

    #[test]
    fn broken_ones_are_still_told() {
        assert_eq!(shown(""), Vec::<String>::new());
        assert_eq!(shown(" , ,"), Vec::<String>::new());
        assert_eq!(shown("root"), ["||root|"]);
        assert_eq!(shown("root, Mail Delivery <>"), ["||root|", "Mail Delivery|||"]);
        assert_eq!(shown("John Doe john@x"), ["John Doe||john|x"]);
        assert_eq!(shown("a <b@c"), ["a||b|c"]);
        assert_eq!(shown("group: a@b"), ["group:", "||a|b", ";"]);
        assert_eq!(shown("\"open"), ["||open|"]);
    }

    #[test]
    fn the_limit_holds() {
        assert_eq!(parse(&b"a@b,".repeat(100), 7).len(), 7);
    }
}
