use proptest::prelude::*;

use super::*;
use crate::{APPLE, Precondition, XML};

fn limits() -> Limits {
    Limits::default()
}

fn propfind(body: &str) -> Result<PropFind, Error> {
    PropFind::parse(body.as_bytes(), &limits())
}

#[test]
fn propfind_in_its_forms() {
    let all = |include| Ok(PropFind::All { include });
    assert_eq!(propfind(""), all(vec![]));
    assert_eq!(propfind(" \r\n"), all(vec![]));
    // cadaver
    let cadaver =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<propfind xmlns=\"DAV:\"><allprop/></propfind>\n";
    assert_eq!(propfind(cadaver), all(vec![]));
    let include = "<D:propfind xmlns:D='DAV:'><D:allprop/><D:include><D:supported-report-set/></D:include></D:propfind>";
    assert_eq!(propfind(include), all(vec![Name::dav("supported-report-set")]));
    assert_eq!(propfind("<propfind xmlns='DAV:'><propname/><x xmlns='y'/></propfind>"), Ok(PropFind::Names));
    // Apple
    let apple = concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<A:propfind xmlns:A=\"DAV:\">\n  <A:prop>\n",
        "    <A:current-user-principal/>\n    <B:calendar-home-set xmlns:B=\"urn:ietf:params:xml:ns:caldav\"/>\n",
        "    <E:calendar-color xmlns:E=\"http://apple.com/ns/ical/\"/>\n  </A:prop>\n</A:propfind>\n"
    );
    let PropFind::Listed(names) = propfind(apple).unwrap() else { panic!() };
    let wanted = [
        Name::dav("current-user-principal"),
        Name::caldav("calendar-home-set"),
        Name::known(APPLE, "calendar-color"),
    ];
    assert_eq!(names, wanted);
    assert!(PropFind::Listed(names).lists(&Name::caldav("calendar-home-set")));
    // DAVx5
    let davx5 = concat!(
        "<?xml version='1.0' encoding='UTF-8' ?><propfind xmlns=\"DAV:\" xmlns:CAL=\"urn:ietf:params:xml:ns:caldav\" ",
        "xmlns:CARD=\"urn:ietf:params:xml:ns:carddav\"><prop><resourcetype /><CARD:addressbook-home-set /></prop></propfind>"
    );
    assert_eq!(
        propfind(davx5),
        Ok(PropFind::Listed(vec![Name::dav("resourcetype"), Name::carddav("addressbook-home-set")]))
    );
    assert_eq!(propfind("<propfind xmlns='DAV:'><prop/></propfind>"), Ok(PropFind::Listed(vec![])));
}

#[test]
fn bad_propfinds_are_refused() {
    for body in [
        "<propfind xmlns='DAV:'/>",
        "<propfind/>",
        "<propfind xmlns='DAV:'><allprop/><prop/></propfind>",
        "<propfind xmlns='DAV:'><prop/><propname/></propfind>",
        "<prop xmlns='DAV:'/>",
        "<propfind xmlns='DAV:'><prop><b:foo xmlns:b=''/></prop></propfind>",
        "<propfind xmlns='DAV:'><prop>",
    ] {
        assert_eq!(propfind(body).unwrap_err().status(), 400, "{body}");
    }
    let many: String = (0..1001).map(|i| format!("<p{i}/>")).collect();
    let body = format!("<propfind xmlns='DAV:'><prop>{many}</prop></propfind>");
    assert_eq!(propfind(&body), Err(Error::Limit { what: "properties", limit: 1000 }));
}

