//! The words of an HTML text, for searching and previews. It is no renderer and no sanitizer.

/// Appends the text of `html`: tags, comments, scripts and styles left out, the common entities decoded, a space where
/// a tag separates words.
pub fn text_into(html: &str, out: &mut String) {
    let bytes = html.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'<', b'&', bytes.get(at..).unwrap_or_default()) {
        out.push_str(html.get(at..at + found).unwrap_or_default());
        at += found;
        let rest = html.get(at..).unwrap_or_default();
        if rest.starts_with('&') {
            at += entity(rest, out);
            continue;
        }
        let tag = tag_name(rest);
        if tag.is_empty() && !matches!(rest.as_bytes().get(1), Some(b'/' | b'!' | b'?')) {
            out.push('<');
            at += 1;
            continue;
        }
        let skipped = if rest.starts_with("<!--") {
            rest.find("-->").map(|end| end + 3)
        } else if ["script", "style", "title"].iter().any(|name| tag.eq_ignore_ascii_case(name)) {
            end_of_element(rest, tag)
        } else {
            memchr::memchr(b'>', rest.as_bytes()).map(|end| end + 1)
        };
        // What is never closed hides nothing: the rest is text again, so that no byte is looked at twice.
        let Some(skipped) = skipped else {
            out.push_str(rest);
            return;
        };
        if !INLINE.iter().any(|name| tag.eq_ignore_ascii_case(name)) {
            out.push(' ');
        }
        at += skipped;
    }
    out.push_str(html.get(at..).unwrap_or_default());
}

/// The name of the tag that `rest` begins with; empty where it is none.
fn tag_name(rest: &str) -> &str {
    let name = rest.get(1..).unwrap_or_default();
    let name = name.strip_prefix('/').unwrap_or(name);
    let end = name.bytes().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = name.get(..end).unwrap_or_default();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { "" }
}

/// The length of an element with everything in it; of only the tag where it is a closing one.
fn end_of_element(rest: &str, tag: &str) -> Option<usize> {
    let open_end = memchr::memchr(b'>', rest.as_bytes())? + 1;
    if rest.starts_with("</") {
        return Some(open_end);
    }
    let content = rest.as_bytes().get(open_end..)?;
    for end in memchr::memmem::find_iter(content, b"</") {
        let name = content.get(end + 2..end + 2 + tag.len()).unwrap_or_default();
        if name.eq_ignore_ascii_case(tag.as_bytes()) {
            let close = memchr::memchr(b'>', content.get(end..)?)?;
            return Some(open_end + end + close + 1);
        }
    }
    None
}

/// Decodes the entity at the start of `rest`; returns how many bytes it took.
fn entity(rest: &str, out: &mut String) -> usize {
    let window = rest.as_bytes().get(1..12).or_else(|| rest.as_bytes().get(1..)).unwrap_or_default();
    let Some(name) = memchr::memchr(b';', window).and_then(|end| rest.get(1..1 + end)) else {
        out.push('&');
        return 1;
    };
    let number = name.strip_prefix('#').and_then(|digits| match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    });
    let named = ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, c)| *c);
    match number.and_then(char::from_u32).or(named) {
        Some(c) => {
            out.push(c);
            name.len() + 2
        }
        None => {
            out.push('&');
            1
        }
    }
}

const INLINE: [&str; 14] =
    ["a", "abbr", "b", "big", "code", "em", "font", "i", "mark", "small", "span", "strong", "u", "wbr"];
const ENTITIES: [(&str, char); 40] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("szlig", 'ß'),
    ("eacute", 'é'),
    ("egrave", 'è'),
    ("ecirc", 'ê'),
    ("agrave", 'à'),
    ("aacute", 'á'),
    ("acirc", 'â'),
    ("ccedil", 'ç'),
    ("iacute", 'í'),
    ("oacute", 'ó'),
    ("ocirc", 'ô'),
    ("uacute", 'ú'),
    ("ugrave", 'ù'),
    ("ntilde", 'ñ'),
    ("aring", 'å'),
    ("aelig", 'æ'),
    ("oslash", 'ø'),
    ("euro", '€'),
    ("pound", '£'),
    ("copy", '©'),
    ("reg", '®'),
    ("hellip", '…'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(html: &str) -> String {
        let mut out = String::new();
        text_into(html, &mut out);
        out.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_remain() {
        assert_eq!(text("<p>One<br>two</p><p><b>th</b>ree</p>"), "One two three");
        assert_eq!(text("<style>p { x > y }</style>a<!-- <b> -->b<SCRIPT>if (a</b) {}</Script>c"), "a b c");
        assert_eq!(text("5 &lt; 6 &amp; x &#233;&#xe9;&nbsp;&bogus; &"), "5 < 6 & x éé &bogus; &");
        assert_eq!(text("a < b and c<d"), "a < b and c<d");
        assert_eq!(text("a <b"), "a <b");
    }
}
