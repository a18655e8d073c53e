//! `CS:source`: the URL of a calendar that is subscribed to (`http`, `https`, and `webcal`, which is https).
//!
//! Only the form that a server is asked by is read here. A host that is a number in any disguise is refused, so that no
//! resolver can take it for an address that was not checked; which addresses may be asked is the gateway's to decide.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a calendar is published.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceUrl {
    /// Over TLS.
    pub is_https: bool,
    /// On which machine.
    pub host: Host,
    /// At which port.
    pub port: u16,
    /// Path and query, encoded; it begins with a slash.
    pub path: String,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// By its name, in small letters.
    Name(String),
    /// By its address.
    Ip(IpAddr),
}

/// Why a text is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceUrlError(pub &'static str);

impl SourceUrl {
    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Self, SourceUrlError> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(SourceUrlError("the URL is too long"));
        }
        let (scheme, rest) = text.split_once("://").ok_or(SCHEME)?;
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" | "webcal" | "webcals" => true,
            _ => return Err(SCHEME),
        };
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(SourceUrlError("a URL with a password in it is not asked for"));
        }
        let (host, port) = host_and_port(authority)?;
        let port = match port {
            "" if is_https => 443,
            "" => 80,
            port if port.bytes().all(|digit| digit.is_ascii_digit()) => {
                port.parse().ok().filter(|port| *port != 0).ok_or(PORT)?
            }
            _ => return Err(PORT),
        };
        Ok(Self { is_https, host, port, path: encoded(path) })
    }

    /// Where a `Location` leads to from here (RFC 9110 §10.2.2).
    pub fn join(&self, location: &str) -> Result<Self, SourceUrlError> {
        let location = location.trim();
        let first = location.find(['/', '?', '#']).unwrap_or(location.len());
        if location.get(..first).is_some_and(|head| head.contains(':')) {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme()));
        }
        if location.len() > LONGEST {
            return Err(SourceUrlError("the URL is too long"));
        }
        let own = self.path.split('?').next().unwrap_or("/");
        let path = match location.bytes().next() {
            None | Some(b'#') => self.path.clone(),
            Some(b'/') => encoded(location),
            Some(b'?') => encoded(&format!("{own}{location}")),
            Some(_) => {
                let folder = own.rsplit_once('/').map_or("", |(folder, _)| folder);
                encoded(&format!("{folder}/{location}"))
            }
        };
        Ok(Self { path, ..self.clone() })
    }

    /// The value of the `Host` header.
    pub fn authority(&self) -> String {
        let is_standard = self.port == if self.is_https { 443 } else { 80 };
        if is_standard { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }

    const fn scheme(&self) -> &'static str {
        if self.is_https { "https" } else { "http" }
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority(), self.path)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

fn host_and_port(authority: &str) -> Result<(Host, &str), SourceUrlError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (ip, rest) = rest.split_once(']').ok_or(HOST)?;
        let ip: Ipv6Addr = ip.parse().map_err(|_| HOST)?;
        let port = if rest.is_empty() { "" } else { rest.strip_prefix(':').ok_or(PORT)? };
        return Ok((Host::Ip(ip.into()), port));
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return Ok((Host::Ip(ip.into()), port));
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_label = |label: &str| {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        !label.is_empty() && label.len() <= 63 && label.bytes().all(good)
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(HOST);
    }
    // 2130706433, 0x7f.1 and 127.1 are addresses to some resolvers.
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SourceUrlError("write the address with four numbers"));
    }
    Ok((Host::Name(name), port))
}

/// What stands in a request line, without a fragment; what is there encoded stays so.
fn encoded(path: &str) -> String {
    let path = path.split('#').next().unwrap_or_default();
    let mut out = String::with_capacity(path.len() + 1);
    if !path.starts_with('/') {
        out.push('/');
    }
    for octet in path.bytes() {
        if octet.is_ascii_graphic()
            && !matches!(octet, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
        {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
    }
    out
}

const SCHEME: SourceUrlError = SourceUrlError("only http, https and webcal are asked for");
const HOST: SourceUrlError = SourceUrlError("the URL has no host that can be asked");
const PORT: SourceUrlError = SourceUrlError("the URL has a port that is none");
/// Octets.
const LONGEST: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, &'static str> {
        SourceUrl::parse(text).map(|url| url.to_string()).map_err(|error| error.0)
    }

    #[test]
    fn urls_are_read() {
        for (text, expected) in [
            ("http://example.org", "http://example.org/"),
            (" webcal://Example.ORG/a.ics ", "https://example.org/a.ics"),
            ("https://example.org:443/a?b=c#d", "https://example.org/a?b=c"),
            ("http://example.org.:8080?x", "http://example.org:8080/?x"),
            ("http://192.0.2.1/a b\u{e4}", "http://192.0.2.1/a%20b%C3%A4"),
            ("http://[2001:db8::1]:81/", "http://[2001:db8::1]:81/"),
            ("https://example.org/a%20b", "https://example.org/a%20b"),
            ("http://example.org/\r\nX: y", "http://example.org/%0D%0AX:%20y"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_could_be_something_else_is_refused() {
        for text in [
            "",
            "example.org/a.ics",
            "file:///etc/passwd",
            "ftp://example.org/",
            "gopher://example.org/",
            "http://",
            "http:///a",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.0.0.1/",
            "http://127.1/",
            "http://017700000001/",
            "http://127.0.0.01/",
            "http://user:password@example.org/",
            "http://example.org\\@127.0.0.1/x:y@z/",
            "http://example.org:0/",
            "http://example.org:99999/",
            "http://example.org:+80/",
            "http://exa mple.org/",
            "http://ex\u{e4}mple.org/",
            "http://a..b/",
            "http://[::1",
            "http://[fe80::1%25eth0]/",
            "http://[::1]x/",
        ] {
            let read = SourceUrl::parse(text);
            // A backslash ends the host, as browsers have it.
            let is_harmless = read.as_ref().is_ok_and(|url| url.host == Host::Name("example.org".to_owned()));
            assert!(read.is_err() || is_harmless, "{text}: {read:?}");
        }
        assert!(SourceUrl::parse(&format!("http://a/{}", "x".repeat(3000))).is_err());
    }

    #[test]
    fn locations_are_followed_from_where_they_stand() {
        let here = SourceUrl::parse("https://example.org:444/a/b.ics?c").unwrap();
        for (location, expected) in [
            ("http://other.example/x", "http://other.example/x"),
            ("//other.example/x", "https://other.example/x"),
            ("/x?y", "https://example.org:444/x?y"),
            ("x", "https://example.org:444/a/x"),
            ("?y", "https://example.org:444/a/b.ics?y"),
            ("x?u=http://z/", "https://example.org:444/a/x?u=http://z/"),
            ("", "https://example.org:444/a/b.ics?c"),
        ] {
            assert_eq!(here.join(location).unwrap().to_string(), expected, "{location}");
        }
        for bad in ["javascript:alert(1)", "file:///x", "//127.1/", "http:x"] {
            assert!(here.join(bad).is_err(), "{bad}");
        }
    }
}
