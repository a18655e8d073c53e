//! Who may do what in a collection, as its properties say it: RFC 3744 §5, and the sharing of Apple's calendar server.

use kontor_dav_proto::{Element, Name};
use kontor_storage_client::proto::{ListPermissionsResponse, Permission, Rights};

use super::{cs, with_elements, with_href, with_hrefs};
use crate::home::Collection;
use crate::place::Place;
use crate::privilege::{Privilege, elements, granted, supported_privilege_set};

/// What is known of who may do what; nothing for who may not know it.
pub(crate) type Permissions = Option<ListPermissionsResponse>;

/// Properties for which [`Permissions`] are needed.
pub(crate) fn needs_permissions(name: &Name) -> bool {
    *name == Name::dav("acl") || *name == cs("invite")
}

/// `DAV:supported-privilege-set`, `DAV:acl-restrictions`, `DAV:inherited-acl-set`: the same for all that has an ACL.
pub(super) fn of_all(name: &Name, inherited_from: Option<&str>) -> Option<Element> {
    Some(match name.local() {
        "supported-privilege-set" => supported_privilege_set(name),
        "acl-restrictions" => with_elements(name, [Name::dav("grant-only"), Name::dav("no-invert")]),
        "inherited-acl-set" => with_hrefs(name, inherited_from),
        _ => return None,
    })
}

/// `DAV:acl` (RFC 3744 §5.5).
pub(super) fn acl(name: &Name, collection: &Collection, permissions: &[Permission]) -> Element {
    let owner = Element::new(Name::dav("property")).with(Element::new(Name::dav("owner")));
    let mut aces = vec![ace(owner, [Privilege::All]).with(Element::new(Name::dav("protected")))];
    for Permission { principal, rights } in permissions {
        let who = match principal.as_str() {
            "default" => Element::new(Name::dav("authenticated")),
            "anonymous" => Element::new(Name::dav("unauthenticated")),
            address => href(&Place::Principal(address.to_owned()).href()),
        };
        let privileges = granted(*rights);
        if !privileges.is_empty() {
            aces.push(ace(who, privileges));
        }
    }
    if collection.is_for_proxies() {
        for (writes, privileges) in
            [(false, &[Privilege::Read][..]), (true, &[Privilege::Read, Privilege::Write])]
        {
            let proxy = Place::Proxy(collection.owner.clone(), writes);
            let protected = Element::new(Name::dav("protected"));
            aces.push(ace(href(&proxy.href()), privileges.iter().copied()).with(protected));
        }
    }
    Element::new(name.clone()).with_all(aces)
}

fn ace(who: Element, privileges: impl IntoIterator<Item = Privilege>) -> Element {
    Element::new(Name::dav("ace"))
        .with(Element::new(Name::dav("principal")).with(who))
        .with(elements(&Name::dav("grant"), privileges))
}

fn href(path: &str) -> Element {
    Element::new(Name::dav("href")).with_text(path)
}

/// Principals in the ACL, for acl-principal-prop-set (RFC 3744 §9.2).
pub(crate) fn principals(collection: &Collection, permissions: &[Permission]) -> Vec<String> {
    let named =
        permissions.iter().filter(|entry| entry.principal.contains('@') && !granted(entry.rights).is_empty());
    [collection.owner.clone()].into_iter().chain(named.map(|entry| entry.principal.clone())).collect()
}

/// `CS:invite`: the owner, and who was invited. A guest is told of the owner and of themselves.
pub(super) fn invite(
    name: &Name,
    collection: &Collection,
    viewer: &str,
    permissions: &Permissions,
) -> Element {
    let organizer = Element::new(cs("organizer"))
        .with(href(&Place::Principal(collection.owner.clone()).href()))
        .with(Element::new(cs("common-name")).with_text(&collection.owner_name));
    let users: Vec<Element> = match permissions {
        Some(all) => {
            let named = all.permissions.iter().zip(&all.display_names);
            named
                .filter(|(entry, _)| entry.principal.contains('@'))
                .filter_map(|(entry, name)| user(&entry.principal, name, entry.rights))
                .collect()
        }
        None => user(viewer, "", collection.folder.rights).into_iter().collect(),
    };
    Element::new(name.clone()).with(organizer).with_all(users)
}

fn user(address: &str, display_name: &str, rights: u32) -> Option<Element> {
    if !Privilege::Read.is_in(rights) {
        return None;
    }
    let access = if Privilege::Write.is_in(rights) { "read-write" } else { "read" };
    let display_name = if display_name.is_empty() { address } else { display_name };
    let user = Element::new(cs("user"))
        .with(href(&format!("mailto:{address}")))
        .with(Element::new(cs("common-name")).with_text(display_name))
        .with(Element::new(cs("access")).with(Element::new(cs(access))))
        .with(Element::new(cs("invite-accepted")));
    Some(user)
}

/// The other properties of sharing, and what a collection says of its kind by it.
pub(super) fn sharing(name: &Name, collection: &Collection) -> Option<Element> {
    match name.local() {
        "allowed-sharing-modes" if collection.may(Rights::Owner) && collection.guest.is_none() => {
            Some(with_elements(name, [cs("can-be-shared")]))
        }
        "shared-url" => Some(with_href(name, &collection.owner_place()?.href())),
        _ => None,
    }
}

/// What `DAV:resourcetype` says of sharing.
pub(super) fn shared_type(collection: &Collection) -> Option<Name> {
    if collection.guest.is_some() {
        Some(cs("shared"))
    } else {
        (collection.folder.shared && collection.may(Rights::Owner)).then(|| cs("shared-owner"))
    }
}
