//! A desktop program that we did not write, Thunderbird, plans a meeting with another one.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use kontor_e2e::appliance::Appliance;
use kontor_e2e::dav::{python, stdout};
use kontor_e2e::process::output_of;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thunderbirds_make_answer_move_and_call_off_a_meeting() -> Result<()> {
    let appliance = Appliance::start().await?;
    let (anna, ben) = (appliance.add_mailbox("anna").await?, appliance.add_mailbox("ben").await?);
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("thunderbird.py");
    std::fs::write(&script, include_str!("desktop/thunderbird.py"))?;
    let mut command = Command::new(python()?);
    command.arg(&script).arg(folder.path().join("profiles"));
    command.arg(format!("http://{}", appliance.endpoints.http));
    command.args([&anna.address, &anna.password, &ben.address, &ben.password]);
    let said = stdout(&output_of(command, LIMIT)?)?;
    ensure!(said.trim().ends_with("done"), "{said}");
    Ok(())
}

/// Two programs start, and each step waits for the other's next look.
const LIMIT: Duration = Duration::from_secs(420);
