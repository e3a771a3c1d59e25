//! The `exec` backend with the sample plugin in the hands of the conformance suite.

use crate::conformance::Harness;
use crate::support::loopfs::LoopFs;
use crate::support::trusted;
use heptad::backend::Backend;
use heptad::backend::options::Context;
use heptad::backend::registry;
use heptad::domain::snapshot::Handle;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// The sample installed where heptad trusts it; a directory and its store on a file system of
/// their own.
pub struct OnTarball {
    program: TempDir,
    fs: LoopFs,
}

impl OnTarball {
    fn stored(&self, resource: &str, seq: u64) -> PathBuf {
        self.fs.path().join("store").join(resource).join(seq.to_string())
    }
}

impl Harness for OnTarball {
    fn new() -> Self {
        let (program, fs) = (trusted::dir(), LoopFs::new("ext4", 128));
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/plugin/tarball");
        trusted::install(&sample, &program.path().join("tarball"));
        for name in ["live", "store"] {
            fs::create_dir(fs.path().join(name)).unwrap();
        }
        Self { program, fs }
    }

    fn backend(&self, resource: &str) -> Arc<dyn Backend> {
        let (name, options, state) = self.recipe().unwrap();
        let context = Context { resource: resource.parse().unwrap(), state };
        registry::build(name, options.as_object().unwrap(), &context).unwrap()
    }

    fn recipe(&self) -> Option<(&'static str, Value, PathBuf)> {
        let options = json!({
            "program": self.program.path().join("tarball"),
            "options": { "path": self.live(), "store": self.fs.path().join("store") },
        });
        Some(("exec", options, "/nowhere".into()))
    }

    fn live(&self) -> PathBuf {
        self.fs.path().join("live")
    }

    fn hide(&self) {
        fs::rename(self.live(), self.fs.path().join("elsewhere")).unwrap();
    }

    fn target(&self, name: &str) -> PathBuf {
        self.fs.path().join(name)
    }

    /// The seal is the commit point.
    fn interrupt(&self, resource: &str, handle: &Handle) {
        fs::remove_file(self.stored(resource, handle.seq.0).join("seal.json")).unwrap();
    }

    fn tamper(&self, resource: &str, handle: &Handle) {
        let data = self.stored(resource, handle.seq.0).join("data.tar");
        let mut content = fs::read(&data).unwrap();
        content[0] ^= 1;
        fs::write(data, content).unwrap();
    }

    fn lose(&self, resource: &str, handle: &Handle) {
        fs::remove_dir_all(self.stored(resource, handle.seq.0)).unwrap();
    }

    fn plant(&self, resource: &str, seq: u64) -> PathBuf {
        let dir = self.stored(resource, seq);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("data.tar"), "mine").unwrap();
        dir.join("data.tar")
    }
}
