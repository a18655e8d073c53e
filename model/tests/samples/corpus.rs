//! The samples and what they say of themselves.
//!
//! ```text
//! === name of the quirk [flags]
//! the text, up to the next line of this kind
//! --- comes back (entries of NORMALISED.md)
//! - a line that does not come back
//! + what comes instead
//! ```
//!
//! Flags: `crlf` and `cr` are the line ends, `bom` a mark at the beginning, `utf-16` the encoding; with `octets`,
//! `⟦hexadecimal digits⟧` are octets, and `⟦⟧` at the end of a line takes its line end away.

use std::path::{Path, PathBuf};

pub struct Corpus {
    files: Vec<File>,
}

pub struct File {
    path: PathBuf,
    samples: Vec<Sample>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Calendar,
    Card,
}

pub struct Sample {
    pub name: String,
    head: String,
    text: String,
    stages: Vec<Stage>,
}

/// What becomes of a sample on one way, as far as it is not what it was.
#[derive(Clone, PartialEq, Eq)]
pub struct Stage {
    name: String,
    entries: Vec<String>,
    /// With `- ` or `+ ` before each.
    lines: Vec<String>,
}

impl Corpus {
    pub fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
        let mut files = Vec::new();
        for product in std::fs::read_dir(root).expect("the folder of samples") {
            let product = product.expect("an entry").path();
            if product.is_dir() {
                for path in std::fs::read_dir(product).expect("a folder") {
                    files.push(File::read(path.expect("an entry").path()));
                }
            }
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Self { files }
    }

    pub fn samples(&self) -> impl Iterator<Item = (&File, &Sample)> {
        self.files.iter().flat_map(|file| file.samples.iter().map(move |sample| (file, sample)))
    }

    pub fn each(&mut self, mut visit: impl FnMut(&File, &mut Sample)) {
        for file in &mut self.files {
            let mut samples = std::mem::take(&mut file.samples);
            samples.iter_mut().for_each(|sample| visit(file, sample));
            file.samples = samples;
        }
    }

    pub fn write(&self) {
        for file in &self.files {
            let text: String = file.samples.iter().map(Sample::to_text).collect();
            std::fs::write(&file.path, text).expect("a writable folder");
        }
    }
}

impl File {
    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).expect("a file of samples");
        let mut samples: Vec<Sample> = Vec::new();
        for line in text.lines() {
            if let Some(head) = line.strip_prefix("=== ") {
                let name = head.split(" [").next().unwrap_or(head).to_owned();
                samples.push(Sample { name, head: head.to_owned(), text: String::new(), stages: Vec::new() });
                continue;
            }
            let sample = samples.last_mut().expect("=== before a sample");
            if let Some(head) = line.strip_prefix("--- ") {
                let (name, entries) = head.split_once(" (").expect("entries");
                let entries = entries.trim_end_matches(')').split(", ").map(str::to_owned).collect();
                sample.stages.push(Stage { name: name.to_owned(), entries, lines: Vec::new() });
            } else if let Some(stage) = sample.stages.last_mut() {
                stage.lines.push(line.to_owned());
            } else {
                sample.text.push_str(line);
                sample.text.push('\n');
            }
        }
        assert!(!samples.is_empty(), "{}", path.display());
        Self { path, samples }
    }

    pub fn name(&self) -> String {
        let file = self.path.file_name().expect("a name").to_string_lossy();
        format!("{}/{file}", self.product())
    }

    pub fn product(&self) -> &str {
        self.path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).expect("a folder")
    }

    pub fn kind(&self) -> Kind {
        let name = self.name();
        match () {
            () if name.ends_with(".ics.txt") => Kind::Calendar,
            () if name.ends_with(".vcf.txt") => Kind::Card,
            () => panic!("what is {name}?"),
        }
    }
}

impl Sample {
    fn has(&self, flag: &str) -> bool {
        let flags = self.head.split_once(" [").map(|(_, flags)| flags.trim_end_matches(']'));
        flags.is_some_and(|flags| flags.split(", ").any(|own| own == flag))
    }

    /// The octets that a program gets.
    pub fn octets(&self) -> Vec<u8> {
        let mut text = self.text.clone();
        if self.has("crlf") {
            text = text.replace('\n', "\r\n");
        }
        if self.has("cr") {
            text = text.replace('\n', "\r");
        }
        if self.has("bom") {
            text.insert(0, '\u{feff}');
        }
        if self.has("utf-16") {
            return text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        }
        if !self.has("octets") {
            return text.into_bytes();
        }
        let mut out = Vec::new();
        let text = text.replace("⟦⟧\n", "");
        let mut pieces = text.split('⟦');
        out.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
        for piece in pieces {
            let (digits, rest) = piece.split_once('⟧').expect("⟧");
            let octets = digits.split(' ').map(|digits| u8::from_str_radix(digits, 16).expect("an octet"));
            out.extend(octets);
            out.extend_from_slice(rest.as_bytes());
        }
        out
    }

