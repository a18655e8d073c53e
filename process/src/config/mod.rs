//! One typed configuration for a process: a TOML file, then the environment.
//!
//! `KONTOR_SECTION__KEY=value` sets `key` in `[section]` (`KONTOR_IMAP__MAX_LITERAL`, `KONTOR__HOSTNAME` for a key
//! outside any section). Types are serde types with `#[serde(deny_unknown_fields)]`; an unknown key is then an error
//! that says where it is and which known key is nearest.
//!
//! ```
//! #[derive(serde::Deserialize, Debug)]
//! #[serde(default, deny_unknown_fields)]
//! struct Config { hostname: String, #[serde(deserialize_with = "kontor_process::config::size")] largest: u64 }
//! impl Default for Config { fn default() -> Self { Self { hostname: "localhost".into(), largest: 50 << 20 } } }
//!
//! let config: Config = kontor_process::config::parse("largest = '10 MiB'", []).unwrap();
//! assert_eq!(config.largest, 10 << 20);
//! let error = kontor_process::config::parse::<Config>("hostnme = 'x'", []).unwrap_err();
//! assert_eq!(error.to_string(), "unknown key `hostnme`, did you mean `hostname`?");
//! ```

mod value;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use value::Node;

/// Reads `file` (none: an empty one) and lays the process's environment over it.
///
/// # Errors
/// [`ConfigError`], naming the key.
pub fn load<T: DeserializeOwned>(file: Option<&Path>) -> Result<T, ConfigError> {
    let text = match file {
        None => String::new(),
        Some(file) => std::fs::read_to_string(file)
            .map_err(|source| ConfigError::File { file: file.to_owned(), source })?,
    };
    parse(
        &text,
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))),
    )
}

/// Parses `text` and lays `environment` over it. Only names that begin with `KONTOR_` and contain `__` count.
///
/// # Errors
/// [`ConfigError`], naming the key.
pub fn parse<T: DeserializeOwned>(
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax(Box::new(error)))?;
    let mut root = Node::from(toml::Value::Table(table));
    let mut overrides: Vec<_> = environment.into_iter().collect();
    overrides.sort();
    for (name, value) in overrides {
        let Some(rest) = name.strip_prefix("KONTOR_").filter(|_| name.contains("__")) else { continue };
        // `KONTOR__KEY` has an empty section: a key at the top.
        let rest = rest.strip_prefix('_').unwrap_or(rest);
        let keys: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
        root.set(&keys, &name, value);
    }
    T::deserialize(value::Reader::root(&root)).map_err(ConfigError::Key)
}

/// What is wrong with a configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not TOML.
    #[error("{0}")]
    Syntax(Box<toml::de::Error>),
    /// A key or its value.
    #[error("{0}")]
    Key(KeyError),
}

/// A key that does not exist, or whose value cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyError {
    /// Where: keys and positions joined by dots; empty at the top.
    pub path: String,
    /// The environment variable that the value came from, if it did.
    pub variable: Option<String>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        if !self.path.is_empty() {
            write!(f, " in `{}`", self.path)?;
        }
        match &self.variable {
            Some(variable) => write!(f, " (from the environment: {variable})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for KeyError {}

impl serde::de::Error for KeyError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { path: String::new(), variable: None, problem: message.to_string() }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(unknown("key", field, expected))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(unknown("value", variant, expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("missing key `{field}`"))
    }
}

fn unknown(what: &str, given: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|known| (distance(given, known), *known)).min();
    match nearest {
        Some((distance, known)) if distance <= (given.chars().count().max(known.len())).div_ceil(2) => {
            format!("unknown {what} `{given}`, did you mean `{known}`?")
        }
        Some(_) => format!("unknown {what} `{given}`, known are {}", list(known)),
        None => format!("unknown {what} `{given}`, none is known here"),
    }
}

fn list(known: &[&str]) -> String {
    known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Levenshtein's.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut diagonal = i;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let changed = diagonal + usize::from(from != *to);
            diagonal = *cell;
            left = changed.min(*cell + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// `deserialize_with`: a number of seconds, or text such as `250ms`, `30s`, `5m`, `2h`, `1d`.
///
/// # Errors
/// When it is neither.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match NumberOrText::deserialize(deserializer)? {
        NumberOrText::Number(seconds) => Ok(Duration::from_secs(seconds)),
        NumberOrText::Text(text) => parse_duration(&text).ok_or_else(|| {
            D::Error::custom(format_args!("`{text}` is not a duration such as `30s`, `5m` or `2h`"))
        }),
    }
}

/// `deserialize_with`: a number of octets, or text such as `50 MiB`, `64k`, `1GB`. `k`, `M`, `G` alone are binary.
///
/// # Errors
/// When it is neither.
pub fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match NumberOrText::deserialize(deserializer)? {
        NumberOrText::Number(octets) => Ok(octets),
        NumberOrText::Text(text) => parse_size(&text).ok_or_else(|| {
            D::Error::custom(format_args!("`{text}` is not a size such as `50 MiB` or `64k`"))
        }),
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let milliseconds = match unit.as_str() {
        "ms" => 1,
        "" | "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(milliseconds)?))
}

/// Octets of a size such as `50 MiB`.
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let octets: u64 = match unit.as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    number.checked_mul(octets)
}

