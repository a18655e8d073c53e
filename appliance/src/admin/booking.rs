//! The rules of rooms and equipment, as options and as columns.

use kontor_storage_client::proto::{Account, Booking, WorkingHours};
use serde_json::{Value, json};

use super::mailbox::replaced;

/// How a room or a piece of equipment answers requests.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Rooms and equipment")]
pub struct BookingFields {
    /// How many people it holds; 0 when nobody knows.
    #[arg(long, value_name = "PEOPLE")]
    capacity: Option<u32>,
    /// Where it is, for people.
    #[arg(long, value_name = "TEXT")]
    location: Option<String>,
    /// What happens to requests: `AutoAccept` answers them by the rules below, `AutoUpdate` puts them into the calendar
    /// until a delegate answers, `None` leaves them in the inbox.
    #[arg(long, value_name = "HOW", value_parser = ["None", "AutoUpdate", "AutoAccept"], ignore_case = true)]
    automate_processing: Option<String>,
    /// It may be booked by several at the same time.
    #[arg(long, value_name = "true|false")]
    allow_conflicts: Option<bool>,
    /// Of a series, so many instances may be declined because they are taken, and the others accepted.
    #[arg(long, value_name = "COUNT")]
    max_conflict_instances: Option<u32>,
    /// And not more than so many of a hundred.
    #[arg(long, value_name = "PERCENT")]
    max_conflict_percentage: Option<u32>,
    /// So many days in advance.
    #[arg(long, value_name = "DAYS")]
    booking_window_days: Option<u32>,
    /// The longest meeting; 0 is no limit.
    #[arg(long, value_name = "MINUTES")]
    maximum_duration_minutes: Option<u32>,
    /// It may be booked for series.
    #[arg(long, value_name = "true|false")]
    allow_recurring: Option<bool>,
    /// When it can be booked, such as `Mon-Fri 08:00-18:00 Europe/Berlin`; `any` is at any time.
    #[arg(long, value_name = "HOURS", value_parser = parse_hours)]
    working_hours: Option<Hours>,
    /// Meetings with more people than it holds are declined.
    #[arg(long, value_name = "true|false")]
    enforce_capacity: Option<bool>,
    /// Its calendar does not say what a meeting is about.
    #[arg(long, value_name = "true|false")]
    delete_subject: Option<bool>,
    /// Its calendar says whose a meeting is.
    #[arg(long, value_name = "true|false")]
    add_organizer_to_subject: Option<bool>,
    /// Who decides where the rules do not; may be given several times. Empty takes all back.
    #[arg(long, value_name = "ADDRESS")]
    delegate: Vec<String>,
    /// Everybody may book it.
    #[arg(long, value_name = "true|false")]
    all_book_in_policy: Option<bool>,
    /// Somebody, or a group, who may book it; may be given several times, and nobody else may then. Empty takes all back.
    #[arg(long, value_name = "ADDRESS")]
    book_in_policy: Vec<String>,
    /// Everybody who may not book it may ask the delegates.
    #[arg(long, value_name = "true|false")]
    all_request_in_policy: Option<bool>,
    /// Somebody, or a group, who may ask the delegates; may be given several times. Empty takes all back.
    #[arg(long, value_name = "ADDRESS")]
    request_in_policy: Vec<String>,
    /// People of elsewhere may book it like everybody else.
    #[arg(long, value_name = "true|false")]
    process_external_meeting_messages: Option<bool>,
}

impl BookingFields {
    /// What is given, in an account.
    pub fn over(self, account: &mut Account) {
        account.capacity = self.capacity.unwrap_or(account.capacity);
        account.location = self.location.unwrap_or_else(|| account.location.clone());
        let before = account.booking.clone().unwrap_or_default();
        // Whoever names people means nobody else, unless it says so.
        let all_book = match self.all_book_in_policy {
            None if self.book_in_policy.is_empty() => before.all_book_in_policy,
            said => said,
        };
        let after = Booking {
            automate_processing: self.automate_processing.or(before.automate_processing),
            allow_conflicts: self.allow_conflicts.or(before.allow_conflicts),
            max_conflict_instances: self.max_conflict_instances.or(before.max_conflict_instances),
            max_conflict_percentage: self.max_conflict_percentage.or(before.max_conflict_percentage),
            booking_window_days: self.booking_window_days.or(before.booking_window_days),
            maximum_duration_minutes: self.maximum_duration_minutes.or(before.maximum_duration_minutes),
            allow_recurring: self.allow_recurring.or(before.allow_recurring),
            working_hours: self.working_hours.map_or(before.working_hours, |hours| hours.0),
            enforce_capacity: self.enforce_capacity.or(before.enforce_capacity),
            delete_subject: self.delete_subject.or(before.delete_subject),
            add_organizer_to_subject: self.add_organizer_to_subject.or(before.add_organizer_to_subject),
            delegates: replaced(self.delegate, before.delegates),
            all_book_in_policy: all_book,
            book_in_policy: replaced(self.book_in_policy, before.book_in_policy),
            all_request_in_policy: self.all_request_in_policy.or(before.all_request_in_policy),
            request_in_policy: replaced(self.request_in_policy, before.request_in_policy),
            process_external_meeting_messages: self
                .process_external_meeting_messages
                .or(before.process_external_meeting_messages),
        };
        // One of a person stays without; the server says so where rules are given for it.
        if account.booking.is_some() || after != Booking::default() {
            account.booking = Some(after);
        }
    }
}

