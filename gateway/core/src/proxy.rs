//! The PROXY protocol, versions 1 and 2 (haproxy `proxy-protocol.txt` 2.1, 2.2): how a balancer says who its client
//! is. Only read from networks that the operator trusts; from anybody else it would be a forged address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The balancer speaks for itself (a health check), or does not know: the socket's own addresses hold.
    Local,
    /// The client's address, and the address it connected to.
    Proxied {
        /// The client.
        source: SocketAddr,
        /// Where the client connected.
        destination: SocketAddr,
    },
}

/// A parse of what has come so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Valid so far; at least this many octets more are needed.
    Partial(usize),
    /// A whole header and its length in octets.
    Complete(Header, usize),
}

/// Why it is not a header.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// The first octets are not a PROXY header: a client spoke directly, or the balancer is not set up for it.
    #[error("no PROXY protocol header")]
    Missing,
    /// It starts like one and is not.
    #[error("invalid PROXY protocol header: {0}")]
    Invalid(&'static str),
    /// The connection broke.
    #[error("reading the PROXY protocol header")]
    Io(#[from] io::Error),
}

/// Parses the start of a connection.
///
/// # Errors
/// [`ProxyError::Missing`] and [`ProxyError::Invalid`] only.
pub fn parse(bytes: &[u8]) -> Result<Parsed, ProxyError> {
    let shared = bytes.len().min(V2_SIGNATURE.len());
    if bytes.get(..shared) == V2_SIGNATURE.get(..shared) {
        return parse_v2(bytes);
    }
    let shared = bytes.len().min(V1_SIGNATURE.len());
    if bytes.get(..shared) == V1_SIGNATURE.get(..shared) {
        return parse_v1(bytes);
    }
    Err(ProxyError::Missing)
}

/// Reads one header and not an octet more. The caller sets the deadline.
///
/// # Errors
/// See [`ProxyError`].
pub async fn read<R: AsyncRead + Unpin>(from: &mut R) -> Result<Header, ProxyError> {
    let mut bytes = Vec::with_capacity(V2_PREFIX);
    loop {
        match parse(&bytes)? {
            Parsed::Complete(header, _) => return Ok(header),
            Parsed::Partial(missing) => {
                let had = bytes.len();
                bytes.resize(had + missing, 0);
                from.read_exact(bytes.get_mut(had..).unwrap_or_default()).await?;
            }
        }
    }
}

/// The version 2 header of a balancer that comes for itself: a health check.
pub const LOCAL_V2: [u8; 16] = *b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// A version 2 header, to be sent before everything else to a listener that trusts us. Addresses of two families
/// become IPv6 ones.
pub fn encode_v2(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let mut header = Vec::with_capacity(V2_PREFIX + 36);
    header.extend(V2_SIGNATURE);
    let (from, to) = (source.ip().to_canonical(), destination.ip().to_canonical());
    if let (IpAddr::V4(from), IpAddr::V4(to)) = (from, to) {
        header.extend([0x21, 0x11, 0, 12]);
        header.extend(from.octets());
        header.extend(to.octets());
    } else {
        let wide = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        header.extend([0x21, 0x21, 0, 36]);
        header.extend(wide(from).octets());
        header.extend(wide(to).octets());
    }
    header.extend(source.port().to_be_bytes());
    header.extend(destination.port().to_be_bytes());
    header
}

fn parse_v1(bytes: &[u8]) -> Result<Parsed, ProxyError> {
    let Some(end) = bytes.iter().take(V1_MAX).position(|b| *b == b'\n') else {
        if bytes.len() >= V1_MAX {
            return Err(ProxyError::Invalid("line too long"));
        }
        // The shortest line is known; after that nothing tells how much follows.
        return Ok(Parsed::Partial(V1_MIN.saturating_sub(bytes.len()).max(1)));
    };
    let line = bytes.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.and_then(|line| std::str::from_utf8(line).ok()).ok_or(ProxyError::Invalid("line"))?;
    let mut words = line.split(' ');
    words.next();
    let header = match words.next() {
        Some("UNKNOWN") => Header::Local,
        Some(family @ ("TCP4" | "TCP6")) => {
            let (Some(source), Some(destination), Some(source_port), Some(destination_port), None) =
                (words.next(), words.next(), words.next(), words.next(), words.next())
            else {
                return Err(ProxyError::Invalid("fields"));
            };
            let ip = |text: &str| -> Result<IpAddr, ProxyError> {
                let parsed = if family == "TCP4" {
                    text.parse::<Ipv4Addr>().map(IpAddr::V4)
                } else {
                    text.parse::<Ipv6Addr>().map(IpAddr::V6)
                };
                parsed.map_err(|_| ProxyError::Invalid("address"))
            };
            let port = |text: &str| text.parse::<u16>().map_err(|_| ProxyError::Invalid("port"));
            Header::Proxied {
                source: SocketAddr::new(ip(source)?, port(source_port)?),
                destination: SocketAddr::new(ip(destination)?, port(destination_port)?),
            }
        }
        _ => return Err(ProxyError::Invalid("family")),
    };
    Ok(Parsed::Complete(header, end + 1))
}

fn parse_v2(bytes: &[u8]) -> Result<Parsed, ProxyError> {
    let (Some(&[version, family]), Some(&[high, low])) = (
        bytes.get(12..14).and_then(|b| b.first_chunk::<2>()),
        bytes.get(14..16).and_then(|b| b.first_chunk::<2>()),
    ) else {
        // "\r\n" may still be neither; no more than the signature's rest is asked for before it is complete.
        return Ok(Parsed::Partial(V2_PREFIX.saturating_sub(bytes.len())));
    };
    if version >> 4 != 2 {
        return Err(ProxyError::Invalid("version"));
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > V2_MAX {
        return Err(ProxyError::Invalid("length"));
    }
    let total = V2_PREFIX + length;
    let Some(body) = bytes.get(V2_PREFIX..total) else {
        return Ok(Parsed::Partial(total - bytes.len()));
    };
    let header = match (version & 0x0f, family) {
        (0, _) => Header::Local,
        (1, 0x11 | 0x12) => {
            let body = body.first_chunk::<12>().ok_or(ProxyError::Invalid("short address"))?;
            let [a, b, c, d, e, f, g, h, p, q, r, s] = *body;
            Header::Proxied {
                source: SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([p, q])),
                destination: SocketAddr::new(Ipv4Addr::new(e, f, g, h).into(), u16::from_be_bytes([r, s])),
            }
        }
        (1, 0x21 | 0x22) => {
            let (Some(source), Some(destination), Some(ports)) = (
                body.first_chunk::<16>(),
                body.get(16..).and_then(|b| b.first_chunk::<16>()),
                body.get(32..).and_then(|b| b.first_chunk::<4>()),
            ) else {
                return Err(ProxyError::Invalid("short address"));
            };
            let [p, q, r, s] = *ports;
            Header::Proxied {
                source: SocketAddr::new(Ipv6Addr::from(*source).into(), u16::from_be_bytes([p, q])),
                destination: SocketAddr::new(Ipv6Addr::from(*destination).into(), u16::from_be_bytes([r, s])),
            }
        }
        // AF_UNSPEC and AF_UNIX: no address of use.
        (1, 0x00 | 0x31 | 0x32) => Header::Local,
        (1, _) => return Err(ProxyError::Invalid("family")),
        _ => return Err(ProxyError::Invalid("command")),
    };
    Ok(Parsed::Complete(header, total))
}

const V1_SIGNATURE: &[u8] = b"PROXY ";
const V1_MIN: usize = "PROXY UNKNOWN\r\n".len();
const V1_MAX: usize = 107;
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_PREFIX: usize = 16;
/// Addresses and the TLVs of the known balancers; the format allows 65535.
const V2_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v1(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
        let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
        let (s, d) = (source.ip(), destination.ip());
        format!("PROXY {family} {s} {d} {} {}\r\n", source.port(), destination.port()).into_bytes()
    }

    fn v2(source: SocketAddr, destination: SocketAddr, tlv: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        for ip in [source.ip(), destination.ip()] {
            match ip {
                IpAddr::V4(ip) => body.extend(ip.octets()),
                IpAddr::V6(ip) => body.extend(ip.octets()),
            }
        }
        body.extend(source.port().to_be_bytes());
        body.extend(destination.port().to_be_bytes());
        body.extend(tlv);
        let mut bytes = V2_SIGNATURE.to_vec();
        bytes.extend([0x21, if source.is_ipv4() { 0x11 } else { 0x21 }]);
        bytes.extend(u16::try_from(body.len()).expect("short").to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn known_headers() {
        let local = b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\nrest";
        assert_eq!(parse(local).expect("valid"), Parsed::Complete(Header::Local, local.len() - 4));
        assert_eq!(parse(&LOCAL_V2).expect("valid"), Parsed::Complete(Header::Local, 16));
        assert!(matches!(parse(b"EHLO there\r\n"), Err(ProxyError::Missing)));
        assert!(matches!(parse(b"\x16\x03\x01"), Err(ProxyError::Missing)));
        assert!(matches!(parse(b"PROXY TCP4 1.2.3.4 ::1 1 2\r\n"), Err(ProxyError::Invalid("address"))));
        assert!(matches!(parse(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 70000\r\n"), Err(ProxyError::Invalid("port"))));
        assert!(matches!(parse(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"), Err(ProxyError::Invalid("fields"))));
        assert!(matches!(parse(&[&b"PROXY "[..], &[b'x'; 200]].concat()), Err(ProxyError::Invalid(_))));
    }

    #[tokio::test]
    async fn reads_not_an_octet_more() {
        let header = b"PROXY TCP4 10.0.0.1 10.0.0.2 4000 25\r\n";
        let mut stream = &[&header[..], b"EHLO x\r\n"].concat()[..];
        assert!(matches!(read(&mut stream).await.expect("valid"), Header::Proxied { .. }));
        assert_eq!(stream, b"EHLO x\r\n");
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, cut in 0usize..40) {
            let _ = parse(&bytes);
            for signature in [V1_SIGNATURE, V2_SIGNATURE] {
                let _ = parse(&[signature, &bytes].concat());
            }
            let whole = v2("1.2.3.4:5".parse().expect("ok"), "6.7.8.9:10".parse().expect("ok"), &bytes);
            let _ = parse(whole.get(..cut).unwrap_or(&whole));
        }

        #[test]
        fn what_is_written_is_read(a: u128, b: u128, fours: (bool, bool), ports: (u16, u16)) {
            let ip = |n: u128, four| if four { IpAddr::from((n as u32).to_be_bytes()) } else { IpAddr::from(n.to_be_bytes()) };
            let (source, destination) = (SocketAddr::new(ip(a, fours.0), ports.0), SocketAddr::new(ip(b, fours.1), ports.1));
            let header = encode_v2(source, destination);
            let Parsed::Complete(Header::Proxied { source: from, destination: to }, length) =
                parse(&header).expect("valid") else { panic!("incomplete") };
            prop_assert_eq!(length, header.len());
            prop_assert_eq!((from.ip().to_canonical(), from.port()), (source.ip().to_canonical(), source.port()));
            prop_assert_eq!((to.ip().to_canonical(), to.port()), (destination.ip().to_canonical(), destination.port()));
        }

        #[test]
        fn both_versions_both_families_in_any_pieces(
            four: bool, a: u128, b: u128, ports: (u16, u16), tlv in prop::collection::vec(any::<u8>(), 0..60), rest: Vec<u8>,
        ) {
            let ip = |n: u128| if four { IpAddr::from((n as u32).to_be_bytes()) } else { IpAddr::from(n.to_be_bytes()) };
            let (source, destination) = (SocketAddr::new(ip(a), ports.0), SocketAddr::new(ip(b), ports.1));
            for header in [v1(source, destination), v2(source, destination, &tlv)] {
                let whole = [&header[..], &rest].concat();
                let expected = Parsed::Complete(Header::Proxied { source, destination }, header.len());
                prop_assert_eq!(parse(&whole).expect("valid"), expected);
                for cut in 0..header.len() {
                    let Parsed::Partial(missing) = parse(&whole[..cut]).expect("valid so far") else { panic!() };
                    prop_assert!(missing > 0 && cut + missing <= header.len());
                }
            }
        }
    }
}
