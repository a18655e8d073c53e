//! Where PostgreSQL's programs are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// One installation of PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// The folder with `postgres` and `initdb`.
    pub folder: PathBuf,
    /// 15, 16, 17 ...
    pub major: u32,
}

impl Programs {
    /// The newest installation, or the one that a cluster of version `wanted` needs.
    ///
    /// Looked for in `configured`, else in `$KONTOR_PG_BIN`, else on `$PATH` and where the distributions put it.
    pub fn find(configured: Option<&Path>, wanted: Option<u32>) -> Result<Self> {
        let named =
            configured.map(Path::to_owned).or_else(|| std::env::var_os("KONTOR_PG_BIN").map(PathBuf::from));
        let mut found: Vec<Self> = match &named {
            Some(folder) => vec![Self::inspect(folder).with_context(|| {
                format!(
                    "there is no usable PostgreSQL in {} (KONTOR_PG_BIN or postgres.programs)",
                    folder.display()
                )
            })?],
            None => candidates().iter().filter_map(|folder| Self::inspect(folder).ok()).collect(),
        };
        found.retain(|programs| programs.major >= OLDEST);
        found.sort_by_key(|programs| std::cmp::Reverse(programs.major));
        found.dedup();
        match wanted {
            Some(major) => match found.iter().find(|programs| programs.major == major) {
                Some(programs) => Ok(programs.clone()),
                None => bail!(
                    "the data was made by PostgreSQL {major}, and of that version there are no programs here. \
                     Install it (Debian: apt install postgresql-{major}) or set KONTOR_PG_BIN to its bin folder."
                ),
            },
            None => match found.into_iter().next() {
                Some(programs) => Ok(programs),
                None => bail!(
                    "PostgreSQL {OLDEST} or newer is needed and was not found. Install it (Debian, Ubuntu: apt install \
                     postgresql; Fedora: dnf install postgresql-server), or set \
                     KONTOR_PG_BIN to the folder with `postgres` and `initdb`."
                ),
            },
        }
    }

    /// The path of one of the programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn inspect(folder: &Path) -> Result<Self> {
        // A link to `postgres` alone is common; `initdb` lives beside what it points to.
        let postgres = std::fs::canonicalize(folder.join("postgres"))?;
        let folder = postgres.parent().context("no folder")?.to_owned();
        if !folder.join("initdb").exists() {
            bail!("no initdb in {}", folder.display());
        }
        let output = Command::new(&postgres).arg("--version").output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let major = parse_major(&text).with_context(|| format!("unknown version: {text}"))?;
        Ok(Self { folder, major })
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    // Debian's and Ubuntu's; then those of the PostgreSQL project's RPMs.
    for (parent, below) in [("/usr/lib/postgresql", "bin"), ("/usr/pgsql", "bin")] {
        let Ok(entries) = std::fs::read_dir(parent) else { continue };
        folders.extend(entries.flatten().map(|entry| entry.path().join(below)));
    }
    folders.extend((OLDEST..30).map(|major| PathBuf::from(format!("/usr/pgsql-{major}/bin"))));
    folders.retain(|folder| folder.join("postgres").exists());
    folders
}

/// `postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)`
fn parse_major(text: &str) -> Option<u32> {
    let version = text.split_once("(PostgreSQL) ")?.1;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The oldest version that the schema is tested on.
const OLDEST: u32 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_major("mysqld 8"), None);
    }
}
