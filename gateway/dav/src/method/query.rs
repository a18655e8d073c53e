//! Reports that ask for items by what is in them or by their names (RFC 4791 §7.8, §7.9, RFC 6352 §8.6, §8.7).

use std::collections::HashMap;

use kontor_dav_proto::request::{
    AddressData, AddressFilter, AddressbookQuery, CalendarData, CalendarQuery, CompFilter, CompTest, PropFind,
};
use kontor_dav_proto::response::{Multistatus, Response};
use kontor_dav_proto::{Precondition, Reference, TimeRange};
use kontor_model::time_zone::TimeZone;
use kontor_storage_client::proto::{Item, ItemsRequest, TimeRange as Window};

use super::propfind::Members;
use crate::answer::{Answer, Failure};
use crate::call::Call;
use crate::derived::Source;
use crate::directory;
use crate::home::Collection;
use crate::item::{calendar, card, text};
use crate::listing::{Lister, cut_off, list};
use crate::place::Place;
use crate::property::Wanted;

pub(super) fn wanted(
    call: &Call<'_>,
    properties: PropFind,
    calendar_data: Option<CalendarData>,
    address_data: Option<AddressData>,
) -> Result<Wanted, Failure> {
    let (minimal, without_zones) = (call.prefer().is_minimal(), call.without_zones()?);
    Ok(Wanted { properties, calendar_data, address_data, minimal, without_zones })
}

pub(super) async fn calendar_query(
    call: &Call<'_>,
    collection: Collection,
    asked: CalendarQuery,
) -> Result<Answer, Failure> {
    let wanted = wanted(call, asked.properties, asked.data, None)?;
    let is_all = matches_everything(&asked.filter, &collection);
    let request = ItemsRequest {
        body: wanted.needs_body() || !is_all,
        window: window(&asked.filter),
        ..ItemsRequest::default()
    };
    let items = call.items(&collection, request).await?;
    let members = Members::new(call, collection, wanted);
    if is_all {
        return list(items, members, Multistatus::new()).await;
    }
    let floating = asked.time_zone.unwrap_or_else(|| members.floating().clone());
    list(items, Matching { members, filter: asked.filter, floating }, Multistatus::new()).await
}

/// Whether a filter lets every object pass that the collection can hold: no object need be looked at then.
fn matches_everything(filter: &CompFilter, collection: &Collection) -> bool {
    let components = collection.components();
    let is_bare = |test: &CompTest| match test {
        CompTest::Defined { time_range: None, properties, components } => {
            properties.is_empty() && components.is_empty()
        }
        _ => false,
    };
    match &filter.test {
        CompTest::Defined { time_range: None, properties, components: inner } if properties.is_empty() => {
            match (inner.as_slice(), components.as_slice()) {
                ([], _) => true,
                ([inner], [only]) => inner.name.eq_ignore_ascii_case(only) && is_bare(&inner.test),
                _ => false,
            }
        }
        _ => false,
    }
}

/// The range in which an object must have an instance to match, where the filter says one. The store looks for those
/// that may.
fn window(filter: &CompFilter) -> Option<Window> {
    let CompTest::Defined { components, .. } = &filter.test else { return None };
    let [inner] = components.as_slice() else { return None };
    match &inner.test {
        // An alarm may ring outside of the event that it is for; that filter has its range further in.
        CompTest::Defined { time_range: Some(TimeRange { start, end }), .. } => {
            Some(Window { from: *start, until: *end })
        }
        _ => None,
    }
}

/// Those items that match a filter.
struct Matching {
    members: Members,
    filter: CompFilter,
    floating: TimeZone,
}

impl Lister for Matching {
    fn item(&mut self, item: &Item, out: &mut Multistatus) {
        let calendar = text(item).and_then(|text| calendar(&text));
        if calendar.is_some_and(|calendar| self.filter.matches(&calendar, &self.floating)) {
            self.members.item(item, out);
        }
    }

