//! `Content-Type` and `Content-Disposition`: a value with parameters (RFC 2045 §5.1, RFC 2183), continued and encoded
//! as in RFC 2231.

use std::borrow::Cow;

use super::{charset, encoded_word};

/// The parameters of a field, in their order. Continuations (`name*0`, `name*1`) are joined; a value with a charset
/// keeps its RFC 2231 form (`charset'language'%41`) under `name*`, because that is how IMAP shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters<'a>(Vec<Parameter<'a>>);

/// A name and its value.
type Parameter<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl<'a> Parameters<'a> {
    /// Each parameter as name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first parameter with exactly this name (case apart), undecoded.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// The parameter decoded: from its RFC 2231 form if there is one, else with RFC 2047 words decoded, which many
    /// senders use in file names although RFC 2047 §5 forbids it.
    pub fn decoded(&self, name: &str) -> Option<String> {
        let extended = self.iter().find(|(own, _)| {
            own.strip_suffix(b"*").is_some_and(|own| own.eq_ignore_ascii_case(name.as_bytes()))
        });
        match extended {
            Some((_, value)) => Some(decode_extended(value)),
            None => self.get(name).map(encoded_word::decode),
        }
    }

    fn parse(value: &'a [u8], limit: usize) -> Self {
        let mut list = Vec::new();
        let mut rest = value;
        while list.len() < limit {
            rest = skip_cfws(rest);
            let Some(&first) = rest.first() else { break };
            if first == b';' {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let end = rest.iter().position(|b| matches!(b, b'=' | b';') || b.is_ascii_whitespace());
            let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = skip_cfws(after);
            let Some(after) = rest.strip_prefix(b"=") else {
                let next = memchr::memchr(b';', rest).unwrap_or(rest.len());
                rest = rest.get(next..).unwrap_or_default();
                continue;
            };
            rest = skip_cfws(after);
            let parsed = if rest.first() == Some(&b'"') { quoted(rest) } else { unquoted(rest) };
            rest = parsed.1;
            if !name.is_empty() {
                list.push((Cow::Borrowed(name), parsed.0));
            }
        }
        if list.iter().any(|(name, _)| name.contains(&b'*')) {
            list = join_continuations(list);
        }
        Self(list)
    }
}

/// A media type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType<'a> {
    /// The top-level type as it was written, e.g. `text`.
    pub main: &'a [u8],
    /// The subtype as it was written, e.g. `plain`.
    pub sub: &'a [u8],
    /// The parameters.
    pub parameters: Parameters<'a>,
}

impl<'a> ContentType<'a> {
    /// A type without parameters.
    pub(crate) fn plain(main: &'static str, sub: &'static str) -> ContentType<'static> {
        ContentType { main: main.as_bytes(), sub: sub.as_bytes(), parameters: Parameters::default() }
    }

    /// Reads a field value; `None` where it is no type, for which RFC 2045 §5.2 wants the default.
    pub fn parse(value: &'a [u8], parameters: usize) -> Option<Self> {
        let rest = skip_cfws(value);
        let (main, rest) = token(rest);
        let rest = skip_cfws(rest).strip_prefix(b"/")?;
        let (sub, rest) = token(skip_cfws(rest));
        if main.is_empty() || sub.is_empty() {
            return None;
        }
        let next = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let parameters = Parameters::parse(rest.get(next..).unwrap_or_default(), parameters);
        Some(Self { main, sub, parameters })
    }

    /// Whether it is this type; case apart.
    pub fn is(&self, main: &str, sub: &str) -> bool {
        self.main.eq_ignore_ascii_case(main.as_bytes()) && self.sub.eq_ignore_ascii_case(sub.as_bytes())
    }

    /// Whether the top-level type is this; case apart.
    pub fn is_main(&self, main: &str) -> bool {
        self.main.eq_ignore_ascii_case(main.as_bytes())
    }
}

/// A content disposition (RFC 2183).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposition<'a> {
    /// `inline`, `attachment` or another, as it was written.
    pub kind: &'a [u8],
    /// The parameters.
    pub parameters: Parameters<'a>,
}

impl<'a> Disposition<'a> {
    /// Reads a field value; `None` where it begins with no token.
    pub fn parse(value: &'a [u8], parameters: usize) -> Option<Self> {
        let (kind, rest) = token(skip_cfws(value));
        if kind.is_empty() {
            return None;
        }
        let next = memchr::memchr(b';', rest).unwrap_or(rest.len());
        Some(Self { kind, parameters: Parameters::parse(rest.get(next..).unwrap_or_default(), parameters) })
    }

