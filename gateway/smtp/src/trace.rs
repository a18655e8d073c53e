//! Trace information (RFC 5321 §4.4) and what else is stamped on a message: dates and ids.

use std::net::IpAddr;

use jiff::Timestamp;

/// Who handed the message over, for its `Received` field.
#[derive(Clone, Debug)]
pub(crate) struct Received<'a> {
    /// What the client called itself.
    pub helo: &'a str,
    pub peer: IpAddr,
    pub hostname: &'a str,
    pub id: &'a str,
    /// The recipient, when there is one only: more would tell each about the others.
    pub recipient: Option<&'a str>,
    pub lmtp: bool,
    pub extended: bool,
    pub encrypted: bool,
    pub authenticated: bool,
    pub smtputf8: bool,
}

impl Received<'_> {
    /// The field with its CRLF.
    pub fn field(&self, now: Timestamp) -> String {
        let helo = ascii(self.helo);
        let peer = match self.peer.to_canonical() {
            IpAddr::V4(ip) => format!("[{ip}]"),
            IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
        };
        let recipient = self.recipient.map(|to| format!("\r\n\tfor <{to}>")).unwrap_or_default();
        format!(
            "Received: from {helo} ({peer})\r\n\tby {} with {} id {}{recipient};\r\n\t{}\r\n",
            self.hostname,
            self.protocol(),
            self.id,
            date(now),
        )
    }

    /// RFC 3848, RFC 6531 §4.3.
    fn protocol(&self) -> String {
        let base = match (self.lmtp, self.extended) {
            (true, _) => "LMTP",
            (false, false) => return "SMTP".into(),
            // The registry has UTF8SMTP for the extended protocol, not UTF8ESMTP.
            (false, true) if self.smtputf8 => "SMTP",
            (false, true) => "ESMTP",
        };
        let utf8 = if self.smtputf8 { "UTF8" } else { "" };
        let tls = if self.encrypted { "S" } else { "" };
        let auth = if self.authenticated { "A" } else { "" };
        format!("{utf8}{base}{tls}{auth}")
    }
}

/// `Return-Path` with its CRLF; the address is empty for `<>`.
pub(crate) fn return_path(sender: &str) -> String {
    format!("Return-Path: <{sender}>\r\n")
}

/// A date as RFC 5322 §3.3 writes it, in UTC.
pub(crate) fn date(now: Timestamp) -> String {
    now.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_says_how_it_came() {
        let received = Received {
            helo: "client.example",
            peer: "::ffff:192.0.2.1".parse().unwrap(),
            hostname: "mx.example.org",
            id: "abc",
            recipient: Some("a@example.org"),
            lmtp: false,
            extended: true,
            encrypted: true,
            authenticated: true,
            smtputf8: false,
        };
        let field = received.field(Timestamp::from_second(1_000_000_000).unwrap());
        assert_eq!(
            field,
            "Received: from client.example ([192.0.2.1])\r\n\tby mx.example.org with ESMTPSA id abc\r\n\tfor \
             <a@example.org>;\r\n\tSun, 09 Sep 2001 01:46:40 +0000\r\n"
        );
        let with = |lmtp, extended, encrypted, smtputf8| {
            Received { lmtp, extended, encrypted, smtputf8, authenticated: false, ..received.clone() }
                .protocol()
        };
        assert_eq!(with(false, false, true, false), "SMTP");
        assert_eq!(with(false, true, true, true), "UTF8SMTPS");
        assert_eq!(with(true, true, false, false), "LMTP");
        assert_eq!(with(true, true, false, true), "UTF8LMTP");
    }
}
