//! Colours, where a person looks and wants them.

use clap::ValueEnum;
use std::io::IsTerminal;
use std::sync::OnceLock;

/// When there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// When the output is a terminal and NO_COLOR is not set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Decides once, before anything is printed.
pub fn choose(color: Color) {
    let on = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    };
    let _ = ON.set(on);
}

/// What is well.
pub fn good(text: &str) -> String {
    paint(text, "32")
}

/// What is not.
pub fn bad(text: &str) -> String {
    paint(text, "31")
}

/// What may become so.
pub fn doubtful(text: &str) -> String {
    paint(text, "33")
}

/// A heading.
pub fn bold(text: &str) -> String {
    paint(text, "1")
}

/// What matters less.
pub fn faint(text: &str) -> String {
    paint(text, "2")
}

fn paint(text: &str, code: &str) -> String {
    match ON.get() {
        Some(true) => format!("\x1b[{code}m{text}\x1b[0m"),
        _ => text.to_owned(),
    }
}

static ON: OnceLock<bool> = OnceLock::new();
