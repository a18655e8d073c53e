//! Managed attachments (RFC 8607 §3): POST to an object, and GET of a file.
//!
//! A file is at a path with its id, which nobody can guess. Whoever has signed in as somebody of the same house and knows
//! the path may read it: its organizer, and everybody whose copy of the event names it.

use bytes::Bytes;
use futures::stream;
use http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HOST, HeaderName, HeaderValue, LOCATION,
};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use kontor_dav_proto::Precondition;
use kontor_dav_proto::header::{ETag, Return};
use kontor_model::mime::{ContentType, Disposition};
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::put_item_request::Expected;
use kontor_storage_client::proto::{self, Rights};

use super::get::content;
use super::put::{read, store_and_tell, without_parent};
use crate::answer::{Answer, Failure, put, status, whole};
use crate::attachment::{self, Attachment, Instances, NotThere};
use crate::call::Call;
use crate::condition::{expected, failed};
use crate::home::Collection;
use crate::item::{calendar, tag, text};
use crate::place::{Place, Tree};
use crate::property::item::content_type;

/// What is to be done with a file of an object.
enum Action {
    Add(Instances),
    Update(Bytes),
    Remove(Instances, Bytes),
}

impl Action {
    fn read(query: &str) -> Result<Self, Failure> {
        let value = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(decoded)
        };
        let rids = match value("rid") {
            None => Ok(Instances::All),
            Some(rids) => Instances::parse(&rids).ok_or_else(|| refused(Precondition::ValidRid)),
        };
        let id = || {
            let id = value("managed-id").and_then(|id| attachment::id_in(&id));
            id.ok_or_else(|| refused(Precondition::ValidManagedId))
        };
        match value("action").as_deref() {
            Some("attachment-add") => Ok(Self::Add(rids?)),
            Some("attachment-update") => Ok(Self::Update(id()?)),
            Some("attachment-remove") => Ok(Self::Remove(rids?, id()?)),
            _ => Err(refused(Precondition::ValidAction)),
        }
    }
}

pub(super) async fn change(
    call: &Call<'_>,
    (address, slug, name): (&str, &str, &str),
) -> Result<Answer, Failure> {
    let collection = call.collection(Tree::Calendars, address, slug).await.map_err(without_parent)?;
    let action = Action::read(call.query)?;
    if !collection.may(Rights::Edit) {
        return Err(Failure::forbidden("you may not change what is in this calendar"));
    }
    let expected = expected(call, &collection, name).await?;
    let item = call.item(&collection, name, true).await?;
    if let Some(Expected::ContentId(version)) = &expected
        && *version != item.content_id
    {
        return Err(failed());
    }
    let stored = text(&item).ok_or_else(Failure::not_found)?;
    let mut calendar = calendar(&stored).ok_or_else(Failure::not_found)?;
    let (code, file) = match &action {
        Action::Add(which) => {
            let file = received(call)?;
            let url = url_of(call, &file);
            attachment::add(&mut calendar, which, &file, &url)
                .ok_or_else(|| refused(Precondition::ValidRid))?;
            (StatusCode::CREATED, Some(file))
        }
        Action::Update(id) => {
            let file = received(call)?;
            let replaced = attachment::replace(&mut calendar, id, &file, &url_of(call, &file));
            replaced.ok_or_else(|| refused(Precondition::ValidManagedId))?;
            (StatusCode::NO_CONTENT, Some(file))
        }
        Action::Remove(which, id) => {
            attachment::remove(&mut calendar, which, id).map_err(|missing| match missing {
                NotThere::Instance => refused(Precondition::ValidRid),
                NotThere::File => refused(Precondition::ValidManagedId),
            })?;
            (StatusCode::NO_CONTENT, None)
        }
    };
    if attachment::most(&calendar) > MOST_OF_RESOURCE {
        return Err(refused(Precondition::MaxAttachmentsPerResource));
    }
    if let Some(file) = &file {
        let kept = proto::Attachment {
            id: file.id.clone(),
            name: file.name.clone(),
            content_type: file.content_type.clone(),
            size: file.size,
        };
        call.session.put_attachment(collection.store_place(), kept, call.body.clone()).await?;
    }
    let changed = Bytes::from(calendar.to_string());
    // A file that no version names in the end is swept.
    let version = Some(Expected::ContentId(item.content_id));
    let new = read(&collection, &changed).await?;
    let stored = store_and_tell(call, &collection, name, new, version).await?;
    let mut answer = if call.prefer().returns == Some(Return::Representation) {
        represented(&collection, code, stored.text.clone().unwrap_or(changed))
    } else {
        status(code)
    };
    put(&mut answer, ETAG, &stored.etag());
    stored.put_schedule_tag(&mut answer);
    if let Some(file) = file {
        put(&mut answer, HeaderName::from_static("cal-managed-id"), &attachment::id_text(&file.id));
        put(&mut answer, LOCATION, &collection.item_place(name).href());
    }
    Ok(answer)
}

/// The object as it is now (RFC 8144 §3); a request that makes nothing else of it answers 200 then.
fn represented(collection: &Collection, code: StatusCode, text: Bytes) -> Answer {
    let mut answer = status(if code == StatusCode::NO_CONTENT { StatusCode::OK } else { code });
    put(&mut answer, CONTENT_TYPE, &content_type(collection));
    *answer.body_mut() = whole(text);
    answer
}

