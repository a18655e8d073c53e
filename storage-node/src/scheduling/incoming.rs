//! A message about a meeting comes to a mailbox: its calendar says so.

use kontor_model::FolderRole;
use kontor_model::booking::Rules;
use kontor_model::icalendar::{CalendarObject, Component, Limits, ObjectMessage};
use kontor_model::scheduling::{Applied, Itip, Method, apply, is_called_off, to_attendees, to_new_attendees};
use kontor_storage_client::PreparedMessage;
use kontor_storage_proto as proto;
use proto::put_item_request::Expected;

use super::Scheduling;
use super::booking::Request;
use super::trust::is_from_the_right_one;
use crate::directory::Owner;
use crate::error::Error;
use crate::mailbox::CalendarCopy;

/// What a message is to one mailbox.
pub(super) enum Outcome {
    /// The copy is to be this, and this is told of it.
    Store(Box<ObjectMessage>, Vec<proto::SchedulingMessage>),
    /// There is to be no copy any more, and this is told of it.
    Remove(Vec<proto::SchedulingMessage>),
    /// The meeting goes out again to whoever asks.
    Send(Vec<proto::SchedulingMessage>),
    /// Nothing is stored, because of this.
    Nothing(&'static str),
}

impl Scheduling {
    /// Applies a message to a mailbox's calendar.
    ///
    /// # Errors
    /// For what another try may heal. A message that cannot be applied at all is only a mail.
    pub(super) async fn receive(&self, mailbox: u64, itip: &proto::Itip) -> Result<(), Error> {
        match self.try_receive(mailbox, itip).await {
            Ok(why) => {
                metrics::counter!("kontor_itip_received_total", "result" => why).increment(1);
                tracing::debug!(mailbox, result = why, "a message about a meeting came");
                Ok(())
            }
            Err(error @ (Error::Unavailable(_) | Error::Stale)) => Err(error),
            Err(error) => {
                metrics::counter!("kontor_itip_received_total", "result" => "failed").increment(1);
                tracing::warn!(mailbox, %error, "a meeting could not be put into a calendar");
                Ok(())
            }
        }
    }

