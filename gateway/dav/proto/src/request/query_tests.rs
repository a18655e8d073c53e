use kontor_model::vcard::Version;

use super::*;
use crate::{CARDDAV, Collation, Precondition, TimeRange};

fn report(body: &str) -> Result<Report, Error> {
    Report::parse(body.as_bytes(), &Limits::default())
}

fn calendar_query(inner: &str) -> Result<CalendarQuery, Error> {
    let body = format!(
        "<C:calendar-query xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'>{inner}</C:calendar-query>"
    );
    report(&body).map(|report| match report {
        Report::CalendarQuery(query) => query,
        other => panic!("{other:?}"),
    })
}

fn filter(inner: &str) -> Result<CompFilter, Error> {
    let inner = format!("<C:filter><C:comp-filter name='VCALENDAR'>{inner}</C:comp-filter></C:filter>");
    calendar_query(&inner).map(|query| query.filter)
}

fn condition<T: std::fmt::Debug>(result: Result<T, Error>) -> Precondition {
    result.unwrap_err().precondition().unwrap()
}

#[test]
fn a_calendar_query_as_thunderbird_sends_it() {
    let query = calendar_query(concat!(
        "<D:prop><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name=\"VCALENDAR\">",
        "<C:comp-filter name=\"VEVENT\"><C:time-range start=\"20260101T000000Z\" end=\"20260201T000000Z\"/>",
        "</C:comp-filter></C:comp-filter></C:filter>"
    ))
    .unwrap();
    assert_eq!(query.properties, PropFind::Listed(vec![Name::dav("getetag"), Name::caldav("calendar-data")]));
    assert_eq!(query.data, Some(CalendarData::default()));
    let CompTest::Defined { components, .. } = &query.filter.test else { panic!() };
    let CompTest::Defined { time_range, .. } = &components[0].test else { panic!() };
    assert_eq!(*time_range, Some(TimeRange { start: Some(1_767_225_600), end: Some(1_769_904_000) }));
    assert!(query.time_zone.is_none());
}

#[test]
fn filters_of_every_kind() {
    let found = filter(concat!(
        "<C:comp-filter name='VTODO'><C:prop-filter name='COMPLETED'><C:is-not-defined/></C:prop-filter>",
        "<C:prop-filter name='STATUS'><C:text-match negate-condition='yes' collation='i;octet'>CANCELLED</C:text-match>",
        "</C:prop-filter><C:prop-filter name='ATTENDEE'><C:param-filter name='PARTSTAT'><C:text-match>NEEDS</C:text-match>",
        "</C:param-filter><C:param-filter name='CN'><C:is-not-defined/></C:param-filter></C:prop-filter>",
        "<C:prop-filter name='DUE'><C:time-range end='20260101T000000Z'/></C:prop-filter>",
        "<C:comp-filter name='VALARM'><C:is-not-defined/></C:comp-filter></C:comp-filter>"
    ))
    .unwrap();
    let CompTest::Defined { components, .. } = found.test else { panic!() };
    let CompTest::Defined { properties, components: alarms, .. } = &components[0].test else { panic!() };
    assert_eq!(properties[0].test, PropTest::NotDefined);
    let PropTest::Defined { value: Some(ValueTest::Text(text)), .. } = &properties[1].test else { panic!() };
    assert!(text.negate && text.collation == Collation::Octet && text.text == "CANCELLED");
    let PropTest::Defined { parameters, .. } = &properties[2].test else { panic!() };
    let ParamTest::Text(text) = &parameters[0].test else { panic!() };
    assert_eq!(text.collation, Collation::AsciiCasemap);
    assert_eq!(parameters[1].test, ParamTest::NotDefined);
    let PropTest::Defined { value: Some(ValueTest::TimeRange(range)), .. } = &properties[3].test else {
        panic!()
    };
    assert_eq!(range.start, None);
    assert_eq!(alarms[0].test, CompTest::NotDefined);
}

