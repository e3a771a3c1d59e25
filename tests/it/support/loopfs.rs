//! A real file system in a file, mounted for the life of a test.
//!
//! Each lies in a directory of its own with a name of its own, so that tests and whole runs beside
//! each other do not meet. Whatever ends a test, a panic or a signal, its mounts end with it.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Mounted until dropped.
#[derive(Debug)]
pub struct LoopFs {
    // Before the directory: fields are dropped in this order.
    _undo: Undo,
    dir: TempDir,
}

impl LoopFs {
    /// Makes and mounts a file system: `btrfs`, `xfs` or `ext4`, of `megabytes`.
    pub fn new(kind: &str, megabytes: u64) -> Self {
        Self::formatted(kind, megabytes, &[])
    }

    /// With options for mkfs.
    pub fn formatted(kind: &str, megabytes: u64, options: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("heptad-fs-").tempdir_in("/var/tmp").unwrap();
        let unmount = "while umount -l \"$1/mnt\"; do :; done; rm -rf --one-file-system \"$1\"";
        let mut fs = Self { _undo: Undo::new(unmount, dir.path()), dir };
        let image = fs.image();
        std::fs::File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        std::fs::create_dir(fs.path()).unwrap();
        let (program, always): (_, &[&str]) = match kind {
            "btrfs" => ("mkfs.btrfs", &["-q", "-m", "single"]),
            "xfs" => ("mkfs.xfs", &["-q"]),
            "ext4" => ("mkfs.ext4", &["-q", "-F"]),
            other => panic!("no such file system here: {other}"),
        };
        run(program, &[always, options, &[image.to_str().unwrap()]].concat());
        fs.mount("");
        fs
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("mnt")
    }

    /// The file that it is in.
    pub fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    /// Mounts again after [`LoopFs::unmount`]; `options` beside `loop`, such as `subvol=x`.
    pub fn mount(&mut self, options: &str) {
        let options = format!("loop,{options}");
        let image = self.image();
        let (image, path) = (image.to_str().unwrap(), self.path());
        run("mount", &["-o", options.trim_end_matches(','), image, path.to_str().unwrap()]);
    }

    pub fn unmount(&mut self) {
        run("umount", &[self.path().to_str().unwrap()]);
    }

    /// Bytes that are free when nothing is pending; mounts it again with these options.
    pub fn free(&mut self, options: &str) -> u64 {
        let path = self.path();
        if rustix::fs::statfs(&path).unwrap().f_type == 0x9123_683e {
            // The first wakes what the second waits for; what is gone is free once that is
            // committed.
            for what in ["filesystem", "subvolume", "filesystem"] {
                run("btrfs", &[what, "sync", path.to_str().unwrap()]);
            }
        }
        self.unmount();
        self.mount(options);
        let stat = rustix::fs::statvfs(&path).unwrap();
        stat.f_bfree * stat.f_frsize
    }

    /// Puts a copy in the place of the image of one that is not mounted here any more: elsewhere,
    /// in a namespace that was made meanwhile, it may still be.
    pub fn renew(&self) {
        let copy = self.dir.path().join("copy");
        let (image, copy) = (self.image(), copy.to_str().unwrap().to_owned());
        run("cp", &["--sparse=always", image.to_str().unwrap(), &copy]);
        std::fs::rename(copy, image).unwrap();
    }

    /// Copies the image while it is frozen.
    pub fn copy_frozen(&self, to: &Path) {
        let script = "set -e; fsfreeze -f \"$1\"; trap 'fsfreeze -u \"$1\"' EXIT; cp \"$2\" \"$3\"";
        let [path, image] =
            [self.path(), self.image()].map(|path| path.to_str().unwrap().to_owned());
        run("sh", &["-c", script, "sh", &path, &image, to.to_str().unwrap()]);
    }

    pub fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        run("mount", &["-o", &options, self.path().to_str().unwrap()]);
    }
}

/// Something else mounted at a path until dropped.
#[derive(Debug)]
pub struct Mounted {
    _undo: Undo,
}

impl Mounted {
    /// `args` of mount(8) before the mount point.
    pub fn new(args: &[&str], point: &Path) -> Self {
        let undo = Undo::new("umount -l \"$1\"", point);
        run("mount", &[args, &[point.to_str().unwrap()]].concat());
        Self { _undo: undo }
    }

    /// An empty file system that lives in memory.
    pub fn tmpfs(point: &Path) -> Self {
        Self::new(&["-t", "tmpfs", "none"], point)
    }
}

/// A script that runs when this is dropped, or when the test's process ends without dropping it:
/// it waits in another process group for its input to be closed.
#[derive(Debug)]
pub struct Undo(Child);

impl Undo {
    /// The path is `$1` in the script.
    pub fn new(script: &str, path: &Path) -> Self {
        let script = format!("read -r nothing; {script}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, "undo"]).arg(path).current_dir("/");
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Out of reach of a signal that ends the test and all that it started.
        let shell = shell.process_group(0).spawn();
        Self(shell.unwrap())
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
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
