//! One database with its backend, and other processes that write to it.

use crate::support::copied;
use heptad::backend::options::Context;
use heptad::backend::registry::build;
use heptad::backend::{Backend, Object, TakeOrder};
use heptad::domain::survey::Wholeness;
use heptad::fs::StorageError;
use heptad::host::helper::is_helper;
use heptad::host::trust::trusted_program;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use tempfile::TempDir;

use crate::conformance::{card, states};
use crate::support::{loopfs, trusted};

pub const RESOURCE: &str = "forum";
/// What nobody in particular is called by the kernel.
pub const NOBODY: u32 = 65_534;

pub struct Bench {
    pub dir: TempDir,
    pub live: PathBuf,
    pub backend: Arc<dyn Backend>,
    _fs: Option<loopfs::LoopFs>,
}

impl Bench {
    pub fn new(options: &Value) -> Self {
        let dir = scratch();
        let live = dir.path().join("live.db");
        let backend = backend(RESOURCE, &live, &dir.path().join("store"), options);
        Self { dir, live, backend, _fs: None }
    }

    /// On a file system of its own, so that nobody else's writes are waited for.
    pub fn alone() -> Self {
        let fs = loopfs::LoopFs::new("ext4", 1024);
        let dir = tempfile::Builder::new().tempdir_in(fs.path()).unwrap();
        let live = dir.path().join("live.db");
        let backend = backend(RESOURCE, &live, &dir.path().join("store"), &no_options());
        Self { dir, live, backend, _fs: Some(fs) }
    }

    pub fn try_take(&self, seq: u64) -> Result<Object, StorageError> {
        self.backend.take(&TakeOrder { card: &card(seq), source: None, previous: None }, &())
    }

    pub fn take(&self, seq: u64) -> Object {
        self.try_take(seq).unwrap()
    }

    pub fn target(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn restore(&self, seq: u64) -> PathBuf {
        let target = self.target(&format!("restored-{seq}"));
        self.backend.restore(&copied(&card(seq).handle, &target), &()).unwrap();
        target
    }

    pub fn states(&self) -> Vec<(u64, Wholeness)> {
        states(&*self.backend)
    }

    /// The stored copy.
    pub fn copy(&self, seq: u64) -> PathBuf {
        self.dir.path().join("store").join(RESOURCE).join(format!("{seq}/data/database"))
    }
}

/// A backend whose helper is the real daemon's program.
pub fn backend(name: &str, live: &Path, store: &Path, options: &Value) -> Arc<dyn Backend> {
    let mut options = options.as_object().unwrap().clone();
    options.insert("path".into(), live.to_str().unwrap().into());
    options.insert("store".into(), store.to_str().unwrap().into());
    options.insert("helper".into(), helper().to_str().unwrap().into());
    let state = store.parent().unwrap().to_owned();
    build("sqlite", &options, &Context { resource: name.parse().unwrap(), state }).unwrap()
}

/// The program as it was built or, where others may write to that place, a copy.
pub fn helper() -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_heptad"));
    if trusted_program(built).is_ok() {
        return built.into();
    }
    let dir = trusted::dir();
    let installed = trusted::install(built, &dir.path().join("heptad"));
    // It is used until the process ends, and there is one process for each test.
    let _ = dir.keep();
    installed
}

/// Not in a file system that lives in memory.
pub fn scratch() -> TempDir {
    tempfile::Builder::new().prefix("heptad-sqlite-").tempdir_in("/var/tmp").unwrap()
}

/// Makes a small database in this process; nobody else may have it open.
pub fn fill(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(sql).unwrap();
}

/// Looks into a database that nobody writes to: whether it is sound, number and highest of its
/// rows.
pub fn rows(path: &Path) -> (u64, u64) {
    let connection = Connection::open(path).unwrap();
    let check: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok", "{}", path.display());
    let counts = connection.query_row("SELECT count(*), coalesce(max(n), 0) FROM t", [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    });
    let (count, highest) = counts.unwrap();
    (count.unsigned_abs(), highest.unsigned_abs())
}

/// A program in another process, as databases have them: closing a file anywhere in a process
/// gives up all the locks that it has on it. It prints numbers; killed when dropped.
pub struct Other {
    pub child: Child,
    told: mpsc::Receiver<u64>,
    latest: Arc<AtomicU64>,
}

