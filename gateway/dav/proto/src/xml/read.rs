//! Octets to a tree.

use std::borrow::Cow;

use encoding_rs::{UTF_16BE, UTF_16LE};
use quick_xml::NsReader;
use quick_xml::escape::{resolve_predefined_entity, unescape};
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::{NamespaceError, PrefixDeclaration, QName, ResolveResult};
use quick_xml::{Error as SyntaxError, XmlVersion};

use super::{Attribute, Element, Error};
use crate::name::{is_ncname, is_xml_char};
use crate::{Limits, Name};

/// Reads a document.
///
/// ```
/// use kontor_dav_proto::{DAV, Limits, xml};
///
/// let root = xml::read(br#"<d:a xmlns:d="DAV:">x &lt; <d:b/></d:a>"#, &Limits::default()).unwrap();
/// assert!(root.is(DAV, "a") && root.has(DAV, "b"));
/// assert_eq!(root.text(), "x < ");
/// ```
pub fn read(input: &[u8], limits: &Limits) -> Result<Element, Error> {
    if input.len() > limits.body {
        return Err(Error::TooLarge(limits.body));
    }
    let (text, is_utf16) = decode(input)?;
    let mut reader = NsReader::from_str(&text);
    reader.config_mut().check_comments = true;
    reader.resolver_mut().set_max_declarations_per_element(limits.attributes);
    let mut tree = Tree { limits, open: Vec::new(), root: None, elements: 0 };
    let mut is_first = true;
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => return Err(syntax(&error, reader.error_position(), limits)),
        };
        let at = reader.buffer_position();
        let malformed = |what| Error::Malformed { what, at };
        match event {
            Event::Start(tag) => tree.open(element(&reader, &tag, limits, at)?, at)?,
            Event::Empty(tag) => {
                tree.open(element(&reader, &tag, limits, at)?, at)?;
                tree.close();
            }
            Event::End(_) => tree.close(),
            Event::Text(text) => {
                let text = text.xml10_content().map_err(|_| Error::Encoding)?;
                if text.contains("]]>") {
                    return Err(malformed("the end of a CDATA section in a text"));
                }
                tree.text(text, at)?;
            }
            Event::CData(_) | Event::GeneralRef(_) if tree.open.is_empty() => {
                return Err(malformed("a text outside the root"));
            }
            Event::CData(text) => tree.text(text.xml10_content().map_err(|_| Error::Encoding)?, at)?,
            Event::GeneralRef(reference) => tree.text(entity(&reference, at)?, at)?,
            Event::Decl(declaration) if is_first => check_declaration(&declaration, is_utf16, at)?,
            Event::Decl(_) => return Err(malformed("a declaration that is not at the beginning")),
            Event::DocType(_) => return Err(Error::Doctype),
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
        is_first = false;
    }
    let at = reader.buffer_position();
    match tree.root {
        Some(root) => Ok(root),
        None if tree.open.is_empty() => Err(Error::Malformed { what: "there is no element", at }),
        None => Err(Error::Malformed { what: "an element is not closed", at }),
    }
}

fn decode(input: &[u8]) -> Result<(Cow<'_, str>, bool), Error> {
    let wide = match input {
        [0xff, 0xfe, rest @ ..] => Some((UTF_16LE, rest)),
        [0xfe, 0xff, rest @ ..] => Some((UTF_16BE, rest)),
        _ => None,
    };
    match wide {
        Some((encoding, rest)) => {
            let text = encoding.decode_without_bom_handling_and_without_replacement(rest);
            Ok((text.ok_or(Error::Encoding)?, true))
        }
        None => {
            let rest = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
            Ok((Cow::Borrowed(std::str::from_utf8(rest).map_err(|_| Error::Encoding)?), false))
        }
    }
}

/// The encoding that a declaration states must be the one that was read.
fn check_declaration(declaration: &BytesDecl<'_>, is_utf16: bool, at: u64) -> Result<(), Error> {
    let malformed = |what| Error::Malformed { what, at };
    let version = declaration.version().map_err(|_| malformed("a declaration without a version"))?;
    if !version.starts_with(b"1.") {
        return Err(malformed("a version other than 1"));
    }
    let Some(encoding) = declaration.encoding() else { return Ok(()) };
    let encoding = encoding.map_err(|_| malformed("a bad declaration"))?;
    let known: &[&str] =
        if is_utf16 { &["utf-16", "utf-16le", "utf-16be"] } else { &["utf-8", "utf8", "us-ascii"] };
    let is_known = known.iter().any(|known| encoding.eq_ignore_ascii_case(known.as_bytes()));
    if is_known { Ok(()) } else { Err(Error::Encoding) }
}

