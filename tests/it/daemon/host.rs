//! One scratch machine: directories, a configuration, a clock, and a daemon that can be started,
//! stopped and killed.

use super::ready::{Ready, appears, ended};
use heptad::api::client::Client;
use heptad::api::wire::{
    Fate, Operation, OperationsQuery, Snapshot, SnapshotState, SnapshotsQuery,
};
use heptad::host::clock::Simulated;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const HEPTAD: &str = env!("CARGO_BIN_EXE_heptad");
pub const HEPTACTL: &str = env!("CARGO_BIN_EXE_heptactl");

/// Nothing here takes seconds; this is for a machine that is very busy.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A program that ran to its end.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub struct Host {
    dir: TempDir,
    now: Timestamp,
    child: Option<Child>,
    /// Hears what the daemon tells its service manager.
    manager: Option<Ready>,
    client: Client,
}

impl Host {
    /// A machine whose clock shows `now`; its daemon is off.
    pub fn new(now: &str) -> Self {
        Self::at_socket(now, "sock")
    }

    /// One whose daemon will be found at another socket in the scratch directory.
    pub fn at_socket(now: &str, socket: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("heptad-e2e-").tempdir_in("/var/tmp").unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let now = now.parse().unwrap();
        Simulated::set(&dir.path().join("clock"), now).unwrap();
        let client = Client::new(dir.path().join(socket)).unwrap();
        Self { dir, now, child: None, manager: None, client }
    }

    /// The same with a configuration and a running daemon.
    pub fn with(now: &str, config: &str) -> Self {
        let mut host = Self::new(now);
        host.configure(config);
        host.start();
        host
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Makes a directory with one file that says `text`.
    pub fn tree(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("file"), text).unwrap();
        path
    }

    /// Writes the configuration: `text` after the places of socket and state; `ROOT` is the scratch
    /// directory.
    pub fn configure(&self, text: &str) {
        let daemon = "[daemon]\nsocket = \"ROOT/sock\"\nstate = \"ROOT/state\"\n";
        self.configure_whole(&format!("{daemon}{text}"));
    }

    pub fn configure_whole(&self, text: &str) {
        let text = text.replace("ROOT", &self.dir.path().to_string_lossy());
        std::fs::write(self.path("heptad.toml"), text).unwrap();
    }

    pub fn daemon(&self) -> Command {
        let mut command = Command::new(HEPTAD);
        command.env_clear().stdin(Stdio::null());
        command.arg("run").arg("--config").arg(self.path("heptad.toml"));
        command.arg("--simulated-clock").arg(self.path("clock"));
        command
    }

    pub fn start(&mut self) {
        self.start_as(self.daemon());
    }

    /// Starts and waits until the daemon says that it is ready.
    pub fn start_as(&mut self, mut command: Command) {
        let ready = Ready::listen(&self.path("notify"));
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        let child = command.env("NOTIFY_SOCKET", self.path("notify")).stderr(log).spawn().unwrap();
        self.child = Some(child);
        self.manager = Some(ready);
        self.says("READY=1");
    }

    /// Waits until the daemon tells its service manager this.
    pub fn says(&self, word: &str) {
        let manager = self.manager.as_ref().expect("it was started");
        assert!(manager.wait(self.pid(), word, TIMEOUT), "it did not say {word}");
    }

