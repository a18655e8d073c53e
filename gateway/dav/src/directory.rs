//! The directory gateway: the address book of the tenant as cards that nobody can change.
//!
//! It is in everybody's home, so that a client that knows nothing of it has it as one more address book, and in
//! CARDDAV:directory-gateway of who asks (draft-daboo-carddav-directory-gateway), where Apple's clients search while
//! somebody types. The store says who is in it; nothing here knows whom it does not show. The directory has no change
//! numbers, so there is no sync-collection here.

use std::collections::{HashSet, VecDeque};

use futures::stream;
use kontor_dav_proto::request::{AddressFilter, ContactPropFilter, ContactPropTest, Test, TextMatch};
use kontor_model::vcard::{Property, VCard, Version, escape};
use kontor_storage_client::proto::{
    FindPeopleRequest, FindPeopleResponse, ItemsChunk, OpenResponse, Person, Rights,
};
use kontor_storage_client::{Session, StoreError};

use crate::derived::{self, Items, Source, uid_of};
use crate::home::{Collection, Holds};
use crate::kept::Kept;
use crate::place::{Place, Tree};

/// The address book, in the home of who asks.
pub(crate) fn collection(opened: &OpenResponse) -> Collection {
    let rights = Rights::Visible as u32 | Rights::Read as u32;
    Collection {
        folder: derived::folder("Directory".to_owned(), Holds::Cards.class(), rights),
        holds: Holds::Cards,
        home: opened.address.clone(),
        owner: opened.address.clone(),
        owner_name: opened.display_name.clone(),
        guest: None,
        slug: SLUG.to_owned(),
        kept: Kept::default(),
        mailbox_id: opened.mailbox_id,
        tenant_id: opened.tenant_id,
        quota: None,
        locks: std::sync::Arc::default(),
        availability: std::sync::Arc::default(),
        source: Source::Directory,
    }
}

/// Where somebody finds it.
pub(crate) fn place(address: &str) -> Place {
    Place::Collection(Tree::AddressBooks, address.to_owned(), SLUG.to_owned())
}

/// Everybody, or those whose cards have these names.
pub(crate) fn items(session: &Session, names: &[String]) -> Items {
    if names.is_empty() {
        return found(session, vec![everybody()]);
    }
    let addresses: Vec<String> =
        names.iter().filter_map(|name| name.strip_suffix(EXTENSION)).map(str::to_owned).collect();
    let requests = addresses.chunks(PAGE).map(|addresses| FindPeopleRequest {
        addresses: addresses.to_vec(),
        members: true,
        ..FindPeopleRequest::default()
    });
    found(session, requests.collect())
}

/// Whoever may match a filter, and others.
pub(crate) fn candidates(session: &Session, filter: &AddressFilter) -> Items {
    let requests = match texts(filter) {
        Some(texts) if texts.len() <= MOST_TEXTS => texts
            .into_iter()
            .map(|prefix| FindPeopleRequest { prefix, anywhere: true, ..everybody() })
            .collect(),
        _ => vec![everybody()],
    };
    found(session, requests)
}

fn everybody() -> FindPeopleRequest {
    FindPeopleRequest { page_size: PAGE as u32, members: true, ..FindPeopleRequest::default() }
}

struct Search {
    session: Session,
    requests: VecDeque<FindPeopleRequest>,
    /// Who was told of already, where there are several requests.
    seen: HashSet<String>,
    is_one: bool,
    left: usize,
}

/// Cards of those whom requests find, page by page, each once, up to a bound.
fn found(session: &Session, requests: Vec<FindPeopleRequest>) -> Items {
    let search = Search {
        session: session.clone(),
        is_one: requests.len() == 1,
        requests: requests.into(),
        seen: HashSet::new(),
        left: MOST_PEOPLE,
    };
    Items::derived(stream::try_unfold(search, |mut search| async {
        let Some(request) = search.requests.pop_front() else { return Ok(None) };
        if search.left == 0 {
            search.requests.clear();
            return Ok(Some((ItemsChunk { too_old: true, ..ItemsChunk::default() }, search)));
        }
        let FindPeopleResponse { mut people, next_page_token } =
            find(&search.session, request.clone()).await?;
        if !next_page_token.is_empty() {
            search.requests.push_front(FindPeopleRequest { page_token: next_page_token, ..request });
        }
        if !search.is_one {
            people.retain(|person| search.seen.insert(person.address.clone()));
        }
        if people.len() > search.left {
            people.truncate(search.left);
            search.requests.push_front(everybody());
        }
        search.left -= people.len();
        let items = people.iter().map(|person| {
            let text = card(person).to_text();
            derived::item(format!("{}{EXTENSION}", person.address), uid(&person.address), &text, 0)
        });
        Ok(Some((ItemsChunk { items: items.collect(), ..ItemsChunk::default() }, search)))
    }))
}

