//! Writes commands as a client would.

use kontor_imap_proto::{
    Command, CommandBody, Date, MailboxName, Partial, Section, SequenceSet, SpecialUse,
    command::{
        fetch::{Fetch, FetchItem},
        list::List,
        search::{Search, SearchKey},
        select::Select,
        status::StatusItem,
        store::{Store, StoreAction},
    },
    encode_utf7,
};

struct Writer {
    out: Vec<u8>,
    utf8: bool,
}

pub fn encode(command: &Command, utf8: bool) -> Vec<u8> {
    let mut w = Writer { out: Vec::new(), utf8 };
    w.raw(command.tag.as_str()).raw(" ");
    w.body(&command.body);
    w.raw("\r\n");
    w.out
}

impl Writer {
    fn raw(&mut self, text: &str) -> &mut Self {
        self.out.extend_from_slice(text.as_bytes());
        self
    }

    fn string(&mut self, text: &str) -> &mut Self {
        if text.len().is_multiple_of(3) || text.contains(['\r', '\n']) {
            self.raw(&format!("{{{}+}}\r\n", text.len())).raw(text)
        } else {
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
            self.raw("\"").raw(&escaped).raw("\"")
        }
    }

    fn mailbox(&mut self, name: &MailboxName) -> &mut Self {
        self.name(name.as_str())
    }

    fn name(&mut self, name: &str) -> &mut Self {
        let spelled = if self.utf8 { name.to_owned() } else { encode_utf7(name) };
        self.string(&spelled)
    }

