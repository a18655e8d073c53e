//! `kontor-e2e`: runs a Kubernetes for tests, and makes container images without a registry or a daemon.
//!
//! ```text
//! kontor-e2e cluster up --nodes 2      # prints how to use it, stays until Ctrl-C and leaves nothing
//! kontor-e2e cluster down              # takes down what a killed one left
//! kontor-e2e image program --binary target/release/kontor-gateway --tag dev --out gateway.tar
//! kontor-e2e cluster load gateway.tar  # brings an image to every node
//! ```

mod pod;

use std::io::{BufRead, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use kontor_e2e::kubernetes::image::{Image, Size};
use kontor_e2e::kubernetes::session::{Answer, Info, load};
use kontor_e2e::kubernetes::{Cluster, Options, down, network, operands, running};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Parser)]
#[command(version, about = "A Kubernetes for tests, and container images from programs")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts and stops a cluster.
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Makes container images.
    #[command(subcommand)]
    Image(ImageCommand),
    /// What the tests run inside of pods.
    #[command(subcommand, hide = true)]
    Pod(pod::Command),
}

#[derive(Debug, Subcommand)]
enum ClusterCommand {
    /// Start a cluster and stay until Ctrl-C.
    Up {
        #[command(flatten)]
        which: Which,
        /// How many nodes, where there can be nodes: that takes root and containerd.
        #[arg(long, default_value_t = 1)]
        nodes: usize,
        /// Take commands from the standard input, and end with it.
        #[arg(long, hide = true)]
        supervised: bool,
    },
    /// Take a cluster down, also when the process that ran it was killed.
    Down(Which),
    /// Bring images from docker-archives to every node.
    Load {
        #[command(flatten)]
        which: Which,
        /// The archives.
        #[arg(required = true)]
        archives: Vec<PathBuf>,
    },
    /// Make a Service reachable on loopback until Ctrl-C.
    Forward {
        #[command(flatten)]
        which: Which,
        /// NAMESPACE/SERVICE:PORT
        service: String,
        /// The port on loopback; 0 takes a free one.
        #[arg(long, default_value_t = 0)]
        local: u16,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// Tells clusters on one machine apart.
    #[arg(long, default_value = "default")]
    name: String,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    /// From one program: its shared libraries and nothing else it does not need, run as user 65532.
    Program {
        /// The program.
        #[arg(long)]
        binary: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// PostgreSQL, from this machine's packages, for tests.
    Postgres(Output),
    /// An S3 server, for tests.
    ObjectStore(Output),
}

#[derive(Debug, Args)]
struct Output {
    /// The name without a tag; `localhost/` and the program's name by default.
    #[arg(long)]
    name: Option<String>,
    /// The tag.
    #[arg(long, default_value = "dev")]
    tag: String,
    /// The docker-archive to write.
    #[arg(long)]
    out: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Cluster(ClusterCommand::Up { which, nodes, supervised }) => {
            up(&Options { name: which.name, nodes }, supervised).await
        }
        Command::Cluster(ClusterCommand::Down(which)) => down(&which.name),
        Command::Cluster(ClusterCommand::Load { which, archives }) => {
            let info = running(&which.name)?;
            archives.iter().try_for_each(|archive| load(&info, archive))
        }
        Command::Cluster(ClusterCommand::Forward { which, service, local }) => {
            forward(&running(&which.name)?, &service, local).await
        }
        Command::Image(command) => {
            println!("{}", image(command)?);
            Ok(())
        }
        Command::Pod(command) => pod::run(command).await,
    }
}

async fn up(options: &Options, supervised: bool) -> Result<()> {
    // From the first moment, so that a Ctrl-C while it starts leaves nothing either.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let start = std::time::Instant::now();
    let mut cluster = tokio::select! {
        cluster = Cluster::up(options) => cluster?,
        _ = interrupt.recv() => return down_after_interrupt(&options.name),
        _ = terminate.recv() => return down_after_interrupt(&options.name),
    };
    let info = cluster.info()?;
    eprintln!("cluster {}: up in {:.1} s", cluster.name(), start.elapsed().as_secs_f64());
    let mut commands = if supervised {
        println!("{}", serde_json::to_string(&info)?);
        std::io::stdout().flush()?;
        lines_of_input()
    } else {
        explain(&cluster, &info)?;
        tokio::sync::mpsc::channel(1).1
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            line = commands.recv(), if supervised => {
                let Some(line) = line else { break };
                let error = obey(&mut cluster, &line).await.err().map(|error| format!("{error:#}"));
                println!("{}", serde_json::to_string(&Answer { error })?);
                std::io::stdout().flush()?;
            }
        }
    }
    let start = std::time::Instant::now();
    let name = cluster.name().to_owned();
    cluster.down()?;
    eprintln!("cluster {name}: down in {:.1} s, nothing left", start.elapsed().as_secs_f64());
    Ok(())
}

