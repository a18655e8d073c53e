//! The API server's audit log: who wrote what.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;

/// A point in the audit log, to ask what was written after it.
pub struct Mark {
    path: PathBuf,
    offset: u64,
}

/// One write.
#[derive(Debug, Clone)]
pub struct Write {
    /// `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// The path of the request, with its query.
    pub uri: String,
    /// Who it was.
    pub user: String,
    /// The answer's status, 0 when there was none.
    pub code: u16,
    /// The resource's plural, empty for requests that are not about one.
    pub resource: String,
}

impl Mark {
    /// The end of the log of a cluster whose logs are in `logs`, as of now.
    pub fn now(logs: &Path) -> Result<Self> {
        let path = logs.join("audit.log");
        let offset = std::fs::metadata(&path)?.len();
        Ok(Self { path, offset })
    }

    /// The writes since then of users whose name contains `user`. Leases are not among them: holding one is
    /// writing it.
    pub fn writes(&self, user: &str) -> Result<Vec<Write>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let mut writes = Vec::new();
        // The last line may not be whole yet.
        for line in text.lines() {
            let Ok(event) = serde_json::from_str::<Event>(line) else { continue };
            let resource = event.object_ref.and_then(|object| object.resource).unwrap_or_default();
            if event.stage == "ResponseComplete" && event.user.username.contains(user) && resource != "leases"
            {
                writes.push(Write {
                    verb: event.verb,
                    uri: event.request_uri,
                    user: event.user.username,
                    code: event.response_status.and_then(|status| status.code).unwrap_or_default(),
                    resource,
                });
            }
        }
        Ok(writes)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    user: User,
    object_ref: Option<ObjectRef>,
    response_status: Option<ResponseStatus>,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
struct ObjectRef {
    resource: Option<String>,
}

#[derive(Deserialize)]
struct ResponseStatus {
    code: Option<u16>,
}
