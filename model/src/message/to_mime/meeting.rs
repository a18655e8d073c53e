//! A message about a meeting (RFC 6047 §2.4): what a person reads, beside what a calendar reads.

use super::body::{Entity, base64_lines, text_entity};
use super::field::{Fields, message_ids};
use crate::message::Person;
use crate::mime::DateTime;

/// What goes into such a message.
pub(crate) struct MeetingMail<'a> {
    pub from: &'a Person,
    pub sender: Option<&'a Person>,
    pub to: &'a Person,
    pub subject: &'a str,
    /// With its angle brackets.
    pub message_id: &'a str,
    /// Unix seconds.
    pub date: i64,
    /// Nobody asked for it at this moment (RFC 3834 §5).
    pub is_automatic: bool,
    pub text: &'a str,
    /// `REQUEST`
    pub method: &'a str,
    /// `VEVENT`
    pub component: &'a str,
    pub calendar: &'a str,
}

impl MeetingMail<'_> {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut fields = Fields::new(&mut out);
        let unix = self.date.clamp(0, 253_402_300_799);
        fields.raw("Date", &DateTime { unix, offset: 0 }.to_rfc5322());
        fields.people("From", std::slice::from_ref(self.from));
        if let Some(sender) = self.sender {
            fields.people("Sender", std::slice::from_ref(sender));
        }
        fields.people("To", std::slice::from_ref(self.to));
        fields.text("Subject", self.subject);
        fields.words("Message-ID", message_ids(self.message_id).iter().map(String::as_str));
        if self.is_automatic {
            fields.raw("Auto-Submitted", "auto-generated");
        }
        fields.raw("MIME-Version", "1.0");
        // `=_` occurs in no quoted-printable and no base64 text, and 7-bit texts with it are not left 7-bit.
        fields.raw("Content-Type", &format!("multipart/alternative;\r\n boundary=\"{BOUNDARY}\""));
        let head = format!(
            "Content-Type: text/calendar; charset=utf-8; method={};\r\n component={}\r\n\
             Content-Transfer-Encoding: base64\r\n",
            self.method, self.component
        );
        let body = base64_lines(self.calendar.as_bytes()).into_bytes();
        for part in [text_entity("plain", self.text), Entity { head: head.into_bytes(), body }] {
            out.extend_from_slice(format!("\r\n--{BOUNDARY}\r\n").as_bytes());
            part.write(&mut out);
        }
        out.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        out
    }
}

const BOUNDARY: &str = "=_kontor_meeting";