impl Other {
    /// Runs Python with the database as `db`, as this user.
    pub fn start(db: &Path, uid: u32, script: &str) -> Self {
        let mut command = Command::new("python3");
        command.args(["-c", &program(script)]).arg(db);
        if uid != 0 {
            command.uid(uid).gid(uid);
        }
        Self::run(command)
    }

    /// The same in a namespace of mounts of its own, where `from` is also at `at`.
    pub fn apart(from: &Path, at: &Path, db: &Path, script: &str) -> Self {
        let mut command = Command::new("unshare");
        let mount = r#"mount --bind "$1" "$2" && exec python3 -c "$3" "$4""#;
        command.args(["--mount", "--propagation", "private", "sh", "-c", mount, "sh"]);
        command.args([from, at]).arg(program(script)).arg(db);
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).current_dir("/");
        let mut child = command.spawn().unwrap();
        let printed = BufReader::new(child.stdout.take().unwrap());
        let (tell, told) = mpsc::channel();
        let latest = Arc::new(AtomicU64::new(0));
        let newest = latest.clone();
        std::thread::spawn(move || {
            for line in printed.lines().map_while(Result::ok) {
                let number: u64 = line.trim().parse().unwrap();
                newest.store(number, SeqCst);
                if tell.send(number).is_err() {
                    break;
                }
            }
        });
        Self { child, told, latest }
    }

    /// Waits until it has printed at least this.
    pub fn wait_for(&self, number: u64) {
        let limit = std::time::Duration::from_secs(60);
        while self.told.recv_timeout(limit).unwrap() < number {}
    }

    pub fn latest(&self) -> u64 {
        self.latest.load(SeqCst)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(script: &str) -> String {
    format!(
        "import os, sqlite3, sys, time\n\
         db = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)\n{script}"
    )
}

/// Commits numbered rows for ever and prints each number when it is durable; the worst wait for a
/// commit, in microseconds, goes into the file beside.
pub fn writer(db: &Path, mode: &str, pad: usize) -> Other {
    let script = format!(
        "db.execute('PRAGMA journal_mode={mode}')\n\
         db.execute('PRAGMA synchronous=FULL')\n\
         db.execute('CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, pad BLOB)')\n\
         n, worst = db.execute('SELECT coalesce(max(n), 0) FROM t').fetchone()[0], 0\n\
         while True:\n\
         \x20   n += 1\n\
         \x20   begun = time.monotonic()\n\
         \x20   db.execute('BEGIN IMMEDIATE')\n\
         \x20   db.execute('INSERT INTO t VALUES(?, randomblob({pad}))', (n,))\n\
         \x20   db.execute('COMMIT')\n\
         \x20   took = time.monotonic() - begun\n\
         \x20   if took > worst:\n\
         \x20       worst = took\n\
         \x20       open(sys.argv[1] + '.worst', 'w').write(str(int(worst * 1e6)))\n\
         \x20   print(n, flush=True)\n"
    );
    Other::start(db, 0, &script)
}

/// The worst wait of a [`writer`] so far.
pub fn worst(db: &Path) -> String {
    let micros = std::fs::read_to_string(format!("{}.worst", db.display())).unwrap();
    let micros: u64 = micros.parse().unwrap_or_default();
    format!("{}.{:03} ms", micros / 1000, micros % 1000)
}

/// The helper that works for this test, once it is there.
pub fn helper_process() -> u32 {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let us = std::process::id();
    loop {
        let children = format!("/proc/{us}/task");
        for task in std::fs::read_dir(children).unwrap().flatten() {
            let children = std::fs::read_to_string(task.path().join("children"));
            for child in children.unwrap_or_default().split_whitespace() {
                let line = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
                if is_helper(&line, "sqlite") {
                    return child.parse().unwrap();
                }
            }
        }
        assert!(std::time::Instant::now() < until, "no helper");
        std::thread::yield_now();
    }
}

/// Another loop file system for the store.
pub fn small_store(megabytes: u64) -> loopfs::LoopFs {
    loopfs::LoopFs::new("ext4", megabytes)
}

pub fn no_options() -> Value {
    json!({})
}
