//! Calendars that are published somewhere and subscribed to here (`CS:subscribed`, `CS:source`, as Apple's clients make
//! them).
//!
//! A subscription is a folder like any other, whose items come from a URL and that nobody else changes. What is known of
//! it stands with the folder: where it is from, what was fetched when, why nothing could be. It is fetched anew when
//! its owner looks at it and it is due; whoever is locked or gone looks at nothing. One gateway at a time fetches it:
//! who is about to says so with the folder, by compare and swap, for a while.

mod declare;
mod fetch;
mod network;
mod refresh;

use ipnet::IpNet;
use kontor_dav_proto::{APPLE, CALENDARSERVER, Element, Name, SourceUrl, SourceUrlError};
use kontor_model::icalendar::value::Duration;
use serde::Deserialize;

use crate::kept::{KONTOR, Kept};
pub use declare::{SubscribeError, Subscribed, subscribe, subscriptions, unsubscribe};
use fetch::Validators;
pub(crate) use refresh::Subscriptions;

/// Calendars from elsewhere.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubscriptionConfig {
    /// Networks that calendars may be fetched from besides the Internet, e.g. `10.1.2.0/24`.
    pub allow: Vec<IpNet>,
}

/// What is known of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub source: String,
    /// Seconds after which its owner wants it again.
    asked: Option<i64>,
    strip_alarms: bool,
    strip_attachments: bool,
    state: State,
}

/// What has become of it. Moments are Unix seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    validators: Validators,
    /// It came, or was still the same.
    fetched: Option<i64>,
    tried: Option<i64>,
    /// Somebody fetches it, and has until then.
    busy: Option<i64>,
    /// Seconds after which its publisher wants it to be asked for again.
    refresh: Option<i64>,
    /// Why it could not be fetched the last time, or not all of it.
    error: String,
}

impl Subscription {
    /// That of a collection; `None` for one whose items are its own.
    pub fn of(kept: &Kept) -> Option<Self> {
        let state = State::of(kept.get(&STATE)?);
        let asked = kept.get(&REFRESH_RATE).and_then(|rate| rate.text().trim().parse::<Duration>().ok());
        let has = |local| kept.get(&Name::known(CALENDARSERVER, local)).is_some();
        Some(Self {
            source: source_in(kept.get(&SOURCE)?),
            asked: asked.map(Duration::to_seconds),
            strip_alarms: has("subscribed-strip-alarms"),
            strip_attachments: has("subscribed-strip-attachments"),
            state,
        })
    }

    /// Makes a collection one, where its properties name a source.
    ///
    /// # Errors
    /// Where the source is none that can be asked.
    pub fn begin(kept: &mut Kept) -> Result<bool, SourceUrlError> {
        let Some(source) = kept.get(&SOURCE) else { return Ok(false) };
        SourceUrl::parse(&source_in(source))?;
        kept.set(State::default().to_element());
        Ok(true)
    }

    /// Whether it is to be asked for at a moment.
    fn is_due(&self, now: i64) -> bool {
        let state = &self.state;
        if state.busy.is_some_and(|until| until > now) {
            return false;
        }
        let wanted = self.asked.or(state.refresh).unwrap_or(USUAL).clamp(SHORTEST, LONGEST);
        // What failed is not waited for as long.
        let wait = if state.error.is_empty() { wanted } else { wanted.min(AFTER_FAILURE) };
        state.tried.is_none_or(|tried| tried > now || now - tried >= wait)
    }

    const fn was_fetched(&self) -> bool {
        self.state.fetched.is_some()
    }

    /// When it came, or was still the same.
    pub const fn fetched(&self) -> Option<i64> {
        self.state.fetched
    }

    /// Why it could not be fetched the last time; empty where it could.
    pub fn error(&self) -> &str {
        &self.state.error
    }
}

impl State {
    fn of(element: &Element) -> Self {
        let text = |name: &str| element.attribute(name).unwrap_or_default().to_owned();
        let number = |name: &str| element.attribute(name)?.parse().ok();
        Self {
            validators: Validators { etag: text("etag"), modified: text("modified") },
            fetched: number("fetched"),
            tried: number("tried"),
            busy: number("busy"),
            refresh: number("refresh"),
            error: element.text(),
        }
    }

