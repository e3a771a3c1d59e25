//! The `libvirt` backend in the hands of the conformance suite: the suite's files are packed onto
//! the two disks of a domain that is off, and unpacked from them, and from those of a restored one.

use super::host::{Libvirtd, definition};
use crate::conformance::{Harness, RESOURCE, Tree, nothing_inherited, read};
use crate::support::loopfs::{LoopFs, run};
use crate::support::mirror::Mirror;
use heptad::backend::facets::{Creation, InPlace};
use heptad::backend::options::Context;
use heptad::backend::registry;
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
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const DOMAIN: &str = "web";
/// Bytes of each disk.
const SIZE: u64 = 24 << 20;

/// Images and store on a file system that shares blocks, or on one that copies them.
pub struct Packed<const SHARES: bool> {
    libvirtd: Arc<Libvirtd>,
    fs: LoopFs,
    mirror: Arc<Mirror>,
}

impl<const SHARES: bool> Packed<SHARES> {
    fn folder(&self, resource: &str) -> PathBuf {
        self.fs.path().join("store").join(resource)
    }

    fn stored(&self, resource: &str, handle: &Handle) -> PathBuf {
        self.folder(resource).join(handle.seq.to_string())
    }
}

impl<const SHARES: bool> Harness for Packed<SHARES> {
    fn new() -> Self {
        let fs = if SHARES { LoopFs::new("xfs", 600) } else { LoopFs::new("ext4", 600) };
        for name in ["files", "state"] {
            std::fs::create_dir(fs.path().join(name)).unwrap();
        }
        let libvirtd = Libvirtd::start();
        let (vda, vdb) = (fs.path().join("vda.qcow2"), fs.path().join("vdb.raw"));
        let (root, live) = (fs.path(), fs.path());
        let images = vec![vda.clone(), vdb.clone()];
        let pack = move |files: &Tree| pack(files, &root);
        pack(&Tree::new());
        let unpack = move |files: &Path| unpack(&live, files);
        let mirror = Mirror::new(fs.path().join("files"), images, pack, unpack);
        let disks = [("vda", "qcow2", vda.as_path()), ("vdb", "raw", vdb.as_path())];
        libvirtd.define(&definition(DOMAIN, &disks, "", &fs.path()));
        Self { libvirtd: Arc::new(libvirtd), fs, mirror: Arc::new(mirror) }
    }

    fn backend(&self, resource: &str) -> Arc<dyn Backend> {
        let (name, options, state) = self.recipe().unwrap();
        let context = Context { resource: resource.parse().unwrap(), state };
        let inner = registry::build(name, options.as_object().unwrap(), &context).unwrap();
        let (libvirtd, mirror) = (Arc::clone(&self.libvirtd), Arc::clone(&self.mirror));
        Arc::new(Packing { inner, libvirtd, mirror })
    }

    fn recipe(&self) -> Option<(&'static str, Value, PathBuf)> {
        let root = self.fs.path();
        let options =
            json!({ "domain": DOMAIN, "uri": self.libvirtd.uri(), "store": root.join("store") });
        Some(("libvirt", options, root.join("state")))
    }

    fn used(&self) -> PathBuf {
        self.fs.path().join("vdb.raw")
    }

    /// As whoever looks next finds it: that finishes what a killed heptad began.
    fn content(&self, at: &Path) -> Tree {
        if at == self.live() {
            self.backend(RESOURCE).list().unwrap();
            self.mirror.carry();
        }
        read(at)
    }

    fn live(&self) -> PathBuf {
        self.fs.path().join("files")
    }

    fn hide(&self) {
        self.libvirtd.virsh(&["undefine", DOMAIN]);
    }

    fn expect_nothing_inherited(&self, _at: &Path) {}

    fn target(&self, name: &str) -> PathBuf {
        self.fs.path().join(name)
    }

    /// The manifest is there, the commit point was not reached.
    fn interrupt(&self, resource: &str, handle: &Handle) {
        let partial = self.folder(resource).join(format!("{}.partial", handle.seq));
        std::fs::rename(self.stored(resource, handle), &partial).unwrap();
        std::fs::remove_file(partial.join("disks/vdb.raw")).unwrap();
    }

    fn tamper(&self, resource: &str, handle: &Handle) {
        let path = self.stored(resource, handle).join("disks/vdb.raw");
        let file = std::fs::File::options().write(true).open(path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"another boot sector", 0).unwrap();
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
    libvirtd: Arc<Libvirtd>,
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
        self.mirror.carry();
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

    /// The suite has one name for all that it makes; domains need one each.
    fn restore(
        &self,
        order: &RestoreOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Restored, StorageError> {
        let name = order.target.file_name().unwrap().to_str().unwrap();
        let name = format!("new-{name}").parse().unwrap();
        let restored = self.inner.restore(&RestoreOrder { name: &name, ..*order }, progress)?;
        assert_eq!(restored.options["domain"], name.as_str());
        assert_eq!(self.libvirtd.state(name.as_str()), "shut off");
        nothing_inherited(order.target);
        let disks = order.target.with_extension("disks");
        std::fs::rename(order.target, &disks).unwrap();
        std::fs::create_dir(order.target).unwrap();
        unpack(&disks, order.target);
        std::fs::remove_dir_all(disks).unwrap();
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

/// Half of the files go onto each disk; of no files, nothing. The images stay the files that they
/// are.
fn pack(files: &Tree, root: &Path) {
    for (at, disk) in ["vda", "vdb"].into_iter().enumerate() {
        let (raw, new) = (root.join(format!("{disk}.raw")), root.join("new"));
        let names: Vec<&Path> =
            files.keys().enumerate().filter(|(n, _)| n % 2 == at).map(|(_, p)| &**p).collect();
        std::fs::write(&new, "").unwrap();
        if !names.is_empty() {
            let mut tar = Command::new("tar");
            tar.arg("--create").arg("--no-recursion").arg("--file").arg(&new);
            tar.arg("--directory").arg(root.join("files")).arg("--").args(&names);
            assert!(tar.status().unwrap().success());
        }
        let packed = std::fs::read(&new).unwrap();
        assert!(packed.len() as u64 <= SIZE);
        // Behind it is a hole.
        std::fs::write(&raw, packed).unwrap();
        std::fs::File::options().append(true).open(&raw).unwrap().set_len(SIZE).unwrap();
        std::fs::remove_file(new).unwrap();
    }
    let (raw, vda) = (root.join("vda.raw"), root.join("vda.qcow2"));
    let (from, to) = (raw.to_str().unwrap(), vda.to_str().unwrap());
    run("qemu-img", &["convert", "-f", "raw", "-O", "qcow2", from, to]);
    std::fs::remove_file(raw).unwrap();
}

/// What was packed onto the disks in one directory comes into another, which is empty.
fn unpack(disks: &Path, target: &Path) {
    let (vda, raw) = (disks.join("vda.qcow2"), disks.join("vda.raw"));
    let (from, to) = (vda.to_str().unwrap(), raw.to_str().unwrap());
    run("qemu-img", &["convert", "-f", "qcow2", "-O", "raw", from, to]);
    for disk in [&raw, &disks.join("vdb.raw")] {
        let (disk, target) = (disk.to_str().unwrap(), target.to_str().unwrap());
        run("tar", &["--extract", "--file", disk, "--directory", target]);
    }
    std::fs::remove_file(raw).unwrap();
}
