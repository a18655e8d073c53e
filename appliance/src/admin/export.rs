//! `kontor export`

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use kontor_storage_client::Session;
use kontor_storage_client::proto::{FetchItem, FetchRequest, ReadBodyRequest};
use serde_json::json;

use super::import::{bar, paths};
use super::messages::write_message;
use super::{Admin, Reach};

/// Take mail out: one mbox file, or a folder of EML files.
///
/// EML files hold each message octet for octet, and carry the time at which it came. An mbox file has all folders of
/// the mailbox, one after another, with LF line ends and `From ` lines quoted (mboxrd).
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  kontor export ann.mbox --mailbox ann@example.org
  kontor export ann/ --mailbox ann@example.org --format eml
  kontor export sent.mbox --mailbox ann@example.org --folder Sent
  kontor export - --mailbox ann@example.org | zstd > ann.mbox.zst")]
pub struct ExportArgs {
    /// The file to write (`-`: standard output), or the folder for EML files. It must not exist.
    path: PathBuf,
    /// Whose mail.
    #[arg(long, value_name = "ADDRESS")]
    mailbox: String,
    /// Only this folder, without those below.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<String>,
    /// How to write it.
    #[arg(long, value_enum, default_value = "mbox")]
    format: Format,
}

/// Forms of mail in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// All in one file.
    Mbox,
    /// One file a message.
    Eml,
}

/// Runs it.
pub async fn run(reach: Reach, args: ExportArgs) -> Result<()> {
    let admin = Admin::connect(&reach).await?;
    let to_stdout = args.format == Format::Mbox && args.path.as_os_str() == "-";
    if !to_stdout && args.path.exists() {
        bail!("{} is there already; name a new one", args.path.display());
    }
    admin.account(&args.mailbox).await?;
    let session = admin.store.impersonate(&args.mailbox).await?;
    let open = session.open("").await?;
    let mut chosen: Vec<(Vec<String>, u64, u32)> = {
        let paths = paths(&open.folders);
        let all = open.folders.iter().map(|folder| {
            (paths.get(&folder.folder_id).cloned().unwrap_or_default(), folder.folder_id, folder.total)
        });
        all.collect()
    };
    chosen.sort();
    if let Some(wanted) = &args.folder {
        chosen.retain(|(path, ..)| {
            let path = path.join("/");
            path == *wanted || path.eq_ignore_ascii_case("INBOX") && wanted.eq_ignore_ascii_case("INBOX")
        });
        if chosen.is_empty() {
            bail!("there is no folder {wanted} in {}", args.mailbox);
        }
    }
    let total: u64 = chosen.iter().map(|(.., total)| u64::from(*total)).sum();
    let bar = bar(total, "{bar:30} {pos}/{len} messages  {msg}")?;
    let mut target = Target::open(&args, to_stdout)?;
    let (mut count, mut octets) = (0_u64, 0_u64);
    for (path, folder_id, total) in &chosen {
        if *total == 0 {
            continue;
        }
        bar.set_message(path.join("/"));
        let source = Source { session: &session, mailbox_id: open.mailbox_id, folder_id: *folder_id };
        let uids = session.skeleton(open.mailbox_id, *folder_id, 0).await?.uids;
        for uids in uids.chunks(PAGE) {
            let request = FetchRequest {
                mailbox_id: open.mailbox_id,
                folder_id: *folder_id,
                uid_ranges: uids.iter().flat_map(|uid| [*uid, *uid]).collect(),
                body: true,
                max_body: INLINE,
                ..Default::default()
            };
            let mut stream = session.fetch(request).await?;
            while let Some(chunk) = stream.next().await? {
                for item in chunk.items {
                    let raw = source.body(&item).await?;
                    target.write(path, &item, &raw)?;
                    count += 1;
                    octets += raw.len() as u64;
                    bar.inc(1);
                }
            }
        }
    }
    target.finish()?;
    bar.finish_and_clear();
    let object = json!({"messages": count, "octets": octets, "path": args.path});
    if to_stdout {
        eprintln!("{count} messages ({octets} octets) were written.");
    } else {
        admin.done(
            format_args!("{count} messages ({octets} octets) are in {}.", args.path.display()),
            &object,
        );
    }
    Ok(())
}

struct Source<'a> {
    session: &'a Session,
    mailbox_id: u64,
    folder_id: u64,
}

impl Source<'_> {
    /// The whole message; a large one comes in pieces.
    async fn body(&self, item: &FetchItem) -> Result<Vec<u8>> {
        if let Some(body) = &item.body {
            return Ok(body.to_vec());
        }
        let request = ReadBodyRequest {
            mailbox_id: self.mailbox_id,
            folder_id: self.folder_id,
            uid: item.uid,
            offset: 0,
            length: 0,
        };
        let mut stream = self.session.read_body(request).await?;
        let mut raw = Vec::new();
        while let Some(piece) = stream.next().await? {
            raw.extend_from_slice(&piece);
        }
        Ok(raw)
    }
}

enum Target {
    Mbox(Box<dyn Write>),
    Eml(PathBuf),
}

impl Target {
    fn open(args: &ExportArgs, to_stdout: bool) -> Result<Self> {
        let unwritable = || format!("cannot write {}", args.path.display());
        Ok(match args.format {
            Format::Mbox if to_stdout => Self::Mbox(Box::new(BufWriter::new(std::io::stdout()))),
            Format::Mbox => {
                let file = File::create_new(&args.path).with_context(unwritable)?;
                Self::Mbox(Box::new(BufWriter::with_capacity(1 << 18, file)))
            }
            Format::Eml => {
                std::fs::create_dir_all(&args.path).with_context(unwritable)?;
                Self::Eml(args.path.clone())
            }
        })
    }

    fn write(&mut self, folder: &[String], item: &FetchItem, raw: &[u8]) -> Result<()> {
        match self {
            Self::Mbox(out) => write_message(out, "", item.internal_date, raw).context("cannot write")?,
            Self::Eml(root) => {
                let mut path = root.clone();
                path.extend(folder.iter().map(|name| file_name(name)));
                std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
                write_file(&path.join(format!("{:010}.eml", item.uid)), item.internal_date, raw)?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Mbox(mut out) => out.flush().context("cannot write"),
            Self::Eml(_) => Ok(()),
        }
    }
}

fn write_file(path: &Path, received_at: i64, raw: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = File::create_new(path)?;
        file.write_all(raw)?;
        let at = Duration::from_secs(received_at.max(0).unsigned_abs());
        file.set_modified(SystemTime::UNIX_EPOCH + at)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// A folder's name as one component of a path.
fn file_name(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect();
    match plain.as_str() {
        "" | "." | ".." => format!("_{plain}"),
        _ => plain,
    }
}

const PAGE: usize = 100;
/// Bodies up to this size come with the list.
const INLINE: u64 = 256 << 10;
