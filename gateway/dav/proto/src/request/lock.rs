//! LOCK (RFC 4918 §9.10).

use super::root;
use crate::xml::Element;
use crate::{DAV, Error, Limits};

/// A lock that is asked for. Its type is always write, the only one there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockInfo {
    /// Whether others may have one too.
    pub scope: LockScope,
    /// The `DAV:owner`, which is given back as it came (RFC 4918 §14.17).
    pub owner: Option<Element>,
}

/// `lockscope` (RFC 4918 §14.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockScope {
    /// No other lock beside it.
    Exclusive,
    /// Other shared locks beside it.
    Shared,
}

impl LockInfo {
    /// Reads a body; an empty one refreshes the lock that `If` names (RFC 4918 §9.10.2), and is `None`.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Option<Self>, Error> {
        let Some(root) = root(body, limits)? else { return Ok(None) };
        if !root.is(DAV, "lockinfo") {
            return Err(Error::Syntax("the body of LOCK is a DAV:lockinfo"));
        }
        let scope = root.first(DAV, "lockscope").ok_or(Error::Syntax("a lock needs a lockscope"))?;
        let kind = root.first(DAV, "locktype").ok_or(Error::Syntax("a lock needs a locktype"))?;
        let scope = match (scope.has(DAV, "exclusive"), scope.has(DAV, "shared")) {
            (true, false) => LockScope::Exclusive,
            (false, true) => LockScope::Shared,
            _ => return Err(Error::Unprocessable("a lock is exclusive or shared")),
        };
        if !kind.has(DAV, "write") {
            return Err(Error::Unprocessable("a lock is a write lock"));
        }
        Ok(Some(Self { scope, owner: root.first(DAV, "owner").cloned() }))
    }
}