#[test]
fn proppatch_keeps_the_order_and_the_language() {
    let body = concat!(
        "<D:propertyupdate xmlns:D='DAV:' xmlns:Z='urn:z' xml:lang='en'>",
        "<D:set><D:prop><Z:a>1</Z:a><Z:b xml:lang='fr'>2</Z:b></D:prop></D:set>",
        "<D:remove><D:prop><Z:a/><D:displayname/></D:prop></D:remove>",
        "<D:set><D:prop xml:lang='de'><Z:c><Z:d> x </Z:d></Z:c></D:prop></D:set></D:propertyupdate>"
    );
    let update = PropertyUpdate::parse(body.as_bytes(), &limits()).unwrap();
    let names: Vec<_> = update.changes.iter().map(|change| change.name().local()).collect();
    assert_eq!(names, ["a", "b", "a", "displayname", "c"]);
    let language = |at: usize| match &update.changes[at] {
        PropertyChange::Set(property) => property.language().map(str::to_owned),
        PropertyChange::Remove(_) => None,
    };
    assert_eq!(
        [language(0), language(1), language(2), language(4)].map(Option::unwrap_or_default),
        ["en", "fr", "", "de"]
    );
    let PropertyChange::Set(nested) = &update.changes[4] else { panic!() };
    assert_eq!(nested.first("urn:z", "d").unwrap().text(), " x ");
    for body in ["", "<D:propertyupdate xmlns:D='DAV:'/>", "<D:propfind xmlns:D='DAV:'/>"] {
        assert_eq!(PropertyUpdate::parse(body.as_bytes(), &limits()).unwrap_err().status(), 400);
    }
}

#[test]
fn collections_are_made() {
    // Evolution
    let body = concat!(
        "<mkcol xmlns=\"DAV:\" xmlns:A=\"urn:ietf:params:xml:ns:carddav\"><set><prop><resourcetype><collection/>",
        "<A:addressbook/></resourcetype><displayname>Friends</displayname></prop></set></mkcol>"
    );
    let made = mkcol(body.as_bytes(), &limits()).unwrap();
    assert_eq!(made.resource_types, [Name::dav("collection"), Name::carddav("addressbook")]);
    assert_eq!(made.properties, [Element::new(Name::dav("displayname")).with_text("Friends")]);
    assert_eq!(mkcol(b"", &limits()), Ok(MakeCollection::default()));
    assert_eq!(mkcol(b"<x/>", &limits()).unwrap_err().status(), 415);
    let removes = b"<mkcol xmlns='DAV:'><remove><prop/></remove></mkcol>";
    assert_eq!(mkcol(removes, &limits()).unwrap_err().status(), 400);
}

#[test]
fn calendars_are_made() {
    // Apple
    let body = concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<B:mkcalendar xmlns:B=\"urn:ietf:params:xml:ns:caldav\">\n",
        "  <A:set xmlns:A=\"DAV:\">\n    <A:prop>\n      <B:supported-calendar-component-set>\n",
        "        <B:comp name=\"VEVENT\"/>\n      </B:supported-calendar-component-set>\n",
        "      <D:calendar-order xmlns:D=\"http://apple.com/ns/ical/\">2</D:calendar-order>\n",
        "    </A:prop>\n  </A:set>\n</B:mkcalendar>\n"
    );
    let made = mkcalendar(body.as_bytes(), &limits()).unwrap();
    let names: Vec<_> = made.properties.iter().map(|property| property.name.local()).collect();
    assert_eq!(names, ["supported-calendar-component-set", "calendar-order"]);
    assert_eq!(made.resource_types.len(), 2);
    assert_eq!(mkcalendar(b"", &limits()).unwrap().resource_types, made.resource_types);
    assert_eq!(mkcalendar(b"<mkcol xmlns='DAV:'/>", &limits()).unwrap_err().status(), 400);
}

#[test]
fn locks_are_asked_for() {
    // cadaver
    let body = concat!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<lockinfo xmlns='DAV:'>\n <lockscope><exclusive/></lockscope>\n",
        "<locktype><write/></locktype><owner><href>mailto:joe@x</href></owner>\n</lockinfo>\n"
    );
    let lock = LockInfo::parse(body.as_bytes(), &limits()).unwrap().unwrap();
    assert_eq!(lock.scope, LockScope::Exclusive);
    assert_eq!(lock.owner.unwrap().first(DAV, "href").unwrap().text(), "mailto:joe@x");
    assert_eq!(LockInfo::parse(b"", &limits()), Ok(None));
    let status = |body: &str| LockInfo::parse(body.as_bytes(), &limits()).unwrap_err().status();
    assert_eq!(status("<lockinfo xmlns='DAV:'/>"), 400);
    let both = "<lockinfo xmlns='DAV:'><lockscope><shared/><exclusive/></lockscope><locktype><write/></locktype></lockinfo>";
    assert_eq!(status(both), 422);
    assert_eq!(status("<lockinfo xmlns='DAV:'><lockscope><shared/></lockscope><locktype/></lockinfo>"), 422);
}

