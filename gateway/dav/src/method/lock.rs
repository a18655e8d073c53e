//! LOCK and UNLOCK (RFC 4918 §9.10, §9.11).
//!
//! An item, a collection, and a name in a collection at which nothing is yet can be locked. RFC 4918 §7.3 has an empty
//! resource made in the last case; there are no empty calendar objects and cards, so the name alone is locked, and there
//! is nothing at it until its first PUT, as RFC 2518 had it.

use std::time::{SystemTime, UNIX_EPOCH};

use http::StatusCode;
use http::header::HeaderName;
use kontor_dav_proto::header::{Depth, If, Timeout, lock_token};
use kontor_dav_proto::request::{LockInfo, LockScope};
use kontor_dav_proto::response::{ErrorBody, prop_body};
use kontor_dav_proto::xml::Writer;
use kontor_dav_proto::{Element, Error, Precondition};
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::{Lock, PutLockRequest};

use super::put::without_parent;
use crate::answer::{Answer, Failure, put, status, xml};
use crate::call::Call;
use crate::condition::failed;
use crate::home::Collection;
use crate::lock::{token_in, token_uri};
use crate::place::Place;

pub(crate) async fn lock(call: &Call<'_>, place: &Place) -> Result<Answer, Failure> {
    let (collection, name) = target(call, place).await?;
    let Some(info) = LockInfo::parse(&call.body, call.limits)? else {
        return refresh(call, &collection, name).await;
    };
    let deep = match call.depth(Depth::Infinity)? {
        Depth::Zero => false,
        Depth::Infinity => true,
        Depth::One => return Err(Error::Syntax("the Depth of LOCK is 0 or infinity").into()),
    };
    let is_there = name.is_empty() || call.find_item(&collection, name, false).await?.is_some();
    let wanted = Lock {
        token: token(),
        folder_id: collection.folder.folder_id,
        name: name.to_owned(),
        deep: deep && name.is_empty(),
        shared: info.scope == LockScope::Shared,
        owner: info.owner.map(written).unwrap_or_default().into(),
        ..Lock::default()
    };
    let request = PutLockRequest {
        mailbox_id: collection.mailbox_id,
        lock: Some(wanted),
        seconds: seconds(call)?,
        refresh: false,
    };
    let answered = call.session.put_lock(request).await?;
    let Some(lock) = answered.lock else {
        return Err(collection.locked(Precondition::NoConflictingLock, &answered.conflicting));
    };
    let code = if is_there { StatusCode::OK } else { StatusCode::CREATED };
    let mut answer = described(&collection, code, &lock);
    put(&mut answer, HeaderName::from_static("lock-token"), &format!("<{}>", token_uri(&lock.token)));
    Ok(answer)
}

/// RFC 4918 §9.10.2
async fn refresh(call: &Call<'_>, collection: &Collection, name: &str) -> Result<Answer, Failure> {
    let header = call.header(HeaderName::from_static("if"))?;
    let header = header.ok_or(Error::Syntax("LOCK needs a lockinfo, or names a lock in If"))?;
    let header = If::parse(header, call.limits)?;
    let token = header.state_tokens().filter_map(token_in).find(|token| {
        let mut locks = collection.locks_of(name);
        locks.any(|lock| lock.token == *token)
    });
    let request = PutLockRequest {
        mailbox_id: collection.mailbox_id,
        lock: Some(Lock { token: token.ok_or_else(failed)?, ..Lock::default() }),
        seconds: seconds(call)?,
        refresh: true,
    };
    let answered = match call.session.put_lock(request).await {
        Err(StoreError::NotFound(_)) => return Err(failed()),
        answered => answered?,
    };
    Ok(described(collection, StatusCode::OK, &answered.lock.unwrap_or_default()))
}

pub(crate) async fn unlock(call: &Call<'_>, place: &Place) -> Result<Answer, Failure> {
    let (collection, name) = target(call, place).await?;
    let value = call.header(HeaderName::from_static("lock-token"))?;
    let value = lock_token(value.ok_or(Error::Syntax("UNLOCK needs a Lock-Token"))?, call.limits)?;
    let found = token_in(&value).filter(|token| {
        let mut locks = collection.locks_of(name);
        locks.any(|lock| lock.token == *token)
    });
    let Some(token) = found else {
        let what = "this resource has no such lock";
        return Err(Failure::precondition(Precondition::LockTokenMatchesRequestUri, what));
    };
    match call.session.remove_lock(collection.mailbox_id, token).await {
        Err(StoreError::NotFound(_)) => Err(Failure::forbidden("this lock is somebody else's")),
        removed => Ok(removed.map(|()| status(StatusCode::NO_CONTENT))?),
    }
}

/// What is to be locked: a collection, and the name of an item or nothing.
async fn target<'p>(call: &Call<'_>, place: &'p Place) -> Result<(Collection, &'p str), Failure> {
    match place {
        Place::Item(tree, address, slug, name) => {
            let collection = call.collection(*tree, address, slug).await.map_err(without_parent)?;
            Ok((collection, name))
        }
        Place::Collection(tree, address, slug) => {
            let collection =
                call.collection(*tree, address, slug).await.map_err(|failure| match failure.status() {
                    StatusCode::NOT_FOUND => {
                        Failure::Status(StatusCode::CONFLICT, "a collection is made before it is locked")
                    }
                    _ => failure,
                })?;
            Ok((collection, ""))
        }
        _ => {
            let error = ErrorBody::with(Element::new(kontor_dav_proto::Name::dav("supportedlock")))
                .described("collections and what is in them can be locked");
            Err(Failure::Condition(StatusCode::FORBIDDEN, error))
        }
    }
}

fn described(collection: &Collection, code: StatusCode, lock: &Lock) -> Answer {
    xml(code, prop_body([collection.lock_discovery([lock], now())]))
}

/// As long as it is wanted, and not longer than the store allows.
fn seconds(call: &Call<'_>) -> Result<u32, Failure> {
    let wanted = call.header(HeaderName::from_static("timeout"))?.and_then(Timeout::parse);
    Ok(match wanted {
        None => USUAL,
        Some(Timeout::Infinite) => LONGEST,
        Some(Timeout::Seconds(seconds)) => seconds.clamp(1, LONGEST),
    })
}

/// A UUID of version 4 (RFC 9562 §5.4).
fn token() -> bytes::Bytes {
    let mut token: [u8; 16] = rand::random();
    token[6] = token[6] & 0x0f | 0x40;
    token[8] = token[8] & 0x3f | 0x80;
    bytes::Bytes::copy_from_slice(&token)
}

fn written(owner: Element) -> Vec<u8> {
    let mut writer = Writer::fragment();
    writer.element(&owner);
    writer.take()
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Seconds.
const USUAL: u32 = 600;
const LONGEST: u32 = 3600;
