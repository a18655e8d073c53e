//! `kubectl kontor`: how an installation is, what the next reconcile would change, and a polite way to take pods away.
//!
//! It is a plugin of kubectl: a program called `kubectl-kontor` on the `PATH`. It speaks with the API server and with
//! nothing else, with the rights of whoever calls it. It changes nothing, except for `drain`.

mod cli;
mod cluster;
mod diff;
mod drain;
mod exposition;
mod installation;
mod manifest;
mod status;
mod style;
mod table;
mod template;

use clap::Parser;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    style::choose(cli.color);
    kontor_process::tls::install_default_provider();
    let outcome = match &cli.command {
        cli::Command::Status(arguments) => status::run(&cli.place, arguments).await,
        cli::Command::Diff(arguments) => diff::run(&cli.place, arguments).await,
        cli::Command::Drain(arguments) => drain::run(&cli.place, arguments).await,
        cli::Command::Template(arguments) => template::run(&cli.place, arguments),
    };
    match outcome {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("kubectl-kontor: {}", words(&error));
            ExitCode::from(2)
        }
    }
}

/// An error and its causes, each in a few words: an answer of the API server is its message.
fn words(error: &anyhow::Error) -> String {
    let mut words = Vec::new();
    for cause in error.chain() {
        if let Some(kube::Error::Api(status)) = cause.downcast_ref() {
            words.push(status.message.clone());
            break;
        }
        words.push(cause.to_string());
    }
    words.join(": ")
}

/// What a command found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well; there is no difference; all is done. Exit code 0.
    Fine,
    /// Something is not well; there are differences; time ran out. Exit code 1.
    Remarkable,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Fine => Self::SUCCESS,
            Outcome::Remarkable => Self::from(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    #[test]
    fn what_the_api_server_says_is_said_once() {
        let status = Status { message: "pods is forbidden".into(), code: 403, ..Status::default() };
        let error = anyhow::Error::from(kube::Error::Api(Box::new(status))).context("cannot list pods");
        assert_eq!(words(&error), "cannot list pods: pods is forbidden");
    }
}