async fn find(session: &Session, request: FindPeopleRequest) -> Result<FindPeopleResponse, StoreError> {
    let request = session.authorize(request).await?;
    Ok(session.store().directory()?.find_people(request).await?.into_inner())
}

/// The card of somebody (RFC 6350 §6.1.4, RFC 6473, RFC 6869), in the version that is given where none is asked for.
fn card(person: &Person) -> VCard {
    let mut card = VCard::new(Version::V4);
    let name = Some(person.display_name.trim()).filter(|name| !name.is_empty()).unwrap_or(&person.address);
    let (kind, parts) = match person.kind.as_str() {
        "group" => ("group", None),
        "room" => ("location", None),
        "equipment" => ("device", None),
        "shared" => ("org", None),
        _ => ("individual", parts(person.display_name.trim())),
    };
    card.properties.push(Property::of_text("FN", name));
    let (family, given) = parts.unwrap_or((name, ""));
    card.properties.push(Property::raw("N", format!("{};{};;;", escape(family), escape(given))));
    card.properties.push(Property::raw("UID", format!("urn:uuid:{}", uid(&person.address))));
    card.properties.push(Property::raw("KIND", kind));
    card.properties.push(Property::of_text("EMAIL", &person.address));
    // Whether a member has a card here is not for the group to say; an address can be written to in any case.
    let members = person.members.iter().map(|member| Property::raw("MEMBER", format!("mailto:{member}")));
    card.properties.extend(members);
    card.converted(Version::V3)
}

/// Family name and given names of a name that is written with a comma, or as `Given Family`. A name of one word is a
/// given one.
fn parts(name: &str) -> Option<(&str, &str)> {
    if name.is_empty() {
        return None;
    }
    let (family, given) = match name.split_once(',') {
        Some((family, given)) => (family, given),
        None => {
            let (given, family) = name.rsplit_once(' ').unwrap_or((name, ""));
            (family, given)
        }
    };
    Some((family.trim(), given.trim()))
}

fn uid(address: &str) -> String {
    uid_of(&["directory", address])
}

/// Texts of which one is in the name or the address of everybody whose card matches; `None` where that cannot be said.
fn texts(filter: &AddressFilter) -> Option<Vec<String>> {
    together(filter.test, filter.properties.iter().map(of_property))
}

fn of_property(filter: &ContactPropFilter) -> Option<Vec<String>> {
    let ContactPropTest::Defined { test, texts, parameters } = &filter.test else { return None };
    let is = |name: &str| filter.name.eq_ignore_ascii_case(name);
    if !["FN", "N", "EMAIL"].iter().any(|name| is(name)) {
        // Cards here have no other property that people search by.
        return [
            "NICKNAME",
            "ORG",
            "TEL",
            "ADR",
            "TITLE",
            "ROLE",
            "NOTE",
            "CATEGORIES",
            "IMPP",
            "URL",
            "BDAY",
        ]
        .iter()
        .any(|name| is(name))
        .then(Vec::new);
    }
    let others = parameters.iter().map(|_| None);
    together(*test, texts.iter().map(of_text).chain(others))
}

fn of_text(text: &TextMatch) -> Option<Vec<String>> {
    if text.negate {
        return None;
    }
    // The parts of a name are put together with semicolons; and how letters beyond ASCII are compared, the database and
    // the collation do not agree on.
    let pieces = text.text.split(|c: char| !c.is_ascii() || c.is_ascii_control() || c == ';');
    let longest = pieces.map(str::trim).max_by_key(|piece| piece.len())?;
    (!longest.is_empty()).then(|| vec![longest.to_ascii_lowercase()])
}

fn together(test: Test, each: impl Iterator<Item = Option<Vec<String>>>) -> Option<Vec<String>> {
    let each: Vec<_> = each.collect();
    if each.is_empty() {
        return None;
    }
    match test {
        Test::AllOf => each.into_iter().flatten().next(),
        Test::AnyOf => {
            let mut all: Vec<String> = each.into_iter().collect::<Option<Vec<_>>>()?.concat();
            all.sort();
            all.dedup();
            Some(all)
        }
    }
}

