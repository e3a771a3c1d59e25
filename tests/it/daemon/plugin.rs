//! The sample plugin in front of which somebody stands: a take waits until it is let through.

use super::host::Host;
use crate::support::trusted;
use nix::sys::stat::Mode;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub struct Plugin {
    dir: TempDir,
}

impl Plugin {
    pub fn install() -> Self {
        let dir = trusted::dir();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/plugin/tarball");
        trusted::install(&sample, &dir.path().join("tarball"));
        nix::unistd::mkfifo(&dir.path().join("gate"), Mode::S_IRWXU).unwrap();
        let here = dir.path().display();
        let text = format!(
            "#!/bin/sh\nfor verb; do :; done\n\
             [ \"$verb\" = take ] && read pass < {here}/gate\nexec {here}/tarball \"$@\"\n"
        );
        trusted::script(&dir, "plugin", &text);
        Self { dir }
    }

    /// A resource of this plugin, with its live tree and its store on `host`.
    pub fn resource(&self, host: &Host, name: &str) -> String {
        host.tree(name, name);
        std::fs::create_dir_all(host.path("tapes")).unwrap();
        let program = self.dir.path().join("plugin");
        format!(
            "[resource.{name}]\ntime = \"06:00\"\nexec = {{ program = {program:?}, \
             options = {{ path = \"ROOT/{name}\", store = \"ROOT/tapes\" }} }}\n"
        )
    }

    pub fn stored(&self, host: &Host, name: &str) -> PathBuf {
        host.path("tapes").join(name)
    }

    /// Waits for a take to come, and lets it through when dropped.
    pub fn hold(&self) -> std::fs::File {
        // Opening blocks until the other end is opened too.
        std::fs::File::options().write(true).open(self.dir.path().join("gate")).unwrap()
    }
}