#[test]
fn bad_filters_fail_their_precondition() {
    for inner in [
        "<C:comp-filter/>",
        "<C:comp-filter name=''/>",
        "<C:time-range start='20260101T000000Z'/>",
        "<C:comp-filter name='VEVENT'><C:time-range/></C:comp-filter>",
        "<C:comp-filter name='VEVENT'><C:time-range start='20260101'/></C:comp-filter>",
        "<C:comp-filter name='VEVENT'><C:time-range start='20260101T000000'/></C:comp-filter>",
        "<C:comp-filter name='VEVENT'><C:time-range start='20260101T000000Z' end='20260101T000000Z'/></C:comp-filter>",
        "<C:comp-filter name='VEVENT'><C:is-not-defined/><C:prop-filter name='UID'/></C:comp-filter>",
        "<C:prop-filter name='UID'><C:is-not-defined/><C:text-match>x</C:text-match></C:prop-filter>",
        "<C:prop-filter name='UID'><C:time-range start='20260101T000000Z'/><C:text-match>x</C:text-match></C:prop-filter>",
    ] {
        assert_eq!(condition(filter(inner)), Precondition::ValidFilter, "{inner}");
    }
    assert_eq!(condition(calendar_query("")), Precondition::ValidFilter);
    let event = "<C:filter><C:comp-filter name='VEVENT'/></C:filter>";
    assert_eq!(condition(calendar_query(event)), Precondition::ValidFilter);
    let collation =
        "<C:prop-filter name='UID'><C:text-match collation='i;x'>x</C:text-match></C:prop-filter>";
    assert_eq!(condition(filter(collation)), Precondition::SupportedCollation);
    let many = "<C:prop-filter name='UID'/>".repeat(300);
    assert_eq!(filter(&many), Err(Error::Limit { what: "filters", limit: 200 }));
}

const ANY: &str = "<C:filter><C:comp-filter name='VCALENDAR'/></C:filter>";

fn calendar_data(data: &str) -> Result<CalendarData, Error> {
    calendar_query(&format!("<D:prop>{data}</D:prop>{ANY}")).map(|query| query.data.unwrap())
}

#[test]
fn calendar_data_is_selected() {
    let data = calendar_data(concat!(
        "<C:calendar-data content-type='text/calendar' version='2.0'><C:comp name='VCALENDAR'><C:prop name='VERSION'/>",
        "<C:comp name='VEVENT'><C:prop name='UID'/><C:prop name='SUMMARY' novalue='yes'/></C:comp>",
        "<C:comp name='VTIMEZONE'/></C:comp><C:limit-recurrence-set start='20260101T000000Z' end='20260201T000000Z'/>",
        "<C:limit-freebusy-set start='20260101T000000Z' end='20260201T000000Z'/></C:calendar-data>"
    ))
    .unwrap();
    let range = 1_767_225_600..1_769_904_000;
    assert_eq!(data.recurrence, Some(RecurrenceSelection::Limit(range.clone())));
    assert_eq!(data.limit_freebusy_set, Some(range));
    let comp = data.comp.unwrap();
    let (Selected::Listed(properties), Selected::Listed(components)) = (comp.properties, comp.components)
    else {
        panic!()
    };
    assert_eq!(properties, [PropSelection { name: "VERSION".into(), no_value: false }]);
    let Selected::Listed(of_event) = &components[0].properties else { panic!() };
    assert!(of_event[1].no_value);
    assert_eq!(components[1].properties, Selected::All);
}

#[test]
fn bad_calendar_data_is_refused() {
    let range = "start='20260101T000000Z' end='20260201T000000Z'";
    for data in [
        "<C:calendar-data><C:expand start='20260101T000000Z'/></C:calendar-data>".to_owned(),
        "<C:calendar-data><C:expand/></C:calendar-data>".to_owned(),
        format!("<C:calendar-data><C:expand {range}/><C:limit-recurrence-set {range}/></C:calendar-data>"),
        "<C:calendar-data><C:comp name='VEVENT'/></C:calendar-data>".to_owned(),
        "<C:calendar-data><C:comp/></C:calendar-data>".to_owned(),
        "<C:calendar-data><C:comp name='VCALENDAR'><C:prop name='X' novalue='x'/></C:comp></C:calendar-data>"
            .to_owned(),
    ] {
        assert_eq!(calendar_data(&data).unwrap_err().status(), 400, "{data}");
    }
    for data in
        ["<C:calendar-data content-type='application/calendar+json'/>", "<C:calendar-data version='1.0'/>"]
    {
        assert_eq!(condition(calendar_data(data)), Precondition::SupportedCalendarData);
    }
}