#[test]
fn acls_are_read() {
    let body = concat!(
        "<D:acl xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:ace><D:principal><D:href>/p/joe/</D:href>",
        "</D:principal><D:grant><D:privilege><D:read/></D:privilege><D:privilege><C:read-free-busy/></D:privilege>",
        "</D:grant></D:ace><D:ace><D:invert><D:principal><D:property><D:owner/></D:property></D:principal></D:invert>",
        "<D:deny><D:privilege><D:all/></D:privilege></D:deny><D:protected/><D:inherited><D:href>/</D:href></D:inherited>",
        "</D:ace></D:acl>"
    );
    let acl = Acl::parse(body.as_bytes(), &limits()).unwrap();
    let [first, second] = acl.aces.as_slice() else { panic!() };
    assert_eq!(first.principal, AcePrincipal::Href("/p/joe/".into()));
    assert_eq!(first.privileges, [Name::dav("read"), Name::caldav("read-free-busy")]);
    assert!(first.grant && !first.invert && !first.protected);
    assert_eq!(second.principal, AcePrincipal::Property(Name::dav("owner")));
    assert!(!second.grant && second.invert && second.protected);
    assert_eq!(second.inherited.as_deref(), Some("/"));
    assert_eq!(Acl::parse(b"<acl xmlns='DAV:'/>", &limits()), Ok(Acl::default()));
    let ace =
        |inner: &str| Acl::parse(format!("<acl xmlns='DAV:'><ace>{inner}</ace></acl>").as_bytes(), &limits());
    assert!(ace("<principal><self/></principal><grant><privilege><read/></privilege></grant>").is_ok());
    for bad in [
        "<grant><privilege><read/></privilege></grant>",
        "<principal><all/><self/></principal><grant><privilege><read/></privilege></grant>",
        "<principal><x/></principal><grant><privilege><read/></privilege></grant>",
        "<principal><all/></principal>",
        "<principal><all/></principal><grant/>",
        "<principal><all/></principal><grant><privilege/></grant>",
        "<principal><all/></principal><grant><privilege><read/></privilege></grant><deny/>",
    ] {
        assert_eq!(ace(bad).unwrap_err().status(), 400, "{bad}");
    }
}

#[test]
fn shares_are_read() {
    let body = concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><CS:share xmlns:D=\"DAV:\" xmlns:CS=\"http://calendarserver.org/ns/\">",
        "<CS:set><D:href>mailto:ann@x</D:href><CS:common-name>Ann</CS:common-name><CS:summary>Team</CS:summary>",
        "<CS:read-write/></CS:set><CS:remove><D:href>mailto:bob@x</D:href></CS:remove></CS:share>"
    );
    let share = Share::parse(body.as_bytes(), &limits()).unwrap();
    let ann = Sharee {
        href: "mailto:ann@x".into(),
        common_name: Some("Ann".into()),
        summary: Some("Team".into()),
        access: ShareAccess::ReadWrite,
    };
    assert_eq!(share.changes, [ShareChange::Set(ann), ShareChange::Remove("mailto:bob@x".into())]);
    let reply = concat!(
        "<CS:invite-reply xmlns:D='DAV:' xmlns:CS='http://calendarserver.org/ns/'><D:href>mailto:ann@x</D:href>",
        "<CS:invite-accepted/><CS:hosturl><D:href>/c/1/</D:href></CS:hosturl><CS:in-reply-to>7</CS:in-reply-to>",
        "</CS:invite-reply>"
    );
    let reply = InviteReply::parse(reply.as_bytes(), &limits()).unwrap();
    assert!(reply.accepted && reply.host_url == "/c/1/" && reply.in_reply_to.as_deref() == Some("7"));
    assert!(Share::parse(b"<share xmlns='http://calendarserver.org/ns/'/>", &limits()).is_err());
    assert_eq!(Share::parse(b"<x/>", &limits()).unwrap_err().status(), 422);
}