/// What `show` says of them.
pub fn columns(account: &Account) -> Vec<(&'static str, Value)> {
    let Some(rules) = &account.booking else { return Vec::new() };
    vec![
        ("capacity", json!(account.capacity)),
        ("location", json!(account.location)),
        ("automate_processing", json!(rules.automate_processing)),
        ("allow_conflicts", json!(rules.allow_conflicts)),
        ("max_conflict_instances", json!(rules.max_conflict_instances)),
        ("max_conflict_percentage", json!(rules.max_conflict_percentage)),
        ("booking_window_days", json!(rules.booking_window_days)),
        ("maximum_duration_minutes", json!(rules.maximum_duration_minutes)),
        ("allow_recurring", json!(rules.allow_recurring)),
        ("working_hours", json!(rules.working_hours.as_ref().map(hours_text))),
        ("enforce_capacity", json!(rules.enforce_capacity)),
        ("delete_subject", json!(rules.delete_subject)),
        ("add_organizer_to_subject", json!(rules.add_organizer_to_subject)),
        ("delegates", json!(rules.delegates)),
        ("all_book_in_policy", json!(rules.all_book_in_policy)),
        ("book_in_policy", json!(rules.book_in_policy)),
        ("all_request_in_policy", json!(rules.all_request_in_policy)),
        ("request_in_policy", json!(rules.request_in_policy)),
        ("process_external_meeting_messages", json!(rules.process_external_meeting_messages)),
    ]
}

/// Hours, or at any time.
#[derive(Clone, Debug)]
struct Hours(Option<WorkingHours>);

fn parse_hours(text: &str) -> Result<Hours, String> {
    if text.eq_ignore_ascii_case("any") {
        return Ok(Hours(None));
    }
    let wrong = || format!("{text:?} is not like `Mon-Fri 08:00-18:00 Europe/Berlin`, nor `any`");
    let mut parts = text.split_whitespace();
    let (Some(days), Some(time), Some(zone)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wrong());
    };
    // Windows names are several words.
    let time_zone = parts.fold(zone.to_owned(), |zone, word| format!("{zone} {word}"));
    let days = parse_days(days).ok_or_else(wrong)?;
    let (from, until) = time.split_once('-').ok_or_else(wrong)?;
    let (from, until) = (parse_clock(from).ok_or_else(wrong)?, parse_clock(until).ok_or_else(wrong)?);
    Ok(Hours(Some(WorkingHours { days, from, until, time_zone })))
}

/// `Mon-Fri`, `Mon,Wed`, `Sat-Sun`.
fn parse_days(text: &str) -> Option<u32> {
    let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name.trim()));
    let mut days = 0;
    for part in text.split(',') {
        match part.split_once('-') {
            Some((from, to)) => {
                let (from, to) = (day(from)?, day(to)?);
                // Over the end of the week as well.
                let length = (to + DAYS.len() - from) % DAYS.len();
                (from..=from + length).for_each(|day| days |= 1 << (day % DAYS.len()));
            }
            None => days |= 1 << day(part)?,
        }
    }
    Some(days)
}

fn parse_clock(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
}

fn hours_text(hours: &WorkingHours) -> String {
    let days: Vec<&str> = DAYS
        .iter()
        .enumerate()
        .filter(|(day, _)| hours.days >> day & 1 == 1)
        .map(|(_, name)| *name)
        .collect();
    let clock = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    format!("{} {}-{} {}", days.join(","), clock(hours.from), clock(hours.until), hours.time_zone)
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_and_written() {
        let read = |text: &str| parse_hours(text).expect(text).0.expect("hours");
        let week = read("mon-fri 08:00-18:30 Europe/Berlin");
        assert_eq!((week.days, week.from, week.until), (0b1_1111, 480, 1110));
        assert_eq!(hours_text(&week), "Mon,Tue,Wed,Thu,Fri 08:00-18:30 Europe/Berlin");
        assert_eq!(read(&hours_text(&week)), week);
        assert_eq!(read("Sat-Mon,Wed 0:00-24:00 W. Europe Standard Time").days, 0b110_0101);
        assert!(parse_hours("any").expect("any").0.is_none());
        for wrong in ["", "Mon 08:00-18:00", "Moon 08:00-18:00 UTC", "Mon 8-18 UTC", "Mon 08:00-24:01 UTC"] {
            assert!(parse_hours(wrong).is_err(), "{wrong}");
        }
    }
}
