//! Kontor on a real Kubernetes, from `helm install` to what an administrator sees when something is wrong.
//!
//! One cluster and one installation for all; tests take turns, because most of them break something.

#[path = "kubernetes/autoscaling.rs"]
mod autoscaling;
#[path = "kubernetes/calendars.rs"]
mod calendars;
#[path = "kubernetes/deletion.rs"]
mod deletion;
#[path = "kubernetes/failover.rs"]
mod failover;
#[path = "kubernetes/faults.rs"]
mod faults;
#[path = "kubernetes/ingress.rs"]
mod ingress;
#[path = "kubernetes/mail.rs"]
mod mail;
#[path = "kubernetes/many.rs"]
mod many;
#[path = "kubernetes/reconcile.rs"]
mod reconcile;
#[path = "kubernetes/storage.rs"]
mod storage;
#[path = "kubernetes/upgrade.rs"]
mod upgrade;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use kontor_e2e::kubernetes::installation::{Installation, operator, trial};
use kontor_e2e::kubernetes::session::Session;
use tokio::sync::{Mutex, MutexGuard};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kontor-e2e");

/// The installation of the trial example, `groupware/trial`, and the turn to do with it what one likes. `None` when there
/// cannot be pods; that the test `name` is skipped has then been said.
async fn installation(name: &str) -> Result<Option<(Installation<'static>, Turn)>> {
    static TURN: Mutex<Attempt> = Mutex::const_new(Attempt::None);
    let mut attempt = TURN.lock().await;
    let session = Session::shared(PROGRAM, "test-installation", 2)?;
    if !session.has_pods(name) {
        return Ok(None);
    }
    let installation = Installation::new(session, "groupware", "trial");
    match *attempt {
        Attempt::None => {
            *attempt = Attempt::Failed;
            install(&installation).await?;
            *attempt = Attempt::Installed;
        }
        // Another attempt would only take as long again, and hide what the first one said.
        Attempt::Failed => bail!("there is no installation; the first test that tried says why"),
        Attempt::Installed => {}
    }
    println!("==== {name}");
    let turn = Turn { name: name.to_owned(), start: Instant::now(), _attempt: attempt };
    Ok(Some((installation, turn)))
}

/// What has been tried so far.
enum Attempt {
    None,
    Failed,
    Installed,
}

async fn install(installation: &Installation<'_>) -> Result<()> {
    let start = Instant::now();
    installation.session.volumes("trial", 4, "1Gi").await?;
    operator(installation.session)?;
    println!("{:6.1} s  helm install", start.elapsed().as_secs_f64());
    let applied = Instant::now();
    installation.session.apply(&trial()?.yaml())?;
    installation.wait_ready("gwd,tn,md,mbx", READY_LIMIT)?;
    println!(
        "{:6.1} s  GroupwareDeployment, Tenant, MailDomain and two Mailboxes are Ready",
        applied.elapsed().as_secs_f64()
    );
    Ok(())
}

/// A test's turn; says how long it took.
struct Turn {
    name: String,
    start: Instant,
    _attempt: MutexGuard<'static, Attempt>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        println!("{:6.1} s  {}", self.start.elapsed().as_secs_f64(), self.name);
    }
}

const READY_LIMIT: Duration = Duration::from_secs(300);
const ANNA: (&str, &str) = ("anna@example.org", "correct-horse-battery");
const BERT: (&str, &str) = ("bert@example.org", "staple-lake-umbrella");