    pub fn ended_within(&self, timeout: Duration) -> bool {
        ended(self.pid(), timeout)
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("it runs"))
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Waits until the log beyond `from` holds `text`.
    pub fn logged(&self, from: usize, text: &str) {
        appears(&self.path("log"), TIMEOUT, || self.log()[from..].contains(text));
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// The power goes, as far as the daemon is concerned.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait_end();
    }

    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = self.wait_end();
        assert_eq!(status.code(), Some(0));
    }

    pub fn wait_end(&mut self) -> ExitStatus {
        assert!(self.ended_within(TIMEOUT), "it does not end");
        self.child.take().expect("it ran").wait().unwrap()
    }

    /// Lets time pass until the clock shows `to`.
    pub fn clock(&mut self, to: &str) {
        let to: Timestamp = to.parse().unwrap();
        Simulated::advance(&self.path("clock"), to.duration_since(self.now)).unwrap();
        self.now = to;
    }

    /// Sets the wall clock, as a person or a time server does: no time passes.
    pub fn set_wall(&mut self, to: &str) {
        self.now = to.parse().unwrap();
        Simulated::set(&self.path("clock"), self.now).unwrap();
    }

    /// Lets time pass while the machine sleeps.
    pub fn sleep(&mut self, to: &str) {
        let to: Timestamp = to.parse().unwrap();
        Simulated::sleep(&self.path("clock"), to.duration_since(self.now)).unwrap();
        self.now = to;
    }

    pub fn ctl_command(&self, line: &str) -> Command {
        let mut command = Command::new(HEPTACTL);
        command.env_clear().stdin(Stdio::null());
        command.arg("--socket").arg(self.path("sock")).args(line.split_whitespace());
        command
    }

    pub fn ctl(&self, line: &str) -> Ran {
        ran(&mut self.ctl_command(line))
    }

    /// heptactl with a line that must succeed; what it printed.
    pub fn ok(&self, line: &str) -> String {
        let ran = self.ctl(line);
        assert_eq!(ran.code, 0, "heptactl {line}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// The real curl on the socket; `words` come after what every call has.
    pub fn curl_command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("curl");
        command.env_clear().stdin(Stdio::null()).arg("--unix-socket").arg(self.path("sock"));
        command.args(["--silent", "--show-error", "--max-time", "30"]).args(words);
        command
    }

    /// What curl gets for a path.
    pub fn get(&self, path: &str) -> Value {
        let got = ran(&mut self.curl_command(&["--fail", &format!("http://localhost{path}")]));
        assert_eq!(got.code, 0, "{path}: {}{}", got.out, got.err);
        serde_json::from_str(&got.out).unwrap()
    }

    /// Waits until `seen` finds what it looks for; looks again whenever something has changed.
    pub fn until<T>(&self, what: &str, mut seen: impl FnMut(&Client) -> Option<T>) -> T {
        let began = Instant::now();
        let mut generation = self.client.health().unwrap().generation;
        loop {
            if let Some(found) = seen(&self.client) {
                return found;
            }
            let late = began.elapsed() > TIMEOUT;
            assert!(!late, "{what} did not come:\n{}", self.ctl("status").out);
            generation = self.client.changes(generation, 5).unwrap().generation;
        }
    }

    /// Waits until nothing is under way.
    pub fn settle(&self) {
        let open = || OperationsQuery { open: Some(true), ..Default::default() };
        self.until("rest", |client| {
            let status = client.status().unwrap();
            let listed = client.operations(&open()).unwrap().operations;
            (status.open_operations == 0 && listed.is_empty()).then_some(())
        });
    }

    /// Waits until each resource's snapshot of a day is complete and nothing is under way.
    pub fn complete(&self, resources: &[&str], day: &str) {
        let is_complete = |client: &Client, resource: &&str| {
            let found = client.snapshot(&format!("{resource}@{day}"));
            found.is_ok_and(|found| found.state == SnapshotState::Complete)
        };
        self.until(day, |client| {
            resources.iter().all(|resource| is_complete(client, resource)).then_some(())
        });
        self.settle();
    }

    /// Moves to a time at which a slot is due, and waits until it has ended somehow.
    pub fn slot_ends(&mut self, resource: &str, at: &str) -> heptad::api::wire::Slot {
        self.clock(at);
        let day = &at[..10];
        let slot = self.until(day, |client| {
            let slots = client.slots(resource, Some(day)).unwrap().slots;
            slots.into_iter().find(|slot| slot.finished.is_some())
        });
        self.settle();
        slot
    }

    pub fn snapshots(&self) -> Vec<Snapshot> {
        let query = SnapshotsQuery { all: Some(true), ..Default::default() };
        self.client.snapshots(&query).unwrap().snapshots
    }

    /// What is listed of a resource, newest first.
    pub fn labels(&self, resource: &str) -> Vec<String> {
        let mine = self.snapshots().into_iter().filter(|s| s.resource == resource);
        mine.map(|snapshot| snapshot.label).collect()
    }

    /// Those of them that are neither in the trash nor about to go.
    pub fn live_labels(&self, resource: &str) -> Vec<String> {
        let live = |s: &Snapshot| s.resource == resource && s.fate == Fate::Live;
        self.snapshots().into_iter().filter(live).map(|snapshot| snapshot.label).collect()
    }

    pub fn newest_operation(&self, resource: &str, act: &str) -> Operation {
        let query = OperationsQuery { resource: Some(resource.into()), ..Default::default() };
        let found = self.client.operations(&query).unwrap().operations;
        found.into_iter().find(|operation| operation.act == act).unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let skip = log.lines().count().saturating_sub(60);
            let tail: Vec<&str> = log.lines().skip(skip).collect();
            eprintln!("-- the end of the daemon's log --\n{}", tail.join("\n"));
        }
    }
}

pub fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    Ran { code, out: text(&output.stdout), err: text(&output.stderr) }
}

/// The n-th of December at a time, UTC.
pub fn at(day: u32, time: &str) -> String {
    format!("2026-12-{day:02}T{time}:00Z")
}

pub fn day(day: u32) -> String {
    format!("2026-12-{day:02}")
}
