//! Header fields between one connection and the next: what must not pass, what is said about the client, and what a
//! client may not say about itself.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use http::header::{
    CONNECTION, COOKIE, FORWARDED, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    TE, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::request::Parts;
use http::{HeaderMap, Uri, Version};
use ipnet::IpNet;

use crate::client::Scheme;

/// Who asks, by what we believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub ip: IpAddr,
    pub scheme: Scheme,
}

/// The host that a request is for, lower case kept as it came, with its port. HTTP/2 has `:authority`, HTTP/1.1 the
/// one and only `Host`; in the absolute form the target's authority wins (RFC 9112 §3.2.2).
///
/// # Errors
/// [`BadHost`] when there is none, more than one, or it is no host.
pub(crate) fn host_of(uri: &Uri, version: Version, headers: &HeaderMap) -> Result<String, BadHost> {
    let mut lines = headers.get_all(HOST).iter();
    let (first, more) = (lines.next(), lines.next());
    if more.is_some() {
        return Err(BadHost);
    }
    let host = match (uri.authority(), first) {
        (Some(authority), _) => authority.as_str(),
        (None, Some(line)) => line.to_str().map_err(|_| BadHost)?,
        (None, None) if version == Version::HTTP_10 => "",
        (None, None) => return Err(BadHost),
    };
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    if host.len() <= LONGEST_HOST && host.bytes().all(good) { Ok(host.to_owned()) } else { Err(BadHost) }
}

/// Not a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadHost;

/// The host without its port.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(at) if !host.get(at..).unwrap_or_default().contains(']') => host.get(..at).unwrap_or(host),
        _ => host,
    }
}

/// Who asks: the connection's client, or who a trusted proxy says it is (the last one in `X-Forwarded-For` that is
/// not a trusted proxy itself).
pub(crate) fn origin(headers: &HeaderMap, peer: IpAddr, scheme: Scheme, trusted: &[IpNet]) -> Origin {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(&ip));
    if trusted.is_empty() || !is_trusted(peer) {
        return Origin { ip: peer, scheme };
    }
    let mut ip = peer;
    let lines: Vec<&str> = headers.get_all(&X_FORWARDED_FOR).iter().filter_map(|v| v.to_str().ok()).collect();
    for word in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Some(said) = address(word.trim()) else { break };
        ip = said;
        if !is_trusted(said) {
            break;
        }
    }
    let scheme = match headers.get(&X_FORWARDED_PROTO).and_then(|value| value.to_str().ok()) {
        Some(said) if said.trim().eq_ignore_ascii_case("https") => Scheme::Https,
        Some(said) if said.trim().eq_ignore_ascii_case("http") => Scheme::Http,
        _ => scheme,
    };
    Origin { ip, scheme }
}

/// Makes a client's request one of ours: hop-by-hop fields go, claims about the client go unless a trusted proxy made
/// them, and what we know is put in their place. Upgrade is given back when `upgrade` is set.
pub(crate) fn prepare_request(
    parts: &mut Parts,
    host: &str,
    peer: IpAddr,
    scheme: Scheme,
    origin: &Origin,
    is_trusted: bool,
    upgrade: Option<&HeaderValue>,
) {
    let headers = &mut parts.headers;
    remove_hop_by_hop(headers);
    headers.remove(PROXY_AUTHORIZATION);
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, UPGRADE_WORD.clone());
        headers.insert(UPGRADE, protocol.clone());
    }
    let before = is_trusted.then(|| joined(headers, &X_FORWARDED_FOR)).filter(|text| !text.is_empty());
    let elements = is_trusted.then(|| joined(headers, &FORWARDED)).filter(|text| !text.is_empty());
    remove_claims(headers);

    let mut line = before.map_or_else(String::new, |before| before + ", ");
    let _ = write!(line, "{peer}");
    insert(headers, &X_FORWARDED_FOR, &line);
    headers.insert(&X_FORWARDED_PROTO, HeaderValue::from_static(origin.scheme.as_str()));
    insert(headers, &X_FORWARDED_HOST, host);
    insert(headers, &X_REAL_IP, &origin.ip.to_string());
    let mut line = elements.map_or_else(String::new, |before| before + ", ");
    let _ = match peer {
        IpAddr::V4(ip) => write!(line, "for={ip}"),
        IpAddr::V6(ip) => write!(line, "for=\"[{ip}]\""),
    };
    let _ = write!(line, ";host=\"{host}\";proto={}", scheme.as_str());
    insert(headers, &FORWARDED, &line);
    let via = match parts.version {
        Version::HTTP_2 => HeaderValue::from_static("2 kontor"),
        Version::HTTP_10 => HeaderValue::from_static("1.0 kontor"),
        _ => HeaderValue::from_static("1.1 kontor"),
    };
    headers.append(VIA, via);

    // RFC 9113 §8.2.3: HTTP/2 may send cookies one by one; HTTP/1.1 may not.
    if headers.get_all(COOKIE).iter().nth(1).is_some() {
        let cookies: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        let joined = HeaderValue::from_bytes(&cookies.join(&b"; "[..]));
        if let Ok(joined) = joined {
            headers.insert(COOKIE, joined);
        }
    }
    if host.is_empty() {
        headers.remove(HOST);
    } else {
        insert(headers, &HOST, host);
    }
    parts.version = Version::HTTP_11;
    // The origin form: only its path and query are the upstream's business.
    let path = parts.uri.path_and_query().cloned();
    parts.uri = path.map_or_else(Uri::default, Uri::from);
}

