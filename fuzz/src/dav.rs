//! Any bytes as the body and as the headers of a WebDAV request; queries are asked about an object.
#![no_main]

use std::sync::LazyLock;

use kontor_dav_proto::header::{self, Depth, ETag, ETagList, If, Prefer, Timeout};
use kontor_dav_proto::request::{
    Acl, CalendarData, InviteReply, LockInfo, PropFind, PropertyUpdate, Report, Share, mkcalendar, mkcol,
};
use kontor_dav_proto::{Element, Href, Limits, Reference, SourceUrl};
use kontor_model::icalendar::{self, Component};
use kontor_model::time_zone::TimeZone;
use kontor_model::vcard::{self, VCard};
use libfuzzer_sys::fuzz_target;

static CALENDAR: LazyLock<Component> = LazyLock::new(|| {
    let text = include_bytes!("../seeds/icalendar/recurring.ics");
    Component::parse(text, &icalendar::Limits::default()).expect("the seed is a calendar")
});

static CARD: LazyLock<VCard> = LazyLock::new(|| {
    let text = include_bytes!("../seeds/vcard/three.vcf");
    VCard::parse(text, &vcard::Limits::default()).expect("the seed is a card")
});

fn select(data: Option<&CalendarData>, zone: &TimeZone) {
    if let Some(Ok(selected)) = data.map(|data| data.select(&CALENDAR, zone)) {
        let _ = selected.to_string();
    }
}

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    if let Ok(element) = Element::parse(data, &limits) {
        // What is written declares more namespaces.
        let wide = Limits { attributes: 200, ..limits };
        let text = element.to_string();
        assert_eq!(Element::parse(text.as_bytes(), &wide).as_ref(), Ok(&element), "{text}");
    }
    let _ = (PropFind::parse(data, &limits), PropertyUpdate::parse(data, &limits), Acl::parse(data, &limits));
    let _ = (mkcol(data, &limits), mkcalendar(data, &limits), LockInfo::parse(data, &limits));
    let _ = (Share::parse(data, &limits), InviteReply::parse(data, &limits));
    let utc = TimeZone::utc();
    match Report::parse(data, &limits) {
        Ok(Report::CalendarQuery(query)) => {
            let zone = query.time_zone.as_ref().unwrap_or(&utc);
            query.filter.matches(&CALENDAR, zone);
            select(query.data.as_ref(), zone);
        }
        Ok(Report::CalendarMultiget(get)) => select(get.data.as_ref(), &utc),
        Ok(Report::AddressbookQuery(query)) => {
            query.filter.matches(&CARD);
            let _ = query.data.map(|data| data.select(&CARD).to_text());
        }
        _ => {}
    }

    let Ok(value) = std::str::from_utf8(data) else { return };
    if let Ok(header) = If::parse(value, &limits) {
        assert!(!header.lists.is_empty());
        header.holds(|_, _| true);
    }
    if let Ok(ETagList::Tags(tags)) = ETagList::parse(value, &limits) {
        for tag in tags {
            assert_eq!(ETag::parse(&tag.to_string(), &limits), Ok(tag));
        }
    }
    if let Ok(href) = Href::parse(value, &limits) {
        let wide = Limits { href: limits.href * 4, ..limits };
        assert_eq!(Href::parse(&href.to_string(), &wide), Ok(href));
    }
    if let Ok(url) = SourceUrl::parse(value) {
        // Encoding may make it longer than what is read.
        if let Ok(again) = SourceUrl::parse(&url.to_string()) {
            assert_eq!(again, url);
        }
        let _ = url.join(value);
    }
    let _ =
        (Reference::parse(value, &limits), Depth::parse(value), Prefer::parse(value), Timeout::parse(value));
    if let header::Part::Octets(part) = header::range(value, 1000) {
        assert!(part.start < part.end && part.end <= 1000);
    }
    let _ = (header::if_range(value, &ETag::strong("a"), &limits), header::caldav_timezones(value));
    let _ = (header::lock_token(value, &limits), header::if_schedule_tag_match(value, &limits));
});
