//! Values: the escapes of text and the separators of lists and structures (RFC 2426 §5, RFC 6350 §3.4 and §4).

/// The text that an escaped value stands for: `\n` and `\N` are a line feed, a backslash before anything else means that
/// character (also `\:`, which older programs write).
pub fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(other @ ('\\' | ',' | ';' | ':' | '"')) => out.push(other),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

/// A text as a value. CRLF, CR and LF are all written `\n`; control characters other than TAB are left out.
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
            c if is_forbidden(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// What no vCard may hold: control characters other than TAB (RFC 6350 §3.3).
pub(super) fn is_forbidden(c: char) -> bool {
    c != '\t' && c.is_ascii_control()
}

/// The pieces of a value between separators that are not escaped. There is always at least one.
pub fn split(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut escaped = false;
        for (at, c) in text.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == separator {
                rest = text.get(at + c.len_utf8()..);
                return text.get(..at);
            }
        }
        rest = None;
        Some(text)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_of_all_kinds() {
        assert_eq!(unescape(r"a\,b\;c\\d\nE\N\:\x\"), "a,b;c\\d\nE\n:\\x\\");
        assert_eq!(escape("a,b;c\\d\r\ne\rf\u{7}"), r"a\,b\;c\\d\ne\nf");
    }

    #[test]
    fn separators_can_be_escaped() {
        assert_eq!(split(r"a\;b;c;;d\\;e", ';').collect::<Vec<_>>(), [r"a\;b", "c", "", r"d\\", "e"]);
        assert_eq!(split("", ';').collect::<Vec<_>>(), [""]);
    }

    proptest! {
        #[test]
        fn text_comes_back(text in "[a\\\\,;:\"\u{e9}\t\n ]{0,40}") {
            let value = escape(&text);
            prop_assert_eq!(split(&value, ';').count(), 1);
            prop_assert_eq!(split(&value, ',').count(), 1);
            prop_assert_eq!(unescape(&value), text);
        }
    }
}
