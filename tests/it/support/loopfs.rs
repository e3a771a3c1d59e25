//! A real file system in a file, mounted for the life of a test.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Mounted until dropped.
#[derive(Debug)]
pub struct LoopFs {
    dir: TempDir,
    mounted: bool,
}

impl LoopFs {
    /// Makes and mounts a file system: `btrfs`, `xfs` or `ext4`, of `megabytes`.
    pub fn new(kind: &str, megabytes: u64) -> Self {
        let dir = tempfile::Builder::new().prefix("heptad-fs-").tempdir_in("/var/tmp").unwrap();
        let image = dir.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        std::fs::create_dir(dir.path().join("mnt")).unwrap();
        let image = image.to_str().unwrap();
        match kind {
            "btrfs" => run("mkfs.btrfs", &["-q", "-m", "single", image]),
            "xfs" => run("mkfs.xfs", &["-q", image]),
            "ext4" => run("mkfs.ext4", &["-q", "-F", image]),
            other => panic!("no such file system here: {other}"),
        }
        let mut fs = Self { dir, mounted: false };
        fs.mount("");
        fs
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("mnt")
    }

    /// Mounts again after [`LoopFs::unmount`]; `options` beside `loop`, such as `subvol=x`.
    pub fn mount(&mut self, options: &str) {
        let options = format!("loop,{options}");
        let image = self.dir.path().join("image");
        let (image, path) = (image.to_str().unwrap(), self.path());
        run("mount", &["-o", options.trim_end_matches(','), image, path.to_str().unwrap()]);
        self.mounted = true;
    }

    pub fn unmount(&mut self) {
        run("umount", &[self.path().to_str().unwrap()]);
        self.mounted = false;
    }

    pub fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        run("mount", &["-o", &options, self.path().to_str().unwrap()]);
    }
}

impl Drop for LoopFs {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg("-l").arg(self.path()).status();
        }
    }
}

/// Runs a program that must succeed.
pub fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {error}");
}

/// A new btrfs subvolume.
pub fn subvolume(path: &Path) {
    run("btrfs", &["-q", "subvolume", "create", path.to_str().unwrap()]);
}
