//! A scratch directory whose programs heptad trusts, whatever the checkout's own place is.

use heptad::host::trust::trusted_program;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Below the first place that nobody else can write to: the target directory, /var/lib, the home.
pub fn dir() -> TempDir {
    let home = std::env::var("HOME").unwrap_or_default();
    let places = [env!("CARGO_TARGET_TMPDIR"), "/var/lib", &home];
    let make = |place: &&str| {
        let dir = tempfile::Builder::new().prefix("heptad-test-").tempdir_in(place).ok()?;
        let probe = script(&dir, "probe", "#!/bin/sh\n");
        trusted_program(&probe).ok().map(|()| dir)
    };
    places.iter().find_map(make).expect("one place that only its owner writes")
}

/// An executable script. Another process writes it: were it open for writing here while another
/// test forks, it could not be executed ("text file busy").
pub fn script(dir: &TempDir, name: &str, text: &str) -> PathBuf {
    let source = dir.path().join(format!("{name}.text"));
    std::fs::write(&source, text).unwrap();
    install(&source, &dir.path().join(name))
}

/// Copies a program to `to` with mode 0755.
pub fn install(from: &Path, to: &Path) -> PathBuf {
    let (source, target) = (from.to_str().unwrap(), to.to_str().unwrap());
    super::loopfs::run("install", &["-m", "0755", source, target]);
    to.into()
}
