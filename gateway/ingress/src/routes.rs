//! The routing table: which request goes to which gateway, and what it needs on the way.
//!
//! It is a table of constants, since the paths are the protocols' own. A configuration says where the targets are and
//! may change a route's limits, never its paths.

use std::time::Duration;

use serde::Deserialize;

/// The HTTP routes, as their defaults are. An exact path wins over a prefix, a longer prefix over a shorter one,
/// any path over a host.
pub const ROUTES: &[Route] = &[
    Route {
        name: Name::Autodiscover,
        target: Target::Autodiscover,
        paths: &[
            Path::Under("/autodiscover", Case::Insensitive),
            Path::Under("/.well-known/autoconfig", Case::Insensitive),
            Path::Exact("/mail/config-v1.1.xml", Case::Insensitive),
        ],
        hosts: &["autodiscover", "autoconfig"],
        affinity: Affinity::None,
        idle: Duration::from_secs(60),
        max_body: 1 << 20,
    },
    Route {
        name: Name::Ews,
        target: Target::Ews,
        paths: &[Path::Under("/EWS", Case::Insensitive)],
        hosts: &[],
        affinity: Affinity::None,
        // Streaming notifications say something every minute; a large search may think for long.
        idle: Duration::from_secs(15 * 60),
        max_body: 256 << 20,
    },
    Route {
        name: Name::Mapi,
        target: Target::Mapi,
        paths: &[Path::Under("/mapi", Case::Insensitive), Path::Under("/OAB", Case::Insensitive)],
        hosts: &[],
        affinity: Affinity::Cookie,
        // NotificationWait: five minutes, and MS-OXCMAPIHTTP lets a server ask for more.
        idle: Duration::from_secs(20 * 60),
        max_body: 256 << 20,
    },
    Route {
        name: Name::Rpc,
        target: Target::Mapi,
        paths: &[Path::Under("/rpc", Case::Insensitive)],
        hosts: &[],
        affinity: Affinity::Client,
        idle: Duration::from_secs(2 * 3600),
        // Each channel announces a gigabyte and is replaced when that is used up (MS-RPCH 3.2.2).
        max_body: u64::MAX,
    },
    Route {
        name: Name::Eas,
        target: Target::Eas,
        paths: &[Path::Under("/Microsoft-Server-ActiveSync", Case::Insensitive)],
        hosts: &[],
        affinity: Affinity::None,
        // Ping: its heartbeat may be 59 minutes (MS-ASCMD 2.2.3.84).
        idle: Duration::from_secs(65 * 60),
        max_body: 256 << 20,
    },
    Route {
        name: Name::Dav,
        target: Target::Dav,
        paths: &[
            Path::Under("/dav", Case::Sensitive),
            Path::Under("/.well-known/caldav", Case::Sensitive),
            Path::Under("/.well-known/carddav", Case::Sensitive),
            Path::Under("/principals", Case::Sensitive),
        ],
        hosts: &[],
        affinity: Affinity::None,
        idle: Duration::from_secs(5 * 60),
        max_body: 16 << 30,
    },
];

/// The TCP routes: a port of the outside, and the gateway that it leads to.
pub const TCP_ROUTES: &[TcpRoute] = &[
    TcpRoute { name: TcpName::Smtp, endpoint: "ingress.smtp", port: 25 },
    TcpRoute { name: TcpName::Submission, endpoint: "ingress.submission", port: 587 },
    TcpRoute { name: TcpName::Submissions, endpoint: "ingress.submissions", port: 465 },
    TcpRoute { name: TcpName::Lmtp, endpoint: "ingress.lmtp", port: 24 },
    TcpRoute { name: TcpName::Imap, endpoint: "ingress.imap", port: 143 },
    TcpRoute { name: TcpName::Imaps, endpoint: "ingress.imaps", port: 993 },
    TcpRoute { name: TcpName::Pop3, endpoint: "ingress.pop3", port: 110 },
    TcpRoute { name: TcpName::Pop3s, endpoint: "ingress.pop3s", port: 995 },
];

/// A gateway that speaks HTTP.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Where a client finds its endpoints.
    Autodiscover,
    /// Exchange Web Services.
    Ews,
    /// MAPI over HTTP, RPC over HTTP, the offline address book.
    Mapi,
    /// ActiveSync.
    Eas,
    /// CalDAV, CardDAV, WebDAV.
    Dav,
}

impl Target {
    /// As it is called in configurations, metrics and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Autodiscover => "autodiscover",
            Self::Ews => "ews",
            Self::Mapi => "mapi",
            Self::Eas => "eas",
            Self::Dav => "dav",
        }
    }
}

