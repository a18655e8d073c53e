//! Keeping a session on the upstream that has it, by a cookie.
//!
//! The cookie names an upstream and nothing else: it says neither who the client is nor, without the key, where the
//! upstream is. A made-up one names nobody, and its request goes to whoever has least to do.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::COOKIE;

/// What affinity is decided with; the same in all replicas.
#[derive(Clone)]
pub(crate) struct AffinityKey([u8; 32]);

impl AffinityKey {
    /// From the configured secret; without one the tokens are plain hashes.
    pub fn new(secret: &[u8]) -> Self {
        Self(blake3::derive_key("kontor ingress affinity v1", secret))
    }

    /// What names an upstream of a target, as it stands in the cookie.
    pub fn token(&self, target: &str, upstream: SocketAddr) -> String {
        let text = format!("{target}\0{upstream}");
        let hash = blake3::keyed_hash(&self.0, text.as_bytes());
        hash.to_hex().chars().take(TOKEN).collect()
    }

    /// How much a client belongs to an upstream: the highest wins. A change of the set moves only the clients of what
    /// came or went (rendezvous hashing).
    pub fn weight(&self, client: IpAddr, upstream: SocketAddr) -> u64 {
        let text = format!("{client}\0{upstream}");
        let hash = blake3::keyed_hash(&self.0, text.as_bytes());
        hash.as_bytes().first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first))
    }
}

/// The token in a request's cookies; the first one counts.
pub(crate) fn requested(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.filter(|(name, _)| *name == NAME).map(|(_, value)| value.trim_matches('"')).next()?;
    let good = value.len() == TOKEN && value.bytes().all(|b| b.is_ascii_hexdigit());
    good.then_some(value)
}

/// The `Set-Cookie` for a token.
pub(crate) fn set_cookie(token: &str, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{NAME}={token}; Path=/; HttpOnly; SameSite=Lax{secure}")
}

const NAME: &str = "kontor-upstream";
const TOKEN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn cookies(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_str(line).expect("a value"))).collect()
    }

    #[test]
    fn what_was_set_is_found_again() {
        let key = AffinityKey::new(b"secret");
        let token = key.token("mapi", "10.0.0.1:8080".parse().expect("address"));
        let set = set_cookie(&token, true);
        let pair = set.split(';').next().expect("the pair");
        for lines in [
            vec![pair.to_owned()],
            vec![format!("a=b; {pair}; c=d")],
            vec!["x=y".to_owned(), format!("{pair};z=1")],
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(requested(&cookies(&lines)), Some(token.as_str()));
        }
        assert_eq!(requested(&cookies(&["kontor-upstream=short", "a"])), None);
        assert_eq!(requested(&cookies(&[&format!("not-{pair}")])), None);
    }

    #[test]
    fn a_token_is_of_its_key_its_target_and_its_upstream() {
        let (one, other): (SocketAddr, SocketAddr) =
            ("10.0.0.1:8080".parse().expect("address"), "10.0.0.2:8080".parse().expect("address"));
        let key = AffinityKey::new(b"secret");
        let token = key.token("mapi", one);
        assert_eq!(token, AffinityKey::new(b"secret").token("mapi", one));
        assert_ne!(token, key.token("mapi", other));
        assert_ne!(token, key.token("ews", one));
        assert_ne!(token, AffinityKey::new(b"another").token("mapi", one));
    }

    #[test]
    fn a_client_stays_when_another_upstream_goes() {
        let key = AffinityKey::new(b"");
        let upstreams: Vec<SocketAddr> = (1..=5).map(|n| SocketAddr::from(([10, 0, 0, n], 80))).collect();
        let chosen = |client: IpAddr, among: &[SocketAddr]| {
            *among.iter().max_by_key(|upstream| key.weight(client, **upstream)).expect("some")
        };
        for n in 0..200 {
            let client = IpAddr::from([192, 0, 2, n]);
            let before = chosen(client, &upstreams);
            let left: Vec<_> = upstreams.iter().copied().filter(|u| *u != upstreams[0]).collect();
            if before != upstreams[0] {
                assert_eq!(chosen(client, &left), before);
            }
        }
    }

    proptest! {
        #[test]
        fn any_cookie_line_is_read(lines in prop::collection::vec("[ -~]{0,120}", 0..4)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            if let Some(token) = requested(&cookies(&lines)) {
                prop_assert_eq!(token.len(), TOKEN);
            }
        }
    }
}