    /// The lines as a simple reader sees them.
    pub fn lines(&self) -> Vec<String> {
        let octets = self.octets();
        let octets = match octets.as_slice() {
            [0xff, 0xfe, wide @ ..] => {
                let units: Vec<u16> =
                    wide.chunks(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
                String::from_utf16_lossy(&units).into_bytes()
            }
            own => own.strip_prefix(b"\xef\xbb\xbf").unwrap_or(own).to_vec(),
        };
        unfolded(&octets)
    }

    /// The text without what makes it another one of the same.
    pub fn without_identity(&self) -> String {
        let identity = ["UID", "DTSTAMP", "CREATED", "LAST-MODIFIED", "REV", "DTSTART", "DTEND", "PRODID"];
        let is_kept = |line: &&str| !identity.iter().any(|name| line.starts_with(name));
        self.text
            .lines()
            .filter(is_kept)
            .chain([self.head.split_once(" [").map_or("", |(_, flags)| flags)])
            .collect()
    }

    pub fn stages(&self) -> impl Iterator<Item = &Stage> {
        self.stages.iter()
    }

    /// Compares what was found with what is said, and says what was found from now on.
    pub fn settle(&mut self, found: Vec<(&str, Vec<String>)>) -> Vec<String> {
        let mut findings = Vec::new();
        let old = std::mem::take(&mut self.stages);
        for (name, lines) in found {
            let said = old.iter().find(|stage| stage.name == name);
            let expected = said.map(|stage| stage.lines.as_slice()).unwrap_or_default();
            if expected != lines {
                findings.push(format!("{name} is different:\n{}", lines.join("\n")));
            }
            if !lines.is_empty() {
                let entries = said.map_or_else(|| vec!["?".to_owned()], |stage| stage.entries.clone());
                self.stages.push(Stage { name: name.to_owned(), entries, lines });
            }
        }
        findings
    }

    fn to_text(&self) -> String {
        let mut out = format!("=== {}\n{}", self.head, self.text);
        for stage in &self.stages {
            out.push_str(&format!("--- {} ({})\n", stage.name, stage.entries.join(", ")));
            stage.lines.iter().for_each(|line| out.push_str(&format!("{line}\n")));
        }
        out
    }
}

impl Stage {
    pub fn entries(&self) -> Vec<String> {
        self.entries.clone()
    }
}

/// Content lines without their folds; nothing else is changed.
pub fn unfolded(octets: &[u8]) -> Vec<String> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in octets.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (line, lines.last_mut()) {
            ([b' ' | b'\t', rest @ ..], Some(last)) => last.extend_from_slice(rest),
            ([], _) => {}
            _ => lines.push(line.to_vec()),
        }
    }
    lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

/// What goes and what comes, in order: the least that makes one of the other.
pub fn difference(from: &[String], to: &[String]) -> Vec<String> {
    let same = from.iter().zip(to).take_while(|(one, other)| one == other).count();
    let (from, to) = (&from[same..], &to[same..]);
    let mut longest = vec![vec![0usize; to.len() + 1]; from.len() + 1];
    for i in (0..from.len()).rev() {
        for j in (0..to.len()).rev() {
            longest[i][j] = if from[i] == to[j] {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < from.len() || j < to.len() {
        if i < from.len() && j < to.len() && from[i] == to[j] {
            (i, j) = (i + 1, j + 1);
        } else if i < from.len() && (j == to.len() || longest[i + 1][j] >= longest[i][j + 1]) {
            out.push(visible(&format!("- {}", from[i])));
            i += 1;
        } else {
            out.push(visible(&format!("+ {}", to[j])));
            j += 1;
        }
    }
    out
}

/// Without what an editor would not show, or what is too long for anybody to read.
fn visible(line: &str) -> String {
    let line: String = line
        .chars()
        .map(|c| if c.is_control() { format!("⟦{:02X}⟧", u32::from(c)) } else { c.into() })
        .collect();
    match line.char_indices().nth(MOST_SHOWN) {
        Some((at, _)) => format!("{}… ({} octets)", &line[..at], line.len()),
        None => line,
    }
}

const MOST_SHOWN: usize = 400;
