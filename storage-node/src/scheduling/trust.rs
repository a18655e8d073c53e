//! Who may say what about a meeting (RFC 6047 §2.2.3, RFC 5546 §6).

use kontor_model::icalendar::{Component, Property};
use kontor_model::scheduling::Method;

/// The address in a line; empty where it has none.
fn address(line: &Property) -> String {
    line.address().email().unwrap_or_default().to_ascii_lowercase()
}

/// The address in `SENT-BY`.
fn sent_by(line: &Property) -> Option<String> {
    let uri = line.parameter("SENT-BY")?;
    let address = uri.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:")).and(uri.get(7..))?;
    Some(address.trim().to_ascii_lowercase())
}

fn lines<'a>(calendar: &'a Component, name: &'static str) -> impl Iterator<Item = &'a Property> {
    calendar.components.iter().flat_map(move |part| part.properties_named(name))
}

/// Whether the author of a message is whom it must be from: the organizer for what organizers say, the attendee for
/// what attendees say. Somebody else speaks for them only where the copy that is there says so: anybody could write it
/// into a message. Of a meeting that is not there yet the message itself says who speaks for the organizer.
pub(super) fn is_from_the_right_one(
    method: Method,
    message: &Component,
    existing: Option<&Component>,
    from: &str,
) -> bool {
    let from = from.to_ascii_lowercase();
    let speaks = |who: &Property, known: &Component, name: &'static str| {
        address(who) == from
            || lines(known, name)
                .any(|line| address(line) == address(who) && sent_by(line).as_deref() == Some(from.as_str()))
    };
    let known = existing.unwrap_or(message);
    let mut said = match method {
        Method::Publish => return false,
        Method::Request | Method::Add | Method::Cancel | Method::DeclineCounter => {
            lines(message, "ORGANIZER").map(|line| speaks(line, known, "ORGANIZER")).collect::<Vec<_>>()
        }
        Method::Reply | Method::Counter | Method::Refresh => {
            lines(message, "ATTENDEE").map(|line| speaks(line, known, "ATTENDEE")).collect()
        }
    };
    !from.is_empty() && !said.is_empty() && said.drain(..).all(|is_theirs| is_theirs)
}

#[cfg(test)]
mod tests {
    use kontor_model::icalendar::Limits;

    use super::*;

    fn calendar(lines: &str) -> Component {
        let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n");
        Component::parse(text.as_bytes(), &Limits::default()).expect("a calendar")
    }

    #[test]
    fn organizers_and_attendees_speak_for_themselves() {
        let message = calendar("ORGANIZER:MAILTO:Clara@x.org\nATTENDEE:mailto:anna@x.org");
        let says = |method, from| is_from_the_right_one(method, &message, None, from);
        for method in [Method::Request, Method::Cancel, Method::Add] {
            assert!(says(method, "clara@X.org"));
            assert!(!says(method, "anna@x.org") && !says(method, ""));
        }
        assert!(says(Method::Reply, "anna@x.org") && !says(Method::Reply, "clara@x.org"));
        assert!(!says(Method::Publish, "clara@x.org"));
        assert!(!is_from_the_right_one(Method::Cancel, &calendar("SUMMARY:x"), None, "clara@x.org"));
    }

    #[test]
    fn nobody_makes_themselves_a_delegate() {
        let message = calendar("ORGANIZER;SENT-BY=\"mailto:eve@y.org\":mailto:clara@x.org");
        let plain = calendar("ORGANIZER:mailto:clara@x.org");
        let says = |existing| is_from_the_right_one(Method::Cancel, &message, existing, "eve@y.org");
        assert!(!says(Some(&plain)));
        assert!(says(Some(&message)));
        assert!(is_from_the_right_one(Method::Request, &message, None, "eve@y.org"));
    }
}
