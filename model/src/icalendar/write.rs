//! Writing: folded at 75 octets between characters, CRLF, parameters quoted where they must be (RFC 5545 §3.1, §3.2).

use std::fmt;

use super::{Component, Parameter, Property};
use crate::content_line::{is_forbidden, put_folded};

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = written_name(&self.name);
        write!(f, "BEGIN:{name}\r\n")?;
        for property in &self.properties {
            property.fmt(f)?;
        }
        for component in &self.components {
            component.fmt(f)?;
        }
        write!(f, "END:{name}\r\n")
    }
}

/// The content line with its line end.
impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = written_name(&self.name);
        for parameter in &self.parameters {
            write_parameter(&mut line, parameter);
        }
        line.push(':');
        let mut rest = self.value.as_str();
        while let Some(at) = rest.find(is_forbidden) {
            let (plain, after) = rest.split_at(at);
            line.push_str(plain);
            let mut chars = after.chars();
            if chars.next() == Some('\n') {
                line.push_str("\\n");
            }
            rest = chars.as_str();
        }
        line.push_str(rest);
        let mut folded = String::with_capacity(line.len() + line.len() / 32 + 2);
        put_folded(&mut folded, &line);
        f.write_str(&folded)
    }
}

fn write_parameter(line: &mut String, parameter: &Parameter) {
    line.push(';');
    line.push_str(&written_name(&parameter.name));
    line.push('=');
    for (i, value) in parameter.values.iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        let quote = if value.contains([':', ';', ',']) { "\"" } else { "" };
        line.push_str(quote);
        for c in value.chars() {
            match c {
                '\n' => line.push_str("^n"),
                '"' => line.push_str("^'"),
                '^' => line.push_str("^^"),
                c if is_forbidden(c) => {}
                c => line.push(c),
            }
        }
        line.push_str(quote);
    }
}

/// A name without what would end it.
pub(super) fn written_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() && !":;,=\"".contains(c) { c } else { '-' }).collect()
}
