//! The command line.

use crate::cluster::Place;
use crate::style::Color;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Looks after installations of Kontor.
#[derive(Debug, Parser)]
#[command(name = "kubectl kontor", bin_name = "kubectl kontor", version, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub place: Place,

    /// Colours.
    #[arg(long, value_enum, default_value_t, global = true)]
    pub color: Color,

    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what is up, what is wrong, and what to do about it.
    #[command(after_help = STATUS_EXAMPLES)]
    Status(Status),
    /// Show what the operator would change: by a file, or the next time that it looks.
    ///
    /// The desired objects are built as the operator builds them, and the API server says what each would become (a
    /// server-side apply as a dry run). Nothing is changed. Takes the right to patch these objects; what is in Secrets is
    /// never printed.
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(Diff),
    /// Take pods out of service politely, and watch their clients leave.
    ///
    /// Each pod is evicted, which disruption budgets may refuse for a while: then it is asked again. It takes no new
    /// clients then, says goodbye to the ones it has, in the words of their protocol, and another pod takes its place.
    /// The pods of a pool go one after another.
    #[command(after_help = DRAIN_EXAMPLES)]
    Drain(Drain),
    /// Print the objects that the operator would make of a file. Needs no cluster.
    ///
    /// Passwords and certificates are made by the operator and are printed as placeholders.
    #[command(after_help = TEMPLATE_EXAMPLES)]
    Template(Template),
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// `kubectl kontor status`
#[derive(Args, Debug)]
pub struct Status {
    /// Which GroupwareDeployment. Default: all in the namespace.
    pub name: Option<String>,
    /// In all namespaces.
    #[arg(short = 'A', long, conflicts_with = "name")]
    pub all_namespaces: bool,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// `kubectl kontor diff`
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["name", "file"]))]
pub struct Diff {
    /// The GroupwareDeployment as it is in the cluster.
    pub name: Option<String>,
    /// The GroupwareDeployments in this file; `-` for standard input.
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// `kubectl kontor drain`
#[derive(Args, Debug)]
pub struct Drain {
    /// A gateway pool, `storage-node`, or a pod.
    pub what: String,
    /// The GroupwareDeployment. Default: the only one in the namespace.
    #[arg(long, value_name = "NAME")]
    pub deployment: Option<String>,
    /// How long it may take in all, such as 90s, 15m or 2h.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration)]
    pub timeout: Duration,
    /// Only say what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// How to print it; json is one object a line, as things happen.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// `kubectl kontor template`
#[derive(Args, Debug)]
pub struct Template {
    /// The GroupwareDeployments in this file; `-` for standard input. Other kinds in it are passed over.
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// How to print it; table means YAML here.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
    /// Optional APIs that the cluster has.
    #[arg(long, value_name = "API", value_delimiter = ',', value_enum)]
    pub apis: Vec<crate::template::Api>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("a time is wanted, such as 90s, 15m or 2h".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "a time is wanted, such as 90s, 15m or 2h".to_owned())?;
    Ok(Duration::from_secs(number.saturating_mul(factor)))
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all is well; no difference; all drained
  1  something is not well; there are differences; not drained in time
  2  it could not be found out or done: no cluster, no permission, a wrong file or command line";

const STATUS_EXAMPLES: &str = "\
Examples:
  kubectl kontor status                       all installations in the namespace
  kubectl kontor status trial -n groupware    one
  kubectl kontor status -A -o json | jq '.[] | select(.ready | not) | .problems'

Connections are read from the pods by way of the API server, which takes the right to get pods/proxy.
Exit codes: 0 all is well, 1 something is not, 2 it could not be found out.";

const DIFF_EXAMPLES: &str = "\
Examples:
  kubectl kontor diff -f groupware.yaml       what would follow from applying this file
  kubectl kontor diff trial                   what the operator has yet to do, or to put right

Exit codes: 0 no difference, 1 differences, 2 it could not be found out.";

const DRAIN_EXAMPLES: &str = "\
Examples:
  kubectl kontor drain imap                   every pod of the pool imap, one after another
  kubectl kontor drain trial-imap-5d8f-x2x9q  this pod
  kubectl kontor drain imap --timeout 2h

Exit codes: 0 drained, 1 not in time (what was begun goes on), 2 it could not be done.";

const TEMPLATE_EXAMPLES: &str = "\
Examples:
  kubectl kontor template -f groupware.yaml
  kubectl kontor template -f groupware.yaml --apis certificate,service-monitor -o json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        assert!(duration("soon").is_err() && duration("1d").is_err() && duration("m").is_err());
    }
}
