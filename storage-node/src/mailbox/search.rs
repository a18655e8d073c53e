//! SEARCH: what the skeleton knows is answered in memory, the rest by one statement for each text.
//!
//! Text is matched as substring (RFC 9051 §6.4.4) of what was folded when the message was stored, in the same
//! transaction; so a message is found from the moment it is visible.

use std::collections::HashSet;

use kontor_model::fold;
use kontor_storage_proto as proto;
use proto::Rights;
use proto::search_key::Key;
use uuid::Uuid;

use super::state::Row;
use super::store_flags::slot;
use super::{Mailboxes, Ranges};
use crate::error::{Error, bigint};
use crate::token::Principal;

/// A key that a row can be held against.
enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Flags(u64),
    Uids(Ranges),
    Larger(u64),
    Smaller(u64),
    Received(Option<i64>, Option<i64>),
    ModSeq(u64),
    Content(Uuid),
    /// Contents that a statement found.
    Found(HashSet<Uuid>),
    Always,
    Never,
}

impl Test {
    fn holds(&self, row: &Row) -> bool {
        match self {
            Test::And(tests) => tests.iter().all(|t| t.holds(row)),
            Test::Or(tests) => tests.iter().any(|t| t.holds(row)),
            Test::Not(test) => !test.holds(row),
            Test::Flags(bits) => row.flags & bits == *bits,
            Test::Uids(ranges) => ranges.contains(row.uid),
            Test::Larger(size) => row.size > *size,
            Test::Smaller(size) => row.size < *size,
            Test::Received(from, until) => {
                from.is_none_or(|f| row.received_at >= f) && until.is_none_or(|u| row.received_at < u)
            }
            Test::ModSeq(cn) => row.modseq() >= *cn,
            Test::Content(id) => row.content_id == *id,
            Test::Found(found) => found.contains(&row.content_id),
            Test::Always => true,
            Test::Never => false,
        }
    }
}

/// Where a text statement looks.
struct Scope<'a> {
    mailbox: u64,
    keywords: &'a [String],
    /// Contents in question.
    candidates: &'a [Uuid],
    /// All contents of the mailbox are about as many as the candidates.
    most_of_mailbox: bool,
}

impl Mailboxes {
    pub async fn search(
        &self,
        who: &Principal,
        request: proto::SearchRequest,
    ) -> Result<proto::SearchResponse, Error> {
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        self.access.require(who, mailbox, folder, &[Rights::Read]).await?;
        let key = request.key.unwrap_or_default();
        let mut budget = MOST_KEYS;
        check(&key, 0, &mut budget)?;
        let state = self.folder(mailbox, folder).await?;
        let (rows, keywords, highest_cn) = (state.rows.clone(), state.keywords.clone(), state.cn);
        drop(state);
        // What memory can tell narrows what text has to look at.
        let narrow = narrowing(&key, &keywords);
        let candidates: Vec<Row> = rows.into_iter().filter(|r| narrow.holds(r)).collect();
        let ids: Vec<Uuid> =
            if needs_text(&key) { candidates.iter().map(|r| r.content_id).collect() } else { Vec::new() };
        let most_of_mailbox = if ids.len() > 256 {
            let client = self.db.get().await?;
            let row = client
                .query_opt("SELECT messages FROM mailbox WHERE mailbox_id = $1", &[&bigint(mailbox)])
                .await?;
            row.is_some_and(|r| r.get::<_, i64>(0) < 3 * i64::try_from(ids.len()).unwrap_or(i64::MAX))
        } else {
            false
        };
        let scope = Scope { mailbox, keywords: &keywords, candidates: &ids, most_of_mailbox };
        let test = self.compile(key, &scope).await?;
        let mut response = proto::SearchResponse { highest_cn, ..Default::default() };
        for row in candidates.iter().filter(|r| test.holds(r)) {
            response.uids.push(row.uid);
            response.modseq = response.modseq.max(row.modseq());
        }
        Ok(response)
    }

