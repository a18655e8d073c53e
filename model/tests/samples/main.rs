//! Calendars and cards in the forms that products write: what comes back, as text and by way of MAPI alone.
//!
//! Each `PRODUCT/*.ics.txt` and `PRODUCT/*.vcf.txt` holds samples, all written for this test; [`corpus`] says in which
//! form. A sample that does not come back to the letter says so itself, line by line, with the entries of
//! `NORMALISED.md` that say why; a difference that is not written there fails, and so does one that is not there any
//! more. With `BLESS=1` in the environment the differences are written anew, to be read and explained by entries.

mod calendars;
mod cards;
mod corpus;

use std::collections::BTreeSet;

use corpus::{Corpus, Kind, Stage};

#[test]
fn there_are_enough_samples_and_no_two_are_the_same() {
    let corpus = Corpus::read();
    let mut names = BTreeSet::new();
    let mut texts = BTreeSet::new();
    for (file, sample) in corpus.samples() {
        assert!(
            names.insert(format!("{}/{}", file.product(), sample.name)),
            "{}: {}",
            file.name(),
            sample.name
        );
        assert!(texts.insert(sample.without_identity()), "{}: {} is there already", file.name(), sample.name);
    }
    let products: BTreeSet<_> = corpus.samples().map(|(file, _)| file.product().to_owned()).collect();
    assert!(names.len() >= LEAST, "{} samples", names.len());
    assert!(products.len() >= 20, "{products:?}");
}

#[test]
fn every_sample_comes_back() {
    let mut corpus = Corpus::read();
    let mut findings = Vec::new();
    corpus.each(|file, sample| {
        let found = match file.kind() {
            Kind::Calendar => calendars::differences(sample),
            Kind::Card => cards::differences(sample),
        };
        match found {
            Ok(found) => findings.extend(
                sample
                    .settle(found)
                    .into_iter()
                    .map(|finding| format!("{} {}: {finding}", file.name(), sample.name)),
            ),
            Err(error) => findings.push(format!("{} {}: {error}", file.name(), sample.name)),
        }
    });
    if std::env::var_os("BLESS").is_some() {
        corpus.write();
    }
    assert!(findings.is_empty(), "{}\n{} findings", findings.join("\n"), findings.len());
}

/// Each entry of the list is what some sample shows, or a test that it names.
#[test]
fn the_list_of_what_is_normalised_is_true() {
    let crate_folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(crate_folder.join("NORMALISED.md")).expect("the list");
    let corpus = Corpus::read();
    let used: BTreeSet<_> =
        corpus.samples().flat_map(|(_, sample)| sample.stages()).flat_map(Stage::entries).collect();
    let mut sources = String::new();
    for file in
        ["tests/calendar_items.rs", "tests/contacts.rs", "src/icalendar/tests.rs", "src/vcard/tests.rs"]
    {
        sources.push_str(&std::fs::read_to_string(crate_folder.join(file)).expect("a source"));
    }
    let mut known = BTreeSet::new();
    for entry in list.split("\n### ").skip(1) {
        let (id, text) = entry.split_once('\n').expect("a text under the heading");
        let is_tested =
            text.split('`').skip(1).step_by(2).any(|word| sources.contains(&format!("fn {word}()")));
        assert!(is_tested || used.contains(id), "nothing shows {id}");
        assert!(known.insert(id.to_owned()), "{id} is there twice");
    }
    for id in used {
        assert!(known.contains(&id), "{id} is not in the list");
    }
}

const LEAST: usize = 500;