/// A route's name: a target may have several, with different needs.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// To [`Target::Autodiscover`].
    Autodiscover,
    /// To [`Target::Ews`].
    Ews,
    /// To [`Target::Mapi`], MAPI over HTTP.
    Mapi,
    /// To [`Target::Mapi`], RPC over HTTP.
    Rpc,
    /// To [`Target::Eas`].
    Eas,
    /// To [`Target::Dav`].
    Dav,
}

impl Name {
    /// As it is called in configurations, metrics and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Autodiscover => "autodiscover",
            Self::Ews => "ews",
            Self::Mapi => "mapi",
            Self::Rpc => "rpc",
            Self::Eas => "eas",
            Self::Dav => "dav",
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its name.
    pub name: Name,
    /// Where it leads.
    pub target: Target,
    /// Its paths.
    pub paths: &'static [Path],
    /// First labels of host names that lead here whatever the path, when no path says otherwise.
    pub hosts: &'static [&'static str],
    /// Who decides which upstream it is.
    pub affinity: Affinity,
    /// How long neither side may say anything; there is no limit for the whole.
    pub idle: Duration,
    /// The largest request body, octets.
    pub max_body: u64,
}

/// A path, or everything below it.
#[derive(Clone, Copy, Debug)]
pub enum Path {
    /// Just this one.
    Exact(&'static str, Case),
    /// This one and what follows it after a slash.
    Under(&'static str, Case),
}

/// Whether `/ews` is `/EWS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// It is not.
    Sensitive,
    /// It is: where Exchange's paths are.
    Insensitive,
}

/// Who decides which upstream a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affinity {
    /// Whoever has least to do.
    None,
    /// The cookie of an earlier response, else whoever has least to do.
    Cookie,
    /// The client's address: for clients that open several connections that belong together and keep no cookie.
    Client,
}

/// One row of the table for TCP.
#[derive(Clone, Copy, Debug)]
pub struct TcpRoute {
    /// Its name.
    pub name: TcpName,
    /// As its listener is called.
    pub endpoint: &'static str,
    /// The standard port.
    pub port: u16,
}

/// A TCP route's name: that of the endpoint behind it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "lowercase")]
pub enum TcpName {
    /// Mail from other servers.
    Smtp,
    /// Mail from clients.
    Submission,
    /// The same, implicit TLS.
    Submissions,
    /// Mail from a server in front.
    Lmtp,
    /// IMAP.
    Imap,
    /// The same, implicit TLS.
    Imaps,
    /// POP3.
    Pop3,
    /// The same, implicit TLS.
    Pop3s,
}

impl TcpName {
    /// As it is called in configurations, metrics and messages.
    pub fn as_str(self) -> &'static str {
        self.route().endpoint.strip_prefix("ingress.").unwrap_or_default()
    }

    /// Its row.
    pub fn route(self) -> &'static TcpRoute {
        TCP_ROUTES.iter().find(|route| route.name == self).expect("every name has a row")
    }
}

/// Finds the row for a request.
///
/// # Errors
/// [`BadPath`] for a path that means another one than it says.
pub fn find<'a>(routes: &'a [Route], host: &str, path: &str) -> Result<Option<&'a Route>, BadPath> {
    check(path)?;
    let by_path = routes
        .iter()
        .filter_map(|route| Some((route.paths.iter().filter_map(|rule| rule.matches(path)).max()?, route)))
        .max_by_key(|(weight, _)| *weight);
    if let Some((_, route)) = by_path {
        return Ok(Some(route));
    }
    let label = host.split('.').next().filter(|label| label.len() < host.len()).unwrap_or_default();
    Ok(routes.iter().find(|route| route.hosts.iter().any(|known| known.eq_ignore_ascii_case(label))))
}

impl Path {
    /// How well it fits: the octets that were compared, and whether that was all.
    fn matches(&self, path: &str) -> Option<(bool, usize)> {
        let (rule, case, exact) = match *self {
            Self::Exact(rule, case) => (rule, case, true),
            Self::Under(rule, case) => (rule, case, false),
        };
        let start = path.as_bytes().get(..rule.len())?;
        let same = match case {
            Case::Sensitive => start == rule.as_bytes(),
            Case::Insensitive => start.eq_ignore_ascii_case(rule.as_bytes()),
        };
        let end = match path.as_bytes().get(rule.len()) {
            None => true,
            Some(b'/') => !exact,
            Some(_) => false,
        };
        (same && end).then_some((exact, rule.len()))
    }
}

/// A path with `.` or `..` in it: who resolves it decides where it goes, so nobody gets to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPath;