    async fn try_receive(&self, mailbox: u64, itip: &proto::Itip) -> Result<&'static str, Error> {
        // An address of the house is spoken for by those who signed in.
        if !itip.authenticated && self.directory.is_of_the_house(&itip.from).await? {
            return Ok("not_authenticated");
        }
        let Some(owner) = self.directory.owner(mailbox).await? else { return Ok("no_owner") };
        let Ok(message) = Component::parse(&itip.calendar, &Limits::default()) else {
            return Ok("no_calendar");
        };
        let uid = message.components.iter().find_map(|part| part.text("UID")).unwrap_or_default();
        if uid.is_empty() {
            return Ok("no_calendar");
        }
        let method = Method::of(&message);
        let rules = match method {
            Some(Method::Request | Method::Cancel) => self.directory.booking_rules(mailbox).await?,
            _ => None,
        };
        let Some(rules) = rules else { return self.apply(&owner, itip, &message, &uid, None).await };
        // Two requests that are judged side by side would both be given the room.
        let _booking = self.booking.lock().await;
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let lock = format!("booking/{mailbox}");
        transaction.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 8))", &[&lock]).await?;
        let outcome = self.apply(&owner, itip, &message, &uid, Some(&rules)).await;
        transaction.commit().await?;
        outcome
    }

    /// Applies a message to the copy that is there; for a resource, by its rules.
    async fn apply(
        &self,
        owner: &Owner,
        itip: &proto::Itip,
        message: &Component,
        uid: &str,
        rules: Option<&Rules>,
    ) -> Result<&'static str, Error> {
        let mailbox = owner.mailbox_id;
        for _ in 0..TRIES {
            let copy = self.mailboxes.calendar_copy(owner.tenant_id, mailbox, uid).await?;
            let (tenant, folder) = (owner.tenant_id, place(copy.as_ref(), message));
            let text = copy.as_ref().map(|copy| copy.text.clone());
            let outcome = match rules.filter(|_| Method::of(message) == Some(Method::Request)) {
                Some(rules) => self.book(owner, itip, message, text.as_deref(), rules).await?,
                None => {
                    let (whose, message, from) = (owner.clone(), message.clone(), itip.from.clone());
                    let is_resource = rules.is_some();
                    // What recurs can take a moment.
                    let work = move || outcome(&whose, &message, text.as_deref(), &from, is_resource);
                    tokio::task::spawn_blocking(work)
                        .await
                        .map_err(|error| Error::Internal(format!("a meeting was not applied: {error}")))?
                }
            };
            let stored = match outcome {
                Outcome::Send(send) => {
                    self.send_alone(owner, uid, &send).await?;
                    return Ok("sent");
                }
                // It is for the owner to see.
                Outcome::Nothing(why @ "asked") => {
                    self.show(owner, itip).await?;
                    return Ok(why);
                }
                Outcome::Nothing(why) => return Ok(why),
                Outcome::Remove(send) => match copy {
                    Some(copy) => self.remove(tenant, mailbox, copy, send).await,
                    None => return Ok("ignored"),
                },
                Outcome::Store(object, send) => {
                    self.store(tenant, mailbox, folder, copy, *object, send).await
                }
            };
            match stored {
                // Somebody else changed the copy meanwhile.
                Err(Error::Conflict(_) | Error::Exists(_) | Error::NotFound(_)) => {}
                Ok(false) => {}
                Ok(true) => {
                    self.show(owner, itip).await?;
                    return Ok("stored");
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::Unavailable("a calendar changes faster than it can be read".into()))
    }

    /// Puts a message where calendar clients see what came (RFC 6638 §4.1). The same message is there once.
    async fn show(&self, owner: &Owner, itip: &proto::Itip) -> Result<(), Error> {
        let Ok(mut calendar) = Component::parse(&itip.calendar, &Limits::default()) else { return Ok(()) };
        calendar.remove("METHOD");
        let text = itip.calendar.clone();
        let work = move || {
            let object = CalendarObject::check(&calendar).ok()?;
            Some(ObjectMessage::new(&calendar, &object, &text))
        };
        let object = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::Internal(format!("a message was not shown: {error}")))?;
        let Some(object) = object else { return Ok(()) };
        let hash = short_hash(&itip.calendar);
        let name = format!("{hash}.ics");
        // Several may be about one meeting.
        let object = ObjectMessage { uid: hash, ..object };
        let request = put_request(owner.mailbox_id, FolderRole::SchedulingInbox.code().into(), name, object);
        self.mailboxes.put_own(owner.tenant_id, request).await?;
        Ok(())
    }

    /// What a resource makes of a request.
    async fn book(
        &self,
        owner: &Owner,
        itip: &proto::Itip,
        message: &Component,
        text: Option<&[u8]>,
        rules: &Rules,
    ) -> Result<Outcome, Error> {
        let existing = match text.map(|text| Component::parse(text, &Limits::default())) {
            None => None,
            Some(Ok(existing)) => Some(existing),
            Some(Err(_)) => return Ok(Outcome::Nothing("unreadable_copy")),
        };
        if !is_from_the_right_one(Method::Request, message, existing.as_ref(), &itip.from) {
            return Ok(Outcome::Nothing("wrong_sender"));
        }
        let own = own_address(owner, existing.as_ref().into_iter().chain([message]));
        let request =
            Request { owner, own: &own, message, existing: existing.as_ref(), is_proven: itip.authenticated };
        self.answer(rules, request).await
    }

    /// Removes a copy.
    async fn remove(
        &self,
        tenant: u64,
        mailbox: u64,
        copy: CalendarCopy,
        send: Vec<proto::SchedulingMessage>,
    ) -> Result<bool, Error> {
        let request = proto::DeleteItemRequest {
            mailbox_id: mailbox,
            folder_id: copy.folder_id,
            name: copy.name,
            content_id: copy.content_id,
            send,
            ..Default::default()
        };
        self.mailboxes.delete_telling(tenant, 0, &request).await?;
        self.due.notify_one();
        Ok(true)
    }

    /// Whether the copy is stored; otherwise there is another one of its UID now.
    async fn store(
        &self,
        tenant: u64,
        mailbox: u64,
        folder_id: u64,
        copy: Option<CalendarCopy>,
        object: ObjectMessage,
        send: Vec<proto::SchedulingMessage>,
    ) -> Result<bool, Error> {
        let tells = !send.is_empty();
        let name = match &copy {
            Some(copy) => copy.name.clone(),
            None => format!("{}.ics", short_hash(object.uid.as_bytes())),
        };
        let request = proto::PutItemRequest {
            send,
            expected: Some(copy.map_or(Expected::Absent(true), |copy| Expected::ContentId(copy.content_id))),
            ..put_request(mailbox, folder_id, name, object)
        };
        let is_stored = self.mailboxes.put_own(tenant, request).await?.uid_taken_by.is_empty();
        if is_stored && tells {
            self.due.notify_one();
        }
        Ok(is_stored)
    }
}

