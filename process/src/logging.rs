//! Logs: text for a person at a terminal, a JSON object a line for everything else. Always on standard error.

use serde::Deserialize;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// How to log.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// A filter, such as `info` or `warn,kontor_imap=debug`; `KONTOR_LOG` has the last word. `info` when empty.
    pub filter: String,
    /// How it looks.
    pub format: LogFormat,
}

/// How a log looks.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    #[default]
    Auto,
    /// Text.
    Text,
    /// JSON.
    Json,
}

/// Starts logging. The first call wins, later ones do nothing (tests).
///
/// # Errors
/// When the filter cannot be parsed; the message quotes it.
pub fn init(config: &LogConfig) -> Result<(), InvalidFilter> {
    let text = std::env::var("KONTOR_LOG").unwrap_or_else(|_| config.filter.clone());
    let text = if text.trim().is_empty() { DEFAULT_FILTER.to_owned() } else { text };
    let filter = EnvFilter::try_new(&text).map_err(|source| InvalidFilter { text, source })?;
    let terminal = std::io::stderr().is_terminal();
    let json = match config.format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(true)
        .log_internal_errors(false);
    let _ = if json {
        builder.json().flatten_event(true).with_current_span(false).try_init()
    } else {
        builder.with_ansi(terminal).try_init()
    };
    Ok(())
}

/// PostgreSQL's notices are for whoever writes SQL.
const DEFAULT_FILTER: &str = "info,tokio_postgres=warn";

/// The filter is not one.
#[derive(Debug, thiserror::Error)]
#[error("invalid log filter {text:?} (try \"info\" or \"warn,kontor_imap=debug\")")]
pub struct InvalidFilter {
    text: String,
    #[source]
    source: tracing_subscriber::filter::ParseError,
}