    fn compile<'a>(
        &'a self,
        key: proto::SearchKey,
        scope: &'a Scope<'a>,
    ) -> futures::future::BoxFuture<'a, Result<Test, Error>> {
        Box::pin(async move {
            Ok(match key.key {
                Some(Key::And(keys)) => Test::And(self.compile_all(keys, scope).await?),
                Some(Key::Or(keys)) => Test::Or(self.compile_all(keys, scope).await?),
                Some(Key::Not(key)) => Test::Not(Box::new(self.compile(*key, scope).await?)),
                Some(Key::Header(header)) => Test::Found(self.find_header(&header, scope).await?),
                Some(Key::Body(text)) => {
                    Test::Found(self.find_text("strpos(search_body, $2) > 0", &text, scope).await?)
                }
                Some(Key::Text(text)) => Test::Found(
                    self.find_text(
                        "(strpos(search_headers, $2) > 0 OR strpos(search_body, $2) > 0)",
                        &text,
                        scope,
                    )
                    .await?,
                ),
                Some(Key::SentDate(range)) => Test::Found(self.find_sent(&range, scope).await?),
                Some(Key::ThreadId(id)) => Test::Found(self.find_thread(&id, scope).await?),
                other => simple(other, scope.keywords),
            })
        })
    }

    async fn compile_all(&self, keys: proto::SearchKeys, scope: &Scope<'_>) -> Result<Vec<Test>, Error> {
        let mut tests = Vec::with_capacity(keys.keys.len());
        for key in keys.keys {
            tests.push(self.compile(key, scope).await?);
        }
        Ok(tests)
    }

    async fn find_text(
        &self,
        condition: &str,
        text: &str,
        scope: &Scope<'_>,
    ) -> Result<HashSet<Uuid>, Error> {
        let needle = fold(text);
        if needle.is_empty() {
            return Ok(scope.candidates.iter().copied().collect());
        }
        if needle.contains('\0') {
            return Ok(HashSet::new());
        }
        let rows = self.scan("content_id", condition, &[&needle], scope).await?;
        Ok(rows.iter().map(|r| r.get(0)).collect())
    }

    async fn find_header(
        &self,
        header: &proto::HeaderMatch,
        scope: &Scope<'_>,
    ) -> Result<HashSet<Uuid>, Error> {
        let name = header.name.to_ascii_lowercase();
        let value = fold(&header.value);
        if name.is_empty() || name.contains('\0') || value.contains('\0') {
            return Ok(HashSet::new());
        }
        // A line "name: value" that holds the text; which line it is has to be looked at.
        let rows = self
            .scan(
                "content_id, search_headers",
                "strpos(search_headers, $2) > 0 AND strpos(search_headers, $3) > 0",
                &[&value, &format!("{name}:")],
                scope,
            )
            .await?;
        let prefix = format!("{name}:");
        Ok(rows
            .iter()
            .filter(|row| {
                let headers: &str = row.get(1);
                headers.lines().any(|line| line.strip_prefix(&prefix).is_some_and(|v| v.contains(&value)))
            })
            .map(|row| row.get(0))
            .collect())
    }

    async fn find_sent(&self, range: &proto::TimeRange, scope: &Scope<'_>) -> Result<HashSet<Uuid>, Error> {
        let (from, until) = (range.from.unwrap_or(i64::MIN), range.until.unwrap_or(i64::MAX));
        let rows = self.scan("content_id", "sent_at >= $2 AND sent_at < $3", &[&from, &until], scope).await?;
        Ok(rows.iter().map(|r| r.get(0)).collect())
    }

    async fn find_thread(&self, id: &[u8], scope: &Scope<'_>) -> Result<HashSet<Uuid>, Error> {
        let Ok(id) = Uuid::from_slice(id) else { return Ok(HashSet::new()) };
        let rows = self.scan("content_id", "thread_id = $2", &[&id], scope).await?;
        Ok(rows.iter().map(|r| r.get(0)).collect())
    }

    /// Contents of the scope that meet a condition over `$2` and on.
    async fn scan(
        &self,
        columns: &str,
        condition: &str,
        values: &[&(dyn tokio_postgres::types::ToSql + Sync)],
        scope: &Scope<'_>,
    ) -> Result<Vec<tokio_postgres::Row>, Error> {
        if scope.candidates.is_empty() {
            return Ok(Vec::new());
        }
        let mailbox = bigint(scope.mailbox);
        let mut parameters: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = vec![&mailbox];
        parameters.extend_from_slice(values);
        let candidates = scope.candidates.to_vec();
        let mut sql = format!("SELECT {columns} FROM content WHERE mailbox_id = $1 AND {condition}");
        if !scope.most_of_mailbox {
            parameters.push(&candidates);
            sql.push_str(&format!(" AND content_id = ANY (${})", parameters.len()));
        }
        let client = self.db.get().await?;
        let statement = client.prepare_cached(&sql).await?;
        Ok(client.query(&statement, &parameters).await?)
    }
}

