//! GET of a place that is no object: a calendar or an address book as one file, and else a page for who comes with a
//! browser.

use bytes::Bytes;
use futures::stream;
use http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, HeaderName};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use kontor_dav_proto::header::ETag;
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::{ItemsChunk, ItemsRequest};

use crate::answer::{Answer, Failure, document, put};
use crate::call::Call;
use crate::derived::Items;
use crate::export::CalendarExport;
use crate::home::{Collection, Holds};
use crate::item::{calendar, text};
use crate::place::Place;

pub(super) async fn collection(call: &Call<'_>, place: &Place) -> Result<Answer, Failure> {
    match place {
        Place::Collection(tree, address, slug) => {
            let collection = call.collection(*tree, address, slug).await?;
            let wanted = if collection.holds == Holds::Cards { "text/vcard" } else { "text/calendar" };
            let accepts = call.header(ACCEPT)?.is_some_and(|accept| {
                accept.split(',').any(|kind| kind.trim().to_ascii_lowercase().starts_with(wanted))
            });
            let is_export = accepts || call.query.split('&').any(|word| word == "export");
            if is_export { export(call, collection).await } else { Ok(page_of(&collection)) }
        }
        Place::Home(tree, address) => {
            let links = call.collections(*tree, address).await?;
            let links = links.iter().map(|each| (each.place().href(), each.folder.name.clone()));
            Ok(page(address, "", &links.collect::<Vec<_>>()))
        }
        _ => {
            let viewer = call.session.info().address.clone();
            let homes = crate::property::place::homes(&viewer).map(|home| (home.href(), home.href()));
            Ok(page("Kontor", "Give this address to a program for calendars and contacts.", &homes))
        }
    }
}

/// A page that says what is here.
fn page_of(collection: &Collection) -> Answer {
    let (what, kind) = match collection.holds {
        Holds::Events => ("calendar", "iCalendar"),
        Holds::Tasks => ("task list", "iCalendar"),
        Holds::Journals => ("journal", "iCalendar"),
        Holds::Inbox => ("inbox", "iCalendar"),
        Holds::Cards => ("address book", "vCard"),
    };
    let words = format!(
        "This {what} of {} has {} entries. Give this address to a program for calendars and contacts.",
        collection.owner, collection.folder.total
    );
    let link = (format!("{}?export", collection.place().href()), format!("Everything as one {kind} file"));
    page(&collection.folder.name, &words, &[link])
}

fn page(title: &str, words: &str, links: &[(String, String)]) -> Answer {
    let links: String = links
        .iter()
        .map(|(href, name)| format!("<li><a href=\"{}\">{}</a>\n", escaped(href), escaped(name)))
        .collect();
    let (title, words) = (escaped(title), escaped(words));
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\n<h1>{title}</h1>\n\
         <p>{words}</p>\n<ul>\n{links}</ul>\n</html>\n"
    );
    let mut answer = document(StatusCode::OK, "text/html; charset=utf-8", page);
    // Names are what people typed; nothing in a page of ours ever runs or loads.
    put(&mut answer, HeaderName::from_static("content-security-policy"), "default-src 'none'");
    put(&mut answer, HeaderName::from_static("x-content-type-options"), "nosniff");
    answer
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

async fn export(call: &Call<'_>, collection: Collection) -> Result<Answer, Failure> {
    let request = ItemsRequest { body: true, ..ItemsRequest::default() };
    let mut items = call.items(&collection, request).await?;
    let first = items.message().await?;
    let etag = ETag::strong(&collection.folder.highest_cn.to_string());
    let (kind, file) = match collection.holds {
        Holds::Cards => ("text/vcard; charset=utf-8", "vcf"),
        _ => ("text/calendar; charset=utf-8", "ics"),
    };
    let name = collection.slug.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>();
    let state = Export { items, next: first, zones: CalendarExport::default(), collection, began: false };
    let pieces = stream::try_unfold(Some(state), |state| async {
        let Some(state) = state else { return Ok(None) };
        let (piece, state) = state.piece().await?;
        Ok::<_, StoreError>(Some((Frame::data(Bytes::from(piece)), state)))
    });
    let mut answer = Response::new(StreamBody::new(pieces).boxed_unsync());
    put(&mut answer, CONTENT_TYPE, kind);
    put(&mut answer, CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}.{file}\""));
    put(&mut answer, ETAG, &etag.to_string());
    Ok(answer)
}

struct Export {
    items: Items,
    next: Option<ItemsChunk>,
    zones: CalendarExport,
    collection: Collection,
    began: bool,
}

impl Export {
    /// The next piece of the body; without a state after the last one.
    async fn piece(mut self) -> Result<(String, Option<Self>), StoreError> {
        let is_cards = self.collection.holds == Holds::Cards;
        let mut out = String::new();
        if !self.began && !is_cards {
            out.push_str(&CalendarExport::begin(&self.collection.folder.name));
        }
        self.began = true;
        let Some(chunk) = self.next.take() else {
            if !is_cards {
                out.push_str(CalendarExport::end());
            }
            return Ok((out, None));
        };
        let mut state = self;
        let work = move || {
            for text in chunk.items.iter().filter_map(text) {
                if is_cards {
                    let card = String::from_utf8_lossy(&text);
                    card.lines().for_each(|line| out.extend([line, "\r\n"]));
                } else if let Some(calendar) = calendar(&text) {
                    state.zones.add(calendar, &mut out);
                }
            }
            (out, state)
        };
        let (out, mut state) = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| StoreError::Internal(format!("an export ended early: {error}")))?;
        state.next = state.items.message().await?;
        Ok((out, Some(state)))
    }
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn names_are_only_text() {
        assert_eq!(escaped("<b a=\"&\">"), "&lt;b a=&quot;&amp;&quot;&gt;");
    }
}
