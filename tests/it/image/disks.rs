//! Images with real partition tables and file systems, made without mounting any.

use crate::support::loopfs::{Undo, run};
use crate::support::trusted;
use heptad::browse::{self, OpenTree};
use heptad::domain::tree::{BrowseError, Entry, TreePath};
use heptad::image::{self, Disk, Format};
use rustix::fs::{Mode, OFlags};
use rustix::mount::MoveMountFlags;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub const MIB: u64 = 1 << 20;

pub struct Bench {
    dir: TempDir,
    helper: PathBuf,
}

pub fn path(text: &str) -> TreePath {
    TreePath::new(text.as_bytes()).unwrap()
}

impl Bench {
    pub fn new() -> Self {
        let dir = trusted::dir();
        let helper =
            trusted::install(Path::new(env!("CARGO_BIN_EXE_heptad")), &dir.path().join("heptad"));
        Self { dir, helper }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An empty image.
    pub fn blank(&self, name: &str, mebibytes: u64) -> PathBuf {
        let image = self.path(name);
        std::fs::File::create(&image).unwrap().set_len(mebibytes * MIB).unwrap();
        image
    }

    /// An ext file system with these files.
    pub fn ext(&self, name: &str, kind: &str, tree: &Path) -> PathBuf {
        let image = self.blank(name, 48);
        let tree = tree.to_str().unwrap();
        run("mkfs.ext4", &["-q", "-F", "-t", kind, "-d", tree, image.to_str().unwrap()]);
        image
    }

    pub fn fat(&self, name: &str, file: &Path) -> PathBuf {
        let image = self.blank(name, 40);
        let text = image.to_str().unwrap();
        run("mkfs.vfat", &["-F", "32", text]);
        run("mmd", &["-i", text, "::EFI"]);
        run("mcopy", &["-i", text, file.to_str().unwrap(), "::EFI/A long name.cfg"]);
        image
    }

    pub fn ntfs(&self, name: &str, file: &Path) -> PathBuf {
        let image = self.blank(name, 24);
        let text = image.to_str().unwrap();
        run("mkntfs", &["-q", "-F", "-f", text]);
        run("ntfscp", &["-q", text, file.to_str().unwrap(), "Grüße.txt"]);
        image
    }

    /// A small XFS with many names and these two files; with `crc=0` of the old kind that kernels
    /// do not make any more.
    pub fn xfs(&self, name: &str, options: &str, small: &Path, big: &Path) -> PathBuf {
        let image = self.blank(name, 24);
        let line =
            |name: &str, file: &Path| format!("{name} ---640 1234 5678 {}\n", file.display());
        let many: String = (0..600).map(|n| line(&format!("{n:04}"), small)).collect();
        let content = format!(
            "-\n0 0\nd--755 0 0\netc d--755 0 0\n{}{many}link l--777 0 0 hosts\n$\n{}$\n",
            line("hosts", small),
            line("big", big),
        );
        let file = self.path(&format!("{name}.content"));
        std::fs::write(&file, content).unwrap();
        // So small only for those who test XFS itself.
        let tested = "TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1";
        let (file, text) = (file.display(), image.display());
        run("sh", &["-c", &format!("{tested} mkfs.xfs -q -m {options} -p {file} {text}")]);
        image
    }

    /// A disk with a partition table of `label` and these images as its partitions.
    pub fn disk(&self, name: &str, label: &str, parts: &[&Path]) -> PathBuf {
        let sizes: Vec<u64> = parts.iter().map(|part| part.metadata().unwrap().len()).collect();
        let image =
            self.blank(name, sizes.iter().sum::<u64>() / MIB + 2 * (parts.len() as u64 + 2));
        let mut script = format!("label: {label}\n");
        let mut start = MIB;
        let mut disk = std::fs::File::options().write(true).open(&image).unwrap();
        for (part, size) in parts.iter().zip(&sizes) {
            script += &format!("start={}, size={}\n", start / 512, size / 512);
            disk.seek(SeekFrom::Start(start)).unwrap();
            std::io::copy(&mut std::fs::File::open(part).unwrap(), &mut disk).unwrap();
            start += size + MIB;
        }
        let file = self.path(&format!("{name}.layout"));
        std::fs::write(&file, script).unwrap();
        let line = format!("sfdisk -q {} <{}", image.display(), file.display());
        run("sh", &["-c", &line]);
        image
    }

    pub fn qcow2(&self, raw: &Path, options: &[&str]) -> PathBuf {
        let image = raw.with_extension("qcow2");
        let ends = [raw.to_str().unwrap(), image.to_str().unwrap()];
        run("qemu-img", &[&["convert", "-f", "raw", "-O", "qcow2"], options, &ends].concat());
        image
    }

    pub fn open(&self, disks: &[(&str, &Path, Format)]) -> OpenTree {
        let disk = |(name, path, format): &(&str, &Path, Format)| Disk {
            name: (*name).into(),
            path: path.to_path_buf(),
            format: *format,
        };
        let disks: Vec<Disk> = disks.iter().map(disk).collect();
        image::open(&disks, Some(&self.helper)).unwrap()
    }
}

impl Bench {
    /// Mounts what is shown where the tests can see it.
    pub fn attach(&self, opened: OpenTree) -> Attached {
        let point = tempfile::Builder::new().prefix("shown-").tempdir_in(self.path("")).unwrap();
        let at = rustix::fs::open(point.path(), OFlags::PATH, Mode::empty()).unwrap();
        let by = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        let detached = browse::detach(opened).unwrap();
        let undo = Undo::new("umount -l \"$1\"", point.path());
        rustix::mount::move_mount(&detached.mount, "", at, "", by).unwrap();
        Attached { _undo: undo, point }
    }
}

/// Mounted until dropped.
pub struct Attached {
    _undo: Undo,
    point: TempDir,
}

impl Attached {
    pub fn path(&self) -> &Path {
        self.point.path()
    }
}

/// A tree with some of everything.
pub fn tree(bench: &Bench) -> PathBuf {
    let top = bench.path("tree");
    std::fs::create_dir_all(top.join("etc")).unwrap();
    std::fs::write(top.join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
    std::os::unix::fs::symlink("hosts", top.join("etc/link")).unwrap();
    let bytes: Vec<u8> =
        (0..1_u32 << 18).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    std::fs::write(top.join("big"), bytes).unwrap();
    let mut sparse = std::fs::File::create(top.join("sparse")).unwrap();
    sparse.seek(SeekFrom::Start(5 << 20)).unwrap();
    sparse.write_all(b"end").unwrap();
    for n in 0..600 {
        std::fs::write(top.join(format!("etc/{n:04}")), n.to_string()).unwrap();
    }
    std::os::unix::fs::chown(top.join("big"), Some(1_234), Some(5_678)).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(top.join("big"), PermissionsExt::from_mode(0o4750)).unwrap();
    top
}

pub fn names(tree: &OpenTree, at: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let listing = browse::list(tree, &path(at), after.as_deref(), 500).unwrap();
        let names =
            listing.entries.iter().map(|entry| String::from_utf8(entry.name.clone()).unwrap());
        all.extend(names);
        if !listing.more {
            return all;
        }
        after = listing.entries.last().map(|entry| entry.name.clone());
    }
}

pub fn entry(tree: &OpenTree, at: &str) -> Entry {
    browse::list(tree, &path(at), None, 1).unwrap().top
}

pub fn read(tree: &OpenTree, at: &str) -> Result<Vec<u8>, BrowseError> {
    let (mut file, _) = browse::open(tree, &path(at))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap_or_else(|error| panic!("{at}: {error}"));
    Ok(bytes)
}
