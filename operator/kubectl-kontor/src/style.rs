//! Colours, where a person looks and wants them.

use anstream::ColorChoice;
use clap::ValueEnum;

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
    let choice = match color {
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
        Color::Auto => ColorChoice::Auto,
    };
    choice.write_global();
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

/// What prints leaves them out where they are not wanted.
fn paint(text: &str, code: &str) -> String {
    format!("\x1b[{code}m{text}\x1b[0m")
}
