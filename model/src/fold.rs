//! The one way in which text and search words are made comparable.

/// Folds text for searching: every character to its simple lowercase (no normalization), every run of white space to
/// one space, NUL removed. A message's text and what is searched in it go through this same function.
///
/// ```
/// assert_eq!(kontor_model::fold("Grüße \r\n AN  İstanbul"), "grüße an istanbul");
/// ```
pub fn fold(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    fold_into(text, &mut out, usize::MAX);
    String::from_utf8(out).expect("made of whole characters")
}

/// Appends folded text until `out` is `limit` long; whether all of it fitted. White space that follows a space, a line
/// feed or nothing in `out` adds nothing.
pub(crate) fn fold_appended(text: &str, out: &mut Vec<u8>, limit: usize) -> bool {
    let at_break = matches!(out.last(), None | Some(b' ' | b'\n'));
    let text = if at_break { text.trim_start() } else { text };
    fold_into(text, out, limit)
}

fn fold_into(text: &str, out: &mut Vec<u8>, limit: usize) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut in_space = false;
    while let Some(&byte) = bytes.get(at) {
        if out.len() >= limit {
            return false;
        }
        if byte < 0x80 {
            at += 1;
            if matches!(byte, b' ' | b'\t'..=b'\r') {
                if !in_space {
                    out.push(b' ');
                }
                in_space = true;
            } else if byte != 0 {
                out.push(byte.to_ascii_lowercase());
                in_space = false;
            }
            continue;
        }
        let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { break };
        at += c.len_utf8();
        if c.is_whitespace() {
            if !in_space {
                out.push(b' ');
            }
            in_space = true;
            continue;
        }
        in_space = false;
        // The simple mapping is the first character of the full one; only U+0130 has more.
        let lower = c.to_lowercase().next().unwrap_or(c);
        if out.len() + lower.len_utf8() > limit {
            return false;
        }
        out.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes());
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_limit_never_cuts_a_character() {
        let mut out = Vec::new();
        assert!(!fold_appended("ÄÖÜ", &mut out, 5));
        assert_eq!(out, "äö".as_bytes());
    }

    #[test]
    fn space_is_not_doubled_between_pieces() {
        let mut out = Vec::new();
        fold_appended("  A ", &mut out, 99);
        fold_appended(" \u{a0}b", &mut out, 99);
        assert_eq!(out, b"a b");
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in any::<String>()) {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once.clone());
            prop_assert!(!once.contains('\0'));
        }

        #[test]
        fn a_piece_of_a_text_is_found_in_it(text in "[a-zA-ZäÖ \n]{1,40}", from in 0usize..40, to in 0usize..40) {
            let chars: Vec<char> = text.chars().collect();
            let (from, to) = (from.min(to).min(chars.len()), from.max(to).min(chars.len()));
            let needle: String = chars.get(from..to).unwrap_or_default().iter().collect();
            prop_assert!(fold(&text).contains(&fold(&needle)));
        }
    }
}
