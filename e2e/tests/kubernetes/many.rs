//! Two thousand Mailboxes at once.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use kontor_crds::Mailbox;
use kontor_e2e::kubernetes::installation::OPERATOR_NAMESPACE;
use kontor_e2e::process::eventually;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};

use crate::faults::mailbox;
use crate::installation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_mailboxes_become_ready_together() -> Result<()> {
    let Some((installation, _turn)) = installation("two_thousand_mailboxes_become_ready_together").await?
    else {
        return Ok(());
    };
    let api: Api<Mailbox> = Api::namespaced(installation.session.client().await?, &installation.namespace);
    let ours = ListParams::default().labels("e2e.kontor.dev/many=yes");
    let mut each = Vec::new();
    for (from, to) in [(0, 500), (500, COUNT)] {
        let start = Instant::now();
        let workers: Vec<_> = (0..8)
            .map(|worker| {
                let (api, namespace) = (api.clone(), installation.namespace.clone());
                tokio::spawn(async move {
                    for number in (from..to).filter(|number| number % 8 == worker) {
                        let name = format!("many-{number}");
                        let mut many = mailbox(&namespace, &name, &format!("{name}@example.org"), None);
                        many["metadata"]["labels"] = serde_json::json!({"e2e.kontor.dev/many": "yes"});
                        api.patch(&name, &PatchParams::apply("kontor-e2e"), &Patch::Apply(&many)).await?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for worker in workers {
            worker.await??;
        }
        let applied = start.elapsed();
        eventually(&format!("{to} mailboxes are ready"), Duration::from_secs(600), async || {
            let ready = api.list(&ours).await?.iter().filter(|mailbox| is_ready(mailbox)).count();
            Ok((ready >= to).then_some(()))
        })
        .await?;
        let taken = start.elapsed().as_secs_f64();
        let per_second = (to - from) as f64 / taken;
        each.push(per_second);
        println!(
            "{taken:6.1} s  mailboxes {from} to {to} are Ready ({per_second:.0} a second; applied in {:.1} s)",
            applied.as_secs_f64()
        );
    }
    for (pod, kib) in operators(&installation)? {
        println!("          {pod}: {} MiB resident", kib / 1024);
        ensure!(kib < 150 * 1024, "{pod} holds {} MiB", kib / 1024);
    }
    let start = Instant::now();
    api.delete_collection(&DeleteParams::default(), &ours).await?;
    eventually("they are gone again", Duration::from_secs(600), async || {
        Ok(api.list(&ours).await?.items.is_empty().then_some(()))
    })
    .await?;
    println!("{:6.1} s  they are gone again", start.elapsed().as_secs_f64());
    Ok(())
}

fn is_ready(mailbox: &Mailbox) -> bool {
    let conditions = mailbox.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The operator's processes on this machine, with the KiB that they hold.
fn operators(
    installation: &kontor_e2e::kubernetes::installation::Installation<'_>,
) -> Result<Vec<(String, u64)>> {
    let path = "jsonpath={range .items[*]}{.metadata.uid} {.metadata.name}\n{end}";
    let pods = installation.session.kubectl(&["-n", OPERATOR_NAMESPACE, "get", "pods", "-o", path])?;
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc")?.flatten() {
        let read = |name: &str| std::fs::read_to_string(process.path().join(name)).unwrap_or_default();
        if !read("cmdline").starts_with("/kontor-operator") {
            continue;
        }
        let groups = read("cgroup");
        let Some(pod) = pods.lines().find_map(|line| {
            let (uid, name) = line.split_once(' ')?;
            groups.contains(uid).then(|| name.to_owned())
        }) else {
            continue;
        };
        let kib = read("status")
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok());
        found.push((pod, kib.unwrap_or_default()));
    }
    ensure!(!found.is_empty(), "no operator runs");
    Ok(found)
}

const COUNT: usize = 2000;
