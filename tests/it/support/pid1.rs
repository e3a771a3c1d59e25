//! systemd as PID 1, for what only a real service manager can show.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A boot takes half a second; this is for a machine that is very busy.
const SECONDS: u32 = 90;

/// How the script ended, and what was said meanwhile.
#[derive(Debug)]
pub struct Booted {
    pub status: i32,
    pub output: String,
    pub journal: String,
}

/// Boots a copy-on-write view of this machine with heptad's units installed and `program` as
/// `/usr/bin/heptad`, runs `script` (bash, `set -eux`) as root in it, and powers off. `paths` of
/// this machine are seen inside as well, beside its root file system.
pub fn boot(program: &Path, script: &str, paths: &[&Path]) -> Booted {
    boot_for(SECONDS, program, script, paths)
}

/// The same with a limit of its own.
pub fn boot_for(seconds: u32, program: &Path, script: &str, paths: &[&Path]) -> Booted {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = tempfile::Builder::new().prefix("heptad-boot-").tempdir_in("/var/tmp").unwrap();
    std::fs::write(shared.path().join("script"), format!("set -eux\n{script}\n")).unwrap();
    let output = Command::new("timeout")
        .arg("--kill-after=5")
        .arg(seconds.to_string())
        .arg(root.join("tests/it/support/pid1.sh"))
        .args([shared.path(), program, &root.join("systemd")])
        .args(paths)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    let read = |name: &str| std::fs::read_to_string(shared.path().join(name)).unwrap_or_default();
    let [said, journal] = ["output", "journal"].map(read);
    assert!(output.status.success(), "no boot: {}\n{error}\n{said}\n{journal}", output.status);
    Booted { status: read("status").trim().parse().unwrap(), output: said, journal }
}

impl Booted {
    /// Shows everything when the script failed.
    pub fn succeeded(self) -> Self {
        assert_eq!(self.status, 0, "{}\n-- journal --\n{}", self.output, self.journal);
        self
    }
}

/// The units with `program` in the place of `/usr/bin/heptad`, for tools that insist on it.
pub fn units_for(program: &Path, dir: &Path) -> Vec<PathBuf> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let copy = |name: &str| {
        let text = std::fs::read_to_string(from.join(name)).unwrap();
        let to = dir.join(name);
        std::fs::write(&to, text.replace("/usr/bin/heptad", program.to_str().unwrap())).unwrap();
        to
    };
    ["heptad.service", "heptad.socket"].map(copy).into()
}
