//! The conformance suite speaks of files in a directory; here they go into a database before each
//! snapshot is taken, and come out of each one that is restored.

use super::bench::{backend, no_options, scratch};
use crate::conformance::{Harness, Tree, read};
use heptad::backend::{
    Backend, BackendError, Capabilities, Object, Probe, Progress, RestoreOrder, Restored,
    TakeOrder, Territory, Usage,
};
use heptad::domain::event::{Mark, Survey};
use heptad::domain::snapshot::{Content, Handle};
use rusqlite::{Connection, params};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;

/// What was packed last. The live database is written by this process only when that changes:
/// closing a file anywhere in a process, as every look at it does, gives up the locks of a writer
/// in the same process.
static PACKED: Mutex<Option<Tree>> = Mutex::new(None);

pub struct Packed(TempDir);

impl Packed {
    fn database(&self) -> PathBuf {
        self.0.path().join("live.db")
    }

    fn shelf(&self, resource: &str) -> PathBuf {
        self.0.path().join("store").join(resource)
    }

    fn stored(&self, resource: &str, handle: &Handle) -> PathBuf {
        self.shelf(resource).join(handle.seq.to_string())
    }
}

impl Harness for Packed {
    fn new() -> Self {
        let packed = Self(scratch());
        std::fs::create_dir(packed.live()).unwrap();
        pack(&Tree::new(), &packed.database());
        packed
    }

    fn backend(&self, resource: &str) -> Arc<dyn Backend> {
        let store = self.0.path().join("store");
        let inner = backend(resource, &self.database(), &store, &no_options());
        Arc::new(Packing { inner, live: self.live(), database: self.database() })
    }

    fn live(&self) -> PathBuf {
        self.0.path().join("files")
    }

    fn hide(&self) {
        std::fs::rename(self.database(), self.0.path().join("elsewhere")).unwrap();
    }

    fn target(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The manifest is there, the commit point was not reached.
    fn interrupt(&self, resource: &str, handle: &Handle) {
        let whole = self.stored(resource, handle);
        let partial = self.shelf(resource).join(format!("{}.partial", handle.seq));
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
        let planted = self.shelf(resource).join(seq.to_string());
        std::fs::create_dir(&planted).unwrap();
        std::fs::write(planted.join("mine"), "x").unwrap();
        planted
    }
}

#[derive(Debug)]
struct Packing {
    inner: Arc<dyn Backend>,
    live: PathBuf,
    database: PathBuf,
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

    fn probe(&self) -> Result<Probe, BackendError> {
        self.inner.probe()
    }

    fn take(&self, order: &TakeOrder<'_>) -> Result<Object, BackendError> {
        if self.database.exists() {
            let mut packed = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
            let wanted = read(&self.live);
            if packed.as_ref() != Some(&wanted) {
                pack(&wanted, &self.database);
                *packed = Some(wanted);
            }
        }
        self.inner.take(order)
    }

    fn list(&self) -> Result<Survey, BackendError> {
        self.inner.list()
    }

    fn verify(&self, handle: &Handle) -> Result<Content, BackendError> {
        self.inner.verify(handle)
    }

    fn destroy(&self, handle: &Handle) -> Result<(), BackendError> {
        self.inner.destroy(handle)
    }

    fn restore(
        &self,
        order: &RestoreOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Restored, BackendError> {
        let restored = self.inner.restore(order, progress)?;
        unpack(order.target);
        Ok(restored)
    }

    fn mark(&self, handle: &Handle, mark: &Mark) -> Result<(), BackendError> {
        self.inner.mark(handle, mark)
    }

    fn usage(&self, handle: &Handle) -> Result<Usage, BackendError> {
        self.inner.usage(handle)
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

/// The database becomes the directory that was packed into it.
fn unpack(target: &Path) {
    let packed = target.with_extension("packed");
    std::fs::rename(target, &packed).unwrap();
    std::fs::create_dir(target).unwrap();
    let connection = Connection::open(&packed).unwrap();
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
    std::fs::remove_file(packed).unwrap();
}
