//! Writes responses (RFC 9051 §7). Whatever is put in, what comes out keeps the grammar: text loses
//! its control characters, strings are quoted or made literals, names are encoded as the session
//! wants them.

use crate::{
    Code, FetchWriter, Flag, MailboxName, SpecialUse, SuspendedFetch, Tag,
    command::status::StatusItem,
    mailbox_name::encode_utf7,
    sequence_set::{write_number, write_ranges, write_set},
};

/// Appends responses to a buffer.
#[derive(Debug)]
pub struct Encoder<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    /// Mailbox names go out as UTF-8.
    utf8: bool,
}

/// The condition of a status response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the condition of its name")]
pub enum Status {
    Ok,
    No,
    Bad,
    /// Only untagged.
    Bye,
    /// Only untagged.
    PreAuth,
}

/// One mailbox of a LIST answer.
#[derive(Debug, Clone, Default)]
pub struct ListEntry<'a> {
    /// The mailbox's name in UTF-8.
    pub name: &'a str,
    /// `\Noselect`
    pub no_select: bool,
    /// `\NonExistent` (which implies `\Noselect`)
    pub nonexistent: bool,
    /// `\Noinferiors`
    pub no_inferiors: bool,
    /// `\HasChildren` or `\HasNoChildren`, if it is to be said.
    pub children: Option<bool>,
    /// `\Subscribed`
    pub subscribed: bool,
    /// What the mailbox is for, if it is to be said.
    pub special_use: Option<SpecialUse>,
    /// `CHILDINFO ("SUBSCRIBED")` (RFC 5258 §3.5)
    pub childinfo_subscribed: bool,
    /// `OLDNAME` (RFC 9051 §6.3.9.7)
    pub old_name: Option<&'a str>,
}

/// One namespace: its prefix and hierarchy separator.
#[derive(Debug, Clone, Copy)]
pub struct NamespaceEntry<'a> {
    /// What its names begin with.
    pub prefix: &'a str,
    /// Between levels.
    pub separator: char,
}

/// One figure of a STATUS answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusValue {
    /// A number for the item.
    Number(StatusItem, u64),
    /// The mailbox's object id.
    MailboxId(u64),
    /// `APPENDLIMIT NIL`
    NoAppendLimit,
}

/// An ESEARCH answer; what is not set is not said.
#[derive(Debug, Clone, Copy, Default)]
pub struct EsearchResult<'a> {
    /// Numbers are UIDs.
    pub uid: bool,
    /// MIN
    pub min: Option<u32>,
    /// MAX
    pub max: Option<u32>,
    /// ALL, ascending; not said if empty.
    pub all: Option<&'a [u32]>,
    /// COUNT
    pub count: Option<u32>,
    /// MODSEQ
    pub mod_seq: Option<u64>,
}

impl<'a> Encoder<'a> {
    /// Appends to `out`; `utf8` says how mailbox names are spelled.
    pub fn new(out: &'a mut Vec<u8>, utf8: bool) -> Self {
        Self { out, utf8 }
    }

    /// `tag OK [CODE] text`. BYE and PREAUTH cannot be tagged and become OK.
    pub fn tagged(&mut self, tag: &Tag, status: Status, code: Option<Code<'_>>, text: &str) {
        self.out.extend_from_slice(tag.as_str().as_bytes());
        let status = if matches!(status, Status::Bye | Status::PreAuth) { Status::Ok } else { status };
        self.status_text(status, code, text);
    }

    /// `* OK [CODE] text`
    pub fn untagged(&mut self, status: Status, code: Option<Code<'_>>, text: &str) {
        self.out.push(b'*');
        self.status_text(status, code, text);
    }

    fn status_text(&mut self, status: Status, code: Option<Code<'_>>, text: &str) {
        self.out.extend_from_slice(match status {
            Status::Ok => b" OK ",
            Status::No => b" NO ",
            Status::Bad => b" BAD ",
            Status::Bye => b" BYE ",
            Status::PreAuth => b" PREAUTH ",
        });
        if let Some(code) = code {
            code.write(self.out);
            self.out.push(b' ');
        }
        self.text(text);
    }

