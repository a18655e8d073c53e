//! sync-collection (RFC 6578).

use kontor_dav_proto::Precondition;
use kontor_dav_proto::request::SyncCollection;
use kontor_dav_proto::response::{Multistatus, Response};
use kontor_storage_client::proto::{Item, ItemsRequest};

use super::propfind::Members;
use super::query::wanted;
use crate::answer::{Answer, Failure};
use crate::call::Call;
use crate::derived::Source;
use crate::home::{Collection, change_number_in, sync_token};
use crate::listing::{Lister, cut_off, list};

pub(super) async fn sync_collection(
    call: &Call<'_>,
    collection: Collection,
    asked: SyncCollection,
) -> Result<Answer, Failure> {
    let birthdays = match &collection.source {
        Source::Folder => None,
        Source::Birthdays(birthdays) => Some(birthdays.clone()),
        Source::Directory => {
            let what = "this collection has no state that could be told of";
            return Err(Failure::precondition(Precondition::SupportedReport, what));
        }
    };
    let wanted = wanted(call, asked.properties, asked.calendar_data, asked.address_data)?;
    if let Some(birthdays) = birthdays {
        let items = match &asked.token {
            None => birthdays.items(call.session, &[]).await?,
            Some(token) => birthdays.changes(call.session, token).await?,
        };
        // Events of several address books have no order in which a part of them could be told (RFC 6578 §3.7).
        let items = match asked.limit {
            None => items,
            Some(most) => items.at_most(most).await?.ok_or_else(|| {
                let what = "there are more changes than that";
                Failure::precondition(Precondition::NumberOfMatchesWithinLimits, what)
            })?,
        };
        let token = Some(birthdays.token());
        let changes = Changes {
            members: Members::new(call, collection, wanted),
            left: u32::MAX,
            cut_at: None,
            last_cn: 0,
            token,
        };
        return list(items, changes, Multistatus::new()).await;
    }
    let since_cn = match &asked.token {
        None => 0,
        Some(token) => change_number_in(token, collection.folder.folder_id).ok_or_else(|| {
            Failure::precondition(Precondition::ValidSyncToken, "this token is not of this collection")
        })?,
    };
    let request = ItemsRequest { since_cn, body: wanted.needs_body(), ..ItemsRequest::default() };
    let items = call.items(&collection, request).await?;
    let left = asked.limit.unwrap_or(u32::MAX);
    let members = Members::new(call, collection, wanted);
    let changes = Changes { members, left, cut_at: None, last_cn: 0, token: None };
    list(items, changes, Multistatus::new()).await
}

/// What changed since a token. Items come in the order of their change numbers, for each version of an item is new to
/// the store; so an answer can be cut off, and the token of its last item goes on from there.
struct Changes {
    members: Members,
    left: u32,
    cut_at: Option<u64>,
    last_cn: u64,
    /// Of the state that is told, where it is not the store's change number.
    token: Option<String>,
}

impl Lister for Changes {
    fn item(&mut self, item: &Item, out: &mut Multistatus) {
        if self.cut_at.is_some() {
            return;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                self.last_cn = item.cn;
                self.members.item(item, out);
            }
            None => self.cut_at = Some(self.last_cn),
        }
    }

    fn end(&mut self, highest_cn: u64, gone: &[String], out: &mut Multistatus) -> Option<String> {
        let collection = self.members.collection();
        for name in gone {
            out.response(&Response::status(collection.item_place(name).href(), 404));
        }
        if self.cut_at.is_some() {
            out.response(&cut_off(collection));
        }
        let token = || sync_token(collection.folder.folder_id, self.cut_at.unwrap_or(highest_cn));
        Some(self.token.take().unwrap_or_else(token))
    }

    fn cut(&mut self, out: &mut Multistatus) {
        self.members.cut(out);
    }
}