    /// Whether it says `attachment`.
    pub fn is_attachment(&self) -> bool {
        self.kind.eq_ignore_ascii_case(b"attachment")
    }
}

/// Skips white space, line ends and comments (RFC 5322 §3.2.2, CFWS).
pub(crate) fn skip_cfws(mut bytes: &[u8]) -> &[u8] {
    loop {
        bytes = bytes.trim_ascii_start();
        if bytes.first() != Some(&b'(') {
            return bytes;
        }
        bytes = bytes.get(comment_length(bytes)..).unwrap_or_default();
    }
}

/// The length of the comment that `bytes` begins with; an open one reaches to the end.
pub(crate) fn comment_length(bytes: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut escaped = false;
    for (i, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return i + 1;
                }
            }
            _ => {}
        }
    }
    bytes.len()
}

/// A lenient token: up to white space, `/`, `;`, `,`, `(` or `"`.
pub(crate) fn token(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|b| {
        matches!(b, b'/' | b';' | b',' | b'(' | b'"' | b'=') || b.is_ascii_whitespace() || *b < b' '
    });
    bytes.split_at(end.unwrap_or(bytes.len()))
}

/// A quoted string: its content and what follows. An open one reaches to the end.
pub(crate) fn quoted(bytes: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let inner = bytes.get(1..).unwrap_or_default();
    let mut escaped = false;
    let mut plain = true;
    let mut end = inner.len();
    for (i, &byte) in inner.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => {
                escaped = true;
                plain = false;
            }
            b'"' => {
                end = i;
                break;
            }
            b'\r' | b'\n' => plain = false,
            _ => {}
        }
    }
    let content = inner.get(..end).unwrap_or_default();
    let rest = inner.get(end + 1..).unwrap_or_default();
    if plain {
        return (Cow::Borrowed(content), rest);
    }
    let mut value = Vec::with_capacity(content.len());
    let mut bytes = content.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => value.extend(bytes.next()),
            b'\r' | b'\n' => {}
            _ => value.push(byte),
        }
    }
    (Cow::Owned(value), rest)
}

/// A value without quotes: up to `;`, as a sender meant it who forgot the quotes around a file name with spaces; but a
/// comment, or white space before something that looks like the next parameter, ends it.
fn unquoted(bytes: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let end = memchr::memchr(b';', bytes).unwrap_or(bytes.len());
    let value = bytes.get(..end).unwrap_or_default();
    let space = value.iter().position(u8::is_ascii_whitespace);
    let cut = match space {
        Some(space) => {
            let after = value.get(space..).unwrap_or_default().trim_ascii_start();
            if after.first() == Some(&b'(') || after.contains(&b'=') { space } else { value.len() }
        }
        None => value.len(),
    };
    let rest = bytes.get(cut..).unwrap_or_default();
    let value = value.get(..cut).unwrap_or_default().trim_ascii();
    (super::header::unfold(value), rest)
}

/// RFC 2231 §3 and §4: joins `name*0`, `name*1*` … to `name`, or to `name*` when a piece of it is encoded.
fn join_continuations<'a>(list: Vec<Parameter<'a>>) -> Vec<Parameter<'a>> {
    struct Piece<'a> {
        base: Vec<u8>,
        index: u32,
        encoded: bool,
        order: usize,
        value: Cow<'a, [u8]>,
    }
    let mut out: Vec<Parameter<'a>> = Vec::with_capacity(list.len());
    let mut pieces: Vec<Piece<'a>> = Vec::new();
    for (name, value) in list {
        match continuation(&name) {
            Some((base, index, encoded)) => {
                let order = out.len();
                pieces.push(Piece { base: base.to_ascii_lowercase(), index, encoded, order, value });
            }
            None => out.push((name, value)),
        }
    }
    pieces.sort_by(|a, b| (&a.base, a.index).cmp(&(&b.base, b.index)));
    let mut joined: Vec<(usize, Vec<u8>, Vec<u8>)> = Vec::new();
    for group in pieces.chunk_by(|a, b| a.base == b.base) {
        let Some(first) = group.first() else { continue };
        let any_encoded = group.iter().any(|piece| piece.encoded);
        let mut name = first.base.clone();
        let mut value = Vec::new();
        if any_encoded {
            name.push(b'*');
            if !first.encoded {
                value.extend_from_slice(b"''");
            }
        }
        for (expected, piece) in group.iter().enumerate() {
            // A gap means that the rest belongs to something else (RFC 2231 §3 counts from zero without gaps).
            if u32::try_from(expected) != Ok(piece.index) {
                break;
            }
            if any_encoded && !piece.encoded {
                percent_encode(&piece.value, &mut value);
            } else {
                value.extend_from_slice(&piece.value);
            }
        }
        joined.push((first.order, name, value));
    }
    joined.sort_by_key(|(order, ..)| *order);
    for (inserted, (order, name, value)) in joined.into_iter().enumerate() {
        let at = (order + inserted).min(out.len());
        out.insert(at, (Cow::Owned(name), Cow::Owned(value)));
    }
    out
}

