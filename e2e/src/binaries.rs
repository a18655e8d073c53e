//! Where the programs under test are.

use std::path::PathBuf;

use anyhow::{Result, bail};

/// The program `name` of this workspace: in the folder of `KONTOR_BIN_DIR` when that is set, else beside the
/// running test, else in `CARGO_TARGET_DIR` or `target`, release before debug.
pub fn find(name: &str) -> Result<PathBuf> {
    let mut looked = Vec::new();
    for folder in folders() {
        let path = folder.join(name);
        if path.is_file() {
            return Ok(path);
        }
        looked.push(path.display().to_string());
    }
    bail!("{name} is not built; looked for {}. Build it with `cargo build --bins`", looked.join(", "))
}

fn folders() -> Vec<PathBuf> {
    if let Some(folder) = std::env::var_os("KONTOR_BIN_DIR") {
        return vec![folder.into()];
    }
    let mut folders = Vec::new();
    if let Ok(exe) = std::env::current_exe() {
        // target/debug/deps/some_test-0123 and target/release/kontor-bench.
        folders.extend(exe.ancestors().skip(1).take(2).map(PathBuf::from));
    }
    let target = target_folder();
    folders.push(target.join("release"));
    folders.push(target.join("debug"));
    folders
}

/// Cargo's target folder: `CARGO_TARGET_DIR`, else `target` in the workspace.
pub fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}
