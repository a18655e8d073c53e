//! A message about a meeting as mail (RFC 6047), for people whose calendar is elsewhere, and to be read by everybody.

use super::Method;
use super::instances::zones;
use super::outgoing::sequence;
use super::people::{answer, parts};
use crate::icalendar::value::{CalendarTime, Duration, Frequency, Recur};
use crate::icalendar::{Component, Property};
use crate::message::{MeetingMail, Person};
use crate::time_zone::{CalendarZones, clock, wall_seconds};

/// What a mail is made of.
#[derive(Clone, Debug)]
pub struct Imip<'a> {
    /// Whose meeting, or whose answer it is.
    pub from: Person,
    /// Somebody else who acts for them.
    pub sender: Option<Person>,
    /// The address that it goes to; the name is found in the calendar.
    pub to: &'a str,
    /// What is said, with its `METHOD`.
    pub calendar: &'a Component,
    /// `Message-ID`, with its angle brackets. The same for the same message.
    pub message_id: &'a str,
    /// Unix seconds.
    pub date: i64,
    /// Whether no person acted: a room that answers.
    pub is_automatic: bool,
}

impl Imip<'_> {
    /// The mail; `None` where the calendar is no message about a meeting.
    pub fn write(&self) -> Option<Vec<u8>> {
        let method = Method::of(self.calendar)?;
        let part = parts(self.calendar).next()?;
        let person = |line: &&Property| line.address().email().is_some_and(|email| is_same(&email, self.to));
        let people = part.properties.iter().filter(|line| line.is("ATTENDEE") || line.is("ORGANIZER"));
        let name = people.clone().find(person).and_then(|line| line.parameter("CN")).unwrap_or_default();
        let to = Person { name: name.to_owned(), address: self.to.to_owned() };
        let mut from = self.from.clone();
        if from.name.is_empty() {
            let own = people
                .clone()
                .find(|line| line.address().email().is_some_and(|email| is_same(&email, &from.address)));
            own.and_then(|line| line.parameter("CN")).unwrap_or_default().clone_into(&mut from.name);
        }
        let (what, sentence) =
            words(method, part, if from.name.is_empty() { &from.address } else { &from.name });
        let summary = one_line(&part.text("SUMMARY").unwrap_or_default());
        let subject = if summary.is_empty() { what.to_owned() } else { format!("{what}: {summary}") };
        let mail = MeetingMail {
            from: &from,
            sender: self.sender.as_ref(),
            to: &to,
            subject: &subject,
            message_id: self.message_id,
            date: self.date,
            is_automatic: self.is_automatic,
            text: &text(self.calendar, method, &sentence),
            method: method.as_str(),
            component: &part.name,
            calendar: &self.calendar.to_string(),
        };
        Some(mail.write())
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// The first word of the subject, and the first sentence of the text.
fn words(method: Method, part: &Component, who: &str) -> (&'static str, String) {
    let what = if part.is("VTODO") { "task" } else { "meeting" };
    let with = |word: &'static str, does: &str| (word, format!("{who} {does}"));
    let answered =
        || part.property("ATTENDEE").map(|line| answer(line).to_ascii_uppercase()).unwrap_or_default();
    match method {
        Method::Request if sequence(part) > 0 => with("Updated", &format!("has changed a {what}.")),
        Method::Request | Method::Add => with("Invitation", &format!("invites you to a {what}.")),
        Method::Publish => with("Published", &format!("publishes a {what}.")),
        Method::Cancel => with("Cancelled", &format!("has cancelled a {what}.")),
        Method::Reply => match answered().as_str() {
            "ACCEPTED" => with("Accepted", "has accepted."),
            "DECLINED" => with("Declined", "has declined."),
            "TENTATIVE" => with("Tentative", "has accepted tentatively."),
            "DELEGATED" => with("Delegated", "has passed the invitation on to somebody else."),
            "COMPLETED" => with("Completed", "has completed the task."),
            _ => with("Answer", "has not decided yet."),
        },
        Method::Refresh => with("Refresh", &format!("asks you to send a {what} again.")),
        Method::Counter => with("Proposal", &format!("proposes other times for a {what}.")),
        Method::DeclineCounter => with("Proposal declined", &format!("keeps a {what} as it is.")),
    }
}

/// What a person reads.
fn text(calendar: &Component, method: Method, sentence: &str) -> String {
    let zones = zones(calendar);
    let mut out = format!("{sentence}\n");
    let all: Vec<&Component> = parts(calendar).collect();
    let shown = all.len().min(MOST_INSTANCES);
    for part in all.iter().take(shown) {
        out.push('\n');
        section(part, method, &zones, &mut out);
    }
    if all.len() > shown {
        out.push_str(&format!("\n{} more changes are in the attached calendar.\n", all.len() - shown));
    }
    let description = all.first().and_then(|part| part.text("DESCRIPTION")).unwrap_or_default();
    if !description.trim().is_empty() && method != Method::Reply {
        out.push_str(&format!("\n{}\n", bounded(description.trim(), MOST_DESCRIPTION)));
    }
    out
}

fn section(part: &Component, method: Method, zones: &CalendarZones, out: &mut String) {
    let mut line = |label: &str, text: &str| {
        if !text.is_empty() {
            out.push_str(&format!("{label}: {text}\n"));
        }
    };
    line("What", &one_line(&part.text("SUMMARY").unwrap_or_default()));
    line("When", &when(part, zones));
    if let Some(id) = part.time("RECURRENCE-ID").and_then(Result::ok) {
        line("Instance", &moment(&id, zones, true));
    }
    line("Repeats", &repeats(part, zones));
    line("Where", &one_line(&part.text("LOCATION").unwrap_or_default()));
    if method != Method::Reply {
        line("Organizer", &part.property("ORGANIZER").map(named).unwrap_or_default());
        let mut people: Vec<String> =
            part.properties_named("ATTENDEE").take(MOST_PEOPLE + 1).map(named).collect();
        if people.len() > MOST_PEOPLE {
            people.truncate(MOST_PEOPLE);
            people.push("\u{2026}".to_owned());
        }
        line("Who", &people.join(", "));
    }
    line("Comment", &one_line(&part.text("COMMENT").unwrap_or_default()));
}

fn named(line: &Property) -> String {
    let address = line.address();
    let address = address.email().unwrap_or_else(|| address.as_str().to_owned());
    match line.parameter("CN").map(one_line).filter(|name| !name.is_empty() && !is_same(name, &address)) {
        Some(name) => format!("{name} <{}>", one_line(&address)),
        None => one_line(&address),
    }
}

/// From when to when, in the zone that the organizer chose.
fn when(part: &Component, zones: &CalendarZones) -> String {
    let time = |name| part.time(name).and_then(Result::ok);
    let Some(start) = time("DTSTART").or_else(|| time("DUE")) else { return String::new() };
    let length = part.property("DURATION").and_then(|line| line.duration().ok()).map(Duration::to_seconds);
    let end = time("DTEND").or_else(|| time("DUE")).or_else(|| {
        let local = wall_seconds(start.local()).saturating_add(length?);
        Some(start.with_local(clock(local)))
    });
    let mut out = moment(&start, zones, false);
    if let Some(end) = end {
        if start.is_date() {
            // The end of days is the day after the last one.
            let last = clock(wall_seconds(end.local()).saturating_sub(86_400));
            if last.date() > start.date() {
                out.push_str(&format!(" \u{2013} {}", day(&last)));
            }
        } else if end.date() == start.date() {
            out.push_str(&format!(" \u{2013} {}", hour(&end.local())));
        } else {
            out.push_str(&format!(" \u{2013} {}", moment(&end, zones, false)));
        }
    }
    out.push_str(&zone(&start, zones));
    out
}

fn moment(time: &CalendarTime, zones: &CalendarZones, with_zone: bool) -> String {
    let local = time.local();
    if time.is_date() {
        return day(&local);
    }
    let zone = if with_zone { zone(time, zones) } else { String::new() };
    format!("{}, {}{zone}", day(&local), hour(&local))
}

fn zone(time: &CalendarTime, zones: &CalendarZones) -> String {
    match time {
        CalendarTime::Utc(_) => " (UTC)".to_owned(),
        CalendarTime::Zoned(_, tzid) => {
            let zone = zones.zone_of(time);
            format!(" ({})", one_line(zone.iana_id().unwrap_or(tzid)))
        }
        _ => String::new(),
    }
}

fn day(local: &jiff::civil::DateTime) -> String {
    let weekday = DAYS.get(usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or_default());
    let month = MONTHS.get(usize::try_from(local.month() - 1).unwrap_or_default());
    let (weekday, month) = (weekday.copied().unwrap_or_default(), month.copied().unwrap_or_default());
    format!("{weekday}, {} {month} {}", local.day(), local.year())
}

fn hour(local: &jiff::civil::DateTime) -> String {
    format!("{:02}:{:02}", local.hour(), local.minute())
}

/// How often, in words; for rules that take many words the frequency alone.
fn repeats(part: &Component, zones: &CalendarZones) -> String {
    let Some(line) = part.property("RRULE") else { return String::new() };
    let Ok(rule) = line.value.parse::<Recur>() else { return String::new() };
    let unit = match rule.frequency {
        Frequency::Secondly => "second",
        Frequency::Minutely => "minute",
        Frequency::Hourly => "hour",
        Frequency::Daily => "day",
        Frequency::Weekly => "week",
        Frequency::Monthly => "month",
        Frequency::Yearly => "year",
    };
    let mut out = match rule.interval {
        0 | 1 => format!("every {unit}"),
        n => format!("every {n} {unit}s"),
    };
    if let Some(count) = rule.count {
        out.push_str(&format!(", {count} times"));
    }
    if let Some(until) = rule.until {
        let local = match (&until, part.time("DTSTART").and_then(Result::ok)) {
            (CalendarTime::Utc(_), Some(start)) if !start.is_date() => {
                zones.zone_of(&start).to_local(zones.to_unix(&until))
            }
            _ => until.local(),
        };
        out.push_str(&format!(", until {}", day(&local)));
    }
    out
}

fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    bounded(text.trim(), MOST_LINE)
}

