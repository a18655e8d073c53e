//! What a path names.

use kontor_dav_proto::Href;

/// One of the two trees of collections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tree {
    /// `/dav/calendars/`: events, tasks, journals.
    Calendars,
    /// `/dav/addressbooks/`
    AddressBooks,
}

impl Tree {
    const fn segment(self) -> &'static str {
        match self {
            Self::Calendars => "calendars",
            Self::AddressBooks => "addressbooks",
        }
    }
}

/// A place, whether anything is there or not. Addresses are as the client wrote them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// `/dav/`
    Root,
    /// `/dav/principals/`
    Principals,
    /// `/dav/principals/ann@example.org/`
    Principal(String),
    /// `/dav/principals/ann@example.org/calendar-proxy-read/`, and `…-write/`: who acts for somebody.
    Proxy(String, bool),
    /// `/dav/calendars/`
    Homes(Tree),
    /// `/dav/calendars/ann@example.org/`
    Home(Tree, String),
    /// `/dav/calendars/ann@example.org/work/`
    Collection(Tree, String, String),
    /// `/dav/calendars/ann@example.org/work/1.ics`
    Item(Tree, String, String, String),
    /// `/dav/attachments/ID/NAME`
    Attachment(String, String),
}

impl Place {
    /// What a path names; `None` for what nothing can ever be at.
    pub fn of(href: &Href) -> Option<Self> {
        let segments: Vec<&str> = href.segments().iter().map(String::as_str).collect();
        let tree = |segment: &str| match segment {
            "calendars" => Some(Tree::Calendars),
            "addressbooks" => Some(Tree::AddressBooks),
            _ => None,
        };
        match segments.as_slice() {
            ["dav"] => Some(Self::Root),
            ["dav", "principals"] => Some(Self::Principals),
            ["dav", "principals", address] => Some(Self::Principal((*address).to_owned())),
            ["dav", "principals", address, PROXY_READ] => Some(Self::Proxy((*address).to_owned(), false)),
            ["dav", "principals", address, PROXY_WRITE] => Some(Self::Proxy((*address).to_owned(), true)),
            ["dav", "principals", ..] => None,
            ["dav", "attachments", id, name] => Some(Self::Attachment((*id).to_owned(), (*name).to_owned())),
            ["dav", name] => Some(Self::Homes(tree(name)?)),
            ["dav", name, address] => Some(Self::Home(tree(name)?, (*address).to_owned())),
            ["dav", name, address, slug] => {
                Some(Self::Collection(tree(name)?, (*address).to_owned(), (*slug).to_owned()))
            }
            ["dav", name, address, slug, item] => {
                Some(Self::Item(tree(name)?, (*address).to_owned(), (*slug).to_owned(), (*item).to_owned()))
            }
            _ => None,
        }
    }

    /// The path, encoded as in a `DAV:href`.
    pub fn href(&self) -> String {
        let (segments, is_collection): (Vec<&str>, bool) = match self {
            Self::Root => (vec![], true),
            Self::Principals => (vec!["principals"], true),
            Self::Principal(address) => (vec!["principals", address], true),
            Self::Proxy(address, false) => (vec!["principals", address, PROXY_READ], true),
            Self::Proxy(address, true) => (vec!["principals", address, PROXY_WRITE], true),
            Self::Homes(tree) => (vec![tree.segment()], true),
            Self::Home(tree, address) => (vec![tree.segment(), address], true),
            Self::Collection(tree, address, slug) => (vec![tree.segment(), address, slug], true),
            Self::Item(tree, address, slug, name) => (vec![tree.segment(), address, slug, name], false),
            Self::Attachment(id, name) => (vec!["attachments", id, name], false),
        };
        Href::new(["dav"].into_iter().chain(segments), is_collection)
            .map_or_else(String::new, |href| href.to_string())
    }
}

const PROXY_READ: &str = "calendar-proxy-read";
const PROXY_WRITE: &str = "calendar-proxy-write";

#[cfg(test)]
mod tests {
    use kontor_dav_proto::Limits;

    use super::*;

    fn of(path: &str) -> Option<Place> {
        Place::of(&Href::parse(path, &Limits::default()).unwrap())
    }

    #[test]
    fn paths_name_places_and_places_have_paths() {
        for (path, canonical) in [
            ("/dav", "/dav/"),
            ("/dav/principals", "/dav/principals/"),
            ("/dav/principals/ann%40example.org", "/dav/principals/ann@example.org/"),
            ("/dav/principals/a@b.c/calendar-proxy-write", "/dav/principals/a@b.c/calendar-proxy-write/"),
            ("/dav/calendars/", "/dav/calendars/"),
            ("/dav/calendars/ann@example.org", "/dav/calendars/ann@example.org/"),
            ("/dav/addressbooks/a@b.c/friends", "/dav/addressbooks/a@b.c/friends/"),
            ("/dav/attachments/1/a%20b", "/dav/attachments/1/a%20b"),
            ("/dav/calendars/a@b.c/w%20k/1%2F2.ics", "/dav/calendars/a@b.c/w%20k/1%2F2.ics"),
        ] {
            assert_eq!(of(path).unwrap().href(), canonical);
        }
        for path in ["/", "/x", "/dav/x", "/dav/x/y", "/dav/principals/a/b", "/dav/calendars/a/b/c/d"] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