/// Makes an upstream's response one of ours.
pub(crate) fn prepare_response(headers: &mut HeaderMap, upgrade: bool) {
    let protocol = headers.get(UPGRADE).filter(|_| upgrade).cloned();
    remove_hop_by_hop(headers);
    headers.remove(PROXY_AUTHENTICATE);
    if let Some(protocol) = protocol {
        headers.insert(CONNECTION, UPGRADE_WORD.clone());
        headers.insert(UPGRADE, protocol);
    }
}

/// The protocol that a client wants to change to, when that is one that can be tunnelled: not another HTTP, which
/// would let requests pass unseen, and not TLS, which is ours to end.
pub(crate) fn upgrade_of(parts: &Parts) -> Option<HeaderValue> {
    if parts.version != Version::HTTP_11 || !lists(&parts.headers, "upgrade") {
        return None;
    }
    let mut lines = parts.headers.get_all(UPGRADE).iter();
    let (protocol, more) = (lines.next()?, lines.next());
    let name = protocol.to_str().ok()?.to_ascii_lowercase();
    let ours = ["h2", "http", "tls"].iter().any(|ours| name.starts_with(ours)) || name.contains(',');
    (more.is_none() && !ours).then(|| protocol.clone())
}

/// RFC 9110 §7.6.1: everything that `Connection` names, and what old senders forget to name.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let listed: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .filter_map(|word| HeaderName::from_bytes(word.trim().as_bytes()).ok())
            .filter(|name| !END_TO_END.contains(&name.as_str()))
            .collect();
        for name in listed {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in [&KEEP_ALIVE, &PROXY_CONNECTION, &TE, &TRANSFER_ENCODING, &UPGRADE, &HTTP2_SETTINGS] {
        headers.remove(name);
    }
}

/// What a client says about itself and the way it came; also spelled with underscores, as some servers read it.
/// Most requests claim nothing, so that looking once at each name costs less than removing each claim.
fn remove_claims(headers: &mut HeaderMap) {
    let is_claim = |name: &HeaderName| {
        let name = name.as_str();
        CLAIMS.contains(&name) || (name.contains('_') && CLAIMS.contains(&name.replace('_', "-").as_str()))
    };
    let claims: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name)).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
}

fn lists(headers: &HeaderMap, option: &str) -> bool {
    let lines = headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|word| word.trim().eq_ignore_ascii_case(option))
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    lines.join(", ")
}

/// An address in `X-Forwarded-For`, where some proxies write a port as well.
fn address(word: &str) -> Option<IpAddr> {
    let bare = word.trim_start_matches('[').trim_end_matches(']');
    let parsed = bare.parse().ok().or_else(|| word.parse::<SocketAddr>().ok().map(|address| address.ip()));
    parsed.map(|ip: IpAddr| ip.to_canonical())
}

fn insert(headers: &mut HeaderMap, name: &'static HeaderName, text: &str) {
    match HeaderValue::from_str(text) {
        Ok(value) => headers.insert(name, value),
        Err(_) => headers.remove(name),
    };
}

