//! A tree to octets.

use super::{Element, Node};
use crate::Name;
use crate::name::{PREFIXES, XML, is_xml_char};

/// Writes a document, an element after the other. What was written so far can be taken out at any time.
///
/// The namespaces of WebDAV and of its relatives are declared once, at the root, under their usual prefixes; any other
/// is declared where it occurs. A character that cannot stand in XML is written as U+FFFD; a carriage return is written
/// as a reference, so that the reader does not take it for a part of a line end.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    open: Vec<Open>,
    declared: bool,
}

#[derive(Debug)]
struct Open {
    /// As it stands in the tag.
    tag: String,
    /// The namespace of names without a prefix is declared here or above.
    default: bool,
}

impl Writer {
    /// A document with its declaration.
    pub fn document() -> Self {
        Self { out: b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n".to_vec(), ..Self::default() }
    }

    /// A document without a declaration.
    pub fn fragment() -> Self {
        Self::default()
    }

    /// Opens an element.
    pub fn start(&mut self, name: &Name) {
        self.tag(name, &[]);
        self.out.push(b'>');
    }

    /// Closes the element that was opened last.
    pub fn end(&mut self) {
        if let Some(open) = self.open.pop() {
            self.out.extend_from_slice(b"</");
            self.out.extend_from_slice(open.tag.as_bytes());
            self.out.push(b'>');
        }
    }

    /// Writes character data.
    pub fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '\r' => self.raw("&#13;"),
                c => self.char(c),
            }
        }
    }

    /// Writes an element without anything in it.
    pub fn empty(&mut self, name: &Name) {
        self.tag(name, &[]);
        self.open.pop();
        self.raw("/>");
    }

    /// Writes an element that holds a text.
    pub fn text_element(&mut self, name: &Name, text: &str) {
        self.start(name);
        self.text(text);
        self.end();
    }

    /// Writes an element and all that is in it.
    pub fn element(&mut self, element: &Element) {
        self.tag(&element.name, &element.attributes);
        if element.children.is_empty() {
            self.open.pop();
            return self.raw("/>");
        }
        self.out.push(b'>');
        for child in &element.children {
            match child {
                Node::Element(child) => self.element(child),
                Node::Text(text) => self.text(text),
            }
        }
        self.end();
    }

    /// Octets written and not taken.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether all that was written is taken.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Takes what was written so far.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    fn tag(&mut self, name: &Name, attributes: &[super::Attribute]) {
        let prefix = prefix_of(name.namespace());
        let tag = match prefix {
            Some(prefix) => format!("{prefix}:{}", name.local()),
            None => name.local().to_owned(),
        };
        self.out.push(b'<');
        self.raw(&tag);
        let mut default = self.open.last().is_some_and(|open| open.default);
        if prefix.is_none() && (default || !name.namespace().is_empty()) {
            self.attribute("xmlns", name.namespace());
            default = true;
        }
        if !self.declared {
            self.declared = true;
            for (prefix, namespace) in PREFIXES {
                self.attribute(&format!("xmlns:{prefix}"), namespace);
            }
        }
        let mut own = 0;
        for attribute in attributes {
            let local = attribute.name.local();
            let namespace = attribute.name.namespace();
            match prefix_of(namespace) {
                _ if namespace.is_empty() && local == "xmlns" => {}
                None if namespace.is_empty() => self.attribute(local, &attribute.value),
                Some(prefix) => self.attribute(&format!("{prefix}:{local}"), &attribute.value),
                None => {
                    self.attribute(&format!("xmlns:a{own}"), namespace);
                    self.attribute(&format!("a{own}:{local}"), &attribute.value);
                    own += 1;
                }
            }
        }
        self.open.push(Open { tag, default });
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.out.push(b' ');
        self.raw(name);
        self.raw("=\"");
        for c in value.chars() {
            match c {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '"' => self.raw("&quot;"),
                '\t' => self.raw("&#9;"),
                '\n' => self.raw("&#10;"),
                '\r' => self.raw("&#13;"),
                c => self.char(c),
            }
        }
        self.out.push(b'"');
    }

    fn char(&mut self, c: char) {
        let c = if is_xml_char(c) { c } else { char::REPLACEMENT_CHARACTER };
        self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

fn prefix_of(namespace: &str) -> Option<&'static str> {
    if namespace == XML {
        return Some("xml");
    }
    PREFIXES.iter().find(|(_, known)| *known == namespace).map(|(prefix, _)| *prefix)
}
