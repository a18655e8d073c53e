//! `DAV:multistatus` (RFC 4918 §13, §14.16, RFC 6578 §6.4).

use super::ErrorBody;
use crate::xml::{Element, Writer};
use crate::{DAV, Name};

/// Writes a multistatus response by response. The caller takes what is written when it likes, so that an answer of any
/// length needs the memory of one response.
///
/// ```
/// use kontor_dav_proto::response::{Multistatus, Response};
/// use kontor_dav_proto::{Element, Name};
///
/// let mut answer = Multistatus::new();
/// let etag = Element::new(Name::dav("getetag")).with_text("\"1\"");
/// answer.response(&Response::new("/a").with(200, etag).missing(Name::dav("displayname")));
/// let mut body = answer.take();
/// body.extend(answer.finish(Some("urn:token:2")));
/// assert!(String::from_utf8(body).unwrap().ends_with("<D:sync-token>urn:token:2</D:sync-token></D:multistatus>"));
/// ```
#[derive(Debug)]
pub struct Multistatus {
    writer: Writer,
}

impl Multistatus {
    /// Begins an answer.
    pub fn new() -> Self {
        let mut writer = Writer::document();
        writer.start(&Name::dav("multistatus"));
        Self { writer }
    }

    /// Writes a response.
    pub fn response(&mut self, response: &Response) {
        let writer = &mut self.writer;
        writer.start(&Name::dav("response"));
        writer.text_element(&Name::dav("href"), &response.href);
        match &response.outcome {
            Outcome::Status(status) => put_status(writer, *status),
            Outcome::Properties(groups) => {
                // A response without a status and without a group would be none.
                let nothing = PropStat { status: 200, properties: Vec::new(), error: None };
                let groups = if groups.is_empty() { std::slice::from_ref(&nothing) } else { groups };
                groups.iter().for_each(|group| put_propstat(writer, group));
            }
        }
        if let Some(error) = &response.error {
            writer.element(error.element());
        }
        if let Some(description) = &response.description {
            writer.text_element(&Name::dav("responsedescription"), description);
        }
        writer.end();
    }

    /// Octets that can be taken.
    pub fn len(&self) -> usize {
        self.writer.len()
    }

    /// Whether there is nothing to take.
    pub fn is_empty(&self) -> bool {
        self.writer.is_empty()
    }

    /// Takes what is written so far.
    pub fn take(&mut self) -> Vec<u8> {
        self.writer.take()
    }

    /// Ends the answer and takes the rest of it; with the token of a sync-collection.
    pub fn finish(mut self, sync_token: Option<&str>) -> Vec<u8> {
        if let Some(token) = sync_token {
            self.writer.text_element(&Name::dav("sync-token"), token);
        }
        self.writer.end();
        self.writer.take()
    }
}

impl Default for Multistatus {
    fn default() -> Self {
        Self::new()
    }
}

/// A status code.
pub type Status = u16;

/// What is said of one resource (RFC 4918 §14.24): a status, or its properties by status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    href: String,
    outcome: Outcome,
    error: Option<ErrorBody>,
    description: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Status(Status),
    Properties(Vec<PropStat>),
}

/// Properties of one status (RFC 4918 §14.22).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropStat {
    /// The status.
    pub status: Status,
    /// The properties; their values where the status is 200.
    pub properties: Vec<Element>,
    /// The condition that did not hold.
    pub error: Option<ErrorBody>,
}

impl Response {
    /// About properties. The href is written as it is, so it must be encoded ([`crate::Href`]'s `Display`).
    pub fn new(href: impl Into<String>) -> Self {
        let outcome = Outcome::Properties(Vec::new());
        Self { href: href.into(), outcome, error: None, description: None }
    }

    /// With a status alone, e.g. 404 for what is gone.
    pub fn status(href: impl Into<String>, status: Status) -> Self {
        Self { href: href.into(), outcome: Outcome::Status(status), error: None, description: None }
    }

    /// The same with a further property of a status. Of a response that has a status of its own nothing is changed.
    #[must_use]
    pub fn with(self, status: Status, property: Element) -> Self {
        self.put(status, property, None)
    }

    /// The same with a property that is not there.
    #[must_use]
    pub fn missing(self, name: Name) -> Self {
        self.with(404, Element::new(name))
    }

    /// The same with a property that was refused, and the condition that did not hold.
    #[must_use]
    pub fn refused(self, status: Status, name: Name, error: ErrorBody) -> Self {
        self.put(status, Element::new(name), Some(error))
    }

    fn put(mut self, status: Status, property: Element, error: Option<ErrorBody>) -> Self {
        if let Outcome::Properties(groups) = &mut self.outcome {
            match groups.iter_mut().find(|group| group.status == status && group.error == error) {
                Some(group) => group.properties.push(property),
                None => groups.push(PropStat { status, properties: vec![property], error }),
            }
        }
        self
    }

    /// The same with the condition that did not hold for all of it.
    #[must_use]
    pub fn with_error(mut self, error: ErrorBody) -> Self {
        self.error = Some(error);
        self
    }

