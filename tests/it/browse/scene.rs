//! A daemon in this process that protects a btrfs subvolume, `home`, and a directory on ext4 or
//! the same btrfs, `docs`, by copies.

use crate::support::loopfs::{LoopFs, run, subvolume};
use heptad::api::client::{Client, ClientError};
use heptad::api::wire::TakeBody;
use heptad::api::wire::{Entry, OperationState, SnapshotState, TreeQuery};
use heptad::config::{DaemonDefaults, Locations};
use heptad::ctl::{self, Environment, Io, Terminals};
use heptad::daemon::boot::{Daemon, Options};
use heptad::host::clock::{Clock, Moment, Simulated};
use jiff::{SignedDuration, Timestamp};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Groups that every host has.
const GROUPS: &str = "[daemon]\ngroup = \"daemon\"\nadmin_group = \"bin\"\n";

pub struct Scene {
    pub client: Client,
    /// Where heptactl runs.
    pub here: PathBuf,
    daemon: Option<Daemon>,
    fs: LoopFs,
    dir: TempDir,
}

pub struct Ran {
    pub code: u8,
    pub out: Vec<u8>,
    pub err: String,
}

impl Scene {
    pub fn new() -> Self {
        Self::with(|docs| std::fs::create_dir(docs).unwrap())
    }

    /// In which `docs` is no directory.
    pub fn single_file() -> Self {
        Self::with(|docs| std::fs::write(docs, "a file\n").unwrap())
    }

    fn with(make_docs: impl Fn(&Path)) -> Self {
        let fs = LoopFs::new("btrfs", 600);
        subvolume(&fs.path().join("home"));
        make_docs(&fs.path().join("docs"));
        let dir = tempfile::Builder::new().prefix("heptad-browse-").tempdir_in("/var/tmp").unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open).unwrap();
        let here = dir.path().join("here");
        std::fs::create_dir(&here).unwrap();
        let text = format!(
            "{GROUPS}[resource.home]\nbtrfs = {{ path = {:?} }}\n\
             [resource.docs]\nfiles = {{ path = {:?}, store = {:?} }}\n",
            fs.path().join("home"),
            fs.path().join("docs"),
            dir.path().join("store"),
        );
        std::fs::write(dir.path().join("heptad.toml"), text).unwrap();
        let client = Client::new(dir.path().join("s")).unwrap();
        let daemon = Some(start(dir.path()));
        Self { client, here, daemon, fs, dir }
    }

    pub fn restart(&mut self) {
        self.daemon.take().unwrap().stop();
        self.daemon = Some(start(self.dir.path()));
    }

    pub fn home(&self) -> PathBuf {
        self.fs.path().join("home")
    }

    pub fn docs(&self) -> PathBuf {
        self.fs.path().join("docs")
    }

    pub fn store(&self) -> PathBuf {
        self.dir.path().join("store/docs")
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    /// Takes a snapshot and waits until it is complete.
    pub fn take(&self, resource: &str, name: &str) {
        let accepted = self.client.take(resource, &TakeBody::named(name)).unwrap();
        self.finish(accepted.operation.id, OperationState::Succeeded);
        assert_eq!(self.client.snapshot(name).unwrap().state, SnapshotState::Complete);
    }

    pub fn finish(&self, operation: u64, want: OperationState) -> String {
        let end = self.client.finish(operation, |_| ()).unwrap();
        assert_eq!(end.state, want, "{end:?}");
        end.failure.map(|failure| failure.message).unwrap_or_default()
    }

    /// All entries of a directory, in pages.
    pub fn list(&self, snapshot: &str, path: &str, page: u32) -> Vec<Entry> {
        let mut query =
            TreeQuery { path: Some(path.into()), limit: Some(page), ..TreeQuery::default() };
        let mut all = Vec::new();
        loop {
            let listing = self.client.tree(snapshot, &query).unwrap();
            assert!(listing.entries.len() <= page as usize);
            all.extend(listing.entries);
            query.after = listing.next;
            if query.after.is_none() {
                return all;
            }
        }
    }

    /// One whole file.
    pub fn read(&self, snapshot: &str, path: &str) -> Result<Vec<u8>, ClientError> {
        let mut file = self.client.file(snapshot, path)?;
        let mut bytes = Vec::new();
        while let Some(piece) = file.piece()? {
            bytes.extend_from_slice(&piece);
        }
        assert_eq!(bytes.len() as u64, file.size);
        Ok(bytes)
    }

    pub fn ctl(&self, words: &[&str]) -> Ran {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut io = Io {
            stdin: &mut std::io::empty(),
            stdout: &mut out,
            stderr: &mut err,
            terminals: Terminals { stdin: false, stdout: true, stderr: true },
            width: None,
            now: &|| at("2026-11-22T12:00:00Z"),
        };
        let environment = Environment {
            interrupts: false,
            socket: Some(self.socket()),
            directory: self.here.clone(),
            no_color: true,
            unicode: true,
            ..Environment::default()
        };
        let line = std::iter::once("heptactl").chain(words.iter().copied());
        let code = ctl::run(line.map(OsString::from), &mut io, &environment);
        Ran { code, out, err: String::from_utf8(err).unwrap() }
    }
}

impl Ran {
    pub fn text(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop();
        }
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn start(dir: &Path) -> Daemon {
    let clock = dir.join("clock");
    let wall = at("2026-11-22T12:00:00Z");
    let boot = SignedDuration::from_hours(1);
    let asleep = SignedDuration::ZERO;
    let moment = Moment { wall, boot, asleep, synchronised: true };
    Simulated::write(&clock, moment).unwrap();
    let locations = Locations {
        file: dir.join("heptad.toml"),
        drop_ins: dir.join("conf.d"),
        defaults: DaemonDefaults { socket: dir.join("s"), state: dir.join("state") },
    };
    let clock: Arc<dyn Clock> = Arc::new(Simulated::open(&clock).unwrap());
    Daemon::start(Options { locations, env: Vec::new(), clock, log: None }).unwrap()
}

/// The stable code of a refusal.
pub fn code<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> (u16, String) {
    match answer {
        Err(ClientError::Refused { status, refusal }) => (status, refusal.code),
        other => panic!("no refusal: {other:?}"),
    }
}

/// A fifo, a device node, links that lead out, and a secret to lead to.
pub fn traps(live: &Path, secret: &Path) {
    run("mkfifo", &[live.join("pipe").to_str().unwrap()]);
    run("mknod", &[live.join("zero").to_str().unwrap(), "c", "1", "5"]);
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, live.join(name)).unwrap();
    link(Path::new("/etc/shadow"), "shadow");
    link(Path::new("/etc"), "etc");
    link(secret, "secret");
    link(Path::new("../../../../../../etc/shadow"), "climbing");
    link(Path::new("/proc/self/root"), "magic");
}
