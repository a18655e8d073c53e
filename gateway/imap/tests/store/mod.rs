//! A mailbox in memory that answers the calls the IMAP gateway makes. It follows the store's API to the
//! letter and nothing else: no rights, no quota, no durability.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use kontor_model::{FolderRole, ImapView, fold};
use kontor_storage_client::StoreClient;
use kontor_storage_client::proto::{self, search_key::Key, store_flags_request::Op};
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tonic::Status;

#[path = "rpc.rs"]
mod rpc;

#[derive(Clone)]
pub struct Store {
    pub state: Arc<Mutex<State>>,
    pub events: broadcast::Sender<proto::WatchEvent>,
}

pub struct State {
    pub cn: u64,
    /// The last change of the folder tree.
    hierarchy_cn: u64,
    next_id: u64,
    pub folders: Vec<Folder>,
    pub keywords: Vec<String>,
    /// Change numbers up to this are forgotten.
    pub forgotten: u64,
    /// Calls that were made, by name.
    pub calls: BTreeMap<String, usize>,
    /// No call is answered.
    pub down: bool,
}

pub struct Folder {
    pub about: proto::Folder,
    pub messages: Vec<Message>,
    pub gone: Vec<(u64, u32)>,
}

#[derive(Clone)]
pub struct Message {
    pub uid: u32,
    pub flags: u64,
    pub cn: u64,
    pub raw: Bytes,
    pub date: i64,
}

impl Store {
    /// INBOX (2), Trash (3) and a calendar (4).
    pub fn new() -> Self {
        let mut state = State {
            cn: 1,
            hierarchy_cn: 1,
            next_id: 2,
            folders: Vec::new(),
            keywords: Vec::new(),
            forgotten: 0,
            calls: BTreeMap::new(),
            down: false,
        };
        for (name, role) in
            [("Inbox", FolderRole::Inbox), ("Trash", FolderRole::Trash), ("Calendar", FolderRole::Calendar)]
        {
            state.make(0, name, role.code().into(), role.container_class());
        }
        Self { state: Arc::new(Mutex::new(state)), events: broadcast::channel(1000).0 }
    }

    pub fn client(&self) -> StoreClient {
        let store = self.clone();
        StoreClient::with_connector(move || {
            let store = store.clone();
            async move {
                let (ours, theirs) = tokio::io::duplex(1 << 20);
                let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new()).http2_only();
                tokio::spawn(async move {
                    let service = TowerToHyperService::new(rpc::Rpc(store));
                    let _ = builder.serve_connection(TokioIo::new(theirs), service).await;
                });
                Ok(ours)
            }
        })
    }

    /// Puts a message into INBOX as a delivery would.
    pub fn deliver(&self, raw: impl Into<Bytes>) -> u32 {
        let uid = self.state.lock().add(2, raw.into(), 0, None);
        self.tell(2);
        uid
    }

    fn tell(&self, folder_id: u64) {
        let _ = self.events.send(proto::WatchEvent { mailbox_id: 1, folder_id, highest_cn: 0 });
    }

    fn changed<T>(&self, folder_id: u64, answer: Result<T, Status>) -> Result<T, Status> {
        self.tell(folder_id);
        answer
    }
}

impl State {
    fn make(&mut self, parent_id: u64, name: &str, role: u32, class: &str) -> proto::Folder {
        let folder_id = self.next_id;
        self.next_id += 1;
        let about = proto::Folder {
            folder_id,
            parent_id,
            name: name.into(),
            role,
            container_class: class.into(),
            uid_validity: 77,
            uid_next: 1,
            highest_cn: 1,
            rights: 0x1ff,
            ..Default::default()
        };
        self.folders.push(Folder { about: about.clone(), messages: Vec::new(), gone: Vec::new() });
        self.hierarchy_cn += 1;
        about
    }

    pub fn folder(&mut self, id: u64) -> Result<&mut Folder, Status> {
        self.folders.iter_mut().find(|f| f.about.folder_id == id).ok_or(Status::not_found("folder"))
    }

