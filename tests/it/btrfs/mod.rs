//! The btrfs backend on real file systems.

mod closed;
mod durable;
mod faults;
mod identity;
mod mounted;
mod nested;
mod rolling;
mod strangers;
mod swap_files;
mod writers;

use crate::conformance::Harness;
use crate::support::loopfs::{LoopFs, run, subvolume};
use heptad::backend::Backend;
use heptad::backend::options::{Context, OptionFinding};
use heptad::backend::registry;
use heptad::domain::snapshot::Handle;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A subvolume; its snapshots go to heptad's own store, or to a directory that a person chose.
pub struct OnBtrfs<const CHOSEN: bool>(LoopFs);

impl<const CHOSEN: bool> OnBtrfs<CHOSEN> {
    fn store(&self) -> PathBuf {
        self.0.path().join(if CHOSEN { "snaps" } else { ".heptad" })
    }
}

impl<const CHOSEN: bool> Harness for OnBtrfs<CHOSEN> {
    fn new() -> Self {
        let fs = LoopFs::new("btrfs", 200);
        subvolume(&fs.path().join("live"));
        if CHOSEN {
            std::fs::create_dir(fs.path().join("snaps")).unwrap();
        }
        Self(fs)
    }

    fn backend(&self, resource: &str) -> Arc<dyn Backend> {
        build(resource, self.recipe().unwrap().1)
    }

    fn recipe(&self) -> Option<(&'static str, Value, PathBuf)> {
        let options = match CHOSEN {
            true => json!({ "path": self.live(), "store": self.store() }),
            false => json!({ "path": self.live() }),
        };
        Some(("btrfs", options, "/nonexistent".into()))
    }

    fn live(&self) -> PathBuf {
        self.0.path().join("live")
    }

    fn hide(&self) {
        std::fs::rename(self.live(), self.0.path().join("elsewhere")).unwrap();
    }

    fn target(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The manifest is there, the commit point was not reached.
    fn interrupt(&self, resource: &str, handle: &Handle) {
        delete(&stored(&self.store(), resource, handle).join("data"));
    }

    /// Made writable, changed, and made to look as before.
    fn tamper(&self, resource: &str, handle: &Handle) {
        let data = stored(&self.store(), resource, handle).join("data");
        set_read_only(&data, false);
        std::fs::write(data.join("index.html"), "defaced").unwrap();
        set_read_only(&data, true);
    }

    fn lose(&self, resource: &str, handle: &Handle) {
        let dir = stored(&self.store(), resource, handle);
        delete(&dir.join("data"));
        std::fs::remove_dir_all(dir).unwrap();
    }

    fn plant(&self, resource: &str, seq: u64) -> PathBuf {
        let dir = self.store().join(resource).join(seq.to_string());
        std::fs::create_dir(&dir).unwrap();
        subvolume(&dir.join("data"));
        dir.join("data")
    }
}

/// A backend by its options, as the configuration would build it.
fn build(resource: &str, options: Value) -> Arc<dyn Backend> {
    try_build(resource, &options).unwrap()
}

fn try_build(resource: &str, options: &Value) -> Result<Arc<dyn Backend>, Vec<OptionFinding>> {
    let context = Context { resource: resource.parse().unwrap(), state: "/nonexistent".into() };
    registry::build("btrfs", options.as_object().unwrap(), &context)
}

/// Where a snapshot lies in a store.
fn stored(store: &Path, resource: &str, handle: &Handle) -> PathBuf {
    store.join(resource).join(handle.seq.to_string())
}

/// A file system with the subvolume `live` in it, and its backend.
fn live(megabytes: u64) -> (LoopFs, Arc<dyn Backend>) {
    let fs = LoopFs::new("btrfs", megabytes);
    subvolume(&fs.path().join("live"));
    let backend = build("web-1", json!({ "path": fs.path().join("live") }));
    (fs, backend)
}

fn delete(path: &Path) {
    run("btrfs", &["-q", "subvolume", "delete", path.to_str().unwrap()]);
}

fn snapshot(source: &Path, target: &Path, more: &[&str]) {
    let mut args = vec!["-q", "subvolume", "snapshot"];
    args.extend(more);
    args.extend([source.to_str().unwrap(), target.to_str().unwrap()]);
    run("btrfs", &args);
}

fn set_read_only(path: &Path, read_only: bool) {
    let flag = if read_only { "true" } else { "false" };
    run("btrfs", &["property", "set", path.to_str().unwrap(), "ro", flag]);
}
