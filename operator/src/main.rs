//! The operator's process.

use anyhow::Context as _;
use clap::Parser;
use futures::StreamExt;
use kontor_operator::apis::Apis;
use kontor_operator::children::Children;
use kontor_operator::cli::Arguments;
use kontor_operator::context::{Census, Wake};
use kontor_operator::events::Events;
use kontor_operator::external_metrics::{self, Registration};
use kontor_operator::lease::Lease;
use kontor_operator::observe::Observer;
use kontor_operator::storage::StorageAccess;
use kontor_operator::{Context, Scope, deployment, directory};
use kontor_process::logging::{self, LogConfig};
use kontor_process::{Drain, Health, drain, monitor, tls};
use kube::Client;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use std::process::ExitCode;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A task that dies must not leave a process behind that looks alive and does nothing.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        report(info);
        std::process::abort();
    }));
    let run = || -> anyhow::Result<()> {
        logging::init(&LogConfig { filter: arguments.log.clone(), ..LogConfig::default() })?;
        tls::install_default_provider();
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(arguments))
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kontor-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let identity = arguments.identity.clone().unwrap_or_else(anonymous);
    let client = Client::try_default().await.context("cannot find the API server")?;
    let (drain, health) = (Drain::new(), Health::default());
    health.set("watches", false);
    monitor::serve(arguments.monitor, health.clone(), drain.clone())
        .with_context(|| format!("cannot serve metrics and health on {}", arguments.monitor))?;
    let scope = match &arguments.watch_namespace {
        Some(namespace) => Scope::Namespace(namespace.clone()),
        None => Scope::Cluster,
    };
    // Every task is in here; the first one that ends ends the process.
    let mut tasks = tokio::task::JoinSet::new();
    let (apis, looking) =
        Apis::discover(client.clone()).await.context("cannot see the APIs of the cluster")?;
    tasks.spawn(until_end("discovery", looking));
    let (wake, woken) = Wake::new();
    let children = Children::new(wake.clone());
    tasks.spawn({
        let watching = children.clone().watch(client.clone(), scope.clone(), apis.clone());
        until_end("the watch of what was made", watching)
    });
    let (deployments, writer) = reflector::store();
    tasks.spawn({
        let watched = watcher(scope.api(client.clone()), watcher::Config::default()).default_backoff();
        let mut events = reflector(writer, watched).boxed();
        async move {
            while let Some(event) = events.next().await {
                if let Err(error) = event {
                    tracing::warn!(%error, "watching GroupwareDeployments");
                }
            }
            anyhow::bail!("the watch of GroupwareDeployments ended")
        }
    });
    let (observer, observing) = Observer::new(client.clone(), &scope, wake.clone());
    tasks.spawn(until_end("the watch of pods", observing));
    let context = Arc::new(Context {
        events: Events::new(client.clone(), &identity),
        storage: StorageAccess::new(client.clone()),
        census: Census::new(wake),
        client: client.clone(),
        scope,
        apis,
        deployments,
        children,
        observer,
    });
    if !arguments.service.is_empty() {
        let registration =
            Registration { namespace: arguments.namespace.clone(), service: arguments.service.clone() };
        tasks.spawn(external_metrics::serve(context.clone(), arguments.external_metrics, registration));
    }
    let lease = Arc::new(Lease::new(client, &arguments.namespace, &arguments.lease, &identity));
    tasks.spawn({
        let lease = lease.clone();
        async move {
            // Ready also while another one leads: it can take over, and it serves metrics.
            context.known().await?;
            health.set("watches", true);
            lead(context, lease, woken).await
        }
    });
    tokio::select! {
        Some(first) = tasks.join_next() => first.context("a task died")?,
        signal = drain::stop_requested() => {
            tracing::info!(signal, "stopping");
            drain.begin();
            tasks.shutdown().await;
            lease.release().await;
            Ok(())
        }
    }
}

/// Waits for the lease, runs the controllers, and ends when the lease or one of them does.
async fn lead(
    context: Arc<Context>,
    lease: Arc<Lease>,
    woken: tokio::sync::mpsc::UnboundedReceiver<
        reflector::ObjectRef<kontor_crds::groupware_deployment::GroupwareDeployment>,
    >,
) -> anyhow::Result<()> {
    metrics::gauge!("kontor_operator_leader").set(0.0);
    lease.acquire().await;
    tracing::info!("leading");
    metrics::gauge!("kontor_operator_leader").set(1.0);
    tokio::select! {
        lost = lease.hold() => Err(lost.into()),
        ended = deployment::run(context.clone(), woken) => ended,
        ended = directory::run(context.clone()) => ended,
    }
}

/// A task that should not end.
async fn until_end(what: &'static str, task: impl Future<Output = ()>) -> anyhow::Result<()> {
    task.await;
    anyhow::bail!("{what} ended")
}

/// A name for a process outside a pod, another one each time.
fn anonymous() -> String {
    format!(
        "{}-{:08x}",
        std::env::var("HOSTNAME").unwrap_or_else(|_| "operator".to_owned()),
        rand::random::<u32>()
    )
}
