//! Values: the escapes of text (RFC 2426 §5, RFC 6350 §3.4).

use crate::content_line::{self, is_forbidden};

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
    let mut value = content_line::escape(text);
    value.retain(|c| !is_forbidden(c));
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::content_line::split;

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
