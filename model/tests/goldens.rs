//! Awkward messages and what is made of them: `golden/NAME.eml` and `golden/NAME.txt`.
//!
//! With `BLESS=1` in the environment the expectations are written anew, to be read before they are committed. Most were
//! compared with what Dovecot 2.3 prints for the same messages.

use std::fmt::Write as _;
use std::path::Path;

use kontor_model::imap_view::ViewPart;
use kontor_model::message::Content;
use kontor_model::mime::Limits;
use kontor_model::{ImapView, Message, Prepared};

#[test]
fn awkward_messages_keep_their_meaning() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let bless = std::env::var_os("BLESS").is_some();
    let mut count = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the folder is part of the crate") {
        let path = entry.expect("a readable folder").path();
        if path.extension().is_none_or(|extension| extension != "eml") {
            continue;
        }
        count += 1;
        let shown = show(&std::fs::read(&path).expect("a readable file"));
        let expected = path.with_extension("txt");
        if bless {
            std::fs::write(&expected, &shown).expect("a writable folder");
        } else if std::fs::read_to_string(&expected).ok().as_deref() != Some(shown.as_str()) {
            wrong.push(format!("{}:\n{shown}", path.display()));
        }
    }
    assert!(count >= 25, "only {count} messages found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn show(raw: &[u8]) -> String {
    let prepared = Prepared::from_rfc5322(raw, &Limits::default());
    let view = ImapView::decode(&prepared.view).expect("a view that was just made");
    let mut out = String::new();
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string().replace("\\\"", "\"");
    writeln!(out, "ENVELOPE {}", text(&view.envelope)).expect("a String takes all");
    writeln!(out, "BODYSTRUCTURE {}", text(&view.bodystructure)).expect("a String takes all");
    for ViewPart { kind, encoding, header, body, lines, .. } in view.parts.parts() {
        writeln!(out, "part {kind:?} {encoding:?} header {header:?} body {body:?} lines {lines}")
            .expect("a String takes all");
    }
    let Prepared { view: _, size, search_headers, search_body, .. } = &prepared;
    writeln!(out, "size {size}\nsearch headers {search_headers:?}\nsearch body {search_body:?}")
        .expect("a String takes all");
    writeln!(
        out,
        "subject {:?} topic {:?} from {:?} {:?} to {:?} sent {:?} thread {:?} class {} attachment {} preview {:?}",
        prepared.subject,
        prepared.topic,
        prepared.from_display,
        prepared.from_address,
        prepared.display_to,
        prepared.sent_at,
        prepared.thread_key,
        prepared.class,
        prepared.has_attachment,
        prepared.preview
    )
    .expect("a String takes all");
    let message = Message::from_mime(raw, &Limits::default());
    writeln!(out, "body {:?} html {:?}", message.body(), message.html()).expect("a String takes all");
    for attachment in &message.attachments {
        let content = match &attachment.content {
            Content::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Content::Message(inner) => format!("message {:?}", inner.subject()),
        };
        writeln!(out, "attachment {:?} {:?} {content}", attachment.file_name, attachment.mime_type)
            .expect("a String takes all");
    }
    out
}
