//! Response codes (RFC 9051 §7.1, RFC 5530, RFC 4315, RFC 7162, RFC 8474).

use crate::{
    Flag,
    encoder::{write_flags, write_objectid},
    sequence_set::{write_number, write_set},
};

/// What a status response says to programs.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "the plain ones are the code of their name")]
pub enum Code<'a> {
    Alert,
    AlreadyExists,
    /// UIDVALIDITY of the target and the new UIDs.
    AppendUid(u32, &'a [u32]),
    AuthenticationFailed,
    AuthorizationFailed,
    /// UTF-8 is the one that is supported.
    BadCharset,
    Cannot,
    /// Capability names, each an atom.
    Capability(&'a [&'a str]),
    ClientBug,
    Closed,
    ContactAdmin,
    /// UIDVALIDITY of the target, the old UIDs, and in the same order the new ones.
    CopyUid(u32, &'a [u32], &'a [u32]),
    Corruption,
    Expired,
    ExpungeIssued,
    HasChildren,
    HighestModSeq(u64),
    InUse,
    Limit,
    /// The mailbox's object id (RFC 8474).
    MailboxId(u64),
    /// Messages that STORE UNCHANGEDSINCE left alone: numbers, or UIDs for UID STORE.
    Modified(&'a [u32]),
    NoModSeq,
    Nonexistent,
    NoPerm,
    NotSaved,
    OverQuota,
    Parse,
    /// Flags that last; `true` if new keywords can be made (`\*`).
    PermanentFlags(&'a [Flag], bool),
    PrivacyRequired,
    ReadOnly,
    ReadWrite,
    ServerBug,
    TooBig,
    TryCreate,
    UidNext(u32),
    UidNotSticky,
    UidValidity(u32),
    Unavailable,
    UnknownCte,
    /// Number of the first unseen message (RFC 3501).
    Unseen(u32),
    UseAttr,
}

impl Code<'_> {
    /// Appends the code in its brackets.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.push(b'[');
        let mut with_number = |name: &[u8], number: u64| {
            out.extend_from_slice(name);
            out.push(b' ');
            write_number(out, number);
        };
        match self {
            Self::HighestModSeq(n) => with_number(b"HIGHESTMODSEQ", n),
            Self::UidNext(n) => with_number(b"UIDNEXT", n.into()),
            Self::UidValidity(n) => with_number(b"UIDVALIDITY", n.into()),
            Self::Unseen(n) => with_number(b"UNSEEN", n.into()),
            Self::AppendUid(validity, uids) => {
                with_number(b"APPENDUID", validity.into());
                out.push(b' ');
                write_set(out, uids.iter().copied());
            }
            Self::CopyUid(validity, old, new) => {
                with_number(b"COPYUID", validity.into());
                out.push(b' ');
                write_set(out, old.iter().copied());
                out.push(b' ');
                write_set(out, new.iter().copied());
            }
            Self::Modified(numbers) => {
                out.extend_from_slice(b"MODIFIED ");
                write_set(out, numbers.iter().copied());
            }
            Self::Capability(names) => {
                out.extend_from_slice(b"CAPABILITY");
                for name in names {
                    out.push(b' ');
                    out.extend_from_slice(name.as_bytes());
                }
            }
            Self::MailboxId(id) => {
                out.extend_from_slice(b"MAILBOXID (");
                write_objectid(out, id);
                out.push(b')');
            }
            Self::PermanentFlags(flags, any) => {
                out.extend_from_slice(b"PERMANENTFLAGS ");
                write_flags(out, flags);
                if any {
                    out.pop();
                    out.extend_from_slice(if flags.is_empty() { b"\\*)" } else { b" \\*)" });
                }
            }
            plain => out.extend_from_slice(plain.name().as_bytes()),
        }
        out.push(b']');
    }

    /// The code of a plain one; those with arguments are written above.
    const fn name(self) -> &'static str {
        match self {
            Self::Alert => "ALERT",
            Self::AlreadyExists => "ALREADYEXISTS",
            Self::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Self::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Self::BadCharset => "BADCHARSET (UTF-8)",
            Self::Cannot => "CANNOT",
            Self::ClientBug => "CLIENTBUG",
            Self::Closed => "CLOSED",
            Self::ContactAdmin => "CONTACTADMIN",
            Self::Corruption => "CORRUPTION",
            Self::Expired => "EXPIRED",
            Self::ExpungeIssued => "EXPUNGEISSUED",
            Self::HasChildren => "HASCHILDREN",
            Self::InUse => "INUSE",
            Self::Limit => "LIMIT",
            Self::NoModSeq => "NOMODSEQ",
            Self::Nonexistent => "NONEXISTENT",
            Self::NoPerm => "NOPERM",
            Self::NotSaved => "NOTSAVED",
            Self::OverQuota => "OVERQUOTA",
            Self::Parse => "PARSE",
            Self::PrivacyRequired => "PRIVACYREQUIRED",
            Self::ReadOnly => "READ-ONLY",
            Self::ReadWrite => "READ-WRITE",
            Self::ServerBug => "SERVERBUG",
            Self::TooBig => "TOOBIG",
            Self::TryCreate => "TRYCREATE",
            Self::UidNotSticky => "UIDNOTSTICKY",
            Self::Unavailable => "UNAVAILABLE",
            Self::UnknownCte => "UNKNOWN-CTE",
            Self::UseAttr => "USEATTR",
            Self::AppendUid(..)
            | Self::Capability(_)
            | Self::CopyUid(..)
            | Self::HighestModSeq(_)
            | Self::MailboxId(_)
            | Self::Modified(_)
            | Self::PermanentFlags(..)
            | Self::UidNext(_)
            | Self::UidValidity(_)
            | Self::Unseen(_) => "ALERT",
        }
    }
}