fn bounded(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}\u{2026}", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const MOST_INSTANCES: usize = 10;
const MOST_PEOPLE: usize = 50;
/// Characters.
const MOST_LINE: usize = 500;
const MOST_DESCRIPTION: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Prepared;
    use crate::icalendar::Limits;
    use crate::mime::Limits as MimeLimits;

    fn calendar(method: &str, lines: &str) -> Component {
        let text = format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nMETHOD:{method}\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\n\
             SUMMARY:Gr\u{fc}\u{df}e\\, alle\nORGANIZER;CN=Clara Bl\u{fc}m:mailto:clara@example.org\n\
             DTSTART;TZID=Europe/Berlin:20260302T090000\nDTEND;TZID=Europe/Berlin:20260302T103000\n{lines}\n\
             END:VEVENT\nEND:VCALENDAR\n"
        );
        Component::parse(text.as_bytes(), &Limits::default()).expect("a calendar")
    }

    fn mail(from: &str, to: &str, calendar: &Component) -> (Prepared, String) {
        let imip = Imip {
            from: Person { name: String::new(), address: from.to_owned() },
            sender: Some(Person { name: "Guest".to_owned(), address: "guest@example.org".to_owned() }),
            to,
            calendar,
            message_id: "<1.x@example.org>",
            date: 1_770_000_000,
            is_automatic: false,
        };
        let raw = imip.write().expect("a mail");
        let text = String::from_utf8(raw.clone()).expect("ASCII");
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 78), "{text}");
        let message = crate::Message::from_mime(&raw, &MimeLimits::default());
        (Prepared::from_rfc5322(&raw, &MimeLimits::default()), message.body().unwrap_or_default().to_owned())
    }

    #[test]
    fn an_invitation_is_read_by_people_and_by_programs() {
        let invitation = calendar(
            "REQUEST",
            "RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20260330T070000Z\nLOCATION:Caf\u{e9}\nDESCRIPTION:Bring\\ntea\n\
             ATTENDEE;CN=\"Bj\u{f6}rn, B.\":mailto:b@example.net",
        );
        let (p, body) = mail("clara@example.org", "b@example.net", &invitation);
        assert_eq!(p.subject, "Invitation: Gr\u{fc}\u{df}e, alle");
        assert_eq!(
            (p.from_display.as_str(), p.from_address.as_str()),
            ("Clara Bl\u{fc}m", "clara@example.org")
        );
        assert_eq!(
            (p.sender_address.as_str(), p.display_to.as_str()),
            ("guest@example.org", "Bj\u{f6}rn, B.")
        );
        assert_eq!(p.class, crate::MessageClass::MEETING_REQUEST);
        assert_eq!(p.itip.as_deref(), Some(invitation.to_string().as_str()));
        assert_eq!(p.message_id.as_deref(), Some("<1.x@example.org>"));
        let expected = "Clara Bl\u{fc}m invites you to a meeting.\n\nWhat: Gr\u{fc}\u{df}e, alle\n\
            When: Monday, 2 March 2026, 09:00 \u{2013} 10:30 (Europe/Berlin)\n\
            Repeats: every 2 weeks, until Monday, 30 March 2026\nWhere: Caf\u{e9}\n\
            Organizer: Clara Bl\u{fc}m <clara@example.org>\nWho: Bj\u{f6}rn, B. <b@example.net>\n\nBring\ntea\n";
        assert_eq!(body.replace("\r\n", "\n"), expected);
    }

    #[test]
    fn subjects_say_what_it_is() {
        let subject = |method: &str, lines: &str| {
            let lines = format!("{lines}ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.net");
            mail("b@example.net", "clara@example.org", &calendar(method, &lines)).0.subject
        };
        for (method, lines, word) in [
            ("REQUEST", "SEQUENCE:2\n", "Updated"),
            ("CANCEL", "", "Cancelled"),
            ("REPLY", "", "Declined"),
            ("COUNTER", "", "Proposal"),
        ] {
            assert_eq!(subject(method, lines), format!("{word}: Gr\u{fc}\u{df}e, alle"));
        }
    }

    #[test]
    fn what_a_calendar_says_breaks_no_header() {
        let evil =
            calendar("REQUEST", "ATTENDEE;CN=\"x^nBcc: y@z\":mailto:b@example.net\nLOCATION:a\\nWho: nobody");
        let (p, body) = mail("clara@example.org", "b@example.net", &evil);
        assert!(!p.search_headers.contains("\nbcc:"));
        assert_eq!(body.lines().filter(|line| line.starts_with("Who:")).count(), 1, "{body}");
        assert!(
            Imip {
                from: Person { name: String::new(), address: "a@b".to_owned() },
                sender: None,
                to: "b@c",
                calendar: &Component::new("VCALENDAR"),
                message_id: "<1@x>",
                date: 0,
                is_automatic: true,
            }
            .write()
            .is_none()
        );
    }
}
