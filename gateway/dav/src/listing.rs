//! Answers that list items: they stream, as the store tells of them.

use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use kontor_dav_proto::response::{ErrorBody, Multistatus, Response as ResourceResponse};
use kontor_dav_proto::{Error, Precondition};
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::{Item, ItemsChunk};

use crate::answer::{Answer, Failure, XML};
use crate::derived::Items;
use crate::home::Collection;

/// What is said of items. It runs where it may take its time.
pub(crate) trait Lister: Send + 'static {
    /// Of one item.
    fn item(&mut self, item: &Item, out: &mut Multistatus);

    /// When all were told of. Returns the token of a synchronization.
    fn end(&mut self, highest_cn: u64, gone: &[String], out: &mut Multistatus) -> Option<String>;

    /// When there is more than can be told.
    fn cut(&mut self, out: &mut Multistatus);
}

/// Lists items. What goes wrong before the first of them is a failure; after that the body breaks off, and the client
/// asks again.
pub(crate) async fn list<L: Lister>(
    mut items: Items,
    lister: L,
    out: Multistatus,
) -> Result<Answer, Failure> {
    let first = items.message().await?;
    if first.as_ref().is_some_and(|chunk| chunk.too_old) {
        let what = "this token is too old, begin anew";
        return Err(Error::Precondition(Precondition::ValidSyncToken, what).into());
    }
    let state = State { items, next: first, highest_cn: 0, gone: Vec::new(), lister, out };
    let pieces = stream::try_unfold(Some(state), |state| async {
        let Some(state) = state else { return Ok(None) };
        let (piece, state) = state.piece().await?;
        Ok::<_, StoreError>(Some((Frame::data(Bytes::from(piece)), state)))
    });
    let mut answer = Response::new(StreamBody::new(pieces).boxed_unsync());
    *answer.status_mut() = StatusCode::MULTI_STATUS;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(XML));
    Ok(answer)
}

/// What says that there would be more (RFC 6352 §8.6.2, RFC 6578 §3.6).
pub(crate) fn cut_off(collection: &Collection) -> ResourceResponse {
    ResourceResponse::status(collection.place().href(), 507)
        .with_error(ErrorBody::of(Precondition::NumberOfMatchesWithinLimits))
}

struct State<L> {
    items: Items,
    next: Option<ItemsChunk>,
    highest_cn: u64,
    gone: Vec<String>,
    lister: L,
    out: Multistatus,
}

impl<L: Lister> State<L> {
    /// The next piece of the body; without a state after the last one.
    async fn piece(mut self) -> Result<(Vec<u8>, Option<Self>), StoreError> {
        let Some(chunk) = self.next.take() else {
            if self.items.is_cut() {
                self.lister.cut(&mut self.out);
            }
            let token = self.lister.end(self.highest_cn, &self.gone, &mut self.out);
            return Ok((self.out.finish(token.as_deref()), None));
        };
        self.highest_cn = chunk.highest_cn;
        self.gone.extend(chunk.gone);
        let items = chunk.items;
        // Whether an object that recurs is wanted can take a moment.
        let mut state = self;
        let work = move || {
            for item in &items {
                state.lister.item(item, &mut state.out);
            }
            state
        };
        let mut state = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| StoreError::Internal(format!("a listing ended without an answer: {error}")))?;
        state.next = state.items.message().await?;
        Ok((state.out.take(), Some(state)))
    }
}
