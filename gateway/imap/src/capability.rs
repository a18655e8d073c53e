//! What the server says it can do (RFC 9051 §6.1.1, §7.2.2).

use kontor_gateway_core::sasl;

/// Before login. `tls_offered`: STARTTLS is possible; `login`: names and passwords are taken now.
pub fn before_login(tls_offered: bool, login: bool) -> Vec<String> {
    let mut names: Vec<String> = BEFORE.iter().map(|s| (*s).to_owned()).collect();
    if tls_offered {
        names.push("STARTTLS".into());
    }
    if login {
        names.extend(sasl::MECHANISMS.iter().map(|mechanism| format!("AUTH={mechanism}")));
    } else {
        names.push("LOGINDISABLED".into());
    }
    names
}

/// After login; `append_limit` in octets.
pub fn after_login(append_limit: u64) -> Vec<String> {
    let mut names: Vec<String> = BEFORE.iter().chain(AFTER).map(|s| (*s).to_owned()).collect();
    names.push(format!("APPENDLIMIT={append_limit}"));
    names
}

const BEFORE: &[&str] = &["IMAP4rev1", "IMAP4rev2", "LITERAL+", "SASL-IR", "ID", "ENABLE"];
const AFTER: &[&str] = &[
    "IDLE",
    "UIDPLUS",
    "MOVE",
    "CONDSTORE",
    "QRESYNC",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "NAMESPACE",
    "CHILDREN",
    "UNSELECT",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "ESEARCH",
    "SEARCHRES",
    "STATUS=SIZE",
    "BINARY",
    "OBJECTID",
    "MULTIAPPEND",
    "WITHIN",
];
