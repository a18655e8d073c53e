//! Clients of calendars and contacts, for tests: vdirsyncer with khal and khard on a computer of a person, curl, and the
//! Python with its libraries.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::appliance::{Account, Appliance};
use crate::process::output_of;
use crate::s3::virtual_environment;

/// Of one run of a client.
pub const LIMIT: Duration = Duration::from_secs(120);

/// A computer of a person: folders that vdirsyncer keeps equal to the server.
pub struct Computer {
    folder: tempfile::TempDir,
}

impl Computer {
    /// One that is set up for an account.
    pub fn new(appliance: &Appliance, account: &Account) -> Result<Self> {
        let computer = Self { folder: tempfile::tempdir()? };
        let root = computer.folder.path().display();
        let Account { address, password } = account;
        let url = format!("http://{}/", appliance.endpoints.http);
        let pair = |name: &str, kind: &str, extension: &str| {
            format!(
                "[pair {name}]\na = \"{name}_here\"\nb = \"{name}_there\"\ncollections = [\"from b\"]\n\
                 conflict_resolution = \"b wins\"\n\
                 [storage {name}_here]\ntype = \"filesystem\"\npath = \"{root}/{name}/\"\nfileext = \"{extension}\"\n\
                 [storage {name}_there]\ntype = \"{kind}\"\nurl = \"{url}\"\nusername = \"{address}\"\n\
                 password = \"{password}\"\n"
            )
        };
        let config = format!(
            "[general]\nstatus_path = \"{root}/status/\"\n{}{}",
            pair("cal", "caldav", ".ics"),
            pair("con", "carddav", ".vcf")
        );
        std::fs::write(computer.file("vdirsyncer"), config)?;
        let khal = format!(
            "[calendars]\n[[all]]\npath = {root}/cal/*\ntype = discover\n\
             [locale]\ntimeformat = %H:%M\ndateformat = %Y-%m-%d\nlongdateformat = %Y-%m-%d\n\
             datetimeformat = %Y-%m-%d %H:%M\nlongdatetimeformat = %Y-%m-%d %H:%M\n\
             [sqlite]\npath = {root}/khal.db\n"
        );
        std::fs::write(computer.file("khal"), khal)?;
        let khard =
            format!("[addressbooks]\n[[contacts]]\npath = {root}/con/contacts\n[general]\neditor = true\n");
        std::fs::write(computer.file("khard"), khard)?;
        Ok(computer)
    }

    /// A path below its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The one file in a folder.
    pub fn only_file(&self, folder: &str) -> Result<PathBuf> {
        let mut found = std::fs::read_dir(self.file(folder))?.filter_map(|entry| Some(entry.ok()?.path()));
        let found: Vec<PathBuf> = found.by_ref().filter(|path| path.is_file()).collect();
        ensure!(found.len() == 1, "{} files in {folder}", found.len());
        found.into_iter().next().context("a file")
    }

    /// vdirsyncer finds the collections.
    pub fn discover(&self) -> Result<String> {
        // It asks whether to make the folders here.
        self.run("sh", &["-c", "yes | head -n 50 | vdirsyncer -c \"$0\" discover", &self.path("vdirsyncer")])
    }

    /// vdirsyncer makes both sides equal.
    pub fn sync(&self) -> Result<String> {
        self.sync_with(&[])
    }

    /// The same with arguments.
    pub fn sync_with(&self, arguments: &[&str]) -> Result<String> {
        self.run("vdirsyncer", &[&["-c", &self.path("vdirsyncer"), "sync"], arguments].concat())
    }

    /// What khal says.
    pub fn khal(&self, arguments: &[&str]) -> Result<String> {
        self.run("khal", &[&["-c", &self.path("khal")], arguments].concat())
    }

    /// What khard says.
    pub fn khard(&self, arguments: &[&str]) -> Result<String> {
        self.run("khard", &[&["-c", &self.path("khard")], arguments].concat())
    }

    fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(program);
        command.args(arguments).env("HOME", self.folder.path()).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        let output = output_of(command, LIMIT)?;
        let all =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{program} {arguments:?}: {all}");
        Ok(all)
    }
}

/// curl as somebody.
pub struct Curl<'a> {
    /// Where.
    pub appliance: &'a Appliance,
    /// Who.
    pub account: &'a Account,
}

impl Curl<'_> {
    /// What comes back; curl says itself what goes wrong below HTTP.
    pub fn ask(&self, arguments: &[&str], path: &str) -> Result<String> {
        let mut command = Command::new("curl");
        command.args(["-sS", "-H", "Expect:", "-u"]);
        command.arg(format!("{}:{}", self.account.address, self.account.password));
        command.args(arguments).arg(format!("http://{}{path}", self.appliance.endpoints.http));
        stdout(&output_of(command, LIMIT)?)
    }
}

/// What a program printed.
///
/// # Errors
/// When it failed; with all that it said.
pub fn stdout(output: &Output) -> Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(text)
}

/// The Python with the libraries that the tests' setup installs.
pub fn python() -> Result<PathBuf> {
    let python = virtual_environment().join("bin/python");
    ensure!(python.exists(), "{} is missing; run e2e/setup.sh", python.display());
    Ok(python)
}

/// A header of an answer that has them (`curl -i`).
pub fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim)
}

/// What is between two texts.
pub fn between(text: &str, before: &str, after: &str) -> Option<String> {
    Some(text.split_once(before)?.1.split_once(after)?.0.to_owned())
}

/// A PROPFIND for these.
pub fn propfind(properties: &str) -> String {
    format!(
        "<d:propfind xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav' \
         xmlns:cs='http://calendarserver.org/ns/'><d:prop>{properties}</d:prop></d:propfind>"
    )
}
