//! POST: what a client sends to a place without naming what becomes of it.

use http::StatusCode;
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use kontor_storage_client::proto::put_item_request::Expected;

use super::put::{read, store_and_tell, without_parent};
use super::{attachment, outbox, share};
use crate::answer::{Answer, Failure, put, status};
use crate::call::Call;
use crate::home::{Holds, OUTBOX};
use crate::place::{Place, Tree};

pub(crate) async fn post(call: &Call<'_>, place: &Place) -> Result<Answer, Failure> {
    match place {
        Place::Item(Tree::Calendars, address, slug, name) => {
            attachment::change(call, (address, slug, name)).await
        }
        Place::Collection(Tree::Calendars, owner, slug) if slug == OUTBOX => outbox::busy(call, owner).await,
        Place::Collection(tree, address, slug) if is_xml(call) => {
            let collection = call.collection(*tree, address, slug).await?;
            share::share(call, &collection).await
        }
        Place::Collection(tree, address, slug) => add_member(call, *tree, address, slug).await,
        Place::Home(tree, address) if address.eq_ignore_ascii_case(&call.session.info().address) => {
            share::invite_reply(call, *tree).await
        }
        Place::Home(tree, address) => {
            call.collections(*tree, address).await?;
            Err(Failure::forbidden("this is the home of somebody else"))
        }
        _ => Err(Call::not_here()),
    }
}

/// Whether the body is XML, as no calendar and no card is.
fn is_xml(call: &Call<'_>) -> bool {
    call.body.trim_ascii_start().first() == Some(&b'<')
}

/// A new member, named by the server (RFC 5995).
async fn add_member(call: &Call<'_>, tree: Tree, address: &str, slug: &str) -> Result<Answer, Failure> {
    let collection = call.collection(tree, address, slug).await.map_err(without_parent)?;
    let (wanted, extension) = match collection.holds {
        Holds::Cards => ("text/vcard", "vcf"),
        _ => ("text/calendar", "ics"),
    };
    let kind = call.header(CONTENT_TYPE)?.unwrap_or(wanted);
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted) {
        return Err(kontor_dav_proto::Error::MediaType.into());
    }
    let item = read(&collection, &call.body).await?;
    let mut name = name_for(&item.uid).map(|uid| format!("{uid}.{extension}"));
    if let Some(known) = &name
        && call
            .find_item(&collection, known, false)
            .await?
            .is_some_and(|there| there.facts.is_none_or(|facts| facts.item_uid != item.uid))
    {
        name = None;
    }
    let name = name.unwrap_or_else(|| format!("{:032x}.{extension}", rand::random::<u128>()));
    // What has the UID already is found by it, whatever it is called.
    let stored = store_and_tell(call, &collection, &name, item, Some(Expected::Absent(true))).await;
    let stored = stored.map_err(|failure| {
        if failure.status() == StatusCode::PRECONDITION_FAILED {
            super::put::uid_taken(&collection, &name)
        } else {
            failure
        }
    })?;
    let mut answer = status(StatusCode::CREATED);
    put(&mut answer, LOCATION, &collection.item_place(&name).href());
    if stored.text.is_none() && stored.item.as_sent {
        put(&mut answer, ETAG, &stored.etag());
    }
    stored.put_schedule_tag(&mut answer);
    Ok(answer)
}

/// A UID as it stands, where it can be a name that nobody must encode.
fn name_for(uid: &str) -> Option<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    (uid.len() <= LONGEST
        && uid.starts_with(|c: char| c.is_ascii_alphanumeric())
        && uid.chars().all(is_plain))
    .then_some(uid)
}

/// Octets.
const LONGEST: usize = 100;

#[cfg(test)]
mod tests {
    use super::name_for;

    #[test]
    fn names_from_uids() {
        assert_eq!(name_for("A1-b@x.example"), Some("A1-b@x.example"));
        for uid in ["", "..", "a/b", "a b", "\u{e4}", &"a".repeat(101)] {
            assert_eq!(name_for(uid), None, "{uid}");
        }
    }
}
