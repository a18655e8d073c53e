//! `kontor up` and the commands that administer it, as a person runs them. Needs PostgreSQL's programs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

struct Server {
    child: Child,
    data: PathBuf,
    ready: Value,
}

impl Server {
    fn start(data: &Path) -> Self {
        let ready_file = data.with_extension("ready");
        let _ = std::fs::remove_file(&ready_file);
        let mut child = kontor(&["up", "--data"])
            .arg(data)
            .arg("--ready-file")
            .arg(&ready_file)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("kontor starts");
        let deadline = Instant::now() + Duration::from_secs(180);
        let text = loop {
            match std::fs::read_to_string(&ready_file) {
                Ok(text) => break text,
                Err(_) if Instant::now() < deadline => {
                    assert!(child.try_wait().expect("a child").is_none(), "kontor up ended");
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(error) => panic!("not ready in time: {error}"),
            }
        };
        Self { child, data: data.to_owned(), ready: serde_json::from_str(&text).expect("JSON") }
    }

    fn run(&self, words: &[&str]) -> Output {
        kontor(words).arg("--data").arg(&self.data).output().expect("kontor runs")
    }

    /// A command that succeeds; its standard output.
    fn ok(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "kontor {words:?}: {said}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// A command that fails; its standard error.
    fn fails(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(!output.status.success(), "kontor {words:?} went well");
        String::from_utf8(output.stderr).expect("text")
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[words, &["--json"]].concat())).expect("JSON")
    }

    fn signal(&mut self, signal: Signal) -> std::process::ExitStatus {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        kill(pid, signal).expect("it runs");
        self.child.wait().expect("a child")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kontor(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kontor"));
    command.args(words).env("KONTOR_LOG", "error").env_remove("KONTOR_DATA").env_remove("KONTOR_STORE");
    command
}

fn postmaster(data: &Path) -> i32 {
    let text = std::fs::read_to_string(data.join("postgres/postmaster.pid")).expect("a running server");
    text.lines().next().and_then(|line| line.trim().parse().ok()).expect("a pid")
}

fn ends(pid: i32) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if kill(Pid::from_raw(pid), None).is_err() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

#[test]
fn a_life_of_a_server() {
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("data");
    let mut server = Server::start(&data);
    let me = server.ready["account"]["address"].as_str().expect("an address").to_owned();
    for endpoint in ["smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s", "metrics"]
    {
        let address = server.ready["endpoints"][endpoint].as_str().expect(endpoint);
        std::net::TcpStream::connect(address).expect(endpoint);
    }

    // The directory.
    let made =
        server.json(&["mailbox", "add", "ann@kontor.test", "--display-name", "Ann", "--quota", "10MiB"]);
    assert!(made["password"].as_str().is_some_and(|password| password.len() > 15));
    assert!(server.fails(&["mailbox", "add", "ann@kontor.test"]).contains("exists already"));
    assert!(server.fails(&["mailbox", "add", "bob@other.test"]).contains("kontor domain add other.test"));
    server.ok(&["alias", "add", "info@kontor.test", "ann@kontor.test"]);
    server.ok(&["mailbox", "set", "ann@kontor.test", "--locked", "true"]);
    let ann = server.json(&["mailbox", "show", "ann@kontor.test"]);
    assert_eq!((&ann["quota"], &ann["locked"]), (&Value::from(10 << 20), &Value::from(true)));
    assert_eq!(ann["aliases"], serde_json::json!(["info@kontor.test"]));
    server.ok(&["group", "add", "all@kontor.test", "--member", "ann@kontor.test"]);
    server.ok(&["group", "add-member", "all@kontor.test", &me]);
    assert_eq!(server.json(&["group", "list"])[0]["members"].as_array().map(Vec::len), Some(2));
    let secret = server.json(&["app-password", "add", &me, "--label", "phone"]);
    assert!(secret["password"].is_string());
    assert_eq!(server.json(&["app-password", "list", &me])[0]["label"], "phone");
    assert_eq!(server.json(&["queue", "list"]), serde_json::json!([]));
    assert!(server.fails(&["tenant", "remove", "default"]).contains("--yes"));
    assert!(server.fails(&["tenant", "remove", "default", "--yes"]).contains("delete them first"));

    // Mail in and out of files.
    let mbox = folder.path().join("in.mbox");
    let text = "From a@x Thu Jan  1 00:00:10 2026\nSubject: one\n\n>From here\n\nFrom b@x Thu Jan  1 00:00:20 2026\nSubject: two\n\nbody\n\n";
    std::fs::write(&mbox, text).expect("written");
    let mbox = mbox.to_string_lossy().into_owned();
    let imported = server.json(&["import", &mbox, "--mailbox", &me, "--folder", "Old/2026"]);
    assert_eq!(imported["messages"], 2);
    let out = folder.path().join("out.mbox").to_string_lossy().into_owned();
    server.ok(&["export", &out, "--mailbox", &me, "--folder", "Old/2026"]);
    let exported = std::fs::read_to_string(&out).expect("there");
    assert_eq!(
        exported,
        text.replace("From a@x", "From MAILER-DAEMON").replace("From b@x", "From MAILER-DAEMON")
    );
    assert!(server.fails(&["export", &out, "--mailbox", &me]).contains("is there already"));
    assert_eq!(server.json(&["check"])["messages"], 2);

    // One server for a folder.
    let second = kontor(&["up", "--data"]).arg(&data).output().expect("runs");
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("uses"), "{second:?}");

    // A clean end, with everything that was started.
    let database = postmaster(&data);
    assert!(server.signal(Signal::SIGINT).success());
    assert!(ends(database));
    assert!(!data.with_extension("ready").exists() && !data.join("admin.sock").exists());
    assert!(server.fails(&["mailbox", "list"]).contains("kontor up --data"));

    // The same data, then killed: the database does not stay behind.
    let mut server = Server::start(&data);
    assert_eq!(server.ready["account"]["address"], me.as_str());
    let database = postmaster(&data);
    server.signal(Signal::SIGKILL);
    assert!(ends(database));

    // And again; the database that is killed comes back by itself.
    let server = Server::start(&data);
    kill(Pid::from_raw(postmaster(&data)), Signal::SIGKILL).expect("it runs");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !server.run(&["check"]).status.success() {
        assert!(Instant::now() < deadline, "the database does not come back");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn configurations_are_checked() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("kontor.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).expect("written");
        let output = kontor(&["config", "check"]).arg(&file).output().expect("runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(check("hostname = 'mail.example.org'").0);
    let (good, said) = check("[listen]\nimsp = '0.0.0.0:143'");
    assert!(!good && said.contains("unknown key `imsp`, did you mean `imap`?"), "{said}");
    let (good, said) = check("[[tls.certificates]]\ncertificate = '/nowhere.pem'\nkey = '/nowhere.key'");
    assert!(!good && said.contains("/nowhere.pem"), "{said}");
}