#[test]
fn every_body_is_bounded_and_without_a_doctype() {
    let doctype = b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>";
    let large = vec![b' '; limits().body + 1];
    for (body, status) in [(&doctype[..], 403), (&large, 413), (&b"<a"[..], 400), (&b"\xff"[..], 415)] {
        let errors = [
            PropFind::parse(body, &limits()).unwrap_err(),
            PropertyUpdate::parse(body, &limits()).unwrap_err(),
            mkcol(body, &limits()).unwrap_err(),
            mkcalendar(body, &limits()).unwrap_err(),
            LockInfo::parse(body, &limits()).unwrap_err(),
            Acl::parse(body, &limits()).unwrap_err(),
            Share::parse(body, &limits()).unwrap_err(),
            Report::parse(body, &limits()).unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.status() == status), "{errors:?}");
    }
    assert_eq!(
        propfind("<!DOCTYPE x><x/>").unwrap_err().precondition(),
        Some(Precondition::NoExternalEntities)
    );
    assert_eq!(Name::new(XML, "lang").unwrap().namespace(), XML);
}

/// Trees of the names that requests are made of.
fn any_body() -> impl Strategy<Value = Element> {
    const LOCALS: [&str; 34] = [
        "propfind",
        "prop",
        "set",
        "remove",
        "propertyupdate",
        "acl",
        "ace",
        "principal",
        "grant",
        "privilege",
        "href",
        "calendar-query",
        "filter",
        "comp-filter",
        "prop-filter",
        "param-filter",
        "text-match",
        "time-range",
        "is-not-defined",
        "calendar-data",
        "comp",
        "expand",
        "timezone",
        "addressbook-query",
        "address-data",
        "limit",
        "nresults",
        "sync-collection",
        "sync-token",
        "sync-level",
        "property",
        "expand-property",
        "lockinfo",
        "share",
    ];
    const ATTRIBUTES: [&str; 8] =
        ["name", "start", "end", "collation", "test", "match-type", "negate-condition", "novalue"];
    const VALUES: [&str; 9] =
        ["VCALENDAR", "VEVENT", "20260101T000000Z", "20270101T000000Z", "i;octet", "yes", "anyof", "", "1"];
    let namespace = prop::sample::select(vec![DAV, crate::CALDAV, crate::CARDDAV, crate::CALENDARSERVER]);
    let name =
        (namespace, prop::sample::select(&LOCALS[..])).prop_map(|(ns, local)| Name::new(ns, local).unwrap());
    let attributes = prop::collection::vec(
        (prop::sample::select(&ATTRIBUTES[..]), prop::sample::select(&VALUES[..])),
        0..3,
    );
    let leaf = (name, attributes, prop::sample::select(&VALUES[..])).prop_map(|(name, attributes, text)| {
        let each = |element: Element, (name, value)| {
            if element.attribute(name).is_some() {
                element
            } else {
                element.with_attribute(Name::known("", name), value)
            }
        };
        attributes.into_iter().fold(Element::new(name).with_text(text), each)
    });
    leaf.prop_recursive(5, 30, 5, |inner| {
        (inner.clone(), prop::collection::vec(inner, 0..5))
            .prop_map(|(root, children)| root.with_all(children))
    })
}

proptest! {
    #[test]
    fn no_body_panics(body in any_body()) {
        let body = body.to_string();
        let (body, limits) = (body.as_bytes(), limits());
        let _ = (PropFind::parse(body, &limits), PropertyUpdate::parse(body, &limits), Acl::parse(body, &limits));
        let _ = (mkcol(body, &limits), mkcalendar(body, &limits), LockInfo::parse(body, &limits));
        let _ = (Report::parse(body, &limits), Share::parse(body, &limits), InviteReply::parse(body, &limits));
    }
}