    /// `+ text`
    pub fn continuation(&mut self, text: &str) {
        self.out.extend_from_slice(b"+ ");
        self.text(text);
    }

    /// `+ ` and a SASL challenge in base64 (which may be empty).
    pub fn challenge(&mut self, challenge: &[u8]) {
        use base64::Engine as _;
        self.out.extend_from_slice(b"+ ");
        self.out.extend_from_slice(base64::engine::general_purpose::STANDARD.encode(challenge).as_bytes());
        self.crlf();
    }

    /// Free text for people: at least one character, no control characters, ASCII.
    fn text(&mut self, text: &str) {
        if text.is_empty() {
            self.out.push(b'-');
        }
        self.out.extend(text.chars().map(|c| if matches!(c, ' '..='~') { c as u8 } else { b'?' }));
        self.crlf();
    }

    fn crlf(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }

    /// `* CAPABILITY ...`
    pub fn capability(&mut self, names: &[&str]) {
        self.words("CAPABILITY", names);
    }

    /// `* ENABLED ...`
    pub fn enabled(&mut self, names: &[&str]) {
        self.words("ENABLED", names);
    }

    fn words(&mut self, head: &str, names: &[&str]) {
        self.out.extend_from_slice(b"* ");
        self.out.extend_from_slice(head.as_bytes());
        for name in names {
            self.out.push(b' ');
            self.out.extend(name.bytes().filter(|&b| crate::cursor::is_atom_char(b)));
        }
        self.crlf();
    }

    /// `* ID (...)`, `NIL` without fields.
    pub fn id(&mut self, fields: &[(&str, &str)]) {
        self.out.extend_from_slice(b"* ID ");
        if fields.is_empty() {
            self.out.extend_from_slice(b"NIL");
        } else {
            for (i, (field, value)) in fields.iter().enumerate() {
                self.out.push(if i == 0 { b'(' } else { b' ' });
                write_string(self.out, field.as_bytes());
                self.out.push(b' ');
                write_string(self.out, value.as_bytes());
            }
            self.out.push(b')');
        }
        self.crlf();
    }

    /// `* n EXISTS`
    pub fn exists(&mut self, count: u32) {
        self.numbered(count, b" EXISTS");
    }

    /// `* n RECENT` (RFC 3501)
    pub fn recent(&mut self, count: u32) {
        self.numbered(count, b" RECENT");
    }

    /// `* n EXPUNGE`
    pub fn expunge(&mut self, number: u32) {
        self.numbered(number, b" EXPUNGE");
    }

    fn numbered(&mut self, number: u32, what: &[u8]) {
        self.out.extend_from_slice(b"* ");
        write_number(self.out, number.into());
        self.out.extend_from_slice(what);
        self.crlf();
    }

    /// `* VANISHED [(EARLIER)] uids`, the UIDs as ascending ranges (first, last); nothing for none.
    pub fn vanished(&mut self, earlier: bool, ranges: &[(u32, u32)]) {
        if ranges.is_empty() {
            return;
        }
        self.out.extend_from_slice(if earlier { b"* VANISHED (EARLIER) " } else { b"* VANISHED " });
        write_ranges(self.out, ranges);
        self.crlf();
    }

    /// `* FLAGS (...)`
    pub fn flags(&mut self, flags: &[Flag]) {
        self.out.extend_from_slice(b"* FLAGS ");
        write_flags(self.out, flags);
        self.crlf();
    }

    /// `* LIST (...) "/" name`
    pub fn list(&mut self, entry: &ListEntry<'_>) {
        self.list_or_lsub(b"* LIST (", entry);
    }

    /// `* LSUB (...) "/" name`
    pub fn lsub(&mut self, entry: &ListEntry<'_>) {
        self.list_or_lsub(b"* LSUB (", entry);
    }

