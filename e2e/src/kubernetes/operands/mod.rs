//! Images of what Kontor stands on, for tests: PostgreSQL from this machine's packages and an S3 server from Cargo's
//! registry. They keep to the environment that the upstream images read.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::image::Image;
use super::programs::{cache, made_once, run_build};

/// PostgreSQL as the upstream image `postgres` is used: `POSTGRES_USER`, `POSTGRES_DB`, `POSTGRES_PASSWORD_FILE`,
/// `PGDATA`. It must not run as root.
pub fn postgres(reference: &str) -> Result<Image> {
    let bin = crate::postgres::programs()?;
    let version = bin.parent().context("programs are in PREFIX/bin")?;
    let share = Path::new("/usr/share/postgresql").join(version.file_name().context("a version")?);
    let mut image = Image::with_users(reference);
    // initdb and the server want to know their user's name, whoever runs them.
    let users: String = [("postgres", 999), ("postgres70", 70), ("postgres26", 26), ("kontor", 65532)]
        .iter()
        .map(|(name, id)| format!("{name}:x:{id}:{id}::/:/bin/sh\n"))
        .collect();
    image.bytes("/etc/passwd", users.as_bytes(), 0o644);
    image.user("999:999");
    image.program(Path::new("/bin/sh"), "/bin/sh")?;
    let programs = bin.display().to_string();
    for name in ["postgres", "initdb", "pg_isready", "psql"] {
        image.program(&bin.join(name), &format!("{programs}/{name}"))?;
    }
    // The just-in-time compiler would bring 100 MB, other languages a whole installation each.
    let heavy = ["bitcode", "llvmjit", "plperl", "plpython", "pltcl", "_plperl", "_plpython", "pgxs"];
    let wanted = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        !heavy.iter().any(|heavy| name.contains(heavy))
    };
    let lib = version.join("lib");
    image.tree(&lib, &lib.display().to_string(), &wanted)?;
    for module in std::fs::read_dir(&lib)?.flatten().map(|entry| entry.path()).filter(|path| wanted(path)) {
        if module.extension().is_some_and(|extension| extension == "so") {
            image.program(&module, &module.display().to_string())?;
        }
    }
    image.tree(&share, &share.display().to_string(), &|path| !path.ends_with("man"))?;
    for zone in ["UTC", "GMT", "Etc/UTC"] {
        let path = Path::new("/usr/share/zoneinfo").join(zone);
        if path.is_file() {
            image.copy(&path, &path.display().to_string());
        }
    }
    image.folder("/var/run/postgresql", 0o1777);
    image.folder("/var/lib/postgresql/data", 0o1777);
    image.program(Path::new("/usr/bin/flock"), "/bin/flock")?;
    image.bytes("/bin/docker-entrypoint.sh", include_bytes!("postgres-entrypoint.sh"), 0o755);
    image.env("PATH", &format!("{programs}:/bin"));
    image.env("PGDATA", "/var/lib/postgresql/data");
    image.entrypoint(&["docker-entrypoint.sh"]);
    // As upstream: by SIGTERM it would wait for its clients to go.
    image.stop_signal("SIGINT");
    Ok(image)
}

/// An S3 server: `S3_ACCESS_KEY_FILE`, `S3_SECRET_KEY_FILE`, port 3900, data at `/data`.
pub fn object_store(reference: &str) -> Result<Image> {
    let mut image = Image::with_users(reference);
    image.program(Path::new("/bin/sh"), "/bin/sh")?;
    image.program(&s3_server()?, "/s3s-fs")?;
    image.folder("/data", 0o1777);
    image.bytes("/entrypoint.sh", include_bytes!("s3-entrypoint.sh"), 0o755);
    image.env("PATH", "/bin");
    image.entrypoint(&["/entrypoint.sh"]);
    // It hears no other, being the first process.
    image.stop_signal("SIGKILL");
    Ok(image)
}

/// Builds it once; the result is kept outside of the tree.
fn s3_server() -> Result<PathBuf> {
    let target = cache()?.join(format!("s3s-fs-{S3S_FS}"));
    made_once(&target, |folder| {
        let mut command = Command::new("cargo");
        command.args([
            "install",
            "--locked",
            "s3s-fs",
            "--version",
            S3S_FS,
            "--features",
            "binary",
            "--root",
        ]);
        command.arg(folder).env_remove("CARGO_TARGET_DIR").current_dir("/");
        run_build(&format!("s3s-fs {S3S_FS} (once; about four minutes)"), command)
    })?;
    Ok(target.join("bin/s3s-fs"))
}

/// The last version for Rust 1.95.
const S3S_FS: &str = "0.14.1";
