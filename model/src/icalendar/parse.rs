//! The tree of components (RFC 5545 §3.4).

use super::content_line::unfold;
use super::write::written_name;
use super::{Component, Error, Limits};

pub(super) fn stream(input: &[u8], limits: &Limits) -> Result<Vec<Component>, Error> {
    let mut done = Vec::new();
    let mut open: Vec<Component> = Vec::new();
    let (mut components, mut properties) = (0usize, 0usize);
    for line in unfold(input, limits)? {
        let number = line.number;
        let limit = |what, limit| Error::Limit { what, limit, line: number };
        let property = line.property(limits)?;
        if property.is("BEGIN") {
            components += 1;
            if components > limits.components {
                return Err(limit("components", limits.components));
            }
            if open.len() >= limits.depth {
                return Err(limit("components within components", limits.depth));
            }
            open.push(Component::new(written_name(property.value.trim())));
            continue;
        }
        let Some(current) = open.last_mut() else { return Err(Error::NoComponent { line: number }) };
        if !property.is("END") {
            properties += 1;
            if properties > limits.properties {
                return Err(limit("properties", limits.properties));
            }
            current.properties.push(property);
            continue;
        }
        if !current.is(&written_name(property.value.trim())) {
            return Err(Error::Mismatch { line: number });
        }
        let Some(closed) = open.pop() else { return Err(Error::Mismatch { line: number }) };
        match open.last_mut() {
            Some(parent) => parent.components.push(closed),
            None => done.push(closed),
        }
    }
    if open.is_empty() { Ok(done) } else { Err(Error::Unclosed) }
}