#[test]
fn time_zones_of_queries() {
    let zone = |inner: &str| calendar_query(&format!("{ANY}{inner}")).map(|query| query.time_zone);
    let text = concat!(
        "<C:timezone>BEGIN:VCALENDAR&#13;\nVERSION:2.0\nBEGIN:VTIMEZONE\nTZID:Mine\nBEGIN:STANDARD\n",
        "DTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0130\nEND:STANDARD\nEND:VTIMEZONE\nEND:VCALENDAR\n",
        "</C:timezone>"
    );
    assert_eq!(zone(text).unwrap().unwrap().offset_at(1_000_000), 5_400);
    assert_eq!(condition(zone("<C:timezone>x</C:timezone>")), Precondition::ValidCalendarData);
    let id = zone("<C:timezone-id>Europe/Berlin</C:timezone-id>").unwrap().unwrap();
    assert_eq!(id.id(), "Europe/Berlin");
    assert_eq!(condition(zone("<C:timezone-id>Nowhere</C:timezone-id>")), Precondition::ValidTimezone);
}

#[test]
fn multigets_hold_hrefs() {
    // DAVx5
    let body = concat!(
        "<?xml version='1.0' encoding='UTF-8' ?><CAL:calendar-multiget xmlns=\"DAV:\" ",
        "xmlns:CAL=\"urn:ietf:params:xml:ns:caldav\"><prop><getcontenttype /><getetag /><CAL:schedule-tag /><CAL:calendar-data />",
        "</prop><href>/dav/joe/c/1.ics</href><href>\n/dav/joe/c/a%20b.ics </href></CAL:calendar-multiget>"
    );
    let Ok(Report::CalendarMultiget(get)) = report(body) else { panic!() };
    assert_eq!(get.hrefs, ["/dav/joe/c/1.ics", "/dav/joe/c/a%20b.ics"]);
    assert!(get.data.is_some() && get.properties.lists(&Name::caldav("schedule-tag")));
    let body = concat!(
        "<CR:addressbook-multiget xmlns:D='DAV:' xmlns:CR='urn:ietf:params:xml:ns:carddav'><D:prop><D:getetag/>",
        "<CR:address-data content-type='text/vcard' version='4.0'/></D:prop><D:href>/b/1.vcf</D:href></CR:addressbook-multiget>"
    );
    let Ok(Report::AddressbookMultiget(get)) = report(body) else { panic!() };
    assert_eq!(get.data, Some(AddressData { version: Some(Version::V4), properties: Selected::All }));
    for body in [
        "<calendar-multiget xmlns='urn:ietf:params:xml:ns:caldav'/>",
        "<calendar-multiget xmlns='urn:ietf:params:xml:ns:caldav'><href xmlns='DAV:'/></calendar-multiget>",
    ] {
        assert_eq!(report(body).unwrap_err().status(), 400);
    }
    let limits = Limits { hrefs: 1, ..Limits::default() };
    let body = body.replace("</D:prop>", "</D:prop><D:href>/b/2.vcf</D:href>");
    assert_eq!(
        Report::parse(body.as_bytes(), &limits).unwrap_err(),
        Error::Limit { what: "hrefs", limit: 1 }
    );
}

#[test]
fn free_busy_needs_a_range() {
    let body = |inner: &str| {
        format!("<free-busy-query xmlns='urn:ietf:params:xml:ns:caldav'>{inner}</free-busy-query>")
    };
    let Ok(Report::FreeBusyQuery(query)) = report(&body("<time-range start='19700101T000010Z'/>")) else {
        panic!()
    };
    assert_eq!(query.range, TimeRange { start: Some(10), end: None });
    assert_eq!(report(&body("")).unwrap_err().status(), 400);
}

