//! Privileges (RFC 3744 §3, RFC 4791 §6.1) and the rights of the store: what each is in the words of the other.
//!
//! The store's rights are those of a folder in Exchange. A privilege that is abstract here cannot be granted alone, for
//! no right says just that. `DAV:write` lets a guest change how a collection looks to them, not to its owner.

use kontor_dav_proto::{Element, Name};
use kontor_storage_client::proto::Rights;

/// A privilege.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privilege {
    All,
    Read,
    ReadFreeBusy,
    ReadCurrentUserPrivilegeSet,
    Write,
    WriteProperties,
    WriteContent,
    Bind,
    Unbind,
    ReadAcl,
    WriteAcl,
}

use Privilege::*;

impl Privilege {
    pub const fn name(self) -> Name {
        match self {
            All => Name::dav("all"),
            Read => Name::dav("read"),
            ReadFreeBusy => Name::caldav("read-free-busy"),
            ReadCurrentUserPrivilegeSet => Name::dav("read-current-user-privilege-set"),
            Write => Name::dav("write"),
            WriteProperties => Name::dav("write-properties"),
            WriteContent => Name::dav("write-content"),
            Bind => Name::dav("bind"),
            Unbind => Name::dav("unbind"),
            ReadAcl => Name::dav("read-acl"),
            WriteAcl => Name::dav("write-acl"),
        }
    }

    pub fn named(name: &Name) -> Option<Self> {
        every().find(|privilege| privilege.name() == *name)
    }

    /// Those that it is made of.
    const fn parts(self) -> &'static [Self] {
        match self {
            All => &[Read, Write, ReadAcl, WriteAcl],
            Read => &[ReadFreeBusy, ReadCurrentUserPrivilegeSet],
            Write => &[WriteProperties, WriteContent, Bind, Unbind],
            _ => &[],
        }
    }

    /// The rights that somebody gets with it; `None` for one that is abstract.
    pub const fn rights(self) -> Option<u32> {
        Some(match self {
            All => 0x1ff,
            Read => READ,
            ReadFreeBusy => Rights::FreeBusy as u32,
            Write => WRITE,
            WriteContent => Rights::Visible as u32 | Rights::Edit as u32 | Rights::Flags as u32,
            Bind => Rights::Visible as u32 | Rights::Create as u32,
            Unbind => Rights::Visible as u32 | Rights::Delete as u32,
            WriteAcl => Rights::Visible as u32 | Rights::Owner as u32,
            ReadCurrentUserPrivilegeSet | WriteProperties | ReadAcl => return None,
        })
    }

    /// Whether somebody with these rights has it.
    pub fn is_in(self, rights: u32) -> bool {
        let may = |right: Rights| rights & right as u32 != 0;
        match self {
            All | Write => self.parts().iter().all(|part| part.is_in(rights)),
            Read => may(Rights::Read),
            ReadFreeBusy => may(Rights::Read) || may(Rights::FreeBusy),
            ReadCurrentUserPrivilegeSet => may(Rights::Read) || may(Rights::Visible),
            WriteProperties => {
                may(Rights::Owner) || [Bind, Unbind, WriteContent].iter().all(|p| p.is_in(rights))
            }
            WriteContent => may(Rights::Edit),
            Bind => may(Rights::Create),
            Unbind => may(Rights::Delete),
            ReadAcl | WriteAcl => may(Rights::Owner),
        }
    }

    const fn description(self) -> &'static str {
        match self {
            All => "Everything",
            Read => "Read",
            ReadFreeBusy => "See when the owner is busy",
            ReadCurrentUserPrivilegeSet => "See what one may do",
            Write => "Write",
            WriteProperties => "Change properties",
            WriteContent => "Change objects",
            Bind => "Add objects",
            Unbind => "Remove objects",
            ReadAcl => "See who may do what",
            WriteAcl => "Say who may do what, rename and delete",
        }
    }

    /// `DAV:supported-privilege` (RFC 3744 §5.3).
    fn supported(self) -> Element {
        let privilege = Element::new(Name::dav("privilege")).with(Element::new(self.name()));
        let mut out = Element::new(Name::dav("supported-privilege")).with(privilege);
        if self.rights().is_none() {
            out = out.with(Element::new(Name::dav("abstract")));
        }
        let language = Name::known(kontor_dav_proto::XML, "lang");
        let description = Element::new(Name::dav("description")).with_attribute(language, "en");
        out.with(description.with_text(self.description()))
            .with_all(self.parts().iter().map(|part| part.supported()))
    }
}

