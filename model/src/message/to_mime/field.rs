//! Header fields: folded, encoded, never invalid (RFC 5322 §2.2, RFC 2047, RFC 2231).

use base64::Engine as _;

use crate::message::Person;

/// Writes fields to the end of a header.
pub(super) struct Fields<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Fields<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out }
    }

    /// A value that is known to be short and ASCII.
    pub(super) fn raw(&mut self, name: &str, value: &str) {
        self.out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }

    /// Words with a space between them, folded.
    pub(super) fn words<'w>(&mut self, name: &str, words: impl Iterator<Item = &'w str>) {
        let mut line = Line::start(self.out, name);
        for word in words {
            line.word(word);
        }
        line.end();
    }

    /// Unstructured text.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        let value = clean(value);
        if is_plain(&value) && value.split(' ').all(|word| word.len() <= MAX_WORD) {
            let mut line = Line::start(self.out, name);
            // Split keeps empty words, so that several spaces in a row stay several.
            line.spaced(&value);
            line.end();
        } else {
            self.words(name, encoded_words(&value).iter().map(String::as_str));
        }
    }

    /// A list of addresses.
    pub(super) fn people(&mut self, name: &str, people: &[Person]) {
        let mut line = Line::start(self.out, name);
        let last = people.len().saturating_sub(1);
        for (i, person) in people.iter().enumerate() {
            let comma = if i < last { "," } else { "" };
            let address = address(&person.address);
            let display = clean(&person.name);
            if display.is_empty() && !address.is_empty() && address != "\"\"" && address.contains('@') {
                line.word(&format!("{address}{comma}"));
                continue;
            }
            for word in phrase(&display) {
                line.word(&word);
            }
            line.word(&format!("<{address}>{comma}"));
        }
        line.end();
    }

    /// A value with parameters (RFC 2045 §5.1), those that are not plain in the form of RFC 2231.
    pub(super) fn parameterized(&mut self, name: &str, value: &str, parameters: &[(&str, &str)]) {
        self.out.extend_from_slice(format!("{name}: {value}").as_bytes());
        for (key, text) in parameters {
            let text = clean(text);
            let quotable = text.is_ascii() && text.len() <= MAX_PARAMETER && !text.contains("=?");
            if quotable {
                let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
                self.out.extend_from_slice(format!(";\r\n {key}=\"{escaped}\"").as_bytes());
                continue;
            }
            let mut pieces = vec!["utf-8''".to_owned()];
            for c in text.chars() {
                let mut piece = String::new();
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
                        piece.push(char::from(byte));
                    } else {
                        piece.push_str(&format!("%{byte:02X}"));
                    }
                }
                match pieces.last_mut() {
                    Some(last) if last.len() + piece.len() <= MAX_PIECE => last.push_str(&piece),
                    _ => pieces.push(piece),
                }
                if pieces.len() > MAX_PIECES {
                    break;
                }
            }
            for (i, piece) in pieces.iter().take(MAX_PIECES).enumerate() {
                self.out.extend_from_slice(format!(";\r\n {key}*{i}*={piece}").as_bytes());
            }
        }
        self.out.extend_from_slice(b"\r\n");
    }
}

/// A field that is folded before it grows longer than 78 bytes.
struct Line<'o> {
    out: &'o mut Vec<u8>,
    column: usize,
}

impl<'o> Line<'o> {
    fn start(out: &'o mut Vec<u8>, name: &str) -> Self {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        Self { out, column: name.len() + 1 }
    }

    fn word(&mut self, word: &str) {
        if self.column + 1 + word.len() > MAX_LINE && self.column > 1 {
            self.out.extend_from_slice(b"\r\n");
            self.column = 0;
        }
        self.out.push(b' ');
        self.out.extend_from_slice(word.as_bytes());
        self.column += 1 + word.len();
    }