/// A key that needs no text.
fn simple(key: Option<Key>, keywords: &[String]) -> Test {
    match key {
        Some(Key::Flags(bits)) => Test::Flags(bits),
        Some(Key::Keyword(name)) => slot(keywords, &name).map_or(Test::Never, Test::Flags),
        Some(Key::Uids(uids)) => Ranges::from_wire(&uids.ranges).map_or(Test::Never, Test::Uids),
        Some(Key::Larger(size)) => Test::Larger(size),
        Some(Key::Smaller(size)) => Test::Smaller(size),
        Some(Key::InternalDate(range)) => Test::Received(range.from, range.until),
        Some(Key::Modseq(cn)) => Test::ModSeq(cn),
        Some(Key::ContentId(id)) => Uuid::from_slice(&id).map_or(Test::Never, Test::Content),
        Some(Key::All(_)) | None => Test::Always,
        Some(
            Key::And(_)
            | Key::Or(_)
            | Key::Not(_)
            | Key::Header(_)
            | Key::Body(_)
            | Key::Text(_)
            | Key::SentDate(_)
            | Key::ThreadId(_),
        ) => Test::Always,
    }
}

/// What holds for every match, as far as memory can tell: the simple parts of a conjunction.
fn narrowing(key: &proto::SearchKey, keywords: &[String]) -> Test {
    match &key.key {
        Some(Key::And(keys)) => Test::And(keys.keys.iter().map(|k| narrowing(k, keywords)).collect()),
        Some(Key::Not(inner)) if !needs_text(inner) && !is_compound(inner) => {
            Test::Not(Box::new(simple(inner.key.clone(), keywords)))
        }
        other => simple(other.clone(), keywords),
    }
}

fn is_compound(key: &proto::SearchKey) -> bool {
    matches!(key.key, Some(Key::And(_) | Key::Or(_) | Key::Not(_)))
}

fn needs_text(key: &proto::SearchKey) -> bool {
    match &key.key {
        Some(Key::And(keys) | Key::Or(keys)) => keys.keys.iter().any(needs_text),
        Some(Key::Not(key)) => needs_text(key),
        Some(Key::Header(_) | Key::Body(_) | Key::Text(_) | Key::SentDate(_) | Key::ThreadId(_)) => true,
        _ => false,
    }
}

fn check(key: &proto::SearchKey, depth: usize, budget: &mut usize) -> Result<(), Error> {
    *budget = budget
        .checked_sub(1)
        .filter(|_| depth < DEEPEST)
        .ok_or_else(|| Error::Limit("the search is too complicated".into()))?;
    match &key.key {
        Some(Key::And(keys) | Key::Or(keys)) => {
            keys.keys.iter().try_for_each(|k| check(k, depth + 1, budget))
        }
        Some(Key::Not(key)) => check(key, depth + 1, budget),
        _ => Ok(()),
    }
}

const MOST_KEYS: usize = 1000;
const DEEPEST: usize = 64;
