//! One resource with its backend, on file systems of the test's choice.

use crate::support::loopfs::LoopFs;
use heptad::backend::options::Context;
use heptad::backend::registry::build;
use heptad::backend::{Backend, Object, TakeOrder};
use heptad::domain::resource::Kind;
use heptad::domain::snapshot::Part;
use heptad::domain::snapshot::{Card, Handle, Origin, Seq};
use heptad::domain::survey::{Found, Wholeness};
use heptad::domain::tag::Tags;
use heptad::fs::StorageError;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

/// The file systems that most tests run on: one that shares blocks, one that does not.
pub const KINDS: [&str; 2] = ["xfs", "ext4"];

/// `live` is the resource's directory, `store` where its snapshots go.
#[derive(Debug)]
pub struct Bench {
    pub live: PathBuf,
    pub store: PathBuf,
    pub backend: Arc<dyn Backend>,
    pub fs: Option<LoopFs>,
    _dirs: Vec<TempDir>,
}

impl Bench {
    /// On a file system of its own.
    pub fn on(kind: &str) -> Self {
        let fs = LoopFs::new(kind, if kind == "ext4" { 64 } else { 320 });
        let (live, store) = (fs.path().join("live"), fs.path().join("store"));
        Self::new(live, store, Some(fs), &json!({}))
    }

    /// In a scratch directory.
    pub fn scratch(options: &Value) -> Self {
        let dir = scratch();
        let (live, store) = (dir.path().join("live"), dir.path().join("store"));
        let mut bench = Self::new(live, store, None, options);
        bench._dirs.push(dir);
        bench
    }

    pub fn new(live: PathBuf, store: PathBuf, fs: Option<LoopFs>, options: &Value) -> Self {
        if std::fs::symlink_metadata(&live).is_err() {
            std::fs::create_dir(&live).unwrap();
        }
        let dir = scratch();
        let backend = backend(&live, &store, dir.path(), options);
        Self { live, store, backend, fs, _dirs: vec![dir] }
    }

    pub fn try_take(&self, seq: u64, source: Option<u64>) -> Result<Object, StorageError> {
        let found = self.backend.list().unwrap().found;
        let handle = |n: u64| found.iter().map(|f| &f.card.handle).find(|h| h.seq == Seq(n));
        let whole = found.iter().filter(|f| f.state == Wholeness::Whole);
        let previous = whole.map(|f| &f.card.handle).rfind(|h| h.seq < Seq(seq));
        let order =
            TakeOrder { card: &card(seq), source: source.map(|n| handle(n).unwrap()), previous };
        self.backend.take(&order, &())
    }

    pub fn take(&self, seq: u64) -> Object {
        self.try_take(seq, None).unwrap()
    }

    /// With this previous snapshot, whatever its state.
    pub fn take_after(&self, seq: u64, previous: u64) -> Object {
        let order = TakeOrder { card: &card(seq), source: None, previous: Some(&handle(previous)) };
        self.backend.take(&order, &()).unwrap()
    }

    pub fn find(&self, seq: u64) -> Option<Found> {
        self.backend.list().unwrap().found.into_iter().find(|f| f.card.handle.seq == Seq(seq))
    }

    pub fn states(&self) -> Vec<(u64, Wholeness)> {
        let found = self.backend.list().unwrap().found;
        found.iter().map(|f| (f.card.handle.seq.0, f.state)).collect()
    }

    /// Where a snapshot lies.
    pub fn stored(&self, seq: u64) -> PathBuf {
        self.store.join("web-1").join(seq.to_string())
    }

    pub fn data(&self, seq: u64) -> PathBuf {
        self.stored(seq).join("data")
    }
}

pub fn backend(live: &Path, store: &Path, state: &Path, options: &Value) -> Arc<dyn Backend> {
    let mut options = options.as_object().unwrap().clone();
    options.insert("path".into(), live.to_str().unwrap().into());
    options.insert("store".into(), store.to_str().unwrap().into());
    let context = Context { resource: "web-1".parse().unwrap(), state: state.into() };
    build("files", &options, &context).unwrap()
}

/// Not in a file system that lives in memory: it may not have user attributes.
pub fn scratch() -> TempDir {
    tempfile::Builder::new().prefix("heptad-files-").tempdir_in("/var/tmp").unwrap()
}

pub fn handle(seq: u64) -> Handle {
    Handle { seq: Seq(seq), id: Uuid::from_u128(seq.into()), object: String::new() }
}

pub fn card(seq: u64) -> Card {
    Card {
        handle: handle(seq),
        origin: Origin::Automatic,
        name: None,
        slot: Some("2026-11-22".parse().unwrap()),
        kept_from: None,
        taken_at: "2026-11-22T06:00:00Z".parse().unwrap(),
        tags: Tags::new(),
        kind: Kind::Disk,
        part: Part::Whole,
        plan: None,
        blueprint: None,
    }
}

/// Runs the calling test again as an ordinary user. `true` in that second run, where the test
/// goes on; and at once where the first run is no more than that anyway.
pub fn as_ordinary_user(test: &str) -> bool {
    const AGAIN: &str = "HEPTAD_TEST_AS_ORDINARY_USER";
    if std::env::var_os(AGAIN).is_some() || !nix::unistd::geteuid().is_root() {
        return true;
    }
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let dir = scratch();
    let program = dir.path().join("it");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    for path in [dir.path(), &program] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(&program);
    command.args([test, "--exact", "--nocapture"]).env(AGAIN, "1").current_dir("/");
    let output = command.uid(65_534).gid(65_534).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}\n{errors}");
    false
}