    fn set(&mut self, set: &SequenceSet) -> &mut Self {
        let number = |n: u32| if n == 0 { "*".to_owned() } else { n.to_string() };
        match set {
            SequenceSet::Saved => self.raw("$"),
            SequenceSet::Ranges(ranges) => {
                let ranges: Vec<String> = ranges
                    .iter()
                    .map(|r| {
                        if r.start == r.end {
                            number(r.start)
                        } else {
                            format!("{}:{}", number(r.start), number(r.end))
                        }
                    })
                    .collect();
                self.raw(&ranges.join(","))
            }
        }
    }

    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) -> &mut Self {
        self.raw("(");
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.raw(" ");
            }
            write(self, item);
        }
        self.raw(")")
    }

    fn body(&mut self, body: &CommandBody) {
        let uid = |uid: bool| if uid { "UID " } else { "" };
        match body {
            CommandBody::Capability => self.raw("capability"),
            CommandBody::Noop => self.raw("NOOP"),
            CommandBody::Logout => self.raw("LOGOUT"),
            CommandBody::StartTls => self.raw("STARTTLS"),
            CommandBody::Namespace => self.raw("NAMESPACE"),
            CommandBody::Idle => self.raw("IDLE"),
            CommandBody::Check => self.raw("CHECK"),
            CommandBody::Close => self.raw("CLOSE"),
            CommandBody::Unselect => self.raw("UNSELECT"),
            CommandBody::Id(pairs) if pairs.is_empty() => self.raw("ID NIL"),
            CommandBody::Id(pairs) => self.raw("ID ").list(pairs, |w, (field, value)| {
                w.string(field).raw(" ");
                match value {
                    Some(value) => w.string(value),
                    None => w.raw("NIL"),
                };
            }),
            CommandBody::Authenticate(a) => {
                self.raw("AUTHENTICATE ").raw(&a.mechanism);
                match &a.initial {
                    None => self,
                    Some(initial) => self.raw(" ").raw(initial),
                }
            }
            CommandBody::Login(login) => {
                self.raw("LOGIN ").string(&login.user).raw(" ").string(&login.password)
            }
            CommandBody::Enable(names) => self.raw("ENABLE ").raw(&names.join(" ")),
            CommandBody::Select(select) => self.select(select),
            CommandBody::Create(create) => {
                self.raw("CREATE ").mailbox(&create.mailbox);
                if create.special_use.is_empty() {
                    self
                } else {
                    self.raw(" (USE ")
                        .list(&create.special_use, |w, u: &SpecialUse| {
                            w.raw(u.as_str());
                        })
                        .raw(")")
                }
            }
            CommandBody::Delete(name) => self.raw("DELETE ").mailbox(name),
            CommandBody::Subscribe(name) => self.raw("SUBSCRIBE ").mailbox(name),
            CommandBody::Unsubscribe(name) => self.raw("UNSUBSCRIBE ").mailbox(name),
            CommandBody::Rename(r) => self.raw("RENAME ").mailbox(&r.from).raw(" ").mailbox(&r.to),
            CommandBody::List(list) => self.mailbox_list(list),
            CommandBody::Lsub(lsub) => self.raw("LSUB ").name(&lsub.reference).raw(" ").name(&lsub.pattern),
            CommandBody::Status(status) => {
                self.raw("STATUS ").mailbox(&status.mailbox).raw(" ").list(&status.items, status_item)
            }
            CommandBody::Expunge(None) => self.raw("EXPUNGE"),
            CommandBody::Expunge(Some(set)) => self.raw("UID EXPUNGE ").set(set),
            CommandBody::Search(search) => self.search(search),
            CommandBody::Fetch(fetch) => self.fetch(fetch),
            CommandBody::Store(store) => self.store(store),
            CommandBody::Copy(c) => {
                self.raw(uid(c.uid)).raw("COPY ").set(&c.set).raw(" ").mailbox(&c.mailbox)
            }
            CommandBody::Move(c) => {
                self.raw(uid(c.uid)).raw("MOVE ").set(&c.set).raw(" ").mailbox(&c.mailbox)
            }
        };
    }

    fn select(&mut self, select: &Select) -> &mut Self {
        self.raw(if select.read_only { "EXAMINE " } else { "SELECT " }).mailbox(&select.mailbox);
        if !select.condstore && select.qresync.is_none() {
            return self;
        }
        self.raw(" (");
        if select.condstore {
            self.raw("CONDSTORE");
        }
        if let Some(q) = &select.qresync {
            self.raw(if select.condstore { " QRESYNC (" } else { "QRESYNC (" });
            self.raw(&format!("{} {}", q.uid_validity, q.mod_seq));
            if let Some(known) = &q.known_uids {
                self.raw(" ").set(known);
            }
            if let Some((numbers, uids)) = &q.match_data {
                self.raw(" (").set(numbers).raw(" ").set(uids).raw(")");
            }
            self.raw(")");
        }
        self.raw(")");
        self
    }

    fn mailbox_list(&mut self, list: &List) -> &mut Self {
        self.raw("LIST ");
        if list.extended {
            let s = &list.selection;
            let options: Vec<&str> = [
                (s.subscribed, "SUBSCRIBED"),
                (s.remote, "REMOTE"),
                (s.recursive_match, "RECURSIVEMATCH"),
                (s.special_use, "SPECIAL-USE"),
            ]
            .iter()
            .filter_map(|&(on, name)| on.then_some(name))
            .collect();
            self.raw("(").raw(&options.join(" ")).raw(") ");
        }
        self.name(&list.reference).raw(" ");
        if let [pattern] = &list.patterns[..] {
            self.name(pattern);
        } else {
            self.list(&list.patterns, |w, p| {
                w.name(p);
            });
        }
        if list.extended {
            let r = &list.returns;
            let mut options: Vec<&str> =
                [(r.subscribed, "SUBSCRIBED"), (r.children, "CHILDREN"), (r.special_use, "SPECIAL-USE")]
                    .iter()
                    .filter_map(|&(on, name)| on.then_some(name))
                    .collect();
            if r.status.is_some() {
                options.push("STATUS");
            }
            self.raw(" RETURN (").raw(&options.join(" "));
            if let Some(items) = &r.status {
                self.raw(" ").list(items, status_item);
            }
            self.raw(")");
        }
        self
    }

    fn search(&mut self, search: &Search) -> &mut Self {
        self.raw(if search.uid { "UID SEARCH" } else { "SEARCH" });
        if let Some(r) = search.returns {
            let options: Vec<&str> =
                [(r.min, "MIN"), (r.max, "MAX"), (r.all, "ALL"), (r.count, "COUNT"), (r.save, "SAVE")]
                    .iter()
                    .filter_map(|&(on, name)| on.then_some(name))
                    .collect();
            self.raw(" RETURN (").raw(&options.join(" ")).raw(")");
        }
        self.raw(" CHARSET utf-8");
        for key in &search.keys {
            self.raw(" ");
            self.key(key);
        }
        self
    }

    fn key(&mut self, key: &SearchKey) {
        use SearchKey as K;
        match key {
            K::Bcc(t) => self.raw("BCC ").string(t),
            K::Body(t) => self.raw("BODY ").string(t),
            K::Cc(t) => self.raw("CC ").string(t),
            K::From(t) => self.raw("FROM ").string(t),
            K::Subject(t) => self.raw("SUBJECT ").string(t),
            K::Text(t) => self.raw("TEXT ").string(t),
            K::To(t) => self.raw("TO ").string(t),
            K::EmailId(t) => self.raw("EMAILID ").string(t),
            K::ThreadId(t) => self.raw("THREADID ").string(t),
            K::Header(f, t) => self.raw("HEADER ").string(f).raw(" ").string(t),
            K::Keyword(w) => self.raw("KEYWORD ").raw(w),
            K::Unkeyword(w) => self.raw("UNKEYWORD ").raw(w),
            K::Larger(n) => self.raw(&format!("LARGER {n}")),
            K::Smaller(n) => self.raw(&format!("SMALLER {n}")),
            K::ModSeq(n) => self.raw(&format!("MODSEQ {n}")),
            K::Older(n) => self.raw(&format!("OLDER {n}")),
            K::Younger(n) => self.raw(&format!("YOUNGER {n}")),
            K::Before(d) => self.raw("BEFORE ").raw(&date(*d)),
            K::On(d) => self.raw("ON ").raw(&date(*d)),
            K::Since(d) => self.raw("SINCE ").raw(&date(*d)),
            K::SentBefore(d) => self.raw("SENTBEFORE ").raw(&date(*d)),
            K::SentOn(d) => self.raw("SENTON ").raw(&date(*d)),
            K::SentSince(d) => self.raw("SENTSINCE ").raw(&date(*d)),
            K::SavedBefore(d) => self.raw("SAVEDBEFORE ").raw(&date(*d)),
            K::SavedOn(d) => self.raw("SAVEDON ").raw(&date(*d)),
            K::SavedSince(d) => self.raw("SAVEDSINCE ").raw(&date(*d)),
            K::Uid(set) => self.raw("UID ").set(set),
            K::Set(set) => self.set(set),
            K::Not(inner) => {
                self.raw("NOT ").key(inner);
                self
            }
            K::Or(a, b) => {
                self.raw("OR ").key(a);
                self.raw(" ").key(b);
                self
            }
            K::And(keys) => self.list(keys, |w, k| w.key(k)),
            plain => self.raw(&format!("{plain:?}")),
        };
    }

    fn fetch(&mut self, fetch: &Fetch) -> &mut Self {
        self.raw(if fetch.uid { "UID FETCH " } else { "FETCH " }).set(&fetch.set).raw(" ");
        self.list(&fetch.items, |w, item| w.fetch_item(item));
        if let Some(since) = fetch.changed_since {
            self.raw(&format!(" (CHANGEDSINCE {since}{})", if fetch.vanished { " VANISHED" } else { "" }));
        }
        self
    }

    fn fetch_item(&mut self, item: &FetchItem) {
        use FetchItem as I;
        let dots = |part: &[u32]| part.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
        match item {
            I::Rfc822Header => self.raw("RFC822.HEADER"),
            I::Rfc822Size => self.raw("RFC822.SIZE"),
            I::Rfc822Text => self.raw("RFC822.TEXT"),
            I::BodySection { peek, section, partial } => {
                self.raw(if *peek { "BODY.PEEK[" } else { "BODY[" });
                self.section(section);
                self.raw("]").partial(*partial)
            }
            I::Binary { peek, part, partial } => self
                .raw(if *peek { "BINARY.PEEK[" } else { "BINARY[" })
                .raw(&dots(part))
                .raw("]")
                .partial(*partial),
            I::BinarySize { part } => self.raw("BINARY.SIZE[").raw(&dots(part)).raw("]"),
            plain => self.raw(&format!("{plain:?}")),
        };
    }

    fn section(&mut self, section: &Section) {
        section.write(&mut self.out);
    }

    fn partial(&mut self, partial: Option<Partial>) -> &mut Self {
        match partial {
            Some(p) => self.raw(&format!("<{}.{}>", p.offset, p.length)),
            None => self,
        }
    }

    fn store(&mut self, store: &Store) -> &mut Self {
        self.raw(if store.uid { "UID STORE " } else { "STORE " }).set(&store.set).raw(" ");
        if let Some(n) = store.unchanged_since {
            self.raw(&format!("(UNCHANGEDSINCE {n}) "));
        }
        self.raw(match store.action {
            StoreAction::Replace => "",
            StoreAction::Add => "+",
            StoreAction::Remove => "-",
        });
        self.raw(if store.silent { "FLAGS.SILENT " } else { "FLAGS " });
        self.list(&store.flags, |w, flag| flag.write(&mut w.out));
        self
    }
}

fn status_item(w: &mut Writer, item: &StatusItem) {
    w.raw(item.as_str());
}

fn date(date: Date) -> String {
    let (year, month, day) = date.civil();
    let name = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        [month as usize - 1];
    format!("{day}-{name}-{year:04}")
}
