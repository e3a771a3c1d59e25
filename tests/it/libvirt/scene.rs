//! One running guest with two disks, its backend, and a look at its serial port.

use super::host::{Libvirtd, definition, install_guest};
use crate::conformance::card;
use crate::support::loopfs::{LoopFs, run};
use crate::support::trusted;
use heptad::backend::options::Context;
use heptad::backend::registry::build;
use heptad::backend::{Backend, Object, RestoreOrder, Restored, TakeOrder};
use heptad::domain::snapshot::Card;
use heptad::fs::StorageError;
use heptad::host::trust::trusted_program;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const RESOURCE: &str = "web-1";
pub const DOMAIN: &str = "web";
/// What both disks hold from the beginning.
pub const HELLO: &str = "written before";
const TIMEOUT: Duration = Duration::from_secs(60);

pub struct Scene {
    // Before the file system that its guests use.
    pub libvirtd: Libvirtd,
    pub fs: LoopFs,
}

impl Scene {
    /// A domain that is off, with disks `vda` (qcow2) and `vdb` (raw), each an ext4 file system.
    pub fn off(fs: &str, words: &str) -> Self {
        Self::on(LoopFs::new(fs, 700), words, Libvirtd::start)
    }

    pub fn on(fs: LoopFs, words: &str, libvirtd: impl FnOnce() -> Libvirtd) -> Self {
        let root = fs.path();
        install_guest(&root);
        let content = root.join("content");
        std::fs::create_dir_all(&content).unwrap();
        std::fs::create_dir(root.join("state")).unwrap();
        std::fs::write(content.join("hello"), HELLO).unwrap();
        for disk in ["vda.raw", "vdb.raw"] {
            ext4(&root.join(disk), &content);
        }
        let (raw, vda) = (root.join("vda.raw"), root.join("vda.qcow2"));
        convert(&raw, "raw", &vda, "qcow2");
        std::fs::remove_file(raw).unwrap();
        let scene = Self { libvirtd: libvirtd(), fs };
        let vdb = root.join("vdb.raw");
        let disks = [("vda", "qcow2", vda.as_path()), ("vdb", "raw", vdb.as_path())];
        scene.libvirtd.define(&definition(DOMAIN, &disks, words, &root));
        scene
    }

    /// The same, and it has started.
    pub fn running(fs: &str, words: &str) -> Self {
        let scene = Self::off(fs, words);
        scene.start();
        scene
    }

    pub fn start(&self) {
        self.libvirtd.virsh(&["start", DOMAIN]);
        self.wait_for("READY");
        if !self.libvirtd.virsh(&["dumpxml", DOMAIN]).contains("agent=") {
            wait(|| self.agent("guest-ping").is_ok(), "no agent");
        }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.fs.path().join(name)
    }

    /// What the guest has printed.
    pub fn serial(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.at("serial")).unwrap_or_default()).into_owned()
    }

    pub fn wait_for(&self, text: &str) {
        wait(|| self.serial().contains(text), text);
    }

    /// Says something to the guest agent and hears its answer.
    pub fn agent(&self, command: &str) -> Result<String, String> {
        let command = format!("{{\"execute\":\"{command}\"}}");
        self.libvirtd.ask(&["qemu-agent-command", "--timeout", "5", DOMAIN, &command])
    }

    /// It runs, and nothing of it is frozen.
    pub fn is_free(&self) -> bool {
        self.libvirtd.state(DOMAIN) == "running"
            && self.agent("guest-fsfreeze-status").is_ok_and(|said| said.contains("thawed"))
    }

    /// A backend of the instance whose helper is the real daemon's program.
    pub fn backend(&self, options: &Value) -> Arc<dyn Backend> {
        let mut all = json!({ "domain": DOMAIN });
        all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        self.of(RESOURCE, &all)
    }

    /// A backend of another resource on the same host.
    pub fn of(&self, resource: &str, options: &Value) -> Arc<dyn Backend> {
        let mut all = json!({
            "uri": self.libvirtd.uri(), "store": self.at("store"), "helper": helper(),
        });
        all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let context = Context { resource: resource.parse().unwrap(), state: self.at("state") };
        build("libvirt", all.as_object().unwrap(), &context).unwrap()
    }

    /// What protects the instance under the name `web`.
    pub fn configuration(&self) -> String {
        format!(
            "[resource.web]\nkind = \"instance\"\n[resource.web.libvirt]\ndomain = \"{DOMAIN}\"\n\
             uri = \"{}\"\nstore = \"{}\"\n",
            self.libvirtd.uri(),
            self.at("store").display()
        )
    }

    /// Starts a domain and looks at its serial port from the first letter on.
    pub fn boot(&self, domain: &str) -> Port {
        self.libvirtd.virsh(&["start", "--paused", domain]);
        let port = Port::open(&self.libvirtd.virsh(&["ttyconsole", domain]));
        self.libvirtd.virsh(&["resume", domain]);
        port.wait_for("READY");
        port
    }
}

/// Takes a snapshot of the instance.
pub fn take(backend: &dyn Backend, seq: u64) -> Result<Object, StorageError> {
    take_as(backend, &card(seq))
}

pub fn take_as(backend: &dyn Backend, card: &Card) -> Result<Object, StorageError> {
    backend.take(&TakeOrder { card, source: None, previous: None }, &())
}

/// Makes something new of this name, at a path.
pub fn restore(
    backend: &dyn Backend,
    seq: u64,
    name: &str,
    target: &Path,
) -> Result<Restored, StorageError> {
    let name = name.parse().unwrap();
    backend.restore(&RestoreOrder::copy(&card(seq).handle, &name, target), &())
}

/// The other end of a guest's serial port.
pub struct Port(Arc<Mutex<Vec<u8>>>);

impl Port {
    fn open(path: &str) -> Self {
        let mut file = std::fs::File::open(path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hear = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = file.read(&mut buffer) {
                hear.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self(heard)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    pub fn wait_for(&self, text: &str) {
        wait(|| self.text().contains(text), text);
    }

    /// What the guest found in a file when it started.
    pub fn file(&self, path: &str) -> Option<String> {
        let before = format!("FILE /data/{path}: ");
        self.text().lines().find_map(|line| Some(line.strip_prefix(&before)?.trim().to_owned()))
    }
}

/// Waits until something is so.
pub fn wait(is_so: impl Fn() -> bool, what: &str) {
    let until = Instant::now() + TIMEOUT;
    while !is_so() {
        assert!(Instant::now() < until, "it does not happen: {what}");
        std::thread::yield_now();
    }
}

/// An image that is a file system with what is in a directory.
pub fn ext4(image: &Path, content: &Path) {
    std::fs::File::create(image).unwrap().set_len(24 << 20).unwrap();
    let (image, content) = (image.to_str().unwrap(), content.to_str().unwrap());
    run("mkfs.ext4", &["-q", "-F", "-d", content, image]);
}

pub fn convert(from: &Path, of: &str, to: &Path, into: &str) {
    let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
    run("qemu-img", &["convert", "-f", of, "-O", into, from, to]);
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