    /// The same with a text for people.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The same without the properties that are not there, as `return=minimal` asks (RFC 8144 §2.1).
    #[must_use]
    pub fn minimal(mut self) -> Self {
        if let Outcome::Properties(groups) = &mut self.outcome {
            groups.retain(|group| group.status != 404);
        }
        self
    }
}

/// The document that answers an extended MKCOL, or a MKCALENDAR, that failed (RFC 5689 §3.2, RFC 4791 §5.3.1): which
/// properties are to blame. The response's href is not written.
pub fn mkcol_response(root: &Name, response: &Response) -> Vec<u8> {
    let mut writer = Writer::document();
    writer.start(root);
    if let Outcome::Properties(groups) = &response.outcome {
        groups.iter().for_each(|group| put_propstat(&mut writer, group));
    }
    writer.end();
    writer.take()
}

fn put_propstat(writer: &mut Writer, group: &PropStat) {
    writer.start(&Name::dav("propstat"));
    if group.properties.is_empty() {
        writer.empty(&Name::dav("prop"));
    } else {
        writer.start(&Name::dav("prop"));
        group.properties.iter().for_each(|property| writer.element(property));
        writer.end();
    }
    put_status(writer, group.status);
    if let Some(error) = &group.error {
        writer.element(error.element());
    }
    writer.end();
}

fn put_status(writer: &mut Writer, status: Status) {
    let line = format!("HTTP/1.1 {status} {}", reason(status));
    writer.text_element(&Name::known(DAV, "status"), line.trim_end());
}

const fn reason(status: Status) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        423 => "Locked",
        424 => "Failed Dependency",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        507 => "Insufficient Storage",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{APPLE, Limits, Precondition};

    fn parse(body: &[u8]) -> Element {
        Element::parse(body, &Limits::default()).unwrap()
    }

    fn color() -> Element {
        Element::new(Name::known(APPLE, "calendar-color")).with_text("#ff<&>")
    }

    #[test]
    fn properties_are_grouped_by_status() {
        let response = Response::new("/a%20b/")
            .with(200, Element::new(Name::dav("displayname")).with_text("A\r\n"))
            .missing(Name::new("urn:x", "y").unwrap())
            .with(200, color())
            .missing(Name::dav("getetag"));
        let mut answer = Multistatus::new();
        answer.response(&response);
        assert!(!answer.is_empty() && answer.len() > 100);
        answer.response(&response.minimal());
        let root = parse(&answer.finish(None));
        let responses: Vec<_> = root.all(DAV, "response").collect();
        assert_eq!(responses[0].first(DAV, "href").unwrap().text(), "/a%20b/");
        let groups: Vec<_> = responses[0].all(DAV, "propstat").collect();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].first(DAV, "status").unwrap().text(), "HTTP/1.1 200 OK");
        assert_eq!(groups[0].first(DAV, "prop").unwrap().elements().nth(1), Some(&color()));
        assert_eq!(groups[1].first(DAV, "status").unwrap().text(), "HTTP/1.1 404 Not Found");
        assert_eq!(responses[1].all(DAV, "propstat").count(), 1);
    }

    #[test]
    fn what_is_drained_makes_one_document() {
        let mut answer = Multistatus::new();
        let mut body = Vec::new();
        for status in [404, 507, 599] {
            answer.response(&Response::status(format!("/{status}"), status).with_description("x"));
            body.extend(answer.take());
            assert!(answer.is_empty());
        }
        body.extend(answer.finish(Some("http://x/sync/1")));
        let root = parse(&body);
        assert_eq!(root.all(DAV, "response").count(), 3);
        assert_eq!(root.first(DAV, "sync-token").unwrap().text(), "http://x/sync/1");
        assert!(String::from_utf8(body).unwrap().contains("<D:status>HTTP/1.1 599</D:status>"));
    }

    #[test]
    fn nothing_wanted_is_an_empty_group() {
        let mut answer = Multistatus::default();
        answer.response(&Response::new("/").missing(Name::dav("getetag")).minimal());
        let root = parse(&answer.finish(None));
        let group = root.first(DAV, "response").unwrap().first(DAV, "propstat").unwrap();
        assert_eq!(group.first(DAV, "prop").unwrap().elements().count(), 0);
    }

    #[test]
    fn refusals_say_why() {
        let error = ErrorBody::of(Precondition::CannotModifyProtectedProperty);
        let response = Response::new("/")
            .refused(403, Name::dav("getetag"), error)
            .with(424, Element::new(Name::dav("displayname")));
        let mut answer = Multistatus::new();
        answer.response(&response);
        let root = parse(&answer.finish(None));
        let group = root.first(DAV, "response").unwrap().first(DAV, "propstat").unwrap();
        assert!(group.first(DAV, "error").unwrap().has(DAV, "cannot-modify-protected-property"));
        let root = parse(&mkcol_response(&Name::dav("mkcol-response"), &response));
        assert_eq!(root.all(DAV, "propstat").count(), 2);
    }
}