#[test]
fn addressbook_queries() {
    let body = |inner: &str| {
        format!("<A:addressbook-query xmlns:D='DAV:' xmlns:A='{CARDDAV}'>{inner}</A:addressbook-query>")
    };
    // Evolution
    let Ok(Report::AddressbookQuery(query)) = report(&body(concat!(
        "<D:prop><D:getetag/><A:address-data><A:prop name='VERSION'/><A:prop name='home.TEL' novalue='yes'/>",
        "</A:address-data></D:prop><A:filter test='allof'><A:prop-filter name='FN' test='anyof'>",
        "<A:text-match collation='i;unicode-casemap' match-type='starts-with'>M</A:text-match>",
        "<A:text-match match-type='equals' negate-condition='yes'>x</A:text-match>",
        "<A:param-filter name='TYPE'><A:text-match>home</A:text-match></A:param-filter></A:prop-filter>",
        "<A:prop-filter name='NICKNAME'><A:is-not-defined/></A:prop-filter></A:filter>",
        "<A:limit><A:nresults>50</A:nresults></A:limit>"
    ))) else {
        panic!()
    };
    assert_eq!((query.limit, query.filter.test), (Some(50), Test::AllOf));
    let Selected::Listed(properties) = query.data.unwrap().properties else { panic!() };
    assert_eq!(properties[1], PropSelection { name: "home.TEL".into(), no_value: true });
    let ContactPropTest::Defined { test, texts, parameters } = &query.filter.properties[0].test else {
        panic!()
    };
    assert_eq!((*test, texts.len(), parameters.len()), (Test::AnyOf, 2, 1));
    assert_eq!(texts[0].match_type, MatchType::StartsWith);
    assert_eq!(texts[1].collation, Collation::UnicodeCasemap);
    assert_eq!(query.filter.properties[1].test, ContactPropTest::NotDefined);

    let Ok(Report::AddressbookQuery(query)) = report(&body("<A:filter/>")) else { panic!() };
    assert_eq!(query.filter, AddressFilter::default());
    for inner in [
        "",
        "<A:filter test='some'/>",
        "<A:filter><A:prop-filter/></A:filter>",
        "<A:filter><A:prop-filter name='FN'><A:text-match match-type='x'/></A:prop-filter></A:filter>",
        "<A:filter/><A:limit><A:nresults>0</A:nresults></A:limit>",
        "<A:filter/><A:limit><A:nresults>-1</A:nresults></A:limit>",
        "<A:filter/><A:limit/>",
    ] {
        assert_eq!(report(&body(inner)).unwrap_err().status(), 400, "{inner}");
    }
    let collation =
        "<A:filter><A:prop-filter name='FN'><A:text-match collation='x'/></A:prop-filter></A:filter>";
    assert_eq!(condition(report(&body(collation))), Precondition::SupportedAddressCollation);
    let data = "<D:prop><A:address-data content-type='text/x-vcard' version='2.1'/></D:prop><A:filter/>";
    assert_eq!(condition(report(&body(data))), Precondition::SupportedAddressData);
}

#[test]
fn sync_collections() {
    let body = |inner: &str| format!("<d:sync-collection xmlns:d='DAV:'>{inner}</d:sync-collection>");
    let sync = |inner: &str| match report(&body(inner)) {
        Ok(Report::SyncCollection(sync)) => Ok(sync),
        Ok(_) => panic!(),
        Err(error) => Err(error),
    };
    let found = sync(concat!(
        "<d:sync-token>http://x/7</d:sync-token><d:sync-level>1</d:sync-level><d:limit><d:nresults>100</d:nresults>",
        "</d:limit><d:prop><d:getetag/></d:prop>"
    ))
    .unwrap();
    assert_eq!(
        (found.token.as_deref(), found.level, found.limit),
        (Some("http://x/7"), Some(SyncLevel::One), Some(100))
    );
    let first = sync("<d:sync-token></d:sync-token><d:sync-level>infinite</d:sync-level><d:prop/>").unwrap();
    assert_eq!((first.token, first.level), (None, Some(SyncLevel::Infinite)));
    assert_eq!(sync("<d:sync-token/>").unwrap().level, None);
    assert_eq!(sync("").unwrap_err().status(), 400);
    assert_eq!(sync("<d:sync-token/><d:sync-level>2</d:sync-level>").unwrap_err().status(), 400);
    let long = format!("<d:sync-token>{}</d:sync-token>", "a".repeat(9_000));
    assert_eq!(condition(sync(&long)), Precondition::ValidSyncToken);
}