fn split_unit(text: &str) -> Option<(u64, String)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim().to_ascii_lowercase()))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u64),
    Text(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;
    use std::net::SocketAddr;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Config {
        hostname: String,
        imap: Imap,
        mode: Mode,
        relays: BTreeMap<String, Vec<u16>>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Imap {
        listen: Vec<SocketAddr>,
        #[serde(deserialize_with = "size")]
        max_literal: u64,
        #[serde(deserialize_with = "duration")]
        idle_timeout: Duration,
        greeting: Option<String>,
        enabled: bool,
        share: f64,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        #[default]
        Strict,
        Relaxed,
    }

    impl Default for Config {
        fn default() -> Self {
            Self { hostname: "h".into(), imap: Imap::default(), mode: Mode::Strict, relays: BTreeMap::new() }
        }
    }

    fn env<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn problem(text: &str, environment: Vec<(String, String)>) -> String {
        parse::<Config>(text, environment).expect_err("wrong").to_string()
    }

    #[test]
    fn everything_from_the_file() {
        let text = "mode = 'relaxed'\n[imap]\nlisten = ['127.0.0.1:143']\nmax_literal = '64k'\nidle_timeout = 30\n\
                    greeting = 'hi'\nenabled = true\nshare = 0.5\n[relays]\na = [1, 2]";
        let config: Config = parse(text, []).expect("valid");
        assert_eq!(config.imap.max_literal, 65536);
        assert_eq!(config.imap.idle_timeout, Duration::from_secs(30));
        assert_eq!(
            (config.imap.greeting.as_deref(), config.imap.enabled, config.imap.share),
            (Some("hi"), true, 0.5)
        );
        assert_eq!((config.mode, config.relays["a"].clone()), (Mode::Relaxed, vec![1, 2]));
    }

    #[test]
    fn the_environment_has_the_last_word_in_every_type() {
        let environment = env([
            ("KONTOR__HOSTNAME", "1234"),
            ("KONTOR_IMAP__LISTEN", "127.0.0.1:1, [::1]:2"),
            ("KONTOR_IMAP__MAX_LITERAL", "1 MiB"),
            ("KONTOR_IMAP__IDLE_TIMEOUT", "90"),
            ("KONTOR_IMAP__GREETING", "true"),
            ("KONTOR_IMAP__ENABLED", "true"),
            ("KONTOR_IMAP__SHARE", "0.25"),
            ("KONTOR_MODE", "ignored"),
            ("KONTOR__MODE", "relaxed"),
            ("KONTOR_RELAYS__B", "[3]"),
            ("KONTOR_SMTP_SERVICE_HOST", "10.0.0.1"),
        ]);
        let config: Config = parse("hostname = 'x'\n[relays]\na = [1]", environment).expect("valid");
        assert_eq!(config.hostname, "1234");
        assert_eq!(config.imap.listen.len(), 2);
        assert_eq!((config.imap.max_literal, config.imap.idle_timeout.as_secs()), (1 << 20, 90));
        assert_eq!(
            (config.imap.greeting.as_deref(), config.imap.enabled, config.imap.share),
            (Some("true"), true, 0.25)
        );
        assert_eq!(
            (config.mode, config.relays.len(), config.relays["b"].clone()),
            (Mode::Relaxed, 2, vec![3])
        );
    }

    #[test]
    fn errors_name_the_key_and_the_nearest() {
        assert_eq!(problem("hostnme = 'x'", vec![]), "unknown key `hostnme`, did you mean `hostname`?");
        assert_eq!(
            problem("[imap]\nlissten = []", vec![]),
            "unknown key `lissten`, did you mean `listen`? in `imap`"
        );
        assert_eq!(
            problem("zzzzzzzzzzzzzzzzzz = 1", vec![]),
            "unknown key `zzzzzzzzzzzzzzzzzz`, known are `hostname`, `imap`, `mode`, `relays`"
        );
        assert_eq!(
            problem("mode = 'strikt'", vec![]),
            "unknown value `strikt`, did you mean `strict`? in `mode`"
        );
        assert_eq!(
            problem("", env([("KONTOR_IMAP__ENABLED", "maybe")])),
            "`maybe` is not true or false in `imap.enabled` (from the environment: KONTOR_IMAP__ENABLED)"
        );
        assert_eq!(
            problem("", env([("KONTOR_IMPA__ENABLED", "true")])),
            "unknown key `impa`, did you mean `imap`? (from the environment: KONTOR_IMPA__ENABLED)"
        );
        assert!(problem("[imap]\nmax_literal = '5 bananas'", vec![]).contains("`5 bananas` is not a size"));
        assert!(problem("[imap]\nlisten = ['x']", vec![]).ends_with("in `imap.listen.0`"));
        assert!(problem("[imap]\nenabled = 3", vec![]).ends_with("in `imap.enabled`"));
        assert!(problem("= 3", vec![]).contains("TOML parse error at line 1"));
    }
}
