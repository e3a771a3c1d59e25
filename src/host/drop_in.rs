//! The files beside the unit that allow heptad more than the unit does: what some people need, and
//! the others need not give away. `systemd/` has them under these names.

use super::privileges::{Right, missing};
use nix::sched::CloneFlags;
use std::fs::OpenOptions;
use std::io::ErrorKind;

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
}

impl DropIn {
    pub fn file(self) -> &'static str {
        match self {
            Self::Databases => "heptad-databases.conf",
            Self::Rollback => "heptad-rollback.conf",
            Self::Mount => "heptad-mount.conf",
            Self::Images => "heptad-images.conf",
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
        }
    }

    /// What of it this process is not allowed; empty if nothing is missing. Asks the kernel.
    pub fn lacking(self) -> String {
        match self {
            Self::Databases => named(&[Right::SetUid, Right::SetGid, Right::Kill, Right::Ptrace]),
            Self::Rollback => named(&[Right::Ptrace]),
            Self::Mount if !may_unshare() => "mount namespaces".into(),
            Self::Images if !may_open_fuse() => "/dev/fuse".into(),
            Self::Mount | Self::Images => String::new(),
        }
    }

    /// How to allow it.
    pub fn commands(self) -> String {
        format!(
            "`install -D -m 644 -t {TO} {FROM}/{}`, then `systemctl daemon-reload && systemctl \
             restart heptad`",
            self.file()
        )
    }

    /// For a refusal: what is needed, and how to allow it.
    pub fn way_out(self, needs: &str) -> String {
        let (file, commands) = (self.file(), self.commands());
        format!("heptad needs {needs}, which its unit allows with {file}: {commands}")
    }
}

fn named(rights: &[Right]) -> String {
    let missing: Vec<&str> = missing(rights).into_iter().map(Right::name).collect();
    missing.join(", ")
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
        for drop_in in [DropIn::Databases, DropIn::Rollback, DropIn::Mount, DropIn::Images] {
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
