//! The conformance suite speaks of files in a directory; here they go into a database before each
//! snapshot is taken, and come out of each one that is restored.

use super::bench::{helper, scratch};
use crate::conformance::{Harness, Tree, nothing_inherited, read};
use crate::support::mirror::Mirror;
use heptad::backend::facets::{Creation, InPlace};
use heptad::backend::options::Context;
use heptad::backend::registry::build;
use heptad::backend::{
    Backend, Capabilities, Object, RestoreOrder, Restored, RollbackOrder, TakeOrder, Territory,
};
use heptad::domain::name::ResourceName;
use heptad::domain::snapshot::{Content, Handle};
use heptad::domain::survey::{Mark, Survey};
use heptad::domain::usage::TotalUsage;
use heptad::domain::usage::Usage;
use heptad::fs::{Progress, StorageError};
use heptad::store::identity::Probe;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// The live database is written by this process only when the files change: closing a file anywhere
/// in a process, as every look at it does, gives up the locks of a writer in the same process.
pub struct Packed(TempDir, Arc<Mirror>);

impl Packed {
    fn database(&self) -> PathBuf {
        self.0.path().join("live.db")
    }

    fn folder(&self, resource: &str) -> PathBuf {
        self.0.path().join("store").join(resource)
    }

    fn stored(&self, resource: &str, handle: &Handle) -> PathBuf {
        self.folder(resource).join(handle.seq.to_string())
    }
}

impl Harness for Packed {
    fn new() -> Self {
        let dir = scratch();
        let (files, database) = (dir.path().join("files"), dir.path().join("live.db"));
        std::fs::create_dir(&files).unwrap();
        pack(&Tree::new(), &database);
        let (to, from) = (database.clone(), database.clone());
        let pack = move |files: &Tree| pack(files, &to);
        let unpack = move |files: &Path| unpack(&from, files);
        Self(dir, Arc::new(Mirror::new(files, vec![database], pack, unpack)))
    }

    fn backend(&self, resource: &str) -> Arc<dyn Backend> {
        let (name, options, state) = self.recipe().unwrap();
        let context = Context { resource: resource.parse().unwrap(), state };
        let inner = build(name, options.as_object().unwrap(), &context).unwrap();
        Arc::new(Packing { inner, database: self.database(), mirror: Arc::clone(&self.1) })
    }

    fn recipe(&self) -> Option<(&'static str, Value, PathBuf)> {
        let (store, helper) = (self.0.path().join("store"), helper());
        let options = json!({ "path": self.database(), "store": store, "helper": helper });
        Some(("sqlite", options, self.0.path().to_owned()))
    }

    fn used(&self) -> PathBuf {
        self.database()
    }

    fn content(&self, at: &Path) -> Tree {
        if at == self.live() {
            self.1.carry();
        }
        read(at)
    }

    fn live(&self) -> PathBuf {
        self.0.path().join("files")
    }

    fn hide(&self) {
        std::fs::rename(self.database(), self.0.path().join("elsewhere")).unwrap();
    }

    fn expect_nothing_inherited(&self, _at: &Path) {}

    fn target(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The manifest is there, the commit point was not reached.
    fn interrupt(&self, resource: &str, handle: &Handle) {
        let whole = self.stored(resource, handle);
        let partial = self.folder(resource).join(format!("{}.partial", handle.seq));
        std::fs::rename(whole, &partial).unwrap();
        std::fs::write(partial.join("data/database"), "half").unwrap();
    }

    fn tamper(&self, resource: &str, handle: &Handle) {
        let path = self.stored(resource, handle).join("data/database");
        Connection::open(path).unwrap().execute_batch("DELETE FROM files").unwrap();
    }

    fn lose(&self, resource: &str, handle: &Handle) {
        std::fs::remove_dir_all(self.stored(resource, handle)).unwrap();
    }

    fn plant(&self, resource: &str, seq: u64) -> PathBuf {
        let planted = self.folder(resource).join(seq.to_string());
        std::fs::create_dir(&planted).unwrap();
        std::fs::write(planted.join("mine"), "x").unwrap();
        planted
    }
}

#[derive(Debug)]
struct Packing {
    inner: Arc<dyn Backend>,
    database: PathBuf,
    mirror: Arc<Mirror>,
}

impl Backend for Packing {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn pool(&self) -> String {
        self.inner.pool()
    }

