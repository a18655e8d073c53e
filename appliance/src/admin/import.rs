//! `kontor import`

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use kontor_storage_client::proto::{CreateFolderRequest, Folder, OpenResponse};
use kontor_storage_client::{Place, PreparedMessage, Session, StoreError};
use serde_json::json;

use super::messages::{EmlFile, Loaded, MboxReader, eml_files};
use super::{Admin, Reach};

/// Bring mail in: an mbox file, an EML file, or a folder of EML files or Maildirs.
///
/// Folders below become folders of the mailbox. Flags are taken from `Status` and `X-Status` fields (mbox) and from
/// Maildir names; when a message came, from the separator (mbox) or the file's time. Running it twice brings it in
/// twice.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  kontor import old.mbox --mailbox ann@example.org
  kontor import old.mbox --mailbox ann@example.org --folder Archive/2019
  kontor import ~/Maildir --mailbox ann@example.org
  kontor import saved-mail/ --mailbox ann@example.org --folder Saved --dry-run")]
pub struct ImportArgs {
    /// The file or folder.
    path: PathBuf,
    /// The mailbox that takes it.
    #[arg(long, value_name = "ADDRESS")]
    mailbox: String,
    /// The folder that takes it; it is made when it is not there.
    #[arg(long, value_name = "FOLDER", default_value = "INBOX")]
    folder: String,
    /// Read everything and bring nothing in.
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
pub async fn run(reach: Reach, args: ImportArgs) -> Result<()> {
    let admin = Admin::connect(&reach).await?;
    let source = Source::open(&args.path)?;
    admin.account(&args.mailbox).await?;
    let session = admin.store.impersonate(&args.mailbox).await?;
    let open = session.open("").await?;
    let largest = session.info().max_message_size.max(1 << 20);
    let into: Vec<String> =
        args.folder.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let mut folders = Folders::new(session.clone(), &open);
    let mut batch =
        Batch { session, open, dry_run: args.dry_run, folder_id: 0, messages: Vec::new(), octets: 0 };
    let (mut count, mut octets, mut failed) = (0_u64, 0_u64, 0_u64);
    match source {
        Source::Mbox(path) => {
            let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let bar = bar(file.metadata()?.len(), "{bar:30} {bytes}/{total_bytes}  {msg}")?;
            let folder = folders.make(&into, args.dry_run).await?;
            let mut reader = MboxReader::new(BufReader::with_capacity(1 << 18, bar.wrap_read(file)), largest);
            while let Some(message) = reader
                .next_message()
                .with_context(|| format!("{} is damaged after {count} messages", path.display()))?
            {
                count += 1;
                octets += message.raw.len() as u64;
                batch.add(folder, message).await?;
                bar.set_message(format!("{count} messages"));
            }
            bar.finish_and_clear();
        }
        Source::Files(files) => {
            let bar = bar(files.len() as u64, "{bar:30} {pos}/{len} messages  {msg}")?;
            for file in &files {
                let path: Vec<String> = into.iter().chain(&file.folder).cloned().collect();
                match file.load(largest) {
                    Ok(message) => {
                        let folder = folders.make(&path, args.dry_run).await?;
                        count += 1;
                        octets += message.raw.len() as u64;
                        batch.add(folder, message).await?;
                    }
                    Err(error) => {
                        failed += 1;
                        bar.suspend(|| eprintln!("kontor: {}: {error}", file.path.display()));
                    }
                }
                bar.inc(1);
            }
            bar.finish_and_clear();
        }
    }
    batch.flush().await?;
    let verb = if args.dry_run { "would be brought" } else { "were brought" };
    let rest = if failed > 0 { format!("; {failed} could not be read") } else { String::new() };
    admin.done(
        format_args!(
            "{count} messages ({octets} octets) {verb} into {} of {}{rest}.",
            args.folder, args.mailbox
        ),
        &json!({"messages": count, "octets": octets, "failed": failed, "dry_run": args.dry_run}),
    );
    if failed > 0 { bail!("not everything could be read; see above") } else { Ok(()) }
}

enum Source {
    Mbox(PathBuf),
    Files(Vec<EmlFile>),
}

impl Source {
    fn open(path: &Path) -> Result<Self> {
        let unreadable = || format!("cannot read {}", path.display());
        let found = std::fs::metadata(path).with_context(unreadable)?;
        if found.is_file() {
            let mut start = [0; 5];
            let read = std::io::Read::read(&mut File::open(path).with_context(unreadable)?, &mut start)?;
            let is_eml = path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("eml"));
            if is_eml && start.get(..read) != Some(b"From ".as_slice()) {
                return Ok(Self::Files(eml_files(path)?));
            }
            return Ok(Self::Mbox(path.to_owned()));
        }
        let files = eml_files(path).with_context(unreadable)?;
        if files.is_empty() {
            bail!(
                "there is no message below {}: *.eml files and Maildirs (cur, new) are looked for",
                path.display()
            );
        }
        Ok(Self::Files(files))
    }
}

