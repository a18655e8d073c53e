//! A client that says what clients of calendars say, on one connection.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Kind, Target};

pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    authorization: String,
    host: String,
}

impl Client {
    pub async fn connect(target: &Target) -> Result<Self> {
        let credentials = format!("{}:{}", target.user, target.password);
        let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
        let sender = dial(&target.address).await?;
        Ok(Self { sender, authorization: format!("Basic {encoded}"), host: target.address.clone() })
    }

    /// Makes a collection.
    pub async fn make(&mut self, kind: Kind, collection: &str) -> Result<()> {
        let resource = match kind {
            Kind::Events => "<c:calendar xmlns:c='urn:ietf:params:xml:ns:caldav'/>",
            Kind::Cards => "<c:addressbook xmlns:c='urn:ietf:params:xml:ns:carddav'/>",
        };
        let body = format!(
            "<d:mkcol xmlns:d='DAV:'><d:set><d:prop><d:resourcetype><d:collection/>{resource}</d:resourcetype>\
             </d:prop></d:set></d:mkcol>"
        );
        let (status, answer) = self.ask("MKCOL", collection, body).await?;
        ensure!(status == StatusCode::CREATED, "MKCOL {collection}: {status} {answer}");
        Ok(())
    }

    /// Puts an object, or a whole collection of them where the path is that of one.
    pub async fn put(&mut self, kind: Kind, path: &str, objects: String) -> Result<()> {
        let (status, answer) = self.ask_as("PUT", path, kind.media_type(), objects).await?;
        ensure!(status.is_success(), "PUT {path}: {status} {answer}");
        Ok(())
    }

    /// The hrefs that changed since a token, and the next one.
    pub async fn sync(&mut self, collection: &str, token: &str) -> Result<(Vec<String>, String)> {
        let body = format!(
            "<d:sync-collection xmlns:d='DAV:'><d:sync-token>{token}</d:sync-token><d:sync-level>1</d:sync-level>\
             <d:prop><d:getetag/></d:prop></d:sync-collection>"
        );
        let answer = self.report(collection, body).await?;
        let token = texts(&answer, "sync-token").pop().context("a token")?;
        Ok((texts(&answer, "href"), token))
    }

    pub async fn multiget(&mut self, kind: Kind, collection: &str, hrefs: &[String]) -> Result<String> {
        let (namespace, report, data) = match kind {
            Kind::Events => ("urn:ietf:params:xml:ns:caldav", "calendar-multiget", "calendar-data"),
            Kind::Cards => ("urn:ietf:params:xml:ns:carddav", "addressbook-multiget", "address-data"),
        };
        let hrefs: String = hrefs.iter().map(|href| format!("<d:href>{href}</d:href>")).collect();
        let body = format!(
            "<c:{report} xmlns:d='DAV:' xmlns:c='{namespace}'><d:prop><d:getetag/><c:{data}/></d:prop>{hrefs}</c:{report}>"
        );
        self.report(collection, body).await
    }

    /// The events of a month.
    pub async fn month(&mut self, collection: &str, year: usize, month: usize) -> Result<String> {
        let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let body = format!(
            "<c:calendar-query xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav'>\
             <d:prop><d:getetag/><c:calendar-data/></d:prop><c:filter><c:comp-filter name='VCALENDAR'>\
             <c:comp-filter name='VEVENT'><c:time-range start='{year}{month:02}01T000000Z' \
             end='{next_year}{next:02}01T000000Z'/></c:comp-filter></c:comp-filter></c:filter></c:calendar-query>"
        );
        self.report(collection, body).await
    }

    async fn report(&mut self, collection: &str, body: String) -> Result<String> {
        let (status, answer) = self.ask("REPORT", collection, body).await?;
        ensure!(status == StatusCode::MULTI_STATUS, "REPORT {collection}: {status} {answer}");
        Ok(answer)
    }

    async fn ask(&mut self, method: &str, path: &str, body: String) -> Result<(StatusCode, String)> {
        self.ask_as(method, path, "application/xml; charset=utf-8", body).await
    }

    async fn ask_as(
        &mut self,
        method: &str,
        path: &str,
        media_type: &str,
        body: String,
    ) -> Result<(StatusCode, String)> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.host)
            .header("authorization", &self.authorization)
            .header("content-type", media_type)
            .header("depth", if method == "REPORT" && body.contains("-query") { "1" } else { "0" })
            .body(Full::new(Bytes::from(body)))?;
        // A server may end the connection after any answer.
        if self.sender.ready().await.is_err() {
            self.sender = dial(&self.host).await?;
        }
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let octets = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&octets).into_owned()))
    }
}

async fn dial(address: &str) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// The texts of all elements of this local name, whatever their prefix.
fn texts(document: &str, local: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in document.match_indices(local) {
        let (before, after) = (document.get(..at).unwrap_or_default(), document.get(at + local.len()..));
        let is_start = before.ends_with('<')
            || (before.ends_with(':') && !before.rsplit('<').next().unwrap_or("/").contains('/'));
        let Some(text) = after.and_then(|after| after.strip_prefix('>')).filter(|_| is_start) else {
            continue;
        };
        found.extend(text.split('<').next().map(str::to_owned));
    }
    found
}