    fn tick(&mut self, folder_id: u64) -> u64 {
        self.cn += 1;
        let cn = self.cn;
        if let Ok(folder) = self.folder(folder_id) {
            folder.about.highest_cn = cn;
        }
        cn
    }

    fn add(&mut self, folder_id: u64, raw: Bytes, flags: u64, date: Option<i64>) -> u32 {
        let cn = self.tick(folder_id);
        let folder = self.folder(folder_id).unwrap();
        let uid = folder.about.uid_next;
        folder.about.uid_next += 1;
        folder.messages.push(Message { uid, flags, cn, raw, date: date.unwrap_or(1_700_000_000) });
        uid
    }

    fn bits(&mut self, names: &[String]) -> u64 {
        names.iter().fold(0, |bits, name| {
            let slot = self.keywords.iter().position(|k| k == name).unwrap_or_else(|| {
                self.keywords.push(name.clone());
                self.keywords.len() - 1
            });
            bits | 1 << (16 + slot)
        })
    }

    fn list(&mut self) -> proto::ListFoldersResponse {
        let about = |f: &Folder| proto::Folder {
            total: f.messages.len() as u32,
            unseen: f.messages.iter().filter(|m| m.flags & 1 == 0).count() as u32,
            deleted: f.messages.iter().filter(|m| m.flags & 8 != 0).count() as u32,
            size: f.messages.iter().map(|m| m.raw.len() as u64).sum(),
            ..f.about.clone()
        };
        proto::ListFoldersResponse {
            cn: self.cn,
            folders: self.folders.iter().map(about).collect(),
            gone: Vec::new(),
            keywords: self.keywords.clone(),
            hierarchy_cn: self.hierarchy_cn,
        }
    }

    fn skeleton(&mut self, request: proto::SkeletonRequest) -> Result<proto::SkeletonChunk, Status> {
        let keywords = self.keywords.clone();
        let folder = self.folder(request.folder_id)?;
        let all = &folder.messages;
        let wants = |bit: u32| request.columns & bit != 0;
        Ok(proto::SkeletonChunk {
            highest_cn: folder.about.highest_cn,
            uid_validity: folder.about.uid_validity,
            uid_next: folder.about.uid_next,
            total: all.len() as u32,
            uids: all.iter().map(|m| m.uid).collect(),
            message_ids: Vec::new(),
            flags: all.iter().map(|m| m.flags).filter(|_| wants(2)).collect(),
            modseqs: all.iter().map(|m| m.cn).filter(|_| wants(4)).collect(),
            sizes: all.iter().map(|m| m.raw.len() as u64).filter(|_| wants(8)).collect(),
            dates: all.iter().map(|m| m.date).filter(|_| wants(16)).collect(),
            keywords,
        })
    }

    fn changes(&mut self, request: proto::ChangesRequest) -> Result<proto::ChangesResponse, Status> {
        let (keywords, forgotten) = (self.keywords.clone(), self.forgotten);
        let folder = self.folder(request.folder_id)?;
        if request.since_cn < forgotten {
            let uid_validity = folder.about.uid_validity;
            return Ok(proto::ChangesResponse { too_old: true, uid_validity, ..Default::default() });
        }
        let new: Vec<&Message> = folder.messages.iter().filter(|m| m.cn > request.since_cn).collect();
        let mut gone: Vec<u32> =
            folder.gone.iter().filter(|(cn, _)| *cn > request.since_cn).map(|(_, uid)| *uid).collect();
        gone.sort_unstable();
        Ok(proto::ChangesResponse {
            highest_cn: folder.about.highest_cn,
            uid_validity: folder.about.uid_validity,
            uid_next: folder.about.uid_next,
            total: folder.messages.len() as u32,
            too_old: false,
            uids: new.iter().map(|m| m.uid).collect(),
            flags: new.iter().map(|m| m.flags).collect(),
            modseqs: new.iter().map(|m| m.cn).collect(),
            gone: gone.into_iter().flat_map(|uid| [uid, uid]).collect(),
            keywords,
            first_new_uid: 0,
        })
    }

