//! The `files` backend in the hands of the conformance suite.

use crate::conformance::Harness;
use crate::support::loopfs::LoopFs;
use heptad::backend::Backend;
use heptad::backend::options::Context;
use heptad::backend::registry;
use heptad::domain::snapshot::Handle;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// A directory and its store on one file system: one that shares blocks, or one that copies them.
pub struct OnFiles<const SHARES: bool>(LoopFs);

impl<const SHARES: bool> OnFiles<SHARES> {
    fn stored(&self, resource: &str, seq: impl std::fmt::Display) -> PathBuf {
        self.0.path().join("store").join(resource).join(seq.to_string())
    }
}

impl<const SHARES: bool> Harness for OnFiles<SHARES> {
    fn new() -> Self {
        let fs = if SHARES { LoopFs::new("xfs", 320) } else { LoopFs::new("ext4", 128) };
        for name in ["live", "state"] {
            fs::create_dir(fs.path().join(name)).unwrap();
        }
        Self(fs)
    }

    fn backend(&self, resource: &str) -> Arc<dyn Backend> {
        let (name, options, state) = self.recipe().unwrap();
        let context = Context { resource: resource.parse().unwrap(), state };
        registry::build(name, options.as_object().unwrap(), &context).unwrap()
    }

    fn recipe(&self) -> Option<(&'static str, Value, PathBuf)> {
        let root = self.0.path();
        let options = json!({ "path": root.join("live"), "store": root.join("store") });
        Some(("files", options, root.join("state")))
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

    /// As an editor does: a new file of the same length in the place of the old one.
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
