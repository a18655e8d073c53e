//! Notes: sheets of paper with a few lines (MS-OXONOTE).
//!
//! ```
//! use kontor_model::note::{Color, Note};
//!
//! let note = Note { text: "Milk\r\nand bread".to_owned(), color: Color::Green, ..Note::default() };
//! let message = note.to_message();
//! assert_eq!(message.subject(), "Milk");
//! assert_eq!(Note::of(&message), Some(note));
//! ```

use crate::class::MessageClass;
use crate::message::Message;
use crate::property::{Value, keywords, named, tags};

/// A note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// What is written on it, with CRLF.
    pub text: String,
    /// The paper.
    pub color: Color,
    /// What it belongs to.
    pub categories: Vec<String>,
    /// Where it was on somebody's screen.
    pub window: Option<Window>,
}

/// PidLidNoteColor (MS-OXONOTE 2.2.1.1)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is its name")]
pub enum Color {
    Blue,
    Green,
    Pink,
    #[default]
    Yellow,
    White,
}

/// A window, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// PidLidNoteX
    pub x: i32,
    /// PidLidNoteY
    pub y: i32,
    /// PidLidNoteWidth
    pub width: i32,
    /// PidLidNoteHeight
    pub height: i32,
}

impl Color {
    const ALL: [Self; 5] = [Self::Blue, Self::Green, Self::Pink, Self::Yellow, Self::White];

    fn code(self) -> i32 {
        self as i32
    }

    fn of(code: i32) -> Self {
        Self::ALL.into_iter().find(|color| color.code() == code).unwrap_or_default()
    }
}

impl Note {
    /// The message object that it is. Its subject is its first line (MS-OXONOTE 2.2.2.1).
    pub fn to_message(&self) -> Message {
        let mut message = Message { class: MessageClass::STICKY_NOTE, ..Message::default() };
        let first = self.text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let subject: String = first.chars().filter(|c| !c.is_control()).take(MOST_SUBJECT).collect();
        let bag = &mut message.properties;
        bag.set(tags::SUBJECT, subject);
        bag.set(tags::BODY, self.text.as_str());
        bag.set(named::NOTE_COLOR, self.color.code());
        bag.set(tags::ICON_INDEX, FIRST_ICON + self.color.code());
        if !self.categories.is_empty() {
            bag.set(keywords(), self.categories.clone());
        }
        if let Some(window) = &self.window {
            for (name, value) in [
                (named::NOTE_X, window.x),
                (named::NOTE_Y, window.y),
                (named::NOTE_WIDTH, window.width),
                (named::NOTE_HEIGHT, window.height),
            ] {
                bag.set(name, value);
            }
        }
        message.derive();
        message
    }

    /// The note that a message object is; `None` for one of another kind.
    pub fn of(message: &Message) -> Option<Self> {
        if !message.class.is_a(&MessageClass::STICKY_NOTE) {
            return None;
        }
        let bag = &message.properties;
        let number = |name| bag.integer32(name);
        let categories = match bag.get(keywords()) {
            Some(Value::MultipleString(all)) => all.clone(),
            _ => Vec::new(),
        };
        let window =
            number(named::NOTE_WIDTH).zip(number(named::NOTE_HEIGHT)).map(|(width, height)| Window {
                x: number(named::NOTE_X).unwrap_or(0),
                y: number(named::NOTE_Y).unwrap_or(0),
                width,
                height,
            });
        Some(Self {
            // A program may have written the subject alone.
            text: message.body().unwrap_or_else(|| message.subject()).to_owned(),
            color: number(named::NOTE_COLOR).map(Color::of).unwrap_or_default(),
            categories,
            window,
        })
    }
}

/// PidTagIconIndex of a blue one; the others follow (MS-OXONOTE 2.2.2.2).
const FIRST_ICON: i32 = 0x300;
/// Characters.
const MOST_SUBJECT: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_a_message_and_a_note_again() {
        for color in Color::ALL {
            let note = Note {
                text: "\r\n Call Zo\u{eb} \r\ntomorrow".to_owned(),
                color,
                categories: vec!["Home".to_owned()],
                window: Some(Window { x: 10, y: -20, width: 200, height: 166 }),
            };
            let message = note.to_message();
            assert_eq!(message.class, MessageClass::STICKY_NOTE);
            assert_eq!(message.subject(), "Call Zo\u{eb}");
            assert_eq!(message.properties.integer32(tags::ICON_INDEX), Some(0x300 + color as i32));
            assert_eq!(Note::of(&message), Some(note));
        }
        let plain = Note::default().to_message();
        assert_eq!(plain.properties.integer32(named::NOTE_COLOR), Some(3), "yellow");
        assert_eq!(Note::of(&plain), Some(Note::default()));
        assert_eq!(Note::of(&Message::default()), None);
        let mut odd = plain;
        odd.properties.set(named::NOTE_COLOR, 99);
        assert_eq!(Note::of(&odd).map(|note| note.color), Some(Color::Yellow));
    }
}