    fn end(&mut self, highest_cn: u64, gone: &[String], out: &mut Multistatus) -> Option<String> {
        self.members.end(highest_cn, gone, out)
    }

    fn cut(&mut self, out: &mut Multistatus) {
        self.members.cut(out);
    }
}

pub(super) async fn addressbook_query(
    call: &Call<'_>,
    collection: Collection,
    asked: AddressbookQuery,
) -> Result<Answer, Failure> {
    let wanted = wanted(call, asked.properties, None, asked.data)?;
    let items = match &collection.source {
        Source::Directory => directory::candidates(call.session, &asked.filter),
        _ => call.items(&collection, ItemsRequest { body: true, ..ItemsRequest::default() }).await?,
    };
    let left = asked.limit.unwrap_or(u32::MAX);
    let members = Members::new(call, collection, wanted);
    let cards = MatchingCards { members, filter: asked.filter, left, is_cut: false };
    list(items, cards, Multistatus::new()).await
}

/// Those cards that match a filter, so many of them.
struct MatchingCards {
    members: Members,
    filter: AddressFilter,
    left: u32,
    is_cut: bool,
}

impl Lister for MatchingCards {
    fn item(&mut self, item: &Item, out: &mut Multistatus) {
        if self.is_cut
            || !text(item).and_then(|text| card(&text)).is_some_and(|card| self.filter.matches(&card))
        {
            return;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                self.members.item(item, out);
            }
            None => self.is_cut = true,
        }
    }

    fn end(&mut self, _: u64, _: &[String], out: &mut Multistatus) -> Option<String> {
        if self.is_cut {
            out.response(&cut_off(self.members.collection()));
        }
        None
    }

    fn cut(&mut self, _: &mut Multistatus) {
        self.is_cut = true;
    }
}

pub(super) async fn multiget(
    call: &Call<'_>,
    collection: Collection,
    wanted: Wanted,
    hrefs: &[String],
) -> Result<Answer, Failure> {
    let mut out = Multistatus::new();
    // Names that were asked for, each with the href as the client wrote it.
    let mut missing: HashMap<String, String> = HashMap::new();
    for href in hrefs {
        let place = Reference::parse(href, call.limits).ok().and_then(|found| Place::of(&found.href));
        match place {
            Some(Place::Item(tree, address, slug, name))
                if tree == collection.holds.tree()
                    && slug == collection.slug
                    && address.eq_ignore_ascii_case(&collection.home) =>
            {
                missing.insert(name, href.clone());
            }
            _ => out.response(&Response::status(href.trim(), 404)),
        }
    }
    if missing.len() > MOST_NAMES {
        return Err(Failure::precondition(
            Precondition::NumberOfMatchesWithinLimits,
            "ask for at most 10000 resources at once",
        ));
    }
    if missing.is_empty() {
        return Ok(crate::answer::multistatus(out));
    }
    let request = ItemsRequest {
        names: missing.keys().cloned().collect(),
        body: wanted.needs_body(),
        ..ItemsRequest::default()
    };
    let items = call.items(&collection, request).await?;
    list(items, Named { members: Members::new(call, collection, wanted), missing }, out).await
}

/// Items by their names, and those that are not there.
struct Named {
    members: Members,
    missing: HashMap<String, String>,
}

impl Lister for Named {
    fn item(&mut self, item: &Item, out: &mut Multistatus) {
        if let Some(facts) = &item.facts {
            self.missing.remove(&facts.name);
        }
        self.members.item(item, out);
    }

    fn end(&mut self, _: u64, _: &[String], out: &mut Multistatus) -> Option<String> {
        for href in self.missing.values() {
            out.response(&Response::status(href.trim(), 404));
        }
        None
    }

    fn cut(&mut self, out: &mut Multistatus) {
        self.members.cut(out);
    }
}

/// As many as the store is asked for in one call.
const MOST_NAMES: usize = 10_000;