fn down_after_interrupt(name: &str) -> Result<()> {
    // The future that started it is gone, and the lock with it.
    down(name)
}

async fn obey(cluster: &mut Cluster, line: &str) -> Result<()> {
    let (command, what) = line.split_once(' ').context("a command has an object")?;
    match command {
        "kill-node" => cluster.kill_node(what),
        "start-node" => cluster.start_node(what).await,
        "kill" => {
            cluster.component(what)?.kill();
            Ok(())
        }
        "start" => cluster.component(what)?.start(),
        _ => anyhow::bail!("unknown command {command:?}"),
    }
}

/// A thread of its own reads: a read of the standard input cannot be given up.
fn lines_of_input() -> tokio::sync::mpsc::Receiver<String> {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn explain(cluster: &Cluster, info: &Info) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if let Some(why) = cluster.missing() {
        writeln!(out, "# No nodes, so no pods: {why}.")?;
    }
    writeln!(out, "# Programs from {}; logs in {}", info.origin, cluster.logs().display())?;
    writeln!(out, "export KUBECONFIG={}", info.kubeconfig.display())?;
    if let Some(programs) = &info.programs {
        writeln!(out, "export PATH={}:$PATH    # kubectl, helm", programs.display())?;
    }
    if let Some(namespace) = info.namespaces.first() {
        writeln!(
            out,
            "# Addresses of Services and pods, with DNS at {}:",
            network::Network::node_address(0)
        )?;
        writeln!(out, "#   nsenter --net={} curl http://ADDRESS/", namespace.display())?;
        writeln!(out, "#   kontor-e2e cluster forward --name {} NAMESPACE/SERVICE:PORT", cluster.name())?;
        writeln!(out, "# Images: kontor-e2e cluster load --name {} ARCHIVE", cluster.name())?;
    }
    writeln!(out, "# Ctrl-C takes it down.")?;
    out.flush()?;
    Ok(())
}

async fn forward(info: &Info, service: &str, local: u16) -> Result<()> {
    use k8s_openapi::api::core::v1::Service;
    let (namespace, rest) = service.split_once('/').context("NAMESPACE/SERVICE:PORT")?;
    let (service, port) = rest.split_once(':').context("NAMESPACE/SERVICE:PORT")?;
    let client = kontor_e2e::kubernetes::client(&info.kubeconfig).await?;
    let service = kube::Api::<Service>::namespaced(client, namespace).get(service).await?;
    let address = service.spec.and_then(|spec| spec.cluster_ip).context("it has no address")?;
    let inside = info.namespaces.first().context("no nodes")?;
    let at = network::forward(Some(inside), format!("{address}:{port}").parse()?, local).await?;
    println!("{at}");
    tokio::signal::ctrl_c().await?;
    Ok(())
}

fn image(command: ImageCommand) -> Result<Size> {
    let reference = |output: &Output, name: &str| {
        format!("{}:{}", output.name.clone().unwrap_or_else(|| format!("localhost/{name}")), output.tag)
    };
    match command {
        ImageCommand::Program { binary, output } => {
            ensure!(binary.is_file(), "{} is not there", binary.display());
            let name = binary.file_name().and_then(|name| name.to_str()).context("a program has a name")?;
            Image::of_program(&reference(&output, name), &binary)?.write(&output.out)
        }
        ImageCommand::Postgres(output) => {
            operands::postgres(&reference(&output, "postgres"))?.write(&output.out)
        }
        ImageCommand::ObjectStore(output) => {
            operands::object_store(&reference(&output, "s3"))?.write(&output.out)
        }
    }
}
