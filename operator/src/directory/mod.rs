//! The controllers of the directory kinds.

use crate::Context;
use std::sync::Arc;

/// Runs them; it returns only when one of them ends.
///
/// # Errors
/// When one of them ends.
pub async fn run(_context: Arc<Context>) -> anyhow::Result<()> {
    std::future::pending().await
}
