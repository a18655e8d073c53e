//! TEXT and lists of it (RFC 5545 §3.3.11).

/// The text without escapes. An escape that does not exist is the character itself, as older products write `\:`.
pub fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n' | 'N') => out.push('\n'),
            Some(c) => out.push(c),
            None => out.push('\\'),
        }
    }
    out
}

/// The text with escapes. CRLF and CR become one `\n`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push_str("\\n");
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// The texts of a list, without escapes. An empty value is an empty list.
pub fn split_texts(value: &str) -> Vec<String> {
    if value.is_empty() { Vec::new() } else { split(value, ',').map(unescape).collect() }
}

/// The parts of a structured value such as REQUEST-STATUS, without escapes.
pub fn split_structured(value: &str) -> Vec<String> {
    split(value, ';').map(unescape).collect()
}

fn split(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    value.split(move |c| {
        let cuts = c == separator && !escaped;
        escaped = c == '\\' && !escaped;
        cuts
    })
}
