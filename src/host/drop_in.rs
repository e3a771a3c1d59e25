//! The files beside the unit that allow heptad more than the unit does: what some people need, and
//! the others need not give away. `systemd/` has them under these names.

use super::privileges::{Right, missing};
use nix::sched::CloneFlags;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where an installation keeps them.
const FROM: &str = "/usr/share/heptad";
/// Where systemd looks for them.
const TO: &str = "/etc/systemd/system/heptad.service.d";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropIn {
    /// Databases of other users than root: to become their owner.
    Databases,
    /// Replacing what is live: to see who uses it.
    Rollback,
    /// `heptactl mount`: to put a mount together where nobody sees it.
    Mount,
    /// The files in disk images: to show them by FUSE.
    Images,
    /// What belongs to the system itself, below [`SYSTEM`]: to write there.
    System,
}

/// Directories that the unit has read-only (`ProtectSystem=full`).
pub const SYSTEM: [&str; 4] = ["/etc", "/usr", "/boot", "/efi"];

impl DropIn {
    pub const ALL: [DropIn; 5] =
        [Self::Databases, Self::Rollback, Self::Mount, Self::Images, Self::System];

    pub fn file(self) -> &'static str {
        match self {
            Self::Databases => "heptad-databases.conf",
            Self::Rollback => "heptad-rollback.conf",
            Self::Mount => "heptad-mount.conf",
            Self::Images => "heptad-images.conf",
            Self::System => "heptad-system.conf",
        }
    }

    /// What does not work without it, as the beginning of a sentence that goes on with a list of
    /// resources.
    pub fn opens(self) -> &'static str {
        match self {
            Self::Databases => "snapshots",
            Self::Rollback => "`heptactl rollback`",
            Self::Mount => "`heptactl mount`",
            Self::Images => "`heptactl browse`, `get`, `diff` and `mount`",
            Self::System => "`heptactl rollback` (and `create` there)",
        }
    }

    /// What of it this process is not allowed; empty if nothing is missing. Asks the kernel.
    pub fn lacking(self) -> String {
        match self {
            Self::Databases | Self::Rollback => named(&missing(self.rights())),
            Self::System => written(SYSTEM.iter().filter(|dir| is_closed(dir)).copied()),
            Self::Mount if !may_unshare() => "mount namespaces".into(),
            Self::Images if !may_open_fuse() => "/dev/fuse".into(),
            Self::Mount | Self::Images => String::new(),
        }
    }

    /// What root needs for it.
    pub fn rights(self) -> &'static [Right] {
        match self {
            Self::Databases => &[Right::SetUid, Right::SetGid, Right::Kill, Right::Ptrace],
            Self::Rollback => &[Right::Ptrace],
            Self::Mount | Self::Images | Self::System => &[],
        }
    }

    /// Whether there is a copy of it where systemd looks that is not the one of this installation.
    pub fn is_outdated(self) -> bool {
        let read = |dir: &str| std::fs::read(Path::new(dir).join(self.file())).ok();
        matches!((read(FROM), read(TO)), (Some(ours), Some(copy)) if ours != copy)
    }

    /// Where systemd looks for it.
    pub fn copy(self) -> PathBuf {
        Path::new(TO).join(self.file())
    }

    /// How to allow it: one line to paste.
    pub fn commands(self) -> String {
        format!(
            "`install -D -m 644 -t {TO} {FROM}/{} && systemctl daemon-reload && systemctl restart \
             heptad`",
            self.file()
        )
    }

    /// For a refusal: what is needed, and how to allow it.
    pub fn way_out(self, needs: &str) -> String {
        let (file, commands) = (self.file(), self.commands());
        format!("heptad needs {needs}, which its unit allows with {file}: {commands}")
    }
}

/// In words; empty where there is none.
pub fn named(rights: &[Right]) -> String {
    rights.iter().map(|right| right.name()).collect::<Vec<_>>().join(", ")
}

/// The same of directories that cannot be written to.
pub fn written<'a>(dirs: impl Iterator<Item = &'a str>) -> String {
    let dirs = dirs.collect::<Vec<_>>().join(", ");
    if dirs.is_empty() { dirs } else { format!("writing to {dirs}") }
}

/// Whether it is there, and read-only for this process.
fn is_closed(dir: &str) -> bool {
    let found = rustix::fs::statvfs(dir);
    found.is_ok_and(|found| found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

/// On a thread that ends right afterwards, and its namespace with it.
fn may_unshare() -> bool {
    let tried = std::thread::spawn(|| nix::sched::unshare(CloneFlags::CLONE_NEWNS)).join();
    !matches!(tried, Ok(Err(nix::errno::Errno::EPERM)))
}

/// A host without FUSE is not forbidden it.
fn may_open_fuse() -> bool {
    let opened = OpenOptions::new().read(true).write(true).open("/dev/fuse");
    !opened.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_shipped_beside_the_unit_and_says_itself_how_to_install_it() {
        for drop_in in DropIn::ALL {
            let units = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
            let text = std::fs::read_to_string(units.join(drop_in.file())).unwrap();
            let folded = text.replace("\n# ", " ");
            let install = format!("install -D -m 644 -t {TO} {FROM}/{}", drop_in.file());
            assert!(folded.contains(&install), "{text}");
            assert!(drop_in.commands().contains(&install));
            assert!(text.contains("\n[Service]\n"));
        }
    }
}