/// Folders by path, made when they are wanted.
struct Folders {
    session: Session,
    mailbox_id: u64,
    ids: HashMap<Vec<String>, u64>,
}

impl Folders {
    fn new(session: Session, open: &OpenResponse) -> Self {
        let ids = paths(&open.folders).into_iter().map(|(id, path)| (key(&path), id)).collect();
        Self { session, mailbox_id: open.mailbox_id, ids }
    }

    async fn make(&mut self, path: &[String], dry_run: bool) -> Result<u64> {
        if let Some(id) = self.ids.get(&key(path)) {
            return Ok(*id);
        }
        if dry_run {
            return Ok(0);
        }
        let mut parent_id = 0;
        for depth in 1..=path.len() {
            let upto = path.get(..depth).unwrap_or(path);
            if let Some(id) = self.ids.get(&key(upto)) {
                parent_id = *id;
                continue;
            }
            let name = upto.last().cloned().unwrap_or_default();
            let request = CreateFolderRequest {
                mailbox_id: self.mailbox_id,
                parent_id,
                name,
                container_class: "IPF.Note".to_owned(),
                ..Default::default()
            };
            let made = self
                .session
                .create_folder(request)
                .await
                .with_context(|| format!("cannot make the folder {}", upto.join("/")))?;
            parent_id = made.folder_id;
            self.ids.insert(key(upto), made.folder_id);
        }
        Ok(parent_id)
    }
}

/// The path of each folder by its id.
pub fn paths(folders: &[Folder]) -> HashMap<u64, Vec<String>> {
    let by_id: HashMap<u64, &Folder> = folders.iter().map(|folder| (folder.folder_id, folder)).collect();
    let mut paths = HashMap::new();
    for folder in folders {
        let (mut path, mut at) = (Vec::new(), Some(folder));
        while let Some(folder) = at {
            path.push(folder.name.clone());
            // A circle cannot be; a bound costs nothing.
            at = by_id.get(&folder.parent_id).copied().filter(|_| path.len() < 64);
        }
        path.reverse();
        paths.insert(folder.folder_id, path);
    }
    paths
}

/// INBOX is written in any case.
fn key(path: &[String]) -> Vec<String> {
    let mut path = path.to_vec();
    if let Some(first) = path.first_mut()
        && first.eq_ignore_ascii_case("INBOX")
    {
        *first = "INBOX".to_owned();
    }
    path
}

/// Messages for one folder, stored together.
struct Batch {
    session: Session,
    open: OpenResponse,
    dry_run: bool,
    folder_id: u64,
    messages: Vec<(PreparedMessage, u64, Vec<String>, Option<i64>)>,
    octets: usize,
}

impl Batch {
    async fn add(&mut self, folder_id: u64, message: Loaded) -> Result<()> {
        if self.dry_run {
            return Ok(());
        }
        if folder_id != self.folder_id {
            self.flush().await?;
            self.folder_id = folder_id;
        }
        self.octets += message.raw.len();
        let prepared = PreparedMessage::prepare(message.raw).await;
        self.messages.push((prepared, message.flags, Vec::new(), message.received_at));
        if self.messages.len() >= BATCH || self.octets >= BATCH_OCTETS {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        if self.messages.is_empty() {
            return Ok(());
        }
        let messages = std::mem::take(&mut self.messages);
        self.octets = 0;
        let place = Place {
            mailbox_id: self.open.mailbox_id,
            tenant_id: self.open.tenant_id,
            folder_id: self.folder_id,
            hierarchy_cn: 0,
        };
        match self.session.append(place, &messages).await {
            Ok(_) => Ok(()),
            Err(StoreError::OverQuota) => bail!(
                "the mailbox is full; what came before is in it. Give it more room with `kontor mailbox set {} --quota SIZE`",
                self.open.address
            ),
            Err(error) => Err(error).context("cannot store messages; what came before is stored"),
        }
    }
}

/// A progress bar on standard error; nothing where nobody watches.
pub fn bar(length: u64, template: &str) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template(template).context("a bar's template")?;
    Ok(ProgressBar::new(length).with_style(style))
}

const BATCH: usize = 50;
const BATCH_OCTETS: usize = 2 << 20;
