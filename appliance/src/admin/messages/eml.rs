//! Folders of one file a message: `*.eml`, and Maildir (`cur`, `new`) with its flags in the names.

use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bytes::Bytes;

use super::{ANSWERED, DELETED, DRAFT, FLAGGED, FORWARDED, Loaded, SEEN, with_crlf};

/// One file, not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmlFile {
    /// Where it is.
    pub path: PathBuf,
    /// The folders between it and where the search began.
    pub folder: Vec<String>,
    flags: u64,
}

impl EmlFile {
    /// Reads it. When it came is the file's own time.
    pub fn load(&self, largest: u64) -> io::Result<Loaded> {
        let found = std::fs::metadata(&self.path)?;
        if found.len() > largest {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} octets are more than {largest}", found.len()),
            ));
        }
        let modified = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let received_at = modified.and_then(|at| i64::try_from(at.as_secs()).ok());
        let raw = with_crlf(std::fs::read(&self.path)?);
        Ok(Loaded { raw: Bytes::from(raw), flags: self.flags, received_at })
    }
}

/// The messages below a folder, in the order of their names, or the one file that `path` is.
pub fn eml_files(path: &Path) -> io::Result<Vec<EmlFile>> {
    if path.is_file() {
        return Ok(vec![EmlFile { path: path.to_owned(), folder: Vec::new(), flags: 0 }]);
    }
    let mut files = Vec::new();
    walk(path, &mut Vec::new(), &mut files)?;
    Ok(files)
}

fn walk(path: &Path, folder: &mut Vec<String>, files: &mut Vec<EmlFile>) -> io::Result<()> {
    if folder.len() > DEEPEST {
        return Err(io::Error::other(format!("{} is nested too deeply", path.display())));
    }
    let mut entries: Vec<_> = std::fs::read_dir(path)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (kind, name) = (entry.file_type()?, entry.file_name().to_string_lossy().into_owned());
        if kind.is_dir() {
            match name.as_str() {
                // Parts of a Maildir, not folders of it.
                "cur" | "new" => maildir(&entry.path(), folder, name == "cur", files)?,
                "tmp" => {}
                _ => {
                    // Maildir++ names subfolders `.Parent.Child`.
                    let depth = folder.len();
                    match name.strip_prefix('.') {
                        Some(dotted) => folder.extend(dotted.split('.').map(str::to_owned)),
                        None => folder.push(name),
                    }
                    walk(&entry.path(), folder, files)?;
                    folder.truncate(depth);
                }
            }
        } else if kind.is_file()
            && Path::new(&name).extension().is_some_and(|ext| ext.eq_ignore_ascii_case("eml"))
        {
            files.push(EmlFile { path: entry.path(), folder: folder.clone(), flags: SEEN });
        }
    }
    Ok(())
}

fn maildir(path: &Path, folder: &[String], seen: bool, files: &mut Vec<EmlFile>) -> io::Result<()> {
    let mut entries: Vec<_> = std::fs::read_dir(path)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && !name.starts_with('.') {
            let flags = if seen { maildir_flags(&name) } else { 0 };
            files.push(EmlFile { path: entry.path(), folder: folder.to_vec(), flags });
        }
    }
    Ok(())
}

/// `1700000000.M1P2.host,S=123:2,FRS`
fn maildir_flags(name: &str) -> u64 {
    let letters = name.rsplit_once(":2,").map_or("", |(_, letters)| letters);
    letters.bytes().fold(0, |flags, letter| {
        flags
            | match letter {
                b'S' => SEEN,
                b'R' => ANSWERED,
                b'F' => FLAGGED,
                b'T' => DELETED,
                b'D' => DRAFT,
                b'P' => FORWARDED,
                _ => 0,
            }
    })
}

const DEEPEST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_maildirs() {
        let root = tempfile::tempdir().expect("folder");
        let write = |name: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("below")).expect("made");
            std::fs::write(path, "Subject: x\n\nbody\n").expect("written");
        };
        for name in [
            "a.eml",
            "notes.txt",
            "Work/b.EML",
            "cur/1.x:2,FS",
            "new/2.x",
            "tmp/3.x",
            ".Old.2001/cur/4.x:2,R",
        ] {
            write(name);
        }
        let found = eml_files(root.path()).expect("read");
        let seen: Vec<_> = found.iter().map(|file| (file.folder.join("/"), file.flags)).collect();
        let expected = [("Old/2001", ANSWERED), ("Work", SEEN), ("", SEEN), ("", FLAGGED | SEEN), ("", 0)];
        assert_eq!(seen, expected.map(|(folder, flags)| (folder.to_owned(), flags)));
        assert_eq!(found[0].load(100).expect("read").raw, "Subject: x\r\n\r\nbody\r\n");
        assert!(found[0].load(10).is_err());
    }
}
