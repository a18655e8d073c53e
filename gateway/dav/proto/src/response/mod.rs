//! Answers: `DAV:multistatus` (RFC 4918 §13), `DAV:error` (§16) and the bodies of single methods.

mod error_body;
mod multistatus;

pub use error_body::{ErrorBody, prop_body};
pub use multistatus::{Multistatus, PropStat, Response, Status, mkcol_response};
