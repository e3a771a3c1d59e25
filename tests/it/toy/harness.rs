//! The toy in the hands of the conformance suite.

use super::Toy;
use crate::conformance::Harness;
use crate::support::loopfs::LoopFs;
use heptad::backend::Backend;
use heptad::domain::snapshot::Handle;
use heptad::store::Store;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// A directory and its store.
pub struct OnToy(LoopFs);

impl OnToy {
    fn stored(&self, resource: &str, seq: impl std::fmt::Display) -> PathBuf {
        self.0.path().join("store").join(resource).join(seq.to_string())
    }
}

impl Harness for OnToy {
    fn new() -> Self {
        let fs = LoopFs::new("ext4", 128);
        for name in ["live", "state"] {
            fs::create_dir(fs.path().join(name)).unwrap();
        }
        Self(fs)
    }

    fn backend(&self, resource: &str) -> Arc<dyn Backend> {
        let at = |name: &str| self.0.path().join(name);
        let store = Store::new("toy", at("store"), &at("state"), &resource.parse().unwrap());
        Arc::new(Toy { path: at("live"), store })
    }

    fn live(&self) -> PathBuf {
        self.0.path().join("live")
    }

    fn hide(&self) {
        fs::rename(self.live(), self.0.path().join("elsewhere")).unwrap();
    }

    fn target(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Its rename is the commit point.
    fn interrupt(&self, resource: &str, handle: &Handle) {
        let partial = self.stored(resource, format!("{}.partial", handle.seq));
        fs::rename(self.stored(resource, handle.seq), partial).unwrap();
    }

    fn tamper(&self, resource: &str, handle: &Handle) {
        let data = self.stored(resource, handle.seq).join("data");
        fs::write(data.join("new"), "HELLO").unwrap();
        fs::rename(data.join("new"), data.join("index.html")).unwrap();
    }

    fn lose(&self, resource: &str, handle: &Handle) {
        fs::remove_dir_all(self.stored(resource, handle.seq)).unwrap();
    }

    fn plant(&self, resource: &str, seq: u64) -> PathBuf {
        let dir = self.stored(resource, seq);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("data"), "mine").unwrap();
        dir.join("data")
    }
}