    fn list_or_lsub(&mut self, head: &[u8], entry: &ListEntry<'_>) {
        self.out.extend_from_slice(head);
        let mut attributes: Vec<&str> = Vec::new();
        if entry.nonexistent {
            attributes.push("\\NonExistent");
        } else if entry.no_select {
            attributes.push("\\Noselect");
        }
        if entry.no_inferiors {
            attributes.push("\\Noinferiors");
        }
        match entry.children {
            Some(true) => attributes.push("\\HasChildren"),
            Some(false) => attributes.push("\\HasNoChildren"),
            None => {}
        }
        if entry.subscribed {
            attributes.push("\\Subscribed");
        }
        if let Some(special_use) = entry.special_use {
            attributes.push(special_use.as_str());
        }
        self.out.extend_from_slice(attributes.join(" ").as_bytes());
        self.out.extend_from_slice(b") \"/\" ");
        self.mailbox(entry.name);
        if entry.childinfo_subscribed || entry.old_name.is_some() {
            self.out.extend_from_slice(b" (");
            if entry.childinfo_subscribed {
                self.out.extend_from_slice(b"\"CHILDINFO\" (\"SUBSCRIBED\")");
            }
            if let Some(old) = entry.old_name {
                if entry.childinfo_subscribed {
                    self.out.push(b' ');
                }
                self.out.extend_from_slice(b"\"OLDNAME\" (");
                self.mailbox(old);
                self.out.push(b')');
            }
            self.out.push(b')');
        }
        self.crlf();
    }

    /// `* NAMESPACE personal others shared`
    pub fn namespace(
        &mut self,
        personal: &[NamespaceEntry<'_>],
        others: &[NamespaceEntry<'_>],
        shared: &[NamespaceEntry<'_>],
    ) {
        self.out.extend_from_slice(b"* NAMESPACE");
        for kind in [personal, others, shared] {
            self.out.push(b' ');
            if kind.is_empty() {
                self.out.extend_from_slice(b"NIL");
                continue;
            }
            self.out.push(b'(');
            for namespace in kind {
                self.out.push(b'(');
                self.quoted_mailbox(namespace.prefix);
                self.out.push(b' ');
                write_string(self.out, namespace.separator.encode_utf8(&mut [0; 4]).as_bytes());
                self.out.push(b')');
            }
            self.out.push(b')');
        }
        self.crlf();
    }

    /// `* STATUS name (...)`
    pub fn status(&mut self, mailbox: &MailboxName, values: &[StatusValue]) {
        self.out.extend_from_slice(b"* STATUS ");
        self.mailbox(mailbox.as_str());
        self.out.extend_from_slice(b" (");
        for (i, value) in values.iter().enumerate() {
            if i > 0 {
                self.out.push(b' ');
            }
            match *value {
                StatusValue::Number(item, number) => {
                    self.out.extend_from_slice(item.as_str().as_bytes());
                    self.out.push(b' ');
                    write_number(self.out, number);
                }
                StatusValue::MailboxId(id) => {
                    self.out.extend_from_slice(b"MAILBOXID (");
                    write_objectid(self.out, id);
                    self.out.push(b')');
                }
                StatusValue::NoAppendLimit => self.out.extend_from_slice(b"APPENDLIMIT NIL"),
            }
        }
        self.out.push(b')');
        self.crlf();
    }

    /// `* SEARCH n n (MODSEQ m)` (RFC 3501)
    pub fn search(&mut self, numbers: &[u32], mod_seq: Option<u64>) {
        self.out.reserve(numbers.len() * 7 + 32);
        self.out.extend_from_slice(b"* SEARCH");
        for number in numbers {
            self.out.push(b' ');
            write_number(self.out, (*number).into());
        }
        if let Some(mod_seq) = mod_seq {
            self.out.extend_from_slice(b" (MODSEQ ");
            write_number(self.out, mod_seq);
            self.out.push(b')');
        }
        self.crlf();
    }

    /// `* ESEARCH (TAG "t") ...` (RFC 4731)
    pub fn esearch(&mut self, tag: &Tag, result: &EsearchResult<'_>) {
        self.out.extend_from_slice(b"* ESEARCH (TAG ");
        write_string(self.out, tag.as_str().as_bytes());
        self.out.push(b')');
        if result.uid {
            self.out.extend_from_slice(b" UID");
        }
        let numbers: [(&[u8], Option<u64>); 3] = [
            (b" MIN ", result.min.map(u64::from)),
            (b" MAX ", result.max.map(u64::from)),
            (b" COUNT ", result.count.map(u64::from)),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                self.out.extend_from_slice(name);
                write_number(self.out, number);
            }
        }
        if let Some(all) = result.all.filter(|all| !all.is_empty()) {
            self.out.extend_from_slice(b" ALL ");
            write_set(self.out, all.iter().copied());
        }
        if let Some(mod_seq) = result.mod_seq {
            self.out.extend_from_slice(b" MODSEQ ");
            write_number(self.out, mod_seq);
        }
        self.crlf();
    }

    /// `* n FETCH (...)`, closed when the writer is dropped.
    pub fn fetch(&mut self, number: u32) -> FetchWriter<'_> {
        FetchWriter::begin(self.out, number)
    }

    /// Goes on with a FETCH response that was suspended.
    pub fn resume_fetch(&mut self, suspended: SuspendedFetch) -> FetchWriter<'_> {
        FetchWriter::resume(self.out, suspended)
    }