    /// Text that is folded at a space where a word follows it, all spaces kept.
    fn spaced(&mut self, text: &str) {
        for word in text.split(' ') {
            if !word.is_empty() && self.column + 1 + word.len() > MAX_LINE && self.column > 20 {
                self.out.extend_from_slice(b"\r\n");
                self.column = 0;
            }
            self.out.push(b' ');
            self.out.extend_from_slice(word.as_bytes());
            self.column += 1 + word.len();
        }
    }

    fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Without NUL, with spaces for other controls.
fn clean(text: &str) -> String {
    text.chars().filter(|&c| c != '\0').map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether a reader of unstructured text gets this back as it is.
fn is_plain(text: &str) -> bool {
    text.is_ascii() && !text.contains("=?") && text.trim() == text
}

/// RFC 2047 §2: words of at most 75 characters, each of whole characters.
fn encoded_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(MAX_ENCODED);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (chunk, after) = rest.split_at(end);
        words.push(format!("=?utf-8?B?{}?=", base64::engine::general_purpose::STANDARD.encode(chunk)));
        rest = after;
    }
    words
}

/// A display name as words: atoms, a quoted string, or encoded words.
fn phrase(name: &str) -> Vec<String> {
    let atoms = name.split(' ').all(|word| !word.is_empty() && word.bytes().all(is_atext));
    if name.is_empty() {
        Vec::new()
    } else if atoms && name.len() <= MAX_WORD && !name.contains("=?") {
        name.split(' ').map(str::to_owned).collect()
    } else if is_plain(name) && name.len() <= MAX_WORD {
        vec![format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))]
    } else {
        encoded_words(name)
    }
}

/// An address in the form of RFC 5322 §3.4.1. What cannot be one loses the characters that are in the way.
fn address(address: &str) -> String {
    let address: String = address.chars().filter(|c| !c.is_control()).collect();
    let (local, domain) = address.rsplit_once('@').unwrap_or((&address, ""));
    let literal = domain.starts_with('[') && domain.ends_with(']');
    let inner = |c: &char| !matches!(c, ' ' | '(' | ')' | '<' | '>' | ',' | ';' | ':' | '@' | '"' | '\\');
    let domain: String = if literal {
        let inside = domain.chars().filter(|c| !matches!(c, '[' | ']' | '\\' | ' '));
        format!("[{}]", inside.collect::<String>())
    } else {
        domain.chars().filter(|c| inner(c) && !matches!(c, '[' | ']')).collect()
    };
    let dotted = !local.is_empty()
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.bytes().all(|b| b == b'.' || b >= 0x80 || is_atext(b));
    let local = if dotted || (local.is_empty() && domain.is_empty()) {
        local.to_owned()
    } else {
        format!("\"{}\"", local.replace('\\', "\\\\").replace('"', "\\\""))
    };
    if local.len() + domain.len() > MAX_WORD {
        return String::new();
    }
    if domain.is_empty() { local } else { format!("{local}@{domain}") }
}

/// The ids of a list, each safe to write; what has no angle brackets gets them.
pub(super) fn message_ids(value: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for word in value.split(|c: char| c.is_whitespace() || c.is_control()) {
        let word: String = word.chars().filter(|c| !matches!(c, '(' | ')' | '"' | '\\')).collect();
        if word.len() > MAX_WORD || word.trim_matches(['<', '>']).is_empty() {
            continue;
        }
        let bracketed = word.starts_with('<') && word.ends_with('>');
        ids.push(if bracketed { word } else { format!("<{}>", word.trim_matches(['<', '>'])) });
    }
    ids
}

/// RFC 5322 §3.2.3.
fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// RFC 5322 §2.1.1: lines should have no more than 78 characters.
const MAX_LINE: usize = 78;
/// A word longer than this could not stand in a line of 998 bytes with something beside it.
const MAX_WORD: usize = 900;
/// 45 bytes are 60 base64 characters: 72 with what is around them.
const MAX_ENCODED: usize = 45;
const MAX_PARAMETER: usize = 200;
const MAX_PIECE: usize = 60;
const MAX_PIECES: usize = 90;
