//! Cards to text: quoting, the escapes of RFC 6868, folding (RFC 6350 §3.2).

use super::{Property, VCard, Version};
use crate::content_line::{is_forbidden, put_folded};

pub(super) fn card(card: &VCard) -> String {
    let mut out = format!("BEGIN:VCARD\r\nVERSION:{}\r\n", card.version.as_str());
    for property in &card.properties {
        // What is written must be one card of one version again.
        if !["BEGIN", "END", "VERSION"].iter().any(|name| property.is(name)) && is_name(&property.name) {
            put_folded(&mut out, &line(property, card.version));
        }
    }
    out.push_str("END:VCARD\r\n");
    out
}

fn line(property: &Property, version: Version) -> String {
    let mut out = String::with_capacity(property.value.len() + 64);
    if let Some(group) = property.group.as_deref().filter(|group| is_name(group) && !group.contains('.')) {
        out.push_str(group);
        out.push('.');
    }
    out.push_str(&property.name);
    for parameter in &property.parameters {
        if !is_name(&parameter.name) {
            continue;
        }
        out.push(';');
        out.push_str(&parameter.name);
        out.push('=');
        for (i, value) in parameter.values.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            put_parameter(value, version, &mut out);
        }
    }
    out.push(':');
    for c in property.value.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            c if is_forbidden(c) => {}
            c => out.push(c),
        }
    }
    out
}

fn put_parameter(value: &str, version: Version, out: &mut String) {
    let quoted = value.contains([',', ';', ':']) || version == Version::V4 && value.contains('"');
    if quoted {
        out.push('"');
    }
    for c in value.chars() {
        match (c, version) {
            ('"', Version::V3) => out.push('\''),
            ('"', Version::V4) => out.push_str("^'"),
            ('^', Version::V4) => out.push_str("^^"),
            ('\n', Version::V3) => out.push(' '),
            ('\n', Version::V4) => out.push_str("^n"),
            (c, _) if is_forbidden(c) => {}
            (c, _) => out.push(c),
        }
    }
    if quoted {
        out.push('"');
    }
}

/// Whether it can stand before a colon and be read again.
fn is_name(text: &str) -> bool {
    let graphic = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b',' | b'=' | b';' | b':');
    !text.is_empty() && text.bytes().all(graphic)
}
