//! What the lines of iCalendar and vCard have in common (RFC 5545 §3.1, RFC 6350 §3.2 and §3.3, RFC 6868).

/// A parameter of a property and its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    /// Its name as written; compared without case.
    pub name: String,
    /// Its values without quotation marks and without the escapes of RFC 6868.
    pub values: Vec<String>,
}

impl Parameter {
    /// Whether it has this name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// A text as a value. CRLF, CR and LF are all written `\n`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                out.push_str("\\n");
            }
            '\n' => out.push_str("\\n"),
            '\\' | ',' | ';' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// The pieces of a value between separators that are not escaped. There is always at least one.
pub fn split(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    value.split(move |c| {
        let cuts = c == separator && !escaped;
        escaped = c == '\\' && !escaped;
        cuts
    })
}

/// A parameter's value without the escapes of RFC 6868 §3.
pub(crate) fn decode_carets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let decoded = match (c, chars.peek()) {
            ('^', Some('n')) => Some('\n'),
            ('^', Some('^')) => Some('^'),
            ('^', Some('\'')) => Some('"'),
            _ => None,
        };
        if decoded.is_some() {
            chars.next();
        }
        out.push(decoded.unwrap_or(c));
    }
    out
}

/// Control characters other than TAB (RFC 5545 §3.1, RFC 6350 §3.3).
pub(crate) fn is_forbidden(c: char) -> bool {
    c != '\t' && c.is_ascii_control()
}

/// Appends a line: at most 75 octets each, broken between characters, with CRLF.
pub(crate) fn put_folded(out: &mut String, line: &str) {
    let mut rest = line;
    let mut room = WIDTH;
    while rest.len() > room {
        let (part, after) = rest.split_at(rest.floor_char_boundary(room));
        out.push_str(part);
        out.push_str("\r\n ");
        rest = after;
        room = WIDTH - 1;
    }
    out.push_str(rest);
    out.push_str("\r\n");
}

const WIDTH: usize = 75;