const LONGEST_HOST: usize = 261;
static UPGRADE_WORD: HeaderValue = HeaderValue::from_static("upgrade");
static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
static HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
static CLAIMS: &[&str] = &[
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-real-ip",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-scheme",
    "x-forwarded-prefix",
    "x-forwarded-client-cert",
    "x-original-url",
    "x-original-host",
    "x-rewrite-url",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
];
/// What `Connection` may not name: it belongs to the message, whatever a client says.
static END_TO_END: &[&str] = &[
    "host",
    "cookie",
    "authorization",
    "content-length",
    "content-type",
    "content-encoding",
    "cache-control",
    "expect",
    "if-match",
    "if-none-match",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn parts(version: Version, uri: &str, lines: &[(&str, &str)]) -> Parts {
        let mut builder = http::Request::builder().version(version).uri(uri);
        for (name, value) in lines {
            builder = builder.header(*name, *value);
        }
        builder.body(()).expect("a request").into_parts().0
    }

    fn prepared(lines: &[(&str, &str)], trusted: &[IpNet]) -> HeaderMap {
        let mut parts = parts(Version::HTTP_11, "/EWS/x", lines);
        let host = host_of(&parts.uri, parts.version, &parts.headers).expect("a host");
        let origin = origin(&parts.headers, PEER, Scheme::Http, trusted);
        let is_trusted = trusted.iter().any(|network| network.contains(&PEER));
        prepare_request(&mut parts, &host, PEER, Scheme::Http, &origin, is_trusted, None);
        parts.headers
    }

    #[test]
    fn hop_by_hop_fields_end_here() {
        let headers = prepared(
            &[
                ("Host", "mail.example.org"),
                ("Connection", "keep-alive, X-Private"),
                ("Connection", "x-other,host, Authorization"),
                ("X-Private", "1"),
                ("X-Other", "2"),
                ("Keep-Alive", "timeout=5"),
                ("TE", "trailers"),
                ("Transfer-Encoding", "chunked"),
                ("Upgrade", "h2c"),
                ("HTTP2-Settings", "x"),
                ("Proxy-Connection", "keep-alive"),
                ("Proxy-Authorization", "Basic x"),
                ("Authorization", "Basic y"),
                ("Accept", "*/*"),
            ],
            &[],
        );
        for gone in ["connection", "x-private", "x-other", "keep-alive", "te", "transfer-encoding", "upgrade"]
            .into_iter()
            .chain(["http2-settings", "proxy-connection", "proxy-authorization"])
        {
            assert!(!headers.contains_key(gone), "{gone}");
        }
        assert_eq!(headers["host"], "mail.example.org");
        assert_eq!(headers["authorization"], "Basic y");
        assert_eq!(headers["accept"], "*/*");
        assert_eq!(headers["via"], "1.1 kontor");
    }

    #[test]
    fn a_stranger_cannot_say_who_it_is() {
        let headers = prepared(
            &[
                ("Host", "mail.example.org:8443"),
                ("X-Forwarded-For", "10.0.0.1"),
                ("X-Forwarded-For", "10.0.0.2"),
                ("X_Forwarded_For", "10.0.0.3"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Host", "evil"),
                ("X-Forwarded-Port", "1"),
                ("X-Original-URL", "/admin"),
                ("Forwarded", "for=10.0.0.4"),
                ("X-Real-IP", "10.0.0.5"),
            ],
            &[],
        );
        let all =
            |name: &str| headers.get_all(name).iter().map(|v| v.to_str().expect("text")).collect::<Vec<_>>();
        assert_eq!(all("x-forwarded-for"), ["192.0.2.7"]);
        assert_eq!(all("x-forwarded-proto"), ["http"]);
        assert_eq!(all("x-forwarded-host"), ["mail.example.org:8443"]);
        assert_eq!(all("x-real-ip"), ["192.0.2.7"]);
        assert_eq!(all("forwarded"), ["for=192.0.2.7;host=\"mail.example.org:8443\";proto=http"]);
        for gone in ["x_forwarded_for", "x-forwarded-port", "x-original-url"] {
            assert!(!headers.contains_key(gone), "{gone}");
        }
    }

    #[test]
    fn a_trusted_proxy_is_believed_as_far_as_trust_goes() {
        let trusted: Vec<IpNet> =
            ["192.0.2.0/24", "10.0.0.0/8"].map(|n| n.parse().expect("a network")).into();
        let lines = [
            ("Host", "mail.example.org"),
            ("X-Forwarded-For", "6.6.6.6, 198.51.100.9"),
            ("X-Forwarded-For", "10.1.1.1"),
            ("X-Forwarded-Proto", "https"),
            ("Forwarded", "for=198.51.100.9"),
        ];
        let headers = prepared(&lines, &trusted);
        assert_eq!(headers["x-forwarded-for"], "6.6.6.6, 198.51.100.9, 10.1.1.1, 192.0.2.7");
        assert_eq!(headers["x-real-ip"], "198.51.100.9", "what the client itself wrote is not believed");
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert!(headers["forwarded"].to_str().expect("text").starts_with("for=198.51.100.9, for=192.0.2.7;"));
    }

    #[test]
    fn one_host_and_only_one() {
        let host = |version, uri, lines: &[(&str, &str)]| {
            let parts = parts(version, uri, lines);
            host_of(&parts.uri, parts.version, &parts.headers)
        };
        let (one, two) = (Version::HTTP_11, Version::HTTP_2);
        assert_eq!(host(one, "/", &[("Host", "a.example")]), Ok("a.example".to_owned()));
        assert_eq!(host(one, "http://b.example/x", &[("Host", "a.example")]), Ok("b.example".to_owned()));
        assert_eq!(host(two, "https://c.example/", &[]), Ok("c.example".to_owned()));
        assert_eq!(host(one, "/", &[("Host", "a"), ("Host", "a")]), Err(BadHost));
        assert_eq!(host(one, "/", &[]), Err(BadHost));
        assert_eq!(host(Version::HTTP_10, "/", &[]), Ok(String::new()));
        assert_eq!(host(one, "/", &[("Host", "a b")]), Err(BadHost));
        assert_eq!(host(one, "/", &[("Host", "a\"b")]), Err(BadHost));
        assert_eq!(host(one, "http://user@b.example/", &[("Host", "b.example")]), Err(BadHost));
        assert_eq!(without_port("a.example:80"), "a.example");
        assert_eq!(without_port("[::1]:80"), "[::1]");
        assert_eq!(without_port("[::1]"), "[::1]");
    }

    #[test]
    fn upgrades_that_can_be_tunnelled() {
        let wanted = |lines: &[(&str, &str)]| upgrade_of(&parts(Version::HTTP_11, "/", lines)).is_some();
        assert!(wanted(&[("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket")]));
        assert!(!wanted(&[("Upgrade", "websocket")]));
        assert!(!wanted(&[("Connection", "Upgrade"), ("Upgrade", "h2c")]));
        assert!(!wanted(&[("Connection", "Upgrade"), ("Upgrade", "HTTP/2.0")]));
        assert!(!wanted(&[("Connection", "Upgrade"), ("Upgrade", "TLS/1.2")]));
        assert!(!wanted(&[("Connection", "Upgrade"), ("Upgrade", "websocket, h2c")]));
    }

    #[test]
    fn cookies_become_one_line() {
        let headers = prepared(&[("Host", "h"), ("Cookie", "a=1"), ("Cookie", "b=2")], &[]);
        let lines: Vec<_> = headers.get_all("cookie").iter().collect();
        assert_eq!(lines, ["a=1; b=2"]);
    }

    proptest! {
        #[test]
        fn nothing_a_stranger_sends_is_believed(
            lines in prop::collection::vec(
                ("(connection|x-forwarded-for|forwarded|x_real_ip|upgrade|te|x-a|x-forwarded-proto)", "[ -~]{0,60}"), 0..8,
            ),
        ) {
            let mut all = vec![("Host", "h.example")];
            all.extend(lines.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            let headers = prepared(&all, &[]);
            let mut said = headers.get_all("x-forwarded-for").iter();
            prop_assert_eq!(said.next().and_then(|v| v.to_str().ok()), Some("192.0.2.7"));
            prop_assert!(said.next().is_none());
            prop_assert_eq!(&headers["host"], "h.example");
            for gone in ["connection", "te", "upgrade", "x_real_ip"] {
                prop_assert!(!headers.contains_key(gone));
            }
        }

        #[test]
        fn any_list_of_addresses_is_read(text in "[ -~]{0,80}") {
            let trusted: Vec<IpNet> = vec!["192.0.2.0/24".parse().expect("a network")];
            let parts = parts(Version::HTTP_11, "/", &[("x-forwarded-for", &text)]);
            let _ = origin(&parts.headers, PEER, Scheme::Http, &trusted);
        }
    }
}