    fn territory(&self) -> Territory {
        self.inner.territory()
    }

    fn probe(&self) -> Result<Probe, StorageError> {
        self.inner.probe()
    }

    fn take(&self, order: &TakeOrder<'_>, progress: &dyn Progress) -> Result<Object, StorageError> {
        if self.database.exists() {
            self.mirror.carry();
        }
        self.inner.take(order, progress)
    }

    fn list(&self) -> Result<Survey, StorageError> {
        self.inner.list()
    }

    fn verify(&self, handle: &Handle, progress: &dyn Progress) -> Result<Content, StorageError> {
        self.inner.verify(handle, progress)
    }

    fn destroy(&self, handle: &Handle) -> Result<(), StorageError> {
        self.inner.destroy(handle)
    }

    fn restore(
        &self,
        order: &RestoreOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Restored, StorageError> {
        let restored = self.inner.restore(order, progress)?;
        nothing_inherited(order.target);
        let database = order.target.with_extension("packed");
        std::fs::rename(order.target, &database).unwrap();
        std::fs::create_dir(order.target).unwrap();
        unpack(&database, order.target);
        std::fs::remove_file(database).unwrap();
        Ok(restored)
    }

    fn mark(&self, handle: &Handle, mark: &Mark) -> Result<(), StorageError> {
        self.inner.mark(handle, mark)
    }

    fn occupied(&self) -> Result<Option<TotalUsage>, StorageError> {
        self.inner.occupied()
    }

    fn usage(&self, handle: &Handle) -> Result<Usage, StorageError> {
        self.inner.usage(handle)
    }

    fn creation(&self) -> Option<&dyn Creation> {
        Some(self)
    }

    fn in_place(&self) -> Option<&dyn InPlace> {
        Some(self)
    }
}

impl Creation for Packing {
    fn fits(&self, order: &RestoreOrder<'_>) -> Result<(), StorageError> {
        self.inner.fits(order)
    }

    fn beside(&self, name: &ResourceName) -> Option<PathBuf> {
        self.inner.beside(name)
    }
}

impl InPlace for Packing {
    fn users(&self) -> Result<Vec<String>, StorageError> {
        self.inner.users()
    }

    fn rollback(
        &self,
        order: &RollbackOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Probe, StorageError> {
        self.mirror.carry();
        let rolled = self.inner.rollback(order, progress);
        self.mirror.carry();
        rolled
    }
}

fn pack(files: &Tree, database: &Path) {
    let mut connection = Connection::open(database).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
    let change =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let table = "CREATE TABLE IF NOT EXISTS files(path BLOB PRIMARY KEY, content BLOB); \
                 DELETE FROM files";
    change.execute_batch(table).unwrap();
    for (path, content) in files {
        let row = params![path.as_os_str().as_bytes(), content];
        change.execute("INSERT INTO files VALUES(?, ?)", row).unwrap();
    }
    change.commit().unwrap();
}

/// What was packed into a database comes into a directory, which is empty.
fn unpack(database: &Path, target: &Path) {
    let connection = Connection::open(database).unwrap();
    let mut rows = connection.prepare("SELECT path, content FROM files ORDER BY path").unwrap();
    let mut rows = rows.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let path: Vec<u8> = row.get(0).unwrap();
        let content: Option<Vec<u8>> = row.get(1).unwrap();
        let path = target.join(std::ffi::OsString::from_vec(path));
        match content {
            None => std::fs::create_dir(path).unwrap(),
            Some(content) => std::fs::write(path, content).unwrap(),
        }
    }
}
