//! Sharing as Apple's calendar server has it: `CS:share`, which an owner posts to a calendar, and `CS:invite-reply`,
//! which an invited person posts to their home.

use super::{href_text, root, too_many};
use crate::xml::Element;
use crate::{CALENDARSERVER, DAV, Error, Limits};

/// Who may use a collection from now on, and who may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The changes, in their order; there is at least one.
    pub changes: Vec<ShareChange>,
}

/// A change of who may use a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShareChange {
    /// Invite, or change an invitation.
    Set(Sharee),
    /// Take an invitation back: the href of the person.
    Remove(String),
}

/// A person who is invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharee {
    /// Mostly a `mailto:`, else the href of a principal.
    pub href: String,
    /// How they are called.
    pub common_name: Option<String>,
    /// How the collection is called for them.
    pub summary: Option<String>,
    /// What they may do.
    pub access: ShareAccess,
}

/// What an invited person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShareAccess {
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
}

impl Share {
    /// Reads a body.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, Error> {
        let root = root(body, limits)?.ok_or(Error::Syntax("share needs a body"))?;
        if !root.is(CALENDARSERVER, "share") {
            return Err(Error::Unprocessable("the body is no CS:share"));
        }
        let mut changes = Vec::new();
        for element in root.elements() {
            if changes.len() >= limits.properties {
                return Err(too_many("people", limits.properties));
            }
            if element.is(CALENDARSERVER, "set") {
                changes.push(ShareChange::Set(sharee(element, limits)?));
            } else if element.is(CALENDARSERVER, "remove") {
                changes.push(ShareChange::Remove(href(element, limits)?));
            }
        }
        if changes.is_empty() {
            return Err(Error::Syntax("share sets and removes nobody"));
        }
        Ok(Self { changes })
    }
}

fn sharee(element: &Element, limits: &Limits) -> Result<Sharee, Error> {
    let access = match (element.has(CALENDARSERVER, "read"), element.has(CALENDARSERVER, "read-write")) {
        (true, false) => ShareAccess::Read,
        (false, true) => ShareAccess::ReadWrite,
        _ => return Err(Error::Syntax("a share is read or read-write")),
    };
    Ok(Sharee {
        href: href(element, limits)?,
        common_name: text(element, "common-name"),
        summary: text(element, "summary"),
        access,
    })
}

/// The answer to an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteReply {
    /// Who answers.
    pub href: Option<String>,
    /// Whether they accept.
    pub accepted: bool,
    /// The shared collection at its owner.
    pub host_url: String,
    /// The `uid` of the invitation.
    pub in_reply_to: Option<String>,
    /// How the collection is to be called.
    pub summary: Option<String>,
}

impl InviteReply {
    /// Reads a body.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, Error> {
        let root = root(body, limits)?.ok_or(Error::Syntax("invite-reply needs a body"))?;
        if !root.is(CALENDARSERVER, "invite-reply") {
            return Err(Error::Unprocessable("the body is no CS:invite-reply"));
        }
        let has = |local| root.has(CALENDARSERVER, local);
        let accepted = match (has("invite-accepted"), has("invite-declined")) {
            (true, false) => true,
            (false, true) => false,
            _ => return Err(Error::Syntax("an invitation is accepted or declined")),
        };
        let host = root.first(CALENDARSERVER, "hosturl");
        let host = host.ok_or(Error::Syntax("invite-reply needs a hosturl"))?;
        Ok(Self {
            href: root.first(DAV, "href").map(|href| href_text(href, limits)).transpose()?,
            accepted,
            host_url: href(host, limits)?,
            in_reply_to: text(&root, "in-reply-to"),
            summary: text(&root, "summary"),
        })
    }
}

fn href(element: &Element, limits: &Limits) -> Result<String, Error> {
    let href = element.first(DAV, "href").ok_or(Error::Syntax("an href is missing"))?;
    href_text(href, limits)
}

fn text(element: &Element, local: &str) -> Option<String> {
    let text = element.first(CALENDARSERVER, local)?.text().trim().to_owned();
    (!text.is_empty()).then_some(text)
}
