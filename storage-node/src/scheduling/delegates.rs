//! Somebody decides for a room: its delegates hear that a request waits.

use bytes::Bytes;
use kontor_model::icalendar::value::CalendarTime;
use kontor_model::icalendar::{Component, Property};
use kontor_model::message::unstructured_field;
use kontor_model::mime::DateTime;
use kontor_storage_client::PreparedMessage;
use kontor_storage_proto as proto;
use proto::deliver_result::Status as Delivered;
use proto::target::To;

use super::Scheduling;
use crate::directory::Owner;
use crate::error::{Error, unix_now};

impl Scheduling {
    /// Sends each delegate a mail about a request. The same request is told once, however often it is tried.
    pub(super) async fn ask_delegates(
        &self,
        room: &Owner,
        delegates: &[String],
        request: &Component,
    ) -> Result<(), Error> {
        let Some(part) = request.components_named("VEVENT").next() else { return Ok(()) };
        for delegate in delegates {
            let key = key(room, delegate, part);
            let domain = room.address.rsplit('@').next().unwrap_or_default();
            let raw: Bytes = mail(room, delegate, part, &format!("{key}.request@{domain}")).into();
            let resolve = proto::ResolveRecipientsRequest {
                addresses: vec![delegate.clone()],
                size: raw.len() as u64,
                sender: room.address.clone(),
                authenticated: true,
            };
            let targets =
                self.directory.resolve(&resolve).await?.into_iter().next().unwrap_or_default().targets;
            let mut message = PreparedMessage::prepare(raw).await;
            message.content_id = Bytes::copy_from_slice(key.as_bytes());
            for target in targets {
                let is_inside = matches!(target.to, Some(To::MailboxId(_)));
                if is_inside {
                    self.tell(&message, target).await?;
                } else {
                    tracing::debug!(mailbox = room.mailbox_id, "a delegate of elsewhere is not asked");
                }
            }
        }
        Ok(())
    }

    async fn tell(&self, message: &PreparedMessage, target: proto::Target) -> Result<(), Error> {
        let request = proto::DeliverRequest {
            content: Some(proto::Content {
                content_id: message.content_id.clone(),
                prepared: Some(message.prepared.clone()),
                body: Some(proto::content::Body::Raw(message.raw.clone())),
            }),
            targets: vec![target],
            role: 0,
            retry: true,
            internal_date: None,
        };
        let response = self.mailboxes.deliver(request).await?;
        if response.results.iter().any(|result| result.status() == Delivered::Failed) {
            return Err(Error::Unavailable("a delegate was not told".into()));
        }
        Ok(())
    }
}

/// Names what one delegate is told of one version of a request.
fn key(room: &Owner, delegate: &str, part: &Component) -> uuid::Uuid {
    let mut hash = blake3::Hasher::new();
    hash.update(&room.mailbox_id.to_be_bytes()).update(delegate.as_bytes());
    for name in ["UID", "RECURRENCE-ID", "SEQUENCE", "DTSTAMP", "DTSTART"] {
        hash.update(b"\n").update(part.property(name).map_or("", |line| &line.value).as_bytes());
    }
    let mut key = [0; 16];
    hash.finalize_xof().fill(&mut key);
    uuid::Builder::from_custom_bytes(key).into_uuid()
}

fn mail(room: &Owner, delegate: &str, part: &Component, message_id: &str) -> Vec<u8> {
    let name = if room.display_name.is_empty() { &room.address } else { &room.display_name };
    let organizer = part.property("ORGANIZER").map(person).unwrap_or_default();
    let summary = one_line(&part.text("SUMMARY").unwrap_or_default());
    let mut text = format!("{organizer} asks for {name}.\r\n\r\n");
    for (label, value) in [("What", summary.clone()), ("When", when(part))] {
        if !value.is_empty() {
            text.push_str(&format!("{label}: {value}\r\n"));
        }
    }
    if part.property("RRULE").is_some() {
        text.push_str("It recurs.\r\n");
    }
    text.push_str(&format!(
        "\r\nTo decide, open the calendar of {name}, which is shared with you, and accept or decline the meeting there for \
         {}.\r\n",
        room.address
    ));
    let mut raw = unstructured_field("Subject", &one_line(&format!("Request for {name}: {summary}")));
    raw.extend_from_slice(
        format!(
            "From: <{}>\r\nTo: <{delegate}>\r\nDate: {}\r\nMessage-ID: <{message_id}>\r\nAuto-Submitted: auto-generated\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
            room.address,
            DateTime { unix: unix_now(), offset: 0 }.to_rfc5322(),
        )
        .as_bytes(),
    );
    raw.extend_from_slice(text.as_bytes());
    raw
}

fn person(line: &Property) -> String {
    let address = line.address();
    let address = address.email().unwrap_or_else(|| address.as_str().to_owned());
    let name = one_line(line.parameter("CN").unwrap_or_default());
    if name.trim().is_empty() { address } else { format!("{} <{address}>", name.trim()) }
}

fn when(part: &Component) -> String {
    let said = |time: CalendarTime| match &time {
        CalendarTime::Date(day) => day.strftime("%a %-d %b %Y").to_string(),
        time => {
            let zone =
                if matches!(time, CalendarTime::Utc(_)) { "UTC" } else { time.zone().unwrap_or_default() };
            format!("{} {zone}", time.local().strftime("%a %-d %b %Y %H:%M")).trim_end().to_owned()
        }
    };
    let time = |name: &str| part.time(name)?.ok().map(said);
    match (time("DTSTART"), time("DTEND")) {
        (Some(start), Some(end)) => one_line(&format!("{start} to {end}")),
        (Some(start), None) => one_line(&start),
        _ => String::new(),
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
