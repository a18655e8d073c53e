//! Base subjects (RFC 5256 §2.1): what is left of a subject without `Re:`, `Fwd:` and their kin.

/// The base subject of a decoded subject, its case kept.
///
/// ```
/// assert_eq!(kontor_model::base_subject("Re: [list] FWD[2]: Re: Hello (fwd)"), "Hello");
/// ```
pub fn base_subject(subject: &str) -> String {
    let collapsed = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut base = collapsed.as_str();
    loop {
        while let Some(shorter) = strip_suffix_ignoring_case(base.trim_end(), "(fwd)") {
            base = shorter;
        }
        base = base.trim();
        loop {
            let before = base.len();
            if let Some(rest) = leader(base) {
                base = rest.trim_start();
            }
            if let Some(rest) = blob(base)
                && !rest.is_empty()
            {
                base = rest;
            }
            if base.len() == before {
                break;
            }
        }
        let inner = strip_prefix_ignoring_case(base, "[fwd:").and_then(|inner| inner.strip_suffix(']'));
        match inner {
            Some(inner) => base = inner.trim(),
            None => return base.to_owned(),
        }
    }
}

/// `*subj-blob ("re" / "fw" ["d"]) *WSP [subj-blob] ":"`
fn leader(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(after) = blob(rest) {
        rest = after;
    }
    let rest =
        ["re", "fwd", "fw"].iter().find_map(|word| strip_prefix_ignoring_case(rest, word))?.trim_start();
    let rest = blob(rest).unwrap_or(rest);
    rest.strip_prefix(':')
}

/// `"[" *BLOBCHAR "]" *WSP`
fn blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    Some(inner.get(end..)?.strip_prefix(']')?.trim_start())
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    if head.eq_ignore_ascii_case(prefix) { text.get(prefix.len()..) } else { None }
}

fn strip_suffix_ignoring_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(suffix.len())?;
    if text.get(at..)?.eq_ignore_ascii_case(suffix) { text.get(..at) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_5256_rules() {
        for (subject, base) in [
            ("", ""),
            ("Re:", ""),
            ("re: RE : fw: x", "x"),
            ("Re[4]: x", "x"),
            ("[a] [b] x", "x"),
            ("[a]", "[a]"),
            ("[Fwd: Re: x (fwd)]", "x"),
            ("Regards", "Regards"),
            ("x (FWD) (fwd)", "x"),
            ("  a \t b ", "a b"),
            ("Ré: x", "Ré: x"),
            ("[open", "[open"),
        ] {
            assert_eq!(base_subject(subject), base, "{subject:?}");
        }
    }
}
