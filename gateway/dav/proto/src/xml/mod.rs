//! XML as WebDAV uses it: a tree of elements that is read within bounds, and a writer that cannot write what is no XML.
//!
//! Read are documents in UTF-8 and, with a byte order mark, UTF-16, without a document type: a DOCTYPE is an error, so
//! that there are no entities but the five of XML and character references. Comments and processing instructions are
//! dropped.

mod read;
mod write;

pub use read::read;
pub use write::Writer;

use crate::name::XML;
use crate::{Limits, Name};

/// Why an input is no document that is read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More octets than [`Limits::body`].
    #[error("a body of more than {0} octets")]
    TooLarge(usize),
    /// Another limit is passed.
    #[error("more than {limit} {what}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// Of an encoding other than UTF-8 and UTF-16, or not of the one that it states.
    #[error("the encoding is not UTF-8")]
    Encoding,
    /// It has a DOCTYPE.
    #[error("a document type is not allowed")]
    Doctype,
    /// A reference to an entity that is none of the five.
    #[error("a reference to an unknown entity")]
    Entity,
    /// A prefix that no namespace is bound to.
    #[error("a prefix without a namespace")]
    UnboundPrefix,
    /// Not well formed. Says how, and near which octet.
    #[error("not well formed near octet {at}: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where reading stopped.
        at: u64,
    },
}

/// An element. It displays as a document of its own, which [`Element::parse`] reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: Name,
    /// Its attributes, without declarations of namespaces.
    pub attributes: Vec<Attribute>,
    /// What is in it, in order; no text is empty, and no two texts follow each other.
    pub children: Vec<Node>,
}

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name; one without a prefix is in no namespace.
    pub name: Name,
    /// Its value.
    pub value: String,
}

/// What is in an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Character data.
    Text(String),
}

impl Element {
    /// An empty element.
    pub const fn new(name: Name) -> Self {
        Self { name, attributes: Vec::new(), children: Vec::new() }
    }

    /// Reads a document.
    pub fn parse(input: &[u8], limits: &Limits) -> Result<Self, Error> {
        read(input, limits)
    }

    /// The same with a text behind what is in it.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.push_text(text.into());
        self
    }

    /// The same with a further element in it.
    #[must_use]
    pub fn with(mut self, child: Self) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    /// The same with further elements in it.
    #[must_use]
    pub fn with_all(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children.into_iter().map(Node::Element));
        self
    }

    /// The same with a further attribute.
    #[must_use]
    pub fn with_attribute(mut self, name: Name, value: impl Into<String>) -> Self {
        self.attributes.push(Attribute { name, value: value.into() });
        self
    }

    /// Whether it has this name.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.name.is(namespace, local)
    }

    /// The elements in it.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The elements of this name in it.
    pub fn all<'a>(&'a self, namespace: &'a str, local: &'a str) -> impl Iterator<Item = &'a Self> {
        self.elements().filter(move |element| element.is(namespace, local))
    }

    /// The first element of this name in it.
    pub fn first(&self, namespace: &str, local: &str) -> Option<&Self> {
        self.elements().find(|element| element.is(namespace, local))
    }

    /// Whether there is an element of this name in it.
    pub fn has(&self, namespace: &str, local: &str) -> bool {
        self.first(namespace, local).is_some()
    }

    /// The text in it, without that of the elements in it.
    pub fn text(&self) -> String {
        let texts = self.children.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        texts.collect()
    }

    /// The value of an attribute without a namespace.
    pub fn attribute(&self, local: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|attribute| attribute.name.is("", local));
        found.map(|attribute| attribute.value.as_str())
    }

    /// `xml:lang`
    pub fn language(&self) -> Option<&str> {
        let found = self.attributes.iter().find(|attribute| attribute.name.is(XML, "lang"));
        found.map(|attribute| attribute.value.as_str())
    }

    pub(crate) fn push_text(&mut self, text: String) {
        match self.children.last_mut() {
            _ if text.is_empty() => {}
            Some(Node::Text(before)) => before.push_str(&text),
            _ => self.children.push(Node::Text(text)),
        }
    }
}

impl std::fmt::Display for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut writer = Writer::fragment();
        writer.element(self);
        f.write_str(&String::from_utf8_lossy(&writer.take()))
    }
}

#[cfg(test)]
mod tests;
