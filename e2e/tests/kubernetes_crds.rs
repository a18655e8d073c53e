//! The definitions and every accept and reject case of `crds/tests/cases`, before a real API server.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use kontor_e2e::binaries::workspace;
use kontor_e2e::kubernetes::session::Session;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kontor-e2e");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_server_accepts_and_rejects_what_the_rules_say() -> Result<()> {
    let session = Session::start(PROGRAM, "test-crds", 1)?;
    let definitions = workspace().join("crds/yaml").display().to_string();
    session.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &definitions])?;
    session.kubectl(&["wait", "--for=condition=Established", "-f", &definitions, "--timeout=60s"])?;
    let namespace = session.namespace("cases").await?;
    let (mut accepted, mut rejected) = (0, 0);
    for kind in std::fs::read_dir(workspace().join("crds/tests/cases"))? {
        for case in std::fs::read_dir(kind?.path())? {
            let path = case?.path();
            let outcome = check(&session, &namespace, &path);
            outcome.with_context(|| path.display().to_string())?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            *(if name.starts_with("accept-") { &mut accepted } else { &mut rejected }) += 1;
        }
    }
    println!("{accepted} cases accepted, {rejected} rejected with the message of their rule");
    ensure!(accepted >= 20 && rejected >= 30, "cases are missing");
    session.down()
}

fn check(session: &Session, namespace: &str, path: &Path) -> Result<()> {
    let text = std::fs::read_to_string(path)?;
    let documents: Vec<&str> = text.split("\n---\n").collect();
    let new = documents.last().context("an empty case")?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("case.yaml").display().to_string();
    // What is there before has to be there: a rule about changes is not asked otherwise.
    let before = documents.len() > 1;
    if before {
        std::fs::write(&file, documents[0])?;
        session.kubectl(&["-n", namespace, "create", "-f", &file])?;
    }
    std::fs::write(&file, new)?;
    let verb = if before { "replace" } else { "create" };
    let outcome = session.kubectl(&["-n", namespace, verb, "--dry-run=server", "-f", &file]);
    if before {
        session.kubectl(&["-n", namespace, "delete", "-f", &file, "--wait=true"])?;
    }
    let Some(says) = text.lines().find_map(|line| line.strip_prefix("# says: ")) else {
        return outcome.map(drop);
    };
    match outcome {
        Ok(_) => anyhow::bail!("it is accepted"),
        Err(error) => {
            ensure!(format!("{error:#}").contains(says), "rejected for another reason: {error:#}");
            Ok(())
        }
    }
}