    fn to_element(&self) -> Element {
        let number = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
        let attributes = [
            (Name::known("", "etag"), self.validators.etag.clone()),
            (Name::known("", "modified"), self.validators.modified.clone()),
            (Name::known("", "fetched"), number(self.fetched)),
            (Name::known("", "tried"), number(self.tried)),
            (Name::known("", "busy"), number(self.busy)),
            (Name::known("", "refresh"), number(self.refresh)),
        ];
        let element = Element::new(STATE).with_text(&self.error);
        let given = attributes.into_iter().filter(|(_, value)| !value.is_empty());
        given.fold(element, |element, (name, value)| element.with_attribute(name, value))
    }
}

/// The URL in a `CS:source`: in an href, or bare.
fn source_in(source: &Element) -> String {
    let href = source.first(kontor_dav_proto::DAV, "href");
    href.unwrap_or(source).text().trim().to_owned()
}

const STATE: Name = Name::known(KONTOR, "subscription");
const SOURCE: Name = Name::known(CALENDARSERVER, "source");
const REFRESH_RATE: Name = Name::known(APPLE, "refreshrate");
/// Seconds.
const SHORTEST: i64 = 15 * 60;
const USUAL: i64 = 24 * 3600;
const LONGEST: i64 = 31 * 24 * 3600;
const AFTER_FAILURE: i64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(source: &str, rate: &str) -> Kept {
        let mut kept = Kept::default();
        kept.set(Element::new(SOURCE).with(Element::new(Name::dav("href")).with_text(source)));
        if !rate.is_empty() {
            kept.set(Element::new(REFRESH_RATE).with_text(rate));
        }
        kept
    }

    #[test]
    fn a_source_makes_a_subscription() {
        assert_eq!(Subscription::of(&kept("http://x/", "")), None);
        let mut with = kept(" webcal://example.org/a.ics ", "P1W");
        assert_eq!(Subscription::begin(&mut with), Ok(true));
        let found = Subscription::of(&with).unwrap();
        assert_eq!((found.source.as_str(), found.asked), ("webcal://example.org/a.ics", Some(7 * 86_400)));
        assert_eq!(Subscription::begin(&mut Kept::default()), Ok(false));
        assert!(Subscription::begin(&mut kept("file:///etc/passwd", "")).is_err());
    }

    #[test]
    fn the_state_is_kept() {
        let state = State {
            validators: Validators { etag: "\"1\"".to_owned(), modified: "Thu".to_owned() },
            fetched: Some(5),
            tried: Some(6),
            busy: None,
            refresh: Some(7),
            error: "it is <gone> & \"lost\"".to_owned(),
        };
        let mut kept = Kept::default();
        kept.set(state.to_element());
        assert_eq!(State::of(Kept::read(&kept.write()).get(&STATE).unwrap()), state);
    }

    #[test]
    fn it_is_due_when_it_is_wanted_within_bounds() {
        let of = |rate: &str, state: State| {
            let mut kept = kept("http://x/", rate);
            kept.set(state.to_element());
            Subscription::of(&kept).unwrap()
        };
        let tried = |tried| State { tried: Some(tried), fetched: Some(tried), ..State::default() };
        assert!(of("", State::default()).is_due(1));
        assert!(!of("", State { busy: Some(10), ..State::default() }).is_due(9));
        assert!(of("", State { busy: Some(10), ..State::default() }).is_due(10));
        assert!(!of("", tried(0)).is_due(USUAL - 1) && of("", tried(0)).is_due(USUAL));
        assert!(!of("PT1S", tried(0)).is_due(SHORTEST - 1) && of("PT1S", tried(0)).is_due(SHORTEST));
        let publisher = State { refresh: Some(7200), ..tried(0) };
        assert!(!of("", publisher.clone()).is_due(7199) && of("", publisher.clone()).is_due(7200));
        assert!(!of("P1D", publisher).is_due(7200));
        let failed = State { error: "x".to_owned(), ..tried(0) };
        assert!(!of("", failed.clone()).is_due(AFTER_FAILURE - 1) && of("", failed).is_due(AFTER_FAILURE));
        // A clock that was wrong.
        assert!(of("", tried(100)).is_due(50));
    }
}
