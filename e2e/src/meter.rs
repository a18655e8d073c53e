//! What processes cost: processor time, bytes written, memory; read from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};

/// Counters of a set of process trees. Only differences mean something.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time in milliseconds, of the living and of the ended that were waited for.
    pub cpu_ms: f64,
    /// Bytes that the processes caused to be sent to storage (`write_bytes`).
    pub written: u64,
}

/// Counters of one disk. Only differences mean something; other processes write too.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk {
    /// Bytes written.
    pub written: u64,
    /// Cache flushes.
    pub flushes: u64,
}

struct Stat {
    parent: u32,
    cpu_ticks: u64,
}

/// `pids` and all that descend from them, as of now.
pub fn tree(pids: &[u32]) -> Vec<u32> {
    let all = stats();
    let mut found: Vec<u32> = pids.iter().copied().filter(|p| all.contains_key(p)).collect();
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        for (child, stat) in &all {
            if stat.parent == pid && !found.contains(child) {
                found.push(*child);
            }
        }
        next += 1;
    }
    found
}

/// The counters of the trees under `pids`.
pub fn usage(pids: &[u32]) -> Usage {
    let all = stats();
    let mut usage = Usage::default();
    for pid in tree(pids) {
        if let Some(stat) = all.get(&pid) {
            usage.cpu_ms += stat.cpu_ticks as f64 * TICK_MS;
        }
        usage.written += field(&format!("/proc/{pid}/io"), "write_bytes:").unwrap_or(0);
    }
    usage
}

/// The proportional memory of the trees under `pids` in KiB.
pub fn pss_kib(pids: &[u32]) -> u64 {
    tree(pids).iter().filter_map(|pid| field(&format!("/proc/{pid}/smaps_rollup"), "Pss:")).sum()
}

/// The counters of the disk that holds `path`.
pub fn disk(path: &Path) -> Result<Disk> {
    let device = fs::metadata(path).with_context(|| path.display().to_string())?.dev();
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
    for line in fs::read_to_string("/proc/diskstats")?.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |i: usize| words.get(i).and_then(|w| w.parse::<u64>().ok());
        if number(0) == Some(major) && number(1) == Some(minor) {
            return Ok(Disk { written: number(9).unwrap_or(0) * 512, flushes: number(18).unwrap_or(0) });
        }
    }
    // An overlay or a tmpfs has no row.
    Ok(Disk::default())
}

fn stats() -> HashMap<u32, Stat> {
    let mut all = HashMap::new();
    let Ok(entries) = fs::read_dir("/proc") else { return all };
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let Ok(text) = fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(stat) = parse_stat(&text) {
            all.insert(pid, stat);
        }
    }
    all
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name may hold spaces and parentheses: what follows the last one is plain.
    let rest = text.get(text.rfind(')')? + 2..)?;
    let words: Vec<&str> = rest.split(' ').collect();
    let number = |field: usize| words.get(field - 3).and_then(|w| w.trim().parse::<u64>().ok());
    Some(Stat {
        parent: u32::try_from(number(4)?).ok()?,
        cpu_ticks: number(14)? + number(15)? + number(16)? + number(17)?,
    })
}

fn field(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|l| l.starts_with(name))?;
    line.get(name.len()..)?.split_whitespace().next()?.parse().ok()
}

/// Linux counts in hundredths of a second on every platform that we run on.
const TICK_MS: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse_the_fields() {
        let text = "7 (a) b (c) S 3 7 7 0 -1 4194560 1 2 3 4 50 60 70 80 20 0 1 0 5";
        let stat = parse_stat(text).expect("well-formed");
        assert_eq!((stat.parent, stat.cpu_ticks), (3, 260));
    }

    #[test]
    fn this_process_is_in_its_own_tree_and_uses_memory() {
        let me = std::process::id();
        assert!(tree(&[me]).contains(&me));
        assert!(pss_kib(&[me]) > 100);
    }
}