    fn fetch(&mut self, request: proto::FetchRequest) -> Result<Vec<proto::FetchChunk>, Status> {
        let folder = self.folder(request.folder_id)?;
        let items = folder
            .messages
            .iter()
            .filter(|m| inside(&request.uid_ranges, m.uid) && m.cn > request.changed_since);
        let item = |m: &Message| {
            let view = ImapView::from_rfc5322(&m.raw, &Default::default());
            proto::FetchItem {
                uid: m.uid,
                message_id: m.uid.into(),
                flags: m.flags,
                modseq: m.cn,
                size: m.raw.len() as u64,
                internal_date: m.date,
                header: if request.header {
                    m.raw.slice(..view.header_size() as usize)
                } else {
                    Bytes::new()
                },
                view: if request.view { view.encode().into() } else { Bytes::new() },
                body: (request.body && m.raw.len() as u64 <= request.max_body).then(|| m.raw.clone()),
                content_id: Bytes::copy_from_slice(&m.uid.to_be_bytes()),
                thread_id: Bytes::new(),
                body_zstd: Bytes::new(),
            }
        };
        let items: Vec<proto::FetchItem> = items.map(item).collect();
        Ok(items.chunks(3).map(|c| proto::FetchChunk { items: c.to_vec(), highest_cn: 0 }).collect())
    }

    fn search(&mut self, request: proto::SearchRequest) -> Result<proto::SearchResponse, Status> {
        let key = request.key.ok_or(Status::invalid_argument("key"))?;
        let folder = self.folder(request.folder_id)?;
        let found: Vec<&Message> = folder.messages.iter().filter(|m| matches(&key, m)).collect();
        Ok(proto::SearchResponse {
            uids: found.iter().map(|m| m.uid).collect(),
            modseq: found.iter().map(|m| m.cn).max().unwrap_or(0),
            highest_cn: folder.about.highest_cn,
        })
    }

    fn store_flags(
        &mut self,
        request: proto::StoreFlagsRequest,
    ) -> Result<proto::StoreFlagsResponse, Status> {
        let bits = request.flags | self.bits(&request.keywords);
        let next = self.cn + 1;
        let folder = self.folder(request.folder_id)?;
        let mut answer = proto::StoreFlagsResponse::default();
        let mut wrote = false;
        for message in folder.messages.iter_mut().filter(|m| inside(&request.uid_ranges, m.uid)) {
            if request.unchanged_since.is_some_and(|since| message.cn > since) {
                answer.modified.push(message.uid);
                continue;
            }
            let flags = match Op::try_from(request.op).unwrap() {
                Op::Add => message.flags | bits,
                Op::Remove => message.flags & !bits,
                _ => bits,
            };
            if flags != message.flags {
                (message.flags, message.cn) = (flags, next);
                wrote = true;
            }
            answer.uids.push(message.uid);
            answer.flags.push(message.flags);
            answer.modseqs.push(message.cn);
        }
        if wrote {
            self.tick(request.folder_id);
        }
        answer.highest_cn = self.folder(request.folder_id)?.about.highest_cn;
        answer.keywords = self.keywords.clone();
        Ok(answer)
    }

