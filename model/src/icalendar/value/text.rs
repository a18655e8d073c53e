//! TEXT and lists of it (RFC 5545 §3.3.11).

use crate::content_line::split;

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

/// The texts of a list, without escapes. An empty value is an empty list.
pub fn split_texts(value: &str) -> Vec<String> {
    if value.is_empty() { Vec::new() } else { split(value, ',').map(unescape).collect() }
}

/// The parts of a structured value such as REQUEST-STATUS, without escapes.
pub fn split_structured(value: &str) -> Vec<String> {
    split(value, ';').map(unescape).collect()
}