/// Splits `name*3*` into name, 3 and whether the piece is encoded; `None` for anything that is no continuation.
fn continuation(name: &[u8]) -> Option<(&[u8], u32, bool)> {
    let (name, encoded) = match name.strip_suffix(b"*") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let star = memchr::memrchr(b'*', name)?;
    let digits = std::str::from_utf8(name.get(star + 1..)?).ok()?;
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((name.get(..star)?, digits.parse().ok()?, encoded))
}

fn percent_encode(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b' ') {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

/// Decodes `charset'language'percent-encoded` (RFC 2231 §4).
fn decode_extended(value: &[u8]) -> String {
    let mut quotes = memchr::memchr_iter(b'\'', value);
    let (label, text) = match (quotes.next(), quotes.next()) {
        (Some(first), Some(second)) => {
            (value.get(..first).unwrap_or_default(), value.get(second + 1..).unwrap_or_default())
        }
        _ => (&b""[..], value),
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%'
            && let Some((pair, after)) = rest.split_first_chunk::<2>()
            && let Some(decoded) = hex_pair(*pair)
        {
            bytes.push(decoded);
            rest = after;
        } else {
            bytes.push(byte);
        }
    }
    charset::decode(Some(label), &bytes).into_owned()
}

/// The byte that two hexadecimal digits spell.
pub(crate) fn hex_pair([high, low]: [u8; 2]) -> Option<u8> {
    let high = char::from(high).to_digit(16)?;
    let low = char::from(low).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(value: &str) -> Vec<(String, String)> {
        let parsed = ContentType::parse(value.as_bytes(), 100).expect("a type");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("ASCII in this test");
        parsed.parameters.iter().map(|(n, v)| (text(n), text(v))).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn types_are_read_leniently() {
        let parsed = ContentType::parse(b" Text / HTML (a comment; \\) x=y)\r\n ; charset = \"utf-8\"", 100);
        assert!(parsed.as_ref().is_some_and(|t| t.is("text", "html")));
        assert_eq!(parsed.and_then(|t| t.parameters.decoded("Charset")), Some("utf-8".to_owned()));
        assert_eq!(ContentType::parse(b"text", 100), None);
        assert_eq!(ContentType::parse(b"", 100), None);
    }

    #[test]
    fn missing_quotes_and_semicolons() {
        assert_eq!(params("a/b; name=my file.pdf; x=1"), [pair("name", "my file.pdf"), pair("x", "1")]);
        assert_eq!(
            params("text/plain; charset=us-ascii (Plain text)"),
            [pair("charset", "us-ascii")],
            "RFC 2045 §5.1"
        );
        assert_eq!(
            params("a/b; charset=\"x\" format=flowed q=1"),
            [pair("charset", "x"), pair("format", "flowed"), pair("q", "1")]
        );
        assert_eq!(params("a/b; boundary=\"open"), [pair("boundary", "open")]);
        assert_eq!(params(r#"a/b; n="q\"\\x""#), [pair("n", r#"q"\x"#)]);
    }

    #[test]
    fn rfc_2231_continuations_and_charsets() {
        let value = "application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20; \
                     title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"";
        let parsed = ContentType::parse(value.as_bytes(), 100).expect("a type");
        assert_eq!(
            parsed.parameters.decoded("title").as_deref(),
            Some("This is even more ***fun*** isn't it!")
        );
        assert_eq!(params("a/b; x*1=b; x*0=a; y=2"), [pair("x", "ab"), pair("y", "2")]);
        let name = ContentType::parse(b"a/b; name*=iso-8859-1''%E9t%E9", 100).expect("a type");
        assert_eq!(name.parameters.decoded("name").as_deref(), Some("été"));
        let broken = ContentType::parse(b"a/b; name*=%ZZ%4", 100).expect("a type");
        assert_eq!(broken.parameters.decoded("name").as_deref(), Some("%ZZ%4"));
    }
}