/// The tree as far as it is read.
struct Tree<'l> {
    limits: &'l Limits,
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl Tree<'_> {
    fn open(&mut self, element: Element, at: u64) -> Result<(), Error> {
        if self.root.is_some() {
            return Err(Error::Malformed { what: "more than one root", at });
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(Error::Limit { what: "elements", limit: self.limits.elements });
        }
        if self.open.len() >= self.limits.depth {
            return Err(Error::Limit { what: "elements within elements", limit: self.limits.depth });
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self) {
        let Some(closed) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(super::Node::Element(closed)),
            None => self.root = Some(closed),
        }
    }

    fn text(&mut self, text: Cow<'_, str>, at: u64) -> Result<(), Error> {
        if !text.chars().all(is_xml_char) {
            return Err(Error::Malformed { what: "a character that XML does not have", at });
        }
        match self.open.last_mut() {
            Some(parent) => parent.push_text(text.into_owned()),
            None if text.chars().all(is_space) => {}
            None => return Err(Error::Malformed { what: "a text outside the root", at }),
        }
        Ok(())
    }
}

fn element(
    reader: &NsReader<&[u8]>,
    tag: &BytesStart<'_>,
    limits: &Limits,
    at: u64,
) -> Result<Element, Error> {
    let malformed = |what| Error::Malformed { what, at };
    let (namespace, _) = reader.resolver().resolve_element(tag.name());
    let mut element = Element::new(name(&namespace, tag.name(), at)?);
    for (before, attribute) in tag.attributes().enumerate() {
        let attribute = attribute.map_err(|_| malformed("a bad attribute"))?;
        if before >= limits.attributes {
            return Err(Error::Limit { what: "attributes", limit: limits.attributes });
        }
        if attribute.value.contains(&b'<') {
            return Err(malformed("a < in an attribute"));
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| Error::Entity)?;
        if !value.chars().all(is_xml_char) {
            return Err(malformed("a character that XML does not have"));
        }
        if let Some(declared) = attribute.key.as_namespace_binding() {
            // Only the default namespace can be taken back (Namespaces in XML 1.0 §5).
            if let PrefixDeclaration::Named(prefix) = declared
                && (value.is_empty() || !std::str::from_utf8(prefix).is_ok_and(is_ncname))
            {
                return Err(malformed("a bad declaration of a namespace"));
            }
            continue;
        }
        let (namespace, _) = reader.resolver().resolve_attribute(attribute.key);
        let name = name(&namespace, attribute.key, at)?;
        if element.attributes.iter().any(|other| other.name == name) {
            return Err(malformed("an attribute twice"));
        }
        element.attributes.push(Attribute { name, value: value.into_owned() });
    }
    Ok(element)
}

fn name(namespace: &ResolveResult<'_>, name: QName<'_>, at: u64) -> Result<Name, Error> {
    let bad = || Error::Malformed { what: "a name that is none", at };
    let text = |octets| std::str::from_utf8(octets).map_err(|_| Error::Encoding);
    let (local, prefix) = name.decompose();
    if let Some(prefix) = prefix
        && !is_ncname(text(prefix.into_inner())?)
    {
        return Err(bad());
    }
    let namespace = match namespace {
        ResolveResult::Unbound => Cow::Borrowed(""),
        ResolveResult::Bound(namespace) => {
            unescape(text(namespace.into_inner())?).map_err(|_| Error::Entity)?
        }
        ResolveResult::Unknown(_) => return Err(Error::UnboundPrefix),
    };
    Name::new(&namespace, text(local.into_inner())?).ok_or_else(bad)
}

fn entity<'a>(reference: &BytesRef<'a>, at: u64) -> Result<Cow<'a, str>, Error> {
    if reference.is_char_ref() {
        let character = reference.resolve_char_ref().ok().flatten();
        let character = character.ok_or(Error::Malformed { what: "a bad character reference", at })?;
        return Ok(Cow::Owned(character.to_string()));
    }
    let name = reference.decode().map_err(|_| Error::Encoding)?;
    resolve_predefined_entity(&name).map(Cow::Borrowed).ok_or(Error::Entity)
}

fn syntax(error: &SyntaxError, at: u64, limits: &Limits) -> Error {
    let what = match error {
        SyntaxError::Encoding(_) => return Error::Encoding,
        SyntaxError::Namespace(NamespaceError::UnknownPrefix(_)) => return Error::UnboundPrefix,
        SyntaxError::Namespace(NamespaceError::TooManyDeclarations(_)) => {
            return Error::Limit { what: "attributes", limit: limits.attributes };
        }
        SyntaxError::Namespace(_) => "a bad declaration of a namespace",
        SyntaxError::IllFormed(_) => "what opens does not close",
        SyntaxError::InvalidAttr(_) => "a bad attribute",
        SyntaxError::Escape(_) => return Error::Entity,
        _ => "a tag, comment or section that is not complete",
    };
    Error::Malformed { what, at }
}

/// White space of XML 1.0 §2.3.
const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
