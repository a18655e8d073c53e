//! The ENVELOPE of a message (RFC 9051 §7.5.2).

use std::borrow::Cow;

use super::render::nstring;
use crate::mime::{Address, Entry, Name, Part, Structure, address, header::unfold};

/// The fields of an envelope, unfolded, encoded words left as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// `Date`
    pub date: Option<Cow<'a, [u8]>>,
    /// `Subject`
    pub subject: Option<Cow<'a, [u8]>>,
    /// `From`
    pub from: Vec<Entry>,
    /// `Sender`; empty where it is to be taken from `From`.
    pub sender: Vec<Entry>,
    /// `Reply-To`; empty where it is to be taken from `From`.
    pub reply_to: Vec<Entry>,
    /// `To`
    pub to: Vec<Entry>,
    /// `Cc`
    pub cc: Vec<Entry>,
    /// `Bcc`
    pub bcc: Vec<Entry>,
    /// `In-Reply-To`
    pub in_reply_to: Option<Cow<'a, [u8]>>,
    /// `Message-ID`
    pub message_id: Option<Cow<'a, [u8]>>,
}

impl<'a> Envelope<'a> {
    /// The envelope of the message whose header is that of `part`. Addresses are taken out of `budget`. Of a field that
    /// occurs twice the first counts, but address fields add up.
    pub fn of(structure: &Structure<'a>, part: &Part<'a>, budget: &mut usize) -> Self {
        let mut envelope = Self::default();
        for field in structure.fields_of(part) {
            let value = structure.bytes(&field.value);
            let list = match field.known {
                Name::Date => {
                    envelope.date.get_or_insert_with(|| unfold(value));
                    continue;
                }
                Name::Subject => {
                    envelope.subject.get_or_insert_with(|| unfold(value));
                    continue;
                }
                Name::InReplyTo => {
                    envelope.in_reply_to.get_or_insert_with(|| unfold(value));
                    continue;
                }
                Name::MessageId => {
                    envelope.message_id.get_or_insert_with(|| unfold(value));
                    continue;
                }
                Name::From => &mut envelope.from,
                Name::Sender => &mut envelope.sender,
                Name::ReplyTo => &mut envelope.reply_to,
                Name::To => &mut envelope.to,
                Name::Cc => &mut envelope.cc,
                Name::Bcc => &mut envelope.bcc,
                _ => continue,
            };
            let mut parsed = address::parse(value, *budget);
            *budget = budget.saturating_sub(parsed.len());
            if list.is_empty() {
                *list = parsed;
            } else {
                list.append(&mut parsed);
            }
        }
        envelope
    }

    /// Appends the wire form.
    pub fn render(&self, out: &mut Vec<u8>) {
        out.push(b'(');
        nstring(self.date.as_deref(), out);
        out.push(b' ');
        nstring(self.subject.as_deref(), out);
        let or_from = |list: &'_ Vec<Entry>| if list.is_empty() { self.from.clone() } else { list.clone() };
        for list in
            [&self.from, &or_from(&self.sender), &or_from(&self.reply_to), &self.to, &self.cc, &self.bcc]
        {
            out.push(b' ');
            addresses(list, out);
        }
        out.push(b' ');
        nstring(self.in_reply_to.as_deref(), out);
        out.push(b' ');
        nstring(self.message_id.as_deref(), out);
        out.push(b')');
    }
}

fn addresses(list: &[Entry], out: &mut Vec<u8>) {
    if list.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for entry in list {
        match entry {
            Entry::Mailbox(address) => mailbox(address, out),
            Entry::GroupStart(name) => {
                out.extend_from_slice(b"(NIL NIL ");
                // NIL here would be the end of a group.
                nstring(Some(name), out);
                out.extend_from_slice(b" NIL)");
            }
            Entry::GroupEnd => out.extend_from_slice(b"(NIL NIL NIL NIL)"),
        }
    }
    out.push(b')');
}

/// A missing local part or domain is the empty string, because NIL would mean a group.
fn mailbox(address: &Address, out: &mut Vec<u8>) {
    out.push(b'(');
    nstring(address.name.as_deref(), out);
    out.push(b' ');
    nstring(address.route.as_deref(), out);
    out.push(b' ');
    nstring(Some(&address.local), out);
    out.push(b' ');
    nstring(Some(&address.domain), out);
    out.push(b')');
}
