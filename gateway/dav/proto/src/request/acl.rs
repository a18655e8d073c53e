//! ACL (RFC 3744 §8.1).

use super::{href_text, names, root, too_many};
use crate::xml::Element;
use crate::{DAV, Error, Limits, Name};

/// The access control entries that a resource is to have, apart from those that are protected or inherited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl {
    /// The entries, in their order.
    pub aces: Vec<Ace>,
}

/// An access control entry (RFC 3744 §5.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ace {
    /// Who.
    pub principal: AcePrincipal,
    /// Everyone but them.
    pub invert: bool,
    /// Whether the privileges are granted; else they are denied.
    pub grant: bool,
    /// The privileges; there is at least one.
    pub privileges: Vec<Name>,
    /// It says that it is protected, which none that is set can be.
    pub protected: bool,
    /// It says that it is inherited from here.
    pub inherited: Option<String>,
}

/// `principal` in an entry (RFC 3744 §5.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcePrincipal {
    /// A principal's href, as it was written.
    Href(String),
    /// Everyone.
    All,
    /// Everyone who has said who they are.
    Authenticated,
    /// Everyone who has not.
    Unauthenticated,
    /// The principals in a property of the resource, e.g. `DAV:owner`.
    Property(Name),
    /// The resource itself, which is a principal.
    This,
}

impl Acl {
    /// Reads a body.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, Error> {
        let root = root(body, limits)?.ok_or(Error::Syntax("ACL needs a body"))?;
        if !root.is(DAV, "acl") {
            return Err(Error::Syntax("the body of ACL is a DAV:acl"));
        }
        let mut aces = Vec::new();
        for element in root.all(DAV, "ace") {
            if aces.len() >= limits.properties {
                return Err(too_many("access control entries", limits.properties));
            }
            aces.push(ace(element, limits)?);
        }
        Ok(Self { aces })
    }
}

fn ace(element: &Element, limits: &Limits) -> Result<Ace, Error> {
    let inverted = element.first(DAV, "invert");
    let holder = inverted.unwrap_or(element);
    let who = holder.first(DAV, "principal").ok_or(Error::Syntax("an entry needs a principal"))?;
    let (grant, granted) = match (element.first(DAV, "grant"), element.first(DAV, "deny")) {
        (Some(granted), None) => (true, granted),
        (None, Some(denied)) => (false, denied),
        _ => return Err(Error::Syntax("an entry grants or denies")),
    };
    let mut privileges = Vec::new();
    for privilege in granted.all(DAV, "privilege") {
        let found = names(privilege, limits)?;
        let [name] = found.as_slice() else { return Err(Error::Syntax("a privilege holds one name")) };
        privileges.push(name.clone());
    }
    if privileges.is_empty() {
        return Err(Error::Syntax("an entry needs a privilege"));
    }
    let from = element.first(DAV, "inherited").map(|inherited| {
        let href = inherited.first(DAV, "href").ok_or(Error::Syntax("inherited needs an href"))?;
        href_text(href, limits)
    });
    Ok(Ace {
        principal: principal(who, limits)?,
        invert: inverted.is_some(),
        grant,
        privileges,
        protected: element.has(DAV, "protected"),
        inherited: from.transpose()?,
    })
}

fn principal(element: &Element, limits: &Limits) -> Result<AcePrincipal, Error> {
    let bad = Error::Syntax("a principal is an href, all, authenticated, unauthenticated, property or self");
    let mut inner = element.elements();
    let (Some(who), None) = (inner.next(), inner.next()) else { return Err(bad) };
    if who.name.namespace() != DAV {
        return Err(bad);
    }
    Ok(match who.name.local() {
        "href" => AcePrincipal::Href(href_text(who, limits)?),
        "all" => AcePrincipal::All,
        "authenticated" => AcePrincipal::Authenticated,
        "unauthenticated" => AcePrincipal::Unauthenticated,
        "self" => AcePrincipal::This,
        "property" => match names(who, limits)?.as_slice() {
            [name] => AcePrincipal::Property(name.clone()),
            _ => return Err(bad),
        },
        _ => return Err(bad),
    })
}