    fn copy(&mut self, request: proto::CopyRequest) -> Result<proto::CopyResponse, Status> {
        let from = self.folder(request.folder_id)?;
        let copied: Vec<Message> =
            from.messages.iter().filter(|m| inside(&request.uid_ranges, m.uid)).cloned().collect();
        let uids: Vec<u32> = copied.iter().map(|m| m.uid).collect();
        let to_uids = copied
            .into_iter()
            .map(|m| self.add(request.to_folder_id, m.raw, m.flags, Some(m.date)))
            .collect();
        if request.r#move {
            self.remove(request.folder_id, &uids);
        }
        Ok(proto::CopyResponse { to_uid_validity: 77, uids, to_uids, ..Default::default() })
    }

    fn expunge(&mut self, request: proto::ExpungeRequest) -> Result<proto::ExpungeResponse, Status> {
        let folder = self.folder(request.folder_id)?;
        let uids: Vec<u32> = folder
            .messages
            .iter()
            .filter(|m| request.uid_ranges.is_empty() || inside(&request.uid_ranges, m.uid))
            .filter(|m| m.flags & 8 != 0)
            .map(|m| m.uid)
            .collect();
        self.remove(request.folder_id, &uids);
        Ok(proto::ExpungeResponse { uids, highest_cn: self.cn })
    }

    pub fn remove(&mut self, folder_id: u64, uids: &[u32]) {
        let cn = self.tick(folder_id);
        let folder = self.folder(folder_id).unwrap();
        folder.messages.retain(|m| !uids.contains(&m.uid));
        folder.gone.extend(uids.iter().map(|uid| (cn, *uid)));
    }

    fn append(&mut self, request: proto::AppendRequest) -> Result<proto::AppendResponse, Status> {
        if ![0, self.hierarchy_cn].contains(&request.hierarchy_cn) {
            return Err(Status::failed_precondition("the folders changed"));
        }
        let mut uids = Vec::new();
        for item in request.items {
            let bits = item.flags | self.bits(&item.keywords);
            let Some(proto::content::Body::Raw(raw)) = item.content.and_then(|c| c.body) else {
                return Err(Status::invalid_argument("body"));
            };
            self.folder(request.folder_id)?;
            uids.push(self.add(request.folder_id, raw, bits, item.internal_date));
        }
        Ok(proto::AppendResponse { uid_validity: 77, uids, highest_cn: self.cn })
    }

    fn update_folder(&mut self, request: proto::UpdateFolderRequest) -> Result<proto::Folder, Status> {
        let folder = self.folder(request.folder_id)?;
        if let (Some(parent), Some(name)) = (request.parent_id, request.name) {
            (folder.about.parent_id, folder.about.name) = (parent, name);
            self.hierarchy_cn += 1;
            let folder = self.folder(request.folder_id)?;
            if let Some(subscribed) = request.subscribed {
                folder.about.subscribed = subscribed;
            }
            return Ok(folder.about.clone());
        }
        if let Some(subscribed) = request.subscribed {
            folder.about.subscribed = subscribed;
        }
        Ok(folder.about.clone())
    }

    fn read(&mut self, request: proto::ReadBodyRequest) -> Result<Bytes, Status> {
        let folder = self.folder(request.folder_id)?;
        let message =
            folder.messages.iter().find(|m| m.uid == request.uid).ok_or(Status::not_found("uid"))?;
        let from = request.offset as usize;
        let until = if request.length == 0 { message.raw.len() } else { from + request.length as usize };
        Ok(message.raw.slice(from..until))
    }
}

fn inside(ranges: &[u32], uid: u32) -> bool {
    ranges.chunks(2).any(|pair| (pair[0]..=pair[1]).contains(&uid))
}

fn matches(key: &proto::SearchKey, message: &Message) -> bool {
    let text = String::from_utf8_lossy(&message.raw);
    let (header, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    match key.key.as_ref().expect("a key") {
        Key::And(keys) => keys.keys.iter().all(|k| matches(k, message)),
        Key::Or(keys) => keys.keys.iter().any(|k| matches(k, message)),
        Key::Not(inner) => !matches(inner, message),
        Key::Flags(bits) => message.flags & bits == *bits,
        Key::Keyword(_) => false,
        Key::Uids(uids) => inside(&uids.ranges, message.uid),
        Key::Larger(n) => message.raw.len() as u64 > *n,
        Key::Smaller(n) => (message.raw.len() as u64) < *n,
        Key::InternalDate(range) | Key::SentDate(range) => {
            range.from.is_none_or(|from| message.date >= from)
                && range.until.is_none_or(|until| message.date < until)
        }
        Key::Modseq(n) => message.cn >= *n,
        Key::Header(field) => header.lines().any(|line| {
            line.split_once(':').is_some_and(|(name, value)| {
                name.eq_ignore_ascii_case(&field.name) && fold(value).contains(&fold(&field.value))
            })
        }),
        Key::Body(needle) => fold(body).contains(&fold(needle)),
        Key::Text(needle) => fold(&text).contains(&fold(needle)),
        Key::ContentId(id) => id[..] == message.uid.to_be_bytes(),
        Key::ThreadId(_) => false,
        Key::All(all) => *all,
    }
}