#[test]
fn principals_are_searched() {
    let body = concat!(
        "<D:principal-property-search xmlns:D='DAV:' test='anyof'><D:property-search><D:prop><D:displayname/></D:prop>",
        "<D:match match-type='starts-with'>joe</D:match></D:property-search><D:prop><D:displayname/></D:prop>",
        "<D:apply-to-principal-collection-set/></D:principal-property-search>"
    );
    let Ok(Report::PrincipalPropertySearch(search)) = report(body) else { panic!() };
    assert!(search.test == Test::AnyOf && search.in_principal_collections);
    assert_eq!(search.searches[0].match_type, MatchType::StartsWith);
    let Ok(Report::PrincipalPropertySearch(search)) = report(&body.replace(" test='anyof'", "")) else {
        panic!()
    };
    assert_eq!(search.test, Test::AllOf);
    assert_eq!(report("<principal-property-search xmlns='DAV:'/>").unwrap_err().status(), 400);

    let body = "<D:principal-match xmlns:D='DAV:'><D:principal-property><D:owner/></D:principal-property></D:principal-match>";
    let Ok(Report::PrincipalMatch(found)) = report(body) else { panic!() };
    assert_eq!(found.who, Who::Property(Name::dav("owner")));
    assert!(report("<principal-match xmlns='DAV:'/>").is_err());
    assert!(report("<principal-match xmlns='DAV:'><self/></principal-match>").is_ok());

    let body = concat!(
        "<C:calendarserver-principal-search xmlns:C='http://calendarserver.org/ns/' context='attendee'>",
        "<C:search-token>joe</C:search-token><C:limit><C:nresults>50</C:nresults></C:limit>",
        "<prop xmlns='DAV:'><displayname/></prop></C:calendarserver-principal-search>"
    );
    let Ok(Report::CalendarServerPrincipalSearch(search)) = report(body) else { panic!() };
    assert_eq!(
        (search.tokens, search.context.as_deref(), search.limit),
        (vec!["joe".to_owned()], Some("attendee"), Some(50))
    );
}

#[test]
fn properties_are_expanded() {
    let body = concat!(
        "<A:expand-property xmlns:A='DAV:'><A:property name='calendar-proxy-read-for' ",
        "namespace='http://calendarserver.org/ns/'><A:property name='email-address-set' ",
        "namespace='http://calendarserver.org/ns/'/><A:property name='displayname' namespace='DAV:'/></A:property>",
        "<A:property name='owner'/></A:expand-property>"
    );
    let Ok(Report::ExpandProperty(properties)) = report(body) else { panic!() };
    assert_eq!(properties[0].name, Name::calendarserver("calendar-proxy-read-for"));
    assert_eq!(properties[0].properties[1].name, Name::dav("displayname"));
    assert_eq!(properties[1].name, Name::dav("owner"));
    for property in ["<property/>", "<property name='a b'/>", "<property name='a:b'/>"] {
        let body = format!("<expand-property xmlns='DAV:'>{property}</expand-property>");
        assert_eq!(report(&body).unwrap_err().status(), 400);
    }
}

#[test]
fn reports_have_names() {
    for local in ["principal-search-property-set", "acl-principal-prop-set"] {
        let body = format!("<D:{local} xmlns:D='DAV:'/>");
        assert_eq!(report(&body).unwrap().name().local(), local);
    }
    assert_eq!(condition(report("<x xmlns='DAV:'/>")), Precondition::SupportedReport);
    assert_eq!(condition(report("<calendar-query/>")), Precondition::SupportedReport);
    assert_eq!(report("").unwrap_err().status(), 400);
}