/// All of them, each before its parts.
fn every() -> impl Iterator<Item = Privilege> {
    let mut next = vec![All];
    std::iter::from_fn(move || {
        let privilege = next.pop()?;
        next.extend(privilege.parts().iter().rev());
        Some(privilege)
    })
}

/// `DAV:supported-privilege-set` (RFC 3744 §5.3).
pub(crate) fn supported_privilege_set(name: &Name) -> Element {
    Element::new(name.clone()).with(All.supported())
}

/// The privileges that somebody has, as in `DAV:current-user-privilege-set` (RFC 3744 §5.4).
pub(crate) fn held(rights: u32) -> impl Iterator<Item = Privilege> {
    every().filter(move |privilege| privilege.is_in(rights))
}

/// The fewest privileges that say what rights somebody was given, none of them abstract: as in an entry of an ACL.
pub(crate) fn granted(rights: u32) -> Vec<Privilege> {
    if All.is_in(rights) {
        return vec![All];
    }
    let of = |whole: Privilege, parts: &[Privilege]| {
        if whole.is_in(rights) {
            vec![whole]
        } else {
            parts.iter().filter(|part| part.is_in(rights)).copied().collect()
        }
    };
    let mut found = of(Read, &[ReadFreeBusy]);
    found.extend(of(Write, &[WriteContent, Bind, Unbind]));
    found.extend(of(WriteAcl, &[]));
    found
}

/// `DAV:privilege` for each.
pub(crate) fn elements(name: &Name, privileges: impl IntoIterator<Item = Privilege>) -> Element {
    let of = |privilege: Privilege| Element::new(Name::dav("privilege")).with(Element::new(privilege.name()));
    Element::new(name.clone()).with_all(privileges.into_iter().map(of))
}

/// What a guest may do who may read (CS:read).
pub(crate) const READ: u32 = Rights::FreeBusy as u32 | Rights::Visible as u32 | Rights::Read as u32;
const WRITE: u32 = Rights::Visible as u32
    | Rights::Flags as u32
    | Rights::Create as u32
    | Rights::Edit as u32
    | Rights::Delete as u32;
/// What a guest may do who may read and write (CS:read-write).
pub(crate) const READ_WRITE: u32 = READ | WRITE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_granted_is_held() {
        for privilege in every() {
            assert_eq!(Privilege::named(&privilege.name()), Some(privilege));
            let Some(rights) = privilege.rights() else { continue };
            assert!(privilege.is_in(rights), "{privilege:?}");
            // RFC 3744 §3.12: what is made of others is held with all of them.
            assert!(privilege.parts().iter().all(|part| part.is_in(rights)), "{privilege:?}");
        }
        assert_eq!(Privilege::named(&Name::dav("unlock")), None);
    }

    #[test]
    fn an_entry_says_the_same_rights_again() {
        for rights in 0..0x200 {
            let found = granted(rights);
            let again = found.iter().filter_map(|privilege| privilege.rights()).fold(0, |all, one| all | one);
            assert_eq!(granted(again), found, "{rights:x}");
            // Never more than was given, but for what comes along with seeing the collection at all.
            let along = Rights::Visible as u32 | Rights::FreeBusy as u32 | Rights::Flags as u32;
            let all = if found == [All] { 0x1ff } else { 0 };
            assert_eq!(again & !rights & !along & !all, 0, "{rights:x}");
        }
    }

    #[test]
    fn readers_do_not_write() {
        let names =
            |rights| held(rights).map(|privilege| privilege.name().local().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(READ), ["read", "read-free-busy", "read-current-user-privilege-set"]);
        assert!(names(READ_WRITE).contains(&"write".to_owned()));
        assert!(!names(READ_WRITE).contains(&"read-acl".to_owned()));
        assert_eq!(names(Rights::FreeBusy as u32), ["read-free-busy"]);
        assert!(names(0x1ff).contains(&"all".to_owned()));
    }
}