/// The file in a request.
fn received(call: &Call<'_>) -> Result<Attachment, Failure> {
    let size = call.body.len() as u64;
    if size > call.config.max_attachment {
        return Err(refused(Precondition::MaxAttachmentSize));
    }
    let kind = call.header(CONTENT_TYPE)?.unwrap_or("application/octet-stream");
    let essence = ContentType::parse(kind.as_bytes(), 1).map(|kind| {
        let part = |part: &[u8]| String::from_utf8_lossy(part).to_ascii_lowercase();
        format!("{}/{}", part(kind.main), part(kind.sub))
    });
    // Clients write names in UTF-8 here, though a header has no other letters than those of ASCII.
    let name = call
        .headers
        .get(CONTENT_DISPOSITION)
        .and_then(|value| Disposition::parse(value.as_bytes(), 10)?.parameters.decoded("filename"));
    let token: u128 = rand::random();
    Ok(Attachment {
        id: Bytes::copy_from_slice(&token.to_be_bytes()),
        name: file_name(name.as_deref().unwrap_or_default()),
        content_type: essence.filter(|kind| kind.len() <= 100).unwrap_or_else(|| OCTETS.to_owned()),
        size,
    })
}

/// A name that a file can have anywhere, without a path.
fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut plain = String::new();
    for c in last.chars().filter(|c| !c.is_control() && !"\"<>|:*?%#".contains(*c)) {
        if plain.len() + c.len_utf8() > MOST_NAME {
            break;
        }
        plain.push(c);
    }
    let plain = plain.trim().trim_start_matches('.').trim();
    if plain.is_empty() { "attachment".to_owned() } else { plain.to_owned() }
}

/// Where a file is had, as the client has come here.
fn url_of(call: &Call<'_>, file: &Attachment) -> String {
    let text = |name: HeaderName| call.headers.get(name).and_then(|value| value.to_str().ok());
    // The ingress sets them, and lets nobody else do so.
    let scheme = text(HeaderName::from_static("x-forwarded-proto")).filter(|scheme| *scheme == "https");
    let host =
        text(HeaderName::from_static("x-forwarded-host")).or_else(|| text(HOST)).unwrap_or("localhost");
    let place = Place::Attachment(attachment::id_text(&file.id), file.name.clone());
    format!("{}://{host}{}", scheme.unwrap_or("http"), place.href())
}

/// A file.
pub(super) async fn get(call: &Call<'_>, id: &str) -> Result<Answer, Failure> {
    let id = attachment::id_in(id).ok_or_else(Failure::not_found)?;
    let etag = ETag::strong(&tag(&id));
    let mut pieces = call.session.read_attachment(id).await?;
    let first = pieces.message().await.map_err(StoreError::from)?;
    let about = first.and_then(|piece| piece.attachment).ok_or_else(Failure::not_found)?;
    let is_asked_again = call.headers.contains_key(http::header::RANGE)
        || call.headers.contains_key(http::header::IF_NONE_MATCH);
    let mut answer = if is_asked_again && about.size <= call.config.max_attachment {
        let mut octets = Vec::new();
        while let Some(piece) = pieces.message().await.map_err(StoreError::from)? {
            octets.extend_from_slice(&piece.data);
        }
        content(call, octets.into(), &about.content_type, &etag)?
    } else {
        let body = stream::try_unfold(pieces, |mut pieces| async {
            let piece = pieces.message().await.map_err(StoreError::from)?;
            Ok::<_, StoreError>(piece.map(|piece| (Frame::data(piece.data), pieces)))
        });
        let mut answer = Response::new(StreamBody::new(body).boxed_unsync());
        put(&mut answer, CONTENT_TYPE, &about.content_type);
        answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(about.size));
        put(&mut answer, ETAG, &etag.to_string());
        answer
    };
    // It is whatever somebody has sent: never shown as a page of this host.
    let plain: String = about.name.chars().map(|c| if c.is_ascii() && c != '\\' { c } else { '_' }).collect();
    let encoded = kontor_dav_proto::encode_segment(&about.name);
    let disposition = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}");
    put(&mut answer, CONTENT_DISPOSITION, &disposition);
    put(&mut answer, HeaderName::from_static("x-content-type-options"), "nosniff");
    put(&mut answer, HeaderName::from_static("content-security-policy"), "sandbox; default-src 'none'");
    Ok(answer)
}

/// A value of a query, decoded; what is not well encoded is as it is written.
fn decoded(value: &str) -> String {
    kontor_dav_proto::decode_segment(value).unwrap_or_else(|_| value.to_owned())
}

fn refused(precondition: Precondition) -> Failure {
    Failure::precondition(precondition, "an attachment is added to, changed in or removed from an object")
}

const OCTETS: &str = "application/octet-stream";
/// Octets.
const MOST_NAME: usize = 200;
pub(crate) const MOST_OF_RESOURCE: usize = 50;

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_of_files() {
        for (given, name) in [
            ("a b.pdf", "a b.pdf"),
            ("C:\\x\\y.doc", "y.doc"),
            ("../../etc/passwd", "passwd"),
            ("..", "attachment"),
            ("", "attachment"),
            ("a\"\r\nb.txt", "ab.txt"),
            ("\u{e4}.txt", "\u{e4}.txt"),
        ] {
            assert_eq!(file_name(given), name, "{given:?}");
        }
        assert_eq!(file_name(&"\u{e4}".repeat(300)).len(), 200);
    }
}