const SLUG: &str = "directory";
const EXTENSION: &str = ".vcf";
/// As many as the store gives at once.
const PAGE: usize = 1000;
/// In one answer.
const MOST_PEOPLE: usize = 20_000;
const MOST_TEXTS: usize = 8;

#[cfg(test)]
mod tests {
    use kontor_dav_proto::request::Report;
    use kontor_dav_proto::{CARDDAV, Limits};

    use super::*;

    fn person(address: &str, display_name: &str, kind: &str, members: &[&str]) -> Person {
        Person {
            address: address.to_owned(),
            display_name: display_name.to_owned(),
            kind: kind.to_owned(),
            members: members.iter().map(|member| (*member).to_owned()).collect(),
        }
    }

    #[test]
    fn people_groups_and_things_have_cards() {
        let text = card(&person("anna@x.org", "Anna Maria Muster", "user", &[])).to_text();
        assert!(text.contains("FN:Anna Maria Muster\r\nN:Muster;Anna Maria;;;\r\n"), "{text}");
        assert!(
            text.starts_with("BEGIN:VCARD\r\nVERSION:3.0\r\n") && text.contains(":anna@x.org\r\n"),
            "{text}"
        );
        assert!(
            card(&person("a@x", "Muster, Anna", "user", &[])).to_text().contains("\r\nN:Muster;Anna;;;\r\n")
        );
        assert!(card(&person("a@x", "", "user", &[])).to_text().contains("\r\nFN:a@x\r\n"));
        let group = card(&person("all@x", "All", "group", &["a@x", "b@y"]));
        assert!(group.is_group());
        assert!(group.to_text().contains("\r\nX-ADDRESSBOOKSERVER-MEMBER:mailto:b@y\r\n"));
        let four = group.converted(Version::V4).to_text();
        assert!(four.contains("\r\nKIND:group\r\n") && four.contains("\r\nMEMBER:mailto:a@x\r\n"), "{four}");
        let room = card(&person("r@x", "Big Room", "room", &[])).converted(Version::V4).to_text();
        assert!(room.contains("\r\nKIND:location\r\n") && room.contains("\r\nN:Big Room;;;;\r\n"), "{room}");
        let device = card(&person("p@x", "Projector", "equipment", &[]));
        assert!(device.converted(Version::V4).to_text().contains("\r\nKIND:device\r\n"));
    }

    fn texts_of(filter: &str) -> Option<Vec<String>> {
        let (open, rest) = filter.split_at(filter.find("<P").unwrap_or(filter.len()));
        let inner = rest
            .replace("<P ", "<A:prop-filter ")
            .replace("</P>", "</A:prop-filter>")
            .replace("<T", "<A:text-match")
            .replace("</T>", "</A:text-match>");
        let body = format!(
            "<A:addressbook-query xmlns:A='{CARDDAV}'><A:filter {open}>{inner}</A:filter></A:addressbook-query>"
        );
        let Ok(Report::AddressbookQuery(query)) = Report::parse(body.as_bytes(), &Limits::default()) else {
            panic!("{body}")
        };
        texts(&query.filter)
    }

    #[test]
    fn filters_become_searches() {
        let some = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        // What Apple's clients send while somebody types.
        let apple = "<P name='FN'><T>An</T></P><P name='EMAIL'><T>An</T></P><P name='NICKNAME'><T>An</T></P>";
        assert_eq!(texts_of(apple), some(&["an"]));
        assert_eq!(texts_of("test='allof'<P name='FN'><T>An</T></P><P name='EMAIL'/>"), some(&["an"]));
        assert_eq!(texts_of("<P name='FN'><T>An</T></P><P name='EMAIL'/>"), None);
        assert_eq!(texts_of("<P name='FN'><T negate-condition='yes'>An</T></P>"), None);
        assert_eq!(texts_of("<P name='FN'><T>Z\u{fc}rcher</T></P>"), some(&["rcher"]));
        assert_eq!(texts_of("<P name='FN'><T>\u{fc}</T></P>"), None);
        assert_eq!(texts_of("<P name='N'><T>Muster;An</T></P>"), some(&["muster"]));
        assert_eq!(texts_of("<P name='TEL'><T>1</T></P>"), some(&[]));
        assert_eq!(texts_of("<P name='FN' test='allof'><T>b</T><T>an</T></P>"), some(&["b"]));
        assert_eq!(texts_of(""), None);
    }
}