/// What puts an object into a folder, whatever is there.
fn put_request(
    mailbox_id: u64,
    folder_id: u64,
    name: String,
    object: ObjectMessage,
) -> proto::PutItemRequest {
    let mut content = PreparedMessage::from_rfc5322(object.raw.into());
    content.prepared.class = object.class.to_string();
    proto::PutItemRequest {
        mailbox_id,
        folder_id,
        facts: Some(proto::ItemFacts {
            name,
            item_uid: object.uid,
            starts_at: object.starts_at,
            ends_at: object.ends_at,
        }),
        content: Some(proto::Content {
            content_id: content.content_id,
            prepared: Some(content.prepared),
            body: Some(proto::content::Body::Raw(content.raw)),
        }),
        ..Default::default()
    }
}

/// What names come from.
fn short_hash(octets: &[u8]) -> String {
    blake3::hash(octets).to_hex().split_at(32).0.to_owned()
}

/// A copy as the store takes it.
pub(super) fn object_of(copy: &Component) -> Option<ObjectMessage> {
    let object = CalendarObject::check(copy).ok()?;
    Some(ObjectMessage::new(copy, &object, copy.to_string().as_bytes()))
}

/// Where a meeting is kept: where it is, else with what is of its kind.
fn place(copy: Option<&CalendarCopy>, message: &Component) -> u64 {
    let role = match message.component("VTODO") {
        Some(_) => FolderRole::Tasks,
        None => FolderRole::Calendar,
    };
    copy.map_or(u64::from(role.code()), |copy| copy.folder_id)
}

fn outcome(
    owner: &Owner,
    message: &Component,
    text: Option<&[u8]>,
    from: &str,
    is_resource: bool,
) -> Outcome {
    let Some(method) = Method::of(message) else { return Outcome::Nothing("no_method") };
    let existing = match text.map(|text| Component::parse(text, &Limits::default())) {
        None => None,
        Some(Ok(existing)) => Some(existing),
        Some(Err(_)) => return Outcome::Nothing("unreadable_copy"),
    };
    if !is_from_the_right_one(method, message, existing.as_ref(), from) {
        return Outcome::Nothing("wrong_sender");
    }
    let own = own_address(owner, existing.as_ref().into_iter().chain([message]));
    let stored = match apply(existing.as_ref(), message, &own) {
        Ok(Applied::Stored(stored)) => stored,
        Ok(Applied::Ignored(_)) => return Outcome::Nothing("ignored"),
        Ok(Applied::Asked) => return Outcome::Nothing("asked"),
        Ok(Applied::Resend) => {
            let again = to_attendees(None, existing.as_ref(), &own).into_iter();
            let theirs = again.filter(|message| message.recipient.eq_ignore_ascii_case(from));
            return Outcome::Send(theirs.map(wire).collect());
        }
        Err(_) => return Outcome::Nothing("no_calendar"),
    };
    // Whoever looks at a room wants to see when it is taken.
    if is_resource && is_called_off(&stored) {
        return Outcome::Remove(Vec::new());
    }
    // An attendee may have passed an invitation on.
    let invited = match (method, &existing) {
        (Method::Reply, Some(existing)) => to_new_attendees(existing, &stored, &own),
        _ => Vec::new(),
    };
    match object_of(&stored) {
        Some(object) => Outcome::Store(Box::new(object), invited.into_iter().map(wire).collect()),
        None => Outcome::Nothing("no_calendar"),
    }
}

/// A message as it is sent.
pub(super) fn wire(message: Itip) -> proto::SchedulingMessage {
    proto::SchedulingMessage { recipient: message.recipient, calendar: message.calendar.to_string().into() }
}

/// Under which of their addresses somebody takes part in a meeting.
fn own_address<'a>(owner: &Owner, calendars: impl Iterator<Item = &'a Component>) -> String {
    calendars
        .flat_map(|calendar| &calendar.components)
        .flat_map(|part| part.properties_named("ORGANIZER").chain(part.properties_named("ATTENDEE")))
        .filter_map(|line| line.address().email().map(|address| address.to_ascii_lowercase()))
        .find(|address| owner.is(address))
        .unwrap_or_else(|| owner.address.clone())
}

const TRIES: usize = 8;