fn check(path: &str) -> Result<(), BadPath> {
    if !path.starts_with('/') {
        return Err(BadPath);
    }
    if !path.as_bytes().windows(2).any(|pair| matches!(pair, b"/." | b"/%")) {
        return Ok(());
    }
    let is_dots = |segment: &str| {
        let decoded = segment.replace("%2e", ".").replace("%2E", ".");
        decoded == "." || decoded == ".."
    };
    if path.split('/').any(is_dots) { Err(BadPath) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(host: &str, path: &str) -> Option<Name> {
        find(ROUTES, host, path).expect("a good path").map(|route| route.name)
    }

    #[test]
    fn the_table_of_the_design() {
        let host = "mail.example.org";
        for (path, expected) in [
            ("/autodiscover/autodiscover.xml", Name::Autodiscover),
            ("/Autodiscover/Autodiscover.xml", Name::Autodiscover),
            ("/AUTODISCOVER/autodiscover.json", Name::Autodiscover),
            ("/.well-known/autoconfig/mail/config-v1.1.xml", Name::Autodiscover),
            ("/mail/config-v1.1.xml", Name::Autodiscover),
            ("/EWS/Exchange.asmx", Name::Ews),
            ("/ews/exchange.asmx", Name::Ews),
            ("/EWS", Name::Ews),
            ("/mapi/emsmdb/", Name::Mapi),
            ("/Mapi/nspi", Name::Mapi),
            ("/OAB/1/oab.xml", Name::Mapi),
            ("/oab/x", Name::Mapi),
            ("/rpc/rpcproxy.dll", Name::Rpc),
            ("/RPC/rpcproxy.dll", Name::Rpc),
            ("/Microsoft-Server-ActiveSync", Name::Eas),
            ("/microsoft-server-activesync", Name::Eas),
            ("/Microsoft-Server-ActiveSync/default.eas", Name::Eas),
            ("/dav/", Name::Dav),
            ("/dav/calendars/ann/work/x.ics", Name::Dav),
            ("/.well-known/caldav", Name::Dav),
            ("/.well-known/carddav", Name::Dav),
            ("/.well-known/carddav/", Name::Dav),
            ("/principals/ann", Name::Dav),
        ] {
            assert_eq!(name(host, path), Some(expected), "{path}");
        }
        for path in
            ["/", "/DAV/x", "/davx", "/EWSx", "/mail/config-v1.1.xml/", "/x/EWS", "//EWS/", "/.well-known/x"]
        {
            assert_eq!(name(host, path), None, "{path}");
        }
    }

    #[test]
    fn a_host_leads_where_no_path_does() {
        assert_eq!(name("autoconfig.example.org", "/anything"), Some(Name::Autodiscover));
        assert_eq!(name("AutoDiscover.example.org", "/"), Some(Name::Autodiscover));
        assert_eq!(name("autodiscover.example.org", "/EWS/Exchange.asmx"), Some(Name::Ews));
        assert_eq!(name("autodiscover", "/"), None, "that is a machine, not a domain's host");
        assert_eq!(name("xautodiscover.example.org", "/"), None);
    }

    #[test]
    fn a_path_means_what_it_says() {
        for path in [
            "/EWS/../dav/x",
            "/dav/..",
            "/./EWS",
            "/EWS/%2e%2E/dav",
            "/EWS/.%2e/dav",
            "/dav/%2E",
            "EWS",
            "*",
            "",
        ] {
            assert_eq!(find(ROUTES, "x", path).err(), Some(BadPath), "{path}");
        }
        for path in ["/dav/...", "/dav/.hidden", "/dav/a..b", "/dav/%2e%2e%2e", "/.well-known/caldav"] {
            assert!(find(ROUTES, "x", path).is_ok(), "{path}");
        }
    }

    #[test]
    fn every_name_has_one_row() {
        for route in ROUTES {
            assert_eq!(ROUTES.iter().filter(|other| other.name == route.name).count(), 1);
        }
        for name in [TcpName::Smtp, TcpName::Submission, TcpName::Submissions, TcpName::Lmtp]
            .into_iter()
            .chain([TcpName::Imap, TcpName::Imaps, TcpName::Pop3, TcpName::Pop3s])
        {
            assert!(!name.as_str().is_empty());
        }
    }

    proptest! {
        #[test]
        fn any_path_is_answered(host in ".{0,40}", path in ".{0,80}", raw in "(/(\\.|%2e|EWS|dav|%|\u{e4}|x){0,4}){0,6}") {
            let _ = find(ROUTES, &host, &path);
            let _ = find(ROUTES, &host, &raw);
        }

        #[test]
        fn what_is_below_a_prefix_goes_with_it(rest in "(/[a-z%0-9]{1,8}){0,4}") {
            for route in ROUTES {
                for rule in route.paths {
                    if let Path::Under(rule, _) = rule {
                        prop_assert_eq!(name("h.example", &format!("{rule}{rest}")), Some(route.name));
                    }
                }
            }
        }
    }
}