    /// A mailbox's name as the session spells it.
    fn mailbox(&mut self, name: &str) {
        if self.utf8 {
            write_utf8_string(self.out, name, true);
        } else {
            write_astring(self.out, encode_utf7(name).as_bytes());
        }
    }

    fn quoted_mailbox(&mut self, name: &str) {
        if self.utf8 {
            write_utf8_string(self.out, name, false);
        } else {
            write_string(self.out, encode_utf7(name).as_bytes());
        }
    }
}

/// `(\Seen foo)`; a keyword that is no atom is left out.
pub(crate) fn write_flags(out: &mut Vec<u8>, flags: &[Flag]) {
    out.push(b'(');
    let mut first = true;
    for flag in flags {
        if let Flag::Keyword(word) | Flag::Extension(word) = flag
            && (word.is_empty() || !word.bytes().all(crate::cursor::is_atom_char))
        {
            continue;
        }
        if !first {
            out.push(b' ');
        }
        first = false;
        flag.write(out);
    }
    out.push(b')');
}

/// An object id (RFC 8474 §7), spelled as hexadecimal with a letter before it.
pub(crate) fn write_objectid(out: &mut Vec<u8>, id: u64) {
    use std::io::Write as _;
    write!(out, "F{id:x}").expect("a Vec takes all that is written");
}

/// An atom where possible, else a string.
pub(crate) fn write_astring(out: &mut Vec<u8>, bytes: &[u8]) {
    let atom = !bytes.is_empty()
        && bytes.iter().all(|&b| crate::cursor::is_astring_char(b))
        && !bytes.eq_ignore_ascii_case(b"NIL");
    if atom { out.extend_from_slice(bytes) } else { write_string(out, bytes) }
}

/// A quoted string where possible, else a literal (NUL bytes are left out).
pub(crate) fn write_string(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() > 1000 || bytes.iter().any(|b| !(0x20..0x7f).contains(b)) {
        write_literal(out, bytes);
    } else {
        write_quoted(out, bytes);
    }
}

fn write_utf8_string(out: &mut Vec<u8>, text: &str, atom: bool) {
    if atom && text.is_ascii() {
        write_astring(out, text.as_bytes());
    } else if text.bytes().any(|b| b < 0x20 || b == 0x7f) {
        write_literal(out, text.as_bytes());
    } else {
        write_quoted(out, text.as_bytes());
    }
}

fn write_quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for &b in bytes {
        if matches!(b, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(b);
    }
    out.push(b'"');
}

fn write_literal(out: &mut Vec<u8>, bytes: &[u8]) {
    let nuls = memchr::memchr_iter(0, bytes).count();
    out.push(b'{');
    write_number(out, (bytes.len() - nuls) as u64);
    out.extend_from_slice(b"}\r\n");
    if nuls == 0 {
        out.extend_from_slice(bytes);
    } else {
        out.extend(bytes.iter().filter(|&&b| b != 0));
    }
}

#[cfg(test)]
#[path = "encoder_tests.rs"]
mod tests;
