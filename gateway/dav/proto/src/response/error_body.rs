//! `DAV:error` (RFC 4918 §16), and a `DAV:prop` as the whole of an answer.

use crate::xml::{Element, Writer};
use crate::{Error, Name, Precondition};

/// The body of an answer that says which condition did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorBody {
    error: Element,
}

impl ErrorBody {
    /// Of a precondition.
    pub fn of(precondition: Precondition) -> Self {
        Self::with(Element::new(precondition.name()))
    }

    /// Of a precondition that holds hrefs, e.g. `DAV:lock-token-submitted` or `CALDAV:no-uid-conflict`.
    pub fn with_hrefs<'a>(precondition: Precondition, hrefs: impl IntoIterator<Item = &'a str>) -> Self {
        let hrefs = hrefs.into_iter().map(|href| Element::new(Name::dav("href")).with_text(href));
        Self::with(Element::new(precondition.name()).with_all(hrefs))
    }

    /// `DAV:need-privileges` (RFC 3744 §7.1.1): the hrefs of resources, each with a privilege that is needed there.
    pub fn need_privileges<'a>(needed: impl IntoIterator<Item = (&'a str, Name)>) -> Self {
        let resources = needed.into_iter().map(|(href, privilege)| {
            Element::new(Name::dav("resource"))
                .with(Element::new(Name::dav("href")).with_text(href))
                .with(Element::new(Name::dav("privilege")).with(Element::new(privilege)))
        });
        Self::with(Element::new(Precondition::NeedPrivileges.name()).with_all(resources))
    }

    /// Of the precondition that an error names; `None` where it names none.
    pub fn of_error(error: &Error) -> Option<Self> {
        error.precondition().map(Self::of)
    }

    /// Of any condition.
    pub fn with(condition: Element) -> Self {
        Self { error: Element::new(Name::dav("error")).with(condition) }
    }

    /// The same with words for a person.
    #[must_use]
    pub fn described(mut self, words: impl Into<String>) -> Self {
        let words = Element::new(Name::dav("responsedescription")).with_text(words);
        self.error = self.error.with(words);
        self
    }

    /// The element, as it stands in a `DAV:response` or a `DAV:propstat`.
    pub const fn element(&self) -> &Element {
        &self.error
    }

    /// The document.
    pub fn to_body(&self) -> Vec<u8> {
        let mut writer = Writer::document();
        writer.element(&self.error);
        writer.take()
    }
}

/// The document of a `DAV:prop`, as LOCK answers with the `DAV:lockdiscovery` (RFC 4918 §9.10.1).
pub fn prop_body(properties: impl IntoIterator<Item = Element>) -> Vec<u8> {
    let mut writer = Writer::document();
    writer.element(&Element::new(Name::dav("prop")).with_all(properties));
    writer.take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CALDAV, DAV, Limits};

    #[test]
    fn bodies_name_the_condition() {
        let body = ErrorBody::with_hrefs(Precondition::NoUidConflict, ["/a/b&c"]).to_body();
        let root = Element::parse(&body, &Limits::default()).unwrap();
        assert!(root.is(DAV, "error"));
        let conflict = root.first(CALDAV, "no-uid-conflict").unwrap();
        assert_eq!(conflict.first(DAV, "href").unwrap().text(), "/a/b&c");

        let needed = ErrorBody::need_privileges([("/a/", Name::dav("read")), ("/b/", Name::dav("write"))]);
        let needed = needed.element().first(DAV, "need-privileges").unwrap().all(DAV, "resource").count();
        assert_eq!(needed, 2);
        assert_eq!(ErrorBody::of_error(&Error::MediaType), None);
    }

    #[test]
    fn a_prop_stands_alone() {
        let body = prop_body([Element::new(Name::dav("lockdiscovery"))]);
        assert!(Element::parse(&body, &Limits::default()).unwrap().has(DAV, "lockdiscovery"));
    }
}
