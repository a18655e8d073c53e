//! A report for people.

use super::problems::is_bad;
use super::{PoolReport, Report};
use crate::style::{bad, bold, doubtful, faint, good};
use crate::table::Table;
use std::fmt::Write;

/// The text of a report.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write(report, &mut out);
    out
}

fn write(report: &Report, out: &mut String) -> std::fmt::Result {
    let state = if report.ready { good("ready") } else { bad("not ready") };
    writeln!(out, "{}  {state}", bold(&format!("{}/{}", report.namespace, report.name)))?;
    let version = &report.version;
    let mut words = vec![format!("version {}", version.current.as_deref().unwrap_or("none yet"))];
    if version.target.is_some() && version.target != version.current {
        words.push(format!("on its way to {}", version.target.as_deref().unwrap_or_default()));
    }
    words.extend(version.operator.as_ref().map(|operator| format!("operator {operator}")));
    writeln!(out, "  {}", words.join(", "))?;
    let directory = &report.directory;
    let count = |count: Option<i64>, one: &str, more: &str| match count {
        Some(1) => format!("1 {one}"),
        Some(count) => format!("{count} {more}"),
        None => format!("? {more}"),
    };
    let mut words = vec![
        count(directory.tenants, "tenant", "tenants"),
        count(directory.mailboxes, "mailbox", "mailboxes"),
    ];
    words.extend(directory.pending.filter(|n| *n > 0).map(|n| doubtful(&format!("{n} pending"))));
    words.extend(directory.failed.filter(|n| *n > 0).map(|n| bad(&format!("{n} failed"))));
    writeln!(out, "  {}", words.join(", "))?;

    let mut table = Table::new("  ", &["POOL", "PROTOCOLS", "READY", "CONNECTIONS", "RESTARTS"]);
    for pool in &report.pools {
        let ready = match pool.wanted {
            Some(wanted) => {
                format!("{}/{}", pool.ready, wanted.max(i32::try_from(pool.pods).unwrap_or(i32::MAX)))
            }
            None => format!("{}/{}", pool.ready, pool.pods),
        };
        table.row([
            pool.name.clone(),
            pool.protocols.join(","),
            ready,
            connections(pool),
            pool.restarts.to_string(),
        ]);
    }
    write!(out, "\n{table}")?;

    if !report.endpoints.is_empty() {
        let mut table = Table::new("  ", &["SERVES", "HOST", "PORT"]);
        for endpoint in &report.endpoints {
            table.row([endpoint.protocol.clone(), endpoint.host.clone(), endpoint.port.to_string()]);
        }
        write!(out, "\n{table}")?;
    }

    if !report.conditions.is_empty() {
        let mut table = Table::new("  ", &["CONDITION", "STATUS", "REASON"]);
        for condition in &report.conditions {
            let mark = if is_bad(condition) { " !" } else { "" };
            table.row([
                condition.type_.clone(),
                format!("{}{mark}", condition.status),
                condition.reason.clone(),
            ]);
        }
        write!(out, "\n{table}")?;
    }

    if !report.problems.is_empty() {
        writeln!(out, "\n  {}", bold("What is wrong, and what to do"))?;
        for problem in &report.problems {
            writeln!(out, "  {} {}: {}", bad("!"), problem.about, problem.what)?;
            writeln!(out, "    {} {}", faint("->"), problem.advice)?;
        }
    }
    Ok(())
}

fn connections(pool: &PoolReport) -> String {
    let mut words: Vec<_> = match pool.connections.len() {
        // A pod that nobody has come to yet counts nothing.
        0 if pool.ready > pool.unasked && !pool.protocols.is_empty() => vec!["0".to_owned()],
        1 => pool.connections.values().map(ToString::to_string).collect(),
        _ => pool.connections.iter().map(|(protocol, open)| format!("{protocol} {open}")).collect(),
    };
    // A storage node has no clients to count; only gateways are missed.
    if pool.unasked > 0 && !pool.protocols.is_empty() {
        words.push(format!("{} of its pods could not be asked", pool.unasked));
    }
    words.join(", ")
}
