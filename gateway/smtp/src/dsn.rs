//! Delivery status notifications (RFC 3464, RFC 3461 §6, RFC 6522, RFC 6533).

use jiff::Timestamp;
use kontor_smtp_proto::{EnhancedCode, Notify};

use crate::headers;
use crate::trace::date;

/// What became of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Failed,
    Delivered,
    /// Handed to a server that sends no notifications.
    Relayed,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
        }
    }

    /// Whether the sender asked to hear of it; without NOTIFY, of failures only (RFC 3461 §4.1).
    pub fn is_wanted(self, notify: Option<Notify>) -> bool {
        match (self, notify) {
            (Self::Failed, None) => true,
            (Self::Failed, Some(notify)) => notify.failure,
            (_, None) => false,
            (_, Some(notify)) => notify.success,
        }
    }
}

/// One recipient of the report.
#[derive(Clone, Debug)]
pub(crate) struct RecipientReport {
    pub address: String,
    /// As it stood on the wire: `type;xtext`, or empty.
    pub original: String,
    pub action: Action,
    pub status: EnhancedCode,
    /// What the other side said, one line.
    pub diagnostic: String,
    /// Who said it; empty = we.
    pub remote: String,
}

/// A notification.
#[derive(Clone, Debug)]
pub(crate) struct Notification<'a> {
    pub hostname: &'a str,
    /// Unique in this host.
    pub id: &'a str,
    /// Where it goes.
    pub sender: &'a str,
    /// ENVID, decoded; empty = none.
    pub envid: &'a str,
    pub arrived: Timestamp,
    pub now: Timestamp,
    pub recipients: &'a [RecipientReport],
    /// The message, or as much of it as is at hand.
    pub message: &'a [u8],
    /// Give back the whole message and not its header only.
    pub full: bool,
}

impl Notification<'_> {
    /// The message, with CRLF line ends.
    pub fn to_message(&self) -> Vec<u8> {
        let failed = self.recipients.iter().any(|recipient| recipient.action == Action::Failed);
        let global = !self.sender.is_ascii() || self.recipients.iter().any(|r| !r.address.is_ascii());
        let (status_type, address_type) = if global {
            ("message/global-delivery-status", "utf-8")
        } else {
            ("message/delivery-status", "rfc822")
        };
        let boundary = format!("=_{}", self.id);
        let subject = if failed { "Undelivered mail returned to sender" } else { "Delivery report" };
        let mut text = format!(
            "From: Mail Delivery System <MAILER-DAEMON@{host}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: {date}\r\n\
             Message-ID: <{id}.dsn@{host}>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n\r\n\
             --{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
             This is the mail system at {host}.\r\n\r\n{about}\r\n\r\n",
            host = self.hostname,
            to = self.sender,
            date = date(self.now),
            id = self.id,
            about = if failed {
                "Your message could not be delivered to these recipients:"
            } else {
                "This is what became of your message:"
            },
        );
        for recipient in self.recipients {
            text.push_str(&format!(
                "<{}>: {}{}{}\r\n",
                recipient.address,
                recipient.action.as_str(),
                if recipient.diagnostic.is_empty() { "" } else { ": " },
                one_line(&recipient.diagnostic),
            ));
        }
        text.push_str(&format!("\r\n--{boundary}\r\nContent-Type: {status_type}\r\n"));
        if global {
            text.push_str("Content-Transfer-Encoding: 8bit\r\n");
        }
        text.push_str(&format!("\r\nReporting-MTA: dns; {}\r\n", self.hostname));
        if !self.envid.is_empty() {
            text.push_str(&format!("Original-Envelope-Id: {}\r\n", one_line(self.envid)));
        }
        text.push_str(&format!("Arrival-Date: {}\r\n", date(self.arrived)));
        for recipient in self.recipients {
            text.push_str("\r\n");
            if !recipient.original.is_empty() {
                text.push_str(&format!("Original-Recipient: {}\r\n", one_line(&recipient.original)));
            }
            text.push_str(&format!(
                "Final-Recipient: {address_type}; {}\r\nAction: {}\r\nStatus: {}\r\n",
                recipient.address,
                recipient.action.as_str(),
                recipient.status,
            ));
            if !recipient.remote.is_empty() {
                text.push_str(&format!("Remote-MTA: dns; {}\r\n", one_line(&recipient.remote)));
            }
            if !recipient.diagnostic.is_empty() {
                text.push_str(&format!("Diagnostic-Code: smtp; {}\r\n", one_line(&recipient.diagnostic)));
            }
        }
        let survey = headers::survey(self.message);
        let header = self.message.get(..survey.length).unwrap_or_default();
        let (kind, returned) = match (self.full, survey.eight_bit && global) {
            (true, true) => ("message/global", self.message),
            (true, false) => ("message/rfc822", self.message),
            (false, true) => ("message/global-headers", header),
            (false, false) => ("text/rfc822-headers", header),
        };
        text.push_str(&format!("\r\n--{boundary}\r\nContent-Type: {kind}\r\n"));
        if !returned.is_ascii() {
            text.push_str("Content-Transfer-Encoding: 8bit\r\n");
        }
        text.push_str("\r\n");
        let mut out = text.into_bytes();
        out.extend_from_slice(returned);
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        out
    }
}

/// What others said must not make lines of its own, and RFC 5322 §2.1.1 ends lines at 998 octets.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(800).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(full: bool) -> String {
        let recipients = [RecipientReport {
            address: "b@example.net".into(),
            original: "rfc822;b+40example.net".into(),
            action: Action::Failed,
            status: EnhancedCode(5, 1, 1),
            diagnostic: "550 5.1.1 no\r\nsuch user".into(),
            remote: "relay.example".into(),
        }];
        let notification = Notification {
            hostname: "mx.example.org",
            id: "x1",
            sender: "a@example.org",
            envid: "e",
            arrived: Timestamp::UNIX_EPOCH,
            now: Timestamp::UNIX_EPOCH,
            recipients: &recipients,
            message: b"Subject: s\r\n\r\nbody\r\n",
            full,
        };
        String::from_utf8(notification.to_message()).unwrap()
    }

    #[test]
    fn a_failure_names_recipient_status_and_reason() {
        let text = report(false);
        for part in [
            "To: <a@example.org>\r\n",
            "report-type=delivery-status",
            "Original-Envelope-Id: e\r\n",
            "Original-Recipient: rfc822;b+40example.net\r\n",
            "Final-Recipient: rfc822; b@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n",
            "Diagnostic-Code: smtp; 550 5.1.1 no  such user\r\n",
            "Content-Type: text/rfc822-headers\r\n\r\nSubject: s\r\n\r\n--=_x1--\r\n",
        ] {
            assert!(text.contains(part), "{part}\n---\n{text}");
        }
        assert!(!text.contains("body"));
        assert!(report(true).contains("message/rfc822\r\n\r\nSubject: s\r\n\r\nbody\r\n"));
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    }

    #[test]
    fn nobody_hears_what_they_did_not_ask_for() {
        assert!(Action::Failed.is_wanted(None));
        assert!(!Action::Failed.is_wanted(Some(Notify::NEVER)));
        assert!(!Action::Delivered.is_wanted(None));
        assert!(Action::Delivered.is_wanted(Some(Notify { success: true, ..Notify::NEVER })));
    }
}
